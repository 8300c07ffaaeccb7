"""Commands on a small disk that is full, and on one that may only be read: a tmpfs, where this user may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from killing import OUT, Whole, after_refusal, repeated, run
from scenes import Scene

SMALL, LARGE = "4k", "64m"  # of the disk: too small for any result, and large enough for all


def on_disks(scene: Scene, whole: Whole, folder: Path) -> list[str]:
    """Run a command on a disk that is full, then on one that is read-only, then with space.

    Args:
        scene: the command.
        whole: what it makes undisturbed.
        folder: to work in; it must not exist.

    Returns:
        A sentence for each disk; WRONG is in those of which something was not as it should be.
    """
    folder.mkdir()
    if not _may_mount(folder):
        return [f"{scene.name}: no tmpfs can be mounted here, so no disk was full or read-only."]
    said = []
    for kind, options, cure in (("full", f"size={SMALL}", f"size={LARGE}"), ("read-only", "ro", "rw")):
        work = folder / kind
        (work / OUT).mkdir(parents=True)
        with mounted(work / OUT, options):
            code = run(scene, work)
            problems = after_refusal(scene, work, code)
            if code != 2:
                problems.append(f"it ended with {code}, not 2")
            _mount("-o", f"remount,{cure}", work / OUT)
            problems += repeated(scene, work, whole.results)
        said.append(
            f"{scene.name}, {kind} disk: " + (f"WRONG: {'; '.join(problems)}" if problems else "as it should be")
        )
    return said


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A tmpfs on a folder for as long as the block lasts."""
    _mount("-t", "tmpfs", "-o", options, "tmpfs", folder)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def _may_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs, which in most containers even root may not."""
    if os.geteuid() != 0:
        return False
    (folder / "trial").mkdir()
    try:
        with mounted(folder / "trial", f"size={LARGE}"):
            return True
    except (subprocess.CalledProcessError, OSError):
        return False

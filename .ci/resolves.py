"""Asks whether every Python that pyproject.toml names can install the package with all its extras.

    python .ci/resolves.py [VERSION ...]

Nothing is installed (`--dry-run`), and wheels alone are taken, as most people do. It needs the package index. `uv` asks
it for metadata, where `pip --dry-run` downloads torch whole.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INDEX, PLATFORM = "https://pypi.org/simple", "x86_64-manylinux_2_28"
SECONDS = 200  # for one version
CLASSIFIER = "Programming Language :: Python :: "


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def versions() -> list[str]:
    """The minor versions of Python that the metadata name, as 3.11."""
    named = [one.removeprefix(CLASSIFIER) for one in project()["classifiers"] if one.startswith(CLASSIFIER)]
    return [one for one in named if re.fullmatch(r"3\.\d+", one)]


def requirements() -> list[str]:
    """What the package and all its extras ask for."""
    about = project()
    every = [*about["dependencies"], *(one for some in about["optional-dependencies"].values() for one in some)]
    return sorted({one for one in every if not one.startswith("quantvietocr")})


def resolve(version: str) -> str:
    """What speaks against this version; "" where all can be installed."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--quiet", "--no-config"]
        command += ["--only-binary", ":all:", "--python-version", version, "--python-platform", PLATFORM]
        command += ["--default-index", INDEX, "--target", target]
        done = subprocess.run([*command, *requirements()], capture_output=True, text=True, timeout=SECONDS)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def main(chosen: list[str]) -> int:
    failed = 0
    for version in chosen or versions():
        said = resolve(version)
        failed += bool(said)
        print(f"Python {version}: {said or 'resolves'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

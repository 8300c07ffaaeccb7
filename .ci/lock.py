"""Writes requirements-lock.txt: the version of each package that this environment was tested with, and its hashes.

    make lock

`uv` resolves pyproject.toml with all extras and requirements-dev.txt, held to the versions that are installed. CUDA's
packages, which PyPI's torch asks for, are left out: what is here runs on CPUs, and `pip install --no-deps` asks for
none of them. torch's and torchvision's CPU builds lie on an index of their own; where a wheel of theirs is given, its
hash is added, so that pip takes either.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-lock.txt"
PYTHON, PLATFORM = "3.11.7", "x86_64-manylinux_2_28"
HEADER = f"""\
# The tested set, for Python {PYTHON.rpartition(".")[0]} on x86-64 Linux. `make lock` writes it. To install it:
#   export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
#   pip install --no-deps --require-hashes -r requirements-lock.txt
#   pip install --no-deps -r requirements-nodeps.txt .
"""


def installed_versions() -> dict[str, str]:
    """Version of each installed package, without the build that stands behind +."""
    return {
        normalised(one.metadata["Name"]): one.version.partition("+")[0] for one in importlib.metadata.distributions()
    }


def normalised(name: str) -> str:
    """A package's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without_cuda(lock: str) -> str:
    """The lock less what only CUDA needs."""
    entries = re.split(r"\n(?=\S)", lock.strip())
    return "\n".join(one for one in entries if not one.startswith(("nvidia-", "triton", "cuda-"))) + "\n"


def with_hash(lock: str, wheel: Path) -> str:
    """The lock with the hash of one more wheel of a package that is in it."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    first = f"{normalised(name)}=={version.partition('+')[0]} \\\n"
    if first not in lock:
        sys.exit(f"{wheel}: {first.split()[0]} is not in the lock.")
    return lock.replace(first, f"{first}    --hash=sha256:{digest} \\\n")


def main(wheels: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        held, out = Path(folder, "held.txt"), Path(folder, "lock.txt")
        versions = installed_versions()
        held.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--all-extras"]
        command += ["--default-index", "https://pypi.org/simple", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--python-version", PYTHON, "--python-platform", PLATFORM, "--constraint", str(held)]
        command += ["--output-file", str(out), "pyproject.toml", "requirements-dev.txt"]
        subprocess.run(command, check=True, cwd=ROOT)
        lock = without_cuda(out.read_text())
    for wheel in map(Path, wheels):
        lock = with_hash(lock, wheel)
    LOCK.write_text(HEADER + lock)
    print(f"{LOCK.name}: {len(re.findall('^[^ #]', lock, re.M))} packages")


if __name__ == "__main__":
    main(sys.argv[1:])

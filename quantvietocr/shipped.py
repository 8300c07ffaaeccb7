"""Where the shipped weights and configs lie: in a folder of one's own, in the installed package, in a clone, in the
cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .errors import UserError

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # of the repository, where the package lies in a clone
WEIGHTS_VARIABLE = "QUANTVIETOCR_WEIGHTS"  # names a folder to look into first
#: The short names that `--weights` takes → the file. `full` is what `int8` is, beside `slim`.
WEIGHTS = {
    "int8": "vgg_seq2seq-qat-int8.safetensors",
    "full": "vgg_seq2seq-qat-int8.safetensors",
    "slim": "vgg_seq2seq-slim-qat-int8.safetensors",
    "float": "vgg_seq2seq-float16.safetensors",
}


#: A line each: the SHA-256 of a shipped file, and its name. `make reference` writes it.
HASHES = PACKAGE / "weights.sha256"


class ChangedWeightsError(UserError):
    """A file lies where shipped weights do, and is another one."""


class NotShippedError(UserError):
    """A shipped file is not in this install; the message says how to get it."""


def cache_folder() -> Path:
    """The user's folder for files that can be fetched again; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quantvietocr"


def find_weights(name: str) -> Path | None:
    """The shipped weights by their name in `WEIGHTS`, None where this install lacks them."""
    return next((path for folder in _weight_folders() if (path := folder / WEIGHTS[name]).is_file()), None)


def weights_file(name: str | os.PathLike = "int8") -> Path:
    """A file of weights.

    Args:
        name: of `WEIGHTS` for the shipped ones, else a path, which is given back as it is.

    Returns:
        The path.

    Raises:
        NotShippedError: if the shipped file of that name is not in this install.
        ChangedWeightsError: if it is damaged or another one.
    """
    if name not in WEIGHTS:
        return Path(name)
    path = find_weights(str(name))
    if path is None:
        raise NotShippedError(
            f"The {name} weights ({WEIGHTS[str(name)]}) are not in this install: take the file from weights/ of "
            f"quantvietocr's repository and put it into {cache_folder()}, or into a folder that the environment "
            f"variable {WEIGHTS_VARIABLE} names."
        )
    _check(path, path.stat().st_mtime_ns)
    return path


@cache
def hashes() -> dict[str, str]:
    """The SHA-256 of each shipped file by its name."""
    return {name: digest for digest, name in map(str.split, HASHES.read_text(encoding="utf-8").splitlines())}


@cache
def _check(path: Path, changed: int) -> None:
    """Compare a shipped file with its hash, once for each time that it was changed. Raises ChangedWeightsError."""
    expected = hashes().get(path.name)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and expected != found:
        raise ChangedWeightsError(
            f"{path} is not the file that this version was released with (SHA-256 {found[:12]}…, not "
            f"{expected[:12]}…): copy it again from weights/ of quantvietocr's repository; to read with it as "
            "it is, name its path."
        )


def config_file(name: str | os.PathLike) -> Path:
    """A config file.

    Args:
        name: a path; or a shipped config's name from anywhere, as `qat`, `qat.yml` or `configs/qat.yml`.

    Returns:
        The path: the shipped file's where no file lies at the path given.
    """
    path = Path(name)
    if path.is_file() or path.parent not in (Path(), Path("configs")):
        return path
    file = path.name if path.suffix else f"{path.name}.yml"
    shipped = (folder / file for folder in (PACKAGE / "configs", ROOT / "configs"))
    return next((one for one in shipped if one.is_file()), path)


def _weight_folders() -> Iterator[Path]:
    if named := os.environ.get(WEIGHTS_VARIABLE):
        yield Path(named)
    yield PACKAGE / "weights"
    if (ROOT / "pyproject.toml").is_file():  # else the folder above the package is site-packages
        yield ROOT / "weights"
    yield cache_folder()

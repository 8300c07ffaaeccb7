"""Packages that this install may lack, and the one sentence that says how to get them."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from ..errors import UserError

#: Import name → the extra of pyproject.toml that brings it; "" where the package itself depends on it.
EXTRA_OF = {
    "PIL": "",
    "numpy": "",
    "safetensors": "",
    "threadpoolctl": "",
    "torch": "",
    "tqdm": "",
    "yaml": "",
    "einops": "train",
    "fontTools": "train",
    "gdown": "train",
    "pooch": "train",
    "rapidfuzz": "train",
    "torchvision": "train",
    "vietocr": "train",
    "asterocr": "peers",
    "shapely": "peers",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "matplotlib": "receipt",
    "omegaconf": "receipt",
    "pypdfium2": "receipt",
    "rapidocr": "receipt",
    "reportlab": "receipt",
    "python_multipart": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "fsspec": "bulk",
    "pyarrow": "bulk",
    "ray": "ray",
    "fastapi": "api",
    "httpx": "api",
    "prometheus_client": "api",
    "ocrmypdf": "ocrmypdf",
}
CHECKOUT = Path(__file__).resolve().parents[2]  # the repository, where the package lies in one
VIETOCR = "vietocr==0.3.13"  # its own pins do not resolve: see requirements-nodeps.txt


class MissingPackageError(UserError):
    """A package is not installed; the message says what for it is needed, and how to get it."""


def in_checkout() -> bool:
    """Whether the package runs from a clone of the repository, where `make setup` installs everything."""
    return (CHECKOUT / "Makefile").is_file() and (CHECKOUT / "pyproject.toml").is_file()


def how_to_install(package: str, extra: str | None = None) -> str:
    """The command that brings a package into this install.

    Args:
        package: import name, of EXTRA_OF or any other.
        extra: the extra to name, where several bring the package; EXTRA_OF's otherwise.

    Returns:
        "run `…`", to be put into a sentence.
    """
    if in_checkout():
        return "run `make setup`, then `source .venv/bin/activate`"
    extra = EXTRA_OF.get(package) if extra is None else extra
    if extra is None:
        return f"run `pip install {package}`"
    command = f"pip install 'quantvietocr[{extra}]'" if extra else "pip install quantvietocr"
    return f"run `{command} && pip install --no-deps {VIETOCR}`" if package == "vietocr" else f"run `{command}`"


def missing(error: ModuleNotFoundError, purpose: str, extra: str | None = None) -> str | None:
    """The sentence for an import that failed.

    Args:
        error: what the import raised.
        purpose: what the package is needed for, as the subject of the sentence.
        extra: as in `how_to_install`.

    Returns:
        The sentence, or None where the module is one of ours, whose absence is a defect.
    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "quantvietocr"):
        return None
    return f"{purpose[0].upper()}{purpose[1:]} needs the package {package}: {how_to_install(package, extra)}."


def need(
    package: str, purpose: str, kind: type[UserError] = MissingPackageError, extra: str | None = None
) -> ModuleType:
    """Import an optional package.

    Args:
        package: import name.
        purpose: what it is needed for, as the subject of the sentence.
        kind: the error to raise where it is missing.
        extra: as in `how_to_install`.

    Returns:
        The module.

    Raises:
        UserError: of that kind, if the package is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package.partition(".")[0]:
            raise
        raise kind(missing(error, purpose, extra)) from error

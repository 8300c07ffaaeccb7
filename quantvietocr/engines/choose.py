"""Which engine runs which file, and what to say of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from pathlib import Path

from ..checkpoint.files import read
from ..checkpoint.layout import DECODER
from ..checkpoint.onnx_file import read_onnx
from ..checkpoint.types import Checkpoint
from .base import Engine, EngineError
from .cpu import int8_features, int8_instructions, int8_warning, weight_bits

#: Engines that read `.onnx` files, the one measured fastest first.
ONNX_ENGINES = ("openvino", "onnxruntime")
ENGINES = ("auto", "torch", "onnxruntime", "openvino")


def open_file(
    weights: str | os.PathLike | Checkpoint,
    engine: str = "auto",
    threads: int = 0,
    config: str | os.PathLike | None = None,
) -> tuple[Checkpoint, Engine]:
    """The checkpoint of a file, and the engine that runs it. `auto`: torch for `.pth` and `.safetensors`; for `.onnx` the
    fastest of `ONNX_ENGINES` that is installed.

    Of an `.onnx` file the checkpoint holds the decoder's tensors alone, unless it is given as a checkpoint already.
    Raises EngineError for an engine that is not installed or cannot run the file, CheckpointError for an unusable file.
    """
    if engine not in ENGINES:
        raise EngineError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    path = Path(weights.origin if isinstance(weights, Checkpoint) else weights)
    name = _engine_for(path, engine)
    if isinstance(weights, Checkpoint):
        checkpoint = weights
    elif path.suffix == ".onnx" and config is None:
        checkpoint = read_onnx(path, DECODER)
    else:
        checkpoint = read(path, config)
    if name == "torch":
        from .torch_engine import TorchEngine as Chosen
    elif name == "onnxruntime":
        from .onnx_engine import OnnxEngine as Chosen
    else:
        from .openvino_engine import OpenVinoEngine as Chosen
    return checkpoint, Chosen(checkpoint, threads)


def _engine_for(path: Path, engine: str) -> str:
    if path.suffix != ".onnx":
        if engine in ONNX_ENGINES:
            raise EngineError(
                f"{path}: the engine {engine} reads .onnx files: make one with `quantvietocr export {path} "
                f"--format onnx --out {path.with_suffix('.onnx')}`, or use the engine torch."
            )
        if not installed("torch"):
            raise EngineError(
                f"{path}: .pth and .safetensors files need PyTorch: pip install -r requirements.txt, or read an "
                ".onnx file (`quantvietocr export --format onnx` makes one where PyTorch is)."
            )
        return "torch"
    if engine == "torch":
        raise EngineError(
            f"{path}: the engine torch reads .safetensors and .pth files: give the checkpoint that this file was "
            "exported from, or use the engine onnxruntime or openvino."
        )
    if engine != "auto":
        return engine  # if it is missing, it says so itself
    for name in ONNX_ENGINES:
        if installed(name):
            return name
    raise EngineError(
        f"{path}: .onnx files need onnxruntime or openvino, and neither is installed: pip install onnxruntime."
    )


def installed(package: str) -> bool:
    """Whether a package is there to be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # how find_spec reports a module that was put aside in sys.modules
        return False


def describe_engine(engine: Engine, checkpoint: Checkpoint, threads: int) -> list[str]:
    """Sentences for people: which engine computes in what, and a warning where this CPU is not made for it."""
    features = int8_features()
    integers = any(layer.precision == "int8" for layer in checkpoint.meta.layers)
    on = f"; int8 on {int8_instructions(features)}" if integers else ""
    count = {0: "a thread per core", 1: "1 thread"}.get(threads, f"{threads} threads")
    said = [f"engine: {engine.name} {importlib.metadata.version(engine.name)}, {engine.precision}{on}; {count}."]
    bits = checkpoint.meta.activation_bits
    warning = int8_warning(bits, features, weight_bits=weight_bits(checkpoint)) if integers else None
    return said + [f"warning: {warning}"] if warning else said

"""Which engine runs which file, and what to say of it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from ..checkpoint import layout, transformer_layout
from ..checkpoint.files import read
from ..checkpoint.onnx_file import read_onnx
from ..checkpoint.types import Checkpoint
from ..common.packages import how_to_install
from .base import Engine, EngineError
from .cpu import int8_features, int8_instructions, int8_warning, weight_bits

#: Begin the names of the tensors that decoding needs, of either network.
DECODING = (layout.DECODER, *transformer_layout.DECODING)
#: Engines that read `.onnx` files, the one measured fastest first.
ONNX_ENGINES = ("openvino", "onnxruntime")
ENGINES = ("auto", "torch", "onnxruntime", "openvino")


def open_file(
    weights: str | os.PathLike | Checkpoint,
    engine: str = "auto",
    threads: int = 0,
    config: str | os.PathLike | None = None,
) -> tuple[Checkpoint, Engine]:
    """Open a checkpoint file, and the engine that runs it.

    Args:
        weights: The file, or what was read from one.
        engine: One of `ENGINES`. `auto` takes torch for `.pth` and `.safetensors` where it is installed, else, and for
            `.onnx`, the fastest of `ONNX_ENGINES` that is.
        threads: CPU threads; 0 leaves the engine's choice.
        config: The YAML that a float model was trained with, as `checkpoint.files.read` takes it.

    Returns:
        The checkpoint and the engine. Of an `.onnx` file the checkpoint holds the decoder's tensors alone, unless it is
        given as a checkpoint already.

    Raises:
        EngineError: For an engine that is not installed or cannot run the file.
        CheckpointError: For an unusable file.
    """
    if engine not in ENGINES:
        raise EngineError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    path = Path(weights.origin if isinstance(weights, Checkpoint) else weights)
    name = _engine_for(path, engine)
    if isinstance(weights, Checkpoint):
        checkpoint = weights
    elif path.suffix == ".onnx" and config is None:
        checkpoint = read_onnx(path, DECODING)
    else:
        checkpoint = read(path, config)
    return checkpoint, _engine(name, checkpoint, threads)


def _engine(name: str, checkpoint: Checkpoint, threads: int) -> Engine:
    """Make an engine; only its own package is imported."""
    if name == "torch":
        from .torch_engine import TorchEngine

        return TorchEngine(checkpoint, threads)
    if name == "onnxruntime":
        from .onnx_engine import OnnxEngine

        return OnnxEngine(checkpoint, threads)
    from .openvino_engine import OpenVinoEngine

    return OpenVinoEngine(checkpoint, threads)


def _engine_for(path: Path, engine: str) -> str:
    """The engine that runs a file, where `engine` may be `auto`. Raises EngineError where none does."""
    if path.suffix != ".onnx":
        if engine != "auto":
            return engine  # if it is missing, it says so itself
        if installed("torch"):
            return "torch"
        name = _fastest()
        if name is None or path.suffix != ".safetensors":
            raise EngineError(
                f"{path}: .pth and .safetensors files need PyTorch: {how_to_install('torch')}; .safetensors files can "
                "do with `pip install safetensors onnxruntime`."
            )
        return name
    if engine == "torch":
        raise EngineError(
            f"{path}: the engine torch reads .safetensors and .pth files: give the checkpoint that this file was "
            "exported from, or use the engine onnxruntime or openvino."
        )
    name = _fastest() if engine == "auto" else engine
    if name is None:
        raise EngineError(
            f"{path}: .onnx files need onnxruntime or openvino, and neither is installed: "
            f"{how_to_install('onnxruntime')}."
        )
    return name


def _fastest() -> str | None:
    """The first of `ONNX_ENGINES` that is installed."""
    return next(filter(installed, ONNX_ENGINES), None)


def installed(package: str) -> bool:
    """Whether a package is there to be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # how find_spec reports a module that was put aside in sys.modules
        return False


def describe_engine(engine: Engine, checkpoint: Checkpoint, threads: int) -> list[str]:
    """Say which engine computes in what, and warn where this CPU is not made for it.

    Args:
        engine: What computes.
        checkpoint: What it runs.
        threads: As they were asked for.

    Returns:
        What was taken off the weights, the engine, and the warning if there is one; a sentence each.
    """
    features = int8_features()
    integers = any(layer.precision == "int8" for layer in checkpoint.meta.layers)
    on = f"; int8 on {int8_instructions(features)}" if integers else ""
    count = {0: "a thread per core", 1: "1 thread"}.get(threads, f"{threads} threads")
    sentence = f"engine: {engine.name} {engine.version}, {engine.precision}{on}; {count}."
    bits = checkpoint.meta.activation_bits
    warning = int8_warning(bits, features, weight_bits=weight_bits(checkpoint)) if integers else None
    return [*checkpoint.notes, sentence, *([f"warning: {warning}"] if warning else [])]

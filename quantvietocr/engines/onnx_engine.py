"""The ONNX Runtime engine: a checkpoint's graph on onnxruntime's CPU kernels."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checkpoint.types import Checkpoint, CheckpointError
from .base import STAGES, Encoded, EngineError, cores, need
from .cpu import graph_precision
from .graphs import encoder_graph

PURPOSE = "reading with ONNX Runtime"
MAX_REASON = 200  # characters of ONNX Runtime's message that are passed on


class OnnxEngine:
    """CNN and encoder of an exported `.onnx` file, or of another checkpoint's graph. Its decoder is not loaded.

    Args:
        checkpoint: What was read from the file. Of an `.onnx` file its `origin` is opened.
        threads: CPU threads; 0 is one per core.

    Raises:
        EngineError: Where onnxruntime is missing.
        CheckpointError: Where it cannot load the file.
    """

    name = "onnxruntime"

    def __init__(self, checkpoint: Checkpoint, threads: int = 0) -> None:
        self.threads = threads or cores()
        graph = encoder_graph(checkpoint)
        self._session = open_session(graph, threads, checkpoint.origin)
        # For `side_by_side`. An engine with one thread needs no second one, and the graph is as large as the file.
        self._single: OnnxEngine | None = None
        self._origin, self._graph = checkpoint.origin, graph if self.threads > 1 else b""
        names = {output.name for output in self._session.get_outputs()}
        self._outputs = [name for name in STAGES if name in names]
        self.version: str = need(self.name, PURPOSE).__version__
        self.precision = graph_precision(checkpoint)

    @contextmanager
    def side_by_side(self, count: int) -> Iterator[list[OnnxEngine]]:
        """See `base.Engine`. The first call opens the file once more, for one thread."""
        if self._single is None and self.threads > 1:
            single = copy.copy(self)
            single.threads, single._session = 1, open_session(self._graph, 1, self._origin)
            self._single = single  # not before it is whole: other threads may be waiting for it
        yield [self._single or self] * count  # calls of a session do not disturb each other

    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run as `encode` does, and return the CNN's features (N,S,C), float32, before what that returns."""
        return tuple(self._session.run(self._outputs, {"pixels": pixels}))

    def encode(self, pixels: np.ndarray) -> Encoded:
        """See `base.Encoder`."""
        return self.stages(pixels)[1:]


def open_session(graph: bytes, threads: int, origin: str) -> Any:
    """Open a graph on the CPU, node after node. Any number of Python's threads may call the session at once.

    Args:
        graph: An ONNX file.
        threads: CPU threads of one call; 0 is one per core.
        origin: What the graph was made from, for people.

    Raises:
        EngineError: Where onnxruntime is missing.
        CheckpointError: Where it cannot run the graph.
    """
    try:
        runtime = need("onnxruntime", PURPOSE)
    except ImportError as error:  # it is there, and something that it needs is not
        raise EngineError(f"onnxruntime cannot be imported ({error}): install it again, or uninstall it.") from error
    try:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        # Threads that spin while they wait make reading slow where something else wants the cores too.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Lines of many widths: an arena would keep the largest of every shape that ever came by, and a pattern each.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no class
        reason = str(error).partition("\n")[0][:MAX_REASON]
        raise CheckpointError(
            f"{origin}: this onnxruntime ({runtime.__version__}) cannot run it ({reason}): "
            "update onnxruntime, or make the file again."
        ) from error

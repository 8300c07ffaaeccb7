"""The ONNX Runtime engine: a checkpoint's graph on onnxruntime's CPU kernels."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from ..checkpoint.types import Checkpoint, CheckpointError
from .base import STAGES, Encoded, cores, need
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
        self._origin, self._graph = checkpoint.origin, encoder_graph(checkpoint)
        self._session = self._open(threads)
        names = {output.name for output in self._session.get_outputs()}
        self._outputs = [name for name in STAGES if name in names]
        self._single: OnnxEngine | None = None
        self.version: str = need(self.name, PURPOSE).__version__
        self.precision = graph_precision(checkpoint)

    def _open(self, threads: int) -> Any:
        """Open the file for a number of CPU threads. Any number of Python's threads may call the session at once."""
        runtime = need(self.name, PURPOSE)
        options = session_options(runtime, threads)
        # Lines of many widths: an arena would keep the largest of every shape that ever came by.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        try:
            return runtime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no class; the file has passed its digest by now
            reason = str(error).partition("\n")[0][:MAX_REASON]
            raise CheckpointError(
                f"{self._origin}: this onnxruntime ({runtime.__version__}) cannot run it ({reason}): "
                "update onnxruntime, or export the file again."
            ) from error

    @contextmanager
    def side_by_side(self, count: int) -> Iterator[list[OnnxEngine]]:
        """See `base.Engine`. The first call opens the file once more, for one thread."""
        if self._single is None:
            self._single = copy.copy(self)
            self._single.threads, self._single._session = 1, self._open(1)
        yield [self._single] * count  # calls of a session do not disturb each other

    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run as `encode` does, and return the CNN's features (N,S,C), float32, before what that returns."""
        return tuple(self._session.run(self._outputs, {"pixels": pixels}))

    def encode(self, pixels: np.ndarray) -> Encoded:
        """See `base.Encoder`."""
        return self.stages(pixels)[1:]


def session_options(runtime: ModuleType, threads: int) -> Any:
    """How sessions run: with a number of CPU threads (0: one per core), node after node.

    Args:
        runtime: The package onnxruntime.
        threads: CPU threads.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Threads that spin while they wait make reading slow where something else wants the cores too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

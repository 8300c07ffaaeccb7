"""The OpenVINO engine: a checkpoint's graph on OpenVINO's CPU plugin."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checkpoint.types import Checkpoint, CheckpointError
from .base import STAGES, Encoded, cores, need
from .cpu import graph_precision
from .graphs import encoder_graph

PURPOSE = "reading with OpenVINO"
MAX_REASON = 200  # characters of OpenVINO's message that are passed on, its end


@functools.cache
def _core() -> Any:
    """OpenVINO's core of this process, which stays to its end.

    Each core's CPU plugin gives the thread that loads it a stack for signals, and frees that with the core. Where
    cores do not end in the reverse order of their beginning, a freed stack stays in use, and the next signal ends the
    process: Ctrl-C, or the end of a child (https://github.com/openvinotoolkit/openvino/pull/11894).
    """
    return need("openvino", PURPOSE).Core()


class OpenVinoEngine:
    """CNN and encoder of an exported `.onnx` file, or of another checkpoint's graph.

    They are compiled once, for any width and any number of lines, as two models: as one with open shapes, OpenVINO
    2026.4 computes wrong features as soon as a recurrent layer follows its int8 convolutions.

    Args:
        checkpoint: What was read from the file. Of an `.onnx` file its `origin` is opened.
        threads: CPU threads; 0 is one per core.
        hint: The precision of float layers. None leaves the choice to OpenVINO, which takes bfloat16 where the CPU has
            it.

    Attributes:
        chosen: The precision of float layers that OpenVINO took.

    Raises:
        EngineError: Where openvino is missing.
        CheckpointError: Where it cannot load the file.
    """

    name = "openvino"

    def __init__(self, checkpoint: Checkpoint, threads: int = 0, hint: str | None = "f32") -> None:
        runtime = need("openvino", PURPOSE)
        self.threads = threads or cores()
        self.version: str = runtime.__version__.partition("-")[0]  # without the build
        self._settings = {"ENABLE_CPU_PINNING": False} | ({"INFERENCE_PRECISION_HINT": hint} if hint else {})
        try:
            model = _core().read_model(encoder_graph(checkpoint))
            outputs = {output.get_any_name(): output.node for output in model.outputs}
            pixels = next(given.node for given in model.inputs if given.get_any_name() == "pixels")
            features = outputs["features"].input_value(0)
            after = runtime.opset13.parameter([-1, -1, features.partial_shape[2].get_length()], runtime.Type.f32)
            cnn = runtime.Model([outputs["features"]], [pixels], "cnn").clone()  # the next lines change its end
            for target in features.get_target_inputs():
                target.replace_source_output(after.output(0))
            self._models = (
                cnn,
                runtime.Model([outputs[name] for name in STAGES[1:] if name in outputs], [after], "encoder"),
            )
            ((self._cnn, self._encoder),) = self._compile(threads, 1)
            hinted = self._cnn.get_compiled_model().get_property("INFERENCE_PRECISION_HINT")
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-MAX_REASON:]
            raise CheckpointError(
                f"{checkpoint.origin}: this OpenVINO ({runtime.__version__}) cannot run it ({reason}): "
                "update openvino, or use the engine onnxruntime."
            ) from error
        self.chosen = hinted.get_type_name()
        self.precision = graph_precision(checkpoint)
        self._lock = threading.Lock()  # a request holds its results
        self._single: list[OpenVinoEngine] = []

    def _compile(self, threads: int, streams: int) -> list[tuple[Any, Any]]:
        """Requests of the CNN and the encoder for each of `streams`, which share `threads` CPU threads evenly."""
        settings = self._settings | {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads}
        compiled = [_core().compile_model(model, "CPU", settings) for model in self._models]
        return [(compiled[0].create_infer_request(), compiled[1].create_infer_request()) for _ in range(streams)]

    @contextmanager
    def side_by_side(self, count: int) -> Iterator[list[OpenVinoEngine]]:
        """See `base.Engine`. The first call of a count compiles the models once more."""
        if len(self._single) != count:
            single = [copy.copy(self) for _ in range(count)]
            for engine, requests in zip(single, self._compile(count, count)):
                engine.threads, engine._lock = 1, threading.Lock()
                engine._cnn, engine._encoder = requests
            self._single = single  # not before all are whole: other threads may be waiting for them
        yield self._single

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """The CNN's features (N,S,C), float32, of lines of one width, uint8 (N,H,W,3)."""
        with self._lock:
            return self._cnn.infer([pixels], share_inputs=True)[0]

    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run as `encode` does, and return the CNN's features (N,S,C), float32, before what that returns."""
        features = self.features(pixels)
        with self._lock:
            encoded = self._encoder.infer([features], share_inputs=True).values()
        return features, *encoded

    def encode(self, pixels: np.ndarray) -> Encoded:
        """See `base.Encoder`."""
        return self.stages(pixels)[1:]

"""The OpenVINO engine: an exported `.onnx` file on OpenVINO's CPU plugin."""

from __future__ import annotations

import threading

import numpy as np

from ..checkpoint import Checkpoint, CheckpointError
from .cpu import graph_precision
from .onnx_file import need


class OpenVinoEngine:
    """CNN and encoder of the `.onnx` file that `checkpoint` was read from. `threads` 0: one per core.

    Compiled once, for any width and any number of lines. The CNN and the encoder are two compiled models: as one with
    open shapes, OpenVINO 2026.4 computes wrong features as soon as a recurrent layer follows its int8 convolutions.
    Raises EngineError where openvino is missing, CheckpointError where it cannot load the file.
    """

    name = "openvino"

    def __init__(self, checkpoint: Checkpoint, threads: int = 0) -> None:
        runtime = need("openvino", "reading .onnx files with OpenVINO")
        core = runtime.Core()
        # f32: without it the CPU plugin turns float layers to bfloat16 where the CPU has that.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
                    "ENABLE_CPU_PINNING": False}  # fmt: skip
        try:
            model = core.read_model(checkpoint.origin)
            outputs = {output.get_any_name(): output.node for output in model.outputs}
            pixels = next(given.node for given in model.inputs if given.get_any_name() == "pixels")
            features = outputs["features"].input_value(0)
            after = runtime.opset13.parameter([-1, -1, features.partial_shape[2].get_length()], runtime.Type.f32)
            cnn = runtime.Model([outputs["features"]], [pixels], "cnn")
            compiled = core.compile_model(cnn, "CPU", settings)
            for place in features.get_target_inputs():
                place.replace_source_output(after.output(0))
            encoder = runtime.Model([outputs["memory"], outputs["hidden"]], [after], "encoder")
            models = [compiled, core.compile_model(encoder, "CPU", settings)]
            self._requests = [compiled.create_infer_request() for compiled in models]
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise CheckpointError(f"{checkpoint.origin}: this OpenVINO ({runtime.__version__}) cannot run it ({reason}): "
                                  "update openvino, or use the engine onnxruntime.") from error
        self.precision = graph_precision(checkpoint)
        self._lock = threading.Lock()  # a request holds its results

    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) of one width → CNN features (N,S,C), memory (N,S,2E), hidden (N,D), float32."""
        with self._lock:
            features = self._requests[0].infer([pixels], share_inputs=True)[0]
            memory, hidden = self._requests[1].infer([features], share_inputs=True).values()
        return features, memory, hidden

    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) of one width → memory (N,S,2E), hidden (N,D), float32."""
        return self.stages(pixels)[1:]

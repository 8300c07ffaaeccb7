"""Checkpoints of a few kilobytes, float and quantized: every kind of tensor and layer of real ones, random numbers."""

from __future__ import annotations

import dataclasses

import numpy as np

from quantvietocr.checkpoint import Checkpoint, Layer, Meta
from quantvietocr.checkpoint.matrices import matrices_of
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.quantize.recurrent import quantize_decoder, quantize_rows

CHARS = "abcđ "
PREFIX = "cnn.model."
FEATURES, HIDDEN = 6, 4


def transformer(chars: str = CHARS, seed: int = 0) -> dict[str, np.ndarray]:
    """VietOCR's encoder and decoder at width 4, float32, under its names."""
    rng = np.random.default_rng(seed)
    classes, context = len(chars) + 4, 2 * HIDDEN
    shapes = {
        "decoder.attention.attn.weight": (HIDDEN, HIDDEN + context),
        "decoder.attention.attn.bias": (HIDDEN,),
        "decoder.attention.v.weight": (1, HIDDEN),
        "decoder.embedding.weight": (classes, HIDDEN),
        "decoder.fc_out.weight": (classes, HIDDEN + context + HIDDEN),
        "decoder.fc_out.bias": (classes,),
        "encoder.fc.weight": (HIDDEN, context),
        "encoder.fc.bias": (HIDDEN,),
    }
    for name, inputs, ways in (("encoder.rnn.", FEATURES, ("", "_reverse")), ("decoder.rnn.", context + HIDDEN, ("",))):
        for way in ways:
            shapes |= {
                f"{name}weight_ih_l0{way}": (3 * HIDDEN, inputs),
                f"{name}weight_hh_l0{way}": (3 * HIDDEN, HIDDEN),
                f"{name}bias_ih_l0{way}": (3 * HIDDEN,),
                f"{name}bias_hh_l0{way}": (3 * HIDDEN,),
            }
    return {f"transformer.{name}": rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def float_state(chars: str = CHARS, stages: tuple[int, ...] = (2, 2, 4, 4, 4)) -> dict[str, np.ndarray]:
    """VietOCR's whole state dict with a VGG of a few channels; stages: convolutions before each pool (vgg19_bn)."""
    rng = np.random.default_rng(2)
    state = transformer(chars)
    place, inputs = 0, 3
    for stage, count in enumerate(stages):
        width = 2 + stage // 2
        for _ in range(count):
            name, norm = f"{PREFIX}features.{place}", f"{PREFIX}features.{place + 1}"
            state[f"{name}.weight"] = rng.normal(size=(width, inputs, 3, 3)).astype(np.float32)
            state[f"{name}.bias"] = rng.normal(size=width).astype(np.float32)
            for part in ("weight", "bias", "running_mean", "running_var"):
                state[f"{norm}.{part}"] = rng.uniform(0.5, 1.5, size=width).astype(np.float32)
            state[f"{norm}.num_batches_tracked"] = np.array(7)
            place, inputs = place + 3, width
        place += 1
    state[f"{PREFIX}last_conv_1x1.weight"] = rng.normal(size=(FEATURES, inputs, 1, 1)).astype(np.float32)
    state[f"{PREFIX}last_conv_1x1.bias"] = rng.normal(size=FEATURES).astype(np.float32)
    return state


def int8_checkpoint(chars: str = CHARS) -> Checkpoint:
    """Two int8 convolutions and a pool between them, int8 decoder, images 8 pixels high."""
    rng = np.random.default_rng(1)
    tensors = quantize_decoder(transformer(chars))
    tensors["cnn.input.output.scale"] = np.float32(1 / 127).reshape(())
    tensors["cnn.input.output.zero_point"] = np.int32(0).reshape(())
    names = {f"{PREFIX}features.0": (5, 3, 3, 3), f"{PREFIX}last_conv_1x1": (FEATURES, 5, 1, 1)}
    for name, shape in names.items():
        weight = rng.normal(size=shape).astype(np.float32)
        tensors[f"{name}.weight"], tensors[f"{name}.weight.scale"] = quantize_rows(weight)
        tensors[f"{name}.bias"] = rng.normal(size=shape[0]).astype(np.float32)
        tensors[f"{name}.output.scale"] = np.float32(0.05).reshape(())
        tensors[f"{name}.output.zero_point"] = np.int32(64).reshape(())
    first, last = names
    layers = (
        Layer(first, "conv", (3, 3), padding=(1, 1), relu=True, precision="int8"),
        Layer(f"{PREFIX}features.3", "avgpool", (2, 2), (2, 2), precision="int8"),
        Layer(last, "conv", (1, 1), precision="int8"),
    )
    meta = Meta(
        method="qat",
        layers=layers,
        chars=chars,
        image=ImageSpec(8, 8, 64),
        decoder="int8",
        backend="x86",
        activation_bits=7,
        float_reasons={f"{PREFIX}features.9": "too sensitive"},
        source_sha256="ab" * 32,
        torch_version="2.13.0",
        accuracy={"lines": 40, "cer": 0.0125},
        made_with="python train_qat.py",
    )
    return Checkpoint(tensors, meta)


def float_checkpoint(stages: tuple[int, ...] = (2, 2, 4, 4, 4)) -> Checkpoint:
    """`float_state` as it is read from a file."""
    return Checkpoint(float_state(stages=stages), Meta(chars=CHARS))


def without(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """The checkpoint less one tensor."""
    return dataclasses.replace(checkpoint, tensors={k: v for k, v in checkpoint.tensors.items() if k != name})


def replaced(checkpoint: Checkpoint, name: str, value: np.ndarray) -> Checkpoint:
    """The checkpoint with one tensor set."""
    return dataclasses.replace(checkpoint, tensors=dict(checkpoint.tensors) | {name: value})


def with_float_matrices(checkpoint: Checkpoint) -> Checkpoint:
    """The first matrix of the encoder and the last one of the decoder are float, and on no grid of 8 bits."""
    layers = matrices_of(checkpoint.tensors)
    kept = [next(iter(layers)), list(layers)[-1]]
    tensors = dict(checkpoint.tensors)
    for name in map(layers.__getitem__, kept):
        tensors[name] = checkpoint.weight(name) * np.float32(0.999) + np.float32(1e-3)
        del tensors[f"{name}.scale"]
    reasons = {**checkpoint.meta.float_reasons, **dict.fromkeys(kept, "too sensitive for the accuracy budget")}
    return Checkpoint(tensors, dataclasses.replace(checkpoint.meta, float_reasons=reasons))

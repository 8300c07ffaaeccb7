"""What this CPU can do with int8, in words: which kernels are chosen, and a warning of slow or saturating ones."""

from __future__ import annotations

import platform
from functools import cache

from ..checkpoint.types import Checkpoint
from ..common.machine import processor

_X86 = ("x86_64", "amd64", "i386", "i686")
_DOT_PRODUCTS = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")  # fastest first
MAX_SAFE_WEIGHT_BITS = 7  # two products of such weights with any bytes fit in 16 bits


@cache
def int8_features() -> tuple[str, ...]:
    """The CPU features that int8 kernels use, as Linux names them; empty where the system does not tell."""
    return processor()[1]


def int8_instructions(features: tuple[str, ...]) -> str:
    """The best instructions for int8 products among `features`."""
    for name in (*_DOT_PRODUCTS, "avx512f", "avx2", "asimd"):
        if name in features:
            return name
    return "instructions that this system does not name"


def int8_warning(
    activation_bits: int | None, features: tuple[str, ...], machine: str | None = None, weight_bits: int = 8
) -> str | None:
    """Say what int8 costs on a CPU without int8 dot products.

    Without VNNI, x86 adds pairs of byte products in 16 bits, which saturate. Two products of weights and activations up
    to 127 just fit, greater activations may not; with weights of at most 7 bits (63) any do.

    Args:
        activation_bits: That the file's activations use.
        features: Of the CPU, as `int8_features` tells them; none known (not Linux) warn of nothing.
        machine: The kind of CPU, as `platform.machine` tells it; None is this one's.
        weight_bits: The most that a weight of the file takes.

    Returns:
        A sentence; None where all is well.
    """
    if (machine or platform.machine()).lower() not in _X86 or not features or set(features) & set(_DOT_PRODUCTS):
        return None
    if "avx2" not in features:
        return (
            "this CPU has neither VNNI nor AVX2: int8 is slow on it and may read differently; "
            "a float checkpoint is the safer choice."
        )
    if weight_bits <= MAX_SAFE_WEIGHT_BITS:
        return None
    risk = (
        "where an activation passes 127, the range it was trained on, a line may read differently than elsewhere"
        if activation_bits == 7
        else "and this file uses all 8 bits of its activations, so lines may read wrong; use a 7-bit file "
        "(--backend x86)"
    )
    return f"this CPU has no VNNI: its int8 products saturate in 16 bits: {risk}."


def weight_bits(checkpoint: Checkpoint) -> int:
    """The most bits that a weight of the CNN takes, as the file's scheme says; 8 where it does not say."""
    scheme = checkpoint.meta.scheme
    changes = [change.get("weight_bits", 0) for change in scheme.get("overrides", {}).values()]
    return max(scheme.get("weight_bits", 8), *changes, 0)


def graph_precision(checkpoint: Checkpoint) -> str:
    """Say what an exported graph computes in: int8 weights of encoder and decoder are multiplied out at load."""
    convolutions = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
    integers = sum(layer.precision == "int8" for layer in convolutions)
    if not integers:
        return "float32 CNN, encoder and decoder"
    kept = (
        f" ({len(convolutions) - integers} of {len(convolutions)} layers float32)"
        if integers < len(convolutions)
        else ""
    )
    return f"int8 CNN{kept} ({checkpoint.meta.activation_bits}-bit activations), float32 encoder and decoder"

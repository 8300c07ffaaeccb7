"""Whether the encoder and the decoder of a checkpoint are whole: all their sizes follow from a few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import layout
from . import transformer_layout as transformer

if TYPE_CHECKING:
    from .validation import Check


def check_seq2seq(check: Check) -> None:
    """GRUs and attention; the sizes follow from the CNN's channels, four widths and the vocabulary."""
    embedded = check.width(layout.EMBEDDING, 1)
    check.vocabulary(layout.EMBEDDING, f"{layout.OUTPUT}weight")
    inner = check.width(f"{layout.ENCODER_RNN}weight_hh_l0", 1)
    outer = check.width(f"{layout.DECODER_RNN}weight_hh_l0", 1)
    for side in ("", "_reverse"):
        _gru(check, layout.ENCODER_RNN, side, check.channels, inner)
    _gru(check, layout.DECODER_RNN, "", 2 * inner + embedded, outer)
    check.linear(layout.ENCODER_FC, outer, 2 * inner)
    check.linear(layout.ATTENTION, outer, outer + 2 * inner)
    check.linear(layout.OUTPUT, check.classes, outer + 2 * inner + embedded)
    check.expect(layout.ATTENTION_SCORE, (1, outer), None)
    check.expect(layout.EMBEDDING, (check.classes, embedded), None)


def _gru(check: Check, prefix: str, side: str, inputs: int, hidden: int) -> None:
    for kind, size in (("ih", inputs), ("hh", hidden)):
        # A matrix may be stored as int8 or float, whatever the others are: all engines multiply it out.
        check.expect(f"{prefix}weight_{kind}_l0{side}", (3 * hidden, size), None)
        check.expect(f"{prefix}bias_{kind}_l0{side}", (3 * hidden,))


def check_transformer(check: Check) -> None:
    """Layers of attention; the sizes follow from the CNN's channels, two widths, two depths and the vocabulary."""
    width = check.width(transformer.EMBEDDING, 1)
    check.vocabulary(transformer.EMBEDDING, f"{transformer.OUTPUT}weight")
    heads, channels = check.meta.heads, check.channels
    if channels != width:
        raise check.failure(
            f"its CNN gives {channels} channels and tensor {transformer.EMBEDDING} has shape "
            f"[{check.classes}, {width}], which must be as wide",
            f"it is of another architecture; {check.remedy}",
        )
    if type(heads) is not int or heads < 1 or width % heads:
        raise check.failure(
            f"it is said to have {heads!r} attention heads, which must divide its width of {width}",
            "pass the YAML it was trained with" if check.is_float else check.remedy,
        )
    check.expect(transformer.EMBEDDING, (check.classes, width), None)
    check.linear(transformer.OUTPUT, check.classes, width)
    inner = check.width(f"{transformer.layer(transformer.DECODER, 0)}{transformer.FIRST}weight", 0)
    for part, attentions in (
        (transformer.ENCODER, (transformer.SELF_ATTENTION,)),
        (transformer.DECODER, (transformer.SELF_ATTENTION, transformer.CROSS_ATTENTION)),
    ):
        for index in range(max(1, transformer.layers_in(check.tensors, part))):
            _layer(check, transformer.layer(part, index), attentions, width, inner)
        _norm(check, f"{part}norm.", width)
    _positions(check, width)


def _layer(check: Check, name: str, attentions: tuple[str, ...], width: int, inner: int) -> None:
    for attention in attentions:
        check.expect(f"{name}{attention}{transformer.INPUT_WEIGHT}", (3 * width, width), None)
        check.expect(f"{name}{attention}{transformer.INPUT_BIAS}", (3 * width,))
        check.linear(f"{name}{attention}{transformer.OUT}", width, width)
    check.linear(f"{name}{transformer.FIRST}", inner, width)
    check.linear(f"{name}{transformer.SECOND}", width, inner)
    for number in range(1, len(attentions) + 2):
        _norm(check, f"{name}norm{number}.", width)


def _norm(check: Check, name: str, width: int) -> None:
    for part in ("weight", "bias"):
        check.expect(f"{name}{part}", (width,))


def _positions(check: Check, width: int) -> None:
    """There are as many positions as the widest picture has."""
    count = check.width(transformer.POSITIONS, 0, 3)
    check.expect(transformer.POSITIONS, (count, 1, width))
    needed = _places(check)
    if count < needed:
        raise check.failure(
            f"tensor {transformer.POSITIONS} has {count} positions, and a picture {check.meta.image.max_width} px wide "
            f"has {needed}, where VietOCR itself fails",
            "pass the YAML it was trained with, with a dataset.image_max_width that fits",
        )


def _places(check: Check) -> int:
    """Places in the sequence of the widest picture."""
    meta = check.meta
    height, width = meta.image.height, meta.image.max_width
    if check.is_float:
        last = check.need(f"{layout.LAST_CONVOLUTION}.weight").shape[2:]
        steps = [*((pool, pool, (0, 0)) for pool in meta.pools), (last, (1, 1), (0, 0))]
    else:
        steps = [(layer.kernel, layer.stride, layer.padding) for layer in meta.layers]
    for kernel, stride, padding in steps:
        height = (height + 2 * padding[0] - kernel[0]) // stride[0] + 1
        width = (width + 2 * padding[1] - kernel[1]) // stride[1] + 1
    return height * width

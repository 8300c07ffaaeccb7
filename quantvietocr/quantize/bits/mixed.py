"""Mixed precision: each layer with 4-bit weights (convolutions alone), with 8-bit weights or float, within a budget."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...checkpoint import layout
from ...checkpoint.folding import float_layers
from ...checkpoint.matrices import matrices_of
from ...checkpoint.types import Checkpoint, Layer
from ...dataset.annotation import Sample
from ..scheme import PREFIX, QuantizeError, Scheme
from ..static import quantize_static
from .compact import Quantized, four_bit_layers, four_bit_weights, tensors_of

FLOAT = 32  # bits that stand for a layer left alone


@dataclass(frozen=True)
class Alternatives:
    """The numbers of every layer in each precision it may have, so that any mixture is only put together.

    Layers are convolutions, and matrices of encoder and decoder (`matrices_of`).

    Attributes:
        original: the float checkpoint.
        static: all of it in 8 bits, or all that is to be.
        four: 4-bit weights by convolution; empty where none are wanted.
    """

    original: Checkpoint
    static: Checkpoint
    four: Mapping[str, Quantized]

    @cached_property
    def matrices(self) -> dict[str, str]:
        """Layer → tensor of each matrix of encoder and decoder that may be quantized."""
        found = matrices_of(self.static.tensors)
        return {layer: name for layer, name in found.items() if self.static.tensors[name].dtype == np.int8}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Weights of each layer that may be quantized, in the network's order."""
        layers = [layer.name for layer in self.static.meta.layers if layer.op == "conv" and layer.precision == "int8"]
        names = {name: f"{name}.weight" for name in layers} | self.matrices
        return {layer: self.static.tensors[name].size for layer, name in names.items()}

    @cached_property
    def _folded(self) -> dict[str, np.ndarray]:
        return float_layers(self.original)[1]

    def everywhere(self, bits: int) -> dict[str, int]:
        """A mixture that gives each layer `bits`; those that have no 4-bit weights get 8."""
        return {name: 8 if bits == 4 and name not in self.four else bits for name in self.sizes}

    def compose(self, bits: Mapping[str, int], why_float: str = "kept float") -> Checkpoint:
        """The checkpoint with each layer in 4, 8 or `FLOAT` bits; one that `bits` does not name stays float.

        A pool works in the precision of the convolution after it; a range is kept where integers are on either side.
        """
        tensors = {name: tensor for name, tensor in self.static.tensors.items() if name.startswith(layout.TRANSFORMER)}
        numbers = dict(self.static.tensors) | tensors_of(self.four)
        layers: list[Layer] = []
        source, integer = layout.INPUT, False
        for place, layer in enumerate(self.static.meta.layers):
            following = next(other.name for other in self.static.meta.layers[place:] if other.op == "conv")
            wanted = bits.get(following, FLOAT) != FLOAT
            layers.append(dataclasses.replace(layer, precision="int8" if wanted else "float"))
            if wanted or integer:
                for part in (f"{source}{layout.RANGE_SCALE}", f"{source}{layout.RANGE_ZERO}"):
                    tensors[part] = numbers[part]
            if layer.op != "conv":
                continue
            taken = self._folded if not wanted else numbers if bits[layer.name] == 4 else self.static.tensors
            parts = ("weight", "bias") if not wanted else ("weight", "weight.scale", "bias")
            tensors |= {f"{layer.name}.{part}": taken[f"{layer.name}.{part}"] for part in parts}
            source, integer = layer.name, wanted
        if integer:
            tensors |= {
                f"{source}.output.{part}": numbers[f"{source}.output.{part}"] for part in ("scale", "zero_point")
            }
        kept = {name: tensor for name, tensor in self.matrices.items() if bits.get(name, FLOAT) == FLOAT}
        for name in kept.values():
            tensors[name] = self.original.tensors[name].astype(np.float32)
            del tensors[name + layout.SCALE]
        reasons = dict(self.static.meta.float_reasons) | {
            name: why_float for name, chosen in bits.items() if chosen == FLOAT
        }
        meta = dataclasses.replace(
            self.static.meta,
            layers=tuple(layers),
            decoder="int8" if len(kept) < len(self.matrices) else "float",
            scheme=self._scheme(bits),
            float_reasons=reasons,
        )
        return dataclasses.replace(self.static, tensors=tensors, meta=meta)

    def _scheme(self, bits: Mapping[str, int]) -> dict:
        changed = {
            name.removeprefix(PREFIX): {"float": True} if chosen == FLOAT else {"weight_bits": 4}
            for name, chosen in bits.items()
            if chosen != 8
        }
        scheme = Scheme(**self.static.meta.scheme)
        weights = "grouped" if 4 in bits.values() else scheme.weights
        return dataclasses.replace(scheme, weights=weights, overrides=dict(scheme.overrides) | changed).to_dict()


def alternatives(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    scheme: Scheme = Scheme(),
    decoder: str = "int8",
    lines: int = 256,
    four_bit: bool = False,
    seed: int = 0,
) -> Alternatives:
    """Calibrate 8 bits everywhere and, if `four_bit`, find 4-bit weights for every convolution.

    The arguments are those of `quantize_static`, and so is what is raised.
    """
    static = quantize_static(checkpoint, samples, scheme, decoder, lines, seed)
    if not four_bit:
        return Alternatives(checkpoint, static, {})
    names = four_bit_layers(checkpoint, dataclasses.replace(scheme, weight_bits=4))
    return Alternatives(checkpoint, static, four_bit_weights(checkpoint, samples, names, seed))


@dataclass(frozen=True)
class Mixture:
    """What a search chose.

    Attributes:
        bits: of each layer.
        checkpoint: the file's content.
        drop: its character error rate above the float network's, a fraction.
        tries: mixtures that were read with.
    """

    bits: Mapping[str, int]
    checkpoint: Checkpoint
    drop: float
    tries: int


def search(
    numbers: Alternatives,
    noise: Mapping[tuple[str, int], float],
    drop_of: Callable[[Checkpoint], float],
    max_drop: float,
) -> Mixture:
    """The smallest mixture within a budget that the order of sensitivity leads to.

    All layers begin at their fewest bits. The steps up (4 → 8, 8 → float) are ordered by how much noise each takes out
    of the logits for a byte of weights. Halving finds how many of them are needed; every mixture it considers is
    read with.

    Args:
        numbers: what mixtures are made of.
        noise: power of the noise in the logits by (layer, bits), this layer alone quantized so.
        drop_of: character error rate of a checkpoint above the float one's, a fraction.
        max_drop: the budget, a fraction.

    Raises:
        QuantizeError: no mixture with an int8 layer holds the budget; the best one found is named.

    Source:
        Dong et al. 2019, "HAWQ", orders layers by sensitivity likewise, estimated from the Hessian; here it is measured
    """
    steps = _steps(numbers, noise)
    tried: dict[int, Mixture] = {}

    def look(count: int) -> Mixture:
        if count not in tried:
            bits = numbers.everywhere(4 if numbers.four else 8)
            for name, after in steps[:count]:
                bits[name] = after
            checkpoint = numbers.compose(bits, "too sensitive for the accuracy budget")
            tried[count] = Mixture(bits, checkpoint, drop_of(checkpoint), len(tried) + 1)
        return tried[count]

    # With every step taken nothing would be int8: the last is left out.
    low, high = 0, len(steps) - 1
    if look(0).drop <= max_drop:
        return look(0)
    if look(high).drop > max_drop:
        # The ends say no; a mixture between them may do better than both.
        for count in np.unique(np.linspace(0, high, 6).round().astype(int))[1:-1]:
            if look(int(count)).drop <= max_drop:
                high = int(count)
                break
        else:
            best = min(tried.values(), key=lambda mixture: mixture.drop)
            raise QuantizeError(
                f"No mixture of {_widths(numbers)} keeps the CER within {100 * max_drop:g} percentage points of "
                f"float's: the best of {len(tried)} tried adds {100 * best.drop:.3f} ({summary(best.bits)}); "
                "allow more with --max-drop, or train the network for 8 bits (train_qat.py)."
            )
    while low < high:
        middle = (low + high) // 2
        if look(middle).drop <= max_drop:
            high = middle
        else:
            low = middle + 1
    return dataclasses.replace(look(high), tries=len(tried))


def _steps(numbers: Alternatives, noise: Mapping[tuple[str, int], float]) -> list[tuple[str, int]]:
    """(layer, bits after), the most noise removed per byte first, a layer's own steps in order."""
    ranked: list[tuple[float, str, int]] = []
    for name, size in numbers.sizes.items():
        first = math.inf
        if name in numbers.four:
            first = (noise[name, 4] - noise[name, 8]) / (size / 2)
            ranked.append((first, name, 8))
        ranked.append((min(noise[name, 8] / (3 * size), math.nextafter(first, -math.inf)), name, FLOAT))
    return [(name, after) for _, name, after in sorted(ranked, key=lambda step: -step[0])]


def _widths(numbers: Alternatives) -> str:
    return "4-bit, 8-bit and float layers" if numbers.four else "8-bit and float layers"


def summary(bits: Mapping[str, int]) -> str:
    """How many layers have how many bits, for people."""
    chosen = list(bits.values())
    counts = {"4-bit": chosen.count(4), "8-bit": chosen.count(8), "float": chosen.count(FLOAT)}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

"""`Scheme`: how a network is quantized — kernels, observers, bits — for every layer, and torch's QConfig from it."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.ao.quantization import (
    FakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
    QConfig,
)

from ..checkpoint.layout import CNN, TRANSFORMER
from ..errors import UserError
from .grouped import TOP, GroupedFakeQuantize
from .observers import OBSERVERS, observer_factory
from .powers import power_of_two

#: Bits of an activation that each backend's kernels bear: x86 and FBGEMM 7, because without VNNI they add pairs of
#: u8×s8 products in 16 bits, which 8-bit activations times 8-bit weights can overflow.
ACTIVATION_BITS = {"x86": 7, "fbgemm": 7, "onednn": 8, "qnnpack": 8}
BITS = range(4, 9)
WEIGHTS = ("per-channel", "per-tensor", "grouped")
ACTIVATIONS = ("affine", "symmetric")
SCALES = ("any", "power-of-two")
OVERRIDES = ("weight_bits", "activation_bits", "float")
PREFIX = CNN  # of a convolution's name in files; settings may leave it away
HEAD = TRANSFORMER  # of the name of a matrix of encoder or decoder; settings have it too


class QuantizeError(UserError):
    """Quantization cannot go on; the message says why and what to do."""


class LayerNameError(UserError):
    """A layer named in the settings does not exist; the message lists those that do."""


@dataclass(frozen=True)
class LayerBits:
    """One convolution's share of a scheme: bits of its weights, bits of what it puts out, or float altogether.

    grouped: its 4-bit weights have a scale for each group (`grouped`).
    """

    weight_bits: int
    activation_bits: int
    float: bool = False
    grouped: bool = False

    @property
    def top(self) -> int:
        """The largest level of a weight in its int8 container."""
        return TOP if self.grouped else weight_top(self.weight_bits)


@dataclass(frozen=True)
class Scheme:
    """How the CNN is quantized.

    Attributes:
        backend: whose ranges, one of `ACTIVATION_BITS`.
        observer: one of `observers.OBSERVERS`; None for the method's own (histogram after training, moving-average
            during it).
        percentile: what the `percentile` observer keeps, in %.
        weight_bits: 4 to 8.
        activation_bits: 4 to 8; None for the backend's.
        weights: one scale per output channel (`per-channel`) or tensor (`per-tensor`), always symmetric: abs-max over
            2^(b-1)-1 levels. `grouped`: per channel, and in layers of 4 bits one for each 32 weights.
        activations: `affine` (any range) or `symmetric` about 0.
        scales: `any`, or `power-of-two` (`powers`).
        float_layers: names or shell patterns of layers that stay float: of convolutions, or, where they begin with
            `HEAD`, of matrices of encoder and decoder.
        overrides: {weight_bits, activation_bits, float} by pattern, of matrices {float} alone; a later pattern wins
            over an earlier one, and over float_layers.

    Raises:
        QuantizeError: a name or a number is none of these.

    Fewer than 8 bits live in the same int8 and uint8 containers: 4-bit weights are -7 to 7, and an activation range is
    divided into 2^b-1 steps. A later value past that range still fits the byte, and no int8 kernel clips it.
    """

    backend: str = "x86"
    observer: str | None = None
    percentile: float = 99.99
    weight_bits: int = 8
    activation_bits: int | None = None
    weights: str = "per-channel"
    activations: str = "affine"
    scales: str = "any"
    float_layers: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("backend", self.backend, tuple(ACTIVATION_BITS))
        if self.observer is not None:
            _one_of("observer", self.observer, OBSERVERS)
        _one_of("weights", self.weights, WEIGHTS)
        _one_of("activations", self.activations, ACTIVATIONS)
        _one_of("scales", self.scales, SCALES)
        if self.scales != "any" and self.weights == "grouped":
            raise QuantizeError(
                "quant.scales=power-of-two is for one scale a channel or a tensor, and groups of 4-bit weights have "
                "more: set quant.scales=any."
            )
        if type(self.percentile) not in (int, float) or not 50 < self.percentile <= 100:
            raise QuantizeError(f"quant.percentile is {self.percentile!r}; it must be above 50 and at most 100.")
        _check_bits("weight_bits", self.weight_bits)
        if self.activation_bits is not None:
            _check_bits("activation_bits", self.activation_bits)
        object.__setattr__(self, "float_layers", tuple(self.float_layers))
        object.__setattr__(self, "overrides", MappingProxyType(_checked_overrides(self.overrides)))

    @property
    def bits(self) -> int:
        """Bits of an activation where no override says otherwise."""
        return ACTIVATION_BITS[self.backend] if self.activation_bits is None else self.activation_bits

    def with_powers(self) -> Scheme:
        """This scheme with scales that are powers of two, where levels can be spared for them: a range then uses about
        three quarters of its levels, which few bits cannot do without."""
        bits = [(self.weight_bits, self.bits)]
        bits += [
            (change.get("weight_bits") or 8, change.get("activation_bits") or 8) for change in self.overrides.values()
        ]
        spare = self.weights != "grouped" and all(weight == 8 and activation >= 7 for weight, activation in bits)
        return dataclasses.replace(self, scales="power-of-two") if spare else self

    def layers(self, names: Sequence[str]) -> dict[str, LayerBits]:
        """What each of the convolutions `names` gets. Raises LayerNameError for a pattern that matches none of them."""
        kept = match_layers([pattern for pattern in self.float_layers if not _of_matrices(pattern)], names)
        found = {name: LayerBits(self.weight_bits, self.bits, name in kept) for name in names}
        for pattern, changes in self.overrides.items():
            for name in match_layers([] if _of_matrices(pattern) else [pattern], names, "Overrides"):
                found[name] = dataclasses.replace(found[name], **changes)
        return {
            name: dataclasses.replace(bits, grouped=self._grouped(bits.weight_bits)) for name, bits in found.items()
        }

    def float_matrices(self, names: Sequence[str]) -> tuple[str, ...]:
        """Which of the matrices `names` of encoder and decoder stay float; the others have 8 bits.

        Args:
            names: of all of them, as `matrices_of` gives them.

        Raises:
            LayerNameError: a pattern that begins with `HEAD` matches none of them.
        """
        kept = set(match_layers([pattern for pattern in self.float_layers if _of_matrices(pattern)], names))
        for pattern, changes in self.overrides.items():
            if _of_matrices(pattern) and "float" in changes:
                found = set(match_layers([pattern], names, "Overrides"))
                kept = kept | found if changes["float"] else kept - found
        return tuple(name for name in names if name in kept)

    @property
    def everywhere(self) -> LayerBits:
        """What a layer gets that nothing overrides; the input's range too."""
        return LayerBits(self.weight_bits, self.bits, grouped=self._grouped(self.weight_bits))

    def calibration_qconfig(self, layer: LayerBits | None = None) -> QConfig:
        """Observers for post-training quantization of one layer (None: `everywhere`)."""
        layer = layer or self.everywhere
        activation = self.activation_observer(layer, self.observer or "histogram")
        return QConfig(activation=activation, weight=self.weight_observer(layer, training=False))

    def training_qconfig(self, layer: LayerBits | None = None) -> QConfig:
        """Fake quantization for one layer: weight ranges follow the weights, activation ranges an observer."""
        layer = layer or self.everywhere
        observer = self.activation_observer(layer, self.observer or "moving-average")
        kind = GroupedFakeQuantize if layer.grouped else FakeQuantize
        weight = kind.with_args(observer=self.weight_observer(layer, training=True))
        return QConfig(activation=ActivationFakeQuantize.with_args(observer=observer), weight=weight)

    def activation_observer(self, layer: LayerBits, name: str) -> Any:
        """A factory of the named observer with the layer's bits."""
        scheme = torch.per_tensor_symmetric if self.activations == "symmetric" else torch.per_tensor_affine
        return observer_factory(name, layer.activation_bits, scheme, self.percentile, self.scales == "power-of-two")

    def weight_observer(self, layer: LayerBits, training: bool) -> Any:
        """A factory of the observer of abs-max over ±(2^(b-1)-1).

        torch's own range goes one further down, which puts the largest weight at 127.5 levels: a tie that fake
        quantization and conversion round differently.
        """
        top = layer.top
        channels = self.weights != "per-tensor"
        kind = {
            (True, True): MovingAveragePerChannelMinMaxObserver,
            (True, False): PerChannelMinMaxObserver,
            (False, True): MovingAverageMinMaxObserver,
            (False, False): MinMaxObserver,
        }[channels, training]
        observer: Any = power_of_two(kind) if self.scales == "power-of-two" else kind  # torch adds with_args to these
        more = {"averaging_constant": 1.0} if training else {}  # the weights of this step, not an average of past ones
        return observer.with_args(
            quant_min=-top,
            quant_max=top,
            dtype=torch.qint8,
            **more,
            qscheme=torch.per_channel_symmetric if channels else torch.per_tensor_symmetric,
        )

    def _grouped(self, weight_bits: int) -> bool:
        return self.weights == "grouped" and weight_bits == 4

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the file's metadata (`Meta.scheme`) and back through `Scheme(**values)`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        overrides = {pattern: dict(changes) for pattern, changes in self.overrides.items()}
        return values | {"float_layers": list(self.float_layers), "overrides": overrides}


class ActivationFakeQuantize(FakeQuantize):
    """Per-tensor fake quantization into an unsigned byte, whatever range set the scale.

    A 7-bit range sets the scale; a later value past it still fits the byte, and no int8 kernel clips it at 127. torch's
    FakeQuantize does clip there, which trains for a network that nobody runs.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.observer_enabled[0]:
            self.activation_post_process(x.detach())
            scale, zero_point = self.calculate_qparams()
            self.scale.resize_(scale.shape).copy_(scale)
            self.zero_point.resize_(zero_point.shape).copy_(zero_point)
        if self.fake_quant_enabled[0]:
            x = torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, 0, 255)
        return x


def weight_top(bits: int) -> int:
    """The largest level of a symmetric weight of so many bits: 7 for 4, 127 for 8."""
    return 2 ** (bits - 1) - 1


def match_layers(patterns: Sequence[str], names: Sequence[str], what: str = "Float layers") -> tuple[str, ...]:
    """The names that any pattern (shell style) matches. Raises LayerNameError for a pattern that matches none."""
    chosen: list[str] = []
    for pattern in patterns:
        found = [name for name in names if fnmatch.fnmatch(name, pattern.removeprefix(PREFIX))]
        if not found:
            raise LayerNameError(
                f"{what}: no layer matches {pattern!r}; layers are {', '.join(names)}. Names of matrices of encoder "
                f"and decoder begin with {HEAD!r}."
            )
        chosen += found
    return tuple(name for name in names if name in chosen)


def _of_matrices(pattern: str) -> bool:
    return pattern.startswith(HEAD)


def _one_of(key: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise QuantizeError(f"quant.{key} is {value!r}; it must be one of {', '.join(allowed)}.")


def _check_bits(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value not in BITS:
        raise QuantizeError(f"quant.{key} is {value!r}; it must be a whole number from {BITS[0]} to {BITS[-1]}.")


def _checked_overrides(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    checked: dict[str, dict[str, Any]] = {}
    for pattern, changes in given.items():
        key = f"overrides[{pattern!r}]"
        if not isinstance(changes, Mapping) or not set(changes) <= set(OVERRIDES):
            raise QuantizeError(f"quant.{key} is {changes!r}; it must hold {', '.join(OVERRIDES)}, or some of them.")
        checked[str(pattern)] = kept = {name: value for name, value in changes.items() if value is not None}
        if _of_matrices(str(pattern)) and set(kept) - {"float"}:
            raise QuantizeError(
                f"quant.{key} is {dict(kept)}; matrices of encoder and decoder have 8 bits or are float: give float "
                "alone."
            )
        for name, value in kept.items():
            if name == "float":
                if not isinstance(value, bool):
                    raise QuantizeError(f"quant.{key}.float is {value!r}; it must be true or false.")
            else:
                _check_bits(f"{key}.{name}", value)
    return checked

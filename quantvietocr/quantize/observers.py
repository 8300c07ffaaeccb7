"""Observers by name: from what a layer put out on calibration lines to its range.

`minmax`, `moving-average` and `histogram` (least squared error) are torch's; `percentile` and `kl` are our own, over
one kind of histogram.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.ao.quantization import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver
from torch.ao.quantization.observer import UniformQuantizationObserverBase

from .powers import power_of_two

STRIDE = 8  # bins of 2048 from one clip that the KL observer tries to the next
BINS = 8192  # over twice the largest magnitude, at most: at least 2048 lie within a range that starts at 0


class Histogram:
    """Counts of values in `BINS` equal bins from -reach to reach.

    reach is a power of two that doubles when a value lies past it. Doubling merges bins in pairs, so that no count
    moves to a bin where its values were not.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, dtype=np.int64)
        self.reach = 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, x: Tensor) -> None:
        """Count the values of a float tensor of any shape."""
        low, high = (float(value) for value in torch.aminmax(x.detach().float()))
        self.low, self.high = min(self.low, low), max(self.high, high)
        largest = max(-low, high)
        if not self.reach:
            self.reach = 2.0 ** math.ceil(math.log2(max(largest, 2.0**-60)))
        while largest > self.reach:
            quarter = BINS // 4
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.pad(pairs, quarter)
            self.reach *= 2
        values = x.detach().float().cpu()
        self.counts += torch.histc(values, BINS, -self.reach, self.reach).numpy().astype(np.int64)

    @property
    def edges(self) -> np.ndarray:
        """The `BINS` + 1 edges of the bins."""
        return np.linspace(-self.reach, self.reach, BINS + 1)

    def outside(self, low: float, high: float) -> float:
        """The share of the values outside [low, high], to the width of a bin."""
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        return float(self.counts[(middle < low) | (middle > high)].sum() / max(self.counts.sum(), 1))


class HistogramRange(UniformQuantizationObserverBase):
    """An observer whose range `bounds` computes from a `Histogram` of all that it saw."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.histogram = Histogram()
        self._found: tuple[float, float] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if x.numel():
            self.histogram.add(x)
            self._found = None
        return x

    def bounds(self) -> tuple[float, float]:
        """The range, low and high."""
        raise NotImplementedError

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.histogram.counts.any():
            return torch.ones(1), torch.zeros(1, dtype=torch.long)
        self._found = self._found or self.bounds()  # conversion asks several times
        low, high = self._found
        return self._calculate_qparams(torch.tensor(low), torch.tensor(high))


class PercentileObserver(HistogramRange):
    """The range that holds `percentile` % of the values: an equal share is cut off at either end that is not 0.

    A range that starts at 0, as after a ReLU, is cut only at the other end.

    Source:
        McKinstry et al. 2018, arXiv 1809.04191
    """

    def __init__(self, percentile: float = 99.99, **settings: Any) -> None:
        super().__init__(**settings)
        self.percentile = percentile

    def bounds(self) -> tuple[float, float]:
        seen = self.histogram
        outside = 1 - self.percentile / 100
        ends = int(seen.low < 0) + int(seen.high > 0)
        share = outside / max(ends, 1)
        below = np.concatenate([[0], np.cumsum(seen.counts)]) / seen.counts.sum()
        low = float(np.interp(share, below, seen.edges)) if seen.low < 0 else seen.low
        high = float(np.interp(1 - share, below, seen.edges)) if seen.high > 0 else seen.high
        return max(low, seen.low), min(high, seen.high)


class KLObserver(HistogramRange):
    """The clip that loses least information (entropy calibration).

    Magnitudes are counted in 2048 bins. For each number of first bins, P is their histogram with all that lies past
    them added to the last, Q the same bins without it, averaged to the levels of the quantizer; the clip is where
    KL(P‖Q) is smallest, to `STRIDE` bins. Levels are 2^b for a range that starts at 0, 2^(b-1) for one on both sides.

    Source:
        Migacz, "8-bit Inference with TensorRT", GTC 2017
    """

    bins = 2048

    def bounds(self) -> tuple[float, float]:
        seen = self.histogram
        counts = seen.counts[BINS // 2 :] + seen.counts[: BINS // 2][::-1]  # of magnitudes
        used = max(int(np.flatnonzero(counts)[-1]) + 1, 1)
        step = max(math.ceil(used / self.bins), 1)
        counts = np.pad(counts[:used], (0, -used % step)).reshape(-1, step).sum(axis=1).astype(np.float64)
        if len(counts) > 1:
            counts[0] = counts[1]  # the zeros of a ReLU, exact in any range: they would outweigh all else
        levels = self.quant_max - self.quant_min + 1
        if seen.low < 0:
            levels //= 2
        clip = _least_divergence(counts, levels) * step * (seen.reach / (BINS // 2))
        return max(-clip, seen.low), min(clip, seen.high)


def _least_divergence(counts: np.ndarray, levels: int) -> int:
    """How many of the first bins to keep; see `KLObserver`. counts: of magnitudes from 0, float."""
    total = counts.sum()
    best, kept = math.inf, len(counts)
    for bins in range(len(counts), levels - 1, -STRIDE):
        inside = counts[:bins]
        reference = inside.copy()
        reference[-1] += total - inside.sum()
        starts = np.arange(levels) * bins // levels
        filled = inside > 0
        mass = np.add.reduceat(inside, starts)
        occupied = np.add.reduceat(filled.astype(np.float64), starts)
        level = np.searchsorted(starts, np.arange(bins), side="right") - 1
        quantized = np.where(filled, (mass / np.maximum(occupied, 1))[level], 0)
        if not quantized.any():
            continue
        p, q = reference / total, quantized / quantized.sum()
        seen = p > 0
        # A bin that Q leaves empty where P is not costs much, not everything: TensorRT smooths likewise.
        divergence = float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-12))))
        if divergence < best:
            best, kept = divergence, bins
    return kept


class LeastSquares(HistogramObserver):
    """torch's HistogramObserver, whose search for the least squared error counts the levels that the bits allow."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.dst_nbins = self.quant_max - self.quant_min + 1


_KINDS: dict[str, Any] = {
    "minmax": MinMaxObserver,
    "moving-average": MovingAverageMinMaxObserver,
    "percentile": PercentileObserver,
    "histogram": LeastSquares,
    "kl": KLObserver,
}
#: Names of activation observers.
OBSERVERS = tuple(_KINDS)


def observer_factory(name: str, bits: int, scheme: torch.qscheme, percentile: float, powers: bool = False) -> Any:
    """A factory (torch's `with_args`) of an activation observer: per tensor, quint8, 2^bits levels from 0.

    Args:
        name: one of `OBSERVERS`.
        bits: of an activation.
        scheme: affine or symmetric.
        percentile: what the percentile observer keeps, in %.
        powers: the scale is rounded up to a power of two (`powers`).
    """
    settings: dict[str, Any] = {"dtype": torch.quint8, "qscheme": scheme, "quant_min": 0, "quant_max": 2**bits - 1}
    if name == "percentile":
        settings["percentile"] = percentile
    kind: Any = power_of_two(_KINDS[name]) if powers else _KINDS[name]
    return kind.with_args(**settings)

"""What each convolution of a slim network keeps, as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..common.figures import save_figure
from .prune import SlimLayer


def write_picture(layers: Sequence[SlimLayer], path: str | os.PathLike) -> None:
    """Draw channels before and after, and what the fit misses, layer by layer.

    Args:
        layers: As `slim` gives them.
        path: The PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    channels, missed = figure.subplots(2, 1, sharex=True)
    index = range(len(layers))
    channels.bar(index, [layer.channels for layer in layers], color="#d0d7de", label="before")
    channels.bar(index, [layer.kept for layer in layers], color="#0969da", label="kept")
    channels.set_ylabel("channels")
    channels.legend(loc="upper left")
    missed.bar(index, [100 * layer.missed for layer in layers], color="#bc4c00")
    missed.set_ylabel("variance missed, %")
    missed.set_xlabel("convolution")
    missed.set_xticks(list(index), [*(layer.name.split(".")[-1] for layer in layers[:-1]), "last"])
    for axes in (channels, missed):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)

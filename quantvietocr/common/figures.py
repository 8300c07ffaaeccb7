"""Figures that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure

from .files import replace_whole


def save_figure(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: what to write.
        path: file to write. Its folder is made where it is missing.

    Returns:
        The path.
    """
    with replace_whole(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)

"""A progress bar on a terminal; nothing where output goes elsewhere, or where tqdm is not installed (the light
install)."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class NoBar:
    """What of tqdm's interface is used here, showing nothing."""

    def __enter__(self) -> NoBar:
        return self

    def __exit__(self, *failure: object) -> None:
        pass

    def update(self, count: int) -> None:
        pass

    def external_write_mode(self, file: object = None) -> AbstractContextManager:
        return nullcontext()


def line_bar(total: int, unit: str = "line") -> Any:
    """A tqdm bar on stderr that counts lines, or other units; silent for a single one."""
    if total > 1 and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            return NoBar()
        return tqdm(total=total, unit=unit)
    return NoBar()

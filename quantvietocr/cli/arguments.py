"""argparse, with the neighbours of what was mistyped and a last word on versions."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import __version__


class Parser(argparse.ArgumentParser):
    """A parser that says which option or choice was probably meant."""

    def parse_known_args(  # type: ignore[override]  # typeshed's overloads on the namespace are not ours to repeat
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """See argparse. A leaf's unknown options are refused here, where their neighbours are known."""
        given = sys.argv[1:] if args is None else list(args)
        if self._subparsers is None:
            self._refuse_unknown(given)
        return super().parse_known_args(given, namespace)

    def _refuse_unknown(self, given: Sequence[str]) -> None:
        known = list(self._option_string_actions)
        for argument in given:
            if argument == "--":
                return
            name = argument.partition("=")[0]
            if not name.startswith("--") or any(option.startswith(name) for option in known):
                continue
            self.error(f"unrecognized arguments: {argument}{_meant(name, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = None if action.choices is None else [str(choice) for choice in action.choices]
        if choices is not None and str(value) not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            if near:
                raise argparse.ArgumentError(action, f"invalid choice: {value!r}; did you mean {near[0]}?")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """One sentence, without the usage, which is a page for some verbs."""
        self.exit(2, f"{self.prog}: error: {message.rstrip('.')} (--help lists every option)\n")


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add `--version`."""
    parser.add_argument("--version", action="version", version=f"quantvietocr {__version__}")


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""

"""The options of everything that reads lines: what is done about wide lines, leaders, doubt and words."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

WIDE = ("cut", "squeeze")
LEADERS = ("count", "drop", "keep")
MAX_RETRIES = 2  # further looks at a line; `again.LOOKS` holds as many
MAX_BEAM = 32  # readings that beam search follows at a time


@dataclass(frozen=True)
class ReadingOptions:
    """What is done about lines beyond reading them once, character by character.

    Attributes:
        wide: What is done about a line too wide for the network. `cut` reads a line more than 1.5 times too wide in
            parts, cut between words; a line less too wide is squeezed, read in parts as well where that left doubt, and
            the surer text is kept. Much paper around a line is cut away first. `squeeze` squeezes every picture as it
            is, as VietOCR does.
        leaders: What is done about rules and leaders (`_____`, `.....`). `count` reads the text between them by itself
            and counts their marks in the picture (`reading.leaders`), and those of other runs of one character
            (`reading.runs`); a rule that the picture does not hold is no text (`reading.checks`). `drop` only leaves
            out characters that were repeated while attention stood still (`decode.greedy`). `keep` keeps them, as
            VietOCR and beam search do.
        retries: How many further looks are taken at a line that the first one left in doubt, 0 to 2: narrower, then
            closer. The surest reading is kept (`again.surest`). 0 looks once, as VietOCR does.
        words: What a line in doubt is read again with (`words.search`): `vi` is the shipped word file, a path names
            another, None reads characters alone, as VietOCR does. Beam search reads without words.
        beam: Width of the beam search, 0 to 32. 0 decodes greedily.
        whitelist: The only characters that may be read (the space too only if it is among them). None allows all.

    Raises:
        ValueError: For a value that is none of these.
    """

    wide: str = "cut"
    leaders: str = "count"
    retries: int = 0
    words: str | os.PathLike | None = "vi"
    beam: int = 0
    whitelist: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (("wide", WIDE), ("leaders", LEADERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for name, greatest in (("retries", MAX_RETRIES), ("beam", MAX_BEAM)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value <= greatest:
                raise ValueError(f"{name} is {value!r}; it must be 0 to {greatest}")

    def unusual(self) -> dict[str, Any]:
        """The options that differ from the usual ones, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }


USUAL = ReadingOptions()

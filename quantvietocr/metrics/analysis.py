"""Where reading goes wrong: edits by kind, by character, and by what the line looks like."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .accuracy import confusions
from .edits import edit_distance

CLASSES = (
    "tone mark only",
    "vowel-quality mark only",
    "letter case only",
    "several marks or case",
    "base letter",
    "digit",
    "punctuation or symbol",
    "space",
    "character missing",
    "character added",
)
MAX_CHARACTERS = 20  # most often misread, that an analysis names
Z = 1.96  # standard deviations that a 95 % interval reaches to either side

# Lower ends of the buckets; the last is open.
WIDTHS = (0, 128, 256, 384, 513, 768)  # px at height 32; from 513 on a line is squeezed into 512
LENGTHS = (1, 11, 21, 41, 61, 81)  # characters
HEIGHTS = (0, 20, 28, 36, 48, 64)  # px of the crop, a stand-in for resolution

_RUN = re.compile(r"([^\w\s])(?:\s?\1){3,}")  # of one mark, spaced or not: a dotted leader, a rule
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")  # grave, acute, tilde, hook above, dot below


@dataclass(frozen=True)
class Part:
    """Lines that have something in common.

    Attributes:
        name: what they have in common.
        lines: how many there are.
        characters: of their references.
        edits: of all of them.
        exact: lines without any edit.
    """

    name: str
    lines: int
    characters: int
    edits: int
    exact: int


@dataclass(frozen=True)
class CharacterErrors:
    """How often a character is written in the references, and how often it was read otherwise or missed."""

    char: str
    written: int
    edits: int


@dataclass(frozen=True)
class Analysis:
    """The errors of one reader on one set of lines.

    Attributes:
        whole: all lines.
        short: all lines, with each run of four or more of one mark taken for a single one on both sides, as nobody
            counts the points of a dotted leader.
        classes: edits of each of CLASSES; they add up to `edits`.
        characters: the MAX_CHARACTERS characters most often misread, by the lower end of the 95 % interval of their
            error rate, so that one slip in a rare character does not come first. Added characters have no place there.
        parts: title → lines by width, length, height and given groups; each holds all lines.
    """

    whole: Part
    short: Part
    classes: dict[str, int]
    characters: tuple[CharacterErrors, ...]
    parts: dict[str, tuple[Part, ...]]

    @property
    def edits(self) -> int:
        """Edits of all lines, those of `metrics.accuracy.score`."""
        return self.whole.edits


def analyse(
    references: Sequence[str],
    predictions: Sequence[str],
    widths: Sequence[float],
    heights: Sequence[float],
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Analysis:
    """Count the errors of lines by kind, character and looks.

    Texts are composed (NFC), as for all metrics.

    Args:
        references: what is written, one text a line.
        predictions: what was read, in the same order.
        widths: px of each line at height 32, not limited to the network's 512.
        heights: px of each crop.
        groups: title → a value per line, for example its font family; parts of a group come with most edits first.

    Raises:
        ValueError: lists of different lengths, or no line.
    """
    groups = dict(groups or {})
    if not references or {len(references)} != set(map(len, (predictions, widths, heights, *groups.values()))):
        raise ValueError(
            f"{len(references)} references need as many predictions, widths, heights and values of each "
            "group, and at least one."
        )
    refs, preds = ([unicodedata.normalize("NFC", text) for text in texts] for texts in (references, predictions))
    edits = [edit_distance(*pair) for pair in zip(refs, preds)]
    pairs = Counter({(written, read): count for written, read, count in confusions(refs, preds, top=None)})
    classes = dict.fromkeys(CLASSES, 0)
    for (written, read), count in pairs.items():
        classes[edit_class(written, read)] += count

    def parts(values: Sequence[str]) -> list[Part]:
        lines: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            lines.setdefault(value, []).append(index)
        return [_part(name, [refs[i] for i in indices], [edits[i] for i in indices]) for name, indices in lines.items()]

    def by_size(sizes: Sequence[float], starts: Sequence[int]) -> tuple[Part, ...]:
        found = {part.name: part for part in parts([_bucket(size, starts) for size in sizes])}
        return tuple(found[name] for start in starts if (name := _bucket(start, starts)) in found)

    bare, bare_read = ([_RUN.sub(r"\1", text) for text in texts] for texts in (refs, preds))
    short = _part("runs as one mark", bare, [edit_distance(*pair) for pair in zip(bare, bare_read)])
    return Analysis(
        _part("all", refs, edits),
        short,
        classes,
        _worst(refs, pairs),
        {
            "Width at height 32 (px)": by_size(widths, WIDTHS),
            "Text length (characters)": by_size([*map(len, refs)], LENGTHS),
            "Height of the crop (px)": by_size(heights, HEIGHTS),
        }
        | {
            title: tuple(sorted(parts(values), key=lambda part: (-part.edits, part.name)))
            for title, values in groups.items()
        },
    )


def edit_class(written: str, read: str) -> str:
    """Which of CLASSES an edit is: `written` became `read`, one of them empty where a character was added or missed.

    A space on either side makes it "space", then an empty side "missing" or "added", then a digit "digit". Two letters
    differ in their base, or in tone, vowel quality (â ă ê ô ơ ư, and đ's stroke) and case, one or several of these.
    """
    if " " in (written, read):
        return "space"
    if not (written and read):
        return "character missing" if written else "character added"
    if written.isdigit() or read.isdigit():
        return "digit"
    if not (written.isalpha() and read.isalpha()):
        return "punctuation or symbol"
    (base, *marks), (other, *others) = _letter(written), _letter(read)
    if base != other:
        return "base letter"
    differing = [name for name, mark, its in zip(CLASSES, marks, others) if mark != its]
    return differing[0] if len(differing) == 1 else "several marks or case"


def _letter(char: str) -> tuple[str, str, str, bool]:
    """Lower-case base letter; tone; vowel quality or stroke; upper case."""
    bare, *marks = list(unicodedata.normalize("NFD", char))
    lower = bare.lower()
    tone = "".join(mark for mark in marks if mark in _TONES)
    quality = "".join(mark for mark in marks if mark not in _TONES) + "-" * (lower == "đ")
    return "d" if lower == "đ" else lower, tone, quality, char.isupper()


def _part(name: str, refs: Sequence[str], edits: Sequence[int]) -> Part:
    return Part(name, len(refs), sum(map(len, refs)), sum(edits), sum(not count for count in edits))


def _bucket(size: float, starts: Sequence[int]) -> str:
    index = max(i for i, start in enumerate(starts) if size >= start or not i)
    return f"{starts[index]}–{starts[index + 1] - 1}" if index + 1 < len(starts) else f"≥ {starts[index]}"


def _worst(refs: Sequence[str], pairs: Mapping[tuple[str, str], int]) -> tuple[CharacterErrors, ...]:
    written = Counter(char for text in refs for char in text)
    wrong: Counter[str] = Counter()
    for (char, _), count in pairs.items():
        wrong[char] += count
    found = [CharacterErrors(char, written[char], count) for char, count in wrong.items() if char]
    return tuple(sorted(found, key=lambda item: (-lower_bound(item.edits, item.written), item.char))[:MAX_CHARACTERS])


def lower_bound(hits: int, trials: int) -> float:
    """Lower end of the 95 % interval for a rate of `hits` in `trials`.

    Source:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
    """
    rate, square = hits / trials, Z * Z / trials
    return (rate + square / 2 - math.sqrt(square * (rate * (1 - rate) + square / 4))) / (1 + square)

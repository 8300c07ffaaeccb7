"""Read VietOCR annotations: one `image path<TAB>text` per line, UTF-8.

Every line of the file ends up in exactly one place of the report: a sample, a blank line, or a named problem.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checkpoint.vocab import Vocab, describe_character
from ..common.files import ReadErrors
from ..errors import UserError

SHOWN = 10  # problems, characters and line numbers listed before "and N more"

_LINE_END = re.compile(r"\r\n|\n|\r")


class AnnotationError(UserError):
    """An annotation that cannot be used as it is; the message names lines and the ways out."""


_READ_ERRORS = ReadErrors(
    AnnotationError,
    missing="{path}: no such annotation file; check the path.",
    unreadable="{path}: cannot be read ({reason}).",
    folder="{path}: is a folder; name the annotation file in it.",
)


@dataclass(frozen=True)
class Sample:
    """One labelled picture.

    Attributes:
        path: the picture file.
        text: its label, NFC and within the vocabulary.
        line: number of its line in the annotation, from 1.
    """

    path: Path
    text: str
    line: int


@dataclass(frozen=True)
class Problem:
    """Why one line of the annotation cannot be used; `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True)
class UnknownCharacter:
    """A character outside the vocabulary.

    Attributes:
        char: the character.
        count: how often it occurs.
        lines: numbers of the lines it occurs on.
    """

    char: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        return f"{describe_character(self.char)}: {self.count} time(s), line(s) {_listed(self.lines)}"


@dataclass(frozen=True)
class AnnotationReport:
    """What became of the lines of an annotation: `lines == samples + blank + len(problems) + skipped`.

    Attributes:
        path: the annotation file.
        lines: number of lines in it.
        samples: lines that are used.
        blank: lines without anything on them.
        normalized: texts with separate accents, which were composed.
        tabs: texts that held tabs.
        duplicates: lines that name a picture which an earlier line names too.
        problems: lines that cannot be used, with reasons.
        unknown: characters outside the vocabulary.
        skipped: lines that were left out because of such a character.
        replaced: lines in which such characters were replaced.
    """

    path: Path
    lines: int
    samples: int
    blank: int
    normalized: int
    tabs: int
    duplicates: int
    problems: tuple[Problem, ...]
    unknown: tuple[UnknownCharacter, ...]
    skipped: int
    replaced: int

    def summary(self) -> str:
        """Return one sentence per thing worth knowing, each on a line of its own."""
        sentences = [f"{self.path}: {self.samples} of {self.lines} lines are used."]
        if self.blank:
            sentences.append(f"{self.blank} blank line(s) were ignored.")
        if self.problems:
            sentences.append(f"{len(self.problems)} line(s) could not be used and were skipped:")
            sentences += _bullets(f"line {p.line}: {p.reason}" for p in self.problems)
        if self.unknown:
            done = f"{self.skipped} line(s) were skipped" if self.skipped else f"{self.replaced} line(s) were rewritten"
            sentences.append(f"{done} because of {len(self.unknown)} character(s) outside the vocabulary:")
            sentences += _bullets(map(str, self.unknown))
        if self.normalized:
            sentences.append(f"{self.normalized} text(s) with separate accents were composed (NFC).")
        if self.tabs:
            sentences.append(f"{self.tabs} text(s) held tabs, which became spaces.")
        if self.duplicates:
            sentences.append(f"{self.duplicates} line(s) name a picture that an earlier line names too; all are used.")
        return "\n".join(sentences)


@dataclass(frozen=True)
class Annotation:
    """The usable lines of an annotation, in file order, and the report on all of them."""

    samples: tuple[Sample, ...]
    report: AnnotationReport


def read_annotation(
    path: str | os.PathLike,
    vocab: Vocab,
    unknown: Literal["stop", "skip", "replace"] = "stop",
    replacement: str = "",
    root: str | os.PathLike | None = None,
    problems: Literal["stop", "skip"] = "stop",
) -> Annotation:
    """Read an annotation file.

    A byte order mark and any line ends are accepted. Texts are composed (NFC) and stripped. The first tab splits a
    line; further ones become spaces.

    Args:
        path: the annotation file.
        vocab: the characters a text may hold.
        unknown: what to do with a text that holds others: stop, skip the line, or replace each such character.
        replacement: what `unknown="replace"` writes in their place; within the vocabulary, or empty.
        root: folder that image paths start from; by default the annotation's own.
        problems: what to do with a line that has no tab, no text, or no image file: stop, or skip it.

    Returns:
        The usable lines and the report on all lines.

    Raises:
        AnnotationError: no such file; not UTF-8; a problem or an unknown character where the choice is stop; no
            usable line at all.
    """
    path = Path(path)
    if unknown not in ("stop", "skip", "replace") or problems not in ("stop", "skip"):
        raise ValueError(f"unknown is stop, skip or replace, problems stop or skip; got {unknown!r} and {problems!r}.")
    if missing := vocab.unknown(replacement):
        raise AnnotationError(f"The replacement {replacement!r} is itself outside the vocabulary: {missing}.")
    lines = _read_lines(path)
    collected = _Collected(
        vocab, Path(root) if root is not None else path.parent, replacement if unknown == "replace" else None
    )
    for number, line in enumerate(lines, 1):
        collected.add(number, line)
    report = collected.report(path, len(lines))
    _stop(report, stop_bad=problems == "stop", stop_unknown=unknown == "stop")
    return Annotation(tuple(collected.samples), report)


class _Collected:
    """The lines of an annotation, sorted into samples, blank lines and problems as they are read."""

    def __init__(self, vocab: Vocab, folder: Path, replacement: str | None) -> None:
        self.vocab, self.folder, self.replacement = vocab, folder, replacement
        self.samples: list[Sample] = []
        self.problems: list[Problem] = []
        self.unknown: dict[str, list[int]] = defaultdict(list)  # character → numbers of its lines
        self.images: set[Path] = set()
        self.counts = dict.fromkeys(("blank", "normalized", "tabs", "duplicates", "skipped", "replaced"), 0)

    def add(self, number: int, line: str) -> None:
        """Put line `number`, from 1, where it belongs."""
        if not line.strip():
            self.counts["blank"] += 1
            return
        name, tab, raw = line.partition("\t")
        text = unicodedata.normalize("NFC", raw)
        clean = text.replace("\t", " ").strip()
        image = _find_image(self.folder, name.strip())
        if image is None or not tab or not clean:
            self.problems.append(Problem(number, _why_unusable(name, tab, image, self.folder)))
            return
        outside = [char for char in clean if char not in self.vocab]
        for char in outside:
            self.unknown[char].append(number)
        if outside:
            if self.replacement is None:
                self.counts["skipped"] += 1
                return
            clean = "".join(char if char in self.vocab else self.replacement for char in clean).strip()
            if not clean:
                reason = "nothing is left of the text without its unknown characters"
                self.problems.append(Problem(number, reason))
                return
            self.counts["replaced"] += 1
        self.counts["normalized"] += text != raw
        self.counts["tabs"] += "\t" in raw
        self.counts["duplicates"] += image in self.images
        self.images.add(image)
        self.samples.append(Sample(image, clean, number))

    def report(self, path: Path, lines: int) -> AnnotationReport:
        """Say what became of the file's lines."""
        characters = [
            UnknownCharacter(char, len(numbers), tuple(dict.fromkeys(numbers)))
            for char, numbers in self.unknown.items()
        ]
        characters.sort(key=lambda character: (-character.count, character.char))
        return AnnotationReport(
            path, lines, len(self.samples), problems=tuple(self.problems), unknown=tuple(characters), **self.counts
        )


def _read_lines(path: Path) -> list[str]:
    """Return the file's lines without their ends."""
    with _READ_ERRORS.naming(path):
        data = path.read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = len(_LINE_END.findall(data[: error.start].decode("utf-8"))) + 1
        raise AnnotationError(
            f"{path}: line {number} is not UTF-8 (byte 0x{data[error.start]:02X} at offset {error.start} of the file); "
            "save the file as UTF-8."
        ) from error
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]  # the file ends with a line end, or is empty


def _find_image(folder: Path, name: str) -> Path | None:
    """Find the image file that a line names.

    Annotations travel between systems: macOS decomposes accents in file names, Windows writes backslashes.
    """
    if not name or "\0" in name:
        return None
    spellings = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
    for spelling in dict.fromkeys((*spellings, *(s.replace("\\", "/") for s in spellings))):
        if os.path.isfile(folder / spelling):
            return folder / spelling
    return None


def _why_unusable(name: str, tab: str, image: Path | None, folder: Path) -> str:
    """Say why a line that is not blank cannot be used."""
    if not tab:
        return f"no tab between image path and text in {name[:60]!r}"
    if not name.strip():
        return "no image path before the tab"
    if image is None:
        return f"no image file {folder / name.strip()}"
    return f"no text for {name.strip()}"


def _stop(report: AnnotationReport, stop_bad: bool, stop_unknown: bool) -> None:
    """Raise one error that names everything which the caller's choices do not allow."""
    reasons: list[str] = []
    if report.problems and stop_bad:
        reasons.append(
            f"{len(report.problems)} line(s) cannot be used; mend them, or leave them out with "
            f"{_choice('problems=skip')}:"
        )
        reasons += _bullets(f"line {p.line}: {p.reason}" for p in report.problems)
    if report.unknown and stop_unknown:
        reasons.append(
            f"{len(report.unknown)} character(s) are outside the vocabulary; leave their lines out with "
            f"{_choice('unknown=skip')}, or choose replace:"
        )
        reasons += _bullets(map(str, report.unknown))
    if reasons:
        raise AnnotationError("\n".join([f"{report.path}:", *reasons]))
    if not report.samples:
        raise AnnotationError(f"{report.path}: no line of it can be used.\n{report.summary()}")


def _choice(setting: str) -> str:
    """How a choice is typed: as a setting of a training, as an option of every other command."""
    return f"data.{setting} (training) or --{setting.replace('=', ' ')} (other commands)"


def _bullets(items: Iterable[str]) -> list[str]:
    items = list(items)
    more = [f"  - and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return [f"  - {item}" for item in items[:SHOWN]] + more


def _listed(lines: tuple[int, ...]) -> str:
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(map(str, lines[:SHOWN])) + more

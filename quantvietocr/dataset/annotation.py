"""Read VietOCR annotations: one ``image path<TAB>text`` per line, UTF-8.

Every line of the file ends up in exactly one place of the report: a sample, a blank line, or a named problem.
"""

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..checkpoint.vocab import Vocab, describe_character
from ..errors import UserError

SHOWN = 10  # problems, characters and line numbers listed before "and N more"

_LINE_END = re.compile(rb"\r\n|\n|\r")


class AnnotationError(UserError):
    """An annotation that cannot be used as it is; the message names lines and the ways out."""


@dataclass(frozen=True)
class Sample:
    """One labelled picture: `text` is NFC and within the vocabulary, `line` counts from 1."""

    path: Path
    text: str
    line: int


@dataclass(frozen=True)
class Problem:
    """Why one line of the annotation cannot be used."""

    line: int
    reason: str


@dataclass(frozen=True)
class UnknownCharacter:
    """A character outside the vocabulary: how often it occurs, and on which lines."""

    char: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        return f"{describe_character(self.char)}: {self.count} time(s), line(s) {_listed(self.lines)}"


@dataclass(frozen=True)
class AnnotationReport:
    """What reading an annotation met; all fields but `path`, `problems` and `unknown` are numbers of lines.

    ``lines == samples + blank + len(problems) + skipped``.
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
        """One sentence per thing worth knowing, one per line."""
        said = [f"{self.path}: {self.samples} of {self.lines} lines are used."]
        if self.blank:
            said.append(f"{self.blank} blank line(s) were ignored.")
        if self.problems:
            said.append(f"{len(self.problems)} line(s) could not be used and were skipped:")
            said += _bullets(f"line {p.line}: {p.reason}" for p in self.problems)
        if self.unknown:
            done = f"{self.skipped} line(s) were skipped" if self.skipped else f"{self.replaced} line(s) were rewritten"
            said.append(f"{done} because of {len(self.unknown)} character(s) outside the vocabulary:")
            said += _bullets(map(str, self.unknown))
        if self.normalized:
            said.append(f"{self.normalized} text(s) with separate accents were composed (NFC).")
        if self.tabs:
            said.append(f"{self.tabs} text(s) held tabs, which became spaces.")
        if self.duplicates:
            said.append(f"{self.duplicates} line(s) name a picture that an earlier line names too; all are used.")
        return "\n".join(said)


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

    A byte order mark and any line ends are accepted; texts are composed (NFC) and stripped; the first tab splits,
    further ones become spaces.

    Args:
        path: the annotation file.
        vocab: the characters a text may hold.
        unknown: what to do with a text that holds others: stop, skip the line, or replace each such character.
        replacement: what `unknown="replace"` writes in their place; within the vocabulary, or empty.
        root: folder that image paths start from; by default the annotation's own.
        problems: what to do with a line that has no tab, no text, or no image file: stop, or skip it.

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
    folder = Path(root) if root is not None else path.parent

    samples: list[Sample] = []
    bad: list[Problem] = []
    strange: dict[str, list[int]] = defaultdict(list)
    seen: set[Path] = set()
    counts = dict.fromkeys(("blank", "normalized", "tabs", "duplicates", "skipped", "replaced"), 0)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            counts["blank"] += 1
            continue
        name, tab, raw = line.partition("\t")
        text = unicodedata.normalize("NFC", raw)
        clean = text.replace("\t", " ").strip()
        image = _find_image(folder, name.strip())
        if reason := _unusable(name, tab, clean, image, folder):
            bad.append(Problem(number, reason))
            continue
        outside = [c for c in clean if c not in vocab]
        for char in outside:
            strange[char].append(number)
        if outside and unknown != "replace":
            counts["skipped"] += 1
            continue
        if outside:
            clean = "".join(c if c in vocab else replacement for c in clean).strip()
            if not clean:
                bad.append(Problem(number, "nothing is left of the text without its unknown characters"))
                continue
            counts["replaced"] += 1
        counts["normalized"] += text != raw
        counts["tabs"] += "\t" in raw
        counts["duplicates"] += image in seen
        seen.add(image)
        samples.append(Sample(image, clean, number))

    characters = [UnknownCharacter(c, len(at), tuple(dict.fromkeys(at))) for c, at in strange.items()]
    characters.sort(key=lambda u: (-u.count, u.char))
    report = AnnotationReport(path, len(lines), len(samples), problems=tuple(bad), unknown=tuple(characters), **counts)
    _stop(report, stop_bad=problems == "stop", stop_unknown=unknown == "stop")
    return Annotation(tuple(samples), report)


def _read_lines(path: Path) -> list[str]:
    """The file's lines, decoded one by one so that a bad byte can be placed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        raise AnnotationError(f"{path}: no such annotation file; check the path.") from err
    except IsADirectoryError as err:
        raise AnnotationError(f"{path}: is a folder; name the annotation file in it.") from err
    except OSError as err:
        raise AnnotationError(f"{path}: cannot be read ({err.strerror}).") from err
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    lines = []
    for number, end in enumerate([*_LINE_END.finditer(data), None], 1):
        stop = end.start() if end else len(data)
        if end is None and stop == start:
            break  # the file ends with a line end, or is empty
        try:
            lines.append(data[start:stop].decode("utf-8"))
        except UnicodeDecodeError as err:
            raise AnnotationError(
                f"{path}: line {number} is not UTF-8 (byte 0x{data[start + err.start]:02X} at offset "
                f"{start + err.start} of the file); save the file as UTF-8."
            ) from err
        start = end.end() if end else stop
    return lines


def _find_image(folder: Path, name: str) -> Path | None:
    """The image file a line names, or None.

    Annotations travel between systems: macOS decomposes accents in file names, Windows writes backslashes.
    """
    if not name or "\0" in name:
        return None
    spellings = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
    for spelling in dict.fromkeys((*spellings, *(s.replace("\\", "/") for s in spellings))):
        if os.path.isfile(folder / spelling):
            return folder / spelling
    return None


def _unusable(name: str, tab: str, text: str, image: Path | None, folder: Path) -> str | None:
    """Why a line that is not blank cannot be used, or None."""
    if not tab:
        return f"no tab between image path and text in {name[:60]!r}"
    if not name.strip():
        return "no image path before the tab"
    if image is None:
        return f"no image file {folder / name.strip()}"
    return None if text else f"no text for {name.strip()}"


def _stop(report: AnnotationReport, stop_bad: bool, stop_unknown: bool) -> None:
    """Raise one error that says everything which the caller's choices do not allow."""
    said: list[str] = []
    if report.problems and stop_bad:
        said.append(
            f"{len(report.problems)} line(s) cannot be used; mend them, or leave them out with {_choice('problems=skip')}:"
        )
        said += _bullets(f"line {p.line}: {p.reason}" for p in report.problems)
    if report.unknown and stop_unknown:
        said.append(
            f"{len(report.unknown)} character(s) are outside the vocabulary; leave their lines out with {_choice('unknown=skip')}, or choose replace:"
        )
        said += _bullets(map(str, report.unknown))
    if said:
        raise AnnotationError("\n".join([f"{report.path}:", *said]))
    if not report.samples:
        raise AnnotationError(f"{report.path}: no line of it can be used.\n{report.summary()}")


def _choice(setting: str) -> str:
    """How a choice is typed: as a setting of a training, as an option of every other command."""
    return f"data.{setting} (training) or --{setting.replace('=', ' ')} (other commands)"


def _bullets(items) -> list[str]:
    items = list(items)
    more = [f"  - and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return [f"  - {item}" for item in items[:SHOWN]] + more


def _listed(lines: tuple[int, ...]) -> str:
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return ", ".join(map(str, lines[:SHOWN])) + more

"""How a line that was read is written: as text, as a row of a table for machines or for people; and files of such
rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ..common.files import naming, write_bytes, write_text
from ..common.parsing import json_of
from ..errors import UserError

CONTROLS = {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}  # what would break a row
FORM_OF = {".tsv": "tsv", ".json": "json", ".jsonl": "json"}  # suffix of --out → form
ERRORS = {"tsv": "surrogateescape", "json": "backslashreplace"}  # for file names that are not UTF-8
MAX_NAME_WIDTH = 40  # characters of a path in the table for people
LOW_CONFIDENCE = 0.7  # confidence; a line below it is marked for people (`LineText.certainty` decides second looks)


def row(path: str, text: str, confidence: float, error: str | None, form: str) -> str:
    """A line in one of the forms for machines: `text`, `tsv`, `json`."""
    if form == "json":
        about = {"path": path, "text": text, "confidence": round(confidence, 4)} | ({"error": error} if error else {})
        return json.dumps(about, ensure_ascii=False)
    columns = [text] if form == "text" else [path, text, f"{confidence:.4f}"]
    return "\t".join(column.translate(CONTROLS) for column in columns)


class Table:
    """The form for people: a mark at a low confidence, the confidence, the name, the text.

    Args:
        paths: those that are known beforehand, for the width of the names.
        colour: whether marked rows are coloured.
    """

    def __init__(self, paths: Iterable[str], colour: bool = False) -> None:
        longest = max((len(path) for path in paths), default=MAX_NAME_WIDTH)
        self.width = min(max(longest, len("picture")), MAX_NAME_WIDTH)
        self.colour = colour

    @property
    def header(self) -> str:
        """The names of the columns."""
        return f"  sure   {'picture':<{self.width}}  text"

    def row(self, path: str, text: str, confidence: float, error: str | None) -> str:
        """One line, as `row` takes it."""
        name = path.translate(CONTROLS)
        if len(name) > self.width:
            name = "…" + name[1 - self.width :]
        # Nothing read is certain: the most that is said is "over 99 %".
        sure = "  –" if error else ">99%" if confidence > 0.99 else f"{confidence:>4.0%}"
        low = bool(error) or confidence < LOW_CONFIDENCE
        shown = "(not read)" if error else text.translate(CONTROLS)
        written = f"{'?' if low else ' '} {sure:<5}  {name:<{self.width}}  {shown}"
        return f"\033[33m{written}\033[0m" if self.colour and low else written


class RowFile:
    """A file of rows that a later run goes on with: pictures that have a row there are not read again.

    Pictures that could not be read get no row, so that they are tried again. Beside it lies `NAME.reader`, one line
    that names what read: rows of two readers do not get into one file.

    Args:
        path: the file; need not exist.
        form: `tsv` or `json`.
        reader: names what reads.

    Raises:
        UserError: if the file was written by another reader, or holds something else.
    """

    def __init__(self, path: str | os.PathLike, form: str, reader: str) -> None:
        self.path, self.form, self.reader = Path(path), form, reader
        self.about = self.path.with_name(f"{self.path.name}.reader")
        self.stream: TextIO | None = None
        self.done = self._finished() if self.path.exists() else set()

    def _finished(self) -> set[str]:
        """The paths that have a row. A row that was cut off in the middle is taken out of the file."""
        before = self.about.read_text(encoding="utf-8").removesuffix("\n") if self.about.is_file() else None
        if before != self.reader:
            said = f"was read by {before}" if before else "is not known to be rows of this command"
            raise UserError(f"{self.path} {said}, and this is {self.reader}: name another --out, or remove the file.")
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            write_bytes(self.path, whole)
        try:
            rows = whole.decode("utf-8", ERRORS[self.form] if self.form == "tsv" else "strict").split("\n")[:-1]
            return {json_of(row)["path"] if self.form == "json" else row.split("\t")[0] for row in rows}
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(f"{self.path} does not hold rows in the form {self.form}: name another --out.") from error

    def has(self, path: str) -> bool:
        """Whether this picture was read before."""
        return (path if self.form == "json" else path.translate(CONTROLS)) in self.done

    def write(self, path: str, text: str, confidence: float) -> None:
        """Add a row. The file is made with the first one, so that a run that fails before leaves nothing."""
        if self.stream is None:
            write_text(self.about, f"{self.reader}\n")
            self.stream = self.path.open("a", encoding="utf-8", errors=ERRORS[self.form], newline="\n")
        with self._whole_rows(self.stream):
            self.stream.write(row(path, text, confidence, None, self.form) + "\n")

    def flush(self) -> None:
        """Put the rows so far on the disk, for a run that is ended from outside."""
        if self.stream is not None:
            with self._whole_rows(self.stream):
                self.stream.flush()

    def close(self) -> None:
        """No more rows."""
        if self.stream is not None:
            with self._whole_rows(self.stream):
                self.stream.close()

    @contextmanager
    def _whole_rows(self, stream: TextIO) -> Iterator[None]:
        """Name the file where writing fails, and leave whole rows alone in it. Raises OSError."""
        try:
            with naming(self.path):
                yield
        except OSError:
            self.stream = None
            with suppress(OSError):  # the rows that wait would fail again
                stream.close()
            content = self.path.read_bytes()
            os.truncate(self.path, content.rfind(b"\n") + 1)
            raise

"""Whether the fields read from a page are right: counted as right, wrong, unsure or absent."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Value = str | int  # of a field, as `receipt.Page` has it
Verdict = Literal["right", "wrong", "unsure", "absent"]
# What may stand before an address, with its colon, and belongs to the print rather than to the address.
_ADDRESS_LABEL = re.compile(r"(đc|đ/c|địa chỉ|dia chi|address|addr?)\s*[:.]\s*")
LENIENT = (
    "Real receipts: the date is right where the day is, the total where the amount is, shop and address where their "
    "letters with their marks and their digits are the same, one after another: case, spaces, punctuation and a label "
    "before the address (“ĐC:”) do not count."
)


@dataclass(frozen=True)
class Verdicts:
    """How often a field was right on the pages where it is judged.

    Attributes:
        right: the value is right. Where nothing is printed: no value was given.
        wrong: another value was given as if it were right.
        unsure: a value was given and marked as unsure, right or not.
        absent: no value was given though one is printed, or the picture could not be opened.
    """

    right: int = 0
    wrong: int = 0
    unsure: int = 0
    absent: int = 0

    @property
    def judged(self) -> int:
        """On how many pages the field is judged."""
        return self.right + self.wrong + self.unsure + self.absent

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Verdicts:
        """Count verdicts."""
        counts = dict.fromkeys((field.name for field in dataclasses.fields(cls)), 0)
        for verdict in verdicts:
            counts[verdict] += 1
        return cls(**counts)

    def __str__(self) -> str:
        return f"{self.right} · {self.wrong} · {self.unsure} · {self.absent}" if self.judged else "-"


def judge(
    printed: Mapping[str, Value | None],
    read: Mapping[str, Value],
    unsure: Collection[str],
    same: Callable[[str, Value | None, Value | None], bool],
) -> dict[str, Verdict]:
    """Judge the fields of a page.

    Args:
        printed: name → value; None where nothing of the kind is printed. A field without an entry is not judged.
        read: name → value given.
        unsure: names of the fields that were marked as unsure.
        same: says of a field's name, the value printed and the value read whether they are the same.
    """
    return {
        name: _verdict(same(name, value, read.get(name)), value, read.get(name), name in unsure)
        for name, value in printed.items()
    }


def all_absent(printed: Mapping[str, Value | None]) -> dict[str, Verdict]:
    """Judge a page that no reader could open: it counts as absent for every field that is judged there."""
    return dict.fromkeys(printed, "absent")


def _verdict(same: bool, printed: Value | None, read: Value | None, unsure: bool) -> Verdict:
    if read is None:
        return "right" if printed is None else "absent"
    if unsure:
        return "unsure"
    return "right" if same else "wrong"


def same_strictly(name: str, printed: Value | None, read: Value | None) -> bool:
    """Whether a field of a generated receipt was read right: equal but for white space, of a date the day."""
    if read is None or printed is None or name == "total":
        return read == printed
    if name == "date":  # the day; the clock is not always read from the same place
        return str(read)[:10] == str(printed)[:10]
    return " ".join(str(read).split()) == " ".join(str(printed).split())


def same_leniently(name: str, printed: Value | None, read: Value | None) -> bool:
    """Whether a field of a real receipt was read right, as LENIENT says."""
    if read is None or printed is None or name in ("date", "total"):
        return same_strictly(name, printed, read)
    return _bare(name, str(read)) == _bare(name, str(printed))


def _bare(name: str, text: str) -> str:
    """Return letters and digits in lower case, without a label before an address."""
    lower = unicodedata.normalize("NFC", text).lower().strip()
    label = _ADDRESS_LABEL.match(lower) if name == "address" else None
    return "".join(char for char in lower[label.end() if label else 0 :] if char.isalnum())

"""Text files that people name: read as UTF-8 with or without a byte order mark, and refused in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantvietocr.common.files import ReadErrors, read_text
from quantvietocr.common.wordlists import entries
from quantvietocr.errors import UserError


class WrongFile(UserError):
    """The error of these tests."""


ERRORS = ReadErrors(
    WrongFile, missing="{path}: is not there.", unreadable="{path}: {reason}.", folder="{path}: a folder."
)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, mark: bytes) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(mark + "Phở\r\nbò\n".encode())
    assert read_text(file, ERRORS) == "Phở\r\nbò\n"


def test_each_reason_has_its_sentence(tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"\xef\xbb\xbfcaf\xe9")
    for path, sentence in (
        (tmp_path / "none.txt", f"{tmp_path / 'none.txt'}: is not there."),
        (tmp_path, f"{tmp_path}: a folder."),
        (latin, f"{latin} is not UTF-8 text (byte 6): save it as UTF-8."),
        (latin / "below", f"{latin / 'below'}: Not a directory."),
    ):
        with pytest.raises(WrongFile) as caught:
            read_text(path, ERRORS)
        assert str(caught.value) == sentence


def test_a_folder_is_unreadable_where_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match=r"cannot be read \(Is a directory\)"):
        read_text(tmp_path, ReadErrors(WrongFile, missing="", unreadable="{path} cannot be read ({reason})."))


def test_a_path_with_braces_is_named_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match=r"\{path\}\{0\}: is not there"):
        read_text(tmp_path / "{path}{0}", ERRORS)


def test_an_error_inside_the_block_is_named_too() -> None:
    with pytest.raises(WrongFile, match=r"pack\.gz: cut short"), ERRORS.naming("pack.gz"):
        raise EOFError("cut short")


def test_entries_stand_between_bars_and_line_ends() -> None:
    assert entries("""
        một | hai ba
        bốn
    """) == ("một", "hai ba", "bốn")

"""Text files that people name: read as UTF-8 with or without a byte order mark, and refused in sentences."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from quantvietocr.cli.rows import RowFile
from quantvietocr.common import files
from quantvietocr.common.files import TEMPORARY, ReadErrors, read_text, replace_whole, write_bytes
from quantvietocr.common.wording import counted, on_one_line
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


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as full, replace_whole(tmp_path / "a.png") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(full.value) == f"[Errno 28] No space left on device: '{tmp_path / 'a.png'}'"
    (tmp_path / "folder" / "x").mkdir(parents=True)
    with pytest.raises(OSError, match="folder") as taken:
        write_bytes(tmp_path / "folder", b"a")
    assert str(taken.value).endswith(f": '{tmp_path / 'folder'}'") and "->" not in str(taken.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_rows_on_a_full_disk_name_the_file_and_stay_whole(tmp_path: Path) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            path.write_bytes(path.read_bytes() + b"b.png\tha")  # what still had room
            raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "rows.tsv"
    rows = RowFile(path, "tsv", "reader")
    rows.write("a.png", "text", 1.0)
    rows.flush()
    rows.stream = Full()
    with pytest.raises(OSError, match="No space") as full:
        rows.flush()
    rows.close()  # says nothing more
    assert str(full.value).endswith(f": '{path}'")
    assert path.read_text(encoding="utf-8") == "a.png\ttext\t1.0000\n"


def test_things_are_counted_in_singular_and_plural() -> None:
    assert [counted(number, "page") for number in (0, 1, 2)] == ["0 pages", "1 page", "2 pages"]


def test_what_breaks_a_line_is_escaped() -> None:
    assert on_one_line("a\n\t\x7f\u2028\udcffĐồng 你") == "a\\n\\t\\x7f\\u2028\\udcffĐồng 你"


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    abandoned = tmp_path / f"{TEMPORARY}0123456789ab.part"
    abandoned.write_bytes(b"half of a fi")
    with replace_whole(tmp_path / "a") as mine:
        assert not abandoned.exists()
        code = f"from quantvietocr.common.files import write_text; write_text({str(tmp_path / 'b')!r}, 'whole')"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
        assert mine.exists()  # the other process has looked at it
        mine.write_bytes(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_temporary_file_that_vanishes_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch) -> None:
    usual, seen = files.fcntl.flock, []

    def vanish(descriptor: int, how: int) -> None:
        if not seen:
            next(tmp_path.glob("*.part")).unlink()
        seen.append(how)
        usual(descriptor, how)

    monkeypatch.setattr(files.fcntl, "flock", vanish)
    files.write_text(tmp_path / "a", "whole")
    assert len(seen) == 2 and (tmp_path / "a").read_text() == "whole" and len(list(tmp_path.iterdir())) == 1

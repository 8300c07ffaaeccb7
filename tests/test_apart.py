"""A decoder that crashes, takes all memory or never ends costs one page, and the pages after it are read."""

from __future__ import annotations

import faulthandler
import io
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quantvietocr.cli.exits import SOME_FAILED, UNUSABLE
from quantvietocr.cli.main import main
from quantvietocr.pictures import apart, image
from quantvietocr.pictures.apart import CrashError, call, decoding_apart
from quantvietocr.pictures.decoding import MendedWarning
from quantvietocr.pictures.image import ImageError, NotAPictureError, open_line
from quantvietocr.receipt.pages import PageFile, count_pages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes share memory otherwise here")


@pytest.fixture
def decoder(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(apart.threading, "active_count", lambda: 1)  # earlier tests may have left threads that wait
    with decoding_apart():
        assert apart._keeper is not None
        yield
    assert apart._keeper is None


def picture(number: int = 0) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (20, 60 + number, 3), dtype=np.uint8))


def encoded(form: str = "PNG", **how) -> bytes:
    file = io.BytesIO()
    picture().save(file, form, **how)
    return file.getvalue()


def test_pictures_are_the_same_as_without(decoder, tmp_path):
    picture(3).save(tmp_path / "a.png")
    for path, content in ((tmp_path / "a.png", None), (None, encoded())):
        found = call(open_line, path, content)
        assert found.tobytes() == open_line(content or path).tobytes() and found.mode == "RGB"


def test_pages_are_the_same_as_without(decoder, tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.tif").write_bytes(encoded("TIFF", save_all=True, append_images=[picture(1)], dpi=(300, 300)))
    (tmp_path / "a.pdf").write_bytes(encoded("PDF", save_all=True, append_images=[picture(1)]))
    for name in ("a.tif", "a.pdf"):
        apart_file = PageFile(str(tmp_path / name))
        assert apart_file.count == count_pages(str(tmp_path / name)) == 2
        page, dpi = apart_file.open(2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(apart, "_keeper", None)
            here, here_dpi = PageFile(str(tmp_path / name)).open(2)
        assert page.tobytes() == here.tobytes() and dpi == here_dpi


def test_errors_keep_their_class_and_their_sentence(decoder, tmp_path):
    for content, kind in ((b"no picture", NotAPictureError), (encoded()[:60], ImageError), (b"", NotAPictureError)):
        with pytest.raises(kind) as there:
            call(open_line, None, content)
        with pytest.raises(kind) as here:
            open_line(content)
        assert str(there.value) == str(here.value) and type(there.value) is type(here.value)
    with pytest.raises(ImageError, match=r"hoá\.png: no such file"):
        call(open_line, tmp_path / "hoá.png")
    with pytest.raises(NotAPictureError, match=r"^upload: not a picture"):
        _ = PageFile("upload", b"no picture").count


def test_warnings_come_through(decoder):
    with pytest.warns(MendedWarning, match="lacks its end"):
        call(open_line, None, encoded("JPEG")[:-2])


def large(source: bytes) -> Image.Image:
    return Image.effect_noise((8000, 4500), 50).convert("RGB")


def test_large_pictures_come_through_and_memory_is_given_back(decoder):
    for _ in range(2):
        found = call(large, None, b"")
        assert found.size == (8000, 4500) and found.getextrema()[0][1] > 200
        about = Path("/proc/self/smaps_rollup").read_text()  # in kB
        assert int(re.search(r"Pss_Shmem:\s+(\d+)", about)[1]) < apart.MAX_KEPT // 1024
    assert call(open_line, None, encoded()).tobytes() == picture().tobytes()


def test_content_that_is_too_large_to_send_is_opened_here(decoder, monkeypatch):
    monkeypatch.setattr(apart, "MAX_SENT", 10)
    monkeypatch.setattr(apart._keeper, "ask", None)
    assert call(open_line, None, encoded()).tobytes() == picture().tobytes()


def crash(source: bytes) -> int:
    faulthandler.disable()  # pytest's, which would print where
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def be_ended(source: bytes) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(source: bytes) -> int:
    os._exit(3)


def take_all(source: bytes) -> int:
    return len(bytearray(2 * apart.MAX_MEMORY))


def fail(source: bytes) -> int:
    raise ZeroDivisionError("of its own")


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (crash, "crashed what opened it (SIGSEGV); save the picture again"),
        (be_ended, "memory ran out"),
        (leave, "exit code 3"),
        (take_all, "damaged or cut short (MemoryError)"),
        (fail, "damaged or cut short (of its own)"),
    ],
)
def test_a_death_is_one_error_and_the_next_picture_is_opened(decoder, operation, said):
    for _ in range(2):
        with pytest.raises(ImageError) as error:
            call(operation, None, b"x")
        assert said in str(error.value) and str(error.value).startswith("the given bytes: ")
        assert call(open_line, None, encoded()).tobytes() == picture().tobytes()


def sleep(source: bytes) -> int:
    time.sleep(60)
    raise AssertionError


def test_what_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(apart, "MAX_SECONDS", 1)
    monkeypatch.setattr(apart.threading, "active_count", lambda: 1)
    with decoding_apart():
        with pytest.raises(CrashError, match="took more than 1 seconds"):
            call(sleep, None, b"x")
        assert call(open_line, None, encoded()).size == picture().size


def test_an_answer_that_nobody_waited_for_is_not_taken_for_another(decoder, monkeypatch):
    monkeypatch.setattr(apart._keeper, "socket", Interrupted(apart._keeper.socket))
    with pytest.raises(KeyboardInterrupt):
        call(open_line, None, encoded())
    assert call(open_line, None, encoded("BMP")).tobytes() == picture().tobytes() and apart._keeper.lost


class Interrupted:
    """A socket on which Ctrl-C comes while an answer is waited for."""

    def __init__(self, socket) -> None:
        self.send, self.close = socket.send, socket.close

    def recv(self, size: int) -> bytes:
        raise KeyboardInterrupt


def test_it_is_no_process_where_threads_run(monkeypatch):
    monkeypatch.setattr(apart.threading, "active_count", lambda: 2)
    with decoding_apart():
        assert apart._keeper is None and call(open_line, None, encoded()).size == picture().size


def crashing(source, usual=image.open_line):
    """In place of `open_line`: files with `bad` in their names crash it."""
    return crash(b"") if "bad" in str(source) else usual(source)


crashing.__module__, crashing.__qualname__ = image.open_line.__module__, image.open_line.__qualname__


def test_a_crash_is_a_row_of_its_own_on_the_command_line(tiny_weights, tmp_path, monkeypatch, capsys):
    for name in ("1", "2bad", "3", "4bad", "5"):
        picture().save(tmp_path / f"{name}.png")
    monkeypatch.setattr(image, "open_line", crashing)
    monkeypatch.setattr(apart.threading, "active_count", lambda: 1)
    command = ["read", "--weights", str(tiny_weights), "--threads", "1", "--format", "tsv"]
    assert main([*command, str(tmp_path)]) == SOME_FAILED
    out, err = capsys.readouterr()
    rows = [row.split("\t") for row in out.splitlines()]
    assert [row[0].rpartition("/")[2] for row in rows] == ["1.png", "2bad.png", "3.png", "4bad.png", "5.png"]
    assert [row[2] for row in rows if "bad" in row[0]] == ["0.0000"] * 2
    assert err.count("crashed what opened it (SIGSEGV)") == 2 and "2 of 5 pictures could not be read" in err
    assert main([*command, str(tmp_path / "2bad.png"), str(tmp_path / "4bad.png")]) == UNUSABLE


def test_nothing_is_warned_of_otherwise(decoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(open_line, None, encoded())

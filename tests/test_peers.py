"""Other readers: the same crops, one process for a batch, and errors that say what to do."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from tiny import int8_checkpoint

from quantvietocr.checkpoint import write
from quantvietocr.cli import main as cli
from quantvietocr.measure.lines.compare import compare
from quantvietocr.measure.lines.readers import CompareError, contestants
from quantvietocr.measure.peers import ASTEROCR_MAX_WIDTH, AsterOCR, PeerError, RapidOCR, Tesseract
from quantvietocr.metrics.accuracy import cer

# Reads each picture as its width x height and "ệ" apart from its marks, and writes down how it was called.
SCRIPT = r"""#!{python}
import os, sys
from pathlib import Path
here, arguments, mode = Path(__file__).parent, sys.argv[1:], "{mode}"
if arguments == ["--list-langs"]:
    print('List of available languages in "%s/" (1):' % here if mode != "old" else "List of available languages (1):")
    print("eng" if mode == "no vie" else "vie")
elif arguments == ["--version"]:
    print("tesseract 9.8.7\n leptonica-1")
else:
    with open(here / "calls", "a") as log:
        log.write(" ".join([os.environ.get("OMP_THREAD_LIMIT", "-"), *arguments]) + "\n")
    names = Path(arguments[0]).read_text().split()
    print("level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext")
    for number, name in enumerate(names[1:] if mode == "short" else names, 1):
        if mode == "fails" and number == 2:
            sys.exit("out of ink\non page 2")
        size = b"x".join(Path(name).read_bytes().split(b"\n")[1].split()).decode()
        print("1\t%d\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t" % number)
        if size != "50x50":
            for place, (conf, word) in enumerate([("90.5", size), ("40.25", "e\u0323\u0302"), ("95", " ")], 1):
                row = "5\t%d\t1\t1\t1\t%d\t0\t0\t9\t9\t%s\t%s\n" % (number, place, conf, word)
                sys.stdout.buffer.write(row.encode())
        sys.stdout.flush()
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a program `tesseract` on the PATH, alone; returns a function that chooses how it behaves, and its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    (folder / "vie.traineddata").write_bytes(b"12345")

    def behave(mode: str = "well") -> Path:
        program = folder / "tesseract"
        program.write_text(SCRIPT.replace("{python}", sys.executable).replace("{mode}", mode), encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        return folder

    return behave


def pictures(*sizes: tuple[int, int]) -> list[Image.Image]:
    return [Image.new("RGB", size, "white") for size in sizes]


def test_a_batch_is_one_process_and_small_crops_are_enlarged(fake):
    folder = fake()
    reader = Tesseract(threads=2)
    texts, confidences = reader.predict_batch(pictures((100, 24), (70, 60), (1, 48), (50, 50)), return_prob=True)
    assert texts == ["200x48 ệ", "70x60 ệ", "3x48 ệ", ""]  # composed; a word of spaces is none
    assert confidences == pytest.approx([0.4025, 0.4025, 0.4025, 0])  # the least certain word's
    assert (folder / "calls").read_text() == "2 list.txt stdout -l vie --psm 7 --oem 1 tsv\n"
    assert reader.predict(pictures((70, 60))[0]) == "70x60 ệ"
    assert reader.predict_batch(pictures((70, 60), (80, 60))) == ["70x60 ệ", "80x60 ệ"]
    assert reader.version == "9.8.7" and reader.data == folder / "vie.traineddata"
    assert reader.stored() == "not told: no combine_tessdata"


def test_without_tesseract_or_its_data_the_remedy_is_said(fake, monkeypatch):
    with pytest.raises(PeerError, match="on the PATH; run `apt-get install tesseract-ocr tesseract-ocr-vie`"):
        Tesseract()
    fake("no vie")
    with pytest.raises(PeerError, match="no Vietnamese data .* run `apt-get install tesseract-ocr-vie`"):
        Tesseract()
    fake("old")
    with pytest.raises(PeerError, match="install Tesseract 5"):
        Tesseract()
    (fake("well") / "vie.traineddata").unlink()
    with pytest.raises(PeerError, match="vie.traineddata is not there .* TESSDATA_PREFIX"):
        Tesseract()


def test_a_failure_in_the_middle_says_exit_code_and_reason(fake):
    fake("fails")
    with pytest.raises(PeerError, match=r"exit code 1.*list\.txt.*: out of ink on page 2$"):
        Tesseract().predict_batch(pictures((70, 60), (70, 60), (70, 60)))


def test_a_missing_page_is_no_silent_shift(fake):
    fake("short")
    with pytest.raises(PeerError, match="given 3 pictures and told of 2 pages"):
        Tesseract().predict_batch(pictures((70, 60), (71, 60), (72, 60)))


def test_a_peer_is_a_row_on_the_same_lines(fake, tmp_path):
    folder = fake()
    tiny = write(int8_checkpoint(), tmp_path / "tiny.safetensors")
    for number in range(3):
        Image.new("RGB", (40 + 20 * number, 60), "white").save(tmp_path / f"{number}.png")
    annotation = tmp_path / "annotation.txt"
    annotation.write_text("0.png\tab\n1.png\tc\n2.png\tđ\n", encoding="utf-8")
    (table,) = compare(annotation, [tiny], tmp_path / "out", repeats=2, other_readers=["tesseract"])
    ours, peer = table.rows
    assert table.setup.reference == ours.name == "int8, all" and not ours.together
    assert (peer.name, peer.method, peer.bytes, peer.together) == ("Tesseract 9.8.7 (vie)", "peer", 5, True)
    assert peer.size_ratio == ours.bytes / 5 and "startup shared" in peer.engine
    assert table.setup.conditions.versions["tesseract"] == "9.8.7"
    assert peer.ms_per_line > 0 and peer.cores > 0
    assert len((folder / "calls").read_text().splitlines()) == 4  # warm-up and two rounds of timing, one of reading
    rows = [line.split("\t") for line in (tmp_path / "out" / "texts.tsv").read_text(encoding="utf-8").splitlines()]
    assert [row[-1] for row in rows] == ["Tesseract 9.8.7 (vie)", "40x60 ệ", "60x60 ệ", "80x60 ệ"]
    assert "reads all timed lines by one process" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")


def test_an_unknown_or_repeated_peer_is_refused(tmp_path):
    tiny = write(int8_checkpoint(), tmp_path / "tiny.safetensors")
    with pytest.raises(CompareError, match="no such reader; name one of tesseract, rapidocr, asterocr"):
        contestants([tiny], False, ["abbyy"], None, 1)
    with pytest.raises(CompareError, match="tesseract is named twice"):
        contestants([tiny], False, ["tesseract", "tesseract"], None, 1)


def annotated(lines: Path) -> tuple[list[Image.Image], list[str]]:
    rows = [row.split("\t") for row in (lines / "annotation.txt").read_text(encoding="utf-8").splitlines()]
    return [Image.open(lines / name).convert("RGB") for name, _ in rows], [text for _, text in rows]


def test_tesseract_reads(lines):
    if shutil.which("tesseract") is None:
        pytest.skip("no program tesseract: apt-get install tesseract-ocr tesseract-ocr-vie")
    try:
        reader = Tesseract()
    except PeerError as error:
        pytest.skip(str(error))
    imgs, texts = annotated(lines)
    found, confidences = reader.predict_batch(imgs, return_prob=True)
    assert cer(texts, found) < 0.2 and all(0 <= share <= 1 for share in confidences) and max(confidences) > 0.5
    assert reader.predict(imgs[3], return_prob=True) == (found[3], confidences[3])
    assert reader.data.stat().st_size > 100_000


def test_rapidocr_reads_without_a_network(lines, monkeypatch):
    pytest.importorskip("rapidocr", reason="no rapidocr: pip install rapidocr==3.10.0 onnxruntime")

    def refuse(*_):
        raise AssertionError("RapidOCR wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    reader = RapidOCR(threads=1)
    imgs, texts = annotated(lines)
    found, confidences = reader.predict_batch(imgs, return_prob=True)
    assert len(found) == len(texts) and all(0 <= share <= 1 for share in confidences)
    assert reader.predict(imgs[0], return_prob=True)[0] == reader.predict(imgs[0])
    known = reader.characters()
    assert set("abc XYZ019") <= known and "ế" not in known  # this network was not made for Vietnamese
    assert set("".join(found)) <= known and cer(texts, found) < 0.5


def test_without_rapidocr_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", sys.modules.get("onnxruntime", os))
    with pytest.raises(PeerError, match="run `make setup`"):
        RapidOCR()


def test_asterocr_reads_without_a_network_as_its_package_does(lines, monkeypatch):
    package = pytest.importorskip("asterocr", reason="no asterocr: pip install asterocr==1.0.2")

    def refuse(*_):
        raise AssertionError("AsterOCR wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    reader = AsterOCR(threads=1)
    imgs, texts = annotated(lines)
    found, confidences = reader.predict_batch(imgs, return_prob=True)
    assert found == package.AsterOCR().predict_batch(imgs) and cer(texts, found) < 0.3
    assert all(0 <= share <= 1 for share in confidences) and max(confidences) > 0.5
    assert reader.predict(imgs[0]) == found[0] and reader.predict_batch(imgs[:2]) == found[:2]
    assert reader.predict(Image.new("RGB", (64, 32), "white"), return_prob=True) == ("", 0.0)
    known = reader.characters()
    assert set("abc XYZ019ế") <= known and len(known) == 226
    assert reader.engine.session.get_session_options().intra_op_num_threads == 1


def test_lines_too_wide_for_asterocr_are_squeezed_and_counted(tmp_path, monkeypatch):
    pytest.importorskip("asterocr", reason="no asterocr: pip install asterocr==1.0.2")
    seen = []
    preprocess = AsterOCR().engine.preprocess_image
    monkeypatch.setattr("asterocr.AsterOCR.preprocess_image", lambda _, img: seen.append(img.size) or preprocess(img))
    tiny = write(int8_checkpoint(), tmp_path / "tiny.safetensors")
    for name, size in (("fits", (2 * ASTEROCR_MAX_WIDTH, 64)), ("wide", (2 * ASTEROCR_MAX_WIDTH + 2, 64))):
        Image.new("RGB", size, "white").save(tmp_path / f"{name}.png")
    (tmp_path / "lines.txt").write_text("fits.png\tab\nwide.png\tc\n", encoding="utf-8")
    (table,) = compare(tmp_path / "lines.txt", [tiny], tmp_path / "out", repeats=1, other_readers=["asterocr"])
    assert set(seen) == {(2 * ASTEROCR_MAX_WIDTH, 64), (ASTEROCR_MAX_WIDTH, 32)}
    (name,) = (row.name for row in table.rows if row.method == "peer")
    assert table.setup.squeezed == {name: 1}
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert f"{name} takes at most 1,024 px at height 32; 1 wider lines are squeezed for it." in text


def test_without_asterocr_or_its_network_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", sys.modules.get("onnxruntime", os))
    monkeypatch.setitem(sys.modules, "asterocr", None)
    with pytest.raises(PeerError, match="run `make setup`"):
        AsterOCR()
    monkeypatch.setitem(sys.modules, "asterocr", SimpleNamespace(__file__=str(tmp_path / "__init__.py")))
    with pytest.raises(
        PeerError, match=r"assets/asternet.onnx\); run `pip install --force-reinstall asterocr==1\.0\.2`"
    ):
        AsterOCR()


def test_the_command_says_it_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    tiny = write(int8_checkpoint(), tmp_path / "tiny.safetensors")
    arguments = [
        "compare",
        "--data",
        "x.txt",
        "--weights",
        str(tiny),
        "--out",
        str(tmp_path / "out"),
        "--peer",
        "tesseract",
    ]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert "apt-get install tesseract-ocr" in said and said.count("\n") == 1 and not (tmp_path / "out").exists()

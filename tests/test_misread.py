"""Lines that a checkpoint misreads: which are kept, what is written of them, and going on after an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image

from quantvietocr.cli import main as cli
from quantvietocr.pictures.image import ImageSpec, line_pixels
from quantvietocr.synth import misread
from quantvietocr.synth.lines import LineGenerator, SynthConfig
from quantvietocr.synth.lines.generator import Line
from quantvietocr.synth.misread import judge, keep_misread, write_misread

WEIGHTS = Path(__file__).parents[1] / "weights/vgg_seq2seq-qat-int8.safetensors"
FONT = f"{get_data_path()}/fonts/ttf/DejaVuSerif.ttf"
CHUNK, WANTED = 12, 6
pytestmark = pytest.mark.usefixtures("modules_font_cache")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(misread, "CHUNK", CHUNK)


class Watched(LineGenerator):
    """Lines of poor scans; notes which were drawn, and is interrupted at one of them."""

    def __init__(self, interrupted_at: int | None = None) -> None:
        super().__init__(
            SynthConfig(fonts=(FONT,), style="poor_scan", min_chars=4, max_chars=30, lengths=(1, 1, 0)), seed=3
        )
        self.drawn: list[int] = []
        self.interrupted_at = interrupted_at

    def line(self, index: int) -> Line:
        if index == self.interrupted_at:
            raise KeyboardInterrupt
        self.drawn.append(index)
        return super().line(index)


class Careless:
    """Knows a generator's lines, and reads every third of them wrong in one character, every fifth not at all."""

    spec = ImageSpec()

    def __init__(self, generator: Watched) -> None:
        self.known = {}
        for number in range(4 * CHUNK):
            line = generator.line(number)
            wrong = "" if number % 5 == 4 else line.text[:-1] + "¿" if number % 3 == 2 else line.text
            self.known[line_pixels(line.image, self.spec).tobytes()] = wrong

    def recognize(self, lines: list[np.ndarray]) -> list[tuple[str, None]]:
        return [(self.known[line.tobytes()], None) for line in lines]


@pytest.fixture(scope="module")
def reader(modules_font_cache) -> Careless:
    return Careless(Watched())


def table(path: Path) -> list[list[str]]:
    return [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_is_right_misread_or_illegible():
    assert judge("Tiền mặt", "Tiền mặt") == "right"
    assert judge("Tiền mặt", "Tiến mặt") == "misread"
    assert judge("ab", "aq") == "misread", "half of it is not more than half"
    assert judge("ab", "q") == "illegible"
    assert judge("a", "") == "illegible"


@pytest.mark.parametrize(
    ("read", "kind"),
    [("Tên: ___", "misread"), ("Tén: ___", "misread"), ("Tén; ___", "illegible"), ("T", "misread"), ("", "illegible")],
)
def test_a_line_of_which_the_start_alone_was_read_is_legible(read, kind):
    assert judge("Tên: ______________ Ngày: ____", read) == kind


def test_only_misread_lines_are_kept_and_all_are_counted(tmp_path, reader):
    generator = Watched()
    said = write_misread(generator, reader, tmp_path, WANTED, {}, workers=0)
    kept = [2, 5, 8, 11, 17, 20]  # 14 is not read at all
    names, lines = [f"img/{number:06d}.png" for number in kept], [generator.line(number) for number in kept]
    assert table(tmp_path / "annotation.txt") == [[name, line.text] for name, line in zip(names, lines)]
    assert table(tmp_path / "readings.tsv") == [["path", "text", "read"]] + [
        [name, line.text, line.text[:-1] + "¿"] for name, line in zip(names, lines)
    ]
    assert [row[0] for row in table(tmp_path / "lines.tsv")[1:]] == names
    for name, line in zip(names, lines):
        assert np.array_equal(np.array(Image.open(tmp_path / name)), line.image)
    assert {path.name for path in (tmp_path / "img").iterdir()} == {Path(name).name for name in names}
    assert "of 21 lines looked at, 6 were misread and kept, 11 read right; 4 were more than half misread" in said


def test_an_interrupted_run_goes_on_with_the_next_chunk(tmp_path, reader):
    write_misread(Watched(), reader, tmp_path / "whole", WANTED, {"of": 1}, workers=0)
    write_misread(Watched(), reader, tmp_path / "parts", 1, {"of": 0}, workers=0)
    with pytest.raises(KeyboardInterrupt):
        write_misread(Watched(interrupted_at=CHUNK + 2), reader, tmp_path / "parts", WANTED, {"of": 1}, workers=0)
    assert not (tmp_path / "parts/annotation.txt").exists(), "which would say that all pictures are there"
    second = Watched()
    write_misread(second, reader, tmp_path / "parts", WANTED, {"of": 1}, workers=0)
    assert min(second.drawn) == CHUNK
    for name in ("annotation.txt", "readings.tsv", "lines.tsv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_more_lines_are_added_to_those_there(tmp_path, reader):
    write_misread(Watched(), reader, tmp_path / "whole", WANTED, {}, workers=0)
    write_misread(Watched(), reader, tmp_path / "parts", 2, {}, workers=0)  # ends within the first chunk
    second = Watched()
    said = write_misread(second, reader, tmp_path / "parts", WANTED, {}, workers=0)
    assert second.drawn[0] == 0 and "of 21 lines looked at, 6 were misread and kept" in said
    for name in ("annotation.txt", "readings.tsv", "lines.tsv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert "of 6 lines looked at, 2 were" in write_misread(Watched(), reader, tmp_path / "parts", 2, {}, workers=0), (
        "fewer: anew"
    )


def test_other_settings_begin_anew(tmp_path, reader):
    write_misread(Watched(), reader, tmp_path, 1, {"of": 1}, workers=0)
    other = Watched()
    write_misread(other, reader, tmp_path, 1, {"of": 2}, workers=0)
    assert min(other.drawn) == 0


def test_the_verb_takes_the_settings_of_a_config(tmp_path, capsys):
    config = tmp_path / "train.yml"
    config.write_text(
        f"data: {{synth: {{share: 1, fonts: [{FONT}], style: [poor_scan], max_chars: 30}}}}", encoding="utf-8"
    )
    arguments = ["synth", "--config", str(config), "--count", "3", "--seed", "3", "--out", str(tmp_path / "lines")]
    assert cli.main([*arguments, "--misread-by", str(WEIGHTS)]) == 0
    assert "3 were misread and kept" in capsys.readouterr().out
    assert all(row[3:] == ["serif", "poor_scan"] for row in table(tmp_path / "lines/lines.tsv")[1:])
    assert cli.main(arguments) == 0, "without --misread-by: all lines of such a kind"
    assert [name for name, _ in table(tmp_path / "lines/annotation.txt")] == [f"img/{i:06d}.png" for i in range(3)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--config", "configs/qat.yml", "--count", "1", "--style", "form"], "--config decides what --style would"),
        (["--misread-by", str(WEIGHTS), "--recipe", "data/bench"], "leave --receipts and --recipe away"),
        (["--misread-by", str(WEIGHTS)], "--count"),
        (["--misread-by", "none.safetensors", "--count", "1"], "none.safetensors"),
    ],
)
def test_what_the_verb_refuses(tmp_path, capsys, more, says):
    assert cli.main(["synth", "--out", str(tmp_path / "lines"), *more]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "lines").exists()


def test_misread_lines_of_an_annotation_are_named_beside_it(tmp_path, reader):
    """Of lines that lie there already; a line of dots may be misread further and still be kept."""
    generator = Watched()
    rows = []
    for number in range(12):
        line = generator.line(number)
        Image.fromarray(line.image).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png\t{line.text}\n")
    (tmp_path / "annotation.txt").write_text("".join(rows), encoding="utf-8")
    said = keep_misread(tmp_path / "annotation.txt", reader)
    kept = [row[0] for row in table(tmp_path / "misread.txt")]
    assert kept == ["2.png", "5.png", "8.png", "11.png"]
    assert "of 12 lines, 4 were misread and kept" in said
    assert judge("AN AN", "HN HM") == "illegible" and judge("AN AN", "HN HM", 0.8) == "misread"

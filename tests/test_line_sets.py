"""What a comparison reads: annotations and recipes, by name, with what is known of each line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.measure.lines import sets as module
from quantvietocr.measure.lines.sets import LineSetError, line_sets
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.synth.recipe_files import RecipeError


def write_lines(folder: Path, texts: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(texts)):
        Image.new("RGB", (40 + 20 * number, 20), "white").save(folder / f"{number}.png")
    path = folder / "annotation.txt"
    path.write_text("".join(f"{number}.png\t{text}\n" for number, text in enumerate(texts)), encoding="utf-8")
    return path


@pytest.fixture
def recipes(tmp_path, monkeypatch) -> Path:
    """A folder of two recipes, b.yml and a.yml, whose lines are written without drawing them."""

    def lines_of(recipe, out, workers):
        return write_lines(out, [f"{Path(recipe).stem} {workers}"] * 3)

    font = {"file": "A.ttf", "sha256": "0" * 64, "package": "fonts-a", "version": "1"}
    folder = tmp_path / "recipes"
    folder.mkdir()
    for file, name in (("b", "receipt"), ("a", "form")):
        settings = {
            "name": name,
            "seed": 1,
            "count": 3,
            "style": "form",
            "fonts": [font],
            "degrade": 1.0,
            "min_chars": 4,
            "max_chars": 12,
            "max_width": 512,
            "max_squeeze": 1.2,
            "lengths": [1, 0, 0],
            "height": [18, 40],
        }
        (folder / f"{file}.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    monkeypatch.setattr(module, "lines_of", lines_of)
    return folder


def sets_of(*data: Path, out: Path | None = None, **more):
    return line_sets(data, out, DEFAULT_CHARS, ImageSpec(), **more)


def test_each_annotation_and_recipe_is_a_set_in_order(recipes, tmp_path):
    annotation = write_lines(tmp_path / "mine", ["một", "hai"])
    found = sets_of(annotation, recipes, out=tmp_path / "out", workers=3)
    assert [(one.name, [sample.text for sample in one.samples]) for one in found] == [
        (str(annotation), ["một", "hai"]),
        ("form", ["a 3"] * 3),
        ("receipt", ["b 3"] * 3),
    ]
    assert found[1].samples[0].path == tmp_path / "out" / "lines" / "form" / "0.png"
    assert found[0].sizes == ((40, 20), (60, 20)) and found[0].widths == (70, 100) and found[0].groups == {}
    assert [one.name for one in sets_of(recipes / "b.yml", out=tmp_path / "out")] == ["receipt"]


def test_limit_draws_from_each_set(recipes, tmp_path):
    found = sets_of(write_lines(tmp_path / "mine", list("abcdefgh")), recipes / "a.yml", out=tmp_path / "out", limit=5)
    assert [len(one.samples) for one in found] == [5, 3] and len(found[0].widths) == len(found[0].sizes) == 5
    texts = [sample.text for sample in found[0].samples]
    assert (
        texts == sorted(texts) and found[0].samples == sets_of(tmp_path / "mine" / "annotation.txt", limit=5)[0].samples
    )


def test_what_is_known_of_the_lines_comes_along(tmp_path):
    path = write_lines(tmp_path / "mine", ["một", "hai", "ba"])
    rows = ["path\tfont\tfamily\tclass\tlook", "2.png\tB.ttf\tB\tserif\tform", "0.png\tA.ttf\tA\tmono\tletter"]
    (tmp_path / "mine" / "lines.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert sets_of(path)[0].groups == {
        "Font family": ("A", "not in lines.tsv", "B"),
        "Font class": ("mono", "not in lines.tsv", "serif"),
        "Look": ("letter", "not in lines.tsv", "form"),
    }
    for bad in ("", "font\tfamily\nA\tB\n", "path\tlook\n0.png\n"):
        (tmp_path / "mine" / "lines.tsv").write_text(bad, encoding="utf-8")
        with pytest.raises(LineSetError, match="lines.tsv is not a table with a column path"):
            sets_of(path)
    (tmp_path / "mine" / "lines.tsv").write_bytes("path\tlook\nmột".encode("utf-16"))
    with pytest.raises(LineSetError, match=r"lines.tsv is not UTF-8 text \(byte 0\)"):
        sets_of(path)


def test_what_cannot_be_told_apart_or_found_is_said(recipes, tmp_path):
    path = write_lines(tmp_path / "mine", ["một"])
    with pytest.raises(LineSetError, match="annotation.txt is named twice"):
        sets_of(path, path)
    with pytest.raises(LineSetError, match="form is named twice"):
        sets_of(recipes, recipes / "a.yml", out=tmp_path)
    with pytest.raises(LineSetError, match="name one with --out"):
        sets_of(recipes)
    with pytest.raises(RecipeError, match="no recipe"):
        sets_of(tmp_path / "mine", out=tmp_path)


def test_a_picture_that_cannot_be_opened_is_named_before_anything_is_read(tmp_path, capsys):
    path = write_lines(tmp_path / "own", ["ab", "cd", "ef"])
    broken = sorted((tmp_path / "own").rglob("*.png"))[1]
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(LineSetError, match=rf"1 picture cannot be opened.*--problems skip:\n  - {broken}: damaged"):
        sets_of(path)
    (found,) = sets_of(path, problems="skip")
    assert [sample.text for sample in found.samples] == ["ab", "ef"] and len(found.widths) == len(found.sizes) == 2
    assert "1 picture cannot be opened and left out" in capsys.readouterr().out

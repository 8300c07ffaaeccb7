"""Receipts as files: the same from any number of workers, resumed after a stop, cut into lines, known by a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image
from test_receipts_synth import FONTS
from test_recipes import font

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.cli import main as cli
from quantvietocr.synth import recipes
from quantvietocr.synth.lines import fonts
from quantvietocr.synth.receipts import ReceiptConfig, ReceiptGenerator, files
from quantvietocr.synth.receipts import recipe as receipt_recipe
from quantvietocr.synth.receipts.files import ReceiptFilesError, read_truths, write_lines, write_receipts
from quantvietocr.synth.receipts.recipe import first_receipts_sha256, read_receipt_recipe, receipts_of, seal_receipts
from quantvietocr.synth.recipe_files import RecipeError

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.usefixtures("modules_font_cache")


def content_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.fixture(scope="module")
def written(clean_receipts, tmp_path_factory) -> Path:
    return write_receipts(clean_receipts, tmp_path_factory.mktemp("written"), 3, progress=False).parent


def test_workers_make_the_same_files(clean_receipts, written, tmp_path):
    write_receipts(clean_receipts, tmp_path / "two", 3, workers=2, progress=False)
    assert content_of(tmp_path / "two") == content_of(written)
    names = [f"receipt_00000{k}.{kind}" for k in range(3) for kind in ("jpg", "json")]
    assert sorted(content_of(written)) == [*names, "receipts.json"]
    for (path, truth), index in zip(read_truths(written), range(3)):
        with Image.open(path) as picture:
            assert picture.size == (truth["width"], truth["height"]) and truth["made"]["index"] == index


def test_an_interrupted_run_goes_on_and_broken_files_are_made_again(clean_receipts, written, tmp_path, monkeypatch):
    draw, drawn = ReceiptGenerator.page, []

    def page(generator, index, last=1):
        if index > last:
            raise KeyboardInterrupt
        drawn.append(index)
        return draw(generator, index)

    monkeypatch.setattr(ReceiptGenerator, "page", page)
    (tmp_path / files.LISTING).write_text(
        "{}", encoding="utf-8"
    )  # an earlier run's must not stand beside half of this one
    with pytest.raises(KeyboardInterrupt):
        write_receipts(clean_receipts, tmp_path, 3, progress=False)
    assert drawn == [0, 1] and not (tmp_path / files.LISTING).exists()
    (tmp_path / "receipt_000001.jpg").write_bytes(b"cut")
    monkeypatch.setattr(ReceiptGenerator, "page", lambda generator, index: page(generator, index, last=2))
    write_receipts(clean_receipts, tmp_path, 3, progress=False)
    assert drawn == [0, 1, 1, 2] and content_of(tmp_path) == content_of(written)


def test_other_receipts_are_not_mixed_in(written, tmp_path):
    other = ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0), seed=3)
    before = content_of(written)
    with pytest.raises(ReceiptFilesError, match="of other settings"):
        write_receipts(other, written, 3, progress=False)
    assert content_of(written) == before
    with pytest.raises(ReceiptFilesError, match="synth --receipts"):
        read_truths(tmp_path)


def test_a_changed_picture_is_noticed(clean_receipts, tmp_path):
    write_receipts(clean_receipts, tmp_path, 1, progress=False)
    (tmp_path / "receipt_000000.jpg").write_bytes(b"other")
    with pytest.raises(ReceiptFilesError, match="not the picture its truth was written for"):
        read_truths(tmp_path)


def test_lines_are_cut_out_with_their_texts(written):
    annotation = write_lines(written, progress=False)
    rows = [row.split("\t") for row in annotation.read_text(encoding="utf-8").splitlines()]
    lines = [line for _, truth in read_truths(written) for line in truth["lines"]]
    assert [text for _, text in rows] == [line["text"] for line in lines]
    for (name, _), line in zip(rows, lines):
        with Image.open(annotation.parent / name) as cut:
            (left, top), _, (right, bottom), _ = line["box"]
            assert abs(cut.width - (right - left)) < 4 and abs(cut.height - (bottom - top)) < 4
            assert cut.convert("L").getextrema()[0] < 150


# --- recipes and the command ----------------------------------------------------------------------------------------


def write_recipe(path: Path, **changes) -> Path:
    """A recipe of one receipt in two of matplotlib's fonts; a change to None takes the setting out."""
    settings = {
        "name": "tiny",
        "seed": 5,
        "count": 1,
        "degrade": 0.3,
        "fonts": [font("DejaVuSans.ttf"), font("DejaVuSans-Bold.ttf")],
    }
    kept = {key: value for key, value in {**settings, **changes}.items() if value is not None}
    path.write_text("# about\n" + yaml.safe_dump(kept), encoding="utf-8")
    return path


def test_a_sealed_recipe_knows_its_receipts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fonts, "SYSTEM_FOLDERS", ())  # matplotlib's alone
    recipe = write_recipe(tmp_path / "r.yml")
    receipts_of(recipe, tmp_path / "out", progress=False)
    assert "not sealed" in capsys.readouterr().err
    before = recipe.read_text(encoding="utf-8")
    seal_receipts(recipe, tmp_path / "out", progress=False)
    assert recipe.read_text(encoding="utf-8").startswith(before)
    sealed = read_receipt_recipe(recipe)
    assert sealed.sha256 == sealed.first == first_receipts_sha256(sealed) and "Pillow" in sealed.made_with
    receipts_of(recipe, tmp_path / "out", progress=False)
    assert capsys.readouterr().err == ""
    recipe.write_text(recipe.read_text(encoding="utf-8").replace(sealed.sha256, "f" * 64), encoding="utf-8")
    receipts_of(recipe, tmp_path / "out", progress=False)
    assert "not comparable" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"colour": 1}, "unknown setting colour"),
        ({"count": None}, "does not say count"),
        ({"degrade": 2.0}, "between 0 and 1"),
        ({"seed": -1}, "seed from 0"),
        ({"fonts": []}, "at least one font"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tmp_path, changes, said):
    with pytest.raises(RecipeError, match=said):
        read_receipt_recipe(write_recipe(tmp_path / "r.yml", **changes))


def test_the_command_makes_receipts_and_their_lines(tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["synth", "--receipts", "--out", str(out), "--fonts", *FONTS]
    assert cli.main([*arguments, "--count", "1", "--degrade", "0", "--lines"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "receipts.json"), str(out / "lines" / "annotation.txt")]
    for wrong, said in (
        (["synth", "--lines", "--out", "x", "--count", "1"], "for --receipts"),
        (arguments, "--count, or by a --recipe"),
        ([*arguments, "--count", "1", "--style", "form"], "leave --text and --style away"),
        ([*arguments, "--recipe", "x.yml"], "by a --recipe alone"),
        ([*arguments, "--count", "1", "--seal"], "--seal"),
    ):
        assert cli.main(wrong) == 2
        assert said in capsys.readouterr().err


def test_the_shipped_receipts_are_whole_and_small():
    shipped = read_truths(ROOT / "data" / "receipts")
    assert len(shipped) == 6 and sum(path.stat().st_size for path, _ in shipped) <= 1_500_000
    assert len({truth["kind"] for _, truth in shipped}) == 3
    for _, truth in shipped:
        assert set("".join(line["text"] for line in truth["lines"])) <= set(DEFAULT_CHARS)
    recipe = read_receipt_recipe(ROOT / "data" / "receipts" / "samples.yml")
    assert (
        receipt_recipe.receipts_sha256(receipt_recipe._decoded(ROOT / "data" / "receipts")) == recipe.sha256
        or recipe.made_with != recipes.libraries()
    ), "data/receipts and its recipe have come apart"


@pytest.mark.parametrize("name", ["samples", "bench"])
def test_the_shipped_recipes_still_give_their_first_receipts(name):
    recipe = read_receipt_recipe(ROOT / "data" / "receipts" / f"{name}.yml")
    try:
        found = first_receipts_sha256(recipe)
    except RecipeError as error:
        pytest.skip(str(error))
    ours, *sealed_with = recipe.made_with.split(", ")  # our own version is what is tested
    assert ours.startswith("quantvietocr ")
    if found != recipe.first and sealed_with != recipes.libraries().split(", ")[1:]:
        pytest.skip(f"other receipts come out; sealed with {recipe.made_with}, here {recipes.libraries()}")
    assert found == recipe.first, "other receipts come out: seal the recipes anew and publish new numbers"

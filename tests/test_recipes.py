"""Benchmark recipes: the same lines from the same recipe, and one sentence where that cannot be."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml
from matplotlib import get_data_path
from PIL import Image

from quantvietocr.cli import main as cli
from quantvietocr.synth import recipe_files, recipes
from quantvietocr.synth.lines import LineGenerator, fonts
from quantvietocr.synth.recipe_files import RecipeError, read_recipe, recipes_in
from quantvietocr.synth.recipes import first_sha256, lines_of, lines_sha256, seal

BENCH = Path(__file__).resolve().parents[1] / "data" / "bench"
SYSTEM_FOLDERS = fonts.SYSTEM_FOLDERS
COUNT = 4
pytestmark = pytest.mark.usefixtures("only_matplotlib_fonts")


@pytest.fixture
def only_matplotlib_fonts(own_font_cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """No system fonts, as on a bare machine."""
    monkeypatch.setattr(fonts, "SYSTEM_FOLDERS", ())


@pytest.fixture
def system_fonts(only_matplotlib_fonts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this machine after all."""
    monkeypatch.setattr(fonts, "SYSTEM_FOLDERS", SYSTEM_FOLDERS)


def font(file: str) -> dict[str, str]:
    path = Path(get_data_path(), "fonts", "ttf", file)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": file, "sha256": digest, "package": "fonts-dejavu", "version": "1:2.37-6"}


def write_recipe(path: Path, **changes) -> Path:
    """A recipe of COUNT short lines; a change to None takes the setting out."""
    settings = {
        "name": "tiny",
        "seed": 5,
        "count": COUNT,
        "style": "form",
        "degrade": 1.0,
        "min_chars": 4,
        "max_chars": 12,
        "max_width": 512,
        "max_squeeze": 1.2,
        "lengths": [1, 0, 0],
        "height": [18, 40],
        "fonts": [font("DejaVuSans.ttf"), font("DejaVuSerif-Bold.ttf")],
    }
    kept = {key: value for key, value in {**settings, **changes}.items() if value is not None}
    path.write_text("# about\n" + yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "tiny.yml")


@pytest.fixture
def sealed(recipe: Path, tmp_path: Path) -> Path:
    seal(recipe, tmp_path / "sealed", progress=False)
    return recipe


def content(annotation: Path) -> dict[str, bytes]:
    """Every file of a folder of lines, but for the note about them."""
    folder = annotation.parent
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != recipes.STAMP
    }


def refusal(call, *arguments) -> str:
    with pytest.raises(RecipeError) as caught:
        call(*arguments)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


# --- the same lines again ---------------------------------------------------------------------------------------------


def test_a_recipe_gives_the_same_files_with_any_number_of_workers(sealed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("quantvietocr.synth.lines.generator.CHUNK", 1)  # else one worker would draw all four
    alone, two = (lines_of(sealed, tmp_path / name, workers, progress=False) for name, workers in (("a", 1), ("b", 2)))
    assert content(alone) == content(two) == content(tmp_path / "sealed" / "annotation.txt")
    assert lines_sha256(alone) == read_recipe(sealed).sha256
    assert capsys.readouterr().err == ""
    other = lines_of(write_recipe(tmp_path / "other.yml", seed=6), tmp_path / "c", progress=False)
    assert other.read_text(encoding="utf-8") != alone.read_text(encoding="utf-8")


def test_the_hash_covers_labels_pixels_and_order_but_not_png_compression(sealed, tmp_path):
    annotation = tmp_path / "sealed" / "annotation.txt"
    picture, was = annotation.parent / "img" / "000001.png", read_recipe(sealed).sha256
    Image.open(picture).save(picture, compress_level=0)
    assert lines_sha256(annotation) == was
    rows = annotation.read_text(encoding="utf-8").splitlines()
    hashes = {was}
    for changed in (rows[::-1], rows[:-1], [rows[0] + "x", *rows[1:]]):
        annotation.write_text("\n".join(changed) + "\n", encoding="utf-8")
        hashes.add(lines_sha256(annotation))
    annotation.write_text("\n".join(rows) + "\n", encoding="utf-8")
    image = Image.open(picture).copy()
    image.putpixel((0, 0), tuple(value ^ 1 for value in image.getpixel((0, 0))))
    image.save(picture)
    assert len(hashes | {lines_sha256(annotation)}) == 5


def test_each_row_has_its_font_beside_it(sealed, tmp_path):
    folder = tmp_path / "sealed"
    head, *rows = [row.split("\t") for row in (folder / "lines.tsv").read_text(encoding="utf-8").splitlines()]
    assert head == ["path", "font", "family", "class", "look"] and len(rows) == COUNT
    names = [row.split("\t")[0] for row in (folder / "annotation.txt").read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == names
    generator = recipes.make_generator(read_recipe(sealed))
    assert [row[1] for row in rows] == [Path(generator.line(index).font).name for index in range(COUNT)]
    known = {
        ("DejaVuSans.ttf", "DejaVu Sans", "sans", "form"),
        ("DejaVuSerif-Bold.ttf", "DejaVu Serif", "serif", "form"),
    }
    assert {tuple(row[1:]) for row in rows} == known


def test_sealing_keeps_the_rest_of_the_recipe_and_covers_the_first_lines(recipe, tmp_path, monkeypatch):
    before = recipe.read_text(encoding="utf-8")
    monkeypatch.setattr(recipes, "FIRST", 2)
    seal(recipe, tmp_path / "out", progress=False)
    after = recipe.read_text(encoding="utf-8")
    assert after.startswith(before) and re.search(r"made_with: quantvietocr .*, Pillow \d.*, NumPy \d", after)
    first = read_recipe(recipe).first
    assert first == first_sha256(read_recipe(recipe)) != read_recipe(recipe).sha256
    seal(recipe, tmp_path / "out", progress=False)
    assert recipe.read_text(encoding="utf-8") == after
    monkeypatch.setattr(recipes, "FIRST", COUNT)  # then both hashes are over the same lines
    assert first_sha256(read_recipe(recipe)) == read_recipe(recipe).sha256


def test_every_setting_reaches_the_generator(tmp_path):
    knobs = {
        "style": "receipt",
        "degrade": 0.5,
        "min_chars": 3,
        "max_chars": 9,
        "max_width": 300,
        "max_squeeze": 1.1,
        "lengths": (0.2, 0.3, 0.5),
        "height": (20, 30),
        "lists": 0.4,
    }
    lists = {key: list(knobs[key]) for key in ("lengths", "height")}
    generator = recipes.make_generator(read_recipe(write_recipe(tmp_path / "r.yml", **{**knobs, **lists}, seed=77)))
    assert {key: getattr(generator.config, key) for key in knobs} == knobs
    assert generator.seed == 77 and generator.config.texts == () and len(generator.config.fonts) == 2


# --- lines that are there already -------------------------------------------------------------------------------------


def test_whole_lines_are_kept_and_broken_ones_made_again(sealed, tmp_path, monkeypatch):
    folder = tmp_path / "sealed"
    want = content(folder / "annotation.txt")
    with monkeypatch.context() as patch:
        patch.setattr(recipes, "make_generator", None)  # nothing is drawn
        assert lines_of(sealed, folder, progress=False) == folder / "annotation.txt"
    for spoil in (
        lambda: (folder / "img" / "000002.png").unlink(),
        lambda: (folder / "img" / "000002.png").write_bytes(b"cut"),
        lambda: (folder / "lines.tsv").unlink(),
        lambda: (folder / "annotation.txt").write_text("img/000000.png\tx\n", encoding="utf-8"),
    ):
        spoil()
        lines_of(sealed, folder, progress=False)
        assert content(folder / "annotation.txt") == want


def test_an_interrupted_recipe_is_made_again(sealed, tmp_path, monkeypatch):
    whole, part = tmp_path / "sealed", tmp_path / "part"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("quantvietocr.synth.lines.generator.LineGenerator.line", interrupt_at(2))
        lines_of(sealed, part, progress=False)
    assert not (part / "annotation.txt").exists() and (part / "img" / "000001.png").exists()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recipes, "lines_sha256", interrupt_at(0))  # the labels are there, the last word is not
        lines_of(sealed, part, progress=False)
    assert content(lines_of(sealed, part, progress=False)) == content(whole / "annotation.txt")


def interrupt_at(index: int):
    draw = LineGenerator.line

    def line(generator, number=0):
        if number >= index:
            raise KeyboardInterrupt
        return draw(generator, number)

    return line


def test_lines_of_other_origin_are_not_overwritten(sealed, tmp_path):
    mine = tmp_path / "mine" / "annotation.txt"
    mine.parent.mkdir()
    mine.write_text("a.png\tcủa tôi\n", encoding="utf-8")
    assert "no recipe made" in refusal(lines_of, sealed, mine.parent)
    assert "no recipe made" in refusal(seal, sealed, mine.parent)
    assert content(mine) == {"annotation.txt": "a.png\tcủa tôi\n".encode()}


def test_other_lines_than_the_recipe_stands_for_are_announced(sealed, tmp_path, capsys):
    text = sealed.read_text(encoding="utf-8")
    sealed.write_text(
        text.replace(read_recipe(sealed).sha256, "f" * 64).replace("Pillow ", "Pillow 9"), encoding="utf-8"
    )
    for _ in range(2):  # made, then kept
        lines_of(sealed, tmp_path / "out", progress=False)
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "tiny: these lines differ" in said and "not comparable" in said
        assert "there quantvietocr" in said and "Pillow 9" in said
    lines_of(write_recipe(tmp_path / "open.yml"), tmp_path / "open", progress=False)
    assert "not sealed" in capsys.readouterr().err


# --- what a recipe may say --------------------------------------------------------------------------------------------


def test_missing_fonts_are_named_with_the_command_that_brings_them(tmp_path, monkeypatch):
    lost = {"file": "Lost.ttf", "sha256": "1" * 64, "package": "fonts-lost", "version": "2:1.0-1"}
    other = {**font("DejaVuSerif.ttf"), "sha256": "2" * 64}
    path = write_recipe(tmp_path / "r.yml", fonts=[font("DejaVuSans.ttf"), lost, other])
    said = refusal(lines_of, path, tmp_path / "out")
    assert "lacks 2 of 3 fonts" in said and "Lost.ttf (not found), DejaVuSerif.ttf (another version)" in said
    assert "`apt-get install fonts-dejavu=1:2.37-6 fonts-lost=2:1.0-1`" in said
    assert not (tmp_path / "out").exists()
    many = [{**lost, "file": f"Lost{index}.ttf"} for index in range(recipe_files.SHOWN + 3)]
    assert "Lost4.ttf (not found) and 3 more" in refusal(lines_of, write_recipe(path, fonts=many), tmp_path / "out")
    unusable = write_recipe(path, fonts=[font("DejaVuSans.ttf"), font("STIXGeneral.ttf")])
    assert "only 1 of 2 fonts can be used (1 characters missing)" in refusal(lines_of, unusable, tmp_path / "out")
    twice = write_recipe(path, fonts=copies(tmp_path, monkeypatch))
    assert "the same face twice" in refusal(lines_of, twice, tmp_path / "out")


def copies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """One font under two names: the generator would draw with one of them alone."""
    (folder / "fonts").mkdir()
    source = font("DejaVuSans.ttf")
    (folder / "fonts" / "Copy.ttf").write_bytes(Path(get_data_path(), "fonts", "ttf", source["file"]).read_bytes())
    monkeypatch.setattr(fonts, "SYSTEM_FOLDERS", (str(folder / "fonts"),))
    return [source, {**source, "file": "Copy.ttf"}]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"colour": 1}, "unknown setting colour"),
        ({"seed": "five"}, "seed must be int"),
        ({"seed": -1}, "seed from 0"),
        ({"count": None}, "does not say count"),
        ({"count": 0}, "count from 1"),
        ({"name": "../up"}, "a name of letters"),
        ({"style": "postcard"}, "style='postcard' is unknown"),
        ({"degrade": -1.0}, "degrade"),
        ({"fonts": "none.yml"}, "none.yml cannot be read"),
        ({"fonts": []}, "at least one font"),
        ({"fonts": [{"file": "A.ttf"}]}, "a font does not say sha256, package, version"),
        (
            {"fonts": [{"file": "A.ttf", "sha256": "1" * 64, "package": "a; rm -r b", "version": "1"}]},
            "a Debian package",
        ),
        ({"fonts": [{"file": "A.ttf", "sha256": "1" * 64, "package": "aa", "version": "1"}] * 2}, "none of them twice"),
        ({"sha256": "abc"}, "sha256 is not a hash"),
    ],
)
def test_a_wrong_recipe_is_one_sentence_with_its_name(tmp_path, changes, said):
    message = refusal(read_recipe, write_recipe(tmp_path / "wrong.yml", **changes))
    assert said in message and ("wrong.yml" in message or "none.yml" in message)


def test_a_file_that_is_no_recipe(tmp_path):
    for text, said in (("- a\n", "not list"), ("a: [\n", "not readable as YAML"), ("", "not NoneType")):
        (tmp_path / "r.yml").write_text(text, encoding="utf-8")
        assert said in refusal(read_recipe, tmp_path / "r.yml")


def test_a_folder_of_recipes_leaves_its_font_lists_out(tmp_path):
    assert "holds no recipe" in refusal(recipes_in, tmp_path)
    assert "No such recipe" in refusal(recipes_in, tmp_path / "none.yml")
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "list.yml").write_text(yaml.safe_dump([font("DejaVuSans.ttf")]), encoding="utf-8")
    second, first = (write_recipe(tmp_path / name, fonts="fonts/list.yml") for name in ("b.yml", "a.yml"))
    assert recipes_in(tmp_path) == [first, second] and recipes_in(str(second)) == [second]
    assert [entry.file for entry in read_recipe(first).fonts] == ["DejaVuSans.ttf"]


def test_the_command_makes_a_folder_of_recipes(recipe, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["synth", "--recipe", str(recipe), "--out", str(out), "--seal"]) == 0
    assert cli.main(["synth", "--recipe", str(tmp_path), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "annotation.txt"), str(out / "tiny" / "annotation.txt")]
    assert lines_sha256(out / "tiny" / "annotation.txt") == read_recipe(recipe).sha256
    for arguments, said in (
        (["--recipe", str(recipe), "--count", "3"], "what --count would"),
        (["--recipe", str(recipe), "--seed", "0"], "what --seed would"),
        (["--seal", "--count", "3"], "name it with --recipe"),
        (["--recipe", str(recipe), "--workers", "0"], "at least 1"),
        ([], "with --count, or name a --recipe"),
    ):
        assert cli.main(["synth", "--out", str(tmp_path / "none"), *arguments]) == 2
        assert said in capsys.readouterr().err


# --- the recipes of this repository -----------------------------------------------------------------------------------


def test_the_shipped_recipes_are_whole():
    shipped = [read_recipe(path) for path in recipes_in(BENCH)]
    assert [recipe.name for recipe in shipped] == ["form", "letter", "poor_scan", "receipt"]
    assert [recipe.style for recipe in shipped] == [path.stem for path in recipes_in(BENCH)]
    assert {recipe.count for recipe in shipped} == {1000} and len({recipe.seed for recipe in shipped}) == 4
    assert (
        all(recipe.first and recipe.made_with for recipe in shipped) and len({recipe.sha256 for recipe in shipped}) == 4
    )


@pytest.mark.parametrize("path", [*recipes_in(BENCH), BENCH.parent / "lists.yml"], ids=lambda path: path.stem)
def test_the_shipped_recipes_still_give_their_first_lines(path, system_fonts):
    recipe = read_recipe(path)
    try:
        found = first_sha256(recipe)
    except RecipeError as error:
        pytest.skip(str(error))
    ours, *sealed_with = recipe.made_with.split(", ")  # our own version is what is tested
    assert ours.startswith("quantvietocr ")
    if found != recipe.first and sealed_with != recipes.libraries().split(", ")[1:]:
        pytest.skip(f"other lines come out; sealed with {recipe.made_with}, here {recipes.libraries()}")
    assert found == recipe.first, "the line generator draws other lines: seal the recipes anew and publish new numbers"

"""Benchmark lines from recipes: made, hashed, and sealed with their hash."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from tqdm import tqdm

from ..common.files import write_text
from ..common.parsing import json_of
from .recipe_files import SEAL, Recipe, RecipeError, libraries, make_generator, read_recipe

FIRST = 20  # lines that `Recipe.first` covers: enough to notice other libraries, made in a second
STAMP = "recipe.json"  # beside annotation.txt: which recipe the lines were made from, and their hash


def line_sha256(text: str, image: np.ndarray) -> bytes:
    """Hash one line: the label in UTF-8, "HxW" and the pixels, with a zero byte between them.

    Args:
        text: the label.
        image: uint8 RGB array (H, W, 3).

    Returns:
        The 32 bytes of its SHA-256.
    """
    height, width, _ = image.shape
    head = f"{text}\0{height}x{width}\0".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).digest()


def lines_sha256(annotation: str | Path) -> str:
    """Hash the lines on disk. How their PNG files are compressed does not matter.

    Args:
        annotation: the annotation that names the lines.

    Returns:
        SHA-256 over the hashes of all lines (`line_sha256`), in the annotation's order, as 64 hexadecimal digits.

    Raises:
        OSError: a picture is missing or broken.
    """
    annotation, total = Path(annotation), hashlib.sha256()
    for row in annotation.read_text(encoding="utf-8").splitlines():
        name, _, text = row.partition("\t")
        with Image.open(annotation.parent / name) as picture:
            total.update(line_sha256(text, np.asarray(picture.convert("RGB"))))
    return total.hexdigest()


def first_sha256(recipe: Recipe) -> str:
    """Hash the first FIRST lines of a recipe, made in memory. Raises as `make_generator`."""
    generator, total = make_generator(recipe), hashlib.sha256()
    for line in map(generator.line, range(min(FIRST, recipe.count))):
        total.update(line_sha256(line.text, line.image))
    return total.hexdigest()


def lines_of(recipe_path: str | Path, out_folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make a recipe's lines, or keep them where they are complete.

    A line on stderr says where the lines are not those that the recipe's hash stands for.

    Args:
        recipe_path: the recipe.
        out_folder: where the lines lie: `annotation.txt`, `img/`, `lines.tsv` (each line's font) and a stamp.
        workers: processes that draw.
        progress: whether to show a progress bar on stderr.

    Returns:
        The path of `annotation.txt`.

    Raises:
        RecipeError: there is no such recipe, fonts are missing, or the folder holds other lines.
    """
    recipe, folder = read_recipe(recipe_path), Path(out_folder)
    made = _made_before(recipe, folder)
    if made is None:
        made = _make(recipe, folder, workers, progress)
    if made != recipe.sha256:
        tqdm.write(_difference(recipe), file=sys.stderr)
    return folder / "annotation.txt"


def seal(recipe_path: str | Path, out_folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make the lines anew and write their hashes, and the libraries' versions, into the recipe.

    Other rows of the recipe file, comments included, stay as they are.

    Args:
        recipe_path: the recipe, which is changed.
        out_folder: where the lines are written.
        workers: processes that draw.
        progress: whether to show a progress bar on stderr.

    Returns:
        The path of `annotation.txt`.

    Raises:
        RecipeError: as `lines_of`.
    """
    recipe_path, folder = Path(recipe_path), Path(out_folder)
    recipe = read_recipe(recipe_path)
    values = {
        "sha256": _make(recipe, folder, workers, progress),
        "first": first_sha256(recipe),
        "made_with": libraries(),
    }
    kept = [row for row in recipe_path.read_text(encoding="utf-8").splitlines() if row.partition(":")[0] not in SEAL]
    # YAML quotes a hash without letters, which would be a number.
    sealed = yaml.safe_dump(values, sort_keys=False, width=1000)
    write_text(recipe_path, "".join(f"{row}\n" for row in kept) + sealed)
    return folder / "annotation.txt"


def _made_before(recipe: Recipe, folder: Path) -> str | None:
    """Return the hash of the lines in `folder` if they are this recipe's, whole, and made with these libraries."""
    annotation, stamp = folder / "annotation.txt", folder / STAMP
    if not annotation.exists() or not stamp.exists():
        return None
    try:
        noted = json_of(stamp.read_text(encoding="utf-8"))
        made = lines_sha256(annotation)
    except (OSError, ValueError):
        return None  # cut short, or changed by hand: they are made again
    whole = noted == _stamp(recipe, made) or made == recipe.sha256
    return made if whole and (folder / "lines.tsv").exists() else None


def _make(recipe: Recipe, folder: Path, workers: int, progress: bool) -> str:
    if (folder / "annotation.txt").exists() and not (folder / STAMP).exists():
        raise RecipeError(f"{folder} holds lines that no recipe made: name another folder, they would be overwritten.")
    generator = make_generator(recipe)
    _write_stamp(recipe, folder, "")  # first, so that lines cut short are known for a recipe's own
    made = lines_sha256(generator.write(folder, recipe.count, workers, progress))
    _write_stamp(recipe, folder, made)
    return made


def _write_stamp(recipe: Recipe, folder: Path, made: str) -> None:
    write_text(folder / STAMP, json.dumps(_stamp(recipe, made), indent=1) + "\n")


def _stamp(recipe: Recipe, made: str) -> dict[str, str]:
    return {"recipe": recipe.name, "settings": recipe.settings(), "made_with": libraries(), "sha256": made}


def _difference(recipe: Recipe) -> str:
    if not recipe.sha256:
        return (
            f"Recipe {recipe.name} is not sealed: nothing says whether these lines are those of others (synth --seal)."
        )
    return (
        f"Recipe {recipe.name}: these lines differ from those its hash stands for (here {libraries()}; there "
        f"{recipe.made_with}), so numbers on them are not comparable to published ones."
    )

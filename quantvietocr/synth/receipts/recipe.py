"""Recipes of receipts: a YAML file that, with the fonts it names, decides every picture and truth of a set."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tqdm import tqdm

from ...common.files import write_text
from ...common.yaml_settings import ConfigError, build
from ..lines.config import SynthError
from ..recipe_files import SEAL, Font, RecipeError, find_fonts, libraries, recipe_tree, refuse_values
from .files import read_truths, write_receipts
from .generator import ReceiptConfig, ReceiptGenerator

FIRST = 3  # receipts that `ReceiptRecipe.first` covers


@dataclass(frozen=True)
class ReceiptRecipe:
    """What decides a set of receipts.

    Attributes:
        name: letters, digits, _ and -; it becomes the name of a folder.
        seed: decides everything random.
        count: number of receipts.
        fonts: the font files, in the order in which they are used.
        degrade: as in `ReceiptConfig`.
        turned: as in `ReceiptConfig`.
        sha256: hash of all truths and decoded pixels in order; empty until the recipe is sealed.
        first: hash of the first FIRST receipts; empty until then.
        made_with: the libraries that the recipe was sealed with; empty until then.
    """

    name: str
    seed: int
    count: int
    fonts: list[Font]
    degrade: float = 1.0
    turned: float = 0.0
    sha256: str = ""
    first: str = ""
    made_with: str = ""


def read_receipt_recipe(path: str | Path) -> ReceiptRecipe:
    """Read a recipe of receipts.

    Args:
        path: the YAML file; `fonts:` in it is as in a recipe of lines.

    Returns:
        The recipe.

    Raises:
        RecipeError: a setting cannot be used.
    """
    path = Path(path)
    tree = recipe_tree(path, ReceiptRecipe)
    try:
        recipe = build(ReceiptRecipe, tree, str(path))
        ReceiptConfig(degrade=recipe.degrade, turned=recipe.turned)
    except (ConfigError, SynthError) as error:
        raise RecipeError(str(error) if isinstance(error, ConfigError) else f"{path}: {error}.") from error
    refuse_values(recipe, path)
    return recipe


def receipts_of(recipe_path: str | Path, folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make a recipe's receipts, keeping those that are there.

    A line on stderr says where the receipts are not those that the recipe's hash stands for.

    Args:
        recipe_path: the recipe.
        folder: where the receipts lie.
        workers: processes that draw.
        progress: whether to show a progress bar on stderr.

    Returns:
        The path of `receipts.json`.

    Raises:
        RecipeError: the recipe cannot be used, or fonts are missing.
        ReceiptFilesError: the folder holds receipts of other settings.
    """
    recipe = read_receipt_recipe(recipe_path)
    listing = write_receipts(_generator(recipe), folder, recipe.count, workers, progress)
    if receipts_sha256(_decoded(folder)) != recipe.sha256:
        tqdm.write(_difference(recipe), file=sys.stderr)
    return listing


def seal_receipts(recipe_path: str | Path, folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make the receipts anew and write their hashes, and the libraries' versions, into the recipe.

    Other rows of the recipe file stay as they are.

    Args:
        recipe_path: the recipe, which is changed.
        folder: where the receipts are written.
        workers: processes that draw.
        progress: whether to show a progress bar on stderr.

    Returns:
        The path of `receipts.json`.

    Raises:
        RecipeError: as `receipts_of`.
        ReceiptFilesError: as `receipts_of`.
    """
    recipe_path = Path(recipe_path)
    recipe = read_receipt_recipe(recipe_path)
    listing = write_receipts(_generator(recipe), folder, recipe.count, workers, progress, anew=True)
    values = {
        "sha256": receipts_sha256(_decoded(folder)),
        "first": first_receipts_sha256(recipe),
        "made_with": libraries(),
    }
    kept = [row for row in recipe_path.read_text(encoding="utf-8").splitlines() if row.partition(":")[0] not in SEAL]
    write_text(recipe_path, "".join(f"{row}\n" for row in kept) + yaml.safe_dump(values, sort_keys=False, width=1000))
    return listing


def first_receipts_sha256(recipe: ReceiptRecipe) -> str:
    """Hash the first FIRST receipts of a recipe, made in memory. Raises RecipeError where a font is missing."""
    generator = _generator(recipe)
    return receipts_sha256((page.truth, page.image) for page in map(generator.page, range(min(FIRST, recipe.count))))


def receipts_sha256(pages: Iterable[tuple[dict[str, Any], np.ndarray]]) -> str:
    """Hash receipts in order.

    Args:
        pages: (truth, pixels) each; pixels are uint8 RGB (H, W, 3). Of a truth counts what is on the page and where.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for truth, pixels in pages:
        hashed = {key: truth[key] for key in ("kind", "turned", "lines", "rows", "ignore", "fields", "items")}
        total.update(json.dumps(hashed, ensure_ascii=False, sort_keys=True).encode())
        total.update(f"\0{pixels.shape[0]}x{pixels.shape[1]}\0".encode() + np.ascontiguousarray(pixels).tobytes())
    return total.hexdigest()


def _decoded(folder: str | Path) -> Iterable[tuple[dict[str, Any], np.ndarray]]:
    for path, truth in read_truths(folder):
        with Image.open(path) as picture:
            yield truth, np.asarray(picture.convert("RGB"))


def _generator(recipe: ReceiptRecipe) -> ReceiptGenerator:
    fonts = tuple(map(str, find_fonts(recipe)))
    generator = ReceiptGenerator(ReceiptConfig(fonts, recipe.degrade, recipe.turned), recipe.seed)
    used = sum(len(faces) for faces in generator.pool.families.values())
    if used != len(fonts):
        raise RecipeError(
            f"Recipe {recipe.name}: only {used} of {len(fonts)} fonts can be used: take the others out of its list."
        )
    return generator


def _difference(recipe: ReceiptRecipe) -> str:
    if not recipe.sha256:
        return (
            f"Recipe {recipe.name} is not sealed: nothing says whether these receipts are those of others (synth "
            "--receipts --seal)."
        )
    return (
        f"Recipe {recipe.name}: these receipts differ from those its hash stands for (here {libraries()}; there "
        f"{recipe.made_with}), so numbers on them are not comparable to published ones."
    )

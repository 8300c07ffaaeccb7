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

FIRST = 3  # receipts that ``first`` covers


@dataclass(frozen=True)
class ReceiptRecipe:
    """What decides the receipts; ``degrade`` and ``turned`` as in :class:`ReceiptConfig`.

    ``sha256`` covers all truths and decoded pixels in order, ``first`` those of the first FIRST; ``made_with`` says with
    which libraries. All three are empty until :func:`seal_receipts` fills them in.
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
    """The recipe at ``path``; ``fonts:`` as in a recipe of lines. Raises RecipeError for a setting that cannot be used."""
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
    """Make a recipe's receipts in ``folder``, keeping those that are there; returns ``receipts.json``.

    Says on stderr where they are not those that the recipe's hash stands for. Raises RecipeError, ReceiptFilesError.
    """
    recipe = read_receipt_recipe(recipe_path)
    listing = write_receipts(_generator(recipe), folder, recipe.count, workers, progress)
    if receipts_sha256(_decoded(folder)) != recipe.sha256:
        tqdm.write(_difference(recipe), file=sys.stderr)
    return listing


def seal_receipts(recipe_path: str | Path, folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make the receipts and write their hashes, and the libraries' versions, into the recipe; returns ``receipts.json``.

    Other lines of the recipe file stay as they are. Raises as :func:`receipts_of`.
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
    """Hash of the first FIRST receipts, made in memory. Raises RecipeError where a font is missing."""
    generator = _generator(recipe)
    return receipts_sha256((page.truth, page.image) for page in map(generator.page, range(min(FIRST, recipe.count))))


def receipts_sha256(pages: Iterable[tuple[dict[str, Any], np.ndarray]]) -> str:
    """Hash over truths (what is on the page and where) and (H, W, 3) uint8 RGB pixels, in order."""
    total = hashlib.sha256()
    for truth, pixels in pages:
        said = {key: truth[key] for key in ("kind", "turned", "lines", "rows", "ignore", "fields", "items")}
        total.update(json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
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

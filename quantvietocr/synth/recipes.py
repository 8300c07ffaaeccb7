"""Benchmark recipes: a YAML file that, with the fonts it names, decides every label and pixel of a set of lines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import yaml
from PIL import Image, features
from tqdm import tqdm

from .. import __version__
from ..common.files import write_text
from ..common.yaml_settings import ConfigError, build
from ..errors import UserError
from .lines.config import SynthConfig, SynthError
from .lines.fonts import find_files
from .lines.generator import LineGenerator

FIRST = 20  # lines that ``first`` covers: enough to notice other libraries, made in a second
STAMP = "recipe.json"  # beside annotation.txt: which recipe the lines were made from, and their hash
SHOWN = 5  # fonts named before "and N more"
SEAL = ("sha256", "first", "made_with")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGE, _VERSION = re.compile(r"[a-z0-9][a-z0-9+.-]+"), re.compile(r"[A-Za-z0-9.+:~-]+")  # Debian Policy 5.6


class RecipeError(UserError):
    """A recipe cannot be read, or its fonts are not there."""


@dataclass(frozen=True)
class Font:
    """A font file by name and content, and the Debian package that it comes in."""

    file: str
    sha256: str
    package: str
    version: str


@dataclass(frozen=True)
class Recipe:
    """What decides the lines. From ``style`` to ``lists``: as in :class:`SynthConfig`; texts come from the embedded source.

    ``sha256`` covers all labels and decoded pixels in order (see :func:`lines_sha256`), ``first`` those of the first FIRST
    lines; ``made_with`` says with which libraries. All three are empty until :func:`seal` fills them in.
    """

    name: str
    seed: int
    count: int
    style: str
    fonts: list[Font]
    degrade: float
    min_chars: int
    max_chars: int
    max_width: int
    max_squeeze: float
    lengths: list[float]
    height: list[int]
    lists: float = 0.0
    sha256: str = ""
    first: str = ""
    made_with: str = ""

    def settings(self) -> str:
        """Hash of what decides the lines: everything but the seal."""
        values = {key: value for key, value in dataclasses.asdict(self).items() if key not in SEAL}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def recipe_tree(path: Path, kind: type) -> dict[str, Any]:
    """Plain values of a recipe of dataclass ``kind``, its list of fonts among them. Raises RecipeError for a missing one."""
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: a recipe holds key: value settings, not {type(tree).__name__}.")
    if isinstance(tree.get("fonts"), str):
        tree["fonts"] = read_yaml(path.parent / tree["fonts"])
    refuse_missing(kind, tree, str(path))
    for font in tree["fonts"] if isinstance(tree["fonts"], list) else ():
        refuse_missing(Font, font, f"{path}: a font")
    return tree


def read_recipe(path: str | Path) -> Recipe:
    """The recipe at ``path``. ``fonts:`` is a list, or the name of a YAML file with one, relative to the recipe.

    Raises RecipeError for an unknown, missing or unusable setting.
    """
    path = Path(path)
    tree = recipe_tree(path, Recipe)
    try:
        recipe = build(Recipe, tree, str(path))
        _synth_config(recipe, ())
    except (ConfigError, SynthError) as error:
        raise RecipeError(str(error) if isinstance(error, ConfigError) else f"{path}: {error}.") from error
    refuse_values(recipe, path)
    return recipe


def refuse_missing(kind: type, tree: Any, where: str) -> None:
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and isinstance(tree, dict) and item.name not in tree
    ]
    if missing:
        raise RecipeError(f"{where} does not say {', '.join(missing)}: add what is missing.")


def refuse_values(recipe: Recipe, path: Path) -> None:
    if recipe.count < 1 or recipe.seed < 0 or not re.fullmatch(r"[\w-]+", recipe.name):  # names become folders
        raise RecipeError(
            f"{path}: a recipe needs a name of letters, digits, _ and -, a count from 1 and a seed from 0."
        )
    files = [font.file for font in recipe.fonts]
    if not files or len(set(files)) < len(files):
        raise RecipeError(f"{path}: fonts must name at least one font file, and none of them twice.")
    for font in recipe.fonts:
        # Package and version become part of a command that people paste.
        if not (
            _SHA256.fullmatch(font.sha256) and _PACKAGE.fullmatch(font.package) and _VERSION.fullmatch(font.version)
        ):
            raise RecipeError(
                f"{path}: font {font.file!r} needs a sha256 of 64 hexadecimal digits, and a Debian package and version."
            )
    for key in ("sha256", "first"):
        value = getattr(recipe, key)
        if value and not _SHA256.fullmatch(value):
            raise RecipeError(
                f"{path}: {key} is not a hash of 64 hexadecimal digits; let `quantvietocr synth --seal` write it."
            )


def read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror}): name a YAML file.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date like 2024-13-01
        raise RecipeError(f"{path} is not readable as YAML: {str(error).splitlines()[0]}.") from error


def recipes_in(path: str | Path) -> list[Path]:
    """A recipe file as it is, or the ``*.yml`` of a folder by name (a shared list of fonts lies in a folder below).

    Raises RecipeError where there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecipeError(f"No such recipe or folder of recipes: {path}.")
    found = sorted(file for file in path.glob("*.yml") if file.is_file())
    if not found:
        raise RecipeError(f"{path} holds no recipe (*.yml): name a recipe file or a folder with some.")
    return found


def _synth_config(recipe: Recipe, fonts: Sequence[Path]) -> SynthConfig:
    return SynthConfig(
        fonts=tuple(map(str, fonts)),
        min_chars=recipe.min_chars,
        max_chars=recipe.max_chars,
        max_width=recipe.max_width,
        max_squeeze=recipe.max_squeeze,
        lengths=tuple(recipe.lengths),
        degrade=recipe.degrade,
        style=recipe.style,
        height=tuple(recipe.height),
        lists=recipe.lists,
        family_faces=len(recipe.fonts),
    )


def find_fonts(recipe: Recipe) -> list[Path]:
    """The recipe's font files, in its order, wherever they lie under the system's font folders.

    Two packages may have different files of one name: the hash decides. Raises RecipeError naming the fonts that are not
    there and the command that installs them.
    """
    wanted = {font.file for font in recipe.fonts}
    by_name: dict[str, list[Path]] = {}
    for file in find_files(()):
        if file.name in wanted:
            by_name.setdefault(file.name, []).append(file)
    found, lacking = [], []
    for font in recipe.fonts:
        files = by_name.get(font.file, [])
        match = next((file for file in files if hashlib.sha256(file.read_bytes()).hexdigest() == font.sha256), None)
        if match:
            found.append(match)
        else:
            lacking.append((font, "another version" if files else "not found"))
    if lacking:
        names = [f"{font.file} ({why})" for font, why in lacking[:SHOWN]]
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        packages = sorted({f"{font.package}={font.version}" for font, _ in lacking})
        raise RecipeError(
            f"Recipe {recipe.name} lacks {len(lacking)} of {len(recipe.fonts)} fonts, {', '.join(names)}"
            f"{more}: run `apt-get install {' '.join(packages)}`, or put them into ~/.fonts."
        )
    return found


def make_generator(recipe: Recipe) -> LineGenerator:
    """The recipe's line generator. Raises RecipeError where a font is missing or cannot be used."""
    generator = LineGenerator(_synth_config(recipe, find_fonts(recipe)), recipe.seed)
    used = sum(len(faces) for faces in generator.pool.families.values())
    if used != len(recipe.fonts):
        why = (
            ", ".join(f"{count} {reason}" for reason, count in generator.pool.rejected.items()) or "the same face twice"
        )
        raise RecipeError(
            f"Recipe {recipe.name}: only {used} of {len(recipe.fonts)} fonts can be used ({why}): take the "
            "others out of its list."
        )
    return generator


def line_sha256(text: str, image: np.ndarray) -> bytes:
    """Hash of one line: the label in UTF-8, "HxW" and the (H, W, 3) uint8 RGB pixels, with a zero byte between them."""
    height, width, _ = image.shape
    head = f"{text}\0{height}x{width}\0".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).digest()


def lines_sha256(annotation: str | Path) -> str:
    """Hash of the lines on disk: over the hashes of all lines (:func:`line_sha256`), in the annotation's order.

    PNG compression does not enter. Raises OSError where a picture is missing or broken.
    """
    annotation, total = Path(annotation), hashlib.sha256()
    for row in annotation.read_text(encoding="utf-8").splitlines():
        name, _, text = row.partition("\t")
        with Image.open(annotation.parent / name) as picture:
            total.update(line_sha256(text, np.asarray(picture.convert("RGB"))))
    return total.hexdigest()


def first_sha256(recipe: Recipe) -> str:
    """Hash of the first FIRST lines, made in memory. Raises as :func:`make_generator`."""
    generator, total = make_generator(recipe), hashlib.sha256()
    for line in map(generator.line, range(min(FIRST, recipe.count))):
        total.update(line_sha256(line.text, line.image))
    return total.hexdigest()


def lines_of(recipe_path: str | Path, out_folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make a recipe's lines in ``out_folder``, or keep them where they are complete: returns ``annotation.txt``.

    Beside it: ``img/``, ``lines.tsv`` (each line's font) and a stamp. Says on stderr where the lines are not those that the
    recipe's hash stands for. Raises RecipeError: no such recipe, fonts missing, or a folder with other lines in it.
    """
    recipe, folder = read_recipe(recipe_path), Path(out_folder)
    made = _made_before(recipe, folder)
    if made is None:
        made = _make(recipe, folder, workers, progress)
    if made != recipe.sha256:
        tqdm.write(_difference(recipe), file=sys.stderr)
    return folder / "annotation.txt"


def seal(recipe_path: str | Path, out_folder: str | Path, workers: int = 1, progress: bool = True) -> Path:
    """Make the lines anew and write their hashes, and the libraries' versions, into the recipe: returns ``annotation.txt``.

    Other lines of the recipe file, comments included, stay as they are. Raises as :func:`lines_of`.
    """
    recipe_path, folder = Path(recipe_path), Path(out_folder)
    recipe = read_recipe(recipe_path)
    values = {
        "sha256": _make(recipe, folder, workers, progress),
        "first": first_sha256(recipe),
        "made_with": libraries(),
    }
    kept = [row for row in recipe_path.read_text(encoding="utf-8").splitlines() if row.partition(":")[0] not in SEAL]
    sealed = yaml.safe_dump(
        values, sort_keys=False, width=1000
    )  # quotes a hash without letters, which would be a number
    write_text(recipe_path, "".join(f"{row}\n" for row in kept) + sealed)
    return folder / "annotation.txt"


def _made_before(recipe: Recipe, folder: Path) -> str | None:
    """The hash of the lines in ``folder`` if they are this recipe's, whole, and made with these libraries."""
    annotation, stamp = folder / "annotation.txt", folder / STAMP
    if not annotation.exists() or not stamp.exists():
        return None
    try:
        noted = json.loads(stamp.read_text(encoding="utf-8"))
        found = lines_sha256(annotation)
    except (OSError, ValueError):
        return None  # cut short, or changed by hand: they are made again
    whole = noted == _stamp(recipe, found) or found == recipe.sha256
    return found if whole and (folder / "lines.tsv").exists() else None


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


def libraries() -> str:
    """What the pixels depend on beside the recipe and its fonts."""
    return (
        f"quantvietocr {__version__}, Pillow {PIL.__version__}, FreeType {features.version('freetype2')}, "
        f"libjpeg-turbo {features.version('libjpeg_turbo')}, NumPy {np.__version__}"
    )


def _difference(recipe: Recipe) -> str:
    if not recipe.sha256:
        return (
            f"Recipe {recipe.name} is not sealed: nothing says whether these lines are those of others (synth --seal)."
        )
    return (
        f"Recipe {recipe.name}: these lines differ from those its hash stands for (here {libraries()}; there "
        f"{recipe.made_with}), so numbers on them are not comparable to published ones."
    )

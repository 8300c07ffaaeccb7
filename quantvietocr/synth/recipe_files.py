"""Recipe files: YAML that, with the fonts it names, decides every label and pixel of a set of lines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL
from PIL import features

from .. import __version__
from ..common.files import ReadErrors, read_text
from ..common.parsing import yaml_of
from ..common.yaml_settings import ConfigError, build
from ..errors import UserError
from .lines.config import SynthConfig, SynthError
from .lines.fonts import find_files
from .lines.generator import LineGenerator

SHOWN = 5  # fonts named before "and N more"
SEAL = ("sha256", "first", "made_with")  # the settings that sealing fills in
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGE, _VERSION = re.compile(r"[a-z0-9][a-z0-9+.-]+"), re.compile(r"[A-Za-z0-9.+:~-]+")  # Debian Policy 5.6


class RecipeError(UserError):
    """A recipe cannot be read, or its fonts are not there."""


_READ_ERRORS = ReadErrors(
    RecipeError,
    missing="{path} cannot be read ({reason}): name a YAML file.",
    unreadable="{path} cannot be read ({reason}): name a YAML file.",
)


@dataclass(frozen=True)
class Font:
    """A font file by name and content, and the Debian package that it comes in.

    Attributes:
        file: name of the file, without folders.
        sha256: hash of its bytes.
        package: name of the Debian package.
        version: version of that package.
    """

    file: str
    sha256: str
    package: str
    version: str


@dataclass(frozen=True)
class Recipe:
    """What decides a set of lines. Texts come from the embedded source.

    Attributes:
        name: letters, digits, _ and -; it becomes the name of a folder.
        seed: decides everything random.
        count: number of lines.
        fonts: the font files, in the order in which they are used.
        style, degrade, min_chars, max_chars, max_width, max_squeeze, lengths, height, lists: as in `SynthConfig`.
        sha256: hash of all labels and decoded pixels in order (`recipes.lines_sha256`); empty until sealed.
        first: hash of the first `recipes.FIRST` lines; empty until sealed.
        made_with: the libraries that the recipe was sealed with; empty until then.
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
        """Return the hash of what decides the lines: everything but the seal."""
        values = {key: value for key, value in dataclasses.asdict(self).items() if key not in SEAL}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class FontRecipe(Protocol):
    """What recipes of lines and of receipts have in common."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def fonts(self) -> list[Font]: ...
    @property
    def sha256(self) -> str: ...
    @property
    def first(self) -> str: ...


def recipe_tree(path: Path, kind: type) -> dict[str, Any]:
    """Read a recipe file as plain values, its list of fonts among them.

    Args:
        path: the recipe.
        kind: the recipe's dataclass, which says what must be there.

    Returns:
        The values by name.

    Raises:
        RecipeError: a file cannot be read, or a setting is missing.
    """
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
    """Read a recipe of lines.

    Args:
        path: the YAML file. `fonts:` in it is a list, or the name of a YAML file with one, relative to the recipe.

    Returns:
        The recipe.

    Raises:
        RecipeError: a setting is unknown, missing or unusable.
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
    """Raise RecipeError where plain values lack a setting that dataclass `kind` needs; where: what the error names."""
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and isinstance(tree, dict) and item.name not in tree
    ]
    if missing:
        raise RecipeError(f"{where} does not say {', '.join(missing)}: add what is missing.")


def refuse_values(recipe: FontRecipe, path: Path) -> None:
    """Raise RecipeError where a recipe's name, count, seed, fonts or hashes cannot be used.

    Args:
        recipe: of lines or of receipts.
        path: its file, which the error names.
    """
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
    """Read a YAML file. Raises RecipeError where it cannot be read."""
    text = read_text(path, _READ_ERRORS)
    try:
        return yaml_of(text)
    except ValueError as error:
        raise RecipeError(f"{path} is not readable as YAML: {str(error).splitlines()[0]}.") from error


def recipes_in(path: str | Path) -> list[Path]:
    """Find recipe files.

    Args:
        path: a recipe, or a folder. Of a folder its `*.yml` are taken, by name; a list of fonts lies in a folder below.

    Returns:
        The recipes.

    Raises:
        RecipeError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecipeError(f"No such recipe or folder of recipes: {path}.")
    recipes = sorted(file for file in path.glob("*.yml") if file.is_file())
    if not recipes:
        raise RecipeError(f"{path} holds no recipe (*.yml): name a recipe file or a folder with some.")
    return recipes


def _synth_config(recipe: Recipe, fonts: Sequence[Path]) -> SynthConfig:
    return SynthConfig(
        fonts=tuple(map(str, fonts)),
        min_chars=recipe.min_chars,
        max_chars=recipe.max_chars,
        max_width=recipe.max_width,
        max_squeeze=recipe.max_squeeze,
        lengths=tuple(recipe.lengths),  # type: ignore[arg-type]  # YAML gives lists; SynthConfig checks their sizes
        degrade=recipe.degrade,
        style=recipe.style,
        height=tuple(recipe.height),  # type: ignore[arg-type]
        lists=recipe.lists,
        family_faces=len(recipe.fonts),
    )


def find_fonts(recipe: FontRecipe) -> list[Path]:
    """Find a recipe's font files, wherever they lie under the system's font folders.

    Two packages may have different files of one name: the hash decides.

    Args:
        recipe: of lines or of receipts.

    Returns:
        The files, in the recipe's order.

    Raises:
        RecipeError: fonts are not there; the message names them and the command that installs them.
    """
    wanted = {font.file for font in recipe.fonts}
    by_name: dict[str, list[Path]] = {}
    for file in find_files(()):
        if file.name in wanted:
            by_name.setdefault(file.name, []).append(file)
    installed, lacking = [], []
    for font in recipe.fonts:
        files = by_name.get(font.file, [])
        match = next((file for file in files if hashlib.sha256(file.read_bytes()).hexdigest() == font.sha256), None)
        if match:
            installed.append(match)
        else:
            lacking.append((font, "another version" if files else "not found"))
    if lacking:
        names = [f"{font.file} ({why})" for font, why in lacking[:SHOWN]]
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        packages = sorted({f"{font.package}={font.version}" for font, _ in lacking})
        raise RecipeError(
            f"Recipe {recipe.name} lacks {len(lacking)} of {len(recipe.fonts)} fonts, {', '.join(names)}"
            f"{more}: run `make fonts` in the repository, or `apt-get install {' '.join(packages)}`, or put them into "
            "~/.fonts."
        )
    return installed


def make_generator(recipe: Recipe) -> LineGenerator:
    """Make the line generator of a recipe. Raises RecipeError where a font is missing or cannot be used."""
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


def libraries() -> str:
    """Name the libraries that the pixels depend on, beside the recipe and its fonts."""
    return (
        f"quantvietocr {__version__}, Pillow {PIL.__version__}, FreeType {features.version('freetype2')}, "
        f"libjpeg-turbo {features.version('libjpeg_turbo')}, NumPy {np.__version__}"
    )

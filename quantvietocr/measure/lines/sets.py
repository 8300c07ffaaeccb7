"""The lines of a comparison: annotations, and recipes whose lines are generated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...checkpoint.vocab import Vocab
from ...common.files import ReadErrors, read_text
from ...dataset.annotation import Sample, read_annotation
from ...errors import UserError
from ...pictures.image import ImageSpec, line_size, line_width
from ...synth.recipe_files import read_recipe, recipes_in
from ...synth.recipes import lines_of

RECIPES = (".yml", ".yaml")
GROUPS = {
    "family": "Font family",
    "class": "Font class",
    "look": "Look",
}  # columns of lines.tsv that lines are grouped by


class LineSetError(UserError):
    """What a comparison was to read is not there or cannot be told apart."""


_READ_ERRORS = ReadErrors(
    LineSetError,
    missing="{path}: no such file; generate the lines again.",
    unreadable="{path} cannot be read ({reason}): generate the lines again, or take the file away.",
)


@dataclass(frozen=True)
class LineSet:
    """Lines under one name. Of each line, in one order: the sample, its width in px as the network sees it, its width and
    height in px as cropped, and what `lines.tsv` beside the annotation says of it (column title → a value per line)."""

    name: str
    samples: tuple[Sample, ...]
    widths: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    groups: dict[str, tuple[str, ...]]


def line_sets(
    data: Sequence[str | os.PathLike],
    out: str | os.PathLike | None,
    chars: str,
    spec: ImageSpec,
    unknown: str = "stop",
    problems: str = "stop",
    limit: int = 0,
    workers: int = 1,
) -> list[LineSet]:
    """Annotation files, recipes (.yml) and folders of recipes, in order, each a set of its own.

    A recipe's lines are generated under `out`/lines/NAME and taken from there the next time. limit: lines drawn from each
    set, with seed 0; 0 takes all. The rest as `read_annotation` has it. Raises LineSetError, RecipeError, AnnotationError,
    ImageError.
    """
    paths = [part for path in map(Path, data) for part in (recipes_in(path) if path.is_dir() else [path])]
    recipes = {path: read_recipe(path).name for path in paths if path.suffix in RECIPES}
    names = [recipes.get(path, str(path)) for path in paths]
    if len(set(names)) < len(names):
        raise LineSetError(f"{next(n for n in names if names.count(n) > 1)} is named twice; name each data set once.")
    if recipes and out is None:
        raise LineSetError(
            f"{next(iter(recipes))}: a recipe's lines are generated under the output folder; name one with --out."
        )
    sets = []
    for name, path in zip(names, paths):
        if path in recipes:
            path = lines_of(path, Path(out, "lines", name), workers)
        sets.append(_line_set(name, path, chars, spec, unknown, problems, limit))
    return sets


def _line_set(name: str, path: Path, chars: str, spec: ImageSpec, unknown: str, problems: str, limit: int) -> LineSet:
    found = read_annotation(path, Vocab(chars), unknown=unknown, problems=problems)
    tqdm.write(found.report.summary())
    samples = found.samples
    if limit and limit < len(samples):
        chosen = sorted(np.random.default_rng(0).permutation(len(samples))[:limit])
        tqdm.write(f"Comparing on {limit} of them, drawn with seed 0.")
        samples = tuple(samples[i] for i in chosen)
    sizes = tuple(line_size(sample.path) for sample in samples)
    widths = tuple(line_width(*size, spec) for size in sizes)
    return LineSet(name, samples, widths, sizes, _groups(path.parent, samples))


def _groups(folder: Path, samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """What `lines.tsv` (as `synth` writes it: a row of titles, then a row per picture) says of each sample."""
    table = folder / "lines.tsv"
    if not table.is_file():
        return {}
    titles, *rows = [line.split("\t") for line in read_text(table, _READ_ERRORS).splitlines()] or [[]]
    if "path" not in titles or any(len(row) != len(titles) for row in rows):
        raise LineSetError(
            f"{table} is not a table with a column path and as many cells in every row: generate the lines "
            "again, or take the file away."
        )
    told = {folder / row[titles.index("path")]: row for row in rows}
    nothing = ["not in lines.tsv"] * len(titles)
    return {
        shown: tuple(told.get(sample.path, nothing)[titles.index(title)] for sample in samples)
        for title, shown in GROUPS.items()
        if title in titles
    }

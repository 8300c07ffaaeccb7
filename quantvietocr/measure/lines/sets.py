"""The lines of a comparison: annotations, and recipes whose lines are generated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from ...checkpoint.vocab import Vocab
from ...common.files import ReadErrors, read_text
from ...common.wording import counted
from ...dataset.annotation import SHOWN, Sample, read_annotation
from ...errors import UserError
from ...pictures.image import ImageError, ImageSpec, line_width, open_line
from ...synth.recipe_files import read_recipe, recipes_in
from ...synth.recipes import lines_of

Unknown = Literal["stop", "skip", "replace"]  # as `read_annotation` has them
Problems = Literal["stop", "skip"]
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
    """Lines under one name, all values in one order.

    Attributes:
        name: a recipe's name, or an annotation's path as given.
        samples: the lines.
        widths: px of each line as the network sees it.
        sizes: width and height in px of each line as cropped.
        groups: what `lines.tsv` beside the annotation says of the lines: column title → a value per line.
    """

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
    unknown: Unknown = "stop",
    problems: Problems = "stop",
    limit: int = 0,
    workers: int = 1,
) -> list[LineSet]:
    """Open annotation files, recipes (.yml) and folders of recipes, in order, each a set of its own.

    Args:
        data: their paths.
        out: a recipe's lines are generated under `out`/lines/NAME and taken from there the next time.
        chars: every character that a text may hold.
        spec: the network's image sizes.
        unknown: what to do with lines whose text is outside `chars` (`read_annotation`).
        problems: what to do with lines that cannot be used (`read_annotation`).
        limit: lines drawn from each set, with seed 0; 0 takes all.
        workers: processes that generate a recipe's lines.

    Raises:
        LineSetError: a set is named twice, a picture cannot be opened, a recipe has no output folder, or `lines.tsv` is
            no such table.
        RecipeError, AnnotationError: lines cannot be made or read.
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
        if path in recipes and out is not None:
            path = lines_of(path, Path(out, "lines", name), workers)
        sets.append(_line_set(name, path, chars, spec, unknown, problems, limit))
    return sets


def _line_set(
    name: str, path: Path, chars: str, spec: ImageSpec, unknown: Unknown, problems: Problems, limit: int
) -> LineSet:
    found = read_annotation(path, Vocab(chars), unknown=unknown, problems=problems)
    tqdm.write(found.report.summary())
    samples = found.samples
    if limit and limit < len(samples):
        chosen = sorted(np.random.default_rng(0).permutation(len(samples))[:limit])
        tqdm.write(f"Comparing on {limit} of them, drawn with seed 0.")
        samples = tuple(samples[i] for i in chosen)
    opened = _opened(path, samples, problems)
    widths = tuple(line_width(*size, spec) for size in opened.values())
    return LineSet(name, tuple(opened), widths, tuple(opened.values()), _groups(path.parent, tuple(opened)))


def _opened(path: Path, samples: Sequence[Sample], problems: Problems) -> dict[Sample, tuple[int, int]]:
    """Width and height of each picture that can be opened: all of it, since a reader would stop at it after an hour."""
    opened, failed = {}, []
    for sample in samples:
        try:
            opened[sample] = open_line(sample.path).size
        except ImageError as error:
            failed.append(str(error))
    if not failed:
        return opened
    listed = "\n".join(f"  - {sentence}" for sentence in failed[:SHOWN]) + (
        f"\n  - and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    )
    if problems == "stop" or not opened:
        raise LineSetError(
            f"{path}: {counted(len(failed), 'picture')} cannot be opened; mend them, or leave them out with "
            f"--problems skip:\n{listed}"
        )
    tqdm.write(f"{path}: {counted(len(failed), 'picture')} cannot be opened and left out:\n{listed}")
    return opened


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
    by_path = {folder / row[titles.index("path")]: row for row in rows}
    nothing = ["not in lines.tsv"] * len(titles)
    return {
        shown: tuple(by_path.get(sample.path, nothing)[titles.index(title)] for sample in samples)
        for title, shown in GROUPS.items()
        if title in titles
    }

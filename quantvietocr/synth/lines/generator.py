"""Labelled lines by index: each is a pure function of the configuration, the seed and its number."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...checkpoint.vocab import DEFAULT_CHARS
from ...common.files import write_text
from .config import SynthConfig, SynthError
from .degrade import degrade
from .dice import Dice
from .fonts import FontPool
from .profiles import MIXTURE, STYLE_PROFILES
from .render import draw
from .text import TextSource

LONG_FONTS = (("times", 3.0), ("mono", 0.4))  # what long lines are printed in: others leave no room for them
# Columns of lines.tsv: the picture, the font's file name, family and class (fonts.CLASSES), and the kind of page.
ORIGIN = ("path", "font", "family", "class", "look")
CHUNK = 64  # lines handed to a process at a time
SNIPPETS = 256  # texts kept for the lines above and below


@dataclass
class Line:
    """A generated line.

    Attributes:
        image: the picture, uint8 RGB (H, W, 3).
        text: its label.
        font: path of the font file that it is drawn with.
        kind: name of the look (`profiles.Profile.name`).
        family: family of the font.
        font_class: class of the font, one of `fonts.CLASSES`.
    """

    image: np.ndarray
    text: str
    font: str
    kind: str
    family: str
    font_class: str


class LineGenerator:
    """Generates line `i` for any `i >= 0`, in any order, in any process, always the same.

    The first generator checks every font (the result is cached) and reads the text files. Sending a generator to
    another process sends its configuration; fonts and texts are read again there.

    Args:
        config: what decides the lines.
        seed: a whole number from 0 that decides everything random.
        vocab: characters that labels may hold.

    Raises:
        SynthError: the seed is negative, no font can be used, or a text file cannot be read.
    """

    def __init__(self, config: SynthConfig = SynthConfig(), seed: int = 0, vocab: str = DEFAULT_CHARS) -> None:
        if seed < 0:
            raise SynthError(f"synth: seed={seed}: use a whole number from 0")
        self.config, self.seed, self.vocab = config, seed, vocab
        self.pool = FontPool(config.fonts, vocab, config.family_faces)
        self.source = TextSource(config, vocab)
        dice = Dice(np.random.default_rng([seed, 0, 1]))
        self._snippets = [self.source.sample(dice, "any")[0] for _ in range(SNIPPETS)]

    def __reduce__(self) -> tuple[Any, ...]:
        return LineGenerator, (self.config, self.seed, self.vocab)

    def line(self, index: int) -> Line:
        """Draw line number `index` (0, 1, 2 ...)."""
        dice = Dice(np.random.default_rng([self.seed, index]))
        style = dice.pick(self.config.styles) if len(self.config.styles) > 1 else self.config.styles[0]
        profile = STYLE_PROFILES[style] if style in STYLE_PROFILES else dice.pick(MIXTURE)
        text, is_long = self.source.sample(dice, profile.mix, profile.embedded_bias)
        face = self.pool.pick(dice, profile.fonts + LONG_FONTS if is_long else profile.fonts)
        ink = draw(dice, text, is_long, face, self.pool, profile, self.config, self._snippets)
        image = degrade(ink.mask, ink.x_height, ink.scale, ink.stretch, profile, self.config.degrade, dice)
        return Line(image, ink.text, face.path, profile.name, face.family, face.kind)

    def describe(self) -> str:
        """Say what the lines are made from: fonts accepted and rejected with reasons, text files with their lines."""
        faces = sum(len(members) for members in self.pool.families.values())
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(self.pool.rejected).most_common())
        return (
            f"fonts: {faces} faces of {len(self.pool.families)} families used; "
            f"files rejected: {reasons or 'none'}\n"
            f"texts: {self.source.describe()}"
        )

    def write(self, folder: str | Path, count: int, workers: int = 1, progress: bool = True) -> Path:
        """Write lines 0 .. count-1 in VietOCR's format: `folder/img/000000.png` and `folder/annotation.txt`.

        The annotation (`img/000000.png<TAB>text`) appears only when every image is there. `folder/lines.tsv` says what
        each of its rows was drawn with, in the same order: see ORIGIN.

        Args:
            folder: where to write; it is made where it is missing.
            count: number of lines.
            workers: processes that draw; 1 draws in this one.
            progress: whether to show a progress bar on stderr.

        Returns:
            The annotation's path.
        """
        folder = Path(folder)
        (folder / "img").mkdir(parents=True, exist_ok=True)
        chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        annotation, origins = folder / "annotation.txt", folder / "lines.tsv"
        for earlier in (annotation, origins):
            earlier.unlink(missing_ok=True)  # an earlier run's labels must not stand beside new images
        rows: list[tuple[str, str]] = []
        with tqdm(total=count, unit="line", disable=not progress, file=sys.stderr) as bar:
            if workers <= 1:
                done = (_write_chunk(self, folder, chunk) for chunk in chunks)
                _collect(done, rows, bar)
            else:
                with ProcessPoolExecutor(workers, initializer=_adopt, initargs=(self,)) as executor:
                    _collect(executor.map(_write_in_worker, [folder] * len(chunks), chunks), rows, bar)
        return write_tables(folder, rows)


def write_tables(folder: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """Write lines.tsv, then annotation.txt.

    Args:
        folder: where to write.
        rows: what `write_line` returned for each line.

    Returns:
        The annotation's path.
    """
    write_text(
        folder / "lines.tsv", "".join(f"{row}\n" for row in ["\t".join(ORIGIN), *(origin for _, origin in rows)])
    )
    annotation = folder / "annotation.txt"
    write_text(annotation, "".join(f"{row}\n" for row, _ in rows))
    return annotation


def write_line(line: Line, folder: Path, index: int) -> tuple[str, str]:
    """Save a line's picture as `folder/img/INDEX.png`.

    Args:
        line: the line.
        folder: where to write; it has a folder `img`.
        index: the line's number.

    Returns:
        The line's row of the annotation and its row of lines.tsv.
    """
    name = f"img/{index:06d}.png"
    Image.fromarray(line.image).save(folder / name, compress_level=3)
    origin = (name, Path(line.font).name, line.family, line.font_class, line.kind)
    return f"{name}\t{line.text}", "\t".join(origin)


def _collect(chunks: Iterable[list[tuple[str, str]]], rows: list[tuple[str, str]], bar: tqdm) -> None:
    for chunk in chunks:
        rows.extend(chunk)
        bar.update(len(chunk))


def _write_chunk(generator: LineGenerator, folder: Path, indices: range) -> list[tuple[str, str]]:
    """Draw and save these lines; returns what `write_line` returned for each."""
    return [write_line(generator.line(index), folder, index) for index in indices]


_adopted: LineGenerator | None = None


def _adopt(generator: LineGenerator) -> None:
    """Keep the generator in a worker process, so that each chunk does not send it again."""
    global _adopted
    _adopted = generator


def _write_in_worker(folder: Path, indices: range) -> list[tuple[str, str]]:
    assert _adopted is not None  # `_adopt` ran when the worker began
    return _write_chunk(_adopted, folder, indices)

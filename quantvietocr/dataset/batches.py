"""Batches of equal width, in an order that depends on the seed alone.

Lines are drawn in chunks. A chunk is a pure function of (seed, sources, chunk number): its lines are drawn, grouped
by width, cut into batches and shuffled, so any number of workers gives the same batches, and resuming at
(chunk, index) recomputes one chunk. No line is dropped, and unless asked none is padded.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import count
from math import ceil

import numpy as np
import torch

from ..checkpoint.vocab import Vocab
from ..pictures.image import ImageError, ImageSpec, line_pixels, line_size, line_width, open_line
from .annotation import Sample
from .loading import in_order, naming
from .sources import Item, Source


@dataclass(frozen=True)
class Batch:
    """Lines of one width, with VietOCR's target layout.

    Attributes:
        images: uint8 (N, 3, height, width).
        tgt_input: int64 (T, N): go and the text, then pad.
        tgt_output: int64 (N, T): the text and eos, then pad.
        lengths: int64 (N,): number of targets that are not pad, eos included.
        names: of the N lines, for messages.
        texts: labels of the N lines.
        chunk: number of its chunk in the stream.
        index_in_chunk: which batch of that chunk it is; `(chunk, index_in_chunk + 1)` is where to resume after it.
        step: number of batches before it since the very start.
    """

    images: torch.Tensor
    tgt_input: torch.Tensor
    tgt_output: torch.Tensor
    lengths: torch.Tensor
    names: tuple[str, ...]
    texts: tuple[str, ...]
    chunk: int
    index_in_chunk: int
    step: int


@dataclass(frozen=True)
class EvalBatch:
    """Lines of one exact width.

    Attributes:
        images: uint8 (N, 3, height, width).
        indices: which samples they are.
        names: of the N lines, for messages.
        texts: labels of the N lines.
    """

    images: torch.Tensor
    indices: tuple[int, ...]
    names: tuple[str, ...]
    texts: tuple[str, ...]


class BatchStream:
    """Endless training batches.

    Iterating raises `ImageError` or `VocabError`, naming the line, where one cannot be read. Close the iterator, or
    drop it, to end its workers.

    Args:
        sources: (source, share) pairs; shares are relative. A finite source is walked in a new random order each
            time round, every line once; an endless one in its own order.
        vocab: turns texts into targets.
        batch_size: most lines in a batch.
        pixels_per_batch: most pixels (height × width × lines) in a batch of more than one line.
        chunk: lines drawn and sorted by width at a time; more means fuller batches and a later first one.
        seed: decides everything random.
        workers: loader processes; 0 loads in this process.
        merge_widths: a line up to this many pixels narrower may join a batch, its right side filled with its own
            background. 0 keeps batches exact; more gives fewer small batches.
        start: (chunk, index in chunk) of the first batch to give.
        start_step: `step` of that batch.
        rank: give only the chunks whose number is `rank` modulo `ranks`, and load no other; `step` then counts what
            this stream gave.
        ranks: number of streams that share the chunks.

    Raises:
        ValueError: there is no source, a source has no lines, or a number is out of range.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        vocab: Vocab,
        batch_size: int = 32,
        pixels_per_batch: int = 32 * 32 * 512,
        chunk: int = 1024,
        seed: int = 0,
        workers: int = 0,
        merge_widths: int = 0,
        start: tuple[int, int] = (0, 0),
        start_step: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if not sources or any(not share > 0 for _, share in sources):
            raise ValueError("A batch stream needs at least one source, each with a share above 0.")
        if any(source.size() == 0 for source, _ in sources):
            raise ValueError("A source of a batch stream has no lines.")
        if min(batch_size, pixels_per_batch, chunk) < 1 or min(workers, merge_widths, start_step, *start) < 0:
            raise ValueError("Batch, pixel and chunk sizes must be positive, the other numbers not negative.")
        self.sources = [source for source, _ in sources]
        self.vocab, self.batch_size, self.pixels_per_batch = vocab, batch_size, pixels_per_batch
        self.chunk, self.seed, self.workers, self.merge_widths = chunk, seed, workers, merge_widths
        self.start, self.start_step = start, start_step
        self.rank, self.ranks = rank, ranks
        # Of the draws the sources before it leave, each takes a fixed part: exact, so counts have a closed form.
        shares = [Fraction(share) for _, share in sources]
        self._parts = [share / sum(shares[s:]) for s, share in enumerate(shares)]

    def __iter__(self) -> Generator[Batch, None, None]:
        first, skip = self.start
        step = self.start_step
        own = first + (self.rank - first) % self.ranks
        with closing(in_order(self._load_chunk, count(own, self.ranks), self.workers)) as chunks:
            for chunk, groups in zip(count(own, self.ranks), chunks):
                for index, group in enumerate(groups):
                    if chunk == first and index < skip:
                        continue
                    yield self._batch(group, chunk, index, step)
                    step += 1

    def draws(self, chunk: int) -> list[tuple[int, int]]:
        """Return (source, line) at each position of a chunk."""
        before, after = self._draws_before(chunk * self.chunk), self._draws_before((chunk + 1) * self.chunk)
        drawn = [(s, k) for s in range(len(self.sources)) for k in range(before[s], after[s])]
        order = self._rng(chunk, self.chunk + 1).permutation(len(drawn))
        return [(s, self._line(s, k)) for s, k in (drawn[i] for i in order)]

    def _draws_before(self, total: int) -> list[int]:
        """Count how many of the first `total` draws fall to each source: its share, rounded; never less for more."""
        counts = []
        for part in self._parts:
            counts.append((2 * total * part.numerator + part.denominator) // (2 * part.denominator))
            total -= counts[-1]
        return counts

    def _line(self, source: int, k: int) -> int:
        """Return which line of a source its k-th draw is."""
        size = self.sources[source].size()
        return k if size is None else int(_permutation(size, self.seed, source, k // size)[k % size])

    def _rng(self, chunk: int, use: int) -> np.random.Generator:
        """Make the generator for one use in a chunk: a position's augmentation, or (from `self.chunk` on) an order."""
        return np.random.default_rng([self.seed, chunk, use])

    def _load_chunk(self, chunk: int) -> list["_Group"]:
        items = []
        for position, (source, line) in enumerate(self.draws(chunk)):
            with naming(f"line {line} of source {source}"):
                items.append(self.sources[source].get(line, self._rng(chunk, position)))
            with naming(items[-1].name):
                self.vocab.encode(items[-1].text)
        limit = self.pixels_per_batch // items[0].pixels.shape[0]
        cuts = cut_by_width([item.pixels.shape[1] for item in items], self.batch_size, limit, self.merge_widths)
        order = self._rng(chunk, self.chunk).permutation(len(cuts))
        return [_Group.of([items[i] for i in cuts[c]]) for c in order]

    def _batch(self, group: "_Group", chunk: int, index: int, step: int) -> Batch:
        ids = [self.vocab.encode(text) for text in group.texts]
        lengths = torch.tensor([len(i) - 1 for i in ids])
        target = torch.full((len(ids), int(lengths.max()) + 1), self.vocab.pad)
        for row, numbers in zip(target, ids, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        # One row holds go, text, eos: the input is all but its eos, the output all but its go.
        tgt_input = target[:, :-1].masked_fill(target[:, :-1] == self.vocab.eos, self.vocab.pad)
        images = torch.from_numpy(group.images)
        return Batch(
            images,
            tgt_input.T.contiguous(),
            target[:, 1:].contiguous(),
            lengths,
            group.names,
            group.texts,
            chunk,
            index,
            step,
        )


def eval_batches(
    samples: Sequence[Sample], spec: ImageSpec = ImageSpec(), batch_size: int = 32, workers: int = 0
) -> Generator[EvalBatch]:
    """Read every sample once, in batches of one exact width, narrow to wide.

    Widths are taken from the files' headers first, so that the pictures themselves are held one batch at a time.

    Args:
        samples: lines of an annotation.
        spec: the network's input size.
        batch_size: most lines in a batch.
        workers: loader processes; 0 loads in this process.

    Yields:
        The batches.

    Raises:
        ImageError: a picture cannot be read; the message names it.
    """
    widths = [line_width(*line_size(sample.path), spec) for sample in samples]
    cuts = cut_by_width(widths, batch_size)[::-1]
    with closing(in_order(partial(_load_lines, samples, spec, widths), cuts, workers)) as groups:
        for cut, group in zip(cuts, groups, strict=True):
            yield EvalBatch(torch.from_numpy(group.images), tuple(cut), group.names, group.texts)


def cut_by_width(
    widths: Sequence[int], batch_size: int, columns: int | None = None, merge_widths: int = 0
) -> list[list[int]]:
    """Cut lines into batches of (nearly) one width, wide to narrow; every line is in exactly one.

    Args:
        widths: of each line, in pixels.
        batch_size: most lines in a batch.
        columns: most pixels in a batch's widths together; one line may exceed it. None for no limit.
        merge_widths: largest difference of widths within a batch, in pixels.

    Returns:
        Indices of `widths`, one list per batch, equal widths in their original order.
    """
    order = sorted(range(len(widths)), key=lambda i: -widths[i])
    cuts = []
    while order:
        widest = widths[order[0]]
        near = next((n for n, i in enumerate(order) if widest - widths[i] > merge_widths), len(order))
        limit = max(1, min(batch_size, columns // widest if columns else batch_size))
        # 33 lines where 32 fit become 17 and 16, not 32 and 1; with merging, a remainder joins the next width.
        take = min(near, limit) if merge_widths else ceil(near / ceil(near / limit))
        cuts.append(order[:take])
        order = order[take:]
    return cuts


@dataclass(frozen=True)
class _Group:
    """A batch as workers send it: in NumPy, for torch would spend a file descriptor on every tensor sent."""

    images: np.ndarray
    names: tuple[str, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, items: Sequence[Item]) -> "_Group":
        width = max(item.pixels.shape[1] for item in items)
        images = np.stack([_widen(item.pixels, width).transpose(2, 0, 1) for item in items])
        return cls(np.ascontiguousarray(images), tuple(i.name for i in items), tuple(i.text for i in items))


def _widen(pixels: np.ndarray, width: int) -> np.ndarray:
    """Fill the right side up to `width` with the line's background: the median of the pixels along its edge."""
    missing = width - pixels.shape[1]
    if not missing:
        return pixels
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    background = np.median(edge, axis=0).astype(np.uint8)
    return np.concatenate([pixels, np.broadcast_to(background, (len(pixels), missing, 3))], axis=1)


@lru_cache(maxsize=8)
def _permutation(size: int, seed: int, source: int, epoch: int) -> np.ndarray:
    # The fourth number keeps these apart from BatchStream._rng: missing ones count as 0.
    return np.random.default_rng([seed, source, epoch, 1]).permutation(size)


def _load_lines(samples: Sequence[Sample], spec: ImageSpec, widths: Sequence[int], lines: Sequence[int]) -> _Group:
    items = []
    for i in lines:
        pixels = line_pixels(open_line(samples[i].path), spec)
        if pixels.shape[1] != widths[i]:
            raise ImageError(f"{samples[i].path}: its size differs from its header's; save it as PNG.")
        items.append(Item(pixels, samples[i].text, str(samples[i].path)))
    return _Group.of(items)

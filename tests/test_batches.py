"""Batches: no line lost or altered, the same whatever the workers."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from quantvietocr.checkpoint.vocab import Vocab, VocabError
from quantvietocr.dataset.annotation import Sample
from quantvietocr.dataset.batches import BatchStream, cut_by_width, eval_batches
from quantvietocr.dataset.sources import FolderSource, Item, SynthSource
from quantvietocr.pictures.image import ImageError, ImageSpec, line_pixels, open_line

VOCAB = Vocab()
SPEC = ImageSpec()


class FakeGenerator:
    """Stands in for the line generator: line i is a function of i."""

    def line(self, i: int) -> SimpleNamespace:
        rng = np.random.default_rng(i)
        h, w = rng.integers(16, 50), rng.integers(20, 700)
        return SimpleNamespace(image=rng.integers(0, 256, (h, w, 3), dtype=np.uint8), text="ă" * (i % 7) + str(i))


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> tuple[Sample, ...]:
    """Eleven pictures of differing widths, two of them (3 and 8) equal in width."""
    folder = tmp_path_factory.mktemp("lines")
    made = []
    for i in range(11):
        path = folder / f"{i}.png"
        width = 150 if i in (3, 8) else 40 + 37 * i
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, width, 3), dtype=np.uint8)).save(path)
        made.append(Sample(path, f"dòng {i}", i + 1))
    return tuple(made)


def jitter(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An augmentation that changes both values and width."""
    return np.roll(pixels, int(rng.integers(1, 30)), axis=1)[:, : pixels.shape[1] - int(rng.integers(0, 25))]


def mixed(samples, **options) -> BatchStream:
    sources = [(FolderSource(samples, SPEC, jitter), 0.3), (SynthSource(FakeGenerator(), SPEC), 0.7)]
    return BatchStream(sources, VOCAB, **{"chunk": 24, "batch_size": 4, **options})


def take(stream: BatchStream, number: int) -> list:
    return list(islice(iter(stream), number))


def assert_same(ours, theirs) -> None:
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        for field in ("images", "tgt_input", "tgt_output", "lengths"):
            assert torch.equal(getattr(a, field), getattr(b, field)), field
        for field in ("names", "texts", "chunk", "index_in_chunk", "step"):
            assert getattr(a, field) == getattr(b, field), field


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(samples, workers):
    assert_same(take(mixed(samples, workers=workers), 40), take(mixed(samples), 40))


def test_the_seed_changes_the_order(samples):
    assert [b.names for b in take(mixed(samples, seed=1), 5)] != [b.names for b in take(mixed(samples), 5)]


def test_resuming_gives_the_rest(samples):
    whole = take(mixed(samples, merge_widths=40), 40)
    for done in (1, 7, next(b.step for b in whole if b.chunk == 2) - 1):
        last = whole[done - 1]
        start = last.chunk, last.index_in_chunk + 1
        rest = mixed(samples, merge_widths=40, start=start, start_step=done)
        assert_same(take(rest, 40 - done), whole[done:])


def chunks(stream: BatchStream, number: int) -> list[list]:
    """The first `number` chunks' batches."""
    found: list[list] = [[] for _ in range(number)]
    for batch in stream:
        if batch.chunk == number:
            return found
        found[batch.chunk].append(batch)
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("merge_widths", [0, 60])
def test_no_line_is_lost_or_doubled(samples, merge_widths):
    stream = mixed(samples, merge_widths=merge_widths)
    for chunk, batches in enumerate(chunks(stream, 6)):
        drawn = [str(samples[i].path) if s == 0 else f"generated line {i}" for s, i in stream.draws(chunk)]
        assert len(drawn) == 24
        assert Counter(name for b in batches for name in b.names) == Counter(drawn)
        assert [b.index_in_chunk for b in batches] == list(range(len(batches)))


def test_a_folder_is_walked_once_each_time_round_in_a_new_order(samples):
    stream = mixed(samples)
    lines = [i for chunk in range(40) for s, i in sorted(stream.draws(chunk)) if s == 0]
    ordered = [stream._line(0, k) for k in range(len(lines))]
    assert sorted(lines) == sorted(ordered)
    rounds = [ordered[n : n + 11] for n in range(0, len(ordered) - 10, 11)]
    assert len(rounds) > 20 and all(sorted(r) == list(range(11)) for r in rounds)
    assert len(set(map(tuple, rounds))) == len(rounds)


def test_an_endless_source_gives_each_line_once(samples):
    stream = mixed(samples)
    lines = [i for chunk in range(40) for s, i in stream.draws(chunk) if s == 1]
    assert sorted(lines) == list(range(len(lines)))


def test_shares_hold_and_small_ones_are_not_starved(samples):
    source = FolderSource(samples, SPEC)
    stream = BatchStream([(source, 1), (source, 970), (source, 29)], VOCAB, chunk=50)
    counts = Counter(s for chunk in range(100) for s, _ in stream.draws(chunk))
    assert [abs(counts[s] - want) <= 1 for s, want in enumerate((5, 4850, 145))] == [True] * 3
    assert all(len(stream.draws(chunk)) == 50 for chunk in range(100))


def test_images_are_the_resized_lines_unpadded(samples):
    for batch in take(mixed(samples), 30):
        assert batch.images.dtype == torch.uint8 and batch.images.is_contiguous()
        for name, image in zip(batch.names, batch.images, strict=True):
            if name.startswith("generated"):
                pixels = line_pixels(FakeGenerator().line(int(name.split()[-1])).image, SPEC)
                np.testing.assert_array_equal(image.numpy().transpose(1, 2, 0), pixels)


def test_targets_are_vietocrs_layout(samples):
    lengths = set()
    for batch in take(mixed(samples), 30):
        for n, text in enumerate(batch.texts):
            ids = VOCAB.encode(text)
            pad = [0] * (batch.tgt_output.shape[1] - len(ids) + 1)
            assert batch.tgt_input[:, n].tolist() == ids[:-1] + pad
            assert batch.tgt_output[n].tolist() == ids[1:] + pad
            assert batch.lengths[n] == len(ids) - 1
            lengths.add(len(pad))
        assert batch.tgt_output.shape[1] == batch.lengths.max()
        assert batch.tgt_input.dtype == batch.tgt_output.dtype == torch.int64
    assert len(lengths) > 1


def test_batches_keep_to_their_limits(samples):
    for batch in take(mixed(samples, merge_widths=500, batch_size=5, pixels_per_batch=32 * 600), 60):
        n, _, h, w = batch.images.shape
        assert n <= 5 and (n == 1 or n * h * w <= 32 * 600)


def test_merging_pads_the_right_with_the_background():
    class Lines:
        def size(self) -> int:
            return 8

        def get(self, i: int, rng: np.random.Generator) -> Item:
            pixels = np.full((32, 40 + 10 * i, 3), 10 * i, np.uint8)
            pixels[8:24, 5:15] = 255
            return Item(pixels, str(i), str(i))

    sizes = []
    (batches,) = chunks(BatchStream([(Lines(), 1.0)], VOCAB, chunk=8, merge_widths=30), 1)
    for batch in batches:
        sizes.append(len(batch.names))
        for name, image in zip(batch.names, batch.images, strict=True):
            own = Lines().get(int(name), None).pixels.transpose(2, 0, 1)
            np.testing.assert_array_equal(image[:, :, : own.shape[2]].numpy(), own)
            assert (image[:, :, own.shape[2] :] == 10 * int(name)).all()
            assert batch.images.shape[3] - own.shape[2] <= 30
    assert sizes.count(4) == 2


def test_cutting_by_width():
    assert [len(c) for c in cut_by_width([100] * 33, 32)] == [17, 16]
    assert cut_by_width([50, 90, 50, 90], 8) == [[1, 3], [0, 2]]
    assert cut_by_width([50, 90, 60, 80], 8, merge_widths=10) == [[1, 3], [2, 0]]
    assert [len(c) for c in cut_by_width([100] * 10, 8, columns=300)] == [3, 3, 2, 2]
    assert cut_by_width([512], 8, columns=100) == [[0]] and cut_by_width([], 8) == []


def test_augmentation_sees_the_raw_picture_and_differs_each_time(samples):
    seen = []

    def spy(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen.append((pixels.shape, rng.integers(1 << 60)))
        return pixels

    stream = BatchStream([(FolderSource(samples, SPEC, spy), 1.0)], VOCAB, chunk=22)
    chunks(stream, 2)
    first = list(seen)
    assert {shape for shape, _ in first} == {np.asarray(open_line(s.path)).shape for s in samples}
    assert len({number for _, number in first}) == len(first) >= 44
    seen.clear()
    chunks(stream, 2)
    assert seen == first


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_named(samples, tmp_path, workers):
    (tmp_path / "hỏng.png").write_bytes(samples[0].path.read_bytes()[:200])
    damaged = [*samples, Sample(tmp_path / "hỏng.png", "x", 12)]
    stream = BatchStream([(FolderSource(damaged, SPEC), 1.0)], VOCAB, chunk=12, workers=workers)
    with pytest.raises(ImageError) as caught:
        take(stream, 50)
    assert str(caught.value).startswith(f"{tmp_path / 'hỏng.png'}: damaged") and "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_text_outside_the_vocabulary_is_named(samples, workers):
    strange = [Sample(samples[0].path, "5 €", 1)]
    stream = BatchStream([(FolderSource(strange, SPEC), 1.0)], VOCAB, chunk=2, workers=workers)
    with pytest.raises(VocabError, match=r"0\.png: .*EURO SIGN") as caught:
        take(stream, 1)
    assert "\n" not in str(caught.value)


def broken(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    raise ValueError("a defect")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_defect_keeps_its_type_and_gains_the_lines_name(samples, workers):
    stream = BatchStream([(FolderSource(samples[:1], SPEC, broken), 1.0)], VOCAB, chunk=2, workers=workers)
    with pytest.raises(ValueError, match="a defect") as caught:
        take(stream, 1)
    assert "line 0 of source 0" in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_gives_every_line_once_unpadded(samples, workers):
    batches = list(eval_batches(samples, SPEC, batch_size=4, workers=workers))
    assert sorted(i for b in batches for i in b.indices) == list(range(11))
    assert (3, 8) in [b.indices for b in batches]
    widths = [b.images.shape[3] for b in batches]
    assert widths == sorted(widths)
    for batch in batches:
        for i, image, name, text in zip(batch.indices, batch.images, batch.names, batch.texts, strict=True):
            assert (name, text) == (str(samples[i].path), samples[i].text)
            np.testing.assert_array_equal(image.numpy().transpose(1, 2, 0), line_pixels(open_line(samples[i].path)))


def test_evaluation_names_a_damaged_picture(samples, tmp_path):
    (tmp_path / "short.png").write_bytes(samples[5].path.read_bytes()[:3000])
    with pytest.raises(ImageError, match=r"short\.png: damaged"):
        list(eval_batches([*samples, Sample(tmp_path / "short.png", "x", 1)], SPEC))
    assert list(eval_batches([], SPEC)) == []


def test_settings_are_checked(samples):
    source = FolderSource(samples, SPEC)
    one = [(source, 1)]
    for sources, options in (([], {}), ([(source, 0)], {}), (one, {"chunk": 0}), (one, {"workers": -1})):
        with pytest.raises(ValueError, match="must be positive|at least one source"):
            BatchStream(sources, VOCAB, **options)
    with pytest.raises(ValueError, match="at least one sample"):
        FolderSource([], SPEC)

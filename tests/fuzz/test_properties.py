"""What holds for any input of a kind, with inputs that hypothesis makes: the same ones in every run."""

from __future__ import annotations

import io
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import yaml

hypothesis = pytest.importorskip("hypothesis", reason="makes inputs: make setup")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from quantvietocr.checkpoint.packing import pack, unpack
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli.rows import RowFile
from quantvietocr.common.wording import on_one_line
from quantvietocr.config import load_config
from quantvietocr.dataset.annotation import AnnotationError, read_annotation
from quantvietocr.errors import UserError
from quantvietocr.pictures.image import ImageError, ImageSpec, line_pixels, line_width, open_line
from quantvietocr.receipt.files import MAX_STEM, stems

steady = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CHARS = "abcđ "
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: not set(name) & {0, 47}).map(os.fsdecode)


@steady
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.bool_, np.float32, np.int64]),
        arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9),
    )
)
def test_an_array_is_a_picture_or_refused(array):
    try:
        picture = open_line(array)
    except ImageError as error:
        assert str(error).startswith("the given array: ")
        return
    assert picture.mode == "RGB" and picture.size == (array.shape[1], array.shape[0])


@steady
@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 64), st.integers(1, 64), st.integers(0, 600))
def test_any_size_of_picture_gives_a_width_that_the_network_takes(width, height, high, least, more):
    spec = ImageSpec(high, least, least + more)
    assert least <= line_width(width, height, spec) <= least + more


@steady
@given(st.binary(max_size=300))
def test_any_bytes_are_a_picture_or_refused(content):
    try:
        assert line_pixels(open_line(content)).dtype == np.uint8
    except ImageError as error:
        assert str(error) == on_one_line(str(error))


@steady
@given(st.lists(st.tuples(st.sampled_from(["a.png", "b.png", "none.png", ""]), TEXTS), max_size=8))
def test_each_line_of_an_annotation_is_counted_once(tmp_path, rows):
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    path = tmp_path / "annotation.txt"
    path.write_bytes("\n".join(f"{name}\t{text}" for name, text in rows).encode())
    try:
        found = read_annotation(path, Vocab(CHARS), unknown="skip", problems="skip")
    except AnnotationError as error:
        assert str(path) in str(error)
        return
    report = found.report
    assert report.lines == report.samples + report.blank + len(report.problems) + report.skipped
    assert all(set(sample.text) <= set(CHARS) and sample.text for sample in found.samples)


@steady
@given(st.lists(st.text(CHARS.strip() + "\u1ea1\u0065\u0323", min_size=1, max_size=9), min_size=1, max_size=5))
def test_what_is_written_into_an_annotation_is_read_from_it(tmp_path, texts):
    (tmp_path / "a.png").touch()
    path = tmp_path / "annotation.txt"
    path.write_bytes("".join(f"a.png\t{text}\r\n" for text in texts).encode("utf-8-sig"))
    found = read_annotation(path, Vocab(CHARS + "ạẹe"), unknown="replace", replacement="a")
    assert [len(sample.text) for sample in found.samples] == [len(unicodedata.normalize("NFC", text)) for text in texts]


@steady
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
        lambda inner: (
            st.lists(inner)
            | (
                st.dictionaries(
                    st.sampled_from(["train", "data", "model", "steps", "quant", "base", "x"]) | TEXTS, inner
                )
            )
        ),
        max_leaves=12,
    )
)
def test_any_yaml_is_settings_or_refused(tmp_path, tree):
    path = tmp_path / "settings.yml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    try:
        load_config(path)
    except UserError as error:
        assert str(error)


@steady
@given(st.dictionaries(NAMES, TEXTS, max_size=6), st.sampled_from(["tsv", "json"]))
def test_a_row_that_was_written_is_there_when_the_run_goes_on(tmp_path, rows, form):
    path = tmp_path / f"rows.{form}"
    path.unlink(missing_ok=True)
    file = RowFile(path, form, "reader")
    for name, text in rows.items():
        file.write(name, text, 0.5)
    file.close()
    again = RowFile(path, form, "reader")
    assert all(again.has(name) for name in rows) and len(again.done) == len(rows)


@steady
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_results_of_different_files_get_names_that_differ_and_fit(names):
    found = stems(names, [], Path("out"))
    assert len(set(found)) == len(names) and all(len(os.fsencode(stem.name)) <= MAX_STEM for stem in found)


@steady
@given(arrays.arrays(np.int8, st.tuples(st.integers(1, 6), st.integers(1, 40))), st.sampled_from([4, 8]))
def test_what_is_packed_is_unpacked(weights, bits):
    weights = np.clip(weights, -7, 7) if bits == 4 else weights
    scales = np.ones(len(weights), np.float32)
    how = {"w": {"bits": bits, "shape": list(weights.shape)} | ({"group": 8} if bits == 4 else {})}
    assert np.array_equal(unpack(pack({"w": weights, "w.scale": scales}, how), how)["w"], weights)


@steady
@given(st.lists(st.integers(-5, 20), max_size=12))
def test_any_classes_are_text_or_refused(classes):
    try:
        assert isinstance(Vocab(CHARS).decode(classes), str)
    except UserError as error:
        assert "outside the vocabulary" in str(error)


@steady
@given(st.text(CHARS, max_size=20))
def test_text_survives_its_classes(text):
    assert Vocab(CHARS).decode(Vocab(CHARS).encode(text)) == text


def test_a_picture_of_one_pixel_is_read():
    file = io.BytesIO()
    Image.new("1", (1, 1)).save(file, "PNG")
    assert line_pixels(open_line(file.getvalue())).shape == (32, 40, 3)  # VietOCR rounds widths up to 10

"""The table: its numbers are those of the files and texts, and every row is measured alike."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny as tiny_checkpoints
import tiny_transformer
import torch
from PIL import Image
from tiny import int8_checkpoint

from quantvietocr import Predictor
from quantvietocr.checkpoint import Checkpoint, read, write
from quantvietocr.checkpoint.files import sha256
from quantvietocr.dataset.annotation import AnnotationError, Sample
from quantvietocr.measure.lines import compare as module
from quantvietocr.measure.lines.compare import compare
from quantvietocr.measure.lines.front import front
from quantvietocr.measure.lines.readers import CompareError, name_of, stored_as
from quantvietocr.measure.lines.report import summary
from quantvietocr.metrics.accuracy import score
from quantvietocr.quantize.scheme import Scheme
from quantvietocr.quantize.static import quantize_dynamic
from quantvietocr.reading.options import ReadingOptions
from quantvietocr.shipped import WEIGHTS


@pytest.fixture
def tiny(tmp_path) -> Path:
    return write(int8_checkpoint(), tmp_path / "tiny.safetensors")


@pytest.fixture
def annotation(tmp_path) -> Path:
    """Six noisy pictures whose texts the tiny vocabulary can write."""
    rows = []
    for number, text in enumerate(["ab", "c đ", "abc", "đ", "a", "bc a"]):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 40 + 10 * number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png\t{text}\n")
    path = tmp_path / "annotation.txt"
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(float_weights, int8_weights, lines, tmp_path_factory) -> SimpleNamespace:
    """A comparison of real weights, VietOCR's own code first."""
    out = tmp_path_factory.mktemp("compare")
    before = torch.get_num_threads()
    (table,) = compare(
        lines / "annotation.txt", [float_weights, int8_weights], out, vietocr=True, repeats=2, command="me"
    )
    assert torch.get_num_threads() == before
    return SimpleNamespace(rows=table.rows, out=out, files=[float_weights, int8_weights], lines=lines)


def test_a_row_for_vietocr_and_for_each_file(whole):
    own, plain, dynamic = whole.rows
    assert (own.name, own.file, own.method) == ("VietOCR 0.3.13, float", None, "float")
    assert [row.name for row in (plain, dynamic)] == ["float", "int8, decoder only"]
    assert [row.file for row in (plain, dynamic)] == [str(path) for path in whole.files]
    assert [row.bytes for row in (plain, dynamic)] == [path.stat().st_size for path in whole.files]
    assert round(own.bytes / 2**20, 1) == 85.4
    assert (plain.method, dynamic.method, dynamic.stored) == ("float", "dynamic", "CNN float32, decoder int8")
    assert own.size_ratio == own.speed_ratio == 1 and own.cer_delta == 0
    for row in (plain, dynamic):
        assert row.size_ratio == pytest.approx(own.bytes / row.bytes)
        assert row.speed_ratio == pytest.approx(own.ms_per_line / row.ms_per_line)
        assert row.cer_delta == pytest.approx(row.cer - own.cer)
    for row in whole.rows:
        assert row.lines == 8 and len(row.ms_rounds) == 2 and min(row.ms_rounds) > 1
        assert min(row.ms_rounds) <= row.ms_per_line <= max(row.ms_rounds)
        assert 0.1 < row.cores < 1.3  # one thread, really


def test_our_float_reading_is_vietocrs(whole):
    table = [line.split("\t") for line in (whole.out / "texts.tsv").read_text(encoding="utf-8").splitlines()]
    assert table[0] == ["path", "reference", *(row.name for row in whole.rows)]
    assert len(table) == 9 and all(line[2] == line[3] for line in table[1:])


def test_scores_are_those_of_the_texts(whole):
    table = [line.split("\t") for line in (whole.out / "texts.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    annotated = [row.split("\t") for row in (whole.lines / "annotation.txt").read_text(encoding="utf-8").splitlines()]
    assert [line[:2] for line in table] == [[str(whole.lines / name), text] for name, text in annotated]
    for place, row in enumerate(whole.rows):
        found = score([line[1] for line in table], [line[2 + place] for line in table])
        assert (row.exact, row.cer, row.cer_folded) == (found.exact, found.cer, found.cer_folded)
        assert row.cer_interval[0] <= row.cer <= row.cer_interval[1]
    assert Predictor(whole.files[1], threads=1).predict(table[3][0]) == table[3][4]


def test_the_table_is_written_in_three_forms(whole):
    written = json.loads((whole.out / "table.json").read_text(encoding="utf-8"))
    assert written["rows"] == json.loads(json.dumps([dataclasses.asdict(row) for row in whole.rows]))
    setup = written["setup"]
    conditions = setup["conditions"]
    assert (conditions["threads"], setup["lines"], conditions["command"], setup["reference"]) == (
        [1],
        8,
        "me",
        "VietOCR 0.3.13, float",
    )
    versions = conditions["versions"]
    assert versions["torch"] == torch.__version__ and versions["vietocr"] == "0.3.13" and conditions["cpu"]
    text = (whole.out / "table.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 5 and len({line.count("|") for line in table}) == 1
    assert [line.split("|")[1].strip() for line in table[2:]] == [row.name for row in whole.rows]
    assert "8 lines of" in text and "has 1 thread;" in text and "85.4" in table[2]
    with Image.open(whole.out / "table.png") as picture:
        assert picture.width > 1000 and len(picture.convert("RGB").getcolors(1 << 24)) > 100
    with Image.open(whole.out / "tradeoff.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {"#9aa5b1", "#1f6fb2"} <= {"#{:02x}{:02x}{:02x}".format(*colour) for colour in colours}  # float and 8-bit
    assert sorted(path.name for path in whole.out.iterdir()) == [
        "errors.json",
        "errors.md",
        "errors.png",
        "reliability.png",
        "table.json",
        "table.md",
        "table.png",
        "texts.tsv",
        "tradeoff.png",
    ]


def test_the_error_analysis_and_the_confidence_are_those_of_the_rows(whole):
    (one,) = json.loads((whole.out / "errors.json").read_text(encoding="utf-8"))["sets"]
    table = [line.split("\t") for line in (whole.out / "texts.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    assert [reader["name"] for reader in one["readers"]] == [row.name for row in whole.rows]
    for place, (reader, row) in enumerate(zip(one["readers"], whole.rows)):
        found = score([line[1] for line in table], [line[2 + place] for line in table])
        assert sum(reader["classes"].values()) == found.edits
        assert (
            sum(part["lines"] for part in reader["parts"]["Look"]) == 8
            and reader["parts"]["Look"][0]["name"] == "letter"
        )
        assert sum(lines for _, _, lines in row.reliability) == 8 and 0 <= row.ece <= 1
        assert sum(share * lines for _, share, lines in row.reliability) == pytest.approx(8 * row.exact)
    sizes = [Image.open(line[0]).size for line in table]
    wide = sum(round(32 * width / height) < 128 for width, height in sizes)
    parts = {part["name"]: part["lines"] for part in one["readers"][0]["parts"]["Width at height 32 (px)"]}
    assert parts.get("0–127", 0) == wide
    with Image.open(whole.out / "reliability.png") as picture:
        assert picture.width > 1000 and len(picture.convert("RGB").getcolors(1 << 24)) > 100


def test_without_a_float_row_the_first_is_the_reference(tiny, annotation, tmp_path):
    other = write(int8_checkpoint(), tmp_path / "b" / "tiny.safetensors")
    (table,) = compare(annotation, [tiny, other], repeats=1, limit=4)
    rows = table.rows
    assert [row.name for row in rows] == [
        f"int8, all ({path})" for path in (tiny, other)
    ]  # one stem twice: told apart by folder
    assert [row.lines for row in rows] == [4, 4] and rows[0].cer == rows[1].cer and rows[0].speed_ratio == 1
    assert rows[0].stored == "CNN int8, decoder int8" and "7-bit activations" in rows[0].precision


def test_all_rows_get_the_threads_asked_for_and_the_caller_keeps_his(tiny, annotation, monkeypatch):
    seen = []
    measure = module._time
    monkeypatch.setattr(module, "_time", lambda *a: seen.append(torch.get_num_threads()) or measure(*a))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        compare(annotation, [tiny], repeats=1, threads=2)
        compare(annotation, [tiny], repeats=1, threads=0)
        assert seen == [2, 3] and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_limit_draws_the_same_lines_every_time(tiny, annotation, tmp_path):
    drawn = []
    for name in ("one", "two"):
        compare(annotation, [tiny], tmp_path / name, repeats=1, limit=3)
        drawn.append((tmp_path / name / "texts.tsv").read_text(encoding="utf-8"))
    assert drawn[0] == drawn[1] and drawn[0].count("\n") == 4


def test_what_cannot_be_compared_is_said(tiny, annotation):
    with pytest.raises(CompareError, match="none of tiny is float"):
        compare(annotation, [tiny], vietocr=True)
    with pytest.raises(CompareError, match="named twice"):
        compare(annotation, [tiny, tiny])
    for bad in ({"weights": []}, {"data": []}, {"repeats": 0}, {"workers": 0}, {"threads": -1}):
        with pytest.raises(CompareError, match="at least one checkpoint"):
            compare(**{"data": annotation, "weights": [tiny]} | bad)
    annotation.write_text(annotation.read_text(encoding="utf-8") + "0.png\txyz\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match="outside the vocabulary"):
        compare(annotation, [tiny])
    assert compare(annotation, [tiny], repeats=1, unknown="skip")[0].setup.lines == 6


def test_readers_take_turns_and_the_first_round_does_not_count(monkeypatch):
    order, clock = [], SimpleNamespace(now=0.0)

    class Fake:
        def __init__(self, name, seconds, together=False):
            self.name, self.seconds, self.together, self.reader = name, iter(seconds), together, self

        def predict(self, img, return_prob):
            order.append(self.name)
            clock.now += next(self.seconds)

        def predict_batch(self, imgs, return_prob):
            order.append(self.name + "s" * len(imgs))
            clock.now += next(self.seconds)

    monkeypatch.setattr(module.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(module.time, "process_time", lambda: 2 * clock.now)
    quick, slow = Fake("quick", [9, 9, 0.1, 0.1, 0.2, 0.2]), Fake("slow", [9, 9, 1, 1, 3, 5])
    batched = Fake("batch", [9, 0.5, 0.7], together=True)
    times = module._time([quick, slow, batched], ["picture", "picture"], repeats=2)
    assert order == ["quick", "quick", "slow", "slow", "batchss"] * 3
    assert [rounds for rounds, _ in times] == [
        pytest.approx([100, 200]),
        pytest.approx([1000, 4000]),
        pytest.approx([250, 350]),
    ]
    assert [cores for _, cores in times] == pytest.approx([2, 2, 2])


def test_the_cpu_time_of_a_program_counts():
    before, own = module._cpu_seconds(), time.process_time()
    work = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    # CPU time, which it spends however busy the machine is.
    assert module._cpu_seconds() - before > time.process_time() - own + 0.15


def test_batched_readers_get_all_lines_in_order_a_part_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOGETHER", 3)
    samples = []
    for number, width in enumerate([90, 30, 60, 40]):
        Image.new("RGB", (width, 32)).save(tmp_path / f"{number}.png")
        samples.append(Sample(tmp_path / f"{number}.png", "a", number + 1))

    class Fake:
        def __init__(self, together):
            self.together, self.reader, self.batches = together, self, []

        def predict_batch(self, imgs, return_prob):
            self.batches.append([img.width for img in imgs])
            return [str(img.width) for img in imgs], [1 / img.width for img in imgs]

    ours, program = Fake(False), Fake(True)
    found = module._read_all([ours, program], samples, [100, 40, 60, 40])
    assert found[0] == found[1] == (["90", "30", "60", "40"], [1 / 90, 1 / 30, 1 / 60, 1 / 40])
    assert ours.batches == [[30, 40], [60], [90]] and program.batches == [[90, 30, 60], [40]]


def test_several_sets_make_a_summary_and_a_table_each(tiny, annotation, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("0.png\tcc\n3.png\ta\n", encoding="utf-8")
    out = tmp_path / "out"
    tables = compare([annotation, other], [tiny], out, repeats=1, limit=4)
    assert [(table.setup.data, table.setup.lines) for table in tables] == [(str(annotation), 4), (str(other), 2)]
    alone = compare(other, [tiny], repeats=1)[0].rows[0]
    assert (tables[1].rows[0].cer, tables[1].rows[0].exact) == (alone.cer, alone.exact)
    text = (out / "table.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("#")] == [f"### {annotation}", f"### {other}"]
    written = json.loads((out / "table.json").read_text(encoding="utf-8"))["sets"]
    assert written == json.loads(json.dumps([dataclasses.asdict(table) for table in tables]))
    rows = [line.split("\t") for line in (out / "texts.tsv").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["set", "path", "reference", "int8, all"]
    assert [row[0] for row in rows[1:]] == [str(annotation)] * 4 + [str(other)] * 2
    assert [row[1:3] for row in rows[5:]] == [[str(tmp_path / "0.png"), "cc"], [str(tmp_path / "3.png"), "a"]]
    errors = json.loads((out / "errors.json").read_text(encoding="utf-8"))["sets"]
    assert [one["data"] for one in errors] == [str(annotation), str(other)]
    for name in ("table.png", "reliability.png", "errors.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 600


def test_timed_lines_are_spread_over_the_widths(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMED_LINES", 4)
    widths = [500, 40, 320, 30, 110, 410, 200]
    samples = []
    for number, width in enumerate(widths):
        Image.new("RGB", (width, 32)).save(tmp_path / f"{number}.png")
        samples.append(Sample(tmp_path / f"{number}.png", "a", number + 1))
    assert [picture.width for picture in module._spread(samples, widths)] == [30, 110, 320, 500]
    assert len(module._spread(samples[:2], widths[:2])) == 2


def test_what_is_stored_is_told_from_the_file(float_weights):
    assert stored_as(read(float_weights)) in ("float16", "float32")
    checkpoint = int8_checkpoint()
    first, *others = checkpoint.meta.layers
    layers = (dataclasses.replace(first, precision="float"), *others)
    mixed = Checkpoint(checkpoint.tensors, dataclasses.replace(checkpoint.meta, layers=layers, decoder="float"))
    assert stored_as(mixed) == "CNN int8 (1 of 2 layers float32), decoder float32"


def test_words_reach_the_readers_and_the_table_says_so(tiny, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "quantvietocr.measure.lines.readers.Predictor",
        lambda *a, **k: made.append(k["options"].words) or Predictor(*a, **k),
    )
    Image.new("RGB", (40, 16), "white").save(tmp_path / "a.png")
    (tmp_path / "lines.txt").write_text("a.png\tab\n", encoding="utf-8")
    sentence = "Our engines read lines in doubt again with the words of `vi`."
    for words, names in (
        (["vi"], ["int8, all"]),
        ([None], ["int8, all"]),
        ([None, "vi"], ["int8, all, words none", "int8, all, words vi"]),
    ):
        made.clear()
        (table,) = compare(
            tmp_path / "lines.txt",
            [tiny],
            tmp_path / "out",
            repeats=1,
            options=[ReadingOptions(words=one) for one in words],
        )
        assert made == words and [row.name for row in table.rows] == names
        assert (sentence in (tmp_path / "out" / "table.md").read_text("utf-8")) == ("vi" in words)


def test_what_is_done_about_leaders_reaches_the_readers_and_the_rows(tiny, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "quantvietocr.measure.lines.readers.Predictor",
        lambda *a, **k: made.append(k["options"].leaders) or Predictor(*a, **k),
    )
    Image.new("RGB", (40, 16), "white").save(tmp_path / "a.png")
    (tmp_path / "lines.txt").write_text("a.png\tab\n", encoding="utf-8")
    for leaders, names in (
        (["drop"], ["int8, all"]),
        (["count", "keep"], ["int8, all, leaders count", "int8, all, leaders keep"]),
    ):
        made.clear()
        (table,) = compare(
            tmp_path / "lines.txt", [tiny], repeats=1, options=[ReadingOptions(leaders=one) for one in leaders]
        )
        assert made == leaders and [row.name for row in table.rows] == names


def test_wide_lines_are_read_as_asked_and_counted(tiny, tmp_path):
    spec = read(tiny).meta.image
    bars = np.full((spec.height, 3 * spec.max_width, 3), 255, dtype=np.uint8)
    bars[2:-2, ::8] = 0  # blanks of seven columns between strokes
    Image.fromarray(bars).save(tmp_path / "wide.png")
    Image.fromarray(bars[:, : spec.max_width]).save(tmp_path / "fits.png")
    (tmp_path / "lines.txt").write_text("wide.png\tab\nfits.png\tc\n", encoding="utf-8")
    for wide, said in (
        ("cut", "1 lines are too wide for VietOCR's network. Our engines read them in parts"),
        ("squeeze", "1 lines are too wide for VietOCR's network. All its readers squeeze them."),
    ):
        (table,) = compare(
            tmp_path / "lines.txt", [tiny], tmp_path / wide, repeats=1, options=[ReadingOptions(wide=wide)]
        )
        assert (table.setup.wide, table.setup.wide_lines) == (wide, 1)
        assert said in (tmp_path / wide / "table.md").read_text(encoding="utf-8")
        expected = [Predictor(tiny, threads=1, wide=wide).predict(tmp_path / name) for name in ("wide.png", "fits.png")]
        rows = (tmp_path / wide / "texts.tsv").read_text(encoding="utf-8").splitlines()[1:]
        assert [row.split("\t")[2] for row in rows] == expected
    assert (tmp_path / "cut" / "texts.tsv").read_text() != (tmp_path / "squeeze" / "texts.tsv").read_text()


def test_a_network_alone_reads_as_vietocr_does(tiny, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "quantvietocr.measure.lines.readers.Predictor", lambda *a, **k: made.append(k) or Predictor(*a, **k)
    )
    Image.new("RGB", (40, 16), "white").save(tmp_path / "a.png")
    (tmp_path / "lines.txt").write_text("a.png\tab\n", encoding="utf-8")
    (table,) = compare(tmp_path / "lines.txt", [tiny], tmp_path / "out", repeats=1, plain=[tiny])
    assert [(row.name, row.plain) for row in table.rows] == [("int8, all", False), ("int8, network alone", True)]
    assert made[1]["options"] == ReadingOptions(wide="squeeze", leaders="keep", retries=0, words=None)
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "“int8, network alone” uses no words, counts no leaders and never reads a line twice" in text


def test_rows_are_called_by_what_the_files_are(float_weights, tmp_path):
    checkpoint = int8_checkpoint()
    first, *others = checkpoint.meta.layers

    def changed(**fields) -> Checkpoint:
        return Checkpoint(checkpoint.tensors, dataclasses.replace(checkpoint.meta, **fields))

    some = (dataclasses.replace(first, precision="float"), *others)
    assert name_of(read(float_weights)) == "float"
    assert name_of(changed()) == "int8, all" and name_of(changed(), plain=True) == "int8, network alone"
    assert name_of(changed(decoder="float")) == "int8, CNN only"
    assert name_of(changed(layers=some)) == "int8, all but 1 of 2 layers"
    none = tuple(dataclasses.replace(layer, precision="float") for layer in checkpoint.meta.layers)
    assert name_of(changed(layers=none)) == "int8, decoder only"
    assert name_of(changed(packed={"a": {"bits": 4}})) == "int4 and int8, all"


def test_each_network_is_compared_with_itself_and_with_vietocrs_own(annotation, tmp_path):
    """Both networks in one table: names say which, VietOCR's own code reads with both, ratios are within a network."""
    files = []
    for name, network in (("seq2seq", tiny_checkpoints), ("transformer", tiny_transformer)):
        original = scaled(network.float_checkpoint())
        files.append(write(original, tmp_path / f"{name}.safetensors"))
        files.append(write(quantize_dynamic(original), tmp_path / f"{name}-int8.safetensors"))
    (table,) = compare(annotation, files, tmp_path / "out", vietocr=True, repeats=1, limit=3)
    version = importlib.metadata.version("vietocr")
    own, own_too = f"VietOCR {version}, float", f"VietOCR {version}, transformer float"
    names = [own, own_too, "float", "int8, decoder only", "transformer float", "transformer int8, decoder only"]
    assert [row.name for row in table.rows] == names and table.setup.reference == own
    rows = dict(zip(names, table.rows))
    assert [row.against for row in table.rows] == [own, own_too, own, own, own_too, own_too]
    read_as = [line.split("\t")[2:] for line in (tmp_path / "out/texts.tsv").read_text("utf-8").splitlines()[1:]]
    for name, row in rows.items():
        base, times = rows[row.against], [rows[row.against].ms_per_line, row.ms_per_line]
        assert row.speed_ratio == times[0] / times[1] and row.size_ratio == base.bytes / row.bytes
        assert row.cer_delta == row.cer - base.cer
        columns = names.index(name), names.index(row.against)
        assert row.same == pytest.approx(sum(texts[columns[0]] == texts[columns[1]] for texts in read_as) / 3)
    page = (tmp_path / "out/table.md").read_text("utf-8")
    within = ", ".join(f"“{name}”" for name in (own_too, *names[4:]))
    assert f"× compares with “{own}”, for {within} with “{own_too}”." in page
    assert "| Same text |" in page
    shown = front(table)  # the first page is of one network
    assert own in shown and "transformer" not in shown.split("<details>")[0]
    ratio = f"{rows[own_too].ms_per_line / rows['transformer float'].ms_per_line:.2f}"
    line = next(line for line in summary([table, table]).splitlines() if line.startswith("| transformer float"))
    assert line.split("|")[-2].strip() == ratio


def scaled(checkpoint: Checkpoint) -> Checkpoint:
    """With features of about 1, as trained networks have."""
    last = "cnn.model.last_conv_1x1.weight"
    return Checkpoint({**checkpoint.tensors, last: checkpoint.tensors[last] * np.float32(1e-5)}, checkpoint.meta)


def test_rows_tell_which_matrices_stay_float():
    kept = "transformer.transformer.encoder.layers.0.*"
    checkpoint = quantize_dynamic(tiny_transformer.float_checkpoint(), Scheme(float_layers=(kept,)))
    assert name_of(checkpoint) == "transformer int8, decoder only but 4 of 28 matrices"
    assert stored_as(checkpoint) == "CNN float32, decoder int8 (4 of 28 matrices float32)"
    assert name_of(checkpoint, plain=True) == "transformer int8, network alone"


def test_files_that_are_the_same_are_told_apart_by_their_stems(tiny, annotation, tmp_path):
    other = write(int8_checkpoint(), tmp_path / "other.safetensors")
    (table,) = compare(annotation, [tiny, other], repeats=1, limit=2)
    assert [row.name for row in table.rows] == ["int8, all (tiny)", "int8, all (other)"]


def test_the_shipped_file_is_known_by_its_bytes(tiny, tmp_path, monkeypatch):
    assert name_of(read(tiny)) == "int8, all"
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny.read_bytes())
    for name, called in (("int8", "int8, all (shipped)"), ("slim", "slim int8, all (shipped)")):
        monkeypatch.setattr(
            "quantvietocr.measure.lines.readers.hashes", lambda name=name: {WEIGHTS[name]: sha256(copy)}
        )
        assert name_of(read(tiny)) == called

"""Word files, and the second reading of lines in doubt that is made with them."""

import gzip
import math

import numpy as np
import pytest
from tiny import int8_checkpoint

from quantvietocr import Predictor
from quantvietocr.cli.main import main
from quantvietocr.reading import decode
from quantvietocr.reading.confidence import Calibration
from quantvietocr.reading.decode import EOS, Reading
from quantvietocr.reading.seq2seq_decoder import Seq2SeqState
from quantvietocr.reading.words import model as words
from quantvietocr.reading.words.count import count_files
from quantvietocr.reading.words.model import WordModel, WordsError, build
from quantvietocr.reading.words.search import Spelling, search

CHARS = "tiềnếmặ 012"
TEXT = ["Tiền mặt, tiền mặt. TIỀN MẶT và tiền", "tiến tiến tiến, tiến lên 12 lên"] * 5


@pytest.fixture(scope="module")
def model() -> WordModel:
    return build(TEXT, least_word=5, least_pair=5)


#: One line of five places.
ENCODED = np.zeros((1, 5, 2), np.float32), np.zeros((1, 1), np.float32)


def number(char: str) -> int:
    return CHARS.index(char) + 4


class Spoken:
    """Follows a script of likely characters: at each step {character or "": probability}, "" is the end."""

    limit = 1000

    def __init__(self, *steps: dict[str, float]) -> None:
        self.steps, self.rows = steps, []

    def start(self, encoded: tuple[np.ndarray, ...], greedy: bool = False) -> Seq2SeqState:
        return Seq2SeqState(encoded[0], encoded[0], encoded[1], encoded[1])

    def step(self, tokens: np.ndarray, state: Seq2SeqState) -> tuple[np.ndarray, None]:
        assert len(tokens) == len(state.hidden) and len(state.memory) == 1
        self.rows.append(len(tokens))
        logits = np.full((len(tokens), len(CHARS) + 4), -20.0)
        for row, place in enumerate(state.hidden[:, 0].astype(int)):
            for char, probability in self.steps[min(place, len(self.steps) - 1)].items():
                logits[row, number(char) if char else EOS] = math.log(probability)
        state.hidden = state.hidden + 1
        return logits, None


def spoken(text: str, **doubts: dict[str, float]) -> list[dict[str, float]]:
    """Steps that are sure of a text, but at the places that are named `at_N`."""
    return [doubts.get(f"at_{place}", {char: 0.999}) for place, char in enumerate(text)] + [{"": 0.999}]


def found(model: WordModel, steps: list[dict[str, float]], **options) -> Reading | None:
    return search(Spoken(*steps), ENCODED, Spelling(model, CHARS), **options)


def text_of(reading: Reading) -> str:
    return decode.texts([reading], CHARS)[0]


def test_words_and_pairs_are_counted(model):
    assert model.words == ("lên", "mặt", "tiến", "tiền", "và")  # a word is lower case, and rarer ones are left out
    assert model.log_probability("tiền") == pytest.approx(math.log(20 / 70), abs=words.STEP / 2)
    assert model.log_probability("mặt", "tiền") == pytest.approx(
        math.log((15 - words.DISCOUNT) / 20), abs=words.STEP / 2
    )
    assert model.log_probability("tiền", "unheard") == model.log_probability("tiền")
    assert model.log_probability("unheard", "tiền") is None
    # `tiến, tiến` are no neighbours, and `12` between two words parts them.
    assert model.log_probability("lên", "lên") == pytest.approx(
        model.log_probability("lên") + model.left[model.words.index("lên")]
    )


def test_the_words_after_another_share_one_whole(model):
    for before in model.words:
        total = sum(math.exp(model.log_probability(word, before)) for word in model.words)
        assert 0.75 < total < 1.08  # what is left over counts the seen words too


def test_a_written_model_reads_the_same(model, tmp_path):
    read = words.read(words.write(model, tmp_path / "some.npz"))
    assert read.words == model.words and read.about == model.about
    for name in ("single", "left", "pairs", "paired"):
        np.testing.assert_array_equal(getattr(read, name), getattr(model, name))


def test_the_shipped_words_know_vietnamese():
    model = words.read("vi")
    assert model.about["words"] == len(model.words) > 10_000 and len(model.pairs) > 100_000
    assert model.log_probability("mặt", "tiền") > model.log_probability("mặt", "tiến") + 2
    assert model.log_probability("cộng", "tổng") > model.log_probability("công", "tống") + 2


@pytest.mark.parametrize(
    "content, sentence",
    [
        (None, "no such word file"),
        (b"nothing of the kind", "not a word file"),
        ("another", "not a word file"),
        ("older", "version 0 of word files"),
        ("unfitting", r"its parts do not fit"),
    ],
)
def test_a_file_that_is_no_word_file_is_refused(tmp_path, model, content, sentence):
    path = tmp_path / "words.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "another":
        np.savez(path, words=np.zeros(3))
    elif content == "older":
        words.write(model, path)
        arrays = dict(np.load(path)) | {"about": np.frombuffer(b'{"format_version": 0}', np.uint8)}
        np.savez(path, **arrays)
    elif content == "unfitting":
        words.write(WordModel(model.words[1:], model.single, model.left, model.pairs, model.paired), path)
    with pytest.raises(WordsError, match=f"{path.name}.*{sentence}"):
        words.read(path)


@pytest.mark.parametrize("text, sentence", [([], "No word"), (["lên"] * 4, "No word")])
def test_a_text_without_words_makes_no_model(text, sentence):
    with pytest.raises(WordsError, match=sentence):
        build(text, least_word=5)


def test_a_text_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WordsError, match="none.txt: no such text file"):
        count_files([tmp_path / "none.txt"], least_word=1, least_pair=1)


def test_the_pair_decides_between_two_words_that_look_alike(model):
    reading = found(model, spoken("tiến mặt", at_2={"ế": 0.6, "ề": 0.4}))
    assert text_of(reading) == "tiền mặt"
    alone = found(model, spoken("tiến 12", at_2={"ế": 0.6, "ề": 0.4}))
    assert text_of(alone) == "tiến 12"


def test_what_the_network_is_sure_of_stays(model):
    reading = found(model, spoken("tiến mặt", at_2={"ế": 0.99, "ề": 0.0001}))
    assert text_of(reading) == "tiến mặt"


def test_numbers_are_read_as_the_network_reads_them(model):
    reading = found(model, spoken("120 21", at_1={"2": 0.55, "1": 0.45}, at_4={"2": 0.6, "0": 0.4}))
    assert text_of(reading) == "120 21"
    # Of the first doubt's other side both ends are weighed against the one reading.
    assert reading.probabilities == pytest.approx([1, 0.33 / (0.33 + 0.45), 1, 1, 0.6, 1], abs=2e-3)
    assert reading.end == pytest.approx(1, abs=1e-3)


def test_a_probability_is_the_share_with_the_words_counted_in(model):
    spelling = Spelling(model, CHARS)
    reading = found(model, spoken("tiến mặt", at_2={"ế": 0.6, "ề": 0.4}))
    gain = (
        spelling.bonus("tiền", "")
        + spelling.bonus("mặt", "tiền")
        - spelling.bonus("tiến", "")
        - spelling.bonus("mặt", "tiến")
    )
    share = 0.4 * math.exp(gain) / (0.6 + 0.4 * math.exp(gain))
    assert reading.probabilities[2] == pytest.approx(share, abs=2e-3) and share > 0.5
    assert min(p for i, p in enumerate(reading.probabilities) if i != 2) > 0.99


def test_readings_that_end_alike_are_followed_once(model):
    decoder = Spoken(*spoken("tiến 12 tiền mặt tiền mặt", at_2={"ế": 0.6, "ề": 0.4}, at_5={"1": 0.6, "0": 0.4}))
    spelling = Spelling(model, CHARS)
    reading = search(decoder, ENCODED, spelling)
    assert text_of(reading) == "tiến 12 tiền mặt tiền mặt"
    assert max(decoder.rows) == 4 and decoder.rows[-1] == 1


def test_an_illegible_rest_is_no_reason_to_end(model):
    steps = (
        spoken("tiền ")[:-1] + [{"0": 0.35, "1": 0.3, "": 0.3}] + [{"0": 0.4, "1": 0.3, "2": 0.3}] * 9 + [{"": 0.999}]
    )
    assert text_of(found(model, steps)) == "tiền " + "0" * 10


def test_refused_characters_are_not_read(model):
    refused = decode.refused_classes("tiến 12", CHARS)
    reading = found(model, spoken("tiền 12", at_2={"ề": 0.9, "ế": 0.01}), refused=refused)
    assert text_of(reading) == "tiến 12"


def test_a_line_that_does_not_end_has_no_reading(model):
    assert found(model, [{"1": 0.9, "2": 0.1}], max_length=12) is None


def test_predictor_reads_again_only_what_is_in_doubt(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "quantvietocr.reading.predictor.search", lambda *a, **k: asked.append(a) or Reading((5, 6), (0.9, 0.9), 0.9)
    )
    predictor = Predictor(int8_checkpoint(), threads=1)
    monkeypatch.setattr("quantvietocr.reading.predictor.DECISION_SCALE", Calibration(1.0, 0.0))
    encoded = np.zeros((1, 3, 8), np.float32), np.zeros((1, 4), np.float32)
    sure, unsure = Reading((4,), (0.99,), 0.99), Reading((4,), (0.6,), 0.99)
    assert predictor._with_words(predictor.spelling, sure, encoded) is sure
    for kept in (Reading((4,), (0.6,), 0.99, looped=2), Reading((4,), (0.6,), 0.0)):
        assert predictor._with_words(predictor.spelling, kept, encoded) is kept
    assert not asked
    assert predictor._with_words(predictor.spelling, unsure, encoded).ids == (5, 6) and len(asked) == 1


def test_predictor_without_words_reads_greedily(monkeypatch):
    monkeypatch.setattr("quantvietocr.reading.predictor.search", lambda *a, **k: pytest.fail("searched"))
    pixels = [np.random.default_rng(3).integers(0, 256, (8, 40, 3), np.uint8)]
    plain = Predictor(int8_checkpoint(), threads=1, words=None)
    assert plain.spelling is None and Predictor(int8_checkpoint(), beam=2).spelling is None
    ((_text, reading),) = plain.recognizer.recognize(pixels)
    (expected,) = decode.greedy(
        plain.recognizer.decoder, plain.recognizer.engine.encode(np.stack(pixels)), drop_loops=True
    )
    assert reading == expected


def test_shipped_words_are_read_once_a_line_is_in_doubt(monkeypatch, model):
    asked = []
    monkeypatch.setattr("quantvietocr.reading.predictor.read_words", lambda name: asked.append(name) or model)
    predictor = Predictor(int8_checkpoint(), threads=1)
    assert not asked
    predictor.spelling.bonus("tiền", "")
    predictor.spelling.bonus("mặt", "tiền")
    assert asked == ["vi"]
    Predictor(int8_checkpoint(), threads=1, words="mine.npz")
    assert asked == ["vi", "mine.npz"]


def test_a_missing_word_file_is_named():
    with pytest.raises(WordsError, match="nowhere.npz: no such word file"):
        Predictor(int8_checkpoint(), words="nowhere.npz")


def test_the_verb_counts_text_files(tmp_path, capsys):
    plain, packed, out = tmp_path / "a.txt", tmp_path / "b.txt.gz", tmp_path / "some.npz"
    plain.write_text("\ufeff" + "\n".join(TEXT), "utf-8")
    packed.write_bytes(gzip.compress("\n".join(TEXT).encode()))
    arguments = ["words", "--text", str(plain), str(packed), "--out", str(out), "--least-word", "10"]
    assert main(arguments) == 0
    assert "words and" in capsys.readouterr().out
    read = words.read(out)
    assert read.about["texts"] == ["a.txt", "b.txt.gz"] and read.words == ("lên", "mặt", "tiến", "tiền", "và")
    assert main([*arguments[:-3], "some.safetensors"]) == 2 and "written as .npz" in capsys.readouterr().err
    packed.write_bytes(packed.read_bytes()[:40])
    assert main(arguments) == 2 and "b.txt.gz: cannot be read as UTF-8 text" in capsys.readouterr().err

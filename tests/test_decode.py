"""The NumPy decoder against VietOCR's own: same steps, same readings."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_network import HeadModel

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.reading import decode
from quantvietocr.reading.beam import beam_search
from quantvietocr.reading.decode import EOS, GO, Reading
from quantvietocr.reading.seq2seq_decoder import Seq2SeqDecoder, Seq2SeqState
from quantvietocr.vietocr_bridge.network import import_vietocr

CLASSES, CHANNELS, MOST = 233, 48, 24
WIDTHS = (8, 37, 160)  # places in the sequence: a 32-pixel line has 16, a 320-pixel one 160


@pytest.fixture(scope="module")
def theirs() -> SimpleNamespace:
    """VietOCR's translate module, and a model with random weights that ends its lines now and then."""
    translate = import_vietocr().translate
    from vietocr.model.seqmodel.seq2seq import Seq2Seq

    torch.manual_seed(3)
    head = Seq2Seq(CLASSES, encoder_hidden=32, decoder_hidden=40, img_channel=CHANNELS, decoder_embedded=24).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(3)  # initial weights are so small that every step says the same
        head.decoder.fc_out.bias[EOS] += 3
    return SimpleNamespace(translate=translate, model=HeadModel(head).eval(), head=head)


@pytest.fixture(scope="module")
def ours(theirs) -> Seq2SeqDecoder:
    return Seq2SeqDecoder({f"transformer.{name}": t.numpy() for name, t in theirs.head.state_dict().items()})


def features(width: int, count: int = 6) -> torch.Tensor:
    return 2 * torch.randn(count, width, CHANNELS, generator=torch.Generator().manual_seed(width))


@torch.no_grad()
def encoded(theirs, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    memory, hidden = theirs.head.encoder(images.transpose(0, 1))
    return memory.transpose(0, 1).contiguous().numpy(), hidden.numpy()


def cut(ids: list[int]) -> tuple[int, ...]:
    """VietOCR's sequence without go, and up to its first end."""
    assert ids[0] == GO
    return tuple(ids[1 : ids.index(EOS) if EOS in ids else None])


def line(inputs: tuple[np.ndarray, ...], i: int) -> tuple[np.ndarray, ...]:
    """The encoder's outputs for one line."""
    return tuple(part[i : i + 1] for part in inputs)


def log_probability(decoder: Seq2SeqDecoder, inputs: tuple[np.ndarray, ...], ids: tuple[int, ...]) -> float:
    """Of the whole reading, its end included."""
    total, state, token = 0.0, decoder.start(inputs), GO
    for following in (*ids, EOS):
        logits, _ = decoder.step(np.array([token]), state)
        total += float(np.log(decode.softmax(logits))[0, following])
        token = following
    return total


@pytest.mark.parametrize("width", WIDTHS)
@torch.no_grad()
def test_a_step_is_vietocrs(theirs, ours, width):
    memory, hidden = encoded(theirs, features(width))
    tokens = np.array([GO, 4, 100, 232, 0, EOS])
    their_memory, their_hidden = torch.from_numpy(memory).transpose(0, 1), torch.from_numpy(hidden)
    state = ours.start((memory, hidden))
    for _ in range(3):
        logits, _ = ours.step(tokens, state)
        expected, their_hidden, _ = theirs.head.decoder(torch.from_numpy(tokens), their_hidden, their_memory)
        np.testing.assert_allclose(logits, expected.numpy(), atol=2e-5)
        np.testing.assert_allclose(state.hidden, their_hidden.numpy(), atol=5e-6)
        tokens = logits.argmax(axis=1)


@pytest.mark.parametrize("width", WIDTHS)
def test_greedy_reads_what_vietocr_reads(theirs, ours, width):
    images = features(width)
    found = decode.greedy(ours, encoded(theirs, images), max_length=MOST)
    for image, reading in zip(images, found, strict=True):
        ids, probability = theirs.translate.translate(image[None], theirs.model, max_seq_length=MOST)
        assert reading.ids == cut(ids[0].tolist())
        if reading.ids:
            assert reading.mean_probability == pytest.approx(probability[0], abs=1e-5)


def test_lines_end_at_different_places_and_some_at_the_limit(theirs, ours):
    """So that the comparisons here see early ends, late ones and none."""
    lengths = [len(r.ids) for w in WIDTHS for r in decode.greedy(ours, encoded(theirs, features(w)), max_length=MOST)]
    assert len(set(lengths)) > 4 and max(lengths) == MOST + 1 and min(lengths) < 10


def test_a_line_reads_the_same_alone_and_in_a_batch(theirs, ours):
    for width in WIDTHS:
        inputs = encoded(theirs, features(width))
        together = decode.greedy(ours, inputs, max_length=MOST)
        beams = beam_search(ours, inputs, 3, max_length=MOST)
        for i in range(len(together)):
            (alone,) = decode.greedy(ours, line(inputs, i), max_length=MOST)
            assert alone.ids == together[i].ids
            np.testing.assert_allclose(alone.probabilities, together[i].probabilities, atol=1e-5)
            (alone,) = beam_search(ours, line(inputs, i), 3, max_length=MOST)
            assert alone.ids == beams[i].ids
            np.testing.assert_allclose(alone.probabilities, beams[i].probabilities, atol=1e-5)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("beams", [2, 4])
def test_beam_reads_what_vietocr_reads(theirs, ours, width, beams):
    images = features(width)
    found = beam_search(ours, encoded(theirs, images), beams, max_length=MOST, follow_states=False)
    for image, reading in zip(images, found, strict=True):
        ids = theirs.translate.translate_beam_search(image[None], theirs.model, beams, max_seq_length=MOST)
        assert reading.ids == cut([*ids, EOS])


def test_a_beam_of_one_is_greedy(theirs, ours):
    for width in WIDTHS:
        inputs = encoded(theirs, features(width))
        greedy = decode.greedy(ours, inputs, max_length=MOST)
        # Beam search stops a character earlier and, like VietOCR's, drops the last one of a line that has not ended.
        for one, reading in zip(beam_search(ours, inputs, 1, max_length=MOST), greedy, strict=True):
            assert one.ids == (reading.ids if len(reading.ids) < MOST else reading.ids[: MOST - 1])


def plain_beam(decoder: Seq2SeqDecoder, inputs: tuple[np.ndarray, ...], width: int) -> tuple[int, ...] | None:
    """Beam search of one line as a textbook has it, each beam with its own state; None where no beam ends."""
    live, ended = [(0.0, (GO,), decoder.start(inputs))], []
    for _ in range(MOST):
        children = []
        for score, ids, state in live:
            after = dataclasses.replace(state)
            logits, _ = decoder.step(np.array([ids[-1]]), after)
            logs = np.log(decode.softmax(logits.astype(np.float64)))[0]
            children += [(score + logs[token], (*ids, token), after) for token in np.argsort(-logs)[:width]]
        best = sorted(children, key=lambda child: -child[0])[:width]
        ended += [child for child in best if child[1][-1] == EOS]
        if best[0][1][-1] == EOS:
            break
        live = [child for child in best if child[1][-1] != EOS]
    return tuple(int(i) for i in max(ended, key=lambda child: child[0])[1][1:-1]) if ended else None


@pytest.mark.parametrize("beams", [2, 5])
def test_beams_take_their_states_along(theirs, ours, beams):
    """VietOCR's do not (`follow_states=False`); on the same lines the two differ, so this can tell them apart."""
    expected, left_behind = [], []
    for width in WIDTHS:
        inputs = encoded(theirs, features(width))
        found = beam_search(ours, inputs, beams, max_length=MOST)
        for i, reading in enumerate(found):
            text = plain_beam(ours, line(inputs, i), beams)
            assert text is None or reading.ids == text
            expected.append(reading.ids)
        left_behind += [r.ids for r in beam_search(ours, inputs, beams, max_length=MOST, follow_states=False)]
    assert expected != left_behind


def test_a_wide_beam_loses_nothing_that_greedy_finds(theirs, ours):
    """A narrow one may: it drops what looks worse for a while."""
    gains = []
    for width in WIDTHS:
        inputs = encoded(theirs, features(width))
        greedy = decode.greedy(ours, inputs, max_length=MOST)
        for i, found in enumerate(beam_search(ours, inputs, 24, max_length=MOST)):
            if max(len(greedy[i].ids), len(found.ids)) >= MOST - 1:
                continue  # one of them has no end: not comparable
            one = line(inputs, i)
            gains.append(log_probability(ours, one, found.ids) - log_probability(ours, one, greedy[i].ids))
    assert len(gains) > 5 and min(gains) >= -1e-4 and max(gains) > 0.1


def test_beam_probabilities_are_those_of_its_characters(theirs, ours):
    inputs = encoded(theirs, features(37))
    for i, found in enumerate(beam_search(ours, inputs, 4, max_length=MOST)):
        state, token = ours.start(line(inputs, i)), GO
        for following, probability in zip(found.ids, found.probabilities, strict=True):
            logits, _ = ours.step(np.array([token]), state)
            assert decode.softmax(logits)[0, following] == pytest.approx(probability, abs=1e-5)
            token = following


def test_beam_width_must_be_positive(theirs, ours):
    with pytest.raises(ValueError, match="beam width is 0; it must be at least 1"):
        beam_search(ours, encoded(theirs, features(8)), 0)


def test_mean_probability_is_over_characters():
    assert Reading((4, 5, 3), (0.5, 1.0, 0.1)).mean_probability == pytest.approx(0.75)  # the mask is no character
    assert Reading((), ()).mean_probability == 0.0


def test_texts_are_spelled_as_vietocr_spells_them():
    vocab = import_vietocr().Vocab(DEFAULT_CHARS)
    ids = (0, 3, 4, 232, 100, 1)
    assert decode.texts([Reading(ids, (1.0,) * 6)], DEFAULT_CHARS) == [vocab.decode([GO, *ids, EOS])]


def test_softmax_holds_for_large_numbers():
    big = np.array([[1000.0, 1000.0, -1000.0]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(decode.softmax(big), [[0.5, 0.5, 0.0]])


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0, 1e4])
def test_attention_is_the_softmax_of_v_tanh_for_keys_of_any_size(theirs, size):
    """Large keys and queries may cancel: what bounds each of them alone would not see it."""
    memory, hidden = encoded(theirs, features(40))
    state = {f"transformer.{name}": tensor.numpy().copy() for name, tensor in theirs.head.state_dict().items()}
    state["transformer.decoder.attention.attn.weight"] *= size
    decoder = Seq2SeqDecoder(state)
    attention = state["transformer.decoder.attention.attn.weight"].astype(np.float64)
    bias, v = state["transformer.decoder.attention.attn.bias"], state["transformer.decoder.attention.v.weight"][0]
    width = hidden.shape[1]
    energy = np.tanh(memory @ attention[:, width:].T + bias + (hidden @ attention[:, :width].T)[:, None])
    weights = decode.softmax(energy @ v)
    expected = np.matmul(weights[:, None], memory)[:, 0]
    # What a context does to the logits, found by giving it as the only position there is.
    alone = expected[:, None].astype(np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        logits, _ = decoder.step(np.full(len(memory), GO), decoder.start((memory, hidden)))
        direct, _ = decoder.step(np.full(len(memory), GO), decoder.start((alone, hidden)))
    np.testing.assert_allclose(logits, direct, atol=2e-5)


class Scripted:
    """Says what it is told, looking where it is told: for each line (class, index, probability) a step."""

    def __init__(self, *lines: list[tuple[int, float, float]]) -> None:
        self.lines, self.position = lines, 0

    limit = 1000

    def start(self, encoded: tuple[np.ndarray, ...], greedy: bool = False) -> Seq2SeqState:
        memory, hidden = encoded
        return Seq2SeqState(memory, memory, hidden, hidden)

    def step(self, tokens: np.ndarray, state: Seq2SeqState) -> tuple[np.ndarray, np.ndarray]:
        logits, attention = np.full((len(tokens), 9), -np.inf), np.zeros((len(tokens), state.memory.shape[1]))
        for row, number in enumerate(state.hidden[:, 0].astype(int)):
            said, place, probability = self.lines[number][min(self.position, len(self.lines[number]) - 1)]
            logits[row, [said, 8 if said != 8 else 7]] = np.log([probability, max(1 - probability, 1e-9)])
            whole = int(place)
            attention[row, [whole, whole + 1]] = whole + 1 - place, place - whole
        self.position += 1
        return logits, attention


def scripted(*lines: list[tuple[int, float, float]], **options) -> list[Reading]:
    memory = np.zeros((len(lines), 60, 2), np.float32)
    return decode.greedy(Scripted(*lines), (memory, np.arange(len(lines), dtype=np.float32)[:, None]), **options)


def test_a_run_that_attention_follows_is_kept():
    dots = [(4, 3 + 1.5 * i, 0.9) for i in range(20)] + [(5, 40, 0.9), (EOS, 42, 0.9)]
    (reading,) = scripted(dots, drop_loops=True)
    assert reading.ids == (4,) * 20 + (5,)


def test_what_is_said_while_attention_stands_still_is_left_out():
    dots = [(4, 3 + 2 * i, 0.9) for i in range(8)]  # up to place 17
    loop = [(4, 17 + 0.1 * i, 0.6 if i == 5 else 0.8) for i in range(9)] + [(4, 15, 0.8)]
    rest = [(5, 25, 0.95), (6, 27, 0.95), (6, 27, 0.95), (6, 27, 0.95), (6, 27, 0.95), (6, 29, 0.95), (EOS, 32, 0.7)]
    (reading,) = scripted(dots + loop + rest, drop_loops=True)
    assert reading.ids == (4,) * 8 + (5,) + (6,) * 4  # three are free, the fourth stands still, the fifth moves on
    assert reading.probabilities == pytest.approx([0.9] * 7 + [0.6] + [0.95] * 5) and reading.end == pytest.approx(0.7)
    (kept,) = scripted(dots + loop + rest)
    assert kept.ids == (4,) * 18 + (5,) + (6,) * 5


def test_standing_still_is_told_in_pixels():
    """Attention moves 0.6 positions a step: 2.4 px where a position is 4 px wide, 1.2 px where it is 2."""
    dots = [(4, 3 + 0.6 * i, 0.9) for i in range(10)] + [(EOS, 12, 0.9)]
    for width, kept in ((4.0, 10), (2.0, 6)):  # of the seven behind the free three every second one moved on by 1.2
        (reading,) = scripted(dots, drop_loops=True, position_width=width)
        assert len(reading.ids) == kept, width


def test_loops_are_dropped_line_by_line_and_a_cut_off_line_has_no_end():
    loop = [(4, 5, 0.9)] * 30
    short, long = [(5, 2, 0.9), (EOS, 4, 0.9)], [(6, 2 * i, 0.9) for i in range(12)] + [(EOS, 26, 0.9)]
    found = scripted(short, loop, long, short, drop_loops=True, max_length=20)
    assert [reading.ids for reading in found] == [(5,), (4,) * 3, (6,) * 12, (5,)]
    assert found[1].end == 0.0


@pytest.mark.parametrize("read", [decode.greedy, beam_search])
def test_a_whitelist_is_kept_to(theirs, ours, read):
    inputs = encoded(theirs, features(37))
    assert any(set(r.ids) - set(range(4, 9)) for r in read(ours, inputs, max_length=MOST))
    refused = decode.refused_classes(DEFAULT_CHARS[:5], DEFAULT_CHARS)
    found = read(ours, inputs, max_length=MOST, refused=refused)
    assert all(set(r.ids) <= set(range(4, 9)) for r in found) and any(r.ids for r in found)
    for i, reading in enumerate(found):
        state, token = ours.start(line(inputs, i)), GO
        for following, probability in zip(reading.ids[:5], reading.probabilities):
            logits, _ = ours.step(np.array([token]), state)
            kept = [EOS, *range(4, 9)]
            assert decode.softmax(logits[:, kept])[0, kept.index(following)] == pytest.approx(probability, abs=1e-5)
            token = following


@pytest.mark.parametrize(
    "whitelist, sentence", [("", "whitelist is empty"), ("1🙂", "whitelist holds '🙂', not in the vocabulary")]
)
def test_a_whitelist_outside_the_vocabulary_is_refused(whitelist, sentence):
    with pytest.raises(decode.WhitelistError, match=sentence):
        decode.refused_classes(whitelist, DEFAULT_CHARS)

"""VietOCR's `vgg_transformer`: the NumPy decoder beside VietOCR's own code, the file, the engines, what is refused."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import tiny_transformer
import torch
import yaml
from tiny_network import HeadModel

from quantvietocr.checkpoint import Checkpoint, CheckpointError, read, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.recognise import SUPPORTED
from quantvietocr.checkpoint.validation import validate
from quantvietocr.checkpoint.vietocr_yaml import BridgeError, read_yaml
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.errors import UserError
from quantvietocr.quantize.static import quantize_dynamic
from quantvietocr.reading import decode
from quantvietocr.reading.beam import beam_search
from quantvietocr.reading.decode import EOS, GO
from quantvietocr.reading.predictor import Predictor
from quantvietocr.reading.recognizer import decoder_of
from quantvietocr.reading.transformer_decoder import MOST_AT_ONCE, MOST_GUESSED_LINES, TransformerDecoder
from quantvietocr.train.teacher import decoder_logits, encode
from quantvietocr.vietocr_bridge.network import float_network, import_vietocr

CLASSES = len(tiny.CHARS) + 4
PLACES = (5, 37)
MOST = 36  # more steps than are run at once


@pytest.fixture(scope="module")
def theirs() -> SimpleNamespace:
    """VietOCR's translate module, and a model with random weights that ends its lines now and then."""
    head = tiny_transformer.head()
    return SimpleNamespace(translate=import_vietocr().translate, model=HeadModel(head).eval(), head=head)


@pytest.fixture(scope="module", params=["numpy", "onnxruntime"])
def ours(theirs, request) -> TransformerDecoder:
    weights = {f"transformer.{name}": tensor.numpy() for name, tensor in theirs.head.state_dict().items()}
    if request.param == "numpy":
        return TransformerDecoder(weights, tiny_transformer.HEADS)
    pytest.importorskip("onnxruntime")
    decoder = TransformerDecoder.of(Checkpoint(weights, tiny_transformer.meta()))
    assert decoder.guesser is not None
    return decoder


def features(places: int, count: int = 5) -> torch.Tensor:
    return torch.randn(count, places, tiny_transformer.WIDTH, generator=torch.Generator().manual_seed(places))


@torch.no_grad()
def encoded(theirs, images: torch.Tensor) -> tuple[np.ndarray]:
    return (theirs.head.forward_encoder(images.transpose(0, 1)).transpose(0, 1).contiguous().numpy(),)


def line(inputs: tuple[np.ndarray, ...], i: int) -> tuple[np.ndarray, ...]:
    return tuple(part[i : i + 1] for part in inputs)


def cut(ids: list[int]) -> tuple[int, ...]:
    """VietOCR's sequence without go, and up to its first end."""
    assert ids[0] == GO
    return tuple(ids[1 : ids.index(EOS) if EOS in ids else None])


@pytest.mark.parametrize("places", PLACES)
@torch.no_grad()
def test_steps_are_vietocrs_which_runs_all_of_them_again(theirs, ours, places):
    inputs = encoded(theirs, features(places))
    memory = torch.from_numpy(inputs[0]).transpose(0, 1)
    state, tokens = ours.start(inputs), [np.full(5, GO)]
    for _ in range(MOST_AT_ONCE + 2):
        logits, attention = ours.step(tokens[-1], state)
        expected, _ = theirs.head.forward_decoder(torch.from_numpy(np.stack(tokens)), memory)
        np.testing.assert_allclose(logits, expected[:, -1].numpy(), atol=2e-5)
        assert attention is None
        tokens.append((logits.argmax(axis=1) + len(tokens)) % CLASSES)


@pytest.mark.parametrize("places", PLACES)
def test_greedy_reads_what_vietocr_reads(theirs, ours, places):
    images = features(places)
    found = decode.greedy(ours, encoded(theirs, images), max_length=MOST, drop_loops=True)
    for image, reading in zip(images, found, strict=True):
        ids, probability = theirs.translate.translate(image[None], theirs.model, max_seq_length=MOST)
        assert reading.ids == cut(ids[0].tolist()) and not reading.looped
        if reading.mean_probability:
            assert reading.mean_probability == pytest.approx(probability[0], abs=1e-5)


def test_lines_end_at_different_places_and_some_at_the_limit(theirs, ours):
    """So that the comparisons here see early ends, late ones and none."""
    lengths = [len(r.ids) for p in PLACES for r in decode.greedy(ours, encoded(theirs, features(p)), max_length=MOST)]
    assert len(set(lengths)) > 3 and max(lengths) == MOST + 1 and min(lengths) < 10


@pytest.mark.parametrize("beams", [2, 4])
def test_beam_reads_what_vietocr_reads(theirs, ours, beams):
    for places in PLACES:
        images = features(places)
        found = beam_search(ours, encoded(theirs, images), beams, max_length=MOST, follow_states=False)
        for image, reading in zip(images, found, strict=True):
            ids = theirs.translate.translate_beam_search(image[None], theirs.model, beams, max_seq_length=MOST)
            assert reading.ids == cut([*ids, EOS])


def test_a_line_reads_the_same_alone_and_in_a_batch(theirs, ours):
    for places in PLACES:
        inputs = encoded(theirs, features(places))
        for search in (decode.greedy, lambda *given, **how: beam_search(*given, 3, **how)):
            together = search(ours, inputs, max_length=MOST)
            for i, reading in enumerate(together):
                (alone,) = search(ours, line(inputs, i), max_length=MOST)
                assert alone.ids == reading.ids
                np.testing.assert_allclose(alone.probabilities, reading.probabilities, atol=1e-5)


def test_beams_take_what_they_have_read_along(theirs, ours):
    """The probabilities of a beam's characters are those of its own text, read from the start."""
    moved = 0
    for places in PLACES:
        inputs = encoded(theirs, features(places))
        for i, found in enumerate(beam_search(ours, inputs, 4, max_length=MOST)):
            state, token = ours.start(line(inputs, i)), GO
            for following, probability in zip(found.ids, found.probabilities, strict=True):
                logits, _ = ours.step(np.array([token]), state)
                assert decode.softmax(logits)[0, following] == pytest.approx(probability, abs=1e-5)
                token = following
        left = beam_search(ours, inputs, 4, max_length=MOST, follow_states=False)
        moved += [r.ids for r in left] != [r.ids for r in beam_search(ours, inputs, 4, max_length=MOST)]
    assert moved  # else the beams were never reordered here


class Guessing:
    """Steps that count their runs, and whose guesses follow a script instead of being the decoder's own."""

    def __init__(self, steps, script) -> None:
        self.steps, self.script, self.runs, self.rounds = steps, script, 0, 0

    def run(self, *inputs):
        self.runs += 1
        return self.steps.run(*inputs)

    def guess(self, tokens, at, most, done, memory, kept):
        self.rounds += 1
        return self.script[at : at + most]


@pytest.mark.parametrize("wrong", [(), (0,), (3,), (9, 10), tuple(range(0, MOST, 2)), tuple(range(MOST))])
@pytest.mark.parametrize("most_lines", [1, MOST_GUESSED_LINES])
def test_guesses_change_no_text_and_no_probability(theirs, ours, wrong, most_lines, monkeypatch):
    monkeypatch.setattr(decode, "SHRINK_BELOW", 0.0)  # the script knows all lines
    for places in PLACES:
        inputs = tuple(part[:most_lines] for part in encoded(theirs, features(places)))
        plain = TransformerDecoder(
            {f"transformer.{name}": tensor.numpy() for name, tensor in theirs.head.state_dict().items()},
            tiny_transformer.HEADS,
        )
        expected = decode.greedy(plain, inputs, max_length=MOST)
        script = np.full((MOST + 1, len(inputs[0])), EOS)
        for row, reading in enumerate(expected):
            script[: len(reading.ids), row] = reading.ids
        for step in wrong:
            script[step] = (script[step] + 1) % CLASSES
        guessed = TransformerDecoder.__new__(TransformerDecoder)
        guessed.__dict__ |= ours.__dict__
        guessed.steps = guessed.guesser = counted = Guessing(ours.steps, script)
        found = decode.greedy(guessed, inputs, max_length=MOST)
        assert [reading.ids for reading in found] == [reading.ids for reading in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
            assert one.end == pytest.approx(other.end, abs=1e-5)
        longest = max(len(reading.ids) for reading in expected)
        if not wrong:
            assert counted.runs <= 2
        if len(wrong) == MOST:
            assert counted.rounds <= 2 and counted.runs == min(longest, MOST) + 1  # it gives up guessing


def test_beams_guess_nothing(theirs, ours):
    watched = TransformerDecoder.__new__(TransformerDecoder)
    watched.__dict__ |= ours.__dict__
    watched.guesser = Guessing(ours.steps, np.zeros((0, 5)))
    beam_search(watched, encoded(theirs, features(37)), 2, max_length=MOST)
    assert not watched.guesser.rounds


def test_a_network_of_few_positions_stops_at_the_last_of_them(theirs):
    head = tiny_transformer.head(max_seq_length=12)
    with torch.no_grad():
        head.fc.bias[EOS] -= 100
    short = TransformerDecoder({f"transformer.{n}": t.detach().numpy() for n, t in head.state_dict().items()}, 2)
    (reading,) = decode.greedy(short, encoded(SimpleNamespace(head=head), features(5, 1)))
    assert len(reading.ids) == 12 and reading.end == 0.0
    (reading,) = beam_search(short, encoded(SimpleNamespace(head=head), features(5, 1)), 2)
    assert len(reading.ids) == 11


def test_a_whitelist_is_kept_to(theirs, ours):
    refused = decode.refused_classes("ab", tiny.CHARS)
    found = decode.greedy(ours, encoded(theirs, features(37)), max_length=MOST, refused=refused)
    assert {i for reading in found for i in reading.ids} <= {4, 5}


def test_the_whole_network_reads_as_vietocrs(tmp_path):
    """Pixels to class numbers, through a file: VietOCR builds its own network from the same state dict."""
    path = tmp_path / "mine.pth"
    checkpoint = wide_checkpoint()
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in checkpoint.tensors.items()}, path)
    config = tmp_path / "mine.yml"
    settings = {"seq_modeling": "transformer", "transformer": {"nhead": 2}, "backbone": "vgg11_bn"}
    config.write_text(yaml.safe_dump(settings | {"vocab": tiny.CHARS}, allow_unicode=True), encoding="utf-8")
    loaded = read(path, config)
    assert (loaded.meta.seq_modeling, loaded.meta.heads) == ("transformer", 2)
    network, translate = float_network(loaded), import_vietocr().translate
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 60, 3), np.uint8)
    engine = TorchEngine(loaded, 1)
    found = decode.greedy(decoder_of(loaded), engine.encode(pixels), max_length=20)
    for picture, reading in zip(pixels, found, strict=True):
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        ids, _ = translate.translate(image, network, max_seq_length=20)
        assert reading.ids == cut(ids[0].tolist())


def wide_checkpoint() -> Checkpoint:
    """A VGG as wide as VietOCR builds it, and a tiny head."""
    from quantvietocr.checkpoint.vietocr_yaml import VGG_TRANSFORMER, VietOCRConfig
    from quantvietocr.vietocr_bridge.network import build_float

    torch.manual_seed(3)
    cnn = VGG_TRANSFORMER["cnn"] | {"hidden": tiny_transformer.WIDTH}
    architecture = VGG_TRANSFORMER | {"backbone": "vgg11_bn", "cnn": cnn, "transformer": tiny_transformer.SIZES}
    state = build_float(VietOCRConfig(tiny.CHARS, architecture)).state_dict()
    tensors = {name: tensor.numpy() for name, tensor in state.items()} | tiny_transformer.transformer()
    return Checkpoint(tensors, tiny_transformer.meta())


@torch.no_grad()
def test_known_texts_get_vietocrs_logits():
    network = float_network(wide_checkpoint())
    images, tokens = torch.rand(2, 3, 32, 40), torch.tensor([[1, 1], [5, 6], [7, 2], [2, 0]])
    expected = network(images, tokens, tokens.T == 0)
    found = decoder_logits(network, encode(network, network.cnn(images)), tokens)
    real = tokens.T[..., None] != 0
    torch.testing.assert_close(found * real, expected * real, rtol=0, atol=1e-5)


def test_a_file_holds_what_it_was_made_from(tmp_path):
    original = tiny_transformer.float_checkpoint()
    for checkpoint in (original, quantize_dynamic(original), tiny_transformer.int8_checkpoint()):
        again = read(write(checkpoint, tmp_path / "file.safetensors"))
        assert again.meta == checkpoint.meta
        assert all(np.array_equal(again.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())
    assert "network     vgg_transformer" in describe(tmp_path / "file.safetensors")
    assert '"format_version": 3' in checkpoint.meta.to_json()
    assert '"seq_modeling"' not in tiny.int8_checkpoint().meta.to_json()  # which every version reads


def test_dynamic_makes_int8_of_every_matrix_after_the_cnn():
    quantized = quantize_dynamic(tiny_transformer.float_checkpoint())
    after = {name: t for name, t in quantized.tensors.items() if name.startswith("transformer.") and t.ndim == 2}
    assert len(after) == 2 * 4 + 3 * 6 + 2 and all(t.dtype == np.int8 for t in after.values())
    original = tiny_transformer.float_checkpoint().tensors
    for name in after:
        step = quantized.tensors[name + ".scale"][:, None]
        assert np.all(np.abs(quantized.weight(name) - original[name]) <= step / 2 + 1e-7)


@pytest.mark.parametrize(
    "wrap, notes",
    [
        (lambda state: {"state_dict": state, "epoch": torch.tensor(3)}, ["lie under 'state_dict' .1 other entry"]),
        (lambda state: {"model": state}, ["lie under 'model'"]),
        (lambda state: {f"module.{name}": t for name, t in state.items()}, ["'module.' was taken off"]),
        (lambda state: {f"_orig_mod.module.{n}": t for n, t in state.items()}, ["'_orig_mod.' was", "'module.' was"]),
        (lambda state: {"model": {f"module.{n}": t for n, t in state.items()}}, ["under 'model'", "'module.' was"]),
    ],
)
@pytest.mark.parametrize("tiny_network", [tiny, tiny_transformer])
def test_wrappers_and_prefixes_are_taken_off_and_named(wrap, notes, tiny_network, tmp_path):
    state = {name: torch.from_numpy(np.array(t)) for name, t in tiny_network.float_state().items()}
    torch.save(wrap(state), tmp_path / "mine.pth")
    config = tmp_path / "mine.yml"
    heads = {"transformer": {"nhead": 2}} if tiny_network is tiny_transformer else {}
    config.write_text(yaml.safe_dump({"vocab": tiny.CHARS, **heads}, allow_unicode=True), encoding="utf-8")
    loaded = read(tmp_path / "mine.pth", config)
    assert set(loaded.tensors) == set(state) and len(loaded.notes) == len(notes)
    for note, said in zip(loaded.notes, notes):
        assert re.search(said, note) and note.startswith(str(tmp_path / "mine.pth"))
    assert all(note in describe(tmp_path / "mine.pth", config) for note in loaded.notes)
    assert Predictor(loaded, threads=1, words=None).about[: len(notes)] == list(loaded.notes)


def plain_pth(path, state) -> None:
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in state.items()}, path)


@pytest.mark.parametrize(
    "name, what",
    [
        ("cnn.model.conv0_1.weight", "the ResNet backbone"),
        ("transformer.encoder.emb2hid.weight", "the head 'convseq2seq'"),
    ],
)
def test_another_network_is_refused_by_the_tensor_that_tells_it(name, what, tmp_path):
    plain_pth(tmp_path / "other.pth", {name: np.zeros((2, 2), np.float32)} | tiny_transformer.transformer())
    with pytest.raises(CheckpointError, match=f"other.pth: the tensor {name} is of {what}: ") as refusal:
        read(tmp_path / "other.pth")
    assert SUPPORTED in str(refusal.value)


def test_weights_and_yaml_of_two_heads_are_refused(tmp_path):
    (tmp_path / "seq2seq.yml").write_text("seq_modeling: seq2seq\n", encoding="utf-8")
    plain_pth(tmp_path / "mine.pth", tiny_transformer.float_state())
    with pytest.raises(
        BridgeError, match=r"seq2seq\.yml describes the head 'seq2seq' and the weights have .*'transformer'"
    ):
        read(tmp_path / "mine.pth", tmp_path / "seq2seq.yml")


@pytest.mark.parametrize(
    "name, other", [("d_model", 16), ("num_encoder_layers", 6), ("num_decoder_layers", 1), ("dim_feedforward", 2048)]
)
def test_a_yaml_of_other_sizes_is_refused(name, other, tmp_path):
    plain_pth(tmp_path / "mine.pth", tiny_transformer.float_state())
    size = tiny_transformer.SIZES[name]
    for stated, fits in ((size, True), (other, False)):
        settings = {"vocab": tiny.CHARS, "transformer": {"nhead": 2, name: stated}}
        (tmp_path / "mine.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        if fits:
            assert read(tmp_path / "mine.pth", tmp_path / "mine.yml").meta.chars == tiny.CHARS
        else:
            with pytest.raises(CheckpointError, match=f"have {name} {size}, and .*mine.yml says {other}"):
                read(tmp_path / "mine.pth", tmp_path / "mine.yml")


def test_a_yaml_of_a_transformer_has_vietocrs_sizes_where_it_is_silent(tmp_path):
    (tmp_path / "mine.yml").write_text("seq_modeling: transformer\ntransformer: {nhead: 4}\n", encoding="utf-8")
    found = read_yaml(tmp_path / "mine.yml")
    assert found.architecture["transformer"]["d_model"] == 256 and found.architecture["transformer"]["nhead"] == 4
    assert found.dropout == {"pos_dropout": 0.1, "trans_dropout": 0.1} and found.stated == {}
    (tmp_path / "mine.yml").write_text("seq_modeling: transformer\ntransformer: {nhead: 3}\n", encoding="utf-8")
    with pytest.raises(BridgeError, match=r"nhead is 3, which must divide d_model \(256\)"):
        read_yaml(tmp_path / "mine.yml")


LAYER = "transformer.transformer.decoder.layers.1."


@pytest.mark.parametrize("make", [tiny_transformer.float_checkpoint, tiny_transformer.int8_checkpoint])
@pytest.mark.parametrize(
    "name",
    [f"{LAYER}multihead_attn.in_proj_weight", f"{LAYER}norm3.bias", "transformer.pos_enc.pe", "transformer.fc.bias"],
)
def test_a_missing_tensor_is_named(make, name):
    with pytest.raises(CheckpointError, match=f"lacks the tensor {name}: it is not a VietOCR vgg_transformer"):
        validate(tiny.without(make(), name))


def test_tensors_that_do_not_fit_are_named():
    whole = tiny_transformer.float_checkpoint()
    bad = tiny.replaced(whole, f"{LAYER}linear2.weight", np.zeros((8, 21), np.float32))
    with pytest.raises(CheckpointError, match=r"linear2.weight has shape \[8, 21\], .* need \[8, 20\]"):
        validate(bad)
    few = tiny.replaced(whole, "transformer.pos_enc.pe", whole.tensors["transformer.pos_enc.pe"][:100])
    with pytest.raises(CheckpointError, match="has 100 positions, and a picture 512 px wide has 256"):
        validate(few)
    for heads in (3, 0, "2"):
        with pytest.raises(CheckpointError, match=f"said to have {heads!r} attention heads.*width of 8"):
            validate(dataclasses.replace(whole, meta=dataclasses.replace(whole.meta, heads=heads)))
    narrow = tiny.replaced(whole, f"{tiny.PREFIX}last_conv_1x1.weight", np.zeros((6, 4, 1, 1), np.float32))
    with pytest.raises(CheckpointError, match=r"its CNN gives 6 channels and tensor transformer.embed_tgt.weight"):
        validate(narrow)


def test_unknown_heads_are_refused():
    whole = tiny.int8_checkpoint()
    with pytest.raises(UserError, match="unknown head 'mamba'; known: seq2seq, transformer"):
        validate(dataclasses.replace(whole, meta=dataclasses.replace(whole.meta, seq_modeling="mamba")))


def test_what_computes_the_decoders_steps_is_said(monkeypatch):
    checkpoint = tiny_transformer.int8_checkpoint()
    assert re.match(r"decoder: onnxruntime [\d.]+, float32, with guesses in 8 bits", _about(checkpoint))
    monkeypatch.setattr("quantvietocr.engines.onnx_steps.installed", lambda package: False)
    assert re.match(r"decoder: NumPy, float32; onnxruntime makes it faster: ", _about(checkpoint))


def _about(checkpoint) -> str:
    return Predictor(checkpoint, threads=1, words=None).about[-1]

"""`Predictor` beside VietOCR's own reading on the same weights, and on any picture it may meet."""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import PREFIX, int8_checkpoint, transformer
from torch import nn

from quantvietocr import Predictor
from quantvietocr.checkpoint import Checkpoint, CheckpointError, Meta, read, write
from quantvietocr.checkpoint.folding import float_layers
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.pictures.image import ImageError, ImageSpec, line_pixels, open_line
from quantvietocr.reading import decode
from quantvietocr.reading.beam import beam_search
from quantvietocr.vietocr_bridge.network import build_float, import_vietocr, load_float

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture(scope="module")
def pictures() -> list[Path]:
    """The forty shipped samples: grey and colour, 16 to 44 pixels high, some wider than the network takes."""
    rows = (SAMPLES / "annotation.txt").read_text(encoding="utf-8").splitlines()
    return [SAMPLES / row.split("\t")[0] for row in rows]


@pytest.fixture(scope="module")
def predictor(float_weights) -> Predictor:
    return Predictor(float_weights, threads=1, wide="squeeze", leaders="keep", words=None)


@pytest.fixture(scope="module")
def theirs(float_weights) -> SimpleNamespace:
    """VietOCR's network with the same weights, and its reading of a Pillow image: (text, probability)."""
    found = import_vietocr()
    network = build_float().eval()
    load_float(network, {n: torch.from_numpy(t) for n, t in read(float_weights).tensors.items()}, str(float_weights))
    vocab = found.Vocab(Meta().chars)

    def predict(image: Image.Image) -> tuple[str, float]:
        ids, probability = found.translate.translate(found.translate.process_input(image, 32, 32, 512), network)
        return vocab.decode(ids[0].tolist()), float(probability[0])

    def predict_beam(image: Image.Image) -> str:
        return vocab.decode(
            found.translate.translate_beam_search(found.translate.process_input(image, 32, 32, 512), network)
        )

    return SimpleNamespace(
        network=network, predict=predict, predict_beam=predict_beam, process_input=found.translate.process_input
    )


@pytest.fixture(scope="module")
def readings(predictor, pictures) -> list[tuple[str, float]]:
    return [predictor.predict(Image.open(path), return_prob=True) for path in pictures]


def test_every_line_reads_as_with_vietocr(theirs, predictor, pictures, readings):
    expected = [theirs.predict(Image.open(path)) for path in pictures]
    assert [text for text, _ in readings] == [text for text, _ in expected]
    details = predictor.recognizer.recognize([line_pixels(open_line(path), predictor.spec) for path in pictures])
    for (text, ours), (_, confidence) in zip(details, expected, strict=True):
        if text:  # VietOCR gives 0/0 for an empty reading
            assert ours.mean_probability == pytest.approx(confidence, abs=1e-4)
    assert sum(len(text) for text, _ in readings) > 10 * len(readings)  # they do read


def test_beam_search_reads_as_with_vietocr_on_request(float_weights, theirs, pictures):
    # Hardly legible, so that beams change places: where all is clear both ways to search read the same.
    some = [
        picture.reduce(3).resize(picture.size)
        for picture in (Image.open(path).convert("RGB") for path in pictures[::4])
    ]
    expected = [theirs.predict_beam(picture) for picture in some]
    asked = Predictor(float_weights, threads=1, beam=4, follow_states=False, wide="squeeze").predict_batch(some)
    ours = Predictor(float_weights, threads=1, beam=4, wide="squeeze").predict_batch(some)
    assert asked == expected
    assert ours != expected  # states that follow their beams do change readings


def test_a_batch_reads_as_line_by_line(predictor, pictures, readings):
    order = np.random.default_rng(0).permutation(len(pictures))[:20]
    found, confidences = predictor.predict_batch([Image.open(pictures[i]) for i in order], return_prob=True)
    assert found == [readings[i][0] for i in order]
    np.testing.assert_allclose(confidences, [readings[i][1] for i in order], atol=1e-4)


def test_features_are_those_of_vietocrs_cnn(predictor, theirs, pictures):
    for path in pictures[:6]:
        images = theirs.process_input(Image.open(path), 32, 32, 512)
        with torch.inference_mode():
            expected = theirs.network.cnn(images)
            found = predictor.recognizer.engine.features(images).transpose(-1, -2).flatten(2).permute(2, 0, 1)
        assert expected.abs().max() > 0.5
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_file_and_its_checkpoint_read_alike(int8_weights, pictures):
    from_file, from_memory = Predictor(int8_weights, threads=1), Predictor(read(int8_weights), threads=1)
    assert from_file.meta.method != "float"
    texts = [from_file.predict(path) for path in pictures[:8]]
    assert texts == [from_memory.predict(path) for path in pictures[:8]] == from_file.predict_batch(pictures[:8])
    assert all(texts)


def test_the_interface_is_vietocrs():
    assert list(inspect.signature(Predictor.predict).parameters) == ["self", "img", "return_prob"]
    assert list(inspect.signature(Predictor.predict_batch).parameters) == ["self", "imgs", "return_prob"]
    predictor = Predictor(int8_checkpoint())
    image = Image.new("RGB", (30, 8), "white")
    text, confidence = predictor.predict(image, return_prob=True)
    assert predictor.predict(image) == text and isinstance(text, str) and 0 <= confidence <= 1
    assert predictor.predict_batch([image]) == [text]
    texts, confidences = predictor.predict_batch([image, image], return_prob=True)
    assert texts == [text, text] and confidences == pytest.approx([confidence, confidence], abs=1e-5)
    assert predictor.predict_batch([]) == []


def same_picture_in(mode: str) -> Image.Image:
    """One grey picture, without loss, in any mode."""
    levels = np.random.default_rng(4).integers(0, 256, (8, 40), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(levels.astype(np.uint16) * 257)
    grey = Image.fromarray(levels)
    return grey.convert("RGB").convert(mode) if mode == "CMYK" else grey.convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "CMYK", "I;16", "I", "F", "P"])
def test_the_mode_of_a_picture_does_not_change_its_reading(mode):
    predictor = Predictor(int8_checkpoint())
    image = same_picture_in(mode)
    assert image.mode == mode
    assert predictor.predict(image, return_prob=True) == predictor.predict(same_picture_in("RGB"), return_prob=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (20_000, 32), (20_000, 1)])
def test_extreme_pictures_are_read(size):
    predictor = Predictor(int8_checkpoint())
    for mode in ("RGB", "1", "L"):
        assert isinstance(predictor.predict(Image.new(mode, size)), str)


def test_a_rotated_photo_is_read_upright(tmp_path):
    upright = same_picture_in("RGB")
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to view"
    sideways.save(tmp_path / "photo.png", exif=exif)
    predictor = Predictor(int8_checkpoint())
    assert predictor.predict(tmp_path / "photo.png", True) == predictor.predict(upright, True)
    assert predictor.predict(np.asarray(upright), True) == predictor.predict(upright, True)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    predictor = Predictor(int8_checkpoint())
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with pytest.raises(ImageError, match=r"broken\.png"):
        predictor.predict(tmp_path / "broken.png")
    with pytest.raises(ImageError, match="no such file"):
        predictor.predict_batch([same_picture_in("RGB"), "nowhere.png"])


def test_the_thread_setting_is_used_and_put_back(monkeypatch):
    predictor = Predictor(int8_checkpoint(), threads=3)
    features, seen = predictor.recognizer.engine.features, []

    def watched(images: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        if len(seen) == 2:
            raise RuntimeError("in the middle")
        return features(images)

    monkeypatch.setattr(predictor.recognizer.engine, "features", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        predictor.predict(same_picture_in("RGB"))
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="in the middle"):
            predictor.predict(same_picture_in("RGB"))
        assert torch.get_num_threads() == 2 and seen == [3, 3]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("options", [{"threads": -1}, {"beam": -1}, {"batch_size": 0}, {"beam": 33}])
def test_senseless_options_are_refused(options):
    with pytest.raises(ValueError, match="0 or more|must be 0 to 32"):
        Predictor(int8_checkpoint(), **options)


def test_what_can_be_done_about_leaders_is_named():
    with pytest.raises(ValueError, match="leaders is 'cut'; it must be one of count, drop, keep"):
        Predictor(int8_checkpoint(), leaders="cut")


def test_a_missing_checkpoint_is_named():
    with pytest.raises(CheckpointError, match="nowhere.safetensors"):
        Predictor("nowhere.safetensors")


def test_beam_search_is_used_when_asked_for_alone_and_in_batches():
    predictor = Predictor(int8_checkpoint(), beam=3, batch_size=2)
    images = [np.random.default_rng(i).integers(0, 256, (8, 40, 3), np.uint8) for i in range(5)]
    encoded = [predictor.recognizer.engine.encode(line_pixels(image, predictor.spec)[None]) for image in images]
    expected = decode.texts(
        [beam_search(predictor.recognizer.decoder, line, 3)[0] for line in encoded], predictor.meta.chars
    )
    assert [predictor.predict(image) for image in images] == expected == predictor.predict_batch(images)
    assert expected != Predictor(int8_checkpoint()).predict_batch(images)


def test_quantized_files_are_read_without_vietocr_and_torchvision(tmp_path):
    path = write(int8_checkpoint(), tmp_path / "tiny.safetensors")
    same_picture_in("RGB").save(tmp_path / "line.png")
    code = (
        "import sys; sys.modules['vietocr'] = sys.modules['torchvision'] = None\n"
        "from quantvietocr import Predictor\n"
        f"print(Predictor({str(path)!r}).predict({str(tmp_path / 'line.png')!r}), end='')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout == Predictor(int8_checkpoint()).predict(same_picture_in("RGB"))


def test_batch_norm_is_folded_into_the_convolutions():
    """A VGG of four convolutions with VietOCR's names, statistics far from 0 and 1, pools of both shapes."""
    torch.manual_seed(0)
    modules, channels = [], 3
    for width, pool in ((5, None), (6, (2, 2)), (7, (2, 1)), (8, (1, 1))):
        norm = nn.BatchNorm2d(width)
        for values, low in ((norm.running_mean, -1.0), (norm.running_var, 0.2), (norm.weight, -2.0), (norm.bias, -1.0)):
            nn.init.uniform_(values, low, low + 4)
        modules += [nn.Conv2d(channels, width, 3, padding=1), norm, nn.ReLU()]
        modules += [nn.AvgPool2d(pool, pool)] if pool else []
        channels = width
    features, last = nn.Sequential(*modules).eval(), nn.Conv2d(channels, 6, 1)
    state = {f"{PREFIX}features.{n}": t.numpy() for n, t in features.state_dict().items()}
    state |= {f"{PREFIX}last_conv_1x1.{n}": t.numpy() for n, t in last.state_dict().items()}
    meta = Meta(chars="abcđ ", image=ImageSpec(8, 8, 64), pools=((2, 2), (2, 1), (1, 1)))
    checkpoint = Checkpoint(state | transformer(), meta)

    layers, folded = float_layers(checkpoint)
    assert [layer.op for layer in layers] == ["conv", "conv", "avgpool", "conv", "avgpool", "conv", "avgpool", "conv"]
    assert [layer.name for layer in layers if layer.op == "avgpool"] == [f"{PREFIX}features.{i}" for i in (6, 10, 14)]
    convolutions = [layer.name for layer in layers if layer.op == "conv"]
    assert sorted(folded) == sorted(f"{name}.{part}" for name in convolutions for part in ("weight", "bias"))
    images = torch.rand(2, 3, 8, 20)
    with torch.inference_mode():
        found, expected = TorchEngine(checkpoint).features(images), last(features(images))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

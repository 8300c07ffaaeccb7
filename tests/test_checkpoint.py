"""The checkpoint file: what goes in comes out, and nothing that comes in is trusted."""

import dataclasses
import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file
from tiny import CHARS, int8_checkpoint, transformer

from quantvietocr import checkpoint as files
from quantvietocr.checkpoint import Checkpoint, CheckpointError, Meta, describe, read, sha256, validate, write
from quantvietocr.image import ImageSpec
from quantvietocr.vocab import DEFAULT_CHARS


def without(checkpoint: Checkpoint, name: str) -> Checkpoint:
    return dataclasses.replace(checkpoint, tensors={k: v for k, v in checkpoint.tensors.items() if k != name})


def replaced(checkpoint: Checkpoint, name: str, value: np.ndarray) -> Checkpoint:
    return dataclasses.replace(checkpoint, tensors=dict(checkpoint.tensors) | {name: value})


def float_state(chars: str = DEFAULT_CHARS) -> dict[str, np.ndarray]:
    """As much of a VietOCR state dict as reading looks at; a count among it, as batch norm has."""
    last = {"weight": np.ones((6, 5, 1, 1), np.float32), "bias": np.zeros(6, np.float32)}
    return {
        **transformer(chars),
        **{f"cnn.model.last_conv_1x1.{part}": value for part, value in last.items()},
        "cnn.model.features.1.num_batches_tracked": np.array(7),
    }


def save_pth(path: Path, state: dict[str, np.ndarray]) -> Path:
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in state.items()}, path)
    return path


def with_metadata(path: Path, **changes) -> Path:
    """A tiny int8 file whose metadata differ from what `write` would have written; None removes a key."""
    meta = {"format_version": files.FORMAT_VERSION} | dataclasses.asdict(int8_checkpoint().meta) | changes
    meta = {key: value for key, value in meta.items() if value is not None}
    tensors = {name: np.asarray(t) for name, t in int8_checkpoint().tensors.items()}
    save_file(tensors, path, metadata={files.METADATA_KEY: json.dumps(meta)})
    return path


@pytest.fixture
def written(tmp_path) -> Path:
    return write(int8_checkpoint(), tmp_path / "new" / "tiny.safetensors")


def test_what_is_written_is_read(written):
    ours, theirs = int8_checkpoint(), read(written)
    assert theirs.meta == ours.meta and theirs.origin == str(written) and not theirs.is_float
    assert theirs.tensors.keys() == ours.tensors.keys()
    for name, tensor in ours.tensors.items():
        assert theirs.tensors[name].dtype == tensor.dtype and theirs.tensors[name].shape == tensor.shape
        np.testing.assert_array_equal(theirs.tensors[name], tensor)
    assert not list(written.parent.glob("*.part"))


def test_int8_weights_are_multiplied_out_per_output_channel():
    checkpoint = int8_checkpoint()
    name = "cnn.model.features.0.weight"
    expected = np.stack([
        channel * scale
        for channel, scale in zip(checkpoint.tensors[name], checkpoint.tensors[name + ".scale"], strict=True)
    ])  # fmt: skip
    assert checkpoint.weight(name).dtype == np.float32
    np.testing.assert_allclose(checkpoint.weight(name), expected, rtol=1e-6)


def test_an_unusable_checkpoint_is_not_written(tmp_path):
    path = tmp_path / "kept.safetensors"
    path.write_bytes(b"the file before")
    with pytest.raises(CheckpointError, match="last_conv_1x1.weight"):
        write(without(int8_checkpoint(), "cnn.model.last_conv_1x1.weight"), path)
    with pytest.raises(CheckpointError, match="give a name that ends so"):
        write(int8_checkpoint(), tmp_path / "model.bin")
    assert path.read_bytes() == b"the file before" and list(tmp_path.iterdir()) == [path]


def test_a_half_precision_float_file_needs_no_metadata(tmp_path):
    state = {n: t.astype(np.float16) if t.dtype == np.float32 else t for n, t in float_state().items()}
    save_file(state, tmp_path / "float16.safetensors")
    found = read(tmp_path / "float16.safetensors")
    assert found.is_float and found.meta == Meta() and found.meta.chars == DEFAULT_CHARS
    name = "transformer.decoder.fc_out.bias"
    assert found.tensors[name].dtype == np.float16 and found.weight(name).dtype == np.float32
    np.testing.assert_array_equal(found.weight(name), state[name].astype(np.float32))


@pytest.mark.parametrize("nested", [False, True], ids=["state dict", "VietOCR's save_checkpoint"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "pickle"])
def test_vietocrs_pth_is_read(tmp_path, nested, legacy):
    state = {name: torch.from_numpy(np.array(t)) for name, t in float_state().items()}
    half = {name: t.half() if name.endswith("fc_out.bias") else t for name, t in state.items()}
    path = tmp_path / "vgg_seq2seq.pth"
    content = {"state_dict": half, "iter": 3} if nested else half
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = read(path)
    assert found.meta == Meta() and found.tensors.keys() == state.keys()
    assert found.tensors["transformer.decoder.fc_out.bias"].dtype == np.float32
    name = "transformer.encoder.fc.weight"
    np.testing.assert_array_equal(found.tensors[name], state[name])


def test_a_pth_with_its_own_vocabulary_needs_its_yaml(tmp_path):
    path = save_pth(tmp_path / "mine.pth", float_state(CHARS))
    fits = rf"embedding\.weight has shape \[9, 4\], a vocabulary of 229 .* needs \[233, 4\]: .* of {len(CHARS)} char"
    with pytest.raises(CheckpointError, match=fits + ".*pass the YAML"):
        read(path)
    config = tmp_path / "mine.yml"
    config.write_text(yaml.safe_dump({"vocab": CHARS, "dataset": {"image_max_width": 640}}, allow_unicode=True))
    assert read(path, config).meta == Meta(chars=CHARS, image=ImageSpec(32, 32, 640))


def test_a_quantized_file_takes_no_yaml(written):
    with pytest.raises(CheckpointError, match="carries its own vocabulary.*leave the YAML away"):
        read(written, "any.yml")


@pytest.mark.parametrize("keep", [0, 5, 9, 100, 2000, -1])
def test_a_truncated_file_is_named(written, keep):
    written.write_bytes(written.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"tiny\.safetensors"):
        read(written)


EMPTY = pytest.param(0, marks=pytest.mark.xfail(strict=True, raises=IndexError, reason="torch's error has no text"))


@pytest.mark.parametrize("keep", [EMPTY, 4, 300, 5000, -1])
def test_a_truncated_pth_is_named(tmp_path, keep):
    path = save_pth(tmp_path / "cut.pth", float_state())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"cut\.pth"):
        read(path)


def test_a_damaged_header_is_named(written):
    data = bytearray(written.read_bytes())
    data[9:40] = b"x" * 31
    written.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged or truncated.*copy or download it again"):
        read(written)


@pytest.mark.parametrize("name", ["page.pth", "page.safetensors"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text("<html><body>404: không tìm thấy</body></html>", encoding="utf-8")
    with pytest.raises(CheckpointError, match=name):
        read(tmp_path / name)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"bert.embeddings": np.zeros((3, 2), np.float32)}, tmp_path / "bert.safetensors")
    with pytest.raises(CheckpointError, match=r"bert\.safetensors lacks the tensor transformer\..*not a VietOCR"):
        read(tmp_path / "bert.safetensors")


@pytest.mark.parametrize("content", [torch.nn.Linear(2, 2), [torch.zeros(2)], {}, {"a": 3}, torch.zeros(3)], ids=repr)
def test_a_pth_of_anything_but_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth (does not hold a state dict|is refused).*state_dict\(\)"):
        read(tmp_path / "other.pth")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match=r"No such checkpoint: .*nothing\.pth.*quantvietocr fetch"):
        read(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        read(tmp_path)


class Hostile:
    """Unpickling it creates a file: `open(marker, "w")`."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["zip", "legacy", "bare pickle", "zip named safetensors"])
def test_nothing_in_a_file_is_executed(tmp_path, kind):
    marker, path = tmp_path / "executed", tmp_path / f"evil.{'safetensors' if 'safetensors' in kind else 'pth'}"
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(Hostile(marker)))
    else:
        content = {"weight": torch.zeros(2), "code": Hostile(marker)}
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(CheckpointError, match="refused.*could run code"):
        read(path)
    assert not marker.exists()
    if kind in ("zip", "legacy"):
        torch.load(path, weights_only=False)
        assert marker.exists()  # it would have been


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["cnn.model.features.0.bias", "transformer.decoder.attention.v.weight"])
def test_numbers_that_are_none_are_named(name, value):
    tensor = int8_checkpoint().tensors[name].copy()
    tensor.flat[1] = value
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinity: training diverged or"):
        validate(replaced(int8_checkpoint(), name, tensor))


@pytest.mark.parametrize("name", [name for name in int8_checkpoint().tensors if name.endswith("weight.scale")])
def test_every_int8_tensor_needs_its_scales(name):
    checkpoint = int8_checkpoint()
    with pytest.raises(CheckpointError, match=f"lacks the tensor {name}"):
        validate(without(checkpoint, name))
    good = checkpoint.tensors[name]
    for bad in (good[:-1], np.append(good[:-1], np.float32(0)), np.append(good[:-1], np.float32(np.nan)), -good):
        with pytest.raises(CheckpointError, match=f"{name} must be {len(good)} positive numbers"):
            validate(replaced(checkpoint, name, bad))


@pytest.mark.parametrize("name", ["embedding", "fc_out"])
def test_the_vocabulary_must_fit(name):
    checkpoint = int8_checkpoint()
    meta = dataclasses.replace(checkpoint.meta, chars=CHARS + "e")
    with pytest.raises(CheckpointError, match=f"a vocabulary of {len(CHARS)} characters fits this file"):
        validate(dataclasses.replace(checkpoint, meta=meta))
    with pytest.raises(CheckpointError, match=f"lacks the tensor transformer.decoder.{name}.weight"):
        validate(without(checkpoint, f"transformer.decoder.{name}.weight"))


@pytest.mark.xfail(strict=True, raises=pytest.fail.Exception, reason="validate looks for some of the tensors only")
def test_every_missing_tensor_is_named():
    checkpoint = int8_checkpoint()
    for name in checkpoint.tensors:
        with pytest.raises(CheckpointError, match=name):
            validate(without(checkpoint, name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2; this quantvietocr reads 1: update quantvietocr"),
        ({"format_version": None}, "its metadata is not quantvietocr's"),
        ({"layers": "conv"}, "its metadata is not quantvietocr's"),
        ({"colour": "blue"}, "its metadata is not quantvietocr's.*colour"),
        ({"method": "gptq"}, "unknown method 'gptq'; known: float, dynamic, static, qat"),
    ],
)
def test_bad_metadata_are_named(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=rf"m\.safetensors.*{message}"):
        read(with_metadata(tmp_path / "m.safetensors", **changes))


def test_metadata_are_plain_json_in_a_plain_safetensors_file(written):
    """What other tools rely on: the file opens with safetensors alone."""
    assert load_file(written)["cnn.model.features.0.weight"].dtype == np.int8
    size = int.from_bytes(written.read_bytes()[:8], "little")
    header = json.loads(written.read_bytes()[8 : 8 + size])
    meta = json.loads(header["__metadata__"]["quantvietocr"])
    assert meta["format_version"] == 1 and meta["chars"] == CHARS and meta["layers"][0]["op"] == "conv"


def test_describe_says_what_the_file_is(written):
    first, *rest = describe(written).splitlines()
    assert first.startswith(f"file        {written} (")
    assert rest == [
        "method      qat",
        "contents    0.00 MB float32, 0.00 MB int32, 0.00 MB int8",
        "vocabulary  5 characters",
        "image       height 8 px, width 8 to 64 px",
        "CNN         2 of 2 convolutions int8 (weights per channel)",
        "decoder     int8",
        "ranges      x86: 7-bit activations",
        "float       cnn.model.features.9: too sensitive",
        "source      sha256 " + "ab" * 32,
        "torch       2.13.0",
        "made with   python train_qat.py",
        "accuracy    cer 0.0125, lines 40",
    ]


def test_describe_of_a_float_file_claims_no_quantization(tmp_path):
    text = describe(save_pth(tmp_path / "float.pth", float_state()))
    assert "method      float" in text and "vocabulary  229 characters" in text
    assert "int8" not in text and "bit" not in text


def test_sha256_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()

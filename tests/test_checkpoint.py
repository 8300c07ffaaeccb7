"""The checkpoint file: what goes in comes out, and nothing that comes in is trusted."""

import hashlib
import json
import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file
from tiny import CHARS, float_checkpoint, float_state, int8_checkpoint, without

from quantvietocr.checkpoint import Checkpoint, CheckpointError, Meta, read, sha256, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.sizes import stated_sizes_of
from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.cli import main as cli
from quantvietocr.pictures.image import ImageSpec


def save_pth(path: Path, state: dict[str, np.ndarray]) -> Path:
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in state.items()}, path)
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
    expected = np.stack(
        [
            channel * scale
            for channel, scale in zip(checkpoint.tensors[name], checkpoint.tensors[name + ".scale"], strict=True)
        ]
    )
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


def test_a_written_file_has_the_permissions_of_any_other(tmp_path, monkeypatch):
    (tmp_path / "any").touch()
    umask = os.umask(0o022)
    os.umask(umask)
    monkeypatch.setattr(os, "umask", None)  # changing it, even to look, is seen by every thread
    path = write(int8_checkpoint(), tmp_path / "a.safetensors")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode) == 0o666 & ~umask


def test_a_half_precision_float_file_needs_no_metadata(tmp_path):
    state = {n: t.astype(np.float16) if t.dtype == np.float32 else t for n, t in float_state(DEFAULT_CHARS).items()}
    save_file(state, tmp_path / "float16.safetensors")
    found = read(tmp_path / "float16.safetensors")
    assert found.is_float and found.meta == Meta() and found.meta.chars == DEFAULT_CHARS
    name = "transformer.decoder.fc_out.bias"
    assert found.tensors[name].dtype == np.float16 and found.weight(name).dtype == np.float32
    np.testing.assert_array_equal(found.weight(name), state[name].astype(np.float32))


def test_the_content_decides_not_the_name(tmp_path):
    renamed = save_pth(tmp_path / "model.pth", float_state(DEFAULT_CHARS)).rename(tmp_path / "model.safetensors")
    assert read(renamed).is_float
    assert read(write(int8_checkpoint(), tmp_path / "a.safetensors").rename(tmp_path / "a.pth")).meta.method == "qat"


def test_named_parameters_are_read_as_the_state_dict(tmp_path):
    state = {name: torch.from_numpy(t) for name, t in float_state(DEFAULT_CHARS).items() if t.ndim}
    torch.save({name: torch.nn.Parameter(t) for name, t in state.items()}, tmp_path / "model.pth")
    assert read(tmp_path / "model.pth").tensors.keys() == state.keys()


@pytest.mark.parametrize("nested", [False, True], ids=["state dict", "VietOCR's save_checkpoint"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "pickle"])
def test_vietocrs_pth_is_read(tmp_path, nested, legacy):
    state = {name: torch.from_numpy(np.array(t)) for name, t in float_state(DEFAULT_CHARS).items()}
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


def test_a_float_file_of_ours_takes_the_yaml_it_agrees_with(tmp_path):
    path = write(float_checkpoint(), tmp_path / "float.safetensors")
    good = {"vocab": CHARS, "dataset": {"image_height": 32}}
    for changes, said in [
        ({}, None),
        ({"vocab": CHARS[::-1]}, "vocabulary"),
        ({"dataset": {"image_max_width": 640}}, "image sizes"),
        ({"cnn": {part: [[2, 2]] * 5 for part in ("ks", "ss")}}, "pools"),
    ]:
        config = tmp_path / "mine.yml"
        config.write_text(yaml.safe_dump(good | changes, allow_unicode=True), encoding="utf-8")
        if said is None:
            assert read(path, config).meta == read(path).meta
        else:
            with pytest.raises(
                CheckpointError, match=rf"float\.safetensors carries its own {said}, and .*mine\.yml says"
            ):
                read(path, config)


@pytest.mark.parametrize("keep", [0, 5, 9, 100, 2000, -1])
def test_a_truncated_file_is_named(written, keep):
    written.write_bytes(written.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"tiny\.safetensors"):
        read(written)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "pickle"])
@pytest.mark.parametrize("keep", [0, 1, 4, 8, 9, 300, 1471, 5000, -1])
def test_a_truncated_pth_is_named(tmp_path, keep, legacy):
    path = tmp_path / "cut.pth"
    state = {name: torch.from_numpy(np.array(t)) for name, t in float_state(DEFAULT_CHARS).items()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[:keep])
    said = f"only {keep} bytes long.*get it again" if 0 <= keep < 9 else "damaged"
    with pytest.raises(CheckpointError, match=rf"cut\.pth is .*{said}"):
        read(path)


def test_a_damaged_header_is_named(written):
    data = bytearray(written.read_bytes())
    data[9:40] = b"x" * 31
    written.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged or truncated.*copy or download it again"):
        read(written)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html><body>404: không tìm thấy</body></html>", "is not a checkpoint but a web page.*get the file itself"),
        ("\ufeff\r\n<!DOCTYPE html>\n", "is not a checkpoint but a web page"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 89\n",
            "is a Git LFS pointer.*git lfs pull",
        ),
        ("vocab: abc\ndataset: {}\n", "is not a checkpoint, neither .pth nor .safetensors"),
    ],
)
@pytest.mark.parametrize("name", ["page.pth", "page.safetensors"])
def test_another_kind_of_file_is_named_for_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"{name} {said}"):
        read(tmp_path / name)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"bert.embeddings": np.zeros((3, 2), np.float32)}, tmp_path / "bert.safetensors")
    with pytest.raises(CheckpointError, match=r"bert\.safetensors: it is not a VietOCR checkpoint.*'bert\.embeddings'"):
        read(tmp_path / "bert.safetensors")


@pytest.mark.parametrize(
    "content",
    [
        torch.nn.Linear(2, 2),
        [torch.zeros(2)],
        {},
        {"a": 3},
        torch.zeros(3),
        {3: torch.zeros(3)},
        {"a": torch.zeros(3).to_sparse()},
    ],
    ids=str,
)
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
    widths, size = (line for line in rest if line.startswith(("widths", "size")))
    assert widths == "widths      5 6 channels; 4 in each direction of the encoder, 4 in the decoder"
    assert "positions" in size and "M multiplications in the CNN" in size
    assert [line for line in rest if line not in (widths, size)] == [
        "network     vgg_seq2seq",
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
    text = describe(save_pth(tmp_path / "float.pth", float_state(DEFAULT_CHARS)))
    assert "method      float" in text and "vocabulary  229 characters" in text
    assert "int8" not in text and "bit" not in text


def test_describe_takes_the_yaml_of_a_float_file(tmp_path, capsys):
    path, config = save_pth(tmp_path / "mine.pth", float_state(CHARS)), tmp_path / "mine.yml"
    config.write_text(yaml.safe_dump({"vocab": CHARS}, allow_unicode=True), encoding="utf-8")
    assert f"vocabulary  {len(CHARS)} characters" in describe(path, config)
    assert cli.main(["describe", "--config", str(config), str(path)]) == 0
    assert f"vocabulary  {len(CHARS)} characters" in capsys.readouterr().out
    assert cli.main(["describe", str(path)]) == 2
    assert "pass the YAML it was trained with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "section", "other"),
    [
        ("encoder_hidden", "transformer", 999),
        ("decoder_hidden", "transformer", 999),
        ("img_channel", "transformer", 999),
        ("decoder_embedded", "transformer", 999),
        ("hidden", "cnn", 999),
        ("backbone", None, "vgg11_bn"),
    ],
)
def test_a_yaml_that_states_other_layer_sizes_is_refused(name, section, other, tmp_path):
    state = float_state(CHARS)
    path, config = save_pth(tmp_path / "mine.pth", state), tmp_path / "mine.yml"
    size = stated_sizes_of(Checkpoint(state, Meta(chars=CHARS)))[name]
    for stated, fits in ((size, True), (other, False)):
        settings = {section: {name: stated}} if section else {name: stated}
        config.write_text(yaml.safe_dump({"vocab": CHARS, **settings}, allow_unicode=True), encoding="utf-8")
        if fits:
            assert read(path, config).meta.chars == CHARS
        else:
            with pytest.raises(CheckpointError, match=f"have {name} {size}, and .*mine.yml says {stated}"):
                read(path, config)


def test_sha256_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()

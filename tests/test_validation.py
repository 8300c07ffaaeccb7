"""A checkpoint that is not whole is refused before an engine sees it, by the name of what is wrong."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny import CHARS, float_checkpoint, int8_checkpoint, replaced, without

from quantvietocr.checkpoint import CheckpointError, files, read, types, validate

VGG19, VGG11 = float_checkpoint(), float_checkpoint((1, 1, 2, 2, 2))
CHECKPOINTS = pytest.mark.parametrize("checkpoint", [int8_checkpoint(), VGG19, VGG11], ids=["int8", "vgg19", "vgg11"])


def with_metadata(path: Path, **changes) -> Path:
    """A tiny int8 file whose metadata differ from what `write` would have written; None removes a key."""
    meta = {"format_version": types.FORMAT_VERSION} | dataclasses.asdict(int8_checkpoint().meta) | changes
    meta = {key: value for key, value in meta.items() if value is not None}
    tensors = {name: np.asarray(t) for name, t in int8_checkpoint().tensors.items()}
    save_file(tensors, path, metadata={files.METADATA_KEY: json.dumps(meta)})
    return path


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


@CHECKPOINTS
def test_every_missing_tensor_is_named(checkpoint):
    validate(checkpoint)
    for name in checkpoint.tensors:
        if not name.endswith("num_batches_tracked"):  # nothing reads it, and our own float files leave it away
            with pytest.raises(CheckpointError, match=f"lacks the tensor {name}: "):
                validate(without(checkpoint, name))


@CHECKPOINTS
def test_every_tensor_of_another_shape_is_named_with_both(checkpoint):
    sources = "embedding.weight", "rnn.weight_hh_l0"  # their last sizes say what the others must be
    for name, tensor in checkpoint.tensors.items():
        if tensor.ndim and not name.endswith((".scale", *sources)):
            wider = np.concatenate([tensor, tensor[..., :1]], axis=-1)
            needed = f"{name} has shape {list(wider.shape)}, the tensors around it need {list(tensor.shape)}"
            with pytest.raises(CheckpointError, match=re.escape(needed) + ": it is damaged or of another architecture"):
                validate(replaced(checkpoint, name, wider))
        for other in (tensor[None], tensor[..., :0] if tensor.ndim else tensor[None][:0]):
            if not name.endswith("num_batches_tracked"):
                with pytest.raises(CheckpointError, match="shape|must be"):
                    validate(replaced(checkpoint, name, other))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transformer.encoder.rnn.weight_hh_l0", "int64"),  # int8 or float, but nothing else
        ("cnn.model.features.0.weight", "float32"),
        ("cnn.model.features.0.bias", "int32"),
        ("transformer.decoder.embedding.weight", "int64"),
    ],
)
def test_numbers_of_another_type_are_named(name, value):
    checkpoint = int8_checkpoint()
    with pytest.raises(CheckpointError, match=f"tensor {name} holds {value}, not .*: make it again"):
        validate(replaced(checkpoint, name, checkpoint.tensors[name].astype(value)))


@pytest.mark.parametrize("place", ["cnn.input", "cnn.model.features.0", "cnn.model.last_conv_1x1"])
def test_activation_ranges_must_be_usable(place):
    for value in (0.0, -0.05, np.nan, np.inf):
        with pytest.raises(CheckpointError, match=rf"{place}\.output\.scale must be one positive number, not {value}"):
            validate(replaced(int8_checkpoint(), f"{place}.output.scale", np.array(value, np.float32)))
    for value in (-1, 256):
        with pytest.raises(
            CheckpointError, match=rf"{place}\.output\.zero_point must be .* 0 to 255, not {value}: it is dam"
        ):
            validate(replaced(int8_checkpoint(), f"{place}.output.zero_point", np.array(value, np.int32)))
    validate(replaced(int8_checkpoint(), f"{place}.output.zero_point", np.array(255, np.int32)))


def test_a_float_layer_before_an_int8_one_needs_its_range():
    checkpoint = int8_checkpoint()
    first, *others = checkpoint.meta.layers
    layers = (dataclasses.replace(first, precision="float"), *others)
    weight = checkpoint.weight(first.name + ".weight")
    mixed = dataclasses.replace(
        replaced(checkpoint, first.name + ".weight", weight), meta=dataclasses.replace(checkpoint.meta, layers=layers)
    )
    for name in ("cnn.input.output.scale", "cnn.input.output.zero_point"):
        mixed = without(mixed, name)
    validate(mixed)
    for part in ("scale", "zero_point"):
        with pytest.raises(CheckpointError, match=f"lacks the tensor {first.name}.output.{part}"):
            validate(without(mixed, f"{first.name}.output.{part}"))


def test_a_negative_variance_is_named():
    name = "cnn.model.features.1.running_var"
    with pytest.raises(CheckpointError, match=f"{name} holds a negative variance"):
        validate(replaced(VGG19, name, -VGG19.tensors[name]))


def test_a_layer_that_no_engine_knows_is_named():
    checkpoint = int8_checkpoint()
    for changes, said in [
        ({"op": "maxpool"}, "features.0 is the unknown operation 'maxpool': update quantvietocr"),
        ({"precision": "int4"}, "features.0 has the unknown precision 'int4'"),
        ({"stride": (0, 1)}, r"features.0 has kernel \(3, 3\), stride \(0, 1\) .* must be pairs of whole numbers"),
        ({"kernel": 3}, "features.0 has kernel 3"),
        ({"kernel": (1, 1)}, r"features.0.weight has shape \[5, 3, 3, 3\], .* need \[5, 3, 1, 1\]"),
    ]:
        first, *others = checkpoint.meta.layers
        meta = dataclasses.replace(checkpoint.meta, layers=(dataclasses.replace(first, **changes), *others))
        with pytest.raises(CheckpointError, match=said):
            validate(dataclasses.replace(checkpoint, meta=meta))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 4}, "format version 4; this quantvietocr reads 1, 2 and 3: update quantvietocr"),
        ({"format_version": None}, "its metadata is not quantvietocr's"),
        ({"layers": "conv"}, "its metadata is not quantvietocr's"),
        ({"colour": "blue"}, "its metadata is not quantvietocr's.*colour"),
        ({"method": "gptq"}, "unknown method 'gptq'; known: float, dynamic, static, qat"),
        ({"layers": []}, "its metadata list no CNN"),
        ({"chars": 3}, "its vocabulary must be text, not 3"),
        ({"chars": list(CHARS)}, "its vocabulary must be text"),
        ({"chars": "abcda"}, "names 1 character.*more than once: 'a'"),
        ({"chars": ""}, "vocabulary is empty"),
        ({"image": {"height": 8, "min_width": 64, "max_width": 8}}, "min_width <= max_width; got height 8"),
        ({"image": {"height": 0, "min_width": 8, "max_width": 8}}, "must be positive.*got height 0"),
        ({"image": {"height": 8.5, "min_width": 8, "max_width": 8}}, r"whole numbers .* not \(8\.5, 8, 8\)"),
        ({"image": {"height": 8, "min_width": 8, "max_width": 2**63}}, "whole numbers of pixels up to 65,535"),
        ({"confidence": {"slope": 10**400, "offset": 0}}, "confidence must be a slope above 0"),
        ({"image": {"height": "8", "min_width": 8, "max_width": 8}}, "its metadata is not quantvietocr's"),
        ({"pools": [[2, 2]]}, "its pools must be 5 pairs"),
        ({"pools": [[2, 2], [2, 2], [2, 1], [2, 1], [1, 0]]}, "its pools must be 5 pairs"),
        ({"decoder": "int4"}, "its decoder is 'int4', not float or int8"),
        ({"accuracy": [0.9]}, "its accuracy and its reasons for float layers must be key: value pairs"),
    ],
)
def test_bad_metadata_are_named(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=rf"m\.safetensors.*{message}"):
        read(with_metadata(tmp_path / "m.safetensors", **changes))

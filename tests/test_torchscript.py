"""TorchScript files: without this package they give what the torch engine gives; qnnpack's kernels; times of files."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tiny
import torch

from quantvietocr.checkpoint import Checkpoint, CheckpointError, read, write
from quantvietocr.checkpoint.types import meta_of_json
from quantvietocr.cli import main as cli
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export.torchscript import export_torchscript, metadata_of, to_torchscript
from quantvietocr.measure.speed.files import WARM_UPS, TimeError, time_files
from quantvietocr.quantize.static import quantize_dynamic

# What a program without this package does.
ALONE = """
import sys
sys.modules["quantvietocr"] = None
import numpy, torch
module = torch.jit.load(sys.argv[1])
for name, found in zip(("features", "memory", "hidden"), module(torch.from_numpy(numpy.load(sys.argv[2])))):
    numpy.save(sys.argv[3] + name, found.numpy())
"""


def partly_float() -> Checkpoint:
    """The tiny int8 network with its first convolution left float."""
    checkpoint = tiny.int8_checkpoint()
    first = checkpoint.meta.layers[0]
    changed = tiny.replaced(checkpoint, f"{first.name}.weight", checkpoint.weight(f"{first.name}.weight"))
    layers = (dataclasses.replace(first, precision="float"), *checkpoint.meta.layers[1:])
    changed = dataclasses.replace(changed, meta=dataclasses.replace(checkpoint.meta, layers=layers))
    return tiny.without(changed, f"{first.name}.weight.scale")


def pixels_for(checkpoint: Checkpoint) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, checkpoint.meta.image.height, 50, 3), dtype=np.uint8)


def dynamic() -> Checkpoint:
    return quantize_dynamic(tiny.float_checkpoint())


@pytest.mark.parametrize("make", [tiny.int8_checkpoint, partly_float, tiny.float_checkpoint, dynamic])
def test_the_file_gives_the_engines_stages(make, tmp_path):
    checkpoint = make()
    path = export_torchscript(checkpoint, tmp_path / "weights.pt")
    module = torch.jit.load(str(path))
    for width in (50, 20):  # not the shape it was made with: there was none
        pixels = pixels_for(checkpoint)[:, :, :width]
        for ours, theirs in zip(TorchEngine(checkpoint).stages(pixels), module(torch.from_numpy(pixels)), strict=True):
            assert theirs.dtype == torch.float32 and np.ptp(ours) > 0
            np.testing.assert_allclose(theirs.numpy(), ours, rtol=0, atol=0 if checkpoint.meta.layers else 1e-5)
    assert meta_of_json(metadata_of(path), path) == checkpoint.meta
    assert not list(tmp_path.glob("*.part"))


def test_it_runs_without_this_package(tmp_path):
    checkpoint = tiny.int8_checkpoint()
    path = export_torchscript(checkpoint, tmp_path / "weights.pt")
    pixels = pixels_for(checkpoint)
    np.save(tmp_path / "pixels.npy", pixels)
    given = [str(path), str(tmp_path / "pixels.npy"), f"{tmp_path}/"]
    subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE, *given], check=True, cwd=tmp_path)
    for name, ours in zip(("features", "memory", "hidden"), TorchEngine(checkpoint).stages(pixels)):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), ours)


@pytest.mark.skipif(
    "qnnpack" not in torch.backends.quantized.supported_engines, reason="this torch has no QNNPACK kernels"
)
def test_qnnpack_runs_a_file_of_its_ranges():
    """ARM's kernels refuse a 1×1 average pool and have no float16 encoder; they give the same bytes as x86's."""
    checkpoint = tiny.int8_checkpoint()
    pool = dataclasses.replace(checkpoint.meta.layers[1], name="cnn.model.features.4", kernel=(1, 1), stride=(1, 1))
    layers = (*checkpoint.meta.layers[:2], pool, checkpoint.meta.layers[2])
    meta = dataclasses.replace(checkpoint.meta, backend="qnnpack", activation_bits=8, layers=layers)
    checkpoint = dataclasses.replace(checkpoint, meta=meta)
    pixels = pixels_for(checkpoint)
    expected = TorchEngine(checkpoint).stages(pixels)[0]
    before = torch.backends.quantized.engine
    content = to_torchscript(checkpoint)
    try:
        torch.backends.quantized.engine = "qnnpack"
        found = torch.jit.load(io.BytesIO(content))(torch.from_numpy(pixels))
    finally:
        torch.backends.quantized.engine = before
    step = float(checkpoint.tensors["cnn.model.last_conv_1x1.output.scale"])
    assert np.abs(found[0].numpy() - expected).max() <= step * 1.01
    assert all(torch.isfinite(part).all() for part in found)


def test_a_file_of_another_kind_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="end in .pt"):
        export_torchscript(tiny.int8_checkpoint(), tmp_path / "weights.pth")
    path = export_torchscript(tiny.int8_checkpoint(), tmp_path / "weights.pt")
    for name in ("weights.pt", "renamed.pth"):
        (tmp_path / name).write_bytes(path.read_bytes())
        with pytest.raises(CheckpointError, match=f"{name} is a TorchScript file, a program"):
            read(tmp_path / name)  # which never runs it
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("other/data.pkl", b"")
    for name, content in (("other.pt", None), ("noise.pt", b"noise")):
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="quantvietocr export"):
            metadata_of(tmp_path / name)
    with pytest.raises(CheckpointError, match="No such file"):
        time_files([tmp_path / "none.pt"])


def test_times_of_each_kind_of_file(tmp_path, capsys):
    checkpoint = write(tiny.int8_checkpoint(), tmp_path / "tiny.safetensors")
    script = tmp_path / "tiny.pt"
    assert cli.main(["export", str(checkpoint), "--format", "torchscript", "--out", str(script)]) == 0
    graph = tmp_path / "tiny.onnx"
    files, engines = [str(checkpoint), str(script)], ["torch", "TorchScript"]
    assert cli.main(["export", str(checkpoint), "--format", "onnx", "--out", str(graph)]) == 0
    files.append(str(graph))
    capsys.readouterr()
    assert cli.main(["time", *files, "--width", "40", "--runs", "7"]) == 0
    said = capsys.readouterr()
    assert "tiny.pt: loading a TorchScript file runs what is in it" in said.err
    for file, engine in zip(files, engines):
        assert f"| {file.rpartition('/')[2]} | {engine} |" in said.out
    assert "for one line 40 px wide, on 1 thread." in said.out and "7 run(s)" in said.out
    assert f"torch {torch.__version__}" in said.out
    rows = time_files(files, 40, 7)
    assert {len(row.ms) for row in rows} == {7} and all(
        row.quartiles[0] <= row.median <= row.quartiles[1] for row in rows
    )
    with pytest.raises(TimeError, match="at least 1"):
        time_files(files, runs=0)
    assert WARM_UPS > 0

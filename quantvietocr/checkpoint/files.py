"""The checkpoint file: write and read. Plain numbers in safetensors, one JSON of metadata, never code.

Two kinds of file fit every verb:

* float — VietOCR's own state dict, as `.pth` or as `.safetensors` in half or single precision;
* quantized — `.safetensors` with an int8 tensor `NAME` and its per-output-channel scales in `NAME.scale`
  (symmetric, zero point 0, value = int8 × scale), float biases, and for each quantized activation
  `LAYER.output.scale` / `LAYER.output.zero_point` (per tensor, unsigned 8-bit container,
  value = (byte − zero_point) × scale). `Meta.layers` lists the CNN's operations in order. A compact file stores its
  int8 tensors packed (`packing`), and is the same once read.
"""

from __future__ import annotations

import hashlib
import os
import pickle  # for the name of its error: nothing is unpickled
from pathlib import Path

import numpy as np

from ..common.files import write_bytes
from .packing import PackingError, pack, unpack
from .recognise import foreign, seq_modeling_of, unwrapped, without_prefixes
from .sizes import stated_sizes_of
from .transformer_layout import HEADS
from .types import METADATA_KEY, Checkpoint, CheckpointError, Meta, meta_of_json
from .validation import validate

PTH_MAGIC = (b"PK\x03\x04", b"\x80")  # zip, and the bare pickle of torch before 1.6
HEAD_BYTES = 64  # of a file, by which its kind is told
HEADER_AT = 8  # byte of a .safetensors file at which its JSON header begins, after the header's length
MAX_REASON = 120  # characters of another library's message that are passed on


def write(checkpoint: Checkpoint, path: str | os.PathLike) -> Path:
    """Write a `.safetensors` file whole or not at all (temporary file, then rename).

    Args:
        checkpoint: What to write.
        path: The file's name, ending in `.safetensors`.

    Returns:
        The path.

    Raises:
        CheckpointError: For another ending, or a checkpoint that is not whole.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path}: checkpoints are written as .safetensors; give a name that ends so.")
    validate(checkpoint)
    # Not ascontiguousarray: it makes a vector of a scalar.
    stored = pack(checkpoint.tensors, checkpoint.meta.packed)
    tensors = {name: np.asarray(t, order="C") for name, t in stored.items()}
    # Not save_file: it makes a file that its owner alone may read.
    write_bytes(path, save(tensors, {METADATA_KEY: checkpoint.meta.to_json()}))
    return path


def read(path: str | os.PathLike, vietocr_yaml: str | os.PathLike | None = None) -> Checkpoint:
    """Read any checkpoint. Nothing in the file is executed.

    Args:
        path: A quantized or float `.safetensors`, VietOCR's `.pth`, or an exported `.onnx`.
        vietocr_yaml: The YAML that a float model was trained with, where its vocabulary, image sizes or pools are not
            VietOCR's defaults. A quantized file carries them and refuses a YAML; a float file of ours refuses one that
            says otherwise. Sizes of layers follow from the tensors' shapes; a YAML that states others is refused.

    Raises:
        CheckpointError: For an unusable file.
        BridgeError: For an unusable YAML.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give a checkpoint file (.pth, .safetensors or .onnx).")
    if path.suffix == ".onnx":
        from .onnx_file import read_onnx

        if vietocr_yaml is not None:
            raise CheckpointError(f"{path} carries its own vocabulary and sizes; leave the YAML away.")
        return read_onnx(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"No such checkpoint: {path}. Shipped ones lie in weights/; `quantvietocr fetch` gets VietOCR's own."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {error.strerror}.") from error
    notes: tuple[str, ...] = ()
    if head[HEADER_AT : HEADER_AT + 1] == b"{":
        tensors, meta = _read_safetensors(path)
    elif len(head) > HEADER_AT and head.startswith(PTH_MAGIC):
        tensors, notes = _read_pth(path)
        meta = None
    else:
        raise CheckpointError(f"{path} is {_other_kind(head)}.")
    if meta is None:
        tensors, taken_off = without_prefixes(tensors)
        notes = tuple(f"{path}: {note}." for note in (*notes, *taken_off))
        if what := foreign(tensors):
            raise CheckpointError(f"{path}: {what}.")
        meta = float_meta(vietocr_yaml, seq_modeling_of(tensors))
    elif vietocr_yaml is not None:
        _refuse_second_answer(path, meta, vietocr_yaml)
    checkpoint = Checkpoint(tensors, meta, str(path), notes)
    validate(checkpoint)
    if vietocr_yaml is not None:
        _refuse_other_sizes(checkpoint, vietocr_yaml)
    return checkpoint


def yaml_for(path: str | os.PathLike, vietocr_yaml: str | os.PathLike | None) -> str | os.PathLike | None:
    """The YAML to read one of several files with: none for files of our own, which carry what it says."""
    return None if Path(path).suffix in (".safetensors", ".onnx") else vietocr_yaml


def _refuse_other_sizes(checkpoint: Checkpoint, vietocr_yaml: str | os.PathLike) -> None:
    """Raise CheckpointError for a YAML that states a layer size other than the tensors have."""
    from .vietocr_yaml import read_yaml

    sizes = stated_sizes_of(checkpoint)
    for name, stated in read_yaml(vietocr_yaml, checkpoint.meta.seq_modeling).stated.items():
        if sizes[name] != stated:
            raise CheckpointError(
                f"{checkpoint.origin}: its tensors have {name} {sizes[name]}, and {vietocr_yaml} says "
                f"{stated}: it was trained with another architecture; pass the YAML it was trained with."
            )


def _other_kind(head: bytes) -> str:
    """What a file is that is no checkpoint, by the bytes it begins with, and what to do."""
    if len(head) <= HEADER_AT:
        return f"only {len(head)} bytes long, no checkpoint: its copy or download stopped early; get it again"
    if head.startswith(b"version https://git-lfs"):
        return (
            "a Git LFS pointer, which stands for the checkpoint without holding it: run `git lfs pull` where it came "
            "from"
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "not a checkpoint but a web page, saved in place of the download: get the file itself"
    return "not a checkpoint, neither .pth nor .safetensors, whatever its name says: give another file"


def _refuse_second_answer(path: Path, meta: Meta, vietocr_yaml: str | os.PathLike) -> None:
    """Raise CheckpointError for a YAML beside a file that carries what the YAML says, where the two may differ."""
    if meta.method != "float":
        raise CheckpointError(f"{path} is quantized and carries its own vocabulary and sizes; leave the YAML away.")
    given = float_meta(vietocr_yaml, meta.seq_modeling)
    for what, ours, theirs in (
        ("vocabulary", meta.chars, given.chars),
        ("image sizes", meta.image, given.image),
        ("pools", meta.pools, given.pools),
        ("number of attention heads", meta.heads, given.heads),
    ):
        if ours != theirs:
            raise CheckpointError(
                f"{path} carries its own {what}, and {vietocr_yaml} says otherwise: leave the YAML away, "
                "or give the one that the file was trained with."
            )


def _read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], Meta | None]:
    from safetensors import SafetensorError, safe_open  # not at the top: reading .onnx files needs no safetensors

    try:
        with safe_open(path, "np") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or truncated ({error}): copy or download it again.") from error
    if text is None:
        return tensors, None
    meta = meta_of_json(text, path)
    try:
        return unpack(tensors, meta.packed), meta
    except PackingError as error:
        raise CheckpointError(f"{path}: {error}: copy, download or make it again.") from error


def _read_pth(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The tensors, and what they were taken out of, in words."""
    import torch  # only a .pth needs it: the light install reads everything else without torch

    if _is_torchscript(path):
        raise CheckpointError(
            f"{path} is a TorchScript file, a program, and no program is run to read lines: give the "
            "checkpoint that it was exported from."
        )
    try:
        with path.open("rb") as stream:  # given a name, torch goes by its ending
            state = torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is refused: it holds more than tensors (or is damaged), and loading it could run "
            "code. Save the state dict alone (`torch.save(model.state_dict(), …)`)."
        ) from error
    except Exception as error:  # damaged bytes may raise anything on the way, none of it from the file's own code
        why = str(error).partition("\n")[0][:MAX_REASON] or "it ends too early"
        raise CheckpointError(
            f"{path} is not a readable .pth file: damaged or truncated ({why}): copy or download it again."
        ) from error
    state, notes = unwrapped(state)
    if (
        not isinstance(state, dict)
        or not state
        or not all(
            isinstance(name, str) and isinstance(t, torch.Tensor) and t.layout == torch.strided and not t.is_quantized
            for name, t in state.items()
        )
    ):
        raise CheckpointError(
            f"{path} does not hold a state dict of tensors: save `model.state_dict()` with torch.save."
        )
    return {name: (t.float() if t.is_floating_point() else t).detach().numpy() for name, t in state.items()}, notes


def _is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript program, by what tells torch: it and a state dict are both zip archives."""
    import zipfile  # only a .pth needs it

    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except Exception:  # the bare pickle of old; or damaged, which may raise anything here and does so again in torch
        return False


def float_meta(vietocr_yaml: str | os.PathLike | None, seq_modeling: str | None = None) -> Meta:
    """What a float network is that was trained with a YAML.

    Args:
        vietocr_yaml: The YAML; None for the sizes of the networks that VietOCR publishes.
        seq_modeling: The head that the network has; None for the YAML's, or else `seq2seq`.

    Raises:
        BridgeError: For an unreadable YAML.
        CheckpointError: For pools whose kernel and stride differ.
    """
    if vietocr_yaml is None:
        return Meta(seq_modeling=seq_modeling or Meta.seq_modeling)
    from .vietocr_yaml import read_yaml

    config = read_yaml(vietocr_yaml, seq_modeling)
    cnn = config.architecture["cnn"]
    if cnn["ks"] != cnn["ss"]:
        raise CheckpointError(
            f"{vietocr_yaml}: pooling kernels {cnn['ks']} and strides {cnn['ss']} differ; "
            "only equal ones are supported."
        )
    pools = tuple(tuple(k) for k in cnn["ks"])
    heads = config.architecture["transformer"].get("nhead", HEADS)
    return Meta(chars=config.chars, image=config.image, pools=pools, seq_modeling=config.seq_modeling, heads=heads)


def sha256(path: str | os.PathLike) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""The compact form of a checkpoint file: int8 tensors in fewer bytes, and exactly the same int8 tensors again.

A packed tensor NAME is stored as the bytes `NAME.packed`, a zlib stream (RFC 1950: Huffman codes, a checksum), and
`Meta.packed[NAME]` says of what:

* bits 8 — the int8 numbers themselves;
* bits 4 — the tensor in rows of its first dimension, each cut into groups of `group` numbers (the last padded with 0).
  int8 = multiplier × nibble, with a multiplier 1 to 127 of each group and a nibble -8 to 7. First come the
  multipliers, a byte each, then the nibbles + 8, two to a byte, the first in the low half.

So a group has its own 4-bit scale, (channel scale) × (multiplier), and the int8 kernels see nothing of it: they get
bytes with one scale per channel, as from any other file. A rANS coder of our own would save under 1 % more than zlib's
Huffman codes here, and LZ matches save nothing at all.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UserError

SUFFIX = ".packed"
GROUP = 32  # numbers with one multiplier
MIN_NIBBLE, MAX_NIBBLE = -8, 7
MAX_MULTIPLIER = 127
MAX_SIZE = 2**31  # of a dimension; no tensor of ours comes near it


class PackingError(UserError):
    """Numbers that cannot be packed as told, or packed bytes that do not hold what the metadata say."""


def packings(tensors: Mapping[str, np.ndarray], group: int = GROUP) -> dict[str, dict[str, Any]]:
    """Choose how to pack each int8 tensor: in 4 bits where its groups allow it, else in 8.

    Args:
        tensors: By name.
        group: How many numbers have one multiplier.

    Returns:
        What `Meta.packed` holds; a tensor that packing makes no smaller is left out.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype == np.int8 and tensor.size:
            bits = 4 if fits(tensor, group) else 8
            how = {"bits": bits, "shape": list(tensor.shape)} | ({"group": group} if bits == 4 else {})
            if len(_encode(name, tensor, how)) < tensor.nbytes:
                chosen[name] = how
    return chosen


def fits(tensor: np.ndarray, group: int = GROUP) -> bool:
    """Whether every group of an int8 tensor is a multiplier times numbers of 4 bits."""
    multipliers, nibbles = _split(tensor, group)
    return bool(nibbles.min() >= MIN_NIBBLE and nibbles.max() <= MAX_NIBBLE and multipliers.max() <= MAX_MULTIPLIER)


def pack(tensors: Mapping[str, np.ndarray], packed: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The tensors as the file holds them, with `NAME.packed` in place of each NAME of `packed`. Raises PackingError."""
    plain = {name: tensor for name, tensor in tensors.items() if name not in packed}
    return plain | {
        name + SUFFIX: np.frombuffer(_encode(name, tensors[name], how), np.uint8) for name, how in packed.items()
    }


def unpack(stored: Mapping[str, np.ndarray], packed: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The tensors that `pack` was given. Raises PackingError for damaged bytes, or such as `packed` does not fit."""
    if not isinstance(packed, Mapping):
        raise PackingError(f"its metadata say that {packed!r} is packed, which names no tensors")
    tensors = {name: tensor for name, tensor in stored.items() if name.removesuffix(SUFFIX) not in packed}
    for name, how in packed.items():
        if name + SUFFIX not in stored:
            raise PackingError(f"lacks the tensor {name + SUFFIX}")
        tensors[name] = _decode(name, stored[name + SUFFIX], how)
    return tensors


def summary(tensors: Mapping[str, np.ndarray], packed: Mapping[str, Mapping[str, Any]]) -> str:
    """Say which tensors are packed and how, for people."""
    parts = []
    for bits, what in ((4, "in 4 bits with a scale for each {}"), (8, "in 8 bits")):
        names = [name for name, how in packed.items() if how["bits"] == bits]
        groups = " or ".join(str(group) for group in sorted({packed[name]["group"] for name in names if bits == 4}))
        if names:
            numbers = sum(tensors[name].size for name in names)
            parts.append(f"{len(names)} tensors ({numbers / 1e6:.2f} M numbers) {what.format(groups)}")
    return f"{', '.join(parts)}, Huffman-coded"


def _split(tensor: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Part each group of a tensor into a multiplier and what is left.

    The multiplier is the greatest common divisor of a group: if any allows nibbles, that does.

    Args:
        tensor: int8 (O, …).
        group: How many numbers have one multiplier.

    Returns:
        Multipliers (O, groups), 1 to 128, and quotients (O, groups, group), int16.
    """
    rows = tensor.reshape(len(tensor), -1).astype(np.int16)
    groups = np.pad(rows, ((0, 0), (0, -rows.shape[1] % group))).reshape(len(rows), -1, group)
    multipliers = np.maximum(np.gcd.reduce(groups, axis=2), 1)
    return multipliers, groups // multipliers[:, :, None]


def _encode(name: str, tensor: np.ndarray, how: Mapping[str, Any]) -> bytes:
    if how["bits"] == 8:
        return _squeeze(np.ascontiguousarray(tensor).tobytes())
    if not fits(tensor, how["group"]):
        raise PackingError(f"{name} has groups of {how['group']} that are not 4-bit numbers times a multiplier")
    multipliers, nibbles = _split(tensor, how["group"])
    halves = (nibbles - MIN_NIBBLE).astype(np.uint8).reshape(-1)
    halves = np.pad(halves, (0, halves.size % 2))
    return _squeeze(multipliers.astype(np.uint8).tobytes() + (halves[::2] | halves[1::2] << 4).tobytes())


def _squeeze(content: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    return coder.compress(content) + coder.flush()


def _decode(name: str, stream: np.ndarray, how: Mapping[str, Any]) -> np.ndarray:
    bits, shape, group = _checked(name, how)
    rows, columns = shape[0], math.prod(shape[1:])
    groups = -(-columns // group)
    size = rows * columns if bits == 8 else rows * groups + (rows * groups * group + 1) // 2
    if stream.dtype != np.uint8 or stream.ndim != 1:
        raise PackingError(f"{name + SUFFIX} must be a row of bytes, not {stream.dtype} {list(stream.shape)}")
    decoder = zlib.decompressobj()
    try:
        content = decoder.decompress(stream.tobytes(), size + 1)  # never more memory than the shape asks for
    except zlib.error as error:
        raise PackingError(f"{name + SUFFIX} is damaged ({error})") from error
    if len(content) != size or not decoder.eof or decoder.unused_data:
        raise PackingError(f"{name + SUFFIX} does not hold the {size} bytes that shape {shape} needs")
    if bits == 8:
        return np.frombuffer(content, np.int8).reshape(shape).copy()
    multipliers = np.frombuffer(content, np.uint8, rows * groups).astype(np.int16)
    pairs = np.frombuffer(content, np.uint8, offset=rows * groups)
    nibbles = (
        np.stack([pairs & 15, pairs >> 4], axis=1).reshape(-1)[: rows * groups * group].astype(np.int16) + MIN_NIBBLE
    )
    values = nibbles.reshape(rows, groups, group) * multipliers.reshape(rows, groups, 1)
    if values.size and (values.min() < -128 or values.max() > 127):
        raise PackingError(f"{name + SUFFIX} holds numbers beyond 8 bits")
    return np.ascontiguousarray(values.reshape(rows, -1)[:, :columns].astype(np.int8).reshape(shape))


def _checked(name: str, how: Any) -> tuple[int, tuple[int, ...], int]:
    """bits, shape and group of one entry of `Meta.packed`."""
    if isinstance(how, Mapping) and how.get("bits") in (4, 8) and isinstance(how.get("shape"), list) and how["shape"]:
        group: Any = how.get("group") if how["bits"] == 4 else 1
        if all(type(size) is int and 0 < size < MAX_SIZE for size in (*how["shape"], group)):
            return how["bits"], tuple(how["shape"]), group
    raise PackingError(f"its metadata say that {name} is packed as {how!r}, which this quantvietocr does not know")

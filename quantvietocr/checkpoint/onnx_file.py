"""Reading our ONNX files without the package `onnx`: the numbers and the metadata, checked against their digest.

An ONNX file is a protocol buffer: fields of a number, a wire type and content
(https://protobuf.dev/programming-guides/encoding/). The numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The runtimes read the graph; Python needs the decoder's weights
and the vocabulary, which no runtime hands out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .types import METADATA_KEY, Checkpoint, CheckpointError, meta_of_json

DIGEST_KEY = "graph_sha256"  # of a property of the file: the digest of its graph
#: What is raised for bytes that are no message of the kind expected.
UNUSABLE = (ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError)
MAX_VARINT_BITS = 63  # past which a number is longer than 64 bits
_MODEL_GRAPH, _MODEL_PROPERTIES, _GRAPH_INITIALIZER = 7, 14, 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_}


def read_onnx(path: str | os.PathLike, prefix: str | tuple[str, ...] = "") -> Checkpoint:
    """Read an ONNX file of ours.

    Args:
        path: The file.
        prefix: The tensors whose names begin so, or with one of several, are read; "" takes all.

    Returns:
        Those tensors and the metadata.

    Raises:
        CheckpointError: For a missing, foreign, damaged or edited file.
    """
    path = Path(path)
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"No such file: {path}; `quantvietocr export --format onnx` makes one of a checkpoint."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        model = list(_fields(content))
        properties = dict(_property(_bytes(value)) for number, value in model if number == _MODEL_PROPERTIES)
        graph = next((_bytes(value) for number, value in model if number == _MODEL_GRAPH), None)
        if graph is None:
            raise ValueError("no graph")
    except UNUSABLE as error:
        raise CheckpointError(f"{path} is no ONNX file, or damaged or truncated: copy or download it again.") from error
    if METADATA_KEY not in properties or DIGEST_KEY not in properties:
        raise CheckpointError(
            f"{path} does not hold quantvietocr's metadata: it was not written by `quantvietocr export`, or is "
            "cut short; export a checkpoint with that."
        )
    if hashlib.sha256(graph).hexdigest() != properties[DIGEST_KEY]:
        raise CheckpointError(
            f"{path} is damaged, or was changed after its export (its digest differs): copy or export it again."
        )
    meta = meta_of_json(properties[METADATA_KEY], path)
    try:
        entries = [_bytes(value) for number, value in _fields(graph) if number == _GRAPH_INITIALIZER]
        named = [(_tensor_name(entry), entry) for entry in entries]
        tensors = {name: _tensor(entry) for name, entry in named if name.startswith(prefix)}
    except UNUSABLE as error:
        raise CheckpointError(
            f"{path}: its tensors are not those that `quantvietocr export` writes ({error!r}): export it again."
        ) from error
    return Checkpoint(tensors, meta, str(path))


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field of a message. Raises ValueError or IndexError for what is no message."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(content, at)
            yield key >> 3, number
            continue
        if kind not in (1, 2, 5):
            raise ValueError("unknown wire type")
        size, at = _varint(content, at) if kind == 2 else (8 if kind == 1 else 4, at)
        if at + size > len(content):
            raise ValueError("a field reaches beyond the end")
        yield key >> 3, content[at : at + size]
        at += size


def _bytes(value: int | memoryview) -> memoryview:
    """The content of a field that is no number. Raises TypeError for one that is."""
    if isinstance(value, int):
        raise TypeError("a number stands where a message belongs")
    return value


def _number(value: int | memoryview) -> int:
    """The content of a field that is a number. Raises TypeError for one that is none."""
    if not isinstance(value, int):
        raise TypeError("a message stands where a number belongs")
    return value


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends: seven bits a byte, the lowest first; the eighth says that more follow."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > MAX_VARINT_BITS:
            raise ValueError("a number longer than 64 bits")


def _property(entry: memoryview) -> tuple[str, str]:
    """Key and value of a property of the file."""
    fields = {number: bytes(_bytes(value)).decode() for number, value in _fields(entry)}
    return fields[1], fields[2]


def _tensor_name(entry: memoryview) -> str:
    return bytes(_bytes(dict(_fields(entry))[_TENSOR_NAME])).decode()


def _tensor(entry: memoryview) -> np.ndarray:
    """An own copy of an initializer."""
    fields = list(_fields(entry))
    content = dict(fields)
    shape = [_number(value) for number, value in fields if number == _TENSOR_DIMS]
    kind = _TYPES[_number(content[_TENSOR_TYPE])]
    return np.frombuffer(_bytes(content.get(_TENSOR_RAW, memoryview(b""))), kind).reshape(shape).copy()

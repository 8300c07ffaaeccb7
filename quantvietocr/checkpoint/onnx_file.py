"""Reading our ONNX files without the package `onnx`: the numbers and the metadata, checked against their digest.

An ONNX file is a protocol buffer: fields of a number, a wire type and content
(https://protobuf.dev/programming-guides/encoding/). The numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The runtimes read the graph; Python needs the decoder's weights
and the vocabulary, which no runtime hands out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from .protobuf import UNUSABLE, as_message, as_number, as_text, fields, message
from .types import METADATA_KEY, Checkpoint, CheckpointError, meta_of_json

DIGEST_KEY = "graph_sha256"  # of a property of the file: the digest of its graph
# Numbers of fields, by the message that they stand in.
MODEL_GRAPH, MODEL_PROPERTIES = 7, 14
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT = 1, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, VALUE_NAME = 1, 2, 1
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
#: The field that holds the name, of each kind of field of a graph whose content has one.
_NAME_OF = {GRAPH_INITIALIZER: TENSOR_NAME, GRAPH_INPUT: VALUE_NAME, GRAPH_OUTPUT: VALUE_NAME}
#: The kind of number → ONNX's number for it, of those that our files hold.
DATA_TYPES = {np.float32: 1, np.uint8: 2, np.int8: 3, np.int32: 6, np.int64: 7, np.bool_: 9}
_DTYPES = {number: kind for kind, number in DATA_TYPES.items()}


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
        model = list(fields(content))
        properties = dict(_property(as_message(value)) for number, value in model if number == MODEL_PROPERTIES)
        graph = next((as_message(value) for number, value in model if number == MODEL_GRAPH), None)
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
        entries = [as_message(value) for number, value in fields(graph) if number == GRAPH_INITIALIZER]
        named = [(_tensor_name(entry), entry) for entry in entries]
        tensors = {name: _tensor(entry) for name, entry in named if name.startswith(prefix)}
    except UNUSABLE as error:
        raise CheckpointError(
            f"{path}: its tensors are not those that `quantvietocr export` writes ({error!r}): export it again."
        ) from error
    return Checkpoint(tensors, meta, str(path))


def part_of(content: bytes, outputs: Collection[str]) -> bytes:
    """The part of an ONNX file that some of its outputs need, as a file of its own.

    Args:
        content: Of the file.
        outputs: Names of outputs. Those that the graph lacks are passed over, if it has any. No node that they need may
            hold a graph of its own, as a Loop does: what that takes from outside is not followed.

    Returns:
        The smaller file: with those outputs, and without the nodes, numbers, inputs and properties that they do not
        need.

    Raises:
        ValueError, LookupError, TypeError: For what is no ONNX file, or has none of the outputs (`UNUSABLE`).
    """
    model = list(fields(memoryview(content)))
    (graph,) = (list(fields(as_message(value))) for number, value in model if number == MODEL_GRAPH)
    needed, nodes = set(outputs), []
    for node in (as_message(value) for number, value in reversed(graph) if number == GRAPH_NODE):
        names = [(number, as_text(value)) for number, value in fields(node) if number in (NODE_INPUT, NODE_OUTPUT)]
        if any(number == NODE_OUTPUT and name in needed for number, name in names):
            nodes.append(node)
            needed |= {name for number, name in names if number == NODE_INPUT}
    if not nodes:
        raise LookupError(f"no outputs {', '.join(outputs)}")
    kept: list[tuple[int, int | memoryview]] = [(GRAPH_NODE, node) for node in reversed(nodes)]
    for number, value in graph:
        if number in _NAME_OF:
            name = as_text(dict(fields(as_message(value)))[_NAME_OF[number]])
            if name in (outputs if number == GRAPH_OUTPUT else needed):
                kept.append((number, value))
        elif number != GRAPH_NODE:
            kept.append((number, value))
    whole = [(number, value) for number, value in model if number not in (MODEL_GRAPH, MODEL_PROPERTIES)]
    return message([*whole, (MODEL_GRAPH, memoryview(message(kept)))])


def _property(entry: memoryview) -> tuple[str, str]:
    """Key and value of a property of the file."""
    found = {number: as_text(value) for number, value in fields(entry)}
    return found[1], found[2]


def _tensor_name(entry: memoryview) -> str:
    return as_text(dict(fields(entry))[TENSOR_NAME])


def _tensor(entry: memoryview) -> np.ndarray:
    """An own copy of an initializer."""
    found = list(fields(entry))
    content = dict(found)
    shape = [as_number(value) for number, value in found if number == TENSOR_DIMS]
    kind = _DTYPES[as_number(content[TENSOR_TYPE])]
    return np.frombuffer(as_message(content.get(TENSOR_RAW, memoryview(b""))), kind).reshape(shape).copy()

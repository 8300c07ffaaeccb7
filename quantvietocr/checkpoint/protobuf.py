"""Protocol buffers, read and written without a package for them: what ONNX files are made of.

A message is a row of fields: a number, a wire type and content (https://protobuf.dev/programming-guides/encoding/).
Importing the package `onnx` takes as long as reading ten lines.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

MAX_VARINT_BITS = 63  # past which a number is longer than 64 bits
#: What is raised for bytes that are no message of the kind expected.
UNUSABLE = (ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError)
_VARINT, _BYTES, _FLOAT = 0, 2, 5  # wire types that are written


def fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
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


def message(content: Iterable[tuple[int, int | float | str | bytes | memoryview]]) -> bytes:
    """A message of fields.

    Args:
        content: The number of each field, and what it holds: a whole number, a float (written as float32), text, or
            bytes, as those of another message.
    """
    parts: list[bytes | memoryview] = []
    for number, value in content:
        if isinstance(value, int):
            parts += [_as_varint(number << 3 | _VARINT), _as_varint(value)]
        elif isinstance(value, float):
            parts += [_as_varint(number << 3 | _FLOAT), struct.pack("<f", value)]
        else:
            held = value.encode() if isinstance(value, str) else value
            parts += [_as_varint(number << 3 | _BYTES), _as_varint(len(held)), held]
    return b"".join(parts)


def as_message(value: int | memoryview) -> memoryview:
    """The content of a field that is no number. Raises TypeError for one that is."""
    if isinstance(value, int):
        raise TypeError("a number stands where a message belongs")
    return value


def as_number(value: int | memoryview) -> int:
    """The content of a field that is a number. Raises TypeError for one that is none."""
    if not isinstance(value, int):
        raise TypeError("a message stands where a number belongs")
    return value


def as_text(value: int | memoryview) -> str:
    """The content of a field that is text. Raises TypeError or ValueError for one that is none."""
    return bytes(as_message(value)).decode()


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


def _as_varint(value: int) -> bytes:
    """A number as `_varint` reads it; a negative one as 64 bits in two's complement."""
    value &= (1 << 64) - 1
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    return bytes([*content, value])

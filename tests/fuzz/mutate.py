"""Random changes to bytes, and to what lies behind a checksum, where changed bytes alone would not get further."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

Change = Callable[[bytes, Random], bytes]
MAX_CHANGES = 8  # to one input: with more of them most inputs fail at the first byte
BOUNDARIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def changed(data: bytes, random: Random) -> bytes:
    """Change some bytes: flip bits, overwrite, insert, remove, repeat, cut off, or put a number from a type's edge.

    Args:
        data: what to change.
        random: what decides.

    Returns:
        Other bytes, or now and then the same.
    """
    content = bytearray(data)
    for _ in range(random.randint(1, MAX_CHANGES)):
        if not content:
            return random.randbytes(random.randint(0, 64))
        at = random.randrange(len(content))
        size = min(random.choice((1, 2, 4, 16, 64)), len(content) - at)
        match random.randrange(8):
            case 0 | 1:
                content[at] ^= 1 << random.randrange(8)
            case 2:
                content[at : at + size] = random.randbytes(size)
            case 3:
                content[at:at] = random.randbytes(size)
            case 4:
                del content[at : at + size]
            case 5:
                content[at:at] = content[at : at + size] * random.choice((1, 2, 50))
            case 6:
                number = random.choice(BOUNDARIES) & (1 << 8 * min(size, 4)) - 1
                content[at : at + size] = number.to_bytes(size, random.choice(("big", "little")))
            case 7:
                del content[at:]
    return bytes(content)


def changed_png(data: bytes, random: Random) -> bytes:
    """Change a PNG within its chunks, with checksums that fit; also within its compressed pixels."""
    chunks = []
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    index = random.randrange(len(chunks))
    kind, content = chunks[index]
    if kind == b"IDAT" and random.random() < 0.7:
        content = zlib.compress(changed(zlib.decompress(content), random))
    else:
        content = changed(content, random)
    chunks[index] = kind, content
    if random.random() < 0.2:
        random.shuffle(chunks)
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def changed_safetensors(data: bytes, random: Random) -> bytes:
    """Change the JSON header of a .safetensors file, or the metadata within, with a length that fits."""
    (size,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + size]
    if random.random() < 0.6:
        about = json.loads(header)
        inner = about["__metadata__"]
        for key in inner:
            inner[key] = _changed_json(inner[key], random)
        header = json.dumps(about).encode()
    else:
        header = changed(header, random)
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def _changed_json(text: str, random: Random) -> str:
    """Change one value of a JSON object, somewhere within."""
    tree = json.loads(text)
    node, key = tree, random.choice(list(tree))
    while isinstance(node[key], dict | list) and node[key] and random.random() < 0.8:
        node = node[key]
        key = random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node))
    values = None, True, -1, 0, 2**63, 1e308, "", "a\0b", "\ud800", [], {}, [[]], float("nan"), "int8", [1, 2]
    if isinstance(node, dict) and random.random() < 0.15:
        del node[key]
    else:
        node[key] = random.choice(values)
    return json.dumps(tree)


def changed_zip(data: bytes, random: Random) -> bytes:
    """Change one member of a zip archive, as a .pth is, with a checksum that fits."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w") as other:
        names = archive.namelist()
        pickled = [name for name in names if name.endswith(".pkl")]
        chosen = random.choice(pickled if pickled and random.random() < 0.6 else names)
        for name in names:
            content = archive.read(name)
            member = zipfile.ZipInfo(name)  # of 1980: by its name alone it would be of today, and other bytes each day
            other.writestr(member, changed(content, random) if name == chosen else content)
    return made.getvalue()


def changed_words(text: str, random: Random) -> str:
    """Change a text by its words: leave out, repeat, swap, or put a troublesome one in."""
    odd = (
        "\t",
        "\n",
        "\r",
        "\0",
        "\ufeff",
        "\ud83d\ude00",
        "e\u0302\u0301",
        "- ",
        ": ",
        "&a *a",
        "!!python/name:os.system",
    )
    odd += (
        "2024-13-01",
        "0x",
        ".inf",
        "[[[",
        "{",
        "'",
        "%",
        "../..",
        "/dev/null",
        "é" * 5000,
        "1e999",
        "<<: *a",
        "\u2028",
    )
    words = text.split(" ")
    for _ in range(random.randint(1, MAX_CHANGES)):
        at = random.randrange(len(words) + 1)
        match random.randrange(4):
            case 0:
                words[at:at] = [random.choice(odd)]
            case 1:
                del words[at : at + random.randint(1, 3)]
            case 2:
                words[at:at] = words[at : at + 3]
            case 3:
                other = random.randrange(len(words) + 1)
                words[at : at + 1], words[other : other + 1] = words[other : other + 1], words[at : at + 1]
    return " ".join(words)

"""What kind of file this is, by how its content begins."""

from __future__ import annotations

import os
import stat

HEAD_BYTES = 1024  # bytes from the start that are looked at; readers of PDF take its mark anywhere in these
PDF_MAGIC = b"%PDF-"
# First bytes → kind. Where a kind has a mark further in, `_kind_of` looks for it.
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"
)
UNREADABLE = frozenset({"HEIC"})  # pictures that Pillow opens only with a plugin


def kind_of_file(path: str | os.PathLike) -> str | None:
    """Say what kind of picture or document a file is.

    Args:
        path: the file. What is no regular file, such as a pipe, is not opened, since that could wait for ever.

    Returns:
        "JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "JPEG 2000", "AVIF", "HEIC" or "PDF"; "pipe or device" for
        what is no regular file; None for anything else, and for a file that is missing or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "pipe or device"
        with open(path, "rb") as file:
            return _kind_of(file.read(HEAD_BYTES))
    except OSError:  # whoever opens it next says what is wrong with it
        return None


def _kind_of(head: bytes) -> str | None:
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":  # reserved; text that begins so has letters there
        return "BMP"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return "PDF" if PDF_MAGIC in head else None

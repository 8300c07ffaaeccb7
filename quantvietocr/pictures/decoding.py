"""From an opened picture to its upright pixels in 8-bit RGB, and what is wrong with pictures."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from .grounds import on_ground
from .jpeg import with_end
from .levels import to_8bit

MAX_PIXELS = 89_478_485  # Pillow's own warning level; a line needs a thousandth of it, a decompression bomb far more
_EXIF_ORIENTATION = 0x0112
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's format readers raise on damaged bytes.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class ImageError(UserError):
    """A picture that cannot be read; the message says which, why, and what to do."""


class TooLargeError(ImageError):
    """A picture with more than MAX_PIXELS pixels."""


class NotAPictureError(ImageError):
    """A file in no format that Pillow knows."""


class MendedWarning(UserWarning):
    """A damaged picture was read all the same; the message says which, and what was wrong with it."""


def damaged(name: str, err: Exception) -> ImageError:
    """Return what to raise for a picture whose bytes gave this error."""
    reason = str(err).strip().rstrip(".") or type(err).__name__
    return ImageError(f"{name}: damaged or cut short ({reason}); save or copy the picture again.")


def check_size(w: int, h: int, name: str) -> None:
    """Raise ImageError for a picture of this width and height, in pixels, that is empty or too large."""
    if not w or not h:
        raise ImageError(f"{name}: an empty picture ({w} x {h} pixels); give one with at least one pixel.")
    if w * h > MAX_PIXELS:
        raise TooLargeError(f"{name}: {w} x {h} is more than {MAX_PIXELS:,} pixels; crop or shrink it first.")


def orientation(img: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or where the EXIF block cannot be read."""
    try:
        value = img.getexif().get(_EXIF_ORIENTATION, 1)
    except DAMAGE:
        return 1
    return value if value in _TURN else 1


def decoded(img: Image.Image, source: str | os.PathLike | bytes | bytearray | memoryview, name: str) -> Image.Image:
    """Decode an opened file; a JPEG that only lacks its end marker with a warning."""
    try:
        return to_rgb(img, name)
    except ImageError as error:
        cut_short = img.format == "JPEG" and isinstance(error.__cause__, OSError)
        whole = _with_end(source) if cut_short else None
        if whole is None:
            raise
        with Image.open(io.BytesIO(whole)) as mended:
            rgb = to_rgb(mended, name)
    warnings.warn(
        f"{name}: this JPEG lacks its end; all of its picture is there and was read. Save or copy it again.",
        MendedWarning,
        stacklevel=3,
    )
    return rgb


def _with_end(source: str | os.PathLike | bytes | bytearray | memoryview) -> bytes | None:
    try:
        return with_end(Path(source).read_bytes() if isinstance(source, str | os.PathLike) else bytes(source))
    except OSError:  # gone meanwhile
        return None


def to_rgb(img: Image.Image, name: str) -> Image.Image:
    """Decode, turn upright, convert to 8-bit RGB."""
    check_size(img.width, img.height, name)
    try:
        img.load()
        turn = _TURN.get(orientation(img))
        if img.mode == "F" or img.mode.startswith("I"):
            rgb = Image.fromarray(to_8bit(np.asarray(img), img.mode)).convert("RGB")
        elif img.has_transparency_data:
            rgb = on_ground(img)
        else:
            rgb = img.convert("RGB")
        return rgb.transpose(turn) if turn is not None else rgb
    except DAMAGE as err:
        raise damaged(name, err) from err

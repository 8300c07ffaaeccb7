"""From pictures to pixels of lines: the one place that opens, orients and resizes.

It needs NumPy and Pillow alone. For a plain picture every value equals what VietOCR 0.3.13 computes
(`vietocr.tool.translate.process_image` and `process_input`).
"""

import io
import math
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .decoding import (
    DAMAGE,
    MAX_PIXELS,
    ImageError,
    NotAPictureError,
    TooLargeError,
    check_size,
    damaged,
    decoded,
    orientation,
    to_rgb,
)
from .levels import to_8bit

Source = str | os.PathLike | bytes | bytearray | memoryview | np.ndarray | Image.Image

WIDTH_STEP = 10  # pixels; VietOCR rounds a line's width up to a multiple of this

# Float value of each 8-bit level: divided in double, then rounded once, as VietOCR's FloatTensor(pixels / 255).
LEVELS = (np.arange(256) / 255).astype(np.float32)
LEVELS.flags.writeable = False


@dataclass(frozen=True)
class ImageSpec:
    """Size of the network's input: a fixed height, and a width between two bounds.

    Attributes:
        height: in pixels.
        min_width: in pixels.
        max_width: in pixels.

    Raises:
        ValueError: a size is not positive, or min_width is above max_width.
    """

    height: int = 32
    min_width: int = 32
    max_width: int = 512

    def __post_init__(self) -> None:
        if self.height < 1 or not 1 <= self.min_width <= self.max_width:
            raise ValueError(
                f"Image sizes must be positive with min_width <= max_width; got height {self.height}, "
                f"min_width {self.min_width}, max_width {self.max_width}."
            )


def open_line(source: Source) -> Image.Image:
    """Open a picture of one line, upright and in RGB.

    Args:
        source: a path; an encoded file's bytes; a Pillow image; or an array (H, W), (H, W, 1), (H, W, 3) of RGB or
            (H, W, 4) of RGBA, each of uint8, uint16 or bool.

    Returns:
        A loaded RGB Pillow image. EXIF orientation is applied; transparency is laid on white, or on black where all
        ink is light; 16-bit and float pictures are scaled to 8 bits. Of a file with several frames, the first. A JPEG
        that lacks its end marker alone is read with a MendedWarning.

    Raises:
        ImageError: missing, damaged, empty or oversized picture, or a kind of pixel that cannot be converted.
    """
    name = source_name(source)
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if isinstance(source, Image.Image):
        return to_rgb(source, name)
    with _open(source, name) as img:
        return decoded(img, source, name)


def frame_count(source: str | os.PathLike | bytes) -> int:
    """Count the pages of a picture file: the frames of a TIFF, else 1, since the frames of an animation are no pages.

    Args:
        source: a path, or an encoded file's bytes.

    Returns:
        The number of pages, at least 1.

    Raises:
        ImageError: missing picture, or a damaged header.
    """
    name = source_name(source)
    with _open(source, name) as img:
        try:
            return getattr(img, "n_frames", 1) if img.format == "TIFF" else 1
        except DAMAGE as err:
            raise damaged(name, err) from err


def open_frame(source: str | os.PathLike | bytes, frame: int = 0) -> Image.Image:
    """Open one frame of a picture file, like `open_line`.

    Args:
        source: a path, or an encoded file's bytes.
        frame: number of the frame, from 0.

    Returns:
        A loaded RGB Pillow image, upright.

    Raises:
        ImageError: as `open_line`, and where there is no such frame.
    """
    name = source_name(source)
    with _open(source, name) as img:
        try:
            img.seek(frame)
        except DAMAGE as err:
            raise damaged(name, err) from err
        return decoded(img, source, name)


def line_size(source: str | os.PathLike) -> tuple[int, int]:
    """Read the upright width and height of a picture file from its header alone.

    Args:
        source: a path.

    Returns:
        Width and height in pixels.

    Raises:
        ImageError: missing, empty or oversized picture, or a damaged header.
    """
    name = source_name(source)
    with _open(source, name) as img:
        check_size(img.width, img.height, name)
        turned = orientation(img) >= 5
        return (img.height, img.width) if turned else (img.width, img.height)


def source_name(source: Source) -> str:
    """Return what to call a picture in a message: its path where it has one."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "the given image")
    return "the given array" if isinstance(source, np.ndarray) else "the given bytes"


def line_width(w: int, h: int, spec: ImageSpec = ImageSpec()) -> int:
    """Return the width in pixels that a w × h picture is resized to: VietOCR's rule, rounded up to 10 and clamped."""
    width = math.ceil(int(spec.height * float(w) / float(h)) / WIDTH_STEP) * WIDTH_STEP
    return min(max(width, spec.min_width), spec.max_width)


def line_pixels(img: Image.Image | np.ndarray, spec: ImageSpec = ImageSpec()) -> np.ndarray:
    """Resize a picture to the network's input size.

    Args:
        img: an RGB Pillow image, or a uint8 array (H, W, 3).
        spec: the network's input size.

    Returns:
        uint8 array (spec.height, width, 3) with memory of its own.
    """
    if isinstance(img, np.ndarray):
        img = _from_array(img, source_name(img))
    if img.mode != "RGB":
        img = to_rgb(img, source_name(img))
    size = line_width(img.width, img.height, spec), spec.height
    return np.array(img.resize(size, Image.Resampling.LANCZOS))


def line_tensor(pixels: np.ndarray) -> np.ndarray:
    """Turn uint8 pixels (H, W, 3) into float32 (3, H, W) in [0, 1], bit for bit VietOCR's network input."""
    return np.take(LEVELS, pixels.transpose(2, 0, 1))


def _open(source: str | os.PathLike | bytes | bytearray | memoryview, name: str) -> Image.Image:
    """Open a file or encoded bytes without decoding the pixels."""
    handle: str | os.PathLike | io.BytesIO
    if isinstance(source, str | os.PathLike):
        handle = source
    elif isinstance(source, bytes | bytearray | memoryview):
        handle = io.BytesIO(source)
    else:
        kind = type(source).__name__
        raise ImageError(f"A picture cannot be made of {kind}; give a path, bytes, a Pillow image or a NumPy array.")
    try:
        img = Image.open(handle)
    except (FileNotFoundError, NotADirectoryError) as err:
        raise ImageError(f"{name}: no such file; check the path.") from err
    except IsADirectoryError as err:
        raise ImageError(f"{name}: is a folder; name the picture files in it.") from err
    except PermissionError as err:
        raise ImageError(f"{name}: may not be read; give this user permission to read it.") from err
    except Image.DecompressionBombError as err:
        raise TooLargeError(f"{name}: more than {MAX_PIXELS:,} pixels; crop or shrink it first.") from err
    except Image.UnidentifiedImageError as err:
        with handle if isinstance(handle, io.BytesIO) else open(handle, "rb") as file:
            file.seek(0)
            is_pdf = file.read(5) == b"%PDF-"
        if is_pdf:
            raise NotAPictureError(
                f"{name}: a PDF file, which holds pages; `quantvietocr receipts` reads them."
            ) from err
        raise NotAPictureError(f"{name}: not a picture that can be opened here; save it as PNG or JPEG.") from err
    except DAMAGE as err:
        raise damaged(name, err) from err
    if img.format == "EPS":  # a program, which Pillow would have Ghostscript run
        img.close()
        raise NotAPictureError(f"{name}: PostScript, which is not run here; save it as PNG or JPEG.")
    return img


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    """Turn an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16 or bool into an RGB image."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise ImageError(f"{name}: has shape {array.shape}; give H x W, or H x W x 1, x 3 (RGB) or x 4 (RGBA).")
    check_size(array.shape[1], array.shape[0], name)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = to_8bit(array, "I;16")
    elif array.dtype != np.uint8:
        raise ImageError(f"{name}: holds {array.dtype} values; convert it to uint8 levels 0-255 first.")
    return to_rgb(Image.fromarray(np.ascontiguousarray(array)), name)

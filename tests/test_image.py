"""Pictures of every kind become the pixels VietOCR would see, or a sentence."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from quantvietocr.pictures.decoding import MendedWarning
from quantvietocr.pictures.image import (
    MAX_PIXELS,
    ImageError,
    ImageSpec,
    NotAPictureError,
    line_pixels,
    line_size,
    line_tensor,
    line_width,
    open_frame,
    open_line,
)


def noise(h: int, w: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(h * 1000 + w).integers(0, 256, (h, w, channels), dtype=np.uint8)
    return values if channels > 1 else values[:, :, 0]


def encoded(img: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    img.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def translate():
    """VietOCR's own preprocessing; its torchvision import needs the bridge's help beside a CPU torch."""
    pytest.importorskip("vietocr")
    bridge = pytest.importorskip("quantvietocr.vietocr_bridge.network")
    return bridge.import_vietocr().translate


SIZES = [(1, 1), (32, 32), (33, 31), (320, 32), (321, 32), (319, 47), (500, 20), (40, 90), (3, 200), (1500, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_input_equals_vietocrs(translate, size):
    img = Image.fromarray(noise(size[1], size[0]))
    ours = line_tensor(line_pixels(open_line(img)))
    theirs = translate.process_input(img, 32, 32, 512)[0].numpy()
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)


def test_input_equals_vietocrs_for_other_modes_and_sizes(translate):
    rgb = Image.fromarray(noise(40, 120))
    for mode in ("L", "CMYK", "P", "YCbCr", "1"):
        img = rgb.convert(mode)
        ours = line_tensor(line_pixels(open_line(img), ImageSpec(48, 16, 100)))
        np.testing.assert_array_equal(ours, translate.process_input(img, 48, 16, 100)[0].numpy())


def test_widths_equal_vietocrs(translate):
    spec = ImageSpec()
    for h in (1, 7, 32, 45, 333):
        for w in range(1, 1200, 7):
            assert line_width(w, h, spec) == translate.resize(w, h, 32, 32, 512)[0]


def test_every_level_is_divided_in_double():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(line_tensor(levels)[1, 0], (np.arange(256) / 255).astype(np.float32))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "1"])
def test_plain_pictures_equal_pillows_conversion(mode):
    img = Image.fromarray(noise(20, 50)).convert(mode)
    np.testing.assert_array_equal(np.asarray(open_line(img)), np.asarray(img.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_is_laid_on_white(mode):
    rgba = np.zeros((4, 6, 4), np.uint8)  # black: invisible unless laid on something light
    rgba[:, :3, 3] = 255
    img = Image.fromarray(rgba)
    if mode == "P":
        img = Image.fromarray((rgba[:, :, 3] > 0).astype(np.uint8)).convert("P")
        img.info["transparency"] = 0
    got = np.asarray(open_line(img.convert(mode) if mode != "P" else img))
    assert (got[:, 3:] == 255).all() and (got[:, :3] < 2).all()


def test_half_transparent_black_on_white_is_grey():
    assert open_line(np.full((2, 2, 4), (0, 0, 0, 127), np.uint8)).getpixel((0, 0)) == (128, 128, 128)


def inked(ink: int, ground: int = 0, mode: str = "RGBA") -> Image.Image:
    """A picture that is transparent but for strokes in one grey, less so at their edges."""
    rgba = np.full((20, 60, 4), (ground, ground, ground, 0), np.uint8)
    rgba[5:15, 10:50:4] = (ink, ink, ink, 255)
    rgba[5:15, 11:50:4] = (ink, ink, ink, 90)
    return Image.fromarray(rgba).convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("ink", [0, 60, 100, 160, 220, 255])
def test_ink_on_a_transparent_ground_can_be_seen(mode, ink):
    levels = np.asarray(open_line(inked(ink, mode=mode)).convert("L"))
    assert np.ptp(levels) > 120
    assert levels[0, 0] == (255 if ink < 128 else 0)


def test_a_page_with_transparent_corners_stays_on_white():
    rgba = np.full((100, 60, 4), 255, np.uint8)
    rgba[20:30, 10:50] = (30, 30, 30, 255)
    rgba[:5, :5, 3] = 0
    assert open_line(rgba).getpixel((0, 0)) == (255, 255, 255)


def test_light_letters_with_a_dark_edge_stay_on_white():
    rgba = np.zeros((40, 90, 4), np.uint8)
    for left in range(10, 80, 14):
        rgba[9:31, left : left + 8] = (0, 0, 0, 255)
        rgba[10:30, left + 1 : left + 7] = (255, 255, 255, 255)  # more of them is light
    assert open_line(rgba).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("ink", [40, 255])
def test_a_logo_does_not_hide_letters_of_the_other_shade(ink):
    rgba = np.zeros((40, 300, 4), np.uint8)
    rgba[4:36, 4:36] = (295 - ink, 295 - ink, 295 - ink, 255)
    for left in range(60, 290, 8):
        rgba[8:32, left : left + 3] = (ink, ink, ink, 255)
    levels = np.asarray(open_line(rgba).convert("L"))
    assert np.ptp(levels[:, 50:]) > 200


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_in_part_of_sixteen_bits_is_scaled_by_that_part(bits):
    top = 2**bits - 1
    levels = np.linspace(0, top - top // 200, 100).round().astype(np.uint16).reshape(10, 10)
    for source in (levels, encoded(Image.fromarray(levels))):
        got = np.asarray(open_line(source))[:, :, 0]
        assert abs(got.astype(float) - levels * (255 / top)).max() <= 0.5001


def printed(ink: int, paper: int) -> np.ndarray:
    """16-bit greys: strokes on paper."""
    values = np.full((40, 300), paper, np.uint16)
    values[8:32, 10:290:8] = ink
    return values


@pytest.mark.parametrize("strays", [(), (65535,), (65535, 0)])
@pytest.mark.parametrize(("ink", "paper"), [(400, 3600), (30000, 31020), (1000, 1100)])
@pytest.mark.parametrize("kind", ["array", "PNG", "I", "F"])
def test_print_in_a_part_of_the_range_is_seen_beside_hot_and_dead_pixels(kind, ink, paper, strays):
    values = printed(ink, paper)
    for place, stray in enumerate(strays):
        values[2, 2 + place] = stray
    source = {
        "array": lambda: values,
        "PNG": lambda: encoded(Image.fromarray(values)),
        "I": lambda: Image.fromarray(values.astype(np.int32)),
        "F": lambda: Image.fromarray(values.astype(np.float32)),
    }[kind]()
    levels = np.asarray(open_line(source).convert("L"))[8:32, 10:290]
    assert levels[:, 4].min() - int(levels[:, 0].max()) > 150


def test_grey_of_eight_bits_in_wider_pixels_is_not_stretched():
    values = printed(100, 104)
    for source in (values, Image.fromarray(values.astype(np.int32)), Image.fromarray(values.astype(np.float32))):
        np.testing.assert_array_equal(np.asarray(open_line(source))[:, :, 0], values)
    blank = np.full((9, 9), 31020, np.uint16)
    assert (np.asarray(open_line(blank)) == 121).all()


def jpegs():
    picture = Image.fromarray(noise(40, 200)).resize((300, 70))
    for options in ({}, {"progressive": True}, {"quality": 30}, {"optimize": True}, {"restart_marker_rows": 1}):
        yield encoded(picture, "JPEG", **options)
    yield encoded(picture.convert("L"), "JPEG")


def test_a_jpeg_without_its_end_marker_is_read_with_a_warning(tmp_path):
    for whole in jpegs():
        (tmp_path / "whole.jpg").write_bytes(whole)
        for missing in (1, 2):
            path = tmp_path / "endless.jpg"
            path.write_bytes(whole[:-missing])
            for read in (open_line, open_frame, lambda path: open_line(path.read_bytes())):
                with pytest.warns(MendedWarning, match="lacks its end"):
                    got = read(path)
                np.testing.assert_array_equal(np.asarray(got), np.asarray(open_line(tmp_path / "whole.jpg")))


@pytest.mark.filterwarnings("error")
def test_a_jpeg_that_lacks_some_of_its_picture_is_refused():
    for whole in jpegs():
        for missing in (8, 20, 100, len(whole) // 2):
            with pytest.raises(ImageError, match="damaged or cut short"):
                open_line(whole[:-missing])


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sixteen_bit_grey_keeps_its_shades(byteorder):
    levels = np.arange(256, dtype=np.uint16).reshape(1, 256) * 257
    for img in (
        levels,
        Image.frombytes(f"I;16{'B' if byteorder == '>' else ''}", (256, 1), levels.astype(f"{byteorder}u2").tobytes()),
    ):
        np.testing.assert_array_equal(np.asarray(open_line(img))[0, :, 0], np.arange(256))
    np.testing.assert_array_equal(np.asarray(open_line(encoded(Image.fromarray(levels))))[0, :, 2], np.arange(256))


def test_sixteen_bit_grey_is_rounded():
    got = np.asarray(open_line(np.array([[0, 128, 129, 385, 386, 65406, 65407]], np.uint16)))
    np.testing.assert_array_equal(got[0, :, 0], [0, 0, 1, 1, 2, 254, 255])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 257.0, 65535.0], [0, 1, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([float("nan"), 0.5, 1.0], [0, 128, 255]),
        ([1e6, 1e6, 1e6], [0, 0, 0]),
    ],
)
def test_float_pictures_are_scaled_by_their_range(values, expected):
    img = Image.fromarray(np.array([values], np.float32))
    assert img.mode == "F"
    np.testing.assert_array_equal(np.asarray(open_line(img))[0, :, 0], expected)


def test_integer_pictures_are_scaled_by_their_range():
    for top, expected in ((255, [0, 51, 255]), (65535, [0, 0, 255])):
        img = Image.fromarray(np.array([[0, 51, top]], np.int32))
        np.testing.assert_array_equal(np.asarray(open_line(img))[0, :, 1], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    from PIL import ImageOps

    img = Image.fromarray(noise(6, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    img.save(path, exif=exif)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    got = open_line(path)
    np.testing.assert_array_equal(np.asarray(got), expected)
    assert line_size(path) == got.size == ((6, 10) if orientation >= 5 else (10, 6))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("block", [b"MM\0*\xff\xff\xff\xff", b"no EXIF at all"])
def test_an_unreadable_exif_block_does_not_lose_the_picture(block):
    for kind in ("PNG", "JPEG"):
        assert open_line(encoded(Image.fromarray(noise(8, 8)), kind, exif=b"Exif\0\0" + block)).size == (8, 8)


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 1), (5, 9, 3), (5, 9, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_arrays(shape, dtype):
    ones = np.ones(shape, dtype) * (1 if dtype is np.bool_ else np.iinfo(dtype).max)
    got = np.asarray(open_line(ones.astype(dtype)))
    assert got.shape == (5, 9, 3) and (got == 255).all()
    assert (np.asarray(open_line(np.zeros(shape, dtype)))[0, 0] == (255 if shape[-1] == 4 else 0)).all()


def test_array_channels_are_rgb_and_strides_do_not_matter():
    array = noise(10, 20)
    np.testing.assert_array_equal(np.asarray(open_line(array[::2, ::-1])), array[::2, ::-1])


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (20000, 40), (1, 20000)])
def test_extreme_sizes_give_a_line(size):
    pixels = line_pixels(open_line(Image.new("L", size, 200)))
    assert pixels.shape == (32, line_width(*size), 3) and 32 <= pixels.shape[1] <= 512
    assert (pixels == 200).all()


def test_line_pixels_own_their_memory_and_take_arrays():
    array = noise(32, 320)
    pixels = line_pixels(array)
    np.testing.assert_array_equal(pixels, array)
    pixels[:] = 0
    assert array.any()


def bad_sources(tmp_path):
    picture = encoded(Image.fromarray(noise(40, 200)))
    jpeg = encoded(Image.fromarray(noise(40, 200)), "JPEG")
    (tmp_path / "note.png").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "short.png").write_bytes(picture[: len(picture) // 2])
    (tmp_path / "short.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "broken.png").write_bytes(picture[:100] + b"\0" * 50 + picture[150:])
    bomb = bytearray(encoded(Image.new("1", (8, 8))))
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    bomb[29:33] = __import__("zlib").crc32(bomb[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bomb)
    return {
        "missing.png": "no such file",
        "note.png": "not a picture",
        "empty.png": "not a picture",
        "short.png": "damaged or cut short",
        "short.jpg": "damaged or cut short",
        "broken.png": "damaged or cut short",
        "bomb.png": "crop or shrink",
        ".": "folder",
    }


def test_bad_files_are_named_in_one_sentence(tmp_path):
    for name, why in bad_sources(tmp_path).items():
        path = tmp_path / name
        with pytest.raises(ImageError, match=why) as caught:
            open_line(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ") and "\n" not in message and message.endswith(".")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_between_pillows_two_limits_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (12000, 8000)).save(tmp_path / "big.png")
    assert MAX_PIXELS < 12000 * 8000 < 2 * MAX_PIXELS
    for read in (open_line, line_size):
        with pytest.raises(ImageError, match=r"big\.png: 12000 x 8000"):
            read(tmp_path / "big.png")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (np.zeros((0, 5), np.uint8), "empty"),
        (np.zeros((5, 0, 3), np.uint8), "empty"),
        (np.zeros((5, 5), np.float32), "float32"),
        (np.zeros((5, 5), np.int64), "int64"),
        (np.zeros((5, 5, 2), np.uint8), "shape"),
        (np.zeros(5, np.uint8), "shape"),
        (Image.new("RGB", (0, 4)), "empty"),
        (b"", "not a picture"),
        (None, "NoneType"),
    ],
)
def test_bad_values_are_refused(source, why):
    with pytest.raises(ImageError, match=why):
        open_line(source)


def test_postscript_is_not_run():
    program = io.BytesIO()
    Image.new("RGB", (8, 8)).save(program, "EPS")
    with pytest.raises(NotAPictureError, match="PostScript"):
        open_line(program.getvalue())


def test_bad_sizes_are_refused():
    for sizes in ((0, 32, 512), (32, 0, 512), (32, 64, 32)):
        with pytest.raises(ValueError, match="min_width <= max_width"):
            ImageSpec(*sizes)


def test_needs_numpy_and_pillow_alone():
    code = (
        "import sys, quantvietocr.pictures.image; "
        "print(sorted(m for m in ('torch', 'vietocr', 'yaml') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

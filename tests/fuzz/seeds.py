"""What the fuzz suite starts from: small whole inputs of each kind, all of them made here."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def line(mode: str = "RGB", size: tuple[int, int] = (72, 20), number: int = 0) -> Image.Image:
    """A picture of a line of print."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((4, 4), f"Tong {number}", fill=(20, 20, 60))
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(size))
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 16)
    return picture if mode in ("RGB", "RGBA") else picture.convert(mode)


def encoded(form: str, mode: str = "RGB", **how: object) -> bytes:
    file = io.BytesIO()
    line(mode).save(file, form, **how)
    return file.getvalue()


#: The 18 kinds of pictures.
PICTURES: dict[str, Callable[[], bytes]] = {
    "PNG, grey": lambda: encoded("PNG", "L"),
    "PNG, 16 bits": lambda: encoded("PNG", "I;16"),
    "PNG, palette": lambda: encoded("PNG", "P", transparency=3),
    "PNG, transparent": lambda: encoded("PNG", "RGBA"),
    "JPEG, baseline": lambda: encoded("JPEG", exif=_turned()),
    "JPEG, progressive": lambda: encoded("JPEG", progressive=True),
    "JPEG, CMYK": lambda: encoded("JPEG", "CMYK"),
    "GIF, animated": lambda: encoded("GIF", "P", save_all=True, append_images=[line("P", number=1)]),
    "TIFF, pages": lambda: encoded("TIFF", compression="tiff_lzw", save_all=True, append_images=[line(number=1)]),
    "TIFF, fax": lambda: encoded("TIFF", "1", compression="group4"),
    "TIFF, float": lambda: encoded("TIFF", "F"),
    "BMP": lambda: encoded("BMP"),
    "WebP, lossy": lambda: encoded("WEBP"),
    "WebP, lossless": lambda: encoded("WEBP", "RGBA", lossless=True),
    "AVIF": lambda: encoded("AVIF", speed=10),
    "JPEG 2000": lambda: encoded("JPEG2000"),
    "PPM": lambda: encoded("PPM"),
    "TGA": lambda: encoded("TGA", compression="tga_rle"),
}


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    return exif


def pdfs() -> list[bytes]:
    """PDF files: a scan of two pages, text, a form, and an encrypted one."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    def drawn(draw: Callable[[Canvas], object], **how: object) -> bytes:
        file = io.BytesIO()
        paper = Canvas(file, pagesize=(150, 60), pageCompression=0, invariant=1, **how)
        draw(paper)
        paper.showPage()
        paper.save()
        return file.getvalue()

    scan = io.BytesIO()
    when = time.gmtime(0)  # else the time of the run
    line().save(scan, "PDF", save_all=True, append_images=[line(number=2)], creationDate=when, modDate=when)
    return [
        scan.getvalue(),
        drawn(lambda paper: paper.drawString(10, 20, "Cong: 12.000")),
        drawn(lambda paper: paper.acroForm.textfield(value="1.250.000", x=10, y=10, width=90, height=20)),
        drawn(lambda paper: paper.drawString(10, 20, "x"), encrypt=StandardEncryption("", canPrint=0)),
    ]


def checkpoints(folder: Path) -> dict[str, list[bytes]]:
    """Whole checkpoints of a few kilobytes by the suffix of their file: plain, compact and float, new and old."""
    import tiny
    import torch

    from quantvietocr.checkpoint import write
    from quantvietocr.export.onnx import export_onnx
    from quantvietocr.quantize.bits.compact import packed

    int8 = tiny.int8_checkpoint()
    safetensors = [
        write(checkpoint, folder / f"{number}.safetensors").read_bytes()
        for number, checkpoint in enumerate((int8, packed(int8), tiny.float_checkpoint()))
    ]
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tiny.float_state().items()}
    pth = [_saved(whole, True) for whole in (state, {"state_dict": state, "epoch": 3})]
    # The old format names each storage by its address and orders them so. For the same bytes in each run: one storage.
    storage = torch.cat([tensor.flatten() for tensor in state.values()])
    parts = storage.split([tensor.numel() for tensor in state.values()])
    views = {name: part.view(tensor.shape) for (name, tensor), part in zip(state.items(), parts, strict=True)}
    address = str(storage.untyped_storage()._cdata).encode()
    pth.append(_saved(views, False).replace(address, b"1" * len(address)))
    onnx = export_onnx(int8, folder / "int8.onnx").read_bytes()
    return {".safetensors": safetensors, ".pth": pth, ".onnx": [onnx]}


def _saved(state: dict[str, object], is_zip: bool) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


ANNOTATION = "".join(f"{name}.png\tab đ{'c' * index}\n" for index, name in enumerate("abcab"))
VIETOCR_YAML = """\
backbone: vgg19_bn
seq_modeling: seq2seq
vocab: abcđ
cnn: { ss: [[2, 2], [2, 2], [2, 1], [2, 1], [1, 1]], ks: [[2, 2], [2, 2], [2, 1], [2, 1], [1, 1]], hidden: 256 }
transformer: { encoder_hidden: 256, decoder_hidden: 256, img_channel: 256, decoder_embedded: 256, dropout: 0.1 }
dataset: { image_height: 32, image_min_width: 32, image_max_width: 512 }
"""

"""Whole receipts by index: each is a pure function of the configuration, the seed and its number."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...checkpoint.vocab import DEFAULT_CHARS
from ..lines.config import SynthError
from ..lines.dice import Dice, Weighted
from ..lines.fonts import FontPool
from ..recipe_files import libraries
from .bitmap import DotPool
from .content import Content, Style, make_content, make_style
from .form import set_form
from .ink import DOTS, print_sheet
from .layout import Sheet
from .photo import Photo, take_photo
from .surface import Quad
from .thermal import set_receipt
from .till import choose_till, set_till

TRUTH_VERSION = 1
KINDS = Weighted([("receipt-80mm", 0.5), ("receipt-57mm", 0.25), ("form-a5", 0.25)])
PAPER = {"receipt-80mm": 80, "receipt-57mm": 57}  # mm, width of a till's paper
MAX_ITEMS = {"receipt-80mm": 14, "receipt-57mm": 9, "form-a5": 9}
SLIP_PER_MM = (7.0, 12.5)  # pixels of the picture for a millimetre of a slip: from phones, and scans at 200 dpi
FAMILY_FACES = 16  # at most so many faces are kept of a font family


@dataclass(frozen=True)
class ReceiptConfig:
    """What decides a picture, together with a seed and an index.

    Attributes:
        fonts: font files or folders; empty for the system's folders and matplotlib's DejaVu.
        degrade: 0 gives upright clean scans, 1 photos and scans as people send them.
        turned: share of pictures lying on a side or upside down.
        tills: share of slips that a till prints in bitmap letters, and that go through `accidents`.
        dot_fonts: bitmap font files or folders; empty for the system's folders.

    Raises:
        SynthError: a value makes no sense.
    """

    fonts: tuple[str, ...] = ()
    degrade: float = 1.0
    turned: float = 0.0
    tills: float = 0.0
    dot_fonts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fonts", tuple(self.fonts))
        object.__setattr__(self, "dot_fonts", tuple(self.dot_fonts))
        shares = {"degrade": self.degrade, "turned": self.turned, "tills": self.tills}
        if not all(0 <= share <= 1 for share in shares.values()):
            values = ", ".join(f"{name}={share}" for name, share in shares.items())
            raise SynthError(f"receipts: {values}: set them between 0 and 1")


@dataclass(frozen=True)
class ReceiptPage:
    """A generated picture.

    Attributes:
        jpeg: the bytes of its JPEG file.
        truth: what is on it; see `files.py` for the keys.
    """

    jpeg: bytes
    truth: dict[str, Any]

    @property
    def image(self) -> np.ndarray:
        """The picture as anyone decodes it, uint8 RGB (H, W, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.jpeg)).convert("RGB"))


class ReceiptGenerator:
    """Generates receipt `i` for any `i >= 0`, in any order, in any process, always the same.

    What is said, how it is set and what happens to the paper come from three streams of random numbers, so that the
    texts do not depend on the damage.

    Args:
        config: what decides the pictures.
        seed: a whole number from 0 that decides everything random.

    Raises:
        SynthError: the seed is negative, or no font can be used.
    """

    def __init__(self, config: ReceiptConfig = ReceiptConfig(), seed: int = 0) -> None:
        if seed < 0:
            raise SynthError(f"receipts: seed={seed}: use a whole number from 0")
        self.config, self.seed = config, seed
        self.pool = FontPool(config.fonts, DEFAULT_CHARS, FAMILY_FACES)
        self.dot_pool = DotPool(config.dot_fonts) if config.tills else None

    def __reduce__(self) -> tuple[Any, ...]:
        return ReceiptGenerator, (self.config, self.seed)

    def page(self, index: int) -> ReceiptPage:
        """Draw receipt number `index` (0, 1, 2 ...)."""
        texts, setting, damage = (Dice(np.random.default_rng([self.seed, index, stream])) for stream in (1, 2, 3))
        kind = setting.pick(KINDS)
        content, style = make_content(texts, MAX_ITEMS[kind]), make_style(texts)
        thermal = kind in PAPER
        accidents = None
        if self.dot_pool is not None and thermal:
            accidents = Dice(np.random.default_rng([self.seed, index, 4]))
            if accidents.chance(self.config.tills):
                return self._slip(kind, content, style, setting, damage, accidents)
        # Pixels per millimetre of the picture: what a phone makes of a till slip, or an office scanner of a form.
        per_mm = setting.uniform(8.5, 12.5) if thermal else setting.uniform(6.5, 8.5)
        dots = thermal and setting.chance(0.55)
        if thermal:
            sheet = set_receipt(content, style, PAPER[kind], DOTS if dots else per_mm, self.pool, setting)
        else:
            sheet = set_form(content, style, per_mm, self.pool, setting)
        printed = print_sheet(sheet, self.pool, setting, dots, per_mm / DOTS if dots else 1.0)
        lying, lies = damage.pick((90, 180, 270)), damage.chance(self.config.turned)
        turned = lying if lies else 0  # the same draws either way: what lies is the same photo, turned
        photo = take_photo(printed, thermal, self.config.degrade, damage, turned, accidents)
        return ReceiptPage(_jpeg(photo), _truth(kind, content, style, sheet, photo, turned))

    def _slip(
        self, kind: str, content: Content, style: Style, setting: Dice, damage: Dice, accidents: Dice
    ) -> ReceiptPage:
        """Draw a slip of a till that prints in dots; arguments as in `page`."""
        assert self.dot_pool is not None  # `page` asks for slips only where there are bitmap fonts
        till = choose_till(setting, self.dot_pool)
        sheet, content = set_till(content, style, PAPER[kind], till, self.dot_pool, setting)
        per_mm = setting.uniform(*SLIP_PER_MM)
        printed = print_sheet(sheet, self.dot_pool, setting, False, per_mm / sheet.per_mm, till.head)
        photo = take_photo(printed, True, self.config.degrade, damage, 0, accidents)
        return ReceiptPage(_jpeg(photo), _truth(kind, content, style, sheet, photo, 0))


def _jpeg(photo: Photo) -> bytes:
    jpeg = io.BytesIO()
    Image.fromarray(photo.image).save(jpeg, "JPEG", quality=photo.quality)
    return jpeg.getvalue()


def _truth(kind: str, content: Content, style: Style, sheet: Sheet, photo: Photo, turned: int) -> dict[str, Any]:
    """Say what is on the picture, as `files.py` documents it."""
    height, width, _ = photo.image.shape
    rows: dict[int, list[int]] = {}
    lines: dict[str, list[int]] = {}  # role → indices of its lines
    for index, text in enumerate(sheet.texts):
        rows.setdefault(text.row, []).append(index)
        if text.role:
            lines.setdefault(text.role, []).append(index)
    items = [
        {
            "name": item.name,
            "quantity": item.quantity,
            "unit_price": item.unit_price,
            "price": item.price,
            "lines": lines.get(f"item-{number}", []),
        }
        for number, item in enumerate(content.items)
    ]
    clock = style.clock if kind in PAPER else ""
    date = content.when.strftime("%Y-%m-%d" + {"": "", "%H:%M:%S": "T%H:%M:%S"}.get(clock, "T%H:%M"))
    return {
        "version": TRUTH_VERSION,
        "kind": kind,
        "width": width,
        "height": height,
        "turned": turned,
        "font": sheet.face.family,
        "lines": [{"box": _points(quad), "text": text.text} for text, quad in zip(sheet.texts, photo.quads)],
        "rows": list(rows.values()),
        "ignore": [{"box": _points(quad), "what": mark.kind} for mark, quad in zip(sheet.marks, photo.marked)],
        "fields": {
            name: {"value": value, "lines": lines.get(name, [])}
            for name, value in (
                ("shop", content.shop),
                ("address", content.address),
                ("date", date),
                ("total", content.total),
            )
        },
        "items": items,
    }


def _points(quad: Quad) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in quad]


def settings(config: ReceiptConfig, seed: int) -> dict[str, Any]:
    """Return what decides the pictures, as JSON takes it: fonts are a hash of their files' names."""
    names = "\n".join(Path(font).name for font in config.fonts)
    fonts = hashlib.sha256(names.encode()).hexdigest()[:16] if names else "the system's"
    made = {"seed": seed, "degrade": config.degrade, "turned": config.turned, "fonts": fonts, "made_with": libraries()}
    return {**made, "tills": config.tills} if config.tills else made  # sets without slips keep their older settings

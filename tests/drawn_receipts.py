"""Receipts drawn with Pillow, with what stands on them: for tests of what finds, orders and understands lines."""

from __future__ import annotations

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

SHOP = "SIÊU THỊ HOA SEN"
ADDRESS = "Số 12 Đường Trần Phú, Phường 4, Quận 5, TP. Hồ Chí Minh"
#: Name, quantity, unit price, price.
ITEMS = (
    ("Sữa tươi Vinamilk 1L", 2, 32_500, 65_000),
    ("Bánh mì sandwich", 1, 25_000, 25_000),
    ("Nước mắm Nam Ngư", 3, 41_000, 123_000),
    ("Trứng gà hộp 10 quả", 1, 37_000, 37_000),
)
TOTAL = 250_000
ROWS: tuple[tuple[str, ...], ...] = (
    (SHOP,),
    ("Số 12 Đường Trần Phú, Phường 4,",),
    ("Quận 5, TP. Hồ Chí Minh",),
    ("ĐT: 028 3835 1234",),
    ("HÓA ĐƠN BÁN LẺ",),
    ("Ngày: 12/03/2024 18:05", "Số HĐ: 000123"),
    ("Tên hàng", "SL", "Đơn giá", "T.Tiền"),
    *(
        (name, str(count), f"{unit:,}".replace(",", "."), f"{price:,}".replace(",", "."))
        for name, count, unit, price in ITEMS
    ),
    ("Tổng cộng:", "250.000đ"),
    ("Tiền khách đưa:", "500.000đ"),
    ("Tiền thừa:", "250.000đ"),
    ("Cảm ơn quý khách, hẹn gặp lại!",),
)
GAPS = {4, 6, 11, 14}  # rows with a space above


def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib always brings."""
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def draw(rows: tuple[tuple[str, ...], ...] = ROWS, width: int = 760, size: int = 22) -> Image.Image:
    """Black on white: a text alone is centred, two stand at the edges, four in columns with numbers to the right."""
    pitch, letters = round(size * 1.6), font(size)
    page = Image.new("RGB", (width, 2 * size + round((len(rows) + 0.6 * len(GAPS) + 1) * pitch)), "white")
    pen, y = ImageDraw.Draw(page), size
    for number, row in enumerate(rows):
        y += round(0.6 * pitch) if number in GAPS else 0
        if len(row) == 1:
            pen.text((width / 2, y), row[0], "black", letters, anchor="ma")
        else:
            pen.text((size, y), row[0], "black", letters, anchor="la")
            ends = {2: [1.0], 3: [0.7, 1.0], 4: [0.56, 0.78, 1.0]}[len(row)]
            for text, end in zip(row[1:], ends):
                pen.text((size + end * (width - 2 * size), y), text, "black", letters, anchor="ra")
        y += pitch
    return page

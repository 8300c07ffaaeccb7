"""The head of a receipt: the shop's name and its address, by what their lines say, and by size and place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.wordlists import entries
from ..pictures.boxes import size_of
from .dates import has_date
from .items import first_item_row
from .labels import is_heading, is_telephone, is_title, kind_of
from .layout import goes_on, widest_of
from .page import Line, Row
from .words import fold, has_words, starts_with

TOP_ROWS = 10  # the shop and its address stand among the first rows, so many
MIN_SAME_NAME = 0.85  # × the height of the name's first row: a row this large may go on with it
MIN_SAME_CAPITALS = 0.65  # × likewise, where both are in capitals: marks make a row higher
MIN_SAME_LINE = 0.8  # × the larger of two lines side by side, for both to be one text
MAX_GAP = 2.0  # × the height: white between two such lines
MAX_ADDRESS_ROWS = 4
MIN_LETTERS = 0.6  # share of letters among the marks of a name; a logo is misread as other marks
SHOP_LABELS = ("cua hang", "don vi", "don vi ban hang", "ten don vi", "ten cua hang", "nguoi ban", "cong ty", "seller")
ADDRESS_LABELS = ("dia chi", "d c", "dc", "add", "address", "chi nhanh", "cn", "co so")
# Those that name the shop itself; they stand in a row that may be its name.
_NAME_LABELS = tuple(label for label in SHOP_LABELS if label not in ("cong ty", "seller"))
_PERIOD = re.compile(r"(?:thang|ky|quy|nam|tuan)\s(?:\w+\s)?\d{1,4}(?:\s\d{2,4})?$")  # Tháng 5/2024, below a title
_BRANCHES = ("chi nhanh", "cn", "co so")
_PLACES = re.compile(
    r"\b(?:duong|quoc lo|tinh lo|pho|phuong|quan|tp|tphcm|hcm|hcmc|thanh pho|huyen|tinh|xa|thi xa|"
    r"thi tran|ngo|hem|ngach|khu|ap|thon|kp|tang|lau|lo|tttm|toa nha|do thi|chung cu|street|st|district|ward|floor|"
    r"kdc|kcn|so \d+|p ?\d{1,2}|q ?\d{1,2}|ha noi|da nang|ho chi minh|hai phong|ha dong|cau giay|dong da|thanh xuan|"
    r"hoan kiem|ba dinh|tan binh|go vap|binh thanh|phu nhuan|thu duc|bien hoa|nha trang|da lat|vung tau|binh duong|"
    r"dong nai|long an|nam dinh|thai binh|bac ninh|quang ninh|ha long|hai duong|hung yen|thanh hoa|nghe an|vinh|"
    r"quang nam|hoi an|khanh hoa|lam dong|an giang|kien giang|phu quoc|ca mau|my tho|tien giang|vinh long|ben tre|"
    r"can tho|hue|sai gon|vietnam|viet nam)\b"
)
_SHORT_PLACES = re.compile(r"(?:^|[\s,])(?:P|Q|H|TP|TX|X|T)\.")
_HOUSE = re.compile(r"^(?:[Ss]ố\s)?\d+[A-Za-z]?(?:[/-]\d+[A-Za-z]?)*\s[^,]*[^\W\d_][^,]*,")
_STREET = re.compile(r"^(?:[Ss]ố\s)?\d+[A-Za-z]?(?:[/-]\d+[A-Za-z]?)*\s+[^\W\d]+\s+[^\W\d]")  # 66 Tô Hiến Thành
_LABELLED = re.compile(r"^[^:]{1,24}:\s*(?=\S)")
_WEB = re.compile(r"www|https?|@|\.(?:vn|com|net|org)\b|wifi|facebook", re.I)
_NOT_NAMES = entries("""
    quet ma | truy cap | gop y | mo cua | open | opening hours | service hour | business hours | gio phuc vu | lien he
    hotline | giao hang | dat hang | thong tin | dang ky | ma so thue | tax code | tel | dien thoai | copy | lien 1
    ban sao | in lai | tam tinh | thanh toan | check | table | toi da nhan | da nhan cua | nhan cua | toi ten
""")
_BUSINESS = entries("""
    cong ty | tnhh | co phan | sieu thi | cua hang | nha hang | quan | cafe | ca phe | coffee | tra sua | tiem | shop
    nha thuoc | pharmacy | hotel | khach san | restaurant | mart | minimart | market | store | bakery | salon
    benh vien | phong kham | karaoke | club | petrolimex | xang dau | trung tam | tap hoa | bistro | bar | pub | lounge
    pho | bun | com | lau | bbq | buffet | kitchen | tea | nha sach | bookstore | supermarket | cinema | resort
    homestay | bank | ngan hang | garage | studio | fashion | food | house | center | centre | hieu thuoc | spa
    bai xe | dai ly | doanh nghiep | ho kinh doanh | quan an | an vat | kem | sua | vpp | dien may | noi that
""")
_SLOGANS = entries("""
    noi mua sam | moi gia dinh | chat luong | niem tin | uy tin | hanh phuc | suc khoe | thuong thuc | huong vi
    hai long | tan tam | vi ban | moi nha | luon luon | dong hanh | yeu thuong | cam ket | gia re | moi ngay
    your | enjoy | quality | taste | the best | since | trai nghiem | niem vui | ngon | tuoi | khach hang | nguoi viet
""")
MAX_NAME_WORDS = 6  # of a shop's name that begins as a title does
MIN_TITLED_WORDS = 3  # a title's two and a word of a business: Hóa đơn cafe
MIN_BETTER = 0.4  # points by which a lower row must look more like a name than the first
_CUSTOMERS = entries("""
    khach hang | ten khach hang | nguoi mua | nguoi mua hang | ho ten nguoi mua | ho ten khach hang | don vi mua hang
    customer | customer name | bill to | sold to | buyer | ten nguoi mua | ten kh | nguoi nhan | giao den
    ten don vi mua hang | ho ten nguoi mua hang | ho va ten nguoi mua | ben mua
""")
_SELLERS = ("don vi ban hang", "ten don vi ban hang", "nguoi ban hang", "ben ban", "seller")
LABELLED = 100  # places that a label of addresses counts for


@dataclass(frozen=True)
class Head:
    """What the head of a receipt says.

    Attributes:
        shop: rows of the shop's name.
        address: rows of its address.
    """

    shop: list[Row]
    address: list[Row]


def head_of(rows: Sequence[Row]) -> Head:
    """Find the shop's name and its address among the first rows.

    Args:
        rows: of the page, in reading order.

    Returns:
        The rows of both, or parts of rows where a logo stands beside them; none where nothing may be one.
    """
    top = [part for row in rows[: min(TOP_ROWS, first_item_row(rows))] for part in _parts(row)]
    top = _without_customer(top)
    widest = widest_of(rows)
    usual = float(np.median([size_of(line.box)[1] for row in rows for line in row.lines])) if rows else 1.0
    address = _address(top, widest)
    taken = {id(line) for row in address for line in row.lines}
    shop = _shop([row for row in top if id(row.lines[0]) not in taken], widest, usual)
    if shop and not address:
        address = _named_place(top, shop)
    return Head(shop, address)


def without_label(text: str, labels: Sequence[str]) -> str:
    """Return a text without the label and colon that it begins with."""
    match = _LABELLED.match(text)
    return text[match.end() :] if match and any(starts_with(fold(match[0]), label) for label in labels) else text


def _without_customer(rows: Sequence[Row]) -> list[Row]:
    """Return the rows above the first that names the customer: names and addresses from there on are theirs.

    A row that names the seller ends the customer's.
    """
    kept: list[Row] = []
    is_customers = False
    for row in rows:
        folded = fold(row.text)
        if any(starts_with(folded, label) for label in _CUSTOMERS):
            is_customers = True
        elif any(starts_with(folded, label) for label in _SELLERS):
            is_customers = False
        if not is_customers:
            kept.append(row)
    return kept


def _parts(row: Row) -> list[Row]:
    """Divide a row where letters of another size or wide white stand side by side, as a logo and an address do."""
    parts: list[list[Line]] = []
    for line in row.lines:
        if parts:
            last = parts[-1][-1]
            low, high = sorted(size_of(one.box)[1] for one in (last, line))
            near = line.box.bounds[0] - last.box.bounds[2] <= MAX_GAP * high
            if near and low >= MIN_SAME_LINE * high:
                parts[-1].append(line)
                continue
        parts.append([line])
    return [Row(tuple(part)) for part in parts]


def _height(row: Row) -> float:
    return max(size_of(line.box)[1] for line in row.lines)


def _shop(rows: Sequence[Row], widest: float, usual: float) -> list[Row]:
    """Return the rows of the shop's name: the best by size, place and words."""
    title = next((index for index, row in enumerate(rows) if is_title(row.text)), len(rows))
    points = {
        index: _name_points(row.text, _height(row) / usual, index, index > title)
        for index, row in enumerate(rows)
        if may_be_name(row.text)
    }
    if not points:
        return [rows[0]] if rows and _is_titled_name(rows[0].text) else []
    start, first = max(points, key=lambda index: (points[index], -index)), min(points)
    if points[start] < points[first] + MIN_BETTER:
        start = first
    shop = [rows[start]]
    for row in rows[start + 1 :]:
        same_case = row.text.isupper() and rows[start].text.isupper()  # KHANG below CỬA HÀNG TÂM: lower without marks
        as_large = _height(row) >= (MIN_SAME_CAPITALS if same_case else MIN_SAME_NAME) * _height(rows[start])
        if not (may_be_name(row.text, 2) and as_large and goes_on(shop[-1], row, widest)) or _is_slogan(row.text):
            break
        if _STREET.match(row.text):
            break
        shop.append(row)
    return shop


def _name_points(text: str, size: float, index: int, below_title: bool) -> float:
    """Say how much a text looks like a shop's name: large letters, high on the page, words that businesses have."""
    folded = fold(text)
    words = text.split()
    letters = sum(map(str.isalpha, text)) / max(1, len(text.replace(" ", "")))
    points = min(3.0, 3.0 * max(0.0, size - 1.0)) - 0.35 * index
    points += 1.5 * any(has_words(folded, word) for word in _BUSINESS)
    points += 0.3 * text.isupper()
    points += 3.0 * any(starts_with(folded, label) for label in _NAME_LABELS if ":" in text)
    points -= 1.5 * _is_slogan(text)
    points -= 1.0 * (len(words) >= 4 and sum(word[:1].islower() for word in words) > len(words) / 2)
    points -= 1.5 * (letters < MIN_LETTERS or len(folded) < 3)
    points -= 1.5 * below_title
    points -= 1.0 * (_count_places(text) >= 1) + 0.5 * (sum(map(str.isdigit, text)) > 2)
    return points


def _is_titled_name(text: str) -> bool:
    """Whether a text begins as a title or thanks do and goes on as a business: `HÓA ĐƠN ĐỎ CAFE`, `CẢM ƠN COFFEE`.

    `HÓA ĐƠN NHÀ HÀNG` and `CẢM ƠN QUÝ KHÁCH` are a title and thanks.
    """
    folded = fold(text)
    words = folded.split()
    is_business = bool(words) and words[-1] in _BUSINESS and len(words) <= MAX_NAME_WORDS
    is_thanks = folded.startswith("cam on") and not has_words(folded, "quy khach")
    return is_business and text.isupper() and is_title(text) and (is_thanks or len(words) > MIN_TITLED_WORDS)


def _is_slogan(text: str) -> bool:
    folded = fold(text)
    return any(has_words(folded, word) for word in _SLOGANS) or text.rstrip().endswith(("!", "..."))


def may_be_name(text: str, letters: int = 3) -> bool:
    """Whether a text may be a name.

    Args:
        text: of a row.
        letters: how many it must have.

    Returns:
        Whether it has so many, and says nothing else that is known.
    """
    folded = fold(text)
    return (
        sum(letter.isalpha() for letter in text) >= letters
        and (not kind_of(text) or any(starts_with(folded, label) for label in _NAME_LABELS))
        and not is_title(text)
        and not is_heading(text)
        and not has_date(text)
        and not _PERIOD.match(folded)
        and not is_telephone(text)
        and not _WEB.search(text)
        and not any(starts_with(folded, words) for words in _NOT_NAMES)
    )


def _address(rows: Sequence[Row], widest: float) -> list[Row]:
    """Return the rows of the address.

    It begins with the row that is labelled as one, or that names most kinds of place, at least two.
    """
    scores = [_labelled(row.text) or _places_of_address(row.text) for row in rows]
    if max(scores, default=0) < 2:
        return []
    start = int(np.argmax(scores))
    while start and scores[start - 1] and _opens_address(rows[start - 1].text):
        start -= 1
    address = [rows[start]]
    for after in rows[start + 1 : start + MAX_ADDRESS_ROWS]:
        open_end = address[-1].text.rstrip().endswith((",", "-")) or goes_on(address[-1], after, widest)
        if not (open_end or _count_places(after.text)) or not may_be_name(after.text):
            break
        address.append(after)
    return address


def _opens_address(text: str) -> bool:
    """Whether an address goes on below: a comma ends the row, or it begins with the number of a house."""
    return text.rstrip().endswith(",") or _HOUSE.match(text) is not None


def _named_place(rows: Sequence[Row], shop: Sequence[Row]) -> list[Row]:
    """Return the row below the shop's name that names one place, where no row names more: `Xa La - Hà Đông`."""
    below = next((index for index, row in enumerate(rows) if row is shop[-1]), len(rows)) + 1
    for row in rows[below : below + 2]:
        if _count_places(row.text) and may_be_name(row.text):
            return [row]
    return []


def _labelled(text: str) -> int:
    """Return more than any number of places for a text that begins with a label of addresses, 0 for another."""
    folded = fold(text)
    label = next((label for label in ADDRESS_LABELS if starts_with(folded, label)), None)
    is_name = label in _BRANCHES and ":" not in text and not _count_places(text)  # Cơ sở in Phát Tài
    return LABELLED * (len(folded) > 12 and label is not None and not is_name)


def _places_of_address(text: str) -> int:
    """Count the places of a row that may be an address: no label of something else, no name as `Quán lẩu dê 9`."""
    is_business = "," not in text and any(starts_with(fold(text), word) for word in _BUSINESS)
    return 0 if is_business or kind_of(text) else _count_places(text)


def _count_places(text: str) -> int:
    """Count the kinds of place that a text names; a house number before a street and a comma counts for two."""
    return (
        len(_PLACES.findall(fold(text)))
        + len(_SHORT_PLACES.findall(text))
        + (2 if _HOUSE.match(text) else bool(_STREET.match(text)))
    )

"""What the slips of tills say beside goods and sums, in Vietnamese and in English. No shop or person in it is real."""

from __future__ import annotations

from ...common.wordlists import entries
from ..lines import phrases as dates
from ..lines import words
from ..lines.dice import Dice

# What a label means → how slips write it in Vietnamese, and in English.
LABELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "title": (
        entries(
            "Hóa đơn bán lẻ | HÓA ĐƠN BÁN HÀNG | PHIẾU TÍNH TIỀN | HÓA ĐƠN THANH TOÁN | Phiếu thanh toán | "
            "PHIẾU TẠM TÍNH | BIÊN LAI | HÓA ĐƠN"
        ),
        entries("RECEIPT | SALES RECEIPT | INVOICE | BILL | GUEST CHECK | CASH RECEIPT | Tax Invoice | SALE SLIP"),
    ),
    "tax code": (entries("MST | Mã số thuế | Ma So Thue | MST/Tax code"), entries("Tax code | VAT No | Tax ID")),
    "phone": (entries("ĐT | Điện thoại | SĐT | Số điện thoại"), entries("Tel | Phone | Hotline | Telephone | TEL")),
    "hours": (
        entries("Giờ mở cửa | Mở cửa | Phục vụ"),
        entries("Open | OPENING HOURS | Opening hours | Business hours"),
    ),
    "date": (entries("Ngày | Ngày bán | Ngày in | Ngày HĐ | Thời gian"), entries("DATE | Date | Trans Date | Printed")),
    "time": (entries("Giờ | Lúc | Giờ in"), entries("Time | TIME | at")),
    "number": (
        entries("Số HĐ | Số Hóa đơn | HĐ | Số phiếu | Mã GD | Số CT | Mã đơn"),
        entries("Bill No | Receipt# | Trans# | Check # | Invoice No. | Order | REF NO"),
    ),
    "till": (entries("Quầy | Máy | Máy POS | Ca"), entries("POS | Till | Terminal | Register | Station")),
    "cashier": (
        entries("Thu ngân | Nhân viên | NV | NVBH | Người bán | Thu ngân ca | Phục vụ"),
        entries("CASHIER | Cashier | Served by | Staff | Serv | Operator"),
    ),
    "table": (entries("Bàn | Bàn số | Khu vực | Số khách"), entries("Table | Tbl | Pager No | Guests | Covers")),
    "customer": (entries("Khách hàng | KH | Khách | Tên khách"), entries("Customer | Guest | Name | Member")),
    "quantity": (
        entries("SL | Số lượng | SỐ LƯỢNG | Mặt hàng | Tên hàng | MÃ HÀNG"),
        entries("QTY | Qty | ITEMCODE | Item Name | DESCRIPTION | Item"),
    ),
    "price": (entries("Đơn giá | ĐƠN GIÁ | Giá | ĐG"), entries("PRICE | Price | UNIT PRICE | Rate")),
    "amount": (
        entries("Thành tiền | THÀNH TIỀN | T.Tiền | Tiền | TT"),
        entries("AMOUNT | Amount | TOTAL | Cost | Amt | VND"),
    ),
    "less": (
        entries("Giảm | KM | Giảm giá | Chiết khấu | CK | Khuyến mãi"),
        entries("DISC | Discount | Less | PROMO | Coupon | Saving"),
    ),
    "subtotal": (
        entries("Tạm tính | Cộng tiền hàng | Tổng tiền hàng | Tổng trước giảm | Tiền hàng | Tổng cộng tiền hàng"),
        entries("SUBTOTAL | Sub Total | Sub-total | Net sales | Food total"),
    ),
    "total": (
        entries(
            "TỔNG CỘNG | Tổng cộng | Tổng tiền | TỔNG CỘNG PHẢI TRẢ | Thanh toán | Tổng thanh toán | TỔNG TIỀN | "
            "Phải trả | Khách phải trả | Thành tiền"
        ),
        entries("TOTAL | PAYMENT | Total | GRAND TOTAL | Amount Due | TOTAL DUE | Balance due | TOTAL VND"),
    ),
    "cash": (
        entries("Tiền mặt | Tiền khách trả | Khách đưa | Thẻ | Thẻ VISA | Tiền khách đưa | Ví MoMo | Chuyển khoản"),
        entries("CASH | Cash | CREDIT CARD | VISA | MASTER CARD | VN PAY | Tendered | CASH VND"),
    ),
    "change": (
        entries("Tiền thừa | Trả lại | Tiền trả lại | Tiền thối | Trả khách | Thối lại"),
        entries("CHANGE | Change | CASH CHANGE | Change Due"),
    ),
    "count": (
        entries("Tổng SL | Số mặt hàng | Tổng số lượng | Số món | SL hàng"),
        entries("ITEMS | Total Qty | ITEM COUNT | No. of items | Qty total"),
    ),
}
OTHER_ADJUSTMENTS = entries(
    "DISCOUNT | VAT | Service charge | SVC CHG 5% | TAX | Rounding | CITY TAX | Member discount"
)
SHOPS = entries("""
    MINH CHAU MART | GREEN CUP COFFEE & TEA | An Binh Foods | LOTUS BAKERY | Sunny Mart | BLUE RIVER CLUB
    TEA HOUSE 86 | Highland View Cafe | KIM LONG BOOKS | STAR PIZZA | Q-MART CITY | HOANG GIA SEAFOOD
    Bee Pharmacy | DONUT & JUICE | MEKONG CITY MALL | Vuon Xanh BBQ | J-SHOP TOWER | Ngon Bakery Xuan La
    NEW WORLD PLAZA | FAMILY DAY MINIMART
""")
THANKS = entries("""
    THANK YOU | Thank you and see you soon | TRAN TRONG CAM ON (THANKS) | See you again!
    Xin cam on quy khach | CAM ON QUY KHACH VA HEN GAP LAI | Have a nice day
    THANK YOU FOR SHOPPING WITH US | Cam on, hen gap lai quy khach
    ***** THANK YOU *****
""")
NOTES = entries("""
    VAT invoices on request at the counter | No refund without receipt | Gia da bao gom thue GTGT
    Khach hang lay hoa don do xin bao truoc khi thanh toan | Goods sold are not returnable
    Vui long kiem tra tien truoc khi roi quay | * Phieu chi dung mot lan * | (Đã gồm thuế)
    Doi tra hang trong 03 ngay kem hoa don | Order by app, web or phone | Scan QR code to get 10% off
    Delivery: call or order online | Quet ma de gop y ve dich vu | All prices are in VND and include VAT
    Xuat hoa don GTGT tai quay dich vu khach hang | This is not a tax invoice | CUSTOMER COPY | MERCHANT COPY
    Mang theo hoa don khi doi hang | Like us on facebook | Follow us on Instagram | Khong nhan lai hang da mua
    MOI THAC MAC XIN LIEN HE | COPY | REPRINT | *** BAN SAO *** | Free delivery within 3 km
""")
PHRASES = entries("""
    HAPPY HOUR | BUY 1 GET 1 FREE | Combo | Size L | Size M | Take away | Dine in | Mang ve | An tai cho | Nong | Da
    it duong | khong da | extra shot | no ice | with milk | Fresh milk | Iced tea | Black coffee | Brown rice
    Chocolate cake | Cheese bread | Beef noodle | Chicken rice | Green salad | Mango | Strawberry | Vanilla | Caramel
    Banh mi bo | Bun cha | Pho ga | Sua tuoi | Nuoc suoi | Tra dao | Ca phe sua | Com tam | Trung ga | Gao thom
    Banh bong lan | Keo deo | Sua chua uong | Dau an | Nuoc mam | Giay an | Khau trang | Pin AA | Tui nylon | Phi ship
""")
USERS = entries("info | sales | contact | hello | cskh | support | order | cs | admin")
SITES = entries("""
    minhchau | greencup | anbinhfoods | sunnymart | lotusbakery | q-mart | teahouse86 | starpizza | beepharma | vuonxanh
    kimlongbooks | ngonbakery | cityplaza | familyday | mekongmall
""")
ENDS = entries(".vn | .com | .com.vn | .vn | .net")
SIZES = entries(
    "450G | 1KG | 85ML*4 | 500ML | 1.5L | 330ml | 100g | 12S | T30 | x10 | 45G | 2KG | 80g T30 | 250GR | 1L | 10/12"
)
CARDS = entries("VISA | MASTER CARD | ATM | NAPAS | JCB | CREDIT CARD | VN PAY | MOMO | ZALOPAY | AMEX")


def mail(dice: Dice) -> str:
    """Make up an address of mail."""
    return f"{dice.pick(USERS)}@{dice.pick(SITES)}{dice.pick(ENDS)}"


def site(dice: Dice) -> str:
    """Make up the address of a page."""
    name = dice.pick(SITES)
    return (
        f"{dice.pick(('www.', '', 'http://', 'fb.com/'))}{name if dice.chance(0.7) else name.title()}{dice.pick(ENDS)}"
    )


def cashier(dice: Dice, name: str) -> str:
    """Write who served: a name, a number or both."""
    name = name or dice.pick(words.GIVEN)
    number = dice.digits(4)
    return dice.pick(
        (name, number, f"{number}_{name}", f"{name} {dice.integer(1, 9)}", f"{name.upper()}{dice.digits(2)}")
    )


def size(dice: Dice) -> str:
    """Write how much is in a packet."""
    return dice.pick(SIZES)


def member(dice: Dice) -> str:
    """Write about a customer's card and points."""
    return dice.pick(
        (
            f"Diem tich luy: {dice.integer(1, 9999)}",
            f"Mã thẻ Hội viên: {'x' * dice.integer(4, 12)}{dice.digits(4)}",
            f"Member ID: {dice.digits(10)}",
            f"Điểm thưởng {dice.pick(('1.000', '1,000', '10.000'))}đ = 1 điểm: {dice.integer(0, 300)}",
            f"POINT: {dice.integer(0, 999)}  BALANCE: {dice.integer(0, 9999)}",
            f"WIFI: {dice.pick(SITES)} / {dice.digits(8)}",
            f"Mật khẩu wifi là {dice.pick(SITES)}{dice.digits(2)}",
            f"Mã tra cứu: {dice.digits(14)}",
        )
    )


def card(dice: Dice) -> str:
    """Write about a payment by card."""
    return dice.pick(
        (
            f"{dice.pick(CARDS)} {'*' * dice.pick((4, 8, 12))}{dice.digits(4)}",
            f"[ {dice.pick(CARDS)} ]",
            f"APPR CODE: {dice.digits(6)}",
            f"{dice.pick(CARDS)}({dice.digits(6)})",
            f"TXN TIME {dates.date(dice)} {dates.time_of_day(dice)}",
            f"TERMINAL ID: {dice.digits(8)}",
            f"BATCH NO: {dice.digits(6)} TRACE: {dice.digits(6)}",
        )
    )


def phrase(dice: Dice) -> str:
    """String together a few short phrases, as notes below an item do."""
    return dice.pick((" ", ", ", " - ", " / ", " + ")).join(dice.pick(PHRASES) for _ in range(dice.integer(1, 3)))

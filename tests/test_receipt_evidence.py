"""Fields by evidence: whole receipts as text, and one test for each kind of sum, label, row and page."""

from __future__ import annotations

import random
import re

import pytest
from receipts_as_text import rows_of_text, text_receipts

from quantvietocr.receipt.extract import extract
from quantvietocr.receipt.items import bought_in
from quantvietocr.receipt.labels import label_before

HEAD = "TIỆM VẢI CÔ LÊ\nSố 9 Hàng Bồ, Hoàn Kiếm, Hà Nội\nHÓA ĐƠN BÁN LẺ\nNgày: 17/08/2021 09:40\n"


def found(text: str) -> dict[str, str]:
    """Values of the fields; a question mark behind one that is not sure."""
    return {field.name: f"{field.value}{'' if field.sure else '?'}" for field in extract(rows_of_text(text)).fields}


def total(text: str) -> str | None:
    return found(HEAD + text).get("total")


def bought(text: str) -> list[tuple]:
    return [(item.name, item.quantity, item.unit_price, item.price) for item, _ in bought_in(rows_of_text(HEAD + text))]


@pytest.mark.parametrize("receipt", text_receipts(), ids=lambda receipt: receipt.name)
def test_receipts_as_text(receipt):
    page = extract(receipt.rows)
    values = {field.name: f"{field.value}{'' if field.sure else '?'}" for field in page.fields}
    assert page.kind == receipt.truth["kind"]
    for name in {"shop", "address", "date", "total"} & set(receipt.truth):
        value, expected = values.get(name, ""), receipt.truth[name]
        assert (value if "T" in expected or name != "date" else re.sub(r"T[\d:]+", "", value)) == expected


# --- the total -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Lụa | 3 | 40.000 | 120.000\nTổng cộng: | 120.000\nThanh toán: | 200.000\nTiền thừa: | 80.000", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng: | 120.000\nĐã thanh toán: | 150.000\nTiền thối: | 30.000", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng tiền: | 120.000\nPhiếu quà tặng: | -20.000\nCòn lại: | 100.000", "100000"),
        ("Nỉ | 1 | 900.000 | 900.000\nTổng cộng: | 900.000\nTiền cọc: | 300.000\nCòn phải trả: | 600.000", "600000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng cộng: | 120.000\nChiết khấu: | -12.000\nTổng sau giảm: | 108.000", "108000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng tiền: | 120.000\nTổng nợ: | 820.000\nTổng công nợ: | 820.000", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng tiền: | 120.000\nTổng tiền giảm giá: | 8.000", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng cộng | 110.000\nTổng tiền tiết kiệm | 10.000", "110000"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng tiền: | 120.000\nTổng tiền thuế: | 8.889", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTạm tính | 120.000\nVoucher | -120.000\nTổng thanh toán: | 0đ", "0"),
        ("Lụa | 1 | 37,5k | 37,5k\nTổng: | 37,5k", "37500"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng SL: 3  Tổng tiền: 120.000", "120000"),
        ("Lụa | 3 | 40.000 | 120.000\nTỔNG CỘNG 120.000đ Tiền mặt 500.000đ", "120000"),
        ("Lụa\n3 x 40.000 | Thành tiền: 120.000\nNỉ\n1 x 50.000 | Thành tiền: 50.000\nKhách trả: | 170.000", "170000"),
        ("Phòng | 1 | 800.000 | 800.000\nTổng cộng: | 800.000 VND (tỷ giá 24.100)", "800000"),
        ("Tour | 2 | 60.00\nTotal: | $120.00", None),
        ("Lụa | 3 | 40.000 | 120.000\nCộng | 120.000\nLàm tròn | -400\nPhải trả | 119.600", "119600"),
        ("Áo | 1 | 91.300 | 91.300\nTiền hàng: | 83.000\nThuế: | 8.300\nT0ng tlen: | 91.300", "91300"),
        ("Lụa | 3 | 40.000 | 120.000\nTổng | 120.000\nĐiểm tích lũy: | 12.000\nTổng điểm: | 340.000", "120000"),
    ],
)
def test_the_total_by_labels_and_sums(text, expected):
    assert total(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Lụa | 3 | 40.000 | 120.000\nTổng cộng: | 740.000", "740000?"),  # the items do not add up to it
        (
            "Lụa | 3 | 40.000\nTổng cộng: | 120.000\nTiền mặt: | 500.000\nTiền thừa: | 300.000",
            "120000?",
        ),  # nor the change
        ("Tổng cộng: | 120.000\nBằng chữ: Hai trăm nghìn đồng", "120000?"),
        ("Tổng tiền: | 120.000\nTổng thanh toán: 1.I0", "120000?"),  # what is to be paid was not read
        ("Tiền mặt | 500.000\nTiền thừa | 120.000", None),
    ],
)
def test_a_total_against_the_evidence_is_unsure_or_absent(text, expected):
    assert total(text) == expected


def test_a_misread_total_is_corrected_where_two_sums_agree():
    text = "Lụa | 3 | 40.000 | 120.000\nNỉ | 1 | 50.000 | 50.000\nTổng cộng: | 770.000\n"
    assert total(text + "Tiền khách đưa: | 200.000\nTiền thừa: | 30.000") == "170000"
    assert total(text + "Bằng chữ: Một trăm bảy mươi nghìn đồng chẵn") == "170000"


@pytest.mark.parametrize("label", ["PAYMENT", "Total", "TIEN THANH TOAN", "Balance due", "Tong cong", "Tổng phải trả"])
def test_labels_with_a_letter_misread_still_announce_a_sum(label):
    dice = random.Random(label)
    for _ in range(10):
        place = dice.choice([index for index, char in enumerate(label) if char.isalpha()])
        misread = label[:place] + dice.choice("xwz") + label[place + 1 :]
        assert label_before(misread).role in ("payable", "total"), misread


@pytest.mark.parametrize(
    "label, role",
    [
        ("TIEN MAT", "cash"),
        ("CASH", "cash"),
        ("CHANGE", "change"),
        ("Charge", "fee"),
        ("Tiền còn dư:", "change"),
        ("Thẻ VISA", "card"),
        ("Tong tien chua thue:", "subtotal"),
        ("Tổng tiền có thuế:", "total"),
        ("Thuế GTGT (8%)", "tax"),
        ("Tổng SL: 5 Tổng tiền:", "total"),
        ("Tổng điểm", "points"),
        ("T0NG C0NG", "total"),
        ("Cà phê sữa đá", ""),
        ("Tổng công ty Điện lực", ""),
        ("Tiền điện", ""),
        ("Tiền nhà", ""),
        ("Tiền mạng", ""),
        ("Tiền học", ""),
        ("Tương ớt", ""),
        ("Thuế đất", ""),
        ("Tiền lhừa", "change"),
    ],
)
def test_what_an_amount_is_by_its_label(label, role):
    assert label_before(label).role == role


# --- items -----------------------------------------------------------------------------------------------------------


def test_items_with_columns_of_tax_and_discount():
    text = "Tên hàng | SL | Đơn giá | VAT | Thành tiền\nLụa | 3 | 40.000 | 8% | 120.000\nNỉ | 1 | 50.000 | KCT | 50.000"
    assert bought(text) == [("Lụa", 3, 40_000, 120_000), ("Nỉ", 1, 50_000, 50_000)]
    text = (
        "Tên hàng | SL | Đơn giá | CK | Thành tiền\nLụa | 3 | 40.000 | 20% | 96.000\nNỉ | 2 | 50.000 | 4.000 | 96.000"
    )
    assert bought(text) == [("Lụa", 3, 40_000, 96_000), ("Nỉ", 2, 50_000, 96_000)]


def test_gifts_weights_and_thousands_of_pieces():
    text = "Tên hàng | SL | Đơn giá | T.Tiền\nKim (quà tặng) | 2 | 0 | 0\nChỉ | 1.500 | 2.000 | 3.000.000"
    assert bought(text) == [("Kim (quà tặng)", 2, 0, 0), ("Chỉ", 1500, 2_000, 3_000_000)]
    text = "Bông 64.000/KG x 0,250 KG\n2600123004 | 16.000 | 1 | 16.000\nLen | 0,535 kg | 120.000 | 64.200"
    assert bought(text) == [("Bông 64.000/KG x 0,250 KG", 1, 16_000, 16_000), ("Len", 0.535, 120_000, 64_200)]


def test_sums_of_groups_taxes_and_payments_are_no_items():
    text = (
        "Tên hàng | SL | Đơn giá | T.Tiền\nLụa | 3 | 40.000 | 120.000\nCộng vải: | 120.000\nKim | 1 | 5.000 | 5.000\n"
    )
    items = [("Lụa", 3, 40_000, 120_000), ("Kim", 1, 5_000, 5_000)]
    assert bought(text + "Tổng cộng | 125.000") == items
    assert bought(text + "TUTAL | 125.000\nTien mat | 200.000") == items


def test_goods_that_only_marks_tell_from_a_label_are_items():
    text = "Nhãn | 90.000\nGiấm | 15.000\nDiêm | 2.000\n"
    items = [("Nhãn", 1, None, 90_000), ("Giấm", 1, None, 15_000), ("Diêm", 1, None, 2_000)]
    assert bought(text + "Tổng cộng | 107.000") == items
    assert bought("Lụa | 9.000\nNhận | 20.000") == [("Lụa", 1, None, 9_000)]


def test_what_is_charged_is_an_item_and_a_fee_is_none():
    text = "Tiền điện | 350.000\nTiền mạng | 150.000\nTiền cước | 20.000\nPhi | 1.100\nFee | 2.200"
    assert [name for name, *_ in bought(text)] == ["Tiền điện", "Tiền mạng", "Tiền cước"]


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, date",
    [
        ("Ngày: 05/07/2021", "2021-07-05"),
        ("Ngày: 07/25/2021", "2021-07-25"),
        ("HSD: 01/01/2030\nNgày sinh: 02/02/1990\nNgày: 05/07/2021", "2021-07-05"),
        ("03/02/2021\nNgày bán: 05/07/2021", "2021-07-05"),
        ("Hạn sử dụng\n01/01/2030", None),
        ("Date: 05/07/2021\nValid until 12/31/2021", "2021-05-07"),  # the other date shows the order
        ("Bill 20210507-003\nDate: 05/07/2021", "2021-05-07"),
        ("Ngày: 5/7/2021", "2021-07-05"),
        ("Ngày: 20210705", "2021-07-05"),
        ("Ngày 5/7/2021 | Ngày 6/8/2021", "2021-07-05"),
        ("Giờ vào: 18g30 | Ngày: 05/07/2021 | Giờ ra: 19g10", "2021-07-05T19:10"),
    ],
)
def test_the_date_of_a_page(text, date):
    assert found(f"QUÁN HOA MAI\nHÓA ĐƠN\n{text}\nTổng cộng: 50.000").get("date") == date


def test_dates_without_zeros_beside_commas_are_american_but_unsure():
    page = "MARKET OF MAI\nRECEIPT\nDate: 5/7/2021 6:14:48 PM\nTea | 1 | 12,000 | 12,000\nTotal | 12,000"
    assert found(page)["date"] == "2021-05-07T18:14:48?"
    assert found(page.replace(",", "."))["date"] == "2021-07-05T18:14:48"


# --- shop, address, kind of page -------------------------------------------------------------------------------------


def test_a_shop_below_marks_of_a_logo_and_above_its_slogan():
    text = "*~ (=\n# XƯỞNG GỐM MINH\nChất lượng cho mọi nhà\nĐC: 3 Bát Tràng, Gia Lâm, Hà Nội\nHÓA ĐƠN\nTổng: 90.000"
    assert (found(text)["shop"], found(text)["address"]) == ("XƯỞNG GỐM MINH", "3 Bát Tràng, Gia Lâm, Hà Nội")


def test_the_customer_is_not_the_shop():
    text = "XƯỞNG GỐM MINH\nHÓA ĐƠN\nKhách hàng: Chị Lan\nĐịa chỉ: 5 Lê Lợi, TP. Huế\nTổng: 90.000"
    assert found(text)["shop"] == "XƯỞNG GỐM MINH" and "address" not in found(text)


@pytest.mark.parametrize(
    "text, kind",
    [
        ("", "page"),
        ("Kính gửi: Ông Bình\nTôi xin báo giá thuê nhà là 5.000.000 đồng một tháng, trả vào đầu tháng.", "page"),
        ("BẢNG GIÁ\nCắt tóc | 80.000\nGội đầu | 50.000", "page"),
        ("Quán Mộc\nBill 12\nTrà | 1 | 20.000 | 20.000\nTổng | 20.000", "receipt"),
        ("CTY MỘC\nHÓA ĐƠN GIÁ TRỊ GIA TĂNG\nGỗ | 1 | 20.000 | 20.000\nTổng cộng tiền thanh toán: 20.000", "invoice"),
    ],
)
def test_the_kind_of_a_page(text, kind):
    page = extract(rows_of_text(text))
    assert page.kind == kind and (kind != "page" or (page.fields, page.items) == ((), ()))

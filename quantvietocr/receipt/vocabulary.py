"""The words that receipts print beside their amounts, without marks: labels, titles, headings of columns."""

from __future__ import annotations

from typing import Literal

from ..common.wordlists import entries

Role = Literal[
    "payable",
    "total",
    "unclear",
    "subtotal",
    "tax",
    "fee",
    "discount",
    "deposit",
    "rounding",
    "cash",
    "card",
    "change",
    "points",
    "count",
    "debt",
    "rate",
    "about",
    "",
]

# What the amount behind a label is. `payable` is what is to be paid, `unclear` a sum of some sort, `fee` comes on top,
# `deposit` was paid before, `card` is paid exactly, `cash` is what was handed over; `about` says something about the
# receipt.
LABELS: dict[Role, tuple[str, ...]] = {
    "payable": entries(
        """
        tong tien thanh toan | tong thanh toan | tong cong thanh toan | tong so tien thanh toan | so tien thanh toan
        tong gia tri thanh toan | tien thanh toan | can thanh toan | phai thanh toan | thanh toan | tong tt
        tong tien phai tra | tong phai tra | khach phai tra | khach can tra | phai tra | con phai thu | phai thu
        tong phai thu | grand total | total due | amount due | tong tien phai thanh toan | tong cong phai tra
        tong tien phai t toan | tong tien t toan | phai t toan | tong t toan | t toan | tong so tien phai thanh toan
        con phai thanh toan | con phai tra | con lai phai tra | con lai phai thanh toan | con lai phai thu
        so tien phai tra | so tien can thanh toan | so tien phai thanh toan | khach hang phai tra
        quy khach can tra | khach can thanh toan | khach phai thanh toan | balance due | amount payable
        net payable | total payable | total to pay | to pay | please pay | net total | net amount | net due
        bill total | payment | payment due | total payment | tong sau giam | tong sau giam gia | tong tien sau giam
        tong tien sau giam gia | thanh tien sau giam | thanh tien sau giam gia | tong cong sau giam
        tong tien sau chiet khau | tra thuc | tong sau chiet khau | thuc thu | thuc tra | tong thuc thu
        tong cong tien thanh toan | tong tien tt | tong cong tien phai tra | tong cong tien tt | tong gia tri tt
        total amount due | tong gia thanh toan | tong cuoc | cuoc phi | tong tien phai thu | balance to pay
        tien phai tra | tong hoa don thanh toan | payable | total payment due | balance in vnd | total in vnd
        amount in vnd
    """
    ),
    "total": entries(
        """
        tong cong | tong tien | tong so tien | tong cong tien | cong tien | thanh tien | t tien | t cong | tong
        tong hoa don | tong don hang | cong | total | total amount | t cong tien | cong tong | tong bill
        tong gia tri | tong so | tong gia tri hoa don | tong tien hoa don | tong cong hoa don | sum total
        total vnd | tong don | tong tien don hang | tong gia tri don hang | tong cong sau thue | tong tien sau thue
        tong cong tien sau thue | tong tien co thue | tong sau thue | tong tien da bao gom thue | total incl vat
        total inc vat | total including vat | total with vat | total sales | bill amount | tong thanh tien
        tong tien da co thue | tong tien gom thue | tong cong bao gom thue | cong tien thanh toan | so tien | gia ve
        so tien giao dich | so tien gd | so tien rut | withdrawal | cash withdrawal
        withdrawal amount | so tien thu | muc thu | tong chi phi | tong phi | tong vien phi
    """
    ),
    "unclear": entries(
        """
        con lai | amount | gia tri | tien phong | don gia tong | tien | balance | gia tien | tien xe | phi gui xe
        gia dich vu | le phi | phi | transaction amount | total price | price | so tien chuyen | cong nhom
        tien thu ho | so tien thu ho | thu ho | cod | tien cod
        tong nhom | doanh thu | purchase | sale | menh gia | so tien con lai
    """
    ),
    "subtotal": entries("""
        tong tien hang | tien hang | cong tien hang | tong cong tien hang | tam tinh | tong tam tinh | subtotal
        sub total | tong chua thue | tong truoc thue | tong chua vat | tien truoc thue | tong tien chua thue
        tong tien truoc thue | tong cong chua thue | cong tien hang hoa | tong tien hang hoa | tong tien dich vu
        cong tien hang hoa dich vu | cong tien ban hang | total before tax | total before vat | tong truoc giam
        tong tien truoc giam | tong truoc giam gia | tong tien truoc giam gia
        tong gia goc | net sales | items total
        tien chua thue | tien hang chua thue | total excl vat | total excluding vat | tong cong truoc giam
        doanh thu chua thue | doanh so | gia chua thue | tong cong truoc thue
    """),
    "tax": entries("""
        thue | trong do thue | da gom thue | thue gtgt | thue vat | vat | tong thue | tien thue | tien thue gtgt
        tong tien thue | tax | tax amount | total tax
        total vat | vat amount | thue suat | thue suat gtgt | vat incl
        including vat | incl vat | trong do vat | gom vat
        service tax | thue ttdb | cong thue gtgt | tong thue gtgt
    """),
    "fee": entries("""
        phi dich vu | phi phuc vu | phi giao hang | phi ship | phu thu | tien tip | service charge | service fee | fee
        service | svc charge | delivery fee | shipping | shipping fee | tip | phi van chuyen | tien ship | surcharge
        phi dong goi | phi bao bi | phi mang ve | phi bao ve moi truong | phi moi truong | extra charge | charge
        thue moi truong | phi bvmt
    """),
    "discount": entries("""
        giam gia | giam | chiet khau | khuyen mai | tong giam gia | tong chiet khau | tong khuyen mai | voucher
        ma giam gia | tong giam | tien giam | tien giam gia
        tong tien giam | tong tien giam gia | discount | ck | km
        total discount | tiet kiem | tong tiet kiem | tong tien tiet kiem | ban tiet kiem duoc | tong tien da giam
        promotion | coupon | uu dai | giam tru | duoc giam | so tien giam | phieu giam gia | phieu qua tang | saving
        savings | you saved | rebate | tong ck | tong km | giam gia thanh vien | member discount | tien chiet khau
        da giam | giam voucher | tien ck | tong tien ck | tong tien km | gift voucher
    """),
    "deposit": entries("""
        dat coc | tien coc | tien dat coc | da coc | coc | tra truoc | da tra truoc | tam ung | da tam ung | deposit
        advance | prepaid | paid in advance | coc truoc | thanh toan truoc | da thanh toan truoc | tien tam ung
    """),
    "rounding": entries("lam tron | rounding | round | rounding adjustment | tien le | tien lam tron"),
    "cash": entries(
        """
        tien khach dua | khach dua | khach tra | khach thanh toan | tien khach tra | tien nhan | tien mat | nhan
        khach hang dua | thanh toan tien mat | cash | khach hang tra | da thanh toan | da tra | da nhan
        cash tendered | tendered | cash received | received | paid | amount paid | total paid | tien khach
        khach tra tien mat | tien mat khach dua | khach hang thanh toan | tong khach dua | tien dua | t mat
        tong tien khach dua | khach dua tien | cash payment | cash vnd | tien mat vnd | tien khach thanh toan
        tien nhan cua khach | tong tien khach tra | so tien khach dua | so tien nhan
    """
    ),
    "card": entries("""
        thanh toan the | the | the atm | chuyen khoan
        the tin dung | the visa | the ngan hang | vi momo | vi dien tu
        quet ma qr | ma qr | visa | mastercard | master card | momo
        zalopay | zalo pay | vnpay | vnpay qr | card | qr
        credit card | debit card | bank transfer
        thanh toan chuyen khoan | thanh toan vi | thanh toan qr | ck ngan hang
        e wallet | grabpay | moca | shopeepay | viettelpay
        napas | jcb | the napas | bank card | ttoan the | quet the
        tien chuyen khoan | thanh toan qua the | tien the
    """),
    "change": entries("""
        tien thua | tien thoi | tien thoi lai | thoi lai | tien tra lai | tra lai | tra lai khach | tien tra khach
        change | tien du | tien con du | tien thua tra khach | tien thua lai | thoi tien | tra khach | change due
        tien thoi khach | thoi lai khach | tra tien thua | tien thua khach | con thua | thua | your change
        tra lai tien mat | tien tra lai khach | tra lai tien thua | cash change | hoan lai | tien hoan lai
    """),
    "points": entries("""
        diem | tong diem | diem tich luy | diem thuong | tich diem | points | point | diem hien tai | so diem
        diem con lai | diem cong | tong cong diem | tong diem tich luy | diem tich | bonus points | loyalty points
        total points | diem su dung | tich luy
    """),
    "count": entries("""
        tong so luong | tong sl | so luong | sl | so mon | tong so mon | tong mon | tong so mat hang | tong mat hang
        tong so san pham | total items | total item | total qty
        total qtys | total quantity | items | qty | quantity
        tong san pham | tong sp | so mat hang | so khach | no of items | item count | tong cong sl | tong so sp
        tong luong | so kg | so lit | tong so lit | tong cong so luong
    """),
    "debt": entries("""
        du no | con no | tong no | tong cong no | cong no
        no cu | no truoc | no dau ky | no cuoi ky | du dau | du cuoi
        so du | so du kha dung | available balance | no hien tai | no phai thu | cong no hien tai | tong du no
        balance after | so du sau giao dich | so du cuoi | outstanding | no con lai | du no hien tai | tien no cu
        so du tai khoan
    """),
    "rate": entries("ty gia | ti gia | exchange rate | rate | fx rate | ex rate | quy doi ty gia"),
    "about": entries("""
        ngay | ngay ban | ngay in | ngay lap | gio | gio vao | gio ra | thoi gian | date | time | so hd | so hoa don
        so phieu | so ct | ma hd | ma hoa don | ma don | hd so | so | so bill | bill no | hoa don so | ban
        ban so | khu vuc | thu ngan | nhan vien | nv | tn | ca | quay | may | khach hang | khach | kh
        ten khach hang | ho ten | ho ten khach hang | hinh thuc thanh toan | bang chu | so tien bang chu
        so tien viet bang chu | mst | ma so thue | dt | dien thoai | sdt | tel | phone | hotline | fax | email
        website | web | www | wifi | pass wifi | facebook | fb | zalo | mau so | ky hieu | so serial | serial | pos
        cashier | nguoi ban | nguoi mua | nguoi mua hang | nguoi ban hang | nguoi lap | nguoi lap phieu
        mat khau wifi | in luc | so the | stk | hsd | tax code | vat code | vat no | phuong thuc thanh toan | pttt
        so tai khoan | tai khoan | ma giao dich | so tham chieu | bill
        receipt no | order no | table | server | luc
        invoice no | check no | order | guest | guests | room | room no | so phong | bien so | bien so xe | ma so
        ma khach hang | ma kh | ma so kh | ma ve | so ve | ma tra cuu | so lien | trang | page | ma the | id
        payment method | thanh toan bang | payment type | arrival | departure | check in | check out | so lan in
        ma don hang | so don hang | so dien thoai | web site
        hotline cskh | tong dai | so giao dich | nhan vien ban hang
        giao dich vien | ke toan | thu quy | nguoi thu | nguoi thu tien | nguoi nop | nguoi nop tien
        ngay thanh toan | thu ngan so | vao luc | ra luc | exp | ma cua hang
    """),
}
TITLES = entries("""
    hoa don | phieu tinh tien | phieu thanh toan | phieu ban le | phieu thu | phieu xuat kho | phieu giao hang
    phieu | bien lai | bien nhan | don hang | bill | receipt | invoice | tax invoice | hoa don ban le
    hoa don ban hang | hoa don gia tri gia tang | hoa don thanh toan | hoa don tam tinh | phieu tam tinh
    hoa don tinh tien | vat invoice | sales receipt | cash receipt | guest check | sales invoice | don dat hang
    phieu dat hang | bang ke | ve gui xe | ve xe | uy nhiem chi | giay bao | thong bao tien | thong bao cuoc
    phieu chi | pro forma | ve luot | ve thang | ve tham quan | ve vao cua | ve vao cong | ve cau duong | ve tau
    ticket | giao dich thanh cong | chuyen tien thanh cong | thanh toan thanh cong | ve may bay | ve ve sinh
    guest folio | folio
""")
# Words that make a short row a title wherever they stand: `Booking receipt`.
TITLE_WORDS = entries("hoa don | bien lai | bien nhan | receipt | invoice | phieu thu | phieu thanh toan")
THANKS = entries("""
    cam on | xin cam on | chan thanh cam on | hen gap lai | thank you | thanks | tran trong | kinh chao | kinh chuc
    quy khach
""")
COLUMNS = (
    entries("""
        ten hang | mat hang | san pham | dien giai | ten mon | hang hoa | ten sp | ten san pham | mon | ten
        noi dung | item | item name | description | ten thuoc | dich vu | ten hang hoa | ten dich vu
    """),
    ("sl", "so luong", "s luong", "qty", "quantity"),
    ("don gia", "d gia", "dgia", "gia", "gia ban", "price", "unit price"),
    ("thanh tien", "t tien", "tien", "t gia", "amount", "total"),
)

"""What shops are called, sell and print: plain data, written for this project. Names and prices are made up."""

from __future__ import annotations

from ...common.wordlists import entries

# Kind of shop → what it sells: name, then lowest-highest price of one in 1,000 đồng. What is sold by weight has a `~`
# before its name and a price per kg.
GOODS = {
    "cafe": """Cà phê đen đá 15-32|Cà phê sữa đá 18-39|Bạc xỉu 22-45|Cà phê trứng 35-55|Cà phê cốt dừa 39-59
        |Trà đào cam sả 35-59|Trà vải hoa hồng 39-59|Trà sữa trân châu đường đen 35-62|Hồng trà sữa 29-49
        |Lục trà chanh dây 32-52|Sinh tố bơ 39-65|Nước ép ổi 32-49|Nước ép dưa hấu 32-49|Sữa chua nếp cẩm 25-42
        |Sữa chua đánh đá 25-39|Matcha đá xay 45-69|Sô cô la nóng 39-59|Soda chanh 25-42|Bánh flan 12-25
        |Bánh tiramisu 35-55|Bánh sừng bò bơ 22-39|Hướng dương 10-20|Thêm trân châu 5-10|Thêm thạch củ năng 5-10
        |Upsize ly lớn 6-12|Cà phê sữa đá (ít đường, không kem) 22-42|Trà ô long sen vàng kem phô mai size L 49-72""",
    "restaurant": """Phở bò tái 45-75|Phở bò đặc biệt 65-95|Bún chả Hà Nội 45-70|Bún bò Huế 45-75
        |Bún đậu mắm tôm 45-89|Cơm tấm sườn bì chả 45-75|Cơm gà xối mỡ 42-65|Cơm chiên dương châu 49-79
        |Mì xào hải sản 65-110|Bánh xèo tôm thịt 45-85|Gỏi cuốn (2 cuốn) 18-35|Chả giò rế 45-75
        |Nem nướng Nha Trang 59-95|Lẩu Thái hải sản 249-399|Lẩu gà lá é 259-389|Cá lóc kho tộ 95-159
        |Canh chua cá bông lau 89-149|Rau muống xào tỏi 35-59|Đậu hũ chiên sả 35-59|Ếch chiên nước mắm 89-139
        |Bò lúc lắc khoai tây 119-189|Gà nướng muối ớt (nửa con) 159-239|Mực một nắng nướng sa tế 169-259
        |Cơm trắng 5-15|Trà đá 3-8|Khăn lạnh 2-5|Bia lon 330ml 18-32|Nước suối 500ml 8-18
        |Bánh tráng cuốn thịt heo hai đầu da 89-159|Combo 4 người: lẩu, gỏi, nước ngọt 499-799""",
    "mart": """Gạo thơm ST25 túi 5kg 165-219|Nước mắm cá cơm 40 độ đạm chai 500ml 45-95|Dầu ăn đậu nành 1L 45-68
        |Đường trắng tinh luyện 1kg 22-32|Muối i-ốt 500g 4-9|Bột ngọt 454g 32-45|Hạt nêm thịt thăn 400g 35-52
        |Mì gói tôm chua cay 4-6|Phở ăn liền vị bò 7-12|Sữa tươi tiệt trùng có đường 180ml x4 28-38
        |Sữa đặc có đường 380g 22-29|Sữa chua ăn nha đam (lốc 4 hộp) 24-34|Trứng gà (vỉ 10) 26-39
        |Xúc xích tiệt trùng 35g x5 18-27|Đậu hũ non 300g 9-16|Nước rửa chén hương chanh 750g 24-38
        |Bột giặt 3kg 95-145|Nước xả vải túi 1,6L 72-119|Giấy vệ sinh 10 cuộn 2 lớp 55-92|Khăn giấy rút 180 tờ 14-25
        |Kem đánh răng 180g 25-42|Bàn chải lông mềm 15-32|Dầu gội sạch gàu 650g 105-169|Pin AA (vỉ 2 viên) 12-22
        |Túi ni lông tự hủy 1-3|Bánh quy bơ hộp 400g 52-89|Kẹo dừa Bến Tre 25-45|Snack khoai tây vị tự nhiên 10-18
        |~Thịt heo ba chỉ rút sườn 129-189|~Cá basa phi lê 79-119|~Ức gà không xương 75-105|~Xoài cát Hòa Lộc 55-89
        |~Bưởi da xanh 45-69|~Cải thảo 18-29|~Cà chua 19-35|~Ổi lê Đài Loan 18-32|~Thanh long ruột đỏ 22-42
        |~Tôm thẻ tươi 165-249""",
    "pharmacy": """Thuốc ho bổ phế chai 125ml 32-55|Viên sủi vitamin C 1000mg 35-62
        |Khẩu trang y tế 4 lớp (hộp 50) 29-59|Nước muối sinh lý 0,9% 500ml 8-15|Băng cá nhân hộp 20 miếng 12-25
        |Dầu gió xanh 12ml 22-38|Cao dán giảm đau (gói 5) 18-32|Nhiệt kế điện tử 65-129|Bông y tế 25g 8-14
        |Siro ăn ngon cho bé 75-139|Men vi sinh dạng ống 5-9|Oresol hương cam 2-5|Kẽm gluconat 70mg 45-85
        |Canxi D3 hộp 60 viên 125-219|Cồn 70 độ chai 500ml 22-38|Gạc tiệt trùng 10 miếng 9-16|Que thử nhanh 35-75
        |Nước súc miệng 250ml 45-79""",
    "books": """Vở 96 trang kẻ ngang 8-14|Vở ô ly 48 trang 5-9|Bút bi xanh 0,5mm 3-7|Bút chì 2B 3-6
        |Bút dạ quang màu vàng 9-16|Thước kẻ 20cm 4-8|Hộp bút vải 2 ngăn 35-69|Giấy in A4 định lượng 70 (ram) 62-89
        |Bìa còng 7cm 28-45|Kéo văn phòng 15-32|Băng keo trong 5cm 9-18|Tập bản đồ Địa lí lớp 9 22-35
        |Truyện cổ tích Việt Nam chọn lọc 45-89|Sách tô màu cho bé 15-32|Máy tính cầm tay 289-659|Hồ dán khô 8-16
        |Kẹp bướm 25mm (hộp 12) 12-22|Giấy ghi chú 3x3 9-18|Từ điển Anh - Việt bỏ túi 55-119""",
    "hardware": """Bóng đèn LED 9W 32-55|Ổ cắm điện 4 lỗ dây 3m 89-159|Dây điện đôi 2x1,5 (mét) 9-15|Băng tan 5-10
        |Ống nhựa PVC phi 27 (cây 4m) 38-59|Keo dán ống 100g 15-28|Sơn nước nội thất 5L màu trắng ngà 425-689
        |Cọ quét sơn 5cm 12-22|Đinh 5cm (500g) 18-29|Khóa cửa tay gạt 189-359|Vòi sen tăng áp 95-189
        |Kìm đa năng 8 inch 79-145|Búa đinh cán gỗ 65-109|Tua vít 2 đầu 25-45|Xi măng trắng 1kg 9-15
        |Thước dây 5m 32-59|Bản lề inox 10cm (cặp) 22-38|Công lắp đặt tại nhà 100-250""",
    "fashion": """Áo thun nữ cổ tròn size M 99-199|Áo sơ mi nam dài tay size L 189-359|Quần jean ống đứng 259-459
        |Chân váy chữ A 159-289|Đầm hoa nhí tay phồng 229-399|Áo khoác gió 2 lớp 249-499|Tất cổ ngắn (3 đôi) 39-69
        |Nón lưỡi trai 69-139|Dép quai ngang 89-159|Giày thể thao đế êm số 39 299-599|Thắt lưng da bò 149-299
        |Túi vải đeo chéo 79-169|Khăn choàng lụa 99-219|Phí sửa lai quần 20-40""",
}
# Kind of shop → what stands before its name; the name is one of NAMES, or two syllables of LUCKY.
SHOPS = {
    "cafe": "Cà Phê|Tiệm Cà Phê|Trà Sữa|Quán Nước|The Coffee Corner|Tiệm Trà|Góc Cà Phê",
    "restaurant": "Nhà Hàng|Quán Ăn|Quán Cơm|Phở|Bếp Nhà|Lẩu Nướng|Ẩm Thực",
    "mart": "Siêu Thị Mini|Cửa Hàng Tiện Lợi|Tạp Hóa|Bách Hóa|Thực Phẩm Sạch|Chợ Nhỏ",
    "pharmacy": "Nhà Thuốc|Quầy Thuốc|Hiệu Thuốc|Nhà Thuốc Tây",
    "books": "Nhà Sách|Văn Phòng Phẩm|Hiệu Sách|Sách & Thiết Bị",
    "hardware": "Cửa Hàng Điện Nước|Vật Liệu Xây Dựng|Điện Máy|Cửa Hàng Kim Khí",
    "fashion": "Thời Trang|Shop Quần Áo|Cửa Hàng Giày Dép|Boutique",
}
NAMES = entries("""
    Mây Chiều | Lúa Vàng | Ngõ Nhỏ | Bình Minh | Gió Biển | Hoa Sữa | Sen Hồng | Cây Đa | Phố Cũ | Quê Nhà
    Hương Đồng | Trăng Khuyết | Bến Xưa | Nắng Sớm | Đồi Thông | Sông Xanh | Vườn Ổi | Mái Lá | Ánh Dương | Hạt Nhỏ
    Bốn Mùa | Tre Xanh | Ban Mai | Kỷ Niệm | Hải Âu | Rừng Thông
""")
LUCKY = entries("""
    An | Bình | Cát | Đại | Gia | Hưng | Khang | Lộc | Minh | Ngọc | Phát | Phú | Quý | Tâm | Tấn | Thành | Thịnh
    Thuận | Tín | Vượng | Đức | Hòa
""")
TITLES = entries("""
    HÓA ĐƠN BÁN HÀNG | HÓA ĐƠN THANH TOÁN | PHIẾU THANH TOÁN | HÓA ĐƠN BÁN LẺ | PHIẾU TÍNH TIỀN | Hóa đơn bán hàng
    BIÊN LAI | HÓA ĐƠN
""")
THANKS = [
    "Xin cảm ơn quý khách!",
    "Cảm ơn và hẹn gặp lại!",
    "Cảm ơn quý khách đã mua hàng",
    "Xin cảm ơn - Hẹn gặp lại",
    "THANK YOU!",
    "CẢM ƠN QUÝ KHÁCH. HẸN GẶP LẠI!",
    "Kính chúc quý khách một ngày tốt lành",
]
NOTES = entries("""
    Hàng mua rồi miễn đổi trả | Giá đã bao gồm thuế GTGT
    Quý khách vui lòng kiểm tra lại hàng và tiền thừa trước khi rời quầy | Đổi hàng trong vòng 07 ngày kèm hóa đơn
    Phiếu này không có giá trị xuất hóa đơn GTGT | Chỉ xuất hóa đơn trong ngày
    Mọi góp ý xin gọi số điện thoại trên | Bản in lại | Giữ hóa đơn để tích điểm thành viên
    Quét mã để nhận ưu đãi cho lần sau | Mật khẩu wifi: 88888888 | Giao hàng miễn phí cho đơn từ 200.000đ
""")
SLOGANS = [
    "Ngon từ tâm",
    "Từ 1998",
    "Chi nhánh 2",
    "Sạch - Ngon - Rẻ",
    "Chất lượng là danh dự",
    "Since 2005",
    "Mở cửa 6h - 22h",
]
UNITS = {
    "mart": "gói hộp chai cái túi",
    "pharmacy": "hộp vỉ chai gói",
    "books": "quyển cây cái hộp",
    "hardware": "cái bộ cây mét",
    "fashion": "cái chiếc đôi",
    "cafe": "ly phần",
    "restaurant": "phần đĩa tô",
}

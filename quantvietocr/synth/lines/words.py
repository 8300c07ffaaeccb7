"""Word lists of the embedded source: plain data, written for this project."""

from __future__ import annotations

from ...common.wordlists import entries

SURNAMES = entries("""
    Nguyễn | Trần | Lê | Phạm | Hoàng | Huỳnh | Phan | Vũ | Võ | Đặng | Bùi | Đỗ | Hồ | Ngô | Dương | Lý | Đinh
    Đoàn | Trịnh | Mai | Đào | Tạ | Lương | Hà | Tô | Châu | Cao | Thái | Quách | Lưu | Tăng | Triệu | Vương | Nông
    Giáp | Khổng | Chử | Ninh | Kiều | Nghiêm | Ông | Ứng | Ưng
""")
MIDDLE = entries("""
    Văn | Thị | Hữu | Đức | Thành | Minh | Quốc | Ngọc | Thanh | Xuân | Kim | Đình | Công | Gia | Bảo | Hoài | Nhật
    Khánh | Thùy | Diệu | Mỹ | Tuấn
""")
GIVEN = entries("""
    An | Anh | Ánh | Bình | Chi | Cường | Dũng | Dung | Duy | Đạt | Giang | Hạnh | Hằng | Hiền | Hiếu | Hòa | Huệ
    Huy | Hương | Khoa | Lan | Linh | Loan | Long | Ly | Mạnh | Nga | Ngân | Nghĩa | Nhung | Oanh | Phong | Phúc
    Phương | Quân | Quyên | Quỳnh | Sơn | Tâm | Thảo | Thắng | Thủy | Thúy | Tiến | Trang | Trí | Trung | Tú | Tuyết
    Uyên | Vân | Việt | Vinh | Vy | Yến | Ý | Ẩn | Ước | Ơn
""")
PLACES = entries("""
    Hà Nội | Hải Phòng | Đà Nẵng | Cần Thơ | TP. Hồ Chí Minh | Huế | Bắc Ninh | Cà Mau | Đắk Lắk | Điện Biên
    Đồng Nai | Đồng Tháp | Gia Lai | Hà Tĩnh | Hưng Yên | Khánh Hòa | Lai Châu | Lạng Sơn | Lào Cai | Lâm Đồng
    Nghệ An | Ninh Bình | Phú Thọ | Quảng Ngãi | Quảng Ninh | Quảng Trị | Sơn La | Tây Ninh | Thái Nguyên
    Thanh Hóa | Tuyên Quang | Vĩnh Long | An Giang | Cao Bằng | Bạc Liêu | Bến Tre | Bình Dương | Kiên Giang
    Thừa Thiên Huế | Bà Rịa - Vũng Tàu | Yên Bái | Vĩnh Phúc | Hậu Giang | Sóc Trăng
""")
AREAS = entries("""
    Phú Mỹ | Tân Bình | Hòa Thạnh | Ba Đình | Đống Đa | Cẩm Lệ | Thủ Đức | Ninh Kiều | Long Biên | Gò Vấp
    Bình Thạnh | Ngũ Hành Sơn | Hoàn Kiếm | Thanh Xuân | Phước Long | Trường Thọ | Vĩnh Hải | Xuân Hòa | Yên Nghĩa
    Đông Ngạc | Mỹ Đình | Nghĩa Tân | An Khánh | Quỳnh Lưu | Kỳ Anh | Đức Thọ | Ea Súp | Krông Pắc | Ứng Hòa
    Sầm Sơn | Thạch Thất | Chương Mỹ | Hiệp Hòa | Bảo Lộc
""")
STREETS = entries("""
    Lê Lợi | Trần Hưng Đạo | Nguyễn Huệ | Hai Bà Trưng | Điện Biên Phủ | Cách Mạng Tháng Tám | Lý Thường Kiệt
    Quang Trung | Nguyễn Thị Minh Khai | Phan Đình Phùng | Võ Văn Kiệt | Phạm Văn Đồng | Hoàng Hoa Thám
    Nguyễn Trãi | 30 Tháng 4 | Tôn Đức Thắng | Bạch Đằng | Hùng Vương | Ngô Quyền | Xô Viết Nghệ Tĩnh | Đường số 7
    Quốc lộ 1A | Tỉnh lộ 10 | Láng Hạ
""")
GOODS = entries("""
    Cà phê sữa đá | Bạc xỉu | Trà đào cam sả | Trà sữa trân châu | Phở bò tái | Bún chả Hà Nội | Bánh mì thịt
    Cơm tấm sườn bì | Bánh xèo | Gỏi cuốn | Nước suối 500ml | Nước mắm Phú Quốc | Dầu ăn 1L | Gạo ST25 5kg
    Mì gói tôm chua cay | Sữa tươi TH 180ml | Trứng gà (vỉ 10) | Đường trắng | Muối i-ốt | Bột giặt 3kg
    Giấy vệ sinh | Kem đánh răng | Dầu gội 650g | Khăn ướt | Túi ni lông | Bia lon 330ml | Thịt heo ba chỉ
    Cá basa phi lê | Rau muống | Cải thảo | Dưa hấu | Xoài cát Hòa Lộc | Bưởi da xanh | Ổi lê | Kẹo dừa
    Bánh quy bơ | Khoai tây chiên | Lẩu Thái | Gà rán (combo 2) | Nước ép ổi | Sinh tố bơ | Kem vani | Bò húc
    Pin AA | Áo thun nữ size M | Quần jean | Vở 96 trang | Bút bi xanh | Vé gửi xe | Phí giao hàng | Xăng RON 95-III
    Thuốc ho | Khẩu trang
""")
TOTALS = entries("""
    Tổng cộng | TỔNG CỘNG | Tổng tiền | Thành tiền | Tạm tính | Thuế GTGT (8%) | VAT 10% | Giảm giá | Chiết khấu
    Tiền mặt | Tiền khách đưa | Tiền thừa | Tiền thối lại | Thanh toán | THANH TOÁN | Phí dịch vụ (5%) | Phụ thu
    Đặt cọc | Còn lại | Điểm tích lũy | Tổng SL | Total | Sub total | Cash | Change | Voucher | Chuyển khoản
    Ví MoMo | Thẻ VISA
""")
RECEIPT_NOTES = entries("""
    HÓA ĐƠN BÁN HÀNG | PHIẾU THANH TOÁN | HÓA ĐƠN TẠM TÍNH | PHIẾU GIAO HÀNG | BIÊN LAI THU TIỀN
    Xin cảm ơn quý khách! | Cảm ơn & hẹn gặp lại | Hàng mua rồi miễn đổi trả | Giá đã bao gồm thuế GTGT
    Quý khách vui lòng kiểm tra lại hàng | Mật khẩu wifi: 88888888 | STT Tên hàng SL Đ.Giá T.Tiền | Tên món
    Đơn giá | Số lượng | Mặt hàng | Ghi chú: ít đá | Giữ hóa đơn để đổi hàng trong 3 ngày
    THANK YOU - SEE YOU AGAIN | Bản sao | Liên 2: Giao người mua | Mang về | Tại bàn | Khách lẻ
    Đổi hàng trong vòng 07 ngày | Hotline CSKH | Phiếu này không có giá trị xuất hóa đơn
""")
UNITS = ("đ", "đ", "đ", " đ", "VNĐ", "VND", " VNĐ", " VND", " đồng", ".-", "", "", "")
FIELDS = entries("""
    Họ và tên | Họ, chữ đệm, tên | Họ tên người khai | Chủ hộ | Người đại diện | Người nộp thuế | Khách hàng
    Tên người mua | Thu ngân | Nhân viên | Bác sĩ | Giáo viên chủ nhiệm | Tên cha | Tên mẹ | Người liên hệ
    Full name
""")
PLACE_FIELDS = entries("""
    Địa chỉ | Nơi sinh | Quê quán | Nơi thường trú | Nơi cư trú | Nơi cấp | Đ/c | ĐC | Địa chỉ liên hệ
    Hộ khẩu thường trú | Nơi đăng ký khai sinh | Place of origin | Trụ sở chính
""")
DATE_FIELDS = entries("""
    Ngày sinh | Ngày, tháng, năm sinh | Ngày cấp | Có giá trị đến | Ngày vào | Ngày in | Ngày lập | Hạn sử dụng
    NSX | HSD | Date of birth | Thời gian | Giờ vào | Từ ngày | Đến ngày
""")
CODE_FIELDS = entries("""
    Số CCCD | CMND số | Số định danh cá nhân | Mã số thuế | MST | Số hợp đồng | Mã khách hàng | Mã hồ sơ
    Số tài khoản | Số HĐ | Mã đơn hàng | Số chứng từ | Biển số xe | Số khung | Số máy | Mã bệnh nhân | Số BHYT
    Số phiếu | Mẫu số | Ký hiệu
""")
PHONE_FIELDS = ["Điện thoại", "ĐT", "SĐT", "Tel", "Hotline", "Di động", "Fax", "Số điện thoại", "Phone"]
OTHER_FIELDS = entries("""
    Giới tính: Nam | Giới tính: Nữ | Quốc tịch: Việt Nam | Dân tộc: Kinh | Dân tộc: Ê-đê | Dân tộc: Mường
    Tôn giáo: Không | Nghề nghiệp: Kỹ sư | Nghề nghiệp: Nông dân | Trình độ học vấn: 12/12
    Tình trạng hôn nhân: Độc thân | Ký tên | (Ký, ghi rõ họ tên) | (Ký và đóng dấu) | Nhóm máu: O+ | Chiều cao: 1m68
    Cân nặng: 54 kg | Dấu vết riêng: nốt ruồi | Lớp: 10A2 | Khoa: Ngoại | Chức vụ: Chuyên viên
    Đơn vị công tác: Phòng Tài chính - Kế hoạch | Hạng: B2
""")
CODES = entries("""
    NĐ-CP | QĐ-UBND | QĐ-TTg | TT-BTC | TT-BYT | TTr-STC | NQ-HĐND | CV-SXD | QĐ-BGDĐT | TB-UBND | KH-UBND | BC-STP
    HD-BHXH | TT-BKHĐT
""")
PAPERS = ("Nghị định", "Thông tư", "Quyết định", "Công văn", "Luật", "Kế hoạch", "Chỉ thị", "Nghị quyết")
BODIES = entries("""
    Chính phủ | Thủ tướng Chính phủ | Bộ Tài chính | Bộ Y tế | Bộ Giáo dục và Đào tạo | Ủy ban nhân dân tỉnh
    Ủy ban nhân dân huyện | UBND xã | Hội đồng nhân dân thành phố | Sở Xây dựng | Sở Nông nghiệp và Môi trường
    Sở Khoa học và Công nghệ | Văn phòng UBND tỉnh | Công an huyện | Chi cục Thuế | Kho bạc Nhà nước
    Tòa án nhân dân | Ban Quản lý dự án | Trung tâm Phục vụ hành chính công | Bảo hiểm xã hội | Bộ trưởng Bộ Nội vụ
    Phòng Tư pháp
""")
ACTS = entries("""
    quy định chi tiết một số điều của Luật Đất đai | hướng dẫn thi hành Luật Doanh nghiệp
    về việc phê duyệt dự toán ngân sách | ban hành danh mục thủ tục được rút gọn | về quản lý, sử dụng tài sản công
    sửa đổi mức thu phí, lệ phí | về tuyển dụng và sử dụng viên chức | quy định chức năng, nhiệm vụ và quyền hạn
    về bảo vệ môi trường nước | về chế độ báo cáo định kỳ | về phòng cháy và chữa cháy
    về chính sách hỗ trợ hộ nghèo | về cấp đổi giấy phép lái xe | về hồ sơ, trình tự giải quyết khiếu nại
    về kế hoạch sử dụng đất hằng năm | về an toàn thực phẩm
""")

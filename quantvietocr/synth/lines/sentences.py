"""Sentences of the embedded source, written for this project: official, everyday and commercial Vietnamese."""

from __future__ import annotations

from ...common.wordlists import entries

HEADINGS = entries("""
    CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM | Độc lập - Tự do - Hạnh phúc | QUYẾT ĐỊNH | THÔNG BÁO | TỜ TRÌNH
    GIẤY ỦY QUYỀN | HỢP ĐỒNG MUA BÁN | BIÊN BẢN HỌP | ĐƠN XIN NGHỈ PHÉP | PHIẾU KHÁM BỆNH | BẢNG KÊ CHI TIẾT
    Nơi nhận: | QUYẾT ĐỊNH: | CHỦ TỊCH | KT. CHỦ TỊCH | PHÓ CHỦ TỊCH | TM. ỦY BAN NHÂN DÂN | GIÁM ĐỐC SỞ | Mẫu số 01
    PHỤ LỤC I | Chương II | ỦY BAN NHÂN DÂN | HỘI ĐỒNG NHÂN DÂN | Kính gửi: | - Như Điều 3; | - Lưu: VT, KT.
    CĂN CƯỚC CÔNG DÂN | GIẤY KHAI SINH | SỔ HỘ KHẨU | BẢNG ĐIỂM | GIẤY CHỨNG NHẬN | THỰC ĐƠN
""")

SENTENCES = (
    "Quyết định này có hiệu lực kể từ ngày ký và thay thế các quy định trước đây trái với nội dung nêu trên.",
    "Các cơ quan, đơn vị và cá nhân có liên quan chịu trách nhiệm thi hành quyết định này.",
    "Trong quá trình thực hiện, nếu có vướng mắc, đề nghị các đơn vị phản ánh bằng văn bản để được hướng dẫn.",
    "Hồ sơ gồm một bản chính đơn đề nghị, hai ảnh cỡ 4x6 và bản sao giấy tờ tùy thân còn thời hạn.",
    "Thời hạn giải quyết là mười lăm ngày làm việc, tính từ khi nhận đủ hồ sơ hợp lệ.",
    "Người nộp hồ sơ nhận giấy hẹn trả kết quả tại bộ phận một cửa của ủy ban nhân dân cấp xã.",
    "Bên A có nghĩa vụ thanh toán đầy đủ và đúng hạn theo các đợt đã thỏa thuận trong hợp đồng.",
    "Bên B cam kết bảo hành sản phẩm trong mười hai tháng và khắc phục lỗi kỹ thuật miễn phí.",
    "Mọi tranh chấp phát sinh sẽ được hai bên thương lượng; nếu không thành thì đưa ra tòa án có thẩm quyền.",
    "Tôi xin cam đoan những lời khai trên là đúng sự thật và chịu trách nhiệm trước pháp luật.",
    "Hợp đồng được lập thành bốn bản có giá trị pháp lý như nhau, mỗi bên giữ hai bản.",
    "Cuộc họp bắt đầu lúc tám giờ ba mươi phút và kết thúc cùng ngày, biên bản đã được đọc lại cho mọi người nghe.",
    "Chi nhánh ngân hàng tạm ngừng giao dịch để bảo trì hệ thống từ 22 giờ đêm đến 5 giờ sáng hôm sau.",
    "Học sinh nghỉ học phải có giấy xin phép của phụ huynh và được giáo viên chủ nhiệm đồng ý.",
    "Bệnh nhân uống thuốc sau bữa ăn, ngày hai lần, mỗi lần một viên, tái khám sau hai tuần.",
    "Kết quả xét nghiệm máu cho thấy các chỉ số đều nằm trong giới hạn bình thường.",
    "Khách hàng vui lòng giữ lại hóa đơn để được đổi trả hàng trong vòng bảy ngày.",
    "Giá trên chưa bao gồm thuế giá trị gia tăng và phí vận chuyển đến các tỉnh miền núi.",
    "Xe khách chạy tuyến đêm xuất bến lúc 19h45, dừng nghỉ hai chặng, đến nơi vào khoảng sáu giờ sáng.",
    "Buổi sáng ở chợ quê, tiếng người mua kẻ bán rộn ràng từ lúc sương còn đọng trên lá chuối.",
    "Bà ngoại ngồi bên hiên nhà, vừa têm trầu vừa kể chuyện ngày xưa cho lũ trẻ nghe.",
    "Mưa rào đổ xuống thật nhanh, rửa sạch lớp bụi đỏ trên những mái ngói cũ.",
    "Chiếc xuồng nhỏ lướt nhẹ giữa rặng dừa nước, để lại phía sau một vệt sóng dài.",
    'Ông cụ nâng chén trà nóng, khẽ gật gù rồi mỉm cười: "Năm nay được mùa đấy!"',
    "Cây cầu mới nối hai bờ sông giúp người dân rút ngắn gần một giờ đi lại mỗi ngày.",
    "Nhóm nghiên cứu đề xuất một phương pháp đo độ ẩm của đất bằng cảm biến giá rẻ.",
    "Nhiệt độ trung bình tháng bảy đạt 34,5 độ, cao hơn 1,2 độ so với cùng kỳ nhiều năm.",
    "Đội chủ nhà gỡ hòa ở phút 89 bằng một cú sút xa khiến thủ môn đối phương không kịp trở tay.",
    "Thư viện mở cửa từ thứ Hai đến thứ Bảy; bạn đọc mượn tối đa năm cuốn trong hai mươi ngày.",
    "Muốn nấu nước dùng trong, phải chần xương thật kỹ rồi ninh lửa nhỏ và hớt bọt thường xuyên.",
    "Doanh thu quý III tăng 12,4% nhờ nhu cầu xuất khẩu thủy sản và đồ gỗ phục hồi.",
    "Kỹ sư trưởng yêu cầu kiểm tra lại toàn bộ mối hàn trước khi nghiệm thu công trình.",
    "Vì sao lá cây đổi màu khi trời trở lạnh? Câu hỏi ấy theo em suốt buổi chiều.",
    "Người thợ gốm xoay bàn, vuốt khối đất dẻo thành chiếc bình cổ cao, miệng loe như bông hoa.",
    "Chuyến tàu Thống Nhất rời ga trong tiếng còi dài, mang theo bao lời hẹn ngày trở lại.",
    "Đề nghị quý phụ huynh đóng học phí trước ngày 15 hằng tháng qua tài khoản của nhà trường.",
    "Nước sông dâng cao đã làm ngập khoảng ba trăm héc-ta lúa đang trổ bông ở vùng hạ lưu.",
    "Công ty tuyển gấp 05 nhân viên kho, ưu tiên người có kinh nghiệm và biết sử dụng máy tính.",
    "Chị Thủy nghẹn ngào kể rằng, suốt những năm ấy, chị chưa một lần nghĩ đến chuyện bỏ cuộc.",
    "Quãng đường từ huyện lỵ vào bản chỉ hơn chục cây số nhưng phải đi mất nửa ngày đường rừng.",
    "Phần mềm tự động sao lưu dữ liệu mỗi sáu giờ; quản trị viên có thể khôi phục bất kỳ phiên bản nào.",
    "Giữa khuya, tiếng dế rỉ rả ngoài vườn nghe như một khúc nhạc buồn không lời.",
    "Điều kiện dự tuyển: có bằng tốt nghiệp đại học trở lên, đủ sức khỏe và lý lịch rõ ràng.",
    "Trường hợp ủy quyền, người được ủy quyền xuất trình văn bản có chứng thực theo quy định.",
    "Tổng diện tích sàn xây dựng là 1.284,6 m2, gồm một tầng hầm và năm tầng nổi.",
    "Đường ray xe lửa uốn khúc quanh chân núi, mất hút trong màn sương trắng đục.",
    "Sau khi thẩm định, hội đồng thống nhất chấm điểm và xếp loại từng hồ sơ theo thang 100.",
    "Những quyển vở cũ được gom lại, đóng thành từng thùng và gửi tặng học trò vùng cao.",
)

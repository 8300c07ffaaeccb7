"""Receipt generator: photos and scans of whole receipts and forms, with every line's quadrilateral and every field known."""

from .generator import ReceiptConfig, ReceiptGenerator, ReceiptPage

__all__ = ["ReceiptConfig", "ReceiptGenerator", "ReceiptPage"]

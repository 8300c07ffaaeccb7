"""Receipt generator: photos and scans of whole receipts and forms, with the place of every line and field known."""

from .generator import ReceiptConfig, ReceiptGenerator, ReceiptPage

__all__ = ["ReceiptConfig", "ReceiptGenerator", "ReceiptPage"]

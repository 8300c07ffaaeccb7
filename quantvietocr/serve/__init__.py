"""`quantvietocr serve`: a page on this computer to drop receipts on and see what is read."""

"""`quantvietocr bulk`: millions of pages into parquet, on one machine or many, with resume."""

"""Read pictures of text lines with any checkpoint, as `quantvietocr read`: `python infer.py --format tsv PATH…`."""

import sys

from quantvietocr.cli.read import main

if __name__ == "__main__":
    sys.exit(main())

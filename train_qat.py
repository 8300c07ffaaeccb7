"""Train, convert, save and evaluate, as `quantvietocr train`: `python train_qat.py --config configs/qat.yml key=value
…`."""

import sys

from quantvietocr.cli.train import main

if __name__ == "__main__":
    sys.exit(main())

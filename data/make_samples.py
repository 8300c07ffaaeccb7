"""Make `data/samples`: forty generated lines in four styles. `python data/make_samples.py [--out FOLDER]`.

The numbers below were chosen by eye among the first forty lines of each style: every line can be read by a person, and
none shows a complete phone number, tax code or e-mail address, which a random generator could hit by accident.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from quantvietocr.synth.lines import LineGenerator, SynthConfig

SEED = 2026
CHOSEN = {
    "receipt": (0, 3, 7, 13, 14, 15, 19, 26, 28, 39),
    "form": (0, 3, 4, 8, 14, 20, 26, 28, 29, 34),
    "letter": (3, 4, 7, 8, 9, 13, 21, 23, 31, 38),
    "poor_scan": (0, 6, 7, 8, 15, 19, 23, 25, 30, 31),
}


def make(folder: Path) -> Path:
    """Write the pictures and `annotation.txt`, in VietOCR's format.

    Args:
        folder: where to write; it is made where it is missing.

    Returns:
        The annotation's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for style, numbers in CHOSEN.items():
        # Crops of 24 to 44 pixels: the reader wants 32, and the repository wants small files.
        generator = LineGenerator(SynthConfig(style=style, height=(24, 44), max_squeeze=1.2), seed=SEED)
        for index, number in enumerate(numbers):
            line = generator.line(number)
            grey = bool((line.image == line.image[..., :1]).all())
            pixels = np.ascontiguousarray(line.image[..., 0]) if grey else line.image
            name = f"{style}_{index:02d}.png"
            Image.fromarray(pixels).save(folder / name, optimize=True)
            rows.append(f"{name}\t{line.text}\n")
    annotation = folder / "annotation.txt"
    annotation.write_text("".join(rows), encoding="utf-8", newline="\n")
    return annotation


def main() -> None:
    """Make the samples where the command line says."""
    parser = argparse.ArgumentParser(description="Make the shipped sample lines again.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("samples"), help="folder to write into")
    print(make(parser.parse_args().out))


if __name__ == "__main__":
    main()

"""What the shipped weights are and read on the lines in data/: `python tests/reference.py` writes it down again.

`make reference` does so after weights were changed on purpose, and the difference then shows in the commit. It writes
`quantvietocr/weights.sha256`, which the package checks its files by, and `tests/reference.json`, which the tests hold
them to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "reference.json"
LINES = 200  # that are read: the samples, then lines of the receipts

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from PIL import Image

from quantvietocr import Predictor
from quantvietocr.checkpoint.files import sha256
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.metrics.accuracy import score
from quantvietocr.pictures.boxes import Box, crop
from quantvietocr.pictures.image import open_line
from quantvietocr.shipped import HASHES, WEIGHTS


def shipped_lines() -> tuple[list[Image.Image], list[str]]:
    """Pictures and texts of the first `LINES` lines that lie in data/ and that the vocabulary can write."""
    samples = read_annotation(ROOT / "data" / "samples" / "annotation.txt", Vocab()).samples
    pictures, texts = [open_line(sample.path) for sample in samples], [sample.text for sample in samples]
    for about in sorted((ROOT / "data" / "receipts").glob("receipt_*.json")):
        truth = json.loads(about.read_text(encoding="utf-8"))
        page = open_line(about.with_name(truth["picture"]))
        for line in truth["lines"]:
            if not Vocab().unknown(line["text"]):
                corners = [tuple(point) for point in line["box"]]
                pictures.append(crop(page, Box((corners[0], corners[1], corners[2], corners[3]))))
                texts.append(line["text"])
    return pictures[:LINES], texts[:LINES]


def files() -> dict[str, Path]:
    """The shipped weights of this clone by their short names, the first one of each file."""
    names = {file: name for name, file in reversed(WEIGHTS.items())}
    return {name: path for file, name in reversed(names.items()) if (path := ROOT / "weights" / file).is_file()}


def measured(names: list[str]) -> dict[str, dict[str, float]]:
    """Size in bytes, and errors on the shipped lines as shares, of each of these files."""
    pictures, texts = shipped_lines()
    found = {}
    for name in names:
        path = files()[name]
        scored = score(texts, Predictor(path, threads=1).predict_batch(pictures))
        found[name] = {
            "bytes": path.stat().st_size,
            "lines": scored.lines,
            "cer": round(scored.cer, 6),
            "exact": round(scored.exact, 6),
        }
    return found


def main() -> None:
    HASHES.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in files().values()), encoding="utf-8")
    found = measured(list(files()))
    REFERENCE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, row in found.items():
        print(f"{name}: {row['bytes']:,} bytes, CER {row['cer']:.2%}, {row['exact']:.1%} exact of {row['lines']} lines")


if __name__ == "__main__":
    main()

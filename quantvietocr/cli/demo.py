"""`make demo`: the whole product on a small scale. Fine-tune with QAT, convert, compare, read, look."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from ..errors import UserError
from ..shipped import ROOT, weights_file

# Lines of each part, and the seed they are generated with: no line is in two parts.
TRAIN_LINES, VALID_LINES, TEST_LINES = 480, 60, 120
SEEDS = {"train": 1, "valid": 2, "test": 3}
# Half strength: the demo is about what 8 bits change, not about the worst scans.
DEGRADE, MAX_CHARS = 0.5, 60

WHAT_IT_SHOWS = (
    "What this shows: every row reads lines of the kind that the shipped weights were trained on, so little is left "
    "to learn, and {steps} steps can show that training works and does no harm, not that it helps. If no step reads "
    "the validation lines better, the trained file is the static conversion itself. On {lines} test lines, rows that "
    "differ by fewer than about {noise} points of exact lines are equal. Training pays on lines that the weights read "
    "badly: see docs/training.md."
)


class Clock:
    """Says what happens, with the seconds since it was made."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"\n[{time.monotonic() - self.began:4.0f} s] {text}", flush=True)


def run(out: Path) -> None:
    """Leave data, the run, the comparison and the picture of read samples under `out`.

    Args:
        out: the folder for all of it, relative to the repository.
    """
    clock = Clock()
    total = TRAIN_LINES + VALID_LINES + TEST_LINES
    clock.say(f"1/5 Generating {total} labelled lines with the fonts of this machine")
    generate(out / "data")
    clock.say("2/5 Static quantization of the shipped float weights: calibrated, not trained")
    static = quantize(out)
    clock.say(
        "3/5 Quantization-aware fine-tuning from the same float weights; the best is chosen by its converted int8 copy"
    )
    trained = train(out)
    clock.say("4/5 Comparing float, static, shipped and trained int8 on lines that neither training nor selection saw")
    print(compare(out, [weights_file("float"), static, weights_file("int8"), trained]))
    clock.say("5/5 Reading data/samples with the new int8 file")
    from .main import main as run_command

    arguments = ["--weights", str(trained), "--format", "tsv", "--plot", str(out / "samples.png"), "data/samples"]
    code = run_command(["read", *arguments])
    if code:
        raise RuntimeError(f"quantvietocr read ended with {code}")
    clock.say(
        f"Done. The table: {out}/compare/table.md and table.png; the lines as read: {out}/samples.png; "
        f"the int8 file: {trained}; how training went: {out}/qat/curves.png"
    )


def generate(folder: Path) -> None:
    """Write the lines of all three parts."""
    from ..synth.lines import LineGenerator, SynthConfig

    for part, count in {"train": TRAIN_LINES, "valid": VALID_LINES, "test": TEST_LINES}.items():
        generator = LineGenerator(SynthConfig(degrade=DEGRADE, max_chars=MAX_CHARS), SEEDS[part])
        generator.write(folder / part, count, workers=2)


def quantize(out: Path) -> Path:
    """Write the static int8 file, its ranges measured on the training lines; returns its path."""
    from ..checkpoint import files
    from ..checkpoint.vocab import Vocab
    from ..dataset.annotation import read_annotation
    from ..quantize.static import quantize_static

    checkpoint = files.read(weights_file("float"))
    samples = read_annotation(out / "data" / "train" / "annotation.txt", Vocab(checkpoint.meta.chars)).samples
    path = out / "static-int8.safetensors"
    files.write(quantize_static(checkpoint, samples), path)
    return path


def train(out: Path) -> Path:
    """Run the QAT of configs/demo.yml; returns the trained int8 file, under a name that says what it is."""
    from ..config import load_config
    from ..train.loop import train as train_loop

    config = load_config(
        "configs/demo.yml",
        [
            f"data.train=[{{annotation: {out}/data/train/annotation.txt, augment: 0.5}}]",
            f"data.valid={out}/data/valid/annotation.txt",
            f"train.out={out}/qat",
        ],
    )
    best = train_loop(config, command="python -m quantvietocr.cli.demo")
    named = out / "demo-qat-int8.safetensors"  # the table names its rows after the files
    shutil.copyfile(best, named)
    return named


def compare(out: Path, weights: list[Path]) -> str:
    """The table of all readers, VietOCR's own code first, and a paragraph on what it can show."""
    from ..config import load_config
    from ..measure.lines.compare import compare as compare_readers

    compare_readers(out / "data" / "test" / "annotation.txt", weights, out / "compare", vietocr=True)
    steps = load_config("configs/demo.yml").train.steps
    # Two standard errors of a difference of two rows that disagree on 5 % of the lines.
    noise = round(200 * (0.05 / TEST_LINES) ** 0.5)
    table = (out / "compare" / "table.md").read_text(encoding="utf-8")
    return f"{table}\n{WHAT_IT_SHOWS.format(steps=steps, lines=TEST_LINES, noise=noise)}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quantvietocr.cli.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for everything the demo makes")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    os.chdir(ROOT)  # weights/, configs/ and data/ lie beside the package
    try:
        run(Path(os.path.relpath(out)))
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"\ndemo: {error or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

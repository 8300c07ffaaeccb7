"""`make demo`: the whole product on a small scale. Fine-tune with QAT, convert, compare, read, look."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from ..errors import UserError
from ..shipped import ROOT, weights_file

TRAIN_LINES, VALID_LINES, TEST_LINES = 480, 60, 120


def run(out: Path) -> None:
    """Leave data, the run, the comparison and the picture of read samples under `out`. About six minutes on 2 cores."""
    from ..config import load_config
    from ..measure.lines.compare import compare
    from ..synth.lines import LineGenerator, SynthConfig
    from ..train.loop import train

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"\n[{time.monotonic() - began:4.0f} s] {text}", flush=True)

    say(f"1/4 Generating {TRAIN_LINES + VALID_LINES + TEST_LINES} labelled lines with the fonts of this machine")
    for part, (seed, count) in {"train": (1, TRAIN_LINES), "valid": (2, VALID_LINES), "test": (3, TEST_LINES)}.items():
        # Half strength: the demo is about what 8 bits change, not about the worst scans.
        generator = LineGenerator(SynthConfig(degrade=0.5, max_chars=60), seed)
        generator.write(out / "data" / part, count, workers=2)

    say(
        "2/4 Quantization-aware fine-tuning from the shipped float weights; the best is chosen by its converted int8 copy"
    )
    config = load_config(
        "configs/demo.yml",
        [
            f"data.train=[{{annotation: {out}/data/train/annotation.txt, augment: 0.5}}]",
            f"data.valid={out}/data/valid/annotation.txt",
            f"train.out={out}/qat",
        ],
    )
    best = train(config, command="python -m quantvietocr.cli.demo")

    say("3/4 Comparing float with int8 on lines that neither training nor selection saw")
    compare(out / "data" / "test" / "annotation.txt", [weights_file("float"), best], out / "compare", vietocr=True)
    print((out / "compare" / "table.md").read_text(encoding="utf-8"))

    say("4/4 Reading data/samples with the new int8 file")
    from . import read

    code = read.main(["--weights", str(best), "--format", "tsv", "--plot", str(out / "samples.png"), "data/samples"])
    if code:
        raise RuntimeError(f"infer.py ended with {code}")
    say(
        f"Done. The table: {out}/compare/table.md and table.png; the lines as read: {out}/samples.png; "
        f"the int8 file: {best}; how training went: {out}/qat/curves.png"
    )


def main(arguments: list[str] | None = None) -> int:
    import os

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
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

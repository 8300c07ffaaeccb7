"""`make fuzz`: tries many damaged inputs on every reader and prints a table. Ends with 1 where anything went wrong.

python tests/fuzz [--only NAME] [--tries N] [--also NAME=N] [--quick] [--json] [--keep DIR] [--into FILE#NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch load: the process is forked
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from harness import fuzz, table
from targets import targets

from quantvietocr.measure.markdown import check_section, insert_section


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="NAME", help="targets whose names hold this")
    parser.add_argument("--tries", type=int, metavar="N", help="inputs of each target (default: as each has)")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=N", help="one more input of a target")
    parser.add_argument("--quick", action="store_true", help="as few inputs as the test suite tries")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), metavar="DIR", help="for what went wrong")
    parser.add_argument("--into", metavar="FILE#NAME", help="also put the table into that section of a Markdown file")
    options = parser.parse_args()
    if options.into:
        check_section(options.into)  # now, not after an hour
    also = [one.rpartition("=") for one in options.also]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            if options.only not in target.name:
                continue
            tries = options.tries or (target.quick if options.quick else target.tries)
            numbers = [int(number) for name, _, number in also if name == target.name]
            outcomes.append(fuzz(target, tries, options.keep, numbers=numbers))
            done = outcomes[-1]
            print(f"{done.name}: {done.tried:,} tried in {done.seconds:.0f} s", file=sys.stderr, flush=True)
    wrong = [sentence for outcome in outcomes for sentence in outcome.wrong]
    if options.into:
        insert_section(options.into, table(outcomes))
    if options.json:
        print(json.dumps([vars(outcome) for outcome in outcomes]))
    else:
        print(table(outcomes), *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

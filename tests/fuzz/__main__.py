"""`make fuzz`: tries many damaged inputs on every reader and prints a table. Ends with 1 where anything went wrong.

    python tests/fuzz [--only NAME] [--tries N] [--first N] [--keep DIR]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch load: the process is forked
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from harness import fuzz, table
from targets import targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="NAME", help="targets whose names hold this")
    parser.add_argument("--tries", type=int, metavar="N", help="inputs of each target (default: as each has)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first input (default 0)")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), metavar="DIR", help="for what went wrong")
    options = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            if options.only not in target.name:
                continue
            outcomes.append(fuzz(target, options.tries or target.tries, options.keep, first=options.first))
            done = outcomes[-1]
            print(f"{done.name}: {done.tried:,} tried in {done.seconds:.0f} s", file=sys.stderr, flush=True)
    print(table(outcomes))
    wrong = [sentence for outcome in outcomes for sentence in outcome.wrong]
    print("".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make chaos`: ends commands at random moments, repeats them, and prints tables. Ends with 1 where a result differs.

python tests/chaos [--only NAME] [--tries N] [--seed N] [--into FILE#NAME]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch load: the process is forked
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from disks import on_disks
from killing import Result, disturb, fill, serving, table, undisturbed
from scenes import scenes

from quantvietocr.measure.markdown import check_section, insert_section


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="NAME", help="commands whose names hold this")
    parser.add_argument("--tries", type=int, default=100, metavar="N", help="of each command (default 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides the moments (default 0)")
    parser.add_argument("--into", metavar="FILE#NAME", help="also put the tables into that section of a Markdown file")
    options = parser.parse_args()
    if options.into:
        check_section(options.into)  # now, not after an hour
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    killed: list[Result] = []
    filled: list[Result] = []
    disks: list[str] = []
    with serving() as address:
        (folder / "inputs").mkdir()
        for number, scene in enumerate(scenes(folder / "inputs", address)):
            if options.only not in scene.name:
                continue
            whole = undisturbed(scene, folder / f"whole-{number}")
            killed.append(disturb(scene, whole, folder / f"kill-{number}", options.tries, options.seed))
            filled.append(fill(scene, whole, folder / f"fill-{number}", max(options.tries // 5, 1), options.seed))
            disks += on_disks(scene, whole, folder / f"disk-{number}")
            print(f"{scene.name}: {killed[-1].seconds + filled[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    tables = f"{table(killed, 'Killed before the end')}\n\n{table(filled, 'Found the disk full')}"
    if options.into:
        insert_section(options.into, tables)
    print(tables, end="\n\n")
    print("\n".join(disks))
    wrong = [sentence for result in (*killed, *filled) for sentence in result.wrong]
    wrong += [sentence for sentence in disks if "WRONG" in sentence]
    print("\n".join(wrong))
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

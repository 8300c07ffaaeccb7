"""`quantvietocr synth`: lines or whole receipts, by numbers given or by a recipe."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shipped import weights_file

if TYPE_CHECKING:
    from ..pictures.image import ImageSpec
    from ..reading.recognizer import Recognizer
    from ..synth.lines import LineGenerator, SynthConfig


def synth(options: argparse.Namespace) -> None:
    from ..checkpoint.vocab import DEFAULT_CHARS
    from ..errors import UserError
    from ..pictures.image import ImageSpec
    from ..synth.lines import LineGenerator

    if options.workers < 1 or (options.count is not None and options.count < 1):
        raise UserError("--count and --workers must be at least 1.")
    given = [
        name for name in ("count", "text", "fonts", "style", "degrade", "seed") if getattr(options, name) is not None
    ]
    if (options.misread_by or options.config) and (options.receipts or options.recipe):
        slips = options.receipts and options.lines and not options.config
        if not slips:
            raise UserError(
                "--config and --misread-by are for lines by --count, and --misread-by for --receipts with --lines too: "
                "leave --receipts and --recipe away."
            )
    if options.receipts or options.lines or options.turned is not None or options.tills is not None:
        _receipts(options)
        return
    if options.recipe is not None:
        if given:
            raise UserError(
                f"The recipe decides what --{given[0]} would: leave it away, or write a recipe of your own."
            )
        _recipe(options)
        return
    if options.seal or options.count is None:
        raise UserError(
            "--seal writes into a recipe: name it with --recipe."
            if options.seal
            else "Say how many lines with --count, or name a --recipe."
        )
    reader = _reader(options)
    try:
        spec, chars = (ImageSpec(), DEFAULT_CHARS) if reader is None else (reader.spec, reader.chars)
        knobs = _knobs(options, [name for name in given if name not in ("count", "seed")], spec)
        generator = LineGenerator(knobs, options.seed or 0, chars)
    except (ValueError, RuntimeError) as error:  # how the generator names a bad knob, text file or font
        raise UserError(str(error)) from error
    print(generator.describe(), file=sys.stderr)
    if reader is None:
        print(generator.write(options.out, options.count, options.workers))
    else:
        from ..synth.misread import write_misread

        print(
            write_misread(generator, reader, options.out, options.count, _origin(options, generator), options.workers)
        )


def _reader(options: argparse.Namespace) -> Recognizer | None:
    """The reader whose errors decide what is kept; None where everything is."""
    if not options.misread_by:
        return None
    from ..reading.predictor import Predictor

    options.misread_by = weights_file(options.misread_by)
    return Predictor(options.misread_by, words=None).recognizer


def _knobs(options: argparse.Namespace, given: list[str], spec: ImageSpec) -> SynthConfig:
    """What the lines are to be like: of the training settings named, or as said one by one."""
    from ..config import load_config
    from ..errors import UserError
    from ..synth.lines import SynthConfig
    from ..train.data import synth_config

    if options.config is None:
        degrade = 1.0 if options.degrade is None else options.degrade
        return SynthConfig(
            tuple(options.text or ()),
            tuple(options.fonts or ()),
            max_width=spec.max_width,
            degrade=degrade,
            style=options.style or "mixture",
        )
    if given:
        raise UserError(f"--config decides what --{given[0]} would: leave it away, or write a config of your own.")
    return synth_config(load_config(options.config).data.synth, spec)


def _origin(options: argparse.Namespace, generator: LineGenerator) -> dict[str, Any]:
    """What lines that a file misreads depend on, as JSON gives it back."""
    from ..checkpoint.files import sha256

    settings = json.loads(json.dumps(dataclasses.asdict(generator.config)))
    return {"read_by": sha256(options.misread_by), "seed": generator.seed, "settings": settings}


def _receipts(options: argparse.Namespace) -> None:
    from ..errors import UserError
    from ..receipt.detect import open_detector
    from ..synth.receipts import ReceiptConfig, ReceiptGenerator
    from ..synth.receipts.files import write_lines, write_receipts
    from ..synth.receipts.recipe import receipts_of, seal_receipts

    named = [
        name for name in ("count", "fonts", "degrade", "seed", "turned", "tills") if getattr(options, name) is not None
    ]
    if not options.receipts or options.text or options.style:
        raise UserError(
            "--lines, --turned and --tills are for --receipts."
            if not options.receipts
            else "Receipts have texts and looks of their own: leave --text and --style away."
        )
    if (options.recipe and named) or (options.seal and not options.recipe) or not (options.recipe or options.count):
        raise UserError("Receipts are made by --count, or by a --recipe alone, which --seal writes into.")
    if options.recipe:
        print((seal_receipts if options.seal else receipts_of)(options.recipe, options.out, options.workers))
    else:
        degrade = 1.0 if options.degrade is None else options.degrade
        config = ReceiptConfig(options.fonts or (), degrade, options.turned or 0.0, options.tills or 0.0)
        print(write_receipts(ReceiptGenerator(config, options.seed or 0), options.out, options.count, options.workers))
    if options.lines:
        find = open_detector().find if options.lines == "detected" else None
        annotation = write_lines(options.out, find=find)
        print(annotation)
        if reader := _reader(options):
            from ..synth.misread import keep_misread

            print(keep_misread(annotation, reader))


def _recipe(options: argparse.Namespace) -> None:
    from ..synth.recipe_files import recipes_in
    from ..synth.recipes import lines_of, seal

    for path in recipes_in(options.recipe):
        out = Path(options.out, path.stem) if Path(options.recipe).is_dir() else Path(options.out)
        print((seal if options.seal else lines_of)(path, out, options.workers))


def words(options: argparse.Namespace) -> None:
    from ..errors import UserError
    from ..reading.words.count import count_files
    from ..reading.words.model import writable, write

    if min(options.least_word, options.least_pair) < 1:
        raise UserError("--least-word and --least-pair must be at least 1.")
    out = writable(options.out)
    model = count_files(options.text, options.least_word, options.least_pair)
    about = model.about
    print(
        f"{write(model, out)} ({out.stat().st_size / 1e6:.1f} MB): {about['words']:,} words and "
        f"{about['pairs']:,} pairs of {about['tokens']:,} words of text"
    )


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verbs to the console script."""
    _add_synth(verbs)
    _add_words(verbs)


def _add_synth(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("synth", help="generate labelled lines as a VietOCR folder, or whole receipts")
    verb.set_defaults(verb=synth)
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for img/ and annotation.txt")
    verb.add_argument(
        "--recipe",
        metavar="YML",
        help="make the lines of a recipe, or of a folder's recipes in a folder "
        "each (data/README.md); it decides what --count to --seed would",
    )
    verb.add_argument("--seal", action="store_true", help="write the hash of the lines made into the recipe")
    verb.add_argument(
        "--receipts",
        action="store_true",
        help="whole receipts and forms, as photos and scans, with the truth about "
        "each in a JSON file; --count is then of pictures",
    )
    verb.add_argument(
        "--lines",
        nargs="?",
        const="printed",
        choices=("printed", "detected"),
        help="with --receipts: their lines too, cut out, in DIR/lines; `detected` cuts them as the detector of "
        "`quantvietocr receipts` does, to train on what it will read",
    )
    verb.add_argument(
        "--tills",
        type=float,
        metavar="SHARE",
        help="with --receipts: share of slips that a till prints in dots, on paper that was stamped, crumpled or "
        "photographed badly",
    )
    verb.add_argument(
        "--turned", type=float, metavar="SHARE", help="with --receipts: share that lies on a side or upside down"
    )
    verb.add_argument("--count", type=int, metavar="N", help="how many lines")
    verb.add_argument("--text", nargs="+", metavar="FILE", help=".txt or .txt.gz, one sentence or paragraph a line")
    verb.add_argument("--fonts", nargs="+", metavar="PATH", help="font files or folders (default: the system's)")
    verb.add_argument(
        "--style", choices=("receipt", "form", "letter", "poor_scan"), help="one kind of page (default: a mixture)"
    )
    verb.add_argument("--degrade", type=float, metavar="X", help="0 clean print, 1 as in real use (default)")
    verb.add_argument("--seed", type=int, metavar="N", help="another seed, other lines (default 0)")
    verb.add_argument(
        "--config", metavar="YML", help="training settings whose data.synth decides what --text to --degrade would"
    )
    verb.add_argument(
        "--misread-by",
        metavar="FILE",
        help="keep the lines alone that this checkpoint misreads, --count of them, to train on; readings.tsv says how; "
        "with --receipts --lines, misread.txt names them",
    )
    verb.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes; the lines are the same (default 1)"
    )


def _add_words(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("words", help="count the words of a text, which lines in doubt are then read again with")
    verb.set_defaults(verb=words)
    verb.add_argument("--text", nargs="+", required=True, metavar="FILE", help=".txt or .txt.gz, UTF-8")
    verb.add_argument("--out", required=True, metavar="FILE", help="the .npz file to write")
    verb.add_argument(
        "--least-word", type=int, default=10, metavar="N", help="leave out rarer words (default %(default)s)"
    )
    verb.add_argument(
        "--least-pair", type=int, default=5, metavar="N", help="leave out rarer pairs of words (default %(default)s)"
    )

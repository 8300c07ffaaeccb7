"""`quantvietocr synth`: lines or whole receipts, by numbers given or by a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def synth(options: argparse.Namespace) -> None:
    from .dataset.synth import LineGenerator, SynthConfig
    from .errors import UserError

    if options.workers < 1 or (options.count is not None and options.count < 1):
        raise UserError("--count and --workers must be at least 1.")
    if options.receipts or options.lines or options.turned is not None:
        return _receipts(options)
    decided = [name for name in ("count", "text", "fonts", "style", "degrade", "seed") if getattr(options, name) is not None]
    if options.recipe is not None:
        if decided:
            raise UserError(f"The recipe decides what --{decided[0]} would: leave it away, or write a recipe of your own.")
        return _recipe(options)
    if options.seal or options.count is None:
        raise UserError("--seal writes into a recipe: name it with --recipe." if options.seal else
                        "Say how many lines with --count, or name a --recipe.")  # fmt: skip
    texts, fonts = tuple(options.text or ()), tuple(options.fonts or ())
    degrade = 1.0 if options.degrade is None else options.degrade
    try:
        generator = LineGenerator(SynthConfig(texts, fonts, degrade=degrade, style=options.style or "mixture"), options.seed or 0)
    except (ValueError, RuntimeError) as error:  # how the generator names a bad knob, text file or font
        raise UserError(str(error)) from error
    print(generator.describe(), file=sys.stderr)
    print(generator.write(options.out, options.count, options.workers))


def _receipts(options: argparse.Namespace) -> None:
    from .dataset.receipts import ReceiptConfig, ReceiptGenerator
    from .dataset.receipts.files import write_lines, write_receipts
    from .dataset.receipts.recipe import receipts_of, seal_receipts
    from .errors import UserError

    named = [name for name in ("count", "fonts", "degrade", "seed", "turned") if getattr(options, name) is not None]
    if not options.receipts or options.text or options.style:
        raise UserError("--lines and --turned are for --receipts." if not options.receipts else
                        "Receipts have texts and looks of their own: leave --text and --style away.")  # fmt: skip
    if options.recipe and named or options.seal and not options.recipe or not (options.recipe or options.count):
        raise UserError("Receipts are made by --count, or by a --recipe alone, which --seal writes into.")
    if options.recipe:
        print((seal_receipts if options.seal else receipts_of)(options.recipe, options.out, options.workers))
    else:
        config = ReceiptConfig(options.fonts or (), 1.0 if options.degrade is None else options.degrade, options.turned or 0.0)
        print(write_receipts(ReceiptGenerator(config, options.seed or 0), options.out, options.count, options.workers))
    if options.lines:
        print(write_lines(options.out))


def _recipe(options: argparse.Namespace) -> None:
    from .dataset.recipes import lines_of, recipes_in, seal

    for path in recipes_in(options.recipe):
        out = Path(options.out, path.stem) if Path(options.recipe).is_dir() else Path(options.out)
        print((seal if options.seal else lines_of)(path, out, options.workers))

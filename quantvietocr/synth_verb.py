"""`quantvietocr synth`: lines or whole receipts, by numbers given or by a recipe."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset.synth import LineGenerator, SynthConfig
    from .image import ImageSpec


def synth(options: argparse.Namespace) -> None:
    from .dataset.synth import LineGenerator
    from .errors import UserError
    from .image import ImageSpec
    from .vocab import DEFAULT_CHARS

    if options.workers < 1 or (options.count is not None and options.count < 1):
        raise UserError("--count and --workers must be at least 1.")
    given = [name for name in ("count", "text", "fonts", "style", "degrade", "seed") if getattr(options, name) is not None]
    if (options.misread_by or options.config) and (options.receipts or options.recipe):
        raise UserError("--config and --misread-by are for lines by --count: leave --receipts and --recipe away.")
    if options.receipts or options.lines or options.turned is not None:
        return _receipts(options)
    if options.recipe is not None:
        if given:
            raise UserError(f"The recipe decides what --{given[0]} would: leave it away, or write a recipe of your own.")
        return _recipe(options)
    if options.seal or options.count is None:
        raise UserError("--seal writes into a recipe: name it with --recipe." if options.seal else
                        "Say how many lines with --count, or name a --recipe.")  # fmt: skip
    reader = None
    if options.misread_by:
        from .predictor import Predictor

        reader = Predictor(options.misread_by, words=None)
    try:
        spec, chars = (ImageSpec(), DEFAULT_CHARS) if reader is None else (reader.spec, reader.meta.chars)
        knobs = _knobs(options, [name for name in given if name not in ("count", "seed")], spec)
        generator = LineGenerator(knobs, options.seed or 0, chars)
    except (ValueError, RuntimeError) as error:  # how the generator names a bad knob, text file or font
        raise UserError(str(error)) from error
    print(generator.describe(), file=sys.stderr)
    if reader is None:
        print(generator.write(options.out, options.count, options.workers))
    else:
        from .misread import write_misread

        print(write_misread(generator, reader, options.out, options.count, _origin(options, generator), options.workers))


def _knobs(options: argparse.Namespace, given: list[str], spec: ImageSpec) -> SynthConfig:
    """What the lines are to be like: of the training settings named, or as said one by one."""
    from .config import load_config
    from .dataset.synth import SynthConfig
    from .errors import UserError
    from .train.data import synth_config

    if options.config is None:
        degrade = 1.0 if options.degrade is None else options.degrade
        return SynthConfig(tuple(options.text or ()), tuple(options.fonts or ()), max_width=spec.max_width, degrade=degrade,
                           style=options.style or "mixture")  # fmt: skip
    if given:
        raise UserError(f"--config decides what --{given[0]} would: leave it away, or write a config of your own.")
    return synth_config(load_config(options.config).data.synth, spec)


def _origin(options: argparse.Namespace, generator: LineGenerator) -> dict[str, Any]:
    """What lines that a file misreads depend on, as JSON gives it back."""
    from .checkpoint import sha256

    settings = json.loads(json.dumps(dataclasses.asdict(generator.config)))
    return {"read_by": sha256(options.misread_by), "seed": generator.seed, "settings": settings}


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

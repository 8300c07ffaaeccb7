"""`quantvietocr train`: train, convert, save and evaluate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .arguments import Parser, add_version
from .exits import run_verb
from .process import command_of, prepare_process, speaks

SCRIPT = "train_qat.py"
DESCRIPTION = (
    "Fine-tune a VietOCR network, vgg_seq2seq or vgg_transformer (train.method=float), or train it quantization-aware "
    "(train.method=qat), validating what ships: an int8 copy converted on the CPU. Writes best.safetensors (with "
    "best-float.safetensors, "
    "the float weights under it), curves.png, loss.csv, scores.csv, config.yml and state.pt into train.out. With "
    "several GPUs or processes: torchrun --nproc-per-node N train_qat.py ..., which computes the same with the same "
    "settings, sooner."
)
RUN_FILES = ("state.pt", "best.safetensors")  # what a training run leaves that is worth keeping


def train(options: argparse.Namespace) -> None:
    """Train, and print what the best file is."""
    from ..checkpoint.describe import describe
    from ..config import load_config
    from ..train.loop import train as train_network

    config = load_config(options.config, options.overrides)
    folder = Path(config.train.out)
    if not (options.resume or options.restart):
        _refuse_to_overwrite(folder)
    if options.restart and speaks():  # or --resume after an early end would go on with the run before
        (folder / "state.pt").unlink(missing_ok=True)
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        best = train_network(config, options.resume, options.command)
    finally:
        if speaks():
            _remove_empty(missing)
    if speaks():
        print(describe(best))


def _refuse_to_overwrite(folder: Path) -> None:
    from ..errors import UserError

    there = [name for name in RUN_FILES if (folder / name).exists()]
    if there:
        raise UserError(
            f"{folder} holds a training run ({', '.join(there)}): go on with it with --resume, begin anew in its place "
            "with --restart, or name another folder with train.out=FOLDER."
        )


def _remove_empty(made: list[Path]) -> None:
    """Remove what a refused run has made and left empty: the run's folder first, then those above it."""
    for folder in made:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a training takes."""
    parser.add_argument(
        "--config", metavar="YML", help="settings: a file, or the name of a shipped one (qat); base.yml explains all"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--resume", action="store_true", help="go on from train.out/state.pt")
    which.add_argument("--restart", action="store_true", help="begin anew though train.out holds a run")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. train.steps=500 data.valid=dev/annotation.txt"
    )


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("train", help="fine-tune on your own lines, in 8 bits or in float", description=DESCRIPTION)
    add_arguments(verb)
    verb.set_defaults(verb=train)


def main(arguments: list[str] | None = None) -> int:
    """`train_qat.py`: the verb under its old name."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog=SCRIPT, description=DESCRIPTION)
    add_version(parser)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    options.command = command_of(f"python {SCRIPT}", arguments)
    prepare_process()
    return run_verb(SCRIPT, lambda: train(options), speaks=speaks())

"""`quantvietocr train` and `train_qat.py`: fine-tune the float network, or train it quantization-aware."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys

from ..errors import UserError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Fine-tune a VietOCR vgg_seq2seq network (train.method=float) or train it quantization-aware "
        "(train.method=qat), validating what ships: an int8 copy converted on the CPU. Writes best.safetensors (with "
        "best-float.safetensors, the float weights under it), curves.png, loss.csv, scores.csv, config.yml and state.pt "
        "into train.out. With several GPUs or processes: torchrun --nproc-per-node N train_qat.py ..., which computes the "
        "same with the same settings, sooner."
    )
    parser.add_argument("--config", help="YAML with settings; configs/base.yml explains all of them")
    parser.add_argument("--resume", action="store_true", help="go on from train.out/state.pt")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. train.steps=500 data.valid=dev/annotation.txt"
    )
    options = parser.parse_args(arguments)

    from ..checkpoint.describe import describe
    from ..config import load_config
    from ..train.loop import train
    from ..train.stop import Terminated

    first = os.environ.get("RANK", "0") == "0"  # of torchrun's processes: the one that speaks
    command = "python train_qat.py " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        best = train(load_config(options.config, options.overrides), options.resume, command)
    except UserError as error:
        if first:
            print(f"train_qat.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        if first:
            print(f"\ntrain_qat.py: {error or 'interrupted'}", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
    if first:
        print(describe(best))
    return 0

"""The console script `quantvietocr`: verbs beyond `train_qat.py` and `infer.py`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from . import verbs as do
from .synth_verb import synth


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 2 a sentence on stderr says why not, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command = "quantvietocr " + shlex.join(arguments)
    # Before torch loads, as infer.py does and for its reasons.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        from .errors import UserError

        try:
            options.verb(options)
        except (UserError, OSError) as error:
            print(f"quantvietocr: {error}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nquantvietocr: interrupted.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantvietocr", description="8-bit VietOCR for CPUs. Training is train_qat.py, "
                                     "reading is infer.py; here is the rest.")  # fmt: skip
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    yaml_help = "the YAML a VietOCR .pth was trained with, if its vocabulary or sizes are not VietOCR's own"

    verb = verbs.add_parser("describe", help="say what checkpoint files are")
    verb.set_defaults(verb=do.describe)
    verb.add_argument("files", nargs="+", metavar="FILE")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)

    verb = verbs.add_parser("quantize", help="make an 8-bit file without training")
    verb.set_defaults(verb=do.quantize)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint: VietOCR's .pth, or .safetensors")
    verb.add_argument("--method", choices=("dynamic", "static"), required=True, help="dynamic: encoder and decoder, needs no "
                      "data; static: the CNN too, its ranges measured on --data")  # fmt: skip
    verb.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    static = verb.add_argument_group("for --method static")
    static.add_argument("--data", metavar="ANNOTATION", help="lines to measure on, path<TAB>text; their texts are not used")
    static.add_argument("--calibration-lines", type=int, default=256, metavar="N", help="how many of them (default 256)")
    static.add_argument("--seed", type=int, default=0, metavar="N", help="draws them (default %(default)s)")
    static.add_argument("--observer", choices=("minmax", "moving-average", "percentile", "histogram", "kl"), default="histogram",
                        help="what sets an activation's range (default %(default)s: the least squared error)")
    static.add_argument("--percentile", type=float, default=99.99, metavar="P", help="what the percentile observer keeps, in %%")
    static.add_argument("--weight-bits", type=int, default=8, metavar="B", help="4 to 8 (default %(default)s)")
    static.add_argument("--activation-bits", type=int, metavar="B", help="4 to 8 (default: the backend's)")
    static.add_argument("--weights", choices=("per-channel", "per-tensor"), default="per-channel", help="scales of the weights")
    static.add_argument("--activations", choices=("affine", "symmetric"), default="affine", help="ranges: any, or 0 in the middle")
    static.add_argument("--scales", choices=("any", "power-of-two"), help="power-of-two: every engine computes the same integers, "
                        "from somewhat coarser steps (default: where 8-bit weights leave levels to spare)")  # fmt: skip
    static.add_argument("--path", choices=("eager", "fx"), default="eager", help="prepared by hand or traced; the numbers are the same")
    static.add_argument("--ranges", metavar="DIR", help="write ranges.json and ranges.png, each layer's values and its range, there")
    static.add_argument("--backend", default="x86", choices=("x86", "fbgemm", "onednn", "qnnpack"),
                        help="whose ranges: x86 and fbgemm keep activations to 7 bits for CPUs without VNNI; the others 8")
    static.add_argument("--decoder", default="int8", choices=("int8", "float"), help="encoder and decoder weights (default int8)")
    static.add_argument("--float-layers", nargs="+", default=(), metavar="NAME",
                        help="convolutions that stay float, e.g. features.0 last_conv_1x1 'features.4*'")
    static.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb.add_argument("--compact", action="store_true", help="pack the file: large convolutions in 4 bits, all of it Huffman-coded; it is "
                      "unpacked to the same int8 kernels")  # fmt: skip
    static.add_argument("--max-drop", type=float, metavar="PP", help="keep as many layers in 8 bits (with --compact: in 4) as leave the CER "
                        "at most so many percentage points above the float network's; the rest stay float")  # fmt: skip
    static.add_argument("--lines", type=int, default=200, metavar="N", help="lines of --data that --max-drop reads; ranges are measured "
                        "on the others (default %(default)s)")  # fmt: skip

    verb = verbs.add_parser("sensitivity", help="which convolutions suffer from quantization")
    verb.set_defaults(verb=do.sensitivity)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines to read, and others to calibrate on")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for sensitivity.csv and sensitivity.png")
    verb.add_argument("--lines", type=int, default=64, metavar="N", help="lines to read under each setting (default %(default)s)")
    verb.add_argument("--calibration-lines", type=int, default=128, metavar="N", help="lines to calibrate on (default %(default)s)")
    verb.add_argument("--bits", type=int, nargs="+", default=[8], choices=(8, 4), help="of the weights (default 8)")
    verb.add_argument("--backend", default="x86", choices=("x86", "fbgemm", "onednn", "qnnpack"), help="whose ranges")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("export", help="write a checkpoint as ONNX or TorchScript, or float weights for VietOCR itself")
    verb.set_defaults(verb=do.export)
    verb.add_argument("checkpoint", metavar="FILE", help="any checkpoint for onnx and torchscript, a float one for vietocr")
    verb.add_argument("--format", choices=("onnx", "torchscript", "vietocr"), required=True, help="torchscript: CNN and encoder, for "
                      "programs with torch but without this package; whoever loads such a file runs what is in it")  # fmt: skip
    verb.add_argument("--out", required=True, metavar="FILE", help="the .onnx, .pt or .pth file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--verify", metavar="ANNOTATION", help="for onnx: read these lines with torch and with each installed runtime, "
                      "and fail where more than 0.2 %% of the texts differ")  # fmt: skip
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("compare", help="one table: accuracy, size and time of checkpoints on the same lines")
    verb.set_defaults(verb=do.compare)
    verb.add_argument("--data", required=True, nargs="+", metavar="LINES", help="lines to read: annotations (path<TAB>text), recipes "
                      "(.yml, their lines are generated under --out) or folders of recipes; a table for each")  # fmt: skip
    verb.add_argument("--weights", required=True, nargs="+", metavar="FILE", help="checkpoints, a row each, in this order")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the tables, their pictures, the texts read and "
                      "the error analysis")  # fmt: skip
    verb.add_argument("--vietocr", action="store_true", help="first row: VietOCR's own code on the first float weights")
    verb.add_argument("--peer", nargs="+", action="extend", default=[], choices=("tesseract", "rapidocr"),
                      help="last rows: other readers on the same crops, where they are installed")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads, for every row (default 1; 0: as torch chooses)")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="draw N lines of each set, the same every time (default: all)")
    verb.add_argument("--workers", type=int, default=1, metavar="N", help="processes that generate a recipe's lines (default 1)")
    verb.add_argument("--repeats", type=int, default=3, metavar="N", help="timing rounds (default 3)")
    verb.add_argument("--wide", choices=("cut", "squeeze"), default="cut", help="how our engines read lines too wide for the "
                      "network: in parts where that is surer (default), or squeezed as VietOCR does")  # fmt: skip
    verb.add_argument("--again", nargs="+", type=int, choices=(0, 1, 2), default=(0,), help="other looks at lines in doubt: a row of "
                      "every checkpoint for each number named (default 0)")  # fmt: skip
    verb.add_argument("--words", nargs="+", default=("vi",), metavar="FILE", type=lambda name: None if name == "none" else name,
                      help="what our engines read lines in doubt again with: vi (default), a file of `words`, or none; of several, a "
                      "row of every checkpoint for each")  # fmt: skip
    verb.add_argument("--loops", nargs="+", choices=("count", "drop", "keep"), default=("count",), help="rules and leaders: count "
                      "their marks in the picture (default), leave out what is repeated, or keep it as VietOCR does; of several, a row "
                      "of every checkpoint for each")  # fmt: skip
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the table into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip
    verb.add_argument("--summary-into", nargs="+", default=(), metavar="FILE#NAME", help="the same with a row per reader over all "
                      "sets, without the tables of each")  # fmt: skip
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("methods", help="every quantization method from one float checkpoint, in one table")
    verb.set_defaults(verb=do.methods)
    verb.add_argument("--float", required=True, metavar="FILE", help="the float checkpoint")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines to calibrate and train on")
    verb.add_argument("--test", required=True, metavar="ANNOTATION", help="lines to read with every file")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the files and methods.md, .json, .png; a file that is there "
                      "from the same settings is not made again")  # fmt: skip
    verb.add_argument("--only", nargs="+", default=(), metavar="NAME", help="some methods (default: all)")
    verb.add_argument("--steps", type=int, default=200, metavar="N", help="training steps of each trained method (default %(default)s)")
    verb.add_argument("--lines", type=int, default=256, metavar="N", help="lines to calibrate on (default %(default)s)")
    verb.add_argument("--max-drop", type=float, default=0.1, metavar="PP", help="of CER against float, for mixed (default %(default)s)")
    verb.add_argument("--searched-lines", type=int, default=200, metavar="N", help="lines of --data that mixed reads (default %(default)s)")
    verb.add_argument("--train-config", metavar="YML", help="training settings, such as configs/qat.yml; data.train and data.valid are "
                      "replaced")  # fmt: skip
    verb.add_argument("--set", nargs="+", default=(), metavar="key=value", help="training settings one by one: train.max_lr=2e-5")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="draw N lines of --test, the same every time (default: all)")
    verb.add_argument("--repeats", type=int, default=3, metavar="N", help="timing rounds (default %(default)s)")
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads of every reader (default %(default)s)")
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the table into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("bench", help="how fast each engine reads on this machine, beside VietOCR's own code")
    verb.set_defaults(verb=do.bench)
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the tables, every time, a picture and ONNX files")
    verb.add_argument("--weights", nargs=2, metavar=("FLOAT", "INT8"), help="default: the shipped ones")
    verb.add_argument("--threads", nargs="+", type=int, default=(1, 2), metavar="N", help="thread counts (default 1 2)")
    verb.add_argument("--repeats", type=int, default=15, metavar="N", help="timed calls of a line (default 15), thrice a batch's")
    verb.add_argument("--quick", action="store_true", help="one timed call each, a batch of two lines")
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the tables into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip

    verb = verbs.add_parser("time", help="how long files of any kind take for a line's CNN and encoder on this machine")
    verb.set_defaults(verb=do.time)
    verb.add_argument("files", nargs="+", metavar="FILE", help=".safetensors, .pth, .onnx or .pt; loading a TorchScript file (.pt) "
                      "runs what is in it, so name only those that you made or trust")  # fmt: skip
    verb.add_argument("--width", type=int, default=320, metavar="PX", help="of the line, at the network's height (default 320)")
    verb.add_argument("--runs", type=int, default=30, metavar="N", help="timed runs of each file (default 30)")
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)

    verb = verbs.add_parser("confidence", help="fit what a checkpoint says of its own certainty to your lines")
    verb.set_defaults(verb=do.confidence)
    verb.add_argument("files", nargs="+", metavar="FILE", help=".safetensors checkpoints; the fit is written into them")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines with their texts, not those trained on")
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("score", help="how well whole receipts are read: lines found, characters, fields, time")
    verb.set_defaults(verb=do.score)
    verb.add_argument("--data", required=True, metavar="DIR", help="receipts of `synth --receipts`, or a recipe of them (.yml)")
    verb.add_argument("--weights", required=True, nargs="+", metavar="FILE", help="checkpoints, a row each, in this order")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the table, its picture and every error")
    verb.add_argument("--peer", nargs="+", action="extend", default=[], choices=("tesseract", "rapidocr"),
                      help="last rows: other readers on the same pictures, where they are installed")
    verb.add_argument("--detector", default="auto", choices=("auto", "rapidocr", "profile"), help="what finds the lines (default auto)")
    verb.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads, for every row (default 2)")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="the first N pictures (default: all)")
    verb.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make a recipe's pictures (default 1)")
    verb.add_argument("--resume", action="store_true", help="go on where a run into the same --out was interrupted")
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the table into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip

    verb = verbs.add_parser("synth", help="generate labelled lines as a VietOCR folder, or whole receipts")
    verb.set_defaults(verb=synth)
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for img/ and annotation.txt")
    verb.add_argument("--recipe", metavar="YML", help="make the lines of a recipe, or of a folder's recipes in a folder "
                      "each (data/README.md); it decides what --count to --seed would")  # fmt: skip
    verb.add_argument("--seal", action="store_true", help="write the hash of the lines made into the recipe")
    verb.add_argument("--receipts", action="store_true", help="whole receipts and forms, as photos and scans, with the truth about "
                      "each in a JSON file; --count is then of pictures")  # fmt: skip
    verb.add_argument("--lines", action="store_true", help="with --receipts: their lines too, cut out, in DIR/lines")
    verb.add_argument("--turned", type=float, metavar="SHARE", help="with --receipts: share that lies on a side or upside down")
    verb.add_argument("--count", type=int, metavar="N", help="how many lines")
    verb.add_argument("--text", nargs="+", metavar="FILE", help=".txt or .txt.gz, one sentence or paragraph a line")
    verb.add_argument("--fonts", nargs="+", metavar="PATH", help="font files or folders (default: the system's)")
    verb.add_argument("--style", choices=("receipt", "form", "letter", "poor_scan"), help="one kind of page (default: a mixture)")
    verb.add_argument("--degrade", type=float, metavar="X", help="0 clean print, 1 as in real use (default)")
    verb.add_argument("--seed", type=int, metavar="N", help="another seed, other lines (default 0)")
    verb.add_argument("--config", metavar="YML", help="training settings whose data.synth decides what --text to --degrade would")
    verb.add_argument("--misread-by", metavar="FILE", help="keep the lines alone that this checkpoint misreads, --count of them, to train "
                      "on; readings.tsv says how")  # fmt: skip
    verb.add_argument("--workers", type=int, default=1, metavar="N", help="processes; the lines are the same (default 1)")

    verb = verbs.add_parser("words", help="count the words of a text, which lines in doubt are then read again with")
    verb.set_defaults(verb=do.words)
    verb.add_argument("--text", nargs="+", required=True, metavar="FILE", help=".txt or .txt.gz, UTF-8")
    verb.add_argument("--out", required=True, metavar="FILE", help="the .npz file to write")
    verb.add_argument("--least-word", type=int, default=10, metavar="N", help="leave out rarer words (default %(default)s)")
    verb.add_argument("--least-pair", type=int, default=5, metavar="N", help="leave out rarer pairs of words (default %(default)s)")

    verb = verbs.add_parser("serve", help="a page on this computer to drop receipts on and see what is read")
    verb.set_defaults(verb=do.serve)
    verb.add_argument("--port", type=int, default=8000, metavar="N", help="on 127.0.0.1 (default %(default)s; 0: any that is free)")
    verb.add_argument("--weights", nargs=2, metavar=("INT8", "FLOAT"), help="what reads, and what it is compared with on request "
                      "(default: the shipped ones)")  # fmt: skip
    verb.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default 0: one per core)")

    verb = verbs.add_parser("fetch", help="download VietOCR's published vgg_seq2seq weights (90 MB)")
    verb.set_defaults(verb=do.fetch)
    verb.add_argument("--out", default="weights/vgg_seq2seq.pth", metavar="FILE", help="default: %(default)s")
    verb.add_argument("--url", help="take this address (https, or a Google Drive id) instead of the one in VietOCR's config")
    verb.add_argument("--blob-id", metavar="SHA1", help="git blob id that the file must have")
    return parser

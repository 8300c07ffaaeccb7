"""Where the shipped weights lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOAT, INT8 = (ROOT / "weights" / f"vgg_seq2seq-{kind}.safetensors" for kind in ("float16", "qat-int8"))

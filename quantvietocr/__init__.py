"""8-bit VietOCR for CPUs: quantization-aware training, conversion and reading of its checkpoints."""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"
__all__ = ["Predictor", "__version__"]

if TYPE_CHECKING:
    from .reading.predictor import Predictor


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: only those who read lines pay for it.
    if name == "Predictor":
        from .reading.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

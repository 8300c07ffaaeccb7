"""Line generator: labelled pictures of Vietnamese text lines from fonts and texts, the same for the same seed."""

from .config import SynthConfig
from .degrade import augment
from .generator import Line, LineGenerator

__all__ = ["Line", "LineGenerator", "SynthConfig", "augment"]

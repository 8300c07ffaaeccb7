"""Line generator: labelled pictures of Vietnamese text lines from fonts and texts, the same for the same seed."""
from quantvietocr.dataset.synth.config import SynthConfig
from quantvietocr.dataset.synth.degrade import augment
from quantvietocr.dataset.synth.generator import Line, LineGenerator

__all__ = ["Line", "LineGenerator", "SynthConfig", "augment"]

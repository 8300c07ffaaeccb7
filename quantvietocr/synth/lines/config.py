"""The knobs of the line generator."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UserError


class SynthError(UserError):
    """A knob, text file or font of the line generator cannot be used."""


STYLES = ("receipt", "form", "letter", "poor_scan", "mixture")  # mixture: of these and more


@dataclass(frozen=True)
class SynthConfig:
    """Everything that decides a generated line, together with a seed and an index.

    Raises:
        SynthError: a value makes no sense; the message names the knob.
    """

    texts: tuple[str, ...] = ()  # .txt or .txt.gz files, UTF-8, one sentence or paragraph per line
    fonts: tuple[str, ...] = ()  # font files or folders; () = the system's folders + matplotlib's DejaVu
    min_chars: int = 1  # characters per label, shortest
    max_chars: int = 110  # characters per label, longest
    max_width: int = 512  # pixels at height 32 that the reader keeps: longer lines get squeezed into it
    max_squeeze: float = 1.7  # how far past max_width a long line may run (1 = never squeezed)
    lengths: tuple[float, float, float] = (0.45, 0.30, 0.25)  # share of labels of 1-25, 25-60, 60-110 characters
    embedded_share: float = 0.5  # share of labels from the embedded source; 1 where there are no texts
    degrade: float = 1.0  # strength of scan/photo damage: 0 = clean print, 1 = as in real use
    # One or more of STYLES, for text, fonts and damage together; a style named twice comes up twice as often.
    style: str | tuple[str, ...] = "mixture"
    capitals: float = 0.0  # share of labels set in capitals, on top of those that are anyway
    rare: float = 0.0  # share of labels that get words with capitals of two marks, symbols and the like
    lists: float = 0.0  # share of labels that get an enumeration, or a number of repeated digits
    height: tuple[int, int] = (18, 72)  # pixels, height of the crop before the reader resizes it
    family_faces: int = 16  # faces kept per font family, so that a 70-file family costs no more than others

    def __post_init__(self) -> None:
        for name in ("texts", "fonts", "lengths", "height"):
            if isinstance(getattr(self, name), str):
                raise SynthError(f"synth: {name}={getattr(self, name)!r}: give a list, not one string")
            object.__setattr__(self, name, tuple(getattr(self, name)))  # YAML gives lists; the config stays hashable
        if not 1 <= self.min_chars <= self.max_chars:
            raise SynthError(
                f"synth: min_chars={self.min_chars} and max_chars={self.max_chars}: set 1 <= min_chars <= max_chars"
            )
        if not isinstance(self.style, str):
            object.__setattr__(self, "style", tuple(self.style))
        for style in self.styles:
            if style not in STYLES:
                raise SynthError(f"synth: style={style!r} is unknown: use {', '.join(STYLES)}")
        if not self.styles:
            raise SynthError(f"synth: style is empty: name one or more of {', '.join(STYLES)}")
        for name in ("capitals", "rare", "lists", "embedded_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SynthError(f"synth: {name}={getattr(self, name)}: set a share between 0 and 1")
        if self.degrade < 0 or self.max_squeeze < 1 or self.max_width < 32:
            raise SynthError(
                f"synth: degrade={self.degrade}, max_squeeze={self.max_squeeze}, "
                f"max_width={self.max_width}: need degrade >= 0, max_squeeze >= 1, max_width >= 32"
            )
        if not 12 <= self.height[0] <= self.height[1] <= 120:
            raise SynthError(f"synth: height={self.height}: set 12 <= lowest <= highest <= 120 pixels")
        if len(self.lengths) != 3 or min(self.lengths) < 0 or sum(self.lengths) <= 0:
            raise SynthError(f"synth: lengths={self.lengths}: give three shares, none negative")

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles as a tuple, also where `style` names a single one."""
        return (self.style,) if isinstance(self.style, str) else self.style

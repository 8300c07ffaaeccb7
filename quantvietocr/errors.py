"""The errors that are for people: one sentence, no traceback. Anything else is a defect and shows where it happened."""

from __future__ import annotations


def _user_errors() -> tuple[type[Exception], ...]:
    from .checkpoint import CheckpointError
    from .config import ConfigError
    from .dataset.annotation import AnnotationError
    from .engines.base import EngineError
    from .image import ImageError
    from .vocab import VocabError

    return (CheckpointError, ConfigError, AnnotationError, EngineError, ImageError, VocabError, UserError)


class UserError(Exception):
    """Base of the package's other one-sentence errors."""


USER_ERRORS = _user_errors()

"""The checkpoint file: what it is in memory, and how it is read and written."""

from .files import float_meta, read, sha256, write
from .types import METADATA_KEY, VGG19_POOLS, Checkpoint, CheckpointError, Layer, Meta
from .validation import validate

__all__ = [
    "METADATA_KEY",
    "VGG19_POOLS",
    "Checkpoint",
    "CheckpointError",
    "Layer",
    "Meta",
    "float_meta",
    "read",
    "sha256",
    "validate",
    "write",
]

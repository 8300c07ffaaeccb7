"""YAML and JSON that somebody else wrote: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any

NESTED = "its values are nested too deeply"


def yaml_of(text: str | bytes) -> Any:
    """What a YAML text holds; nothing in it is executed. Raises ValueError, whose first line says what is wrong."""
    import yaml  # not for JSON alone

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError(NESTED) from error


def json_of(text: str | bytes) -> Any:
    """What a JSON text holds. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(NESTED) from error

"""Settings as YAML ⇄ dataclasses, with `key=value` overrides. An unknown key is an error that names its neighbours."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ..errors import UserError
from .files import ReadErrors, read_text

T = TypeVar("T")


class ConfigError(UserError):
    """A setting is unknown, of the wrong type or out of range; the message names the key and the file."""


def override(tree: dict[str, Any], text: str) -> None:
    """Set `section.key=value` in plain YAML values; the value is YAML too. Raises ConfigError."""
    key, separator, written = text.partition("=")
    if not separator:
        raise ConfigError(f"Override {text!r} is not of the form key=value, e.g. train.steps=200.")
    try:
        value = yaml.safe_load(written) if written else None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-13-01 looks like a date and is none
        raise ConfigError(f"Override {text!r}: the value is not readable as YAML.") from error
    node = tree
    *parents, last = key.strip().split(".")
    for parent in parents:
        if node.get(parent) is None:
            node[parent] = {}
        node = node[parent]
        if not isinstance(node, dict):
            raise ConfigError(f"Override {text!r}: {parent} holds a value, not settings.")
    if value is not None or not isinstance(node.get(last), dict):  # an empty section changes nothing
        node[last] = value


def read_tree(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A file's values over those of its base, `base: other.yml` in it. above: the files that led here. Raises
    ConfigError."""
    if path.resolve() in above:
        raise ConfigError(
            f"{path} is its own base, through {' and '.join(file.name for file in above)}: take `base:` out of "
            "one of them."
        )
    unreadable = "{path} cannot be read ({reason}): name a YAML file with settings."
    text = read_text(path, ReadErrors(ConfigError, "No such config file: {path}.", unreadable))
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-13-01 looks like a date and is none
        raise ConfigError(f"{path} is not readable as YAML: {str(error).splitlines()[0]}.") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds {type(tree).__name__}, not key: value settings.")
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{path}: base must be the name of another config file, not {base!r}.")
    return _merge(read_tree(path.parent / base, (*above, path.resolve())), tree)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        section = isinstance(merged.get(key), dict)
        if section and isinstance(value, dict):
            merged[key] = _merge(merged[key], value)
        elif not section or value is not None:  # an empty section changes nothing
            merged[key] = value
    return merged


def build(kind: type[T], tree: Any, where: str, prefix: str = "") -> T:
    """Turn plain YAML values into dataclass `kind`, checking names and types. Raises ConfigError."""
    if not isinstance(tree, dict):
        raise ConfigError(f"{where}: {prefix or 'the file'} must hold key: value settings, not {tree!r}.")
    hints = typing.get_type_hints(kind)
    unknown = [key for key in tree if key not in hints]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), hints, n=1)
        meant = f"; did you mean {prefix}{near[0]}?" if near else f"; known: {', '.join(hints)}."
        raise ConfigError(f"{where}: unknown setting {prefix}{unknown[0]}{meant}")
    values = {key: _value(hints[key], value, where, prefix + key) for key, value in tree.items()}
    return kind(**values)


def _value(kind: Any, value: Any, where: str, key: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return build(kind, {} if value is None else value, where, key + ".")
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        if value is None:
            return None
        (kind,) = [option for option in typing.get_args(kind) if option is not type(None)]
        return _value(kind, value, where, key)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: {key} must be a list, not {value!r}.")
        (inner,) = typing.get_args(kind)
        return [_value(inner, item, where, f"{key}[{index}]") for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {key} must hold name: value pairs, not {value!r}.")
        _, inner = typing.get_args(kind)
        return {str(name): _value(inner, item, where, f"{key}[{name}]") for name, item in value.items()}
    if kind is float and isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-4 as text
        except ValueError:
            pass
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{where}: {key} must be {kind.__name__}, not {value!r}.")
    return value


def to_yaml(config: Any) -> str:
    """The settings as YAML, so that a run's folder says how it was made."""
    return yaml.safe_dump(dataclasses.asdict(config), allow_unicode=True, sort_keys=False)

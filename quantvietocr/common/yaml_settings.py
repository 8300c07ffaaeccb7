"""Settings: YAML to dataclasses and back, `key=value` overrides; a mistake is one sentence with its remedy."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import yaml

from ..errors import UserError
from .files import ReadErrors, read_text
from .parsing import yaml_of

T = TypeVar("T")
Source: TypeAlias = Callable[[str], str]  # a key's file, or the command line


class ConfigError(UserError):
    """A setting is unknown, of the wrong type or out of range; the message names the key and the file."""


# Written so that nan fails each of them.
def _positive(value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"is {value}; it must be greater than 0, and finite.")


def _not_negative(value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"is {value}; it must be 0 or more, and finite.")


def _between_0_and_1(value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"is {value}; it must lie between 0 and 1.")


PositiveInt = Annotated[int, _positive]
PositiveFloat = Annotated[float, _positive]
NotNegativeInt = Annotated[int, _not_negative]
NotNegativeFloat = Annotated[float, _not_negative]
Share = Annotated[float, _between_0_and_1]


def override(tree: dict[str, Any], text: str) -> str:
    """Set `section.key=value` in plain YAML values; the value is YAML too.

    Args:
        tree: the values, which are changed.
        text: what was typed.

    Returns:
        The dotted key.

    Raises:
        ConfigError: the text has no key and value, or its key leads through a value.
    """
    key, separator, written = text.partition("=")
    if not separator:
        raise ConfigError(f"Override {text!r} is not of the form key=value, e.g. train.steps=200.")
    try:
        value = yaml_of(written) if written else None
    except ValueError as error:
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
    return key.strip()


def read_tree(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a file's values over those of its base, the file that `base: other.yml` in it names.

    Args:
        path: the file.
        above: the files that led here as bases.

    Raises:
        ConfigError: a file is missing, not readable as YAML, or its own base.
    """
    if path.resolve() in above:
        raise ConfigError(
            f"{path} is its own base, through {' and '.join(file.name for file in above)}: take `base:` out of "
            "one of them."
        )
    unreadable = "{path} cannot be read ({reason}): name a YAML file with settings."
    text = read_text(path, ReadErrors(ConfigError, "No such config file: {path}.", unreadable))
    try:
        tree = yaml_of(text)
    except ValueError as error:
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


def build(kind: type[T], tree: Any, where: str, typed: Sequence[str] = ()) -> T:
    """Turn plain YAML values into a dataclass, checking names, types and what `Annotated` says of them.

    Args:
        kind: the dataclass. Its fields are str, int, float, bool, `Literal`, lists, dicts and other dataclasses,
            `| None` where null is allowed; `Annotated[type, check]` calls `check(value)`, which raises ValueError.
        tree: what YAML gave.
        where: the file's name, for messages.
        typed: dotted keys that were typed on the command line, which is then named in place of the file.

    Raises:
        ConfigError: the first mistake, by its key.
    """

    def source(key: str) -> str:
        on_line = any(key == other or key.startswith((f"{other}.", f"{other}[")) for other in typed)
        return "the command line" if on_line else where

    return _section(kind, tree, source, "", _dotted(kind))


def _section(kind: type[T], tree: Any, source: Source, prefix: str, known: Sequence[str]) -> T:
    if not isinstance(tree, dict):
        raise ConfigError(f"{source(prefix[:-1])}: {prefix or 'the file'} must hold key: value settings, not {tree!r}.")
    hints = typing.get_type_hints(kind, include_extras=True)
    for key in tree:
        if key not in hints:
            raise ConfigError(f"{source(f'{prefix}{key}')}: unknown setting {_meant(prefix, str(key), hints, known)}")
    return kind(**{key: _value(hints[key], value, source, prefix + key, known) for key, value in tree.items()})


def _meant(prefix: str, key: str, hints: Iterable[str], known: Sequence[str]) -> str:
    """An unknown key, and what it may have meant: one like it beside it, or its namesake in another section."""
    if near := difflib.get_close_matches(key, hints, n=1):
        return f"{prefix}{key}; did you mean {prefix}{near[0]}?"
    if elsewhere := [name for name in known if name.split(".")[-1] == key]:
        return f"{prefix}{key}; did you mean {elsewhere[0]}?"
    return f"{prefix}{key}; known: {', '.join(hints)}."


def _dotted(kind: Any) -> list[str]:
    """Dotted names of every setting of a dataclass and its sections."""
    return [
        f"{name}.{below}" if below else name
        for name, hint in typing.get_type_hints(kind).items()
        for below in (_dotted(hint) if dataclasses.is_dataclass(hint) else [""])
    ]


def _value(kind: Any, value: Any, source: Source, key: str, known: Sequence[str]) -> Any:
    """A value of the type that `kind` says, or a ConfigError."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _section(kind, {} if value is None else value, source, key + ".", known)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        checked = _value(parts[0], value, source, key, known)
        try:
            parts[1](checked)
        except ValueError as error:
            raise ConfigError(f"{key} {error}") from error
        return checked
    if origin is types.UnionType or origin is typing.Union:
        (inner,) = [option for option in parts if option is not type(None)]
        return None if value is None else _value(inner, value, source, key, known)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{source(key)}: {key} must be a list, not {value!r}.")
        return [_value(parts[0], item, source, f"{key}[{index}]", known) for index, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{source(key)}: {key} must hold name: value pairs, not {value!r}.")
        return {str(name): _value(parts[1], item, source, f"{key}[{name}]", known) for name, item in value.items()}
    if origin is typing.Literal:
        if isinstance(value, str) and value not in parts:
            raise ConfigError(f"{key} is {value!r}; it must be one of {', '.join(parts)}.")
        return _plain(str, value, source, key)
    return _plain(kind, value, source, key)


def _plain(kind: type, value: Any, source: Source, key: str) -> Any:
    """A str, int, float or bool."""
    if kind is float and isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-4 as text
        except ValueError:
            pass
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{source(key)}: {key} must be {kind.__name__}, not {value!r}.")
    return value


def to_yaml(config: Any) -> str:
    """The settings as YAML, so that a run's folder says how it was made."""
    return yaml.safe_dump(dataclasses.asdict(config), allow_unicode=True, sort_keys=False)

"""JSON in one canonical layout, made to be read and compared by people: what fits in a line stays in a line."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from typing import Any, Final

__all__ = ["canonical_json"]

_WIDTH: Final = 120


def canonical_json(value: Any) -> str:
    """The value as JSON: two spaces a level, keys in their given order, decimals digit by digit as they are.

    The outermost object always stands on lines of its own; an inner object or list stays on one line where it fits.

    :raises TypeError: the value holds something that JSON has no form for
    """
    return _block(value, 0) if isinstance(value, dict | list | tuple) and value else _line(value)


def _line(value: Any) -> str:  # noqa: PLR0911  # one line per type reads best
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value.value if isinstance(value, Enum) else value, ensure_ascii=False)
        case int():
            return str(int(value))
        case Decimal():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{_line(key)}: {_line(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_line, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def _block(value: Any, indent: int) -> str:
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [_member(f"{_line(key)}: ", item, indent + 2) for key, item in value.items()]
        begin, end = "{", "}"
    else:
        parts = [_member("", item, indent + 2) for item in value]
        begin, end = "[", "]"
    return begin + "\n" + ",\n".join(inner + part for part in parts) + "\n" + " " * indent + end


def _member(name: str, value: Any, indent: int) -> str:
    line = _line(value)
    # One place for the comma behind it.
    if indent + len(name) + len(line) + 1 <= _WIDTH or not isinstance(value, dict | list | tuple) or not value:
        return name + line
    return name + _block(value, indent)

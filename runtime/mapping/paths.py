"""Paths into a record: ``DocDate``, ``Address.City``, ``DocumentLines[0].ItemCode``, ``DocumentLines.Quantity``.

A name applied to a list yields the list of that field of every element, for an aggregate (``sum``, ``join`` …) to make
one value of. A part that is null makes the whole path null. A field that does not exist is an error: a column that
vanished must not become an empty value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from runtime.errors import BadMapping, MappingFailed

__all__ = ["compile_path", "missing_field", "parse_path"]

_PART = re.compile(r"""\[(-?\d{1,6})\]|\[(?:'([^']+)'|"([^"]+)")\]|(?:^|(?<!^)\.)([^.\[\]]+)""")


def parse_path(path: str, where: str = "") -> tuple[str | int, ...]:
    """The parts of a path: names and indexes. A name with a dot or bracket in it is written ``['a.b']``.

    :raises BadMapping: it is not a path
    """
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        found = _PART.match(path, position)
        if found is None:
            break
        parts.append(int(found[1]) if found[1] else found[2] or found[3] or found[4])
        position = found.end()
    if not parts or position < len(path):
        raise BadMapping(
            f"“{path}”不是字段路径，例如 DocDate、Address.City、DocumentLines[0].ItemCode",
            f"{path!r} is not a field path such as DocDate, Address.City or DocumentLines[0].ItemCode",
            where=where,
        )
    return tuple(parts)


def compile_path(path: str, where: str = "") -> Callable[[Any], Any]:
    """The function that reads the path from a record; it raises MappingFailed where the path leads nowhere.

    :raises BadMapping: it is not a path
    """
    parts = parse_path(path, where)

    def read(record: Any) -> Any:
        value = record
        for part in parts:
            if value is None:
                return None
            value = _step(value, part, path)
        return value

    return read


def _step(value: Any, part: str | int, path: str) -> Any:
    if isinstance(part, int):
        if isinstance(value, list | tuple) and -len(value) <= part < len(value):
            return value[part]
        raise MappingFailed(f"路径“{path}”的第 [{part}] 项不存在", f"Path {path!r}: there is no element [{part}]")
    if isinstance(value, Mapping):
        if part in value:
            return value[part]
    elif isinstance(value, list | tuple):
        return [None if element is None else _step(element, part, path) for element in value]
    raise missing_field(part, path)


def missing_field(name: str, path: str) -> MappingFailed:
    """The error for a field that the record does not have."""
    inside_zh, inside_en = (f"（路径“{path}”）", f" (path {path!r})") if path != name else ("", "")
    return MappingFailed(
        f"来源数据里没有字段“{name}”{inside_zh}", f"The source record has no field {name!r}{inside_en}"
    )

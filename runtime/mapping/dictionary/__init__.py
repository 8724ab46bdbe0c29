"""What consultants call the standard fields of SAP Business One: Chinese names for properties of its Service Layer."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

__all__ = ["field_names"]


def field_names(entity: str, group: str, name: str) -> tuple[str, ...]:
    """The Chinese names of a field, the usual one first; empty for a field that the dictionary does not know.

    :param entity: entity set, e.g. ``Drafts``
    :param group: detail collection, e.g. ``DocumentLines``; empty for the header, which also names the collections
    """
    dictionary = _dictionary()
    for scope in (entity, "*"):
        names = dictionary.get(scope, {}).get(group, {}).get(name)
        if names:
            return tuple(names)
    return ()


@cache
def _dictionary() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Entity set (``*`` = any) → detail collection → property → names."""
    content = files(__package__).joinpath("b1.json").read_text("utf-8")
    entities: dict[str, dict[str, dict[str, list[str]]]] = json.loads(content)
    return entities

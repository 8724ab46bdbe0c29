"""What SAP Business One calls its fields: Chinese name, property of the Service Layer, column of the database.

The data stands in ``data/*.txt``, one field a line: property, column (``=``: the same word, ``-``: none or not known),
type, names. A section begins with the entity sets, their tables in the same order, and the detail collection that its
fields belong to; ``*`` is any. Properties and types are those of the Service Layer's ``$metadata``, names those of the
Chinese client and of projects; the usual name comes first, and so does the field that is used more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

__all__ = ["Entry", "field_names", "find_column", "find_property", "known_fields", "place_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A field that the dictionary knows."""

    #: Detail collection of the Service Layer, e.g. ``DocumentLines``; empty for the header.
    group: str
    #: Property of the Service Layer.
    property: str
    #: Column of the database; empty where there is none.
    column: str
    #: ``text integer decimal date time boolean enum``, or ``table`` for a detail collection
    type: str
    #: Chinese names, the usual one first.
    names: tuple[str, ...]
    #: Place in its section of the data, from 0; what is used more stands further up.
    rank: int = 0


def field_names(entity: str, group: str, name: str) -> tuple[str, ...]:
    """The Chinese names of a field, the usual one first; empty for a field that the dictionary does not know.

    :param entity: entity set, e.g. ``Drafts``
    :param group: detail collection, e.g. ``DocumentLines``; empty for the header, which also names the collections
    """
    found = find_property(entity, group, name)
    return found.names if found else ()


def find_property(entity: str, group: str, name: str) -> Entry | None:
    """What the dictionary knows of a property of the Service Layer; user fields are known by name in any entity."""
    index = _dictionary().properties
    return _merged(index.get(place, {}).get(name) for place in _places(entity, group))


def find_column(table: str, column: str) -> Entry | None:
    """What the dictionary knows of a column, e.g. ``ODRF``, ``DocDate``; case does not matter.

    A column of an unknown table is known if it is a user field that projects share.
    """
    dictionary, wanted, folded = _dictionary(), column.casefold(), table.casefold()
    groups = dictionary.groups.get(folded, ("",))
    found = dictionary.columns.get(folded, {}).get(wanted)
    return _merged([found, *(dictionary.shared.get(group, {}).get(wanted) for group in groups)])


def known_fields(entity: str, group: str) -> tuple[Entry, ...]:
    """All fields of an entity's header or detail collection that the dictionary knows, in its order."""
    index = _dictionary().properties
    names = dict.fromkeys(name for place in _places(entity, group) for name in index.get(place, {}))
    found = (find_property(entity, group, name) for name in names)
    return tuple(entry for entry in found if entry is not None and entry.type != "table")


def place_of(table: str) -> tuple[str, str]:
    """The entity set and the collection that a table holds, e.g. ``PurchaseOrders``, ``DocumentLines`` for ``POR1``.

    Both are empty for a table that is not known; so is the collection of a header.
    """
    return _dictionary().places.get(table.casefold(), ("", ""))


def _places(entity: str, group: str) -> tuple[tuple[str, str], ...]:
    return ((entity, group), ("*", group))


def _merged(found: Iterable[Entry | None]) -> Entry | None:
    """One entry with the names of all, the first one's first."""
    entries = [entry for entry in found if entry is not None]
    if not entries:
        return None
    names = tuple(dict.fromkeys(name for entry in entries for name in entry.names))
    return replace(entries[0], names=names)


@dataclass(frozen=True, slots=True)
class _Dictionary:
    #: (entity set, collection) → property → entry
    properties: dict[tuple[str, str], dict[str, Entry]]
    #: Table, case folded → column, case folded → entry
    columns: dict[str, dict[str, Entry]]
    #: Table, case folded → collections that it holds
    groups: dict[str, tuple[str, ...]]
    #: Table, case folded → (entity set, collection)
    places: dict[str, tuple[str, str]]
    #: Collection → user field of any table, case folded → entry
    shared: dict[str, dict[str, Entry]]


@cache
def _dictionary() -> _Dictionary:
    found = _Dictionary({}, {}, {}, {}, {})
    folder = files(__package__).joinpath("data")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        entities: list[str] = []
        tables: list[str] = []
        group, rank = "", 0
        for line in file.read_text("utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            cells = [cell.strip() for cell in line.removeprefix("=").split("|")]
            if line.startswith("="):
                entities, tables = cells[0].split(), [] if cells[1] == "-" else cells[1].casefold().split()
                group, rank = "" if cells[2] == "-" else cells[2], 0
                for entity, table in zip(entities, tables, strict=False):
                    found.places.setdefault(table, (entity, group))
                continue
            entry = _entry(cells, group, rank)
            rank += 1
            if "*" in entities and entry.property.startswith("U_"):
                _add(found.shared.setdefault(group, {}), entry.property.casefold(), entry)
            for entity in entities:
                _add(found.properties.setdefault((entity, group), {}), entry.property, entry)
            for table in tables:
                found.groups[table] = tuple(dict.fromkeys((*found.groups.get(table, ()), group)))
                if entry.column:
                    _add(found.columns.setdefault(table, {}), entry.column.casefold(), entry)
    return found


def _entry(cells: Sequence[str], group: str, rank: int) -> Entry:
    name, column, kind, names = cells
    column = {"=": name, "-": ""}.get(column, column)
    return Entry(group=group, property=name, column=column, type=kind, names=tuple(names.split(", ")), rank=rank)


def _add(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    entries[name] = _merged((entries.get(name), entry)) or entry

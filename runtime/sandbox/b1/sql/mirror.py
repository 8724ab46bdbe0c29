"""The company's rows as B1's own tables, in a SQLite data base in memory that follows every change."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from ..rows import Company, Row
from ..schema import EntityType, Property, Schema
from ..tables import SetRow
from .columns import COLUMNS, CONSTANTS, DB_VALUES, LINE_TABLES, PARENT_COLUMNS
from .functions import register

__all__ = ["Mirror", "Table"]

_AFFINITY: Final = {"int": "INTEGER", "num": "REAL", "time": "INTEGER"}

#: Makes the value of a column from the stored value of its property.
Convert = Callable[[Any], Any]


@dataclass
class Table:
    """One table: its columns in order by name in lower case."""

    name: str
    #: Lower-case name -> (name, SQLite type, whether it holds dates).
    columns: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    #: Columns of the record's key; a line carries them too.
    key: tuple[str, ...] = ()

    def add(self, name: str, affinity: str, *, is_date: bool = False) -> None:
        """Add a column; one of this name that is there stays."""
        self.columns.setdefault(name.lower(), (name, affinity, is_date))


@dataclass(frozen=True)
class _Layout:
    """Where the rows of one set, or of one collection in them, go."""

    table: Table
    #: (column, property, how to convert), beside the key.
    fields: tuple[tuple[str, str, Convert], ...]
    #: The collection that holds the lines; empty = the rows themselves.
    collection: str = ""


class Mirror:
    """B1's tables over a company. :meth:`refresh` brings in what changed since; nothing else writes here.

    :param schema: the schema that is valid now; a new object means that fields or tables changed
    """

    def __init__(self, company: Company, schema: Callable[[], Schema]) -> None:
        self._company = company
        self._schema = schema
        self._known: Schema | None = None
        self._layouts: dict[str, list[_Layout]] = {}
        #: Tables by name in upper case.
        self.tables: dict[str, Table] = {}
        #: Seconds that the tables may be behind the company, as a replica is.
        self.lag = 0.0
        self._refreshed = 0.0
        self.connection = self._open()

    def refresh(self) -> None:
        """Make the tables say what the Service Layer says now, or said :attr:`lag` seconds ago."""
        schema = self._schema()
        if schema is not self._known:
            self._rebuild(schema)
        elif time.monotonic() < self._refreshed + self.lag:
            return
        self._refreshed = time.monotonic()
        for name, layouts in self._layouts.items():
            rows = self._company.sets[name]
            for key in sorted(rows.changed):
                parts = key if isinstance(key, tuple) else (key,)
                row = rows.get(key)
                for layout in layouts:
                    self._replace(layout, parts, row)
            rows.changed.clear()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA case_sensitive_like = ON")
        register(connection)
        return connection

    def _rebuild(self, schema: Schema) -> None:
        self.connection.close()
        self.connection = self._open()
        self.tables = {"DUMMY": Table("DUMMY")}
        self.tables["DUMMY"].add("DUMMY", "TEXT")
        self._layouts = {}
        for definition in schema.sets.values():
            if definition.table:
                self._layouts[definition.name] = list(self._lay_out(definition, schema))
                rows = self._company.sets[definition.name]
                rows.changed.update(rows.keys)
        for table in self.tables.values():
            for name, value in CONSTANTS.get(table.name, {}).items():
                table.add(name, f"DEFAULT {value!r}")
            columns = ", ".join(f'"{name}" {affinity}' for name, affinity, _ in table.columns.values())
            self.connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
            if table.key:
                key = ", ".join(f'"{name}"' for name in table.key)
                self.connection.execute(f'CREATE INDEX "key of {table.name}" ON "{table.name}" ({key})')
        self.connection.execute("INSERT INTO DUMMY VALUES ('X')")
        self._known = schema

    def _lay_out(self, definition: SetRow, schema: Schema) -> Iterable[_Layout]:
        """The layouts of a set: its own table first, then those of its collections."""
        entity_type = schema.type_of(definition.name)
        names = _column_names(entity_type)
        key = tuple(names[name][0] for name in entity_type.key)
        yield self._layout(definition.table, key, entity_type, names)
        for collection, line_type in entity_type.line_types.items():
            table = LINE_TABLES.get((entity_type.name, collection), "")
            if entity_type.name in {"Document", "StockTransfer"}:
                table = f"{definition.table[1:]}1"
            elif definition.table.startswith("@"):
                table = f"@{line_type.name}"
            if table:
                parent = PARENT_COLUMNS.get(table, key)
                yield self._layout(table, parent, line_type, _column_names(line_type), collection)

    def _layout(
        self,
        name: str,
        key: tuple[str, ...],
        entity_type: EntityType,
        names: Mapping[str, tuple[str, ...]],
        collection: str = "",
    ) -> _Layout:
        table = self.tables.setdefault(name.upper(), Table(name, key=key))
        kinds = {column: entity_type.properties[prop].kind for prop in names for column in names[prop]}
        for column in key:
            table.add(column, "INTEGER" if column in _NUMBER_KEYS else _AFFINITY.get(kinds.get(column, ""), "TEXT"))
        fields = []
        for prop, columns in names.items():
            for column in columns:
                if column in key:
                    continue
                kind = entity_type.properties[prop].kind
                table.add(column, _AFFINITY.get(kind, "TEXT"), is_date=kind == "date")
                fields.append((column, prop, _converter(entity_type, entity_type.properties[prop], column)))
        return _Layout(table, tuple(fields), collection)

    def _replace(self, layout: _Layout, key: tuple[Any, ...], row: Row | None) -> None:
        table = layout.table
        where = " AND ".join(f'"{name}" = ?' for name in table.key)
        self.connection.execute(f'DELETE FROM "{table.name}" WHERE {where}', key)  # noqa: S608 - names are our own
        if row is None:
            return
        lines = row.get(layout.collection, []) if layout.collection else [row]
        names = ", ".join(f'"{name}"' for name in (*table.key, *(column for column, _, _ in layout.fields)))
        marks = ", ".join("?" * (len(key) + len(layout.fields)))
        self.connection.executemany(
            f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})',  # noqa: S608 - names are our own
            [
                (*key, *(None if line.get(prop) is None else convert(line[prop]) for _, prop, convert in layout.fields))
                for line in lines
            ],
        )


#: Keys that are numbers where a line has no property of its own that says so.
_NUMBER_KEYS: Final = frozenset({"DocEntry", "WddCode", "WstCode", "WtmCode", "AbsEntry", "USERID", "empID"})


def _column_names(entity_type: EntityType) -> dict[str, tuple[str, ...]]:
    """Property -> its columns. User-defined types and user fields are called the same on both sides."""
    listed = COLUMNS.get(entity_type.name)
    names: dict[str, tuple[str, ...]] = {}
    if listed is None:
        return {name: (name,) for name, prop in entity_type.properties.items() if prop.kind != "lines"}
    for pair in listed.split():
        prop, _, column = pair.partition("=")
        names[prop] = (*names.get(prop, ()), column or prop)
    return names | {name: (name,) for name in entity_type.properties if name.startswith("U_")}


def _converter(entity_type: EntityType, prop: Property, column: str) -> Convert:
    values = DB_VALUES.get((entity_type.name, prop.name))
    if values is None and prop.enum is not None:
        values = dict(prop.enum.members)
    if values is not None:
        known = values
        return lambda value: known.get(value, value)
    if prop.kind == "time":
        digits = 6 if column.endswith("TS") else 4
        return lambda value: int(value.replace(":", "")[:digits])
    return lambda value: float(value) if isinstance(value, Decimal) else value

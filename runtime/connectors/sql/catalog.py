"""What can be read, for the field picker: tables and views with their columns, by inspection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import NoSuchTableError

from runtime.connectors.catalog import Catalog, Entity, SourceField
from runtime.connectors.sql.client import Database
from runtime.errors import NotFound
from runtime.mapping.dictionary import find_column

__all__ = ["SqlCatalog"]

#: Seconds for which the list of tables is kept.
_KEEP = 900.0
#: Python's type of a column → ours.
_TYPES = {"bool": "boolean", "int": "integer", "float": "decimal", "Decimal": "decimal", "date": "date"}
_TYPES |= {"datetime": "date", "time": "time", "timedelta": "time", "str": "text"}


class SqlCatalog(Catalog):
    """The tables and views of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._entities: Sequence[Entity] | None = None
        self._fetched = 0.0

    async def entities(self) -> Sequence[Entity]:
        """Tables and views, sorted by name; their keys are read with their fields only."""
        async with self._lock:
            if self._entities is None or time.monotonic() - self._fetched > _KEEP:
                self._entities = await self._database.run(self._list)
                self._fetched = time.monotonic()
            return self._entities

    async def fields(self, entity: str) -> Sequence[SourceField]:
        """The columns of a table or view.

        :raises NotFound: there is none of this name
        """

        def look(connection: Connection) -> list[SourceField] | None:
            try:
                columns = inspect(connection).get_columns(entity, schema=self._schema)
            except NoSuchTableError:
                return None
            return [_field(entity, column["name"], column["type"]) for column in columns]

        found = await self._database.run(look)
        if not found:
            raise NotFound("没有此表或视图", "There is no such table or view", where=f"{self._database.name} {entity}")
        return found

    @property
    def _schema(self) -> str | None:
        return self._database.settings.db_schema or None

    def _list(self, connection: Connection) -> Sequence[Entity]:
        inspector = inspect(connection)
        names = {*inspector.get_table_names(schema=self._schema), *inspector.get_view_names(schema=self._schema)}
        return [Entity(name=name, key=()) for name in sorted(names)]


def _field(entity: str, name: str, declared: Any) -> SourceField:
    try:
        kind = _TYPES.get(declared.python_type.__name__, "text")
    except NotImplementedError:  # a type that only this database has
        kind = "text"
    known = find_column(entity, name)
    return SourceField(name=name, type=kind, label=known.names[0] if known else "", custom=name.startswith("U_"))

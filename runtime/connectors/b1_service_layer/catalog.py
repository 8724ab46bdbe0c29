"""What can be read, for the field picker: entity sets and fields from ``$metadata``, user fields from UserFieldsMD.

A server node learns of a new user field in ``$metadata`` only after a restart (each node keeps its own copy), so
``UserFieldsMD`` has the last word on them, and it alone knows their descriptions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.known_sets import KNOWN_SETS, KeyField, KnownSet
from runtime.connectors.b1_service_layer.metadata import Metadata, Property, parse_metadata
from runtime.connectors.b1_service_layer.odata import key_path, literal
from runtime.connectors.b1_service_layer.paging import PageReader, Selection
from runtime.connectors.catalog import Catalog, Entity, SourceField
from runtime.errors import NotFound, NotPermitted, RemoteRefused

__all__ = ["B1Catalog"]

#: Seconds for which a fetched ``$metadata`` (2 MB) is kept.
_KEEP = 900.0

_UDF_TYPES = {
    "db_Alpha": "text",
    "db_Memo": "text",
    "db_Numeric": "integer",
    "db_Float": "decimal",
    "db_Date": "date",
}


class B1Catalog(Catalog):
    """The entity sets and fields of one company."""

    def __init__(self, client: ServiceLayer) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._metadata: Metadata | None = None
        self._fetched = 0.0

    async def entities(self) -> Sequence[Entity]:
        """All entity sets, sorted by name."""
        return (await self.metadata()).entities()

    async def fields(self, entity: str) -> Sequence[SourceField]:
        """Header fields, then those of each detail collection, user fields with their description as label.

        :raises NotFound: there is no such entity set
        """
        metadata = await self.metadata()
        if entity not in metadata:
            raise NotFound("没有此实体集", "There is no such entity set", where=f"{self._client.name} {entity}")
        user_fields = await self._user_fields(await self._tables(entity))
        known = KNOWN_SETS.get(entity)
        lines = known.line_tables if known else {}
        declared = metadata.of_set(entity)
        header = [property for property in declared if not property.collection]
        found = _merged(metadata, "", header, user_fields.get("", {}))
        for collection in (property for property in declared if property.collection):
            rows = metadata.properties(collection.type)
            custom = user_fields.get(collection.name, {}) if collection.name in lines else {}
            found += _merged(metadata, collection.name, rows, custom)
        return found

    async def key(self, entity: str) -> tuple[KeyField, ...]:
        """The key of an entity set: from the list of well-known sets, else from ``$metadata``; empty if unknown."""
        known = KNOWN_SETS.get(entity)
        if known is not None:
            return known.key
        try:
            metadata = await self.metadata()
        except RemoteRefused:  # a server without $metadata still answers calls that need no key
            return ()
        return tuple(KeyField(*part) for part in metadata.key(entity)) if entity in metadata else ()

    async def metadata(self) -> Metadata:
        """The company's ``$metadata``, fetched once and kept for a while."""
        async with self._lock:
            if self._metadata is None or time.monotonic() - self._fetched > _KEEP:
                response = await self._client.read_raw(self._client.url("$metadata"), accept="application/xml")
                self._metadata = await asyncio.to_thread(parse_metadata, response.content)
                self._fetched = time.monotonic()
            return self._metadata

    async def _tables(self, entity: str) -> KnownSet:
        known = KNOWN_SETS.get(entity)
        if known is not None:
            return known
        if entity.startswith("U_"):
            return KnownSet((), (f"@{entity.removeprefix('U_')}",))
        try:
            definition = await self._client.record(self._client.url(key_path("UserObjectsMD", entity)))
        except RemoteRefused:  # a standard set that carries no user fields we know of
            return KnownSet(())
        return KnownSet((), (f"@{definition.get('TableName')}",))

    async def _user_fields(self, tables: KnownSet) -> dict[str, dict[str, SourceField]]:
        """Group ("" = header) -> property name -> field."""
        groups = {"": tables.header_tables, **tables.line_tables}
        group_of = {table: group for group, names in groups.items() for table in names}
        found: dict[str, dict[str, SourceField]] = {}
        if not group_of:
            return found
        try:
            async for row in self._definitions(group_of):
                group = group_of.get(str(row.get("TableName")))
                if group is not None:
                    field = _user_field(row, group)
                    found.setdefault(group, {}).setdefault(field.name, field)
        except (NotPermitted, NotFound):  # without the right to read definitions, $metadata still names the fields
            return {}
        return found

    def _definitions(self, tables: Iterable[str]) -> AsyncIterator[dict[str, Any]]:
        condition = " or ".join(f"TableName eq {literal(table)}" for table in tables)
        selection = Selection(entity="UserFieldsMD", filter=condition, orderby="TableName,FieldID", page_size=200)
        return PageReader(self._client, selection, key=None).rows()


def _merged(
    metadata: Metadata, group: str, declared: Sequence[Property], custom: dict[str, SourceField]
) -> list[SourceField]:
    names = {property.name for property in declared}
    found = [custom.get(property.name) or _field(metadata, group, property) for property in declared]
    return found + [field for name, field in custom.items() if name not in names]


def _field(metadata: Metadata, group: str, property: Property) -> SourceField:
    return SourceField(
        name=property.name,
        type=metadata.kind(property),
        group=group,
        custom=property.name.startswith("U_"),
        members=metadata.members(property),
    )


def _user_field(row: dict[str, Any], group: str) -> SourceField:
    members = tuple(str(valid.get("Value", "")) for valid in row.get("ValidValuesMD") or ())
    kind = "time" if row.get("SubType") == "st_Time" else _UDF_TYPES.get(str(row.get("Type")), "text")
    return SourceField(
        name=f"U_{row.get('Name', '')}",
        type="enum" if members else kind,
        group=group,
        label=str(row.get("Description") or ""),
        custom=True,
        members=members,
    )

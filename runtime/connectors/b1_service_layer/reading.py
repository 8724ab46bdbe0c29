"""Reading: keys put into the type of their property, single rows, streams, counts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runtime.connectors.b1_service_layer.actions import Count, Find, Get, Query
from runtime.connectors.b1_service_layer.answers import NO_RECORD
from runtime.connectors.b1_service_layer.catalog import B1Catalog
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.known_sets import KeyField
from runtime.connectors.b1_service_layer.odata import Key, conjunction, key_path, literal
from runtime.connectors.b1_service_layer.paging import PageReader, Selection
from runtime.connectors.statements.params import ExecSql
from runtime.errors import NotFound, RemoteFault, ValueRefused

if TYPE_CHECKING:
    from runtime.connectors.b1_service_layer.sql_queries import Definitions

__all__ = ["Reading"]


class Reading:
    """The actions that change nothing."""

    def __init__(self, client: ServiceLayer, catalog: B1Catalog) -> None:
        self._client = client
        self._catalog = catalog

    async def query(self, params: Query) -> AsyncIterator[dict[str, Any]]:
        """The rows, page after page, in constant memory."""
        if params.statement is not None:
            return self._definitions.joined(params, params.statement).rows()
        entity = params.entity or ""
        key = await self._catalog.key(entity)
        orderby = params.orderby
        by_key = len(key) == 1 and not orderby
        if not by_key and not orderby and key:
            orderby = ",".join(part.name for part in key)
        selection = Selection(
            entity=entity,
            select=params.select,
            filter=params.filter,
            orderby=orderby,
            expand=params.expand,
            top=params.top,
            page_size=params.page_size,
        )
        return PageReader(self._client, selection, key=key[0].name if by_key else None).rows()

    async def reread(self, params: Query, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A row of :meth:`query` as it is now, or None if it is gone or the filter no longer holds for it.

        :raises RemoteFault: the row does not carry its key
        """
        if params.statement is not None:
            return await self._definitions.joined(params, params.statement).again(row)
        entity = params.entity or ""
        names = await self.key_names(entity)
        if not names or any(name not in row for name in names):
            raise RemoteFault(
                "记录中缺少主键，无法再次读取",
                "The row lacks its key and cannot be read again",
                where=f"{self._client.name} {entity}",
            )
        same = await self.key_condition(entity, {name: row[name] for name in names})
        condition = conjunction(params.filter, same)
        found = await self.matching(entity, condition, select=params.select, limit=1)
        return found[0] if found else None

    async def find(self, params: Find) -> dict[str, Any] | None:
        """The row with this key, else the first that the filter finds, else None.

        :raises ValueRefused: neither key nor filter is given; any row at all would be the wrong one
        """
        if params.key is not None:
            try:
                return await self.get(Get(entity=params.entity, key=params.key, select=params.select))
            except NotFound as error:
                if error.code != NO_RECORD:  # no such entity set: a wrong set-up, not a missing row
                    raise
                return None
        found = await self.matching(params.entity, params.filter, select=params.select, limit=1)
        return found[0] if found else None

    async def matching(
        self, entity: str, condition: str | None, *, select: tuple[str, ...] = (), limit: int
    ) -> list[dict[str, Any]]:
        """At most ``limit`` rows for which the condition holds.

        :raises ValueRefused: the condition is empty
        """
        if not condition or not condition.strip():
            raise ValueRefused(
                "查找既没有主键也没有条件",
                "There is neither a key nor a filter to find a row by",
                where=f"{self._client.name} {entity}",
            )
        query = Query(entity=entity, select=select, filter=condition, top=limit, page_size=limit)
        return [row async for row in await self.query(query)]

    async def get(self, params: Get) -> dict[str, Any]:
        """The row with this key.

        :raises NotFound: there is none
        """
        options = {"$select": ",".join(params.select) or None}
        return await self._client.record(self._client.url(await self.path(params.entity, params.key), options))

    async def exec_sql(self, params: ExecSql) -> list[dict[str, Any]]:
        """All rows of one statement over the SQLQueries, named as B1 answers."""
        return await self._definitions.rows(params)

    async def count(self, params: Count) -> int:
        """How many rows the filter finds; the answer is a bare number."""
        url = self._client.url(f"{params.entity}/$count", {"$filter": conjunction(params.filter)})
        text = (await self._client.read_raw(url, accept="text/plain")).content.decode("utf-8-sig", "replace").strip()
        if not re.fullmatch(r"\d+", text):
            raise RemoteFault("$count 的答复不是数字", "The answer to $count is not a number", remote=text[:200])
        return int(text)

    async def path(self, entity: str, key: Key) -> str:
        """Address of a row below the service root, its key written in the type of the key property.

        :raises ValueRefused: the key is empty, incomplete or of the wrong kind
        """
        return key_path(entity, await self._typed(entity, key))

    async def key_condition(self, entity: str, key: Key) -> str:
        """A filter that holds for the row with this key."""
        typed = await self._typed(entity, key)
        if not isinstance(typed, dict):
            typed = {(await self._catalog.key(entity))[0].name: typed}
        return " and ".join(f"{name} eq {literal(value)}" for name, value in typed.items())

    async def key_names(self, entity: str) -> tuple[str, ...]:
        """Names of the key properties; empty if unknown."""
        return tuple(part.name for part in await self._catalog.key(entity))

    @cached_property
    def _definitions(self) -> Definitions:
        """The SQLQueries; the first statement loads the SQL parser."""
        from runtime.connectors.b1_service_layer.sql_queries import Definitions

        return Definitions(self._client)

    async def _typed(self, entity: str, key: Key) -> Key:
        where = f"{self._client.name} {entity}"
        fields = await self._catalog.key(entity)
        if isinstance(key, dict):
            wanted = {part.name for part in fields} or set(key)
            if set(key) != wanted or not key:
                names = ", ".join(part.name for part in fields)
                raise ValueRefused(f"主键须包含：{names}", f"The key must name exactly: {names}", where=where)
            types = {part.name: part for part in fields}
            return {name: _typed_value(types.get(name), value, f"{where}.{name}") for name, value in key.items()}
        if len(fields) > 1:
            names = ", ".join(part.name for part in fields)
            raise ValueRefused(
                f"此实体集的主键由多个字段组成：{names}",
                f"The key of this entity set has several parts: {names}",
                where=where,
            )
        typed: int | str | Decimal = _typed_value(fields[0] if fields else None, key, where)
        return typed


def _typed_value(field: KeyField | None, value: Any, where: str) -> Any:
    """Keys come from ledgers and forms as text: ``"5"`` means 5 where the property is a number, and the reverse."""
    if value is None or value == "":
        raise ValueRefused("主键为空", "The key is empty", where=where)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if field is None:
        return value
    if field.type == "integer":
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d+\s*", value):
            return int(value)
        if not isinstance(value, int):
            raise ValueRefused(
                f"主键应为整数，而不是 {value!r}", f"The key is a whole number, not {value!r}", where=where
            )
    return str(value) if field.type == "text" else value

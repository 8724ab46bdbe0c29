"""Statements carried out by wrapping them: for every way that understands a subquery after FROM."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from runtime.connectors.statements.binding import values_for
from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.joining import Key, Page, Part
from runtime.connectors.statements.shaping import (
    AFTER,
    COUNT,
    ROW_LIMIT,
    key_parameter,
    lines_of,
    one,
    page,
    too_many_rows,
)
from runtime.errors import RemoteFault

__all__ = ["Execute", "Wrapped"]

#: Carries out a tree with the values of its parameters; the rows as the database names them.
Execute = Callable[[exp.Expr, SqlDialect, Mapping[str, Any]], Awaitable[Sequence[Mapping[str, Any]]]]


class Wrapped:
    """A :class:`~runtime.connectors.statements.joining.RowSource`."""

    exact = True

    def __init__(self, execute: Execute, *, whole_pages: bool) -> None:
        """:param whole_pages: whether a page that is shorter than asked for is certainly the last"""
        self._execute = execute
        self._whole_pages = whole_pages

    async def headers(self, header: Part, values: Mapping[str, Any], after: Key | None, limit: int) -> Page:
        """At most ``limit`` rows in the order of the key, from the key ``after`` on."""
        tree = page(header.statement, header.key, following=after is not None, limit=limit)
        given = values_for(header.statement, values)
        if after is not None:
            given[AFTER] = after
        rows = await self._execute(tree, header.statement.dialect, given)
        return Page(rows, len(rows) >= limit if self._whole_pages else len(rows) >= limit or None)

    async def lines(self, lines: Part, values: Mapping[str, Any], keys: Sequence[Key]) -> Sequence[Mapping[str, Any]]:
        """Every line of these headers.

        :raises BadMapping: they are too many
        :raises RemoteFault: the other side leaves lines out even where only one header is asked for
        """
        counted = not self._whole_pages
        tree = lines_of(lines.statement, lines.fields, lines.key, len(keys), lines.place, counted=counted)
        given = values_for(lines.statement, values)
        given |= {key_parameter(number): key for number, key in enumerate(keys)}
        rows = await self._execute(tree, lines.statement.dialect, given)
        if len(rows) > ROW_LIMIT:
            raise too_many_rows(lines.place)
        if not counted or not rows:
            return rows
        found, total = _uncounted(rows)
        if total > ROW_LIMIT:
            raise too_many_rows(lines.place)
        if len(found) == total:
            return found
        if len(keys) == 1:
            raise RemoteFault(
                f"对方只给出 {total} 行明细中的 {len(found)} 行",
                f"The other side gives only {len(found)} of {total} lines",
                where=f"{lines.place} {keys[0]}",
            )
        half = len(keys) // 2
        return [*await self.lines(lines, values, keys[:half]), *await self.lines(lines, values, keys[half:])]

    async def again(self, header: Part, values: Mapping[str, Any], key: Key) -> Sequence[Mapping[str, Any]]:
        """The rows with this key."""
        given = values_for(header.statement, values) | {AFTER: key}
        return await self._execute(one(header.statement, header.key), header.statement.dialect, given)


def _uncounted(rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The rows without the column that counts them, and what it says."""
    name = next((one for one in rows[0] if one.casefold() == COUNT), None)
    total = int(rows[0][name]) if name is not None else len(rows)
    return [{key: value for key, value in row.items() if key != name} for row in rows], total

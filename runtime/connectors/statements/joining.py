"""Headers with their lines: page after page in the order of the key, in constant memory, each header once.

The last row of a page is held back and asked for again at the beginning of the next one. So a key that stands twice is
noticed wherever the pages part, and a row that leaves the filter meanwhile moves nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from runtime.connectors.statements.binding import require_parameters
from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.fields import FieldList, StatementField, name_rows
from runtime.connectors.statements.params import LineStatement, Parameters
from runtime.connectors.statements.parsing import Statement, parse_statement
from runtime.connectors.statements.shaping import key_field, require_query, with_filter_columns
from runtime.errors import BadMapping, RemoteFault

__all__ = ["Joined", "JoinedQuery", "Key", "Page", "Part", "RowSource", "identity", "loosely", "prepare", "read_part"]

Row = dict[str, Any]
Key = int | str | Decimal


class Page(NamedTuple):
    """Raw rows of a header."""

    rows: Sequence[Mapping[str, Any]]
    #: Whether more follow: yes, no, or None where the other side may have cut the page short without a word.
    more: bool | None


@dataclass(frozen=True, kw_only=True)
class Part:
    """One statement of the query: the header, or the lines of one name."""

    #: Name of the lines; empty for the header.
    name: str
    statement: Statement
    fields: FieldList
    key: StatementField
    #: Where it stands, for messages.
    place: str


@dataclass(frozen=True, kw_only=True)
class JoinedQuery:
    """A query that was checked."""

    header: Part
    lines: tuple[Part, ...]
    values: Mapping[str, Any]
    page_size: int
    top: int | None


class RowSource(Protocol):
    """One of the ways to have statements carried out. Rows come back as the database names them."""

    async def headers(self, header: Part, values: Mapping[str, Any], after: Key | None, limit: int) -> Page:
        """At most ``limit`` rows in the order of the key, from the key ``after`` on."""

    async def lines(self, lines: Part, values: Mapping[str, Any], keys: Sequence[Key]) -> Sequence[Mapping[str, Any]]:
        """Every line of these headers, ordered within each of them; the keys are in the order of the database."""

    async def again(self, header: Part, values: Mapping[str, Any], key: Key) -> Sequence[Mapping[str, Any]]:
        """The rows with this key, of which two are enough."""

    #: Whether :meth:`lines` yields lines of no other header.
    exact: bool


class _Query(Protocol):
    """What the params of every kind have."""

    @property
    def key(self) -> str: ...
    @property
    def lines(self) -> tuple[LineStatement, ...]: ...
    @property
    def parameters(self) -> Parameters: ...
    @property
    def page_size(self) -> int: ...
    @property
    def top(self) -> int | None: ...


def prepare(statement: str, params: _Query, dialect: SqlDialect, where: str) -> JoinedQuery:
    """Check everything that can be known before the first row.

    :param where: the connection's name
    :raises BadMapping: the guard refuses a statement, or a column is missing
    :raises ValueRefused: a parameter is missing or unknown
    """
    header = read_part("", statement, params.key, dialect, f"{where} statement")
    lines = tuple(
        read_part(one.name, one.statement, one.key or params.key, dialect, f"{where} lines.{one.name}")
        for one in params.lines
    )
    for one in lines:
        if one.name in header.fields.names:
            raise BadMapping(
                f"表头已经有一列叫 {one.name}；请给明细改名",
                f"The header has a column {one.name} already: give the lines another name",
                where=one.place,
            )
    require_parameters([part.statement for part in (header, *lines)], params.parameters)
    return JoinedQuery(header=header, lines=lines, values=params.parameters, page_size=params.page_size, top=params.top)


class Joined:
    """Carries a query out."""

    def __init__(self, query: JoinedQuery, source: RowSource) -> None:
        self._query = query
        self._source = source

    async def rows(self) -> AsyncIterator[Row]:
        """Every header once, its lines in lists.

        :raises BadMapping: a key is missing, empty, of a wrong type, or stands twice
        """
        query, header = self._query, self._query.header
        left, after = query.top, None
        former: frozenset[str] = frozenset()
        while left is None or left > 0:
            size = query.page_size if left is None else min(query.page_size, left)
            answer = await self._source.headers(header, query.values, after, size + 1)
            rows = name_rows(header.fields, answer.rows[: size + 1])
            keys = [_key(row, header) for row in rows]
            _require_once(keys, former, header)
            more = answer.more is not False or len(answer.rows) > size + 1
            if more and len(keys) > 1:
                after = keys.pop()
                rows.pop()
            elif more and answer.more:
                raise RemoteFault(
                    "对方每页只给一行，无法翻页", "The other side gives one row a page", where=header.place
                )
            else:
                more = False
            await self._attach(rows, keys)
            for row in rows:
                yield row
            if not more:
                return
            former = frozenset(map(identity, keys))
            left = None if left is None else left - len(rows)

    async def again(self, row: Mapping[str, Any]) -> Row | None:
        """A row as it is now, together with the columns that the header's WHERE compares; None if it is gone.

        :raises BadMapping: the row does not carry its key
        """
        header = self._query.header
        key = _key(row, header)
        statement = with_filter_columns(header.statement)
        header = replace(header, statement=statement, fields=require_query(statement, header.place))
        found = await self._source.again(header, self._query.values, key)
        if not found:
            return None
        rows = name_rows(header.fields, found)
        keys = [_key(one, header) for one in rows]
        _require_once(keys, frozenset(), header)
        await self._attach(rows, keys)
        return rows[0]

    async def _attach(self, rows: list[Row], keys: list[Key]) -> None:
        for part in self._query.lines:
            for row in rows:
                if part.name in row:
                    raise BadMapping(
                        f"表头已经有一列叫 {part.name}；请给明细改名",
                        f"The header has a column {part.name} already: give the lines another name",
                        where=part.place,
                    )
                row[part.name] = []
            if rows:
                found = name_rows(part.fields, await self._source.lines(part, self._query.values, keys))
                self._distribute(part, rows, keys, found)

    def _distribute(self, part: Part, rows: list[Row], keys: list[Key], lines: list[Row]) -> None:
        exact = {identity(key): row for key, row in zip(keys, rows, strict=True)}
        loose: dict[str, list[Row]] = {}
        for mark, header in exact.items():
            loose.setdefault(loosely(mark), []).append(header)
        for line in lines:
            mark = identity(_key(line, part))
            row: Row | None = exact.get(mark)
            if row is None and (near := loose.get(loosely(mark))):
                # They differ in case or in blanks at the end. A database that chose the line holds them for equal.
                if not self._source.exact or len(near) > 1:
                    raise BadMapping(
                        f"明细的 {part.key.name} = {mark!r} 与表头的关键字只有大小写或空格不同，无法对应",
                        f"A line's {part.key.name} = {mark!r} differs from a header's key in case or blanks only",
                        where=part.place,
                    )
                row = near[0]
            if row is not None:
                row[part.name].append(line)
            elif self._source.exact:
                raise BadMapping(
                    f"明细的 {part.key.name} = {mark} 不属于任何一张单据",
                    f"A line with {part.key.name} = {mark} belongs to none of the documents",
                    where=part.place,
                )


def read_part(name: str, text: str, key: str, dialect: SqlDialect, place: str) -> Part:
    """One statement of a query, checked by itself.

    :raises BadMapping: the guard refuses it, or its key column is missing
    """
    try:
        statement = parse_statement(text, dialect)
    except BadMapping as error:
        error.where = error.where or place
        raise
    fields = require_query(statement, place)
    return Part(name=name, statement=statement, fields=fields, key=key_field(fields, key, place), place=place)


def _key(row: Mapping[str, Any], part: Part) -> Key:
    name = part.key.name
    if name not in row:
        near = [one for one in row if one.casefold() == name.casefold()]
        if len(near) != 1:
            names = ", ".join(row)
            raise BadMapping(
                f"结果里没有关键字列 {name}（有：{names}）",
                f"The rows have no key column {name} (they have: {names})",
                where=part.place,
            )
        name = near[0]
    value = row[name]
    if value is None or value == "":
        raise BadMapping(
            f"有记录的关键字 {name} 为空；请在语句中排除",
            f"A row has no value in its key {name}: leave such rows out in the statement",
            where=part.place,
        )
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise BadMapping(
            f"关键字 {name} 应为数字或文本，而不是 {type(value).__name__}",
            f"The key {name} is a number or a text, not {type(value).__name__}",
            where=part.place,
        )
    return value


def identity(key: Key) -> str:
    """The same for 5, 5.0 and '5'."""
    return key if isinstance(key, str) else format(Decimal(key).normalize(), "f")


def loosely(text: str) -> str:
    """The same for identities that differ in case or in blanks at the end."""
    return text.rstrip().casefold()


def _require_once(keys: Sequence[Key], former: frozenset[str], part: Part) -> None:
    seen: set[str] = set()
    for mark in map(identity, keys):
        if mark in seen or mark in former:
            raise BadMapping(
                f"表头中关键字 {part.key.name} = {mark} 出现多次；每张单据只能有一行，明细请写在明细语句里",
                f"The header yields {part.key.name} = {mark} more than once: one row for each document, details "
                "belong into the lines' statement",
                where=part.place,
            )
        seen.add(mark)

"""Statements over the Service Layer's SQLQueries: a stored definition for each statement, found again by its name.

SAP, "Working with SAP Business One Service Layer", SQL Queries: a definition has a code and a text with parameters, its
``List`` carries it out. The grammar knows no subquery after FROM, so conditions go into the statement's own WHERE; the
values that change from page to page are parameters, so that a statement needs few definitions: the first page, the
pages after it, one row again, and one for each statement of lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from sqlglot import exp

from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.b1_service_layer.actions import Query
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.examining import DIALECT
from runtime.connectors.b1_service_layer.odata import key_path, literal
from runtime.connectors.statements.binding import require_parameters, values_for
from runtime.connectors.statements.dialects import DIALECTS, marker
from runtime.connectors.statements.joining import Joined, Key, Page, Part, identity, loosely, prepare
from runtime.connectors.statements.params import ExecSql
from runtime.connectors.statements.parsing import Statement, parse_statement, render
from runtime.connectors.statements.shaping import AFTER, ROW_LIMIT, UNTIL, in_key_order, narrowed, too_many_rows
from runtime.errors import BadMapping, IntegrationError, NotFound, RemoteFault, RemoteRefused, ValueRefused

__all__ = ["CODE_PREFIX", "Definitions"]

#: How the codes of this product's definitions begin in B1.
CODE_PREFIX = "b1i_"
#: "This entry already exists".
_EXISTS = "-2035"
#: Lines that are asked for at once.
_LINES_PAGE = 1000
#: Keys further apart than this are asked for separately: what lies between them is not wanted.
_GAP = 50

_MEANINGS = {
    "702": (
        "SQLQueries 不允许读取语句中的表：请管理员把它加入服务层 conf/b1s_sqltable.conf 的 TableList，"
        "或改用 OData（entity）、b1.di_api、sql 连接",
        "SQLQueries may not read a table of the statement: have it added to TableList in the Service Layer's "
        "conf/b1s_sqltable.conf, or read it by OData (entity) or a connection of the kind b1.di_api or sql",
    ),
    "703": (
        "SQLQueries 不允许读取语句中的列：列名有误，或被服务层 conf/b1s_sqltable.conf 的 "
        "ColumnIncludeList / ColumnExcludeList 排除",
        "SQLQueries may not read a column of the statement: it is misspelt, or ColumnIncludeList or ColumnExcludeList "
        "in the Service Layer's conf/b1s_sqltable.conf leaves it out",
    ),
    "704": (
        "SQLQueries 不接受语句的参数：名称区分大小写，只能用在 WHERE 中",
        "SQLQueries does not accept the statement's parameters: their case counts, and they stand in WHERE only",
    ),
}
_GRAMMAR = (
    "SQLQueries 不接受这条语句：只支持简单的 SELECT（没有 CASE、CAST、TO_VARCHAR、COALESCE 和 FROM 中的子查询）；"
    "复杂语句请用 b1.di_api 或 sql 连接",
    "SQLQueries does not accept this statement: it knows plain SELECT only (no CASE, CAST, TO_VARCHAR, COALESCE, no "
    "subquery after FROM); for more use a connection of the kind b1.di_api or sql",
)


class _Single(NamedTuple):
    """A statement that is carried out by itself."""

    statement: Statement
    #: Where it stands, for messages.
    place: str


class _Answer(NamedTuple):
    rows: list[dict[str, Any]]
    #: Rows before the next page, or None on the last one.
    skip: int | None


class Definitions:
    """A :class:`~runtime.connectors.statements.joining.RowSource` over the SQLQueries of one company."""

    exact = False

    def __init__(self, client: ServiceLayer) -> None:
        self._client = client
        #: Codes that are known to be there.
        self._known: set[str] = set()

    def joined(self, params: Query, statement: str) -> Joined:
        """The rows of a ``query`` by statement, each with its lines.

        :raises BadMapping: a statement does more than read, or lacks its key
        """
        return Joined(prepare(statement, params, DIALECTS[DIALECT], self._client.name), self)

    async def headers(self, header: Part, values: Mapping[str, Any], after: Key | None, limit: int) -> Page:
        """The first page of the rows from the key ``after`` on."""
        tree = narrowed(header.statement, header.key, {exp.GTE: AFTER} if after is not None else {}, header.place)
        given = values_for(header.statement, values) | ({AFTER: after} if after is not None else {})
        tree = in_key_order(tree, header.key, keep=False)
        answer = await self._list(tree, header, given, size=limit, skip=0)
        return Page(answer.rows, answer.skip is not None)

    async def lines(self, lines: Part, values: Mapping[str, Any], keys: Sequence[Key]) -> list[dict[str, Any]]:
        """The lines of these headers, asked for by ranges of the key."""
        tree = narrowed(lines.statement, lines.key, {exp.GTE: AFTER, exp.LTE: UNTIL}, lines.place)
        tree = in_key_order(tree, lines.key, keep=True)
        wanted = {loosely(identity(key)) for key in keys}
        found: list[dict[str, Any]] = []
        for first, last in _ranges(keys):
            given = values_for(lines.statement, values) | {AFTER: first, UNTIL: last}
            async for row in self._all(tree, lines, given):
                key = next((row[name] for name in row if name.casefold() == lines.key.name.casefold()), None)
                # A row without its key is passed on: the join says what is wrong with it.
                if not isinstance(key, int | str | Decimal) or loosely(identity(key)) in wanted:
                    found.append(row)
        return found

    async def again(self, header: Part, values: Mapping[str, Any], key: Key) -> list[dict[str, Any]]:
        """The rows with this key."""
        tree = narrowed(header.statement, header.key, {exp.EQ: AFTER}, header.place)
        given = values_for(header.statement, values) | {AFTER: key}
        return (await self._list(tree, header, given, size=2, skip=0)).rows

    async def rows(self, params: ExecSql) -> list[dict[str, Any]]:
        """All rows of one statement.

        Its definition is removed afterwards: statements that somebody sends are without number.

        :raises BadMapping: it does more than read, SQLQueries does not know its grammar, or it yields too many rows
        """
        place = f"{self._client.name} sql"
        statement = parse_statement(params.sql, DIALECTS[DIALECT])
        require_parameters([statement], params.parameters)
        values = values_for(statement, params.parameters)
        single = _Single(statement, place)
        found: list[dict[str, Any]] = []
        try:
            async for row in self._all(statement.sent(), single, values):
                found.append(row)
                if len(found) > ROW_LIMIT:
                    raise too_many_rows(place)
        finally:
            await self._forget(_code(_definition(statement.sent(), single, values)))
        return found

    async def _all(
        self, tree: exp.Expr, part: Part | _Single, values: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        skip: int | None = 0
        while skip is not None:
            answer = await self._list(tree, part, values, size=_LINES_PAGE, skip=skip)
            for row in answer.rows:
                yield row
            if answer.skip is not None and answer.skip <= skip:
                raise RemoteFault(
                    "B1 的分页不符合约定：下一页的链接指向本页",
                    "The server does not page as documented: its next link leads to the same page",
                    where=part.place,
                )
            skip = answer.skip

    async def _list(
        self, tree: exp.Expr, part: Part | _Single, values: Mapping[str, Any], *, size: int, skip: int
    ) -> _Answer:
        text = _definition(tree, part, values)
        code = _code(text)
        options = {name: _parameter(name, value, part) for name, value in values.items()}
        url = self._client.url(f"{key_path('SQLQueries', code)}/List", options | {"$skip": skip or None})
        headers = {"Prefer": f"odata.maxpagesize={size}"}
        try:
            await self._require(code, text)
            try:
                data = await self._client.read(url, headers=headers)
            except NotFound:  # somebody deleted it meanwhile
                self._known.discard(code)
                await self._require(code, text)
                data = await self._client.read(url, headers=headers)
        except RemoteRefused as error:
            zh, en = _MEANINGS.get(error.code, _GRAMMAR)
            raise BadMapping(zh, en, where=part.place, code=error.code, remote=error.remote) from error
        rows = data.get("value") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise RemoteFault("答复不是记录列表", "The answer is not a list of rows", where=part.place)
        return _Answer(rows, _skip(data, skip + len(rows)))

    async def _require(self, code: str, text: str) -> None:
        """Make sure that the definition is there. Its code is made of its text, so it is never changed."""
        if code in self._known:
            return
        try:
            await self._client.read(self._client.url(key_path("SQLQueries", code), {"$select": "SqlCode"}))
        except NotFound:
            body = {"SqlCode": code, "SqlName": code, "SqlText": text}
            request = WireRequest(method="POST", url=self._client.url("SQLQueries"), body=body)
            try:
                await self._client.write(request, Effect.UPDATE)
            except RemoteRefused as error:
                if error.code != _EXISTS:
                    raise
        self._known.add(code)

    async def _forget(self, code: str) -> None:
        """Remove a definition; one that stays does no harm."""
        self._known.discard(code)
        request = WireRequest(method="DELETE", url=self._client.url(key_path("SQLQueries", code)))
        with suppress(IntegrationError):
            await self._client.write(request, Effect.UPDATE)


def _code(text: str) -> str:
    return CODE_PREFIX + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _definition(tree: exp.Expr, part: Part | _Single, values: Mapping[str, Any]) -> str:
    text = render(tree, part.statement.dialect)
    for name in values:
        text = text.replace(marker(name), f":{name}")
    return text


def _parameter(name: str, value: Any, part: Part | _Single) -> str:
    """A value in the query of ``List``: texts and dates in single quotes, inner quotes doubled."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal | date | datetime | time):
        raise ValueRefused(
            f"SQLQueries 的参数 {name} 只能是文本、数字或日期",
            f"The parameter {name} of SQLQueries can be a text, a number or a date only",
            where=part.place,
        )
    return literal(Decimal(str(value)) if isinstance(value, float) else value)


def _ranges(keys: Sequence[Key]) -> list[tuple[Key, Key]]:
    """First and last key of each range, in the order of the database."""
    if not all(isinstance(key, int) for key in keys):
        return [(keys[0], keys[-1])]
    ranges: list[tuple[Any, Any]] = []
    for key in keys:
        if ranges and isinstance(key, int) and key - ranges[-1][1] <= _GAP:
            ranges[-1] = (ranges[-1][0], key)
        else:
            ranges.append((key, key))
    return ranges


def _skip(data: Mapping[str, Any], reached: int) -> int | None:
    """Where the next page begins; a next link may leave the parameters out, so only its position counts."""
    link = data.get("odata.nextLink") or data.get("@odata.nextLink") or data.get("nextLink")
    if not link:
        return None
    position = parse_qs(urlsplit(str(link)).query.lstrip("&")).get("$skip", [""])[0]
    return int(position) if position.isdecimal() else reached

"""``SQLQueries`` of the Service Layer: a narrow grammar, an allow list, and texts brought into one form.

Follows SAP's "Working with SAP Business One Service Layer", chapter SQL Query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from sqlglot import exp

from ..faults import ServiceFault, bad_request
from .console import Console
from .hana import Hana, SqlRefused, parse_query
from .mirror import Table

__all__ = ["ALLOWED_TABLES", "list_rows", "normalised", "page_of", "parameters_of_body", "parameters_of_query"]

#: ``TableList`` of ``conf/b1s_sqltable.conf``, as far as the simulator has these tables.
ALLOWED_TABLES: Final = frozenset(
    {
        *("OCRD", "CRD1", "OCPR", "OITM", "OITW", "ITM1", "OITT", "ITT1", "OWOR", "WOR1", "OBTN", "ODRF", "DRF1"),
        *("OQUT", "ORDR", "ODLN", "ORDN", "OINV", "ORIN", "OPRQ", "OPQT", "OPOR", "OPDN", "ORPD", "OPCH"),
        *("QUT1", "RDR1", "DLN1", "RDN1", "INV1", "RIN1", "PRQ1", "PQT1", "POR1", "PDN1", "RPD1", "PCH1"),
    }
)
_FUNCTIONS: Final = frozenset(
    {"SUM", "AVG", "MIN", "MAX", "COUNT", "IFNULL", "ISNULL", "LOWER", "UPPER", "LEFT", "RIGHT"}
)
_GRAMMAR: Final = (
    *(exp.Select, exp.From, exp.Where, exp.Join, exp.Order, exp.Ordered, exp.Group, exp.Having, exp.Limit, exp.Union),
    *(exp.And, exp.Or, exp.Not, exp.Between, exp.In, exp.Exists, exp.Is, exp.Null, exp.Like, exp.Distinct, exp.Paren),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Neg, exp.Alias, exp.TableAlias, exp.Table, exp.Column),
    *(exp.Identifier, exp.Literal, exp.Placeholder, exp.Subquery, exp.Star, exp.Anonymous),
)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_PAIR: Final = re.compile(r"\s*([^=&]+)=((?:\s*'(?:[^']|'')*'\s*)|[^&]*)(?:&|$)")


def normalised(text: str, console: Console) -> tuple[str, str]:
    """``SqlText`` as it is stored, and its ``ParamList``.

    :raises ServiceFault: 701 beyond the grammar, 702 a table or 703 a column that is not accessible
    """
    console.mirror.refresh()
    query = _parsed(text)
    _check_grammar(query)
    for node in query.find_all(exp.Table):
        if node.name.upper() not in ALLOWED_TABLES:
            raise ServiceFault(400, 702, f"Table '{node.name}' not accessible")
        node.set("this", exp.to_identifier(node.name.upper(), quoted=True))
    names = [node.name for node in query.find_all(exp.Placeholder)]
    for column in list(query.find_all(exp.Column)):
        _spell(column, query, console.mirror.tables)
    for alias in query.find_all(exp.Alias):
        alias.set("alias", exp.to_identifier(alias.alias, quoted=True))
    for call in query.find_all(exp.Anonymous):
        call.set("this", "IFNULL" if call.name.upper() == "ISNULL" else call.name.upper())
    ordered = re.findall(r":(\w+)", text)
    return query.sql(dialect=Hana), ",".join(name for name in dict.fromkeys(ordered) if name in names)


def list_rows(stored: str, sent: Mapping[str, exp.Expr], console: Console) -> list[dict[str, Any]]:
    """The rows of a stored text; dates as ``20201007``.

    :raises ServiceFault: 704 the parameters are not those of the text; 701 it does not run any more
    """
    query = _parsed(stored)
    names = {node.name for node in query.find_all(exp.Placeholder)}
    if names != set(sent):
        wrong = ", ".join(sorted(names ^ set(sent)))
        raise ServiceFault(400, 704, f"Invalid parameters of the SQL query: {wrong}")
    for node in list(query.find_all(exp.Placeholder)):
        node.replace(sent[node.name].copy())
    try:
        answer = console.query(query)
    except SqlRefused as error:
        raise ServiceFault(400, 701, f"Invalid SQL: {error}") from error
    for row in answer.rows:
        for key in answer.dates:
            if row[key] is not None:
                row[key] = row[key].replace("-", "")
    return answer.rows


def parameters_of_query(query: str) -> dict[str, exp.Expr]:
    """Parameters in an address, percent-encoded: ``a=1&b='x'``; what begins with ``$`` is none.

    :raises ServiceFault: 704 a value is neither a number nor a text in single quotes
    """
    pairs = (part.partition("=") for part in query.split("&") if part)
    decoded = ((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)
    return _values((name, value) for name, value in decoded if not name.startswith("$"))


def parameters_of_body(body: Mapping[str, Any]) -> tuple[dict[str, exp.Expr], str]:
    """Parameters in a body, ``{"ParamList": "a=1&b='x'"}``, and the same as they stand in an address.

    :raises ServiceFault: 704 as for :func:`parameters_of_query`
    """
    text = body.get("ParamList") or ""
    if not isinstance(text, str):
        raise ServiceFault(400, 704, "ParamList must be a text")
    found, at = [], 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or match.end() == at:
            raise ServiceFault(400, 704, f"Invalid parameters of the SQL query: {text}")
        found.append((match[1].strip(), match[2].strip()))
        at = match.end()
    return _values(found), "&".join(f"{quote(name)}={quote(value)}" for name, value in found)


def _values(pairs: Iterable[tuple[str, str]]) -> dict[str, exp.Expr]:
    values: dict[str, exp.Expr] = {}
    for name, text in pairs:
        if len(text) >= 2 and text.startswith("'") and text.endswith("'"):
            values[name] = exp.Literal.string(text[1:-1].replace("''", "'"))
        elif _NUMBER.fullmatch(text):
            values[name] = exp.Literal.number(text)
        else:
            raise ServiceFault(400, 704, f"Invalid value of parameter '{name}': {text}")
    return values


def _parsed(text: str) -> exp.Query:
    try:
        return parse_query(text)
    except SqlRefused as error:
        raise ServiceFault(400, 701, f"Invalid SQL: {error}") from error


def _check_grammar(query: exp.Query) -> None:
    for node in query.walk():
        fits = isinstance(node, _GRAMMAR)
        if isinstance(node, exp.Anonymous):
            fits = node.name.upper() in _FUNCTIONS
        elif isinstance(node, exp.Subquery):
            fits = not isinstance(node.parent, exp.From | exp.Join)
        elif isinstance(node, exp.Star):
            fits = isinstance(node.parent, exp.Anonymous)
        elif isinstance(node, exp.Placeholder):
            fits = bool(node.name)
        elif isinstance(node, exp.Table):
            fits = isinstance(node.this, exp.Identifier) and not node.db
        if not fits:
            raise ServiceFault(400, 701, f"Invalid SQL: not supported near '{node.sql(dialect=Hana)[:60]}'")


def _spell(column: exp.Column, query: exp.Query, tables: Mapping[str, Table]) -> None:
    """Write a column as the data base does, in quotes.

    :raises ServiceFault: 703 no table in reach has it
    """
    name = column.name.lower()
    table = ""
    for select in _scopes(column, query):
        for source in select.find_all(exp.Table):
            if source.find_ancestor(exp.Select) is not select:
                continue
            if column.table and source.alias_or_name.upper() != column.table.upper():
                continue
            table = source.name
            found = tables[table].columns.get(name)
            if found is not None:
                column.set("this", exp.to_identifier(found[0], quoted=True))
                return
        if not column.table and any(item.alias.lower() == name for item in select.selects if item.alias):
            column.set("this", exp.to_identifier(column.name, quoted=True))
            return
    raise ServiceFault(400, 703, f"Column '{column.name}' from table '{table or column.table}' not accessible")


def _scopes(node: exp.Expr, query: exp.Query) -> Iterator[exp.Select]:
    select = node.find_ancestor(exp.Select)
    if select is None:  # the ORDER BY of a UNION
        select = next(query.find_all(exp.Select, bfs=False))
    while select is not None:
        yield select
        select = select.find_ancestor(exp.Select)


def page_of(rows: list[dict[str, Any]], skip: str, size: int) -> tuple[list[dict[str, Any]], int | None]:
    """The rows of one answer, and where the next one begins (None on the last page).

    :raises ServiceFault: ``$skip`` is no number
    """
    if not re.fullmatch(r"\d{1,18}", skip):
        raise bad_request(f"Bad value for query option $skip: {skip}", -1000)
    start = int(skip)
    following = start + size
    return rows[start:following], following if following < len(rows) else None

"""HANA's SQL on top of SQLite: one statement is parsed, checked, rewritten and carried out, and nothing is changed.

Quoted names keep their case in the answer, unquoted ones come back in upper case, as HANA has it; table and column
names themselves are found whatever their case.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlglot import TokenType, exp, generator, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from .functions import FUNCTIONS, NATIVE, PREFIX, iso_date
from .mirror import Mirror, Table

__all__ = ["Answer", "Hana", "SqlRefused", "date_columns", "execute", "parse_query", "tables_of"]

#: Rows that one statement may answer with.
MAX_ROWS: Final = 100_000
#: SQLite looks at the clock after so many of its steps.
_STEPS: Final = 10_000

_CASTS: Final[dict[object, str]] = {
    **dict.fromkeys(exp.DataType.TEXT_TYPES, "TO_VARCHAR"),
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, "TO_INTEGER"),
    exp.DataType.Type.DATE: "TO_DATE",
    exp.DataType.Type.TIMESTAMP: "TO_TIMESTAMP",
    exp.DataType.Type.DECIMAL: "TO_DECIMAL",
    exp.DataType.Type.DOUBLE: "TO_DOUBLE",
    exp.DataType.Type.FLOAT: "TO_DOUBLE",
}
#: Expressions that sqlglot counts among the functions, and that SQLite has as well.
_PLAIN: Final = (exp.And, exp.Or, exp.Case, exp.If, exp.Exists, exp.Cast, exp.CurrentDate, exp.CurrentTimestamp)
_BEGINNINGS: Final = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN})
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)


class SqlRefused(Exception):
    """The statement is wrong, or does what it may not; the text says so as the data base would."""


class Hana(Dialect):
    """HANA's grammar as far as sqlglot's own base dialect does not have it; functions keep their names."""

    class Tokenizer(tokens.Tokenizer):
        """``TOP n``"""

        KEYWORDS = {**tokens.Tokenizer.KEYWORDS, "TOP": TokenType.TOP}  # noqa: RUF012 - sqlglot's own form

    class Parser(parser.Parser):
        """No function is known, so that none is rewritten."""

        FUNCTIONS = {}  # noqa: RUF012
        FUNCTION_PARSERS = {"CAST": parser.Parser.FUNCTION_PARSERS["CAST"]}  # noqa: RUF012

    class Generator(generator.Generator):
        """``TOP n`` again"""

        LIMIT_IS_TOP = True


class _Lite(SQLite):
    """SQLite, but a quoted name that is unknown stays an error instead of becoming a text."""

    class Tokenizer(SQLite.Tokenizer):
        """Back-quotes around names."""

        IDENTIFIERS = ["`"]  # noqa: RUF012


@dataclass(frozen=True)
class Answer:
    """Rows as objects, and which of their keys hold dates."""

    rows: list[dict[str, Any]]
    dates: frozenset[str]


def parse_query(statement: str) -> exp.Query:
    """The one query that a statement is.

    :raises SqlRefused: it is empty, malformed, more than one statement, or no query
    """
    try:
        first = next(iter(Hana().tokenize(statement)), None)
        if first is not None and first.token_type not in _BEGINNINGS:
            raise SqlRefused("insufficient privilege: only SELECT and CALL are allowed")
        found = [tree for tree in Hana().parse(statement) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        raise SqlRefused(f"sql syntax error: {_first_line(error)}") from error
    if len(found) != 1:
        raise SqlRefused("sql syntax error: exactly one statement is allowed")
    query = found[0]
    if not isinstance(query, exp.Query) or query.find(exp.Into, exp.DML, exp.DDL):
        raise SqlRefused("insufficient privilege: only SELECT and CALL are allowed")
    return query


def tables_of(query: exp.Expr, mirror: Mirror, company: str) -> dict[str, Table]:
    """The tables that a query reads, by upper-case name.

    :raises SqlRefused: one of them is not there
    """
    own = {cte.alias_or_name.upper() for cte in query.find_all(exp.CTE)}
    found = {}
    for node in query.find_all(exp.Table):
        name, schema = node.name.upper(), node.db
        if not isinstance(node.this, exp.Identifier) or (schema and schema.upper() != company.upper()) or node.catalog:
            raise SqlRefused(f"invalid schema or table name: {node.sql()}")
        if name in own and not schema:
            continue
        if name not in mirror.tables:
            raise SqlRefused(f"invalid table name: Could not find table/view {name} in schema {company}")
        found[name] = mirror.tables[name]
    return found


def date_columns(tables: Iterable[Table]) -> frozenset[str]:
    """Lower-case names of the columns that hold dates."""
    return frozenset(key for table in tables for key, (_, _, is_date) in table.columns.items() if is_date)


def execute(query: exp.Query, mirror: Mirror, company: str, now: datetime, seconds: float) -> Answer:
    """Carry out a query.

    :param company: the schema's name, which a table may be qualified with
    :param now: the company's own time
    :param seconds: after which the statement is ended
    :raises SqlRefused: a name or function is unknown, a value does not fit, or it takes too long or too many rows
    """
    mirror.refresh()
    query = query.copy()
    tables = tables_of(query, mirror, company)
    dates = date_columns(tables.values())
    keys = _name_answers(query)
    date_keys = frozenset(key for key, node in keys.items() if _is_date(node, dates))
    for comparison in list(query.find_all(*_COMPARISONS)):
        _read_dates(comparison, dates)
    for node in reversed(list(query.walk())):
        replaced = _rewrite(node, now, tables)
        if replaced is not node:
            node.replace(replaced)
    text = query.sql(dialect=_Lite, identify=True)
    names, rows = _fetch(mirror.connection, text, seconds)
    starred = {name for name in names if name not in keys and name.lower() in dates}
    return Answer([dict(zip(names, row, strict=True)) for row in rows], date_keys | starred)


def _name_answers(query: exp.Query) -> dict[str, exp.Expr]:
    """Give every column of the answer the name that HANA shows; returns what stands behind each but a ``*``."""
    select = query
    while not isinstance(select, exp.Select):
        if not isinstance(select.this, exp.Query):
            raise SqlRefused("sql syntax error: no SELECT")
        select = select.this
    keys: dict[str, exp.Expr] = {}
    named = []
    for projection in select.expressions:
        if projection.is_star:
            named.append(projection)
            continue
        inner = projection.unalias()
        name = projection.args.get("alias") if isinstance(projection, exp.Alias) else None
        if name is None and isinstance(inner, exp.Column):
            name = inner.this
        if not isinstance(name, exp.Identifier | None):
            raise SqlRefused(f"sql syntax error: incorrect syntax near {name.sql()}")
        key = inner.sql(dialect=Hana) if name is None else name.name if name.quoted else name.name.upper()
        keys[key] = inner
        named.append(exp.alias_(inner, exp.to_identifier(key, quoted=True)))
    select.set("expressions", named)
    return keys


def _is_date(node: exp.Expr, dates: frozenset[str]) -> bool:
    """Whether an answer column holds dates: a date column as it is, or the lowest or highest of it."""
    if isinstance(node, exp.Anonymous) and node.name.upper() in {"MIN", "MAX", "IFNULL"}:
        return bool(node.expressions) and _is_date(node.expressions[0], dates)
    return isinstance(node, exp.Column) and node.name.lower() in dates


def _read_dates(comparison: exp.Expr, dates: frozenset[str]) -> None:
    """A text that is compared with a date column is read as a date, however it is written."""
    sides = [node for value in comparison.args.values() for node in (value if isinstance(value, list) else [value])]
    if not any(isinstance(side, exp.Column) and side.name.lower() in dates for side in sides):
        return
    for side in sides:
        if isinstance(side, exp.Literal) and side.is_string:
            try:
                side.set("this", iso_date(side.name))
            except ValueError as error:
                raise SqlRefused(f"invalid DATE, TIME or TIMESTAMP value: '{side.name}'") from error


def _rewrite(node: exp.Expr, now: datetime, tables: Mapping[str, Table]) -> exp.Expr:
    if isinstance(node, exp.Table):
        table = tables.get(node.name.upper())
        if table is not None:
            node.set("this", exp.to_identifier(table.name, quoted=True))
            node.set("db", None)
    elif isinstance(node, exp.CurrentDate):
        return exp.Literal.string(now.date().isoformat())
    elif isinstance(node, exp.CurrentTimestamp):
        return _moment(now)
    elif isinstance(node, exp.Cast):
        return _cast(node)
    elif isinstance(node, exp.Anonymous):
        return _moment(now) if node.name.upper() == "NOW" else _function(node)
    elif isinstance(node, exp.Placeholder | exp.Parameter):
        raise SqlRefused(f"sql syntax error: a parameter is not bound: {node.sql()}")
    elif isinstance(node, exp.Func) and not isinstance(node, _PLAIN):
        raise SqlRefused(f"invalid name of function or procedure: {node.sql_name()}")
    return node


def _function(node: exp.Anonymous) -> exp.Expr:
    name, arguments = node.name.upper(), node.expressions
    if name in NATIVE:
        return exp.Anonymous(this=NATIVE[name], expressions=arguments)
    if name not in FUNCTIONS or name == "FIXED":
        raise SqlRefused(f"invalid name of function or procedure: {node.name}")
    inner = arguments[0] if arguments else None
    if name in {"TO_VARCHAR", "TO_NVARCHAR", "TO_CHAR"} and len(arguments) == 1 and _scale(inner) is not None:
        return exp.Anonymous(this=f"{PREFIX}fixed", expressions=[inner, _scale(inner)])
    return exp.Anonymous(this=PREFIX + name.lower(), expressions=arguments)


def _scale(node: exp.Expr | None) -> exp.Expr | None:
    """The decimals that a number was brought to, so that its text shows as many."""
    if isinstance(node, exp.Anonymous) and node.name.lower().removeprefix(PREFIX) == "to_decimal":
        return node.expressions[2] if len(node.expressions) == 3 else None
    return None


def _cast(node: exp.Cast) -> exp.Expr:
    function = _CASTS.get(node.to.this)
    if function is None:
        raise SqlRefused(f"sql syntax error: cannot cast to {node.to.sql()}")
    sizes = [size.this for size in node.to.expressions] if function in {"TO_VARCHAR", "TO_DECIMAL"} else []
    return _function(exp.Anonymous(this=function, expressions=[node.this, *sizes]))


def _moment(now: datetime) -> exp.Expr:
    return exp.Literal.string(now.strftime("%Y-%m-%d %H:%M:%S"))


def _fetch(connection: sqlite3.Connection, text: str, seconds: float) -> tuple[list[str], list[tuple[Any, ...]]]:
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(_only_reading)
    try:
        cursor = connection.execute(text)
        rows = cursor.fetchmany(MAX_ROWS + 1)
        names = [column[0] for column in cursor.description]
        cursor.close()
    except (sqlite3.Error, ValueError) as error:
        raise SqlRefused(_explained(str(error))) from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
    if len(rows) > MAX_ROWS:
        raise SqlRefused(f"result is too large: more than {MAX_ROWS} rows")
    return names, rows


def _only_reading(action: int, *about: str | None) -> int:
    reading = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def _explained(text: str) -> str:
    for known, shown in (
        ("no such column: ", "invalid column name: "),
        ("ambiguous column name: ", "column ambiguously defined: "),
        ("interrupted", "execution aborted by timeout"),
        ("user-defined function", "invalid argument: a value does not fit its function"),
    ):
        if text.startswith(known):
            return shown + text.removeprefix(known) if known.endswith(" ") else shown
    return f"sql syntax error: {text}"


def _first_line(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if errors:
        first = errors[0]
        return f"{first['description'].partition('<Token')[0].strip()} near line {first['line']}, column {first['col']}"
    return str(error).splitlines()[0] if str(error) else "the statement is nested too deeply"

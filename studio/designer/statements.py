"""A query that reads by SQL, as far as its mapping says it: what is written, what is wrong with it, what it yields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.examining import examine_query
from runtime.connectors.statements.fields import FieldList, observed, statement_fields
from runtime.connectors.statements.params import source_table
from runtime.connectors.statements.parsing import parse_statement
from runtime.errors import IntegrationError
from runtime.mapping.expressions import compile_value
from runtime.mapping.problems import Problem
from studio.designer.document import Json, QuerySite, resolve, resolved, value_at

__all__ = [
    "KEY",
    "LinesText",
    "SqlText",
    "Way",
    "columns",
    "other_way",
    "placeholders",
    "problems",
    "role_of_setting",
    "selection_of",
    "source_of",
    "sql_text",
    "way_of",
    "with_lines_added",
    "with_lines_removed",
]

Way = Literal["odata", "sql"]
#: The key column where the mapping names none.
KEY: Final = "DocEntry"
_OWN: Final[dict[Way, tuple[str, ...]]] = {
    "odata": ("entity", "select", "filter", "orderby", "expand"),
    "sql": ("statement", "key", "lines", "parameters"),
}
_UNKNOWN: Final = FieldList(fields=(), more=True)


@dataclass(frozen=True, kw_only=True)
class LinesText:
    """One statement for lines. Its place is that within the query's parameters."""

    place: tuple[str | int, ...]
    name: str
    statement: str
    key: str


@dataclass(frozen=True, kw_only=True)
class SqlText:
    """What a person edits; a text that only names a setting is that setting's value."""

    statement: str
    key: str
    lines: tuple[LinesText, ...]
    parameters: Mapping[str, Any]
    #: The mapping gives the parameters by name, not as a list.
    named: bool
    page_size: Any


def way_of(params: Mapping[str, Any]) -> Way:
    """How a query with these parameters reads."""
    return "sql" if "statement" in params else "odata"


def other_way(params: Mapping[str, Any], way: Way, aside: Json) -> tuple[Json, Json]:
    """The parameters for the other way of reading, and what is put aside for a change of mind.

    :param aside: what was put aside the last time
    """
    put = {name: value for name, value in params.items() if name in (*_OWN["odata"], *_OWN["sql"])}
    kept = {name: value for name, value in params.items() if name not in put}
    fresh = {name: value for name, value in aside.items() if name in _OWN[way]}
    if way == "sql" and not fresh:
        fresh = {"statement": "", "key": KEY}
    return {**fresh, **kept}, put


def sql_text(document: Json, query: QuerySite) -> SqlText:
    """The statements of a query; tolerant of what a person wrote by hand."""
    raw = resolved(document, value_at(document, query.path).get("with", {}))
    lines, parameters = raw.get("lines") or [], raw.get("parameters") or {}
    places: list[tuple[tuple[str | int, ...], Any]] = [(("lines", at), one) for at, one in enumerate(lines)]
    if isinstance(lines, dict):
        places = [(("lines",), lines)]
    named = not isinstance(parameters, list)
    if not named:
        parameters = {str(number): value for number, value in enumerate(parameters)}
    return SqlText(
        statement=_text(raw.get("statement")),
        key=_text(raw.get("key")) or KEY,
        lines=tuple(
            LinesText(
                place=place,
                name=_text(one.get("name", "Lines")),
                statement=_text(one.get("statement")),
                key=_text(one.get("key")),
            )
            for place, one in places
            if isinstance(one, dict)
        ),
        parameters=parameters if isinstance(parameters, dict) else {},
        named=named,
        page_size=raw.get("page_size", 100),
    )


def with_lines_added(document: Json, query: QuerySite) -> list[Any]:
    """The parameter ``lines`` with one more statement, under a name that is free."""
    lines = _lines(document, query)
    taken = {_text(one.get("name", "Lines")) for one in lines if isinstance(one, dict)}
    names = ("Lines", *(f"Lines{number}" for number in range(2, len(taken) + 3)))
    return [*lines, {"name": next(name for name in names if name not in taken), "statement": ""}]


def with_lines_removed(document: Json, query: QuerySite, number: int) -> list[Any] | None:
    """The parameter ``lines`` without one of its statements; None when it was the last."""
    lines = _lines(document, query)
    return [one for at, one in enumerate(lines) if at != number] or None


def problems(document: Json, query: QuerySite, dialect: str) -> dict[str, list[Problem]]:
    """What the guard and the check have against the query, by place: ``statement``, ``lines[0].statement`` …"""
    found: dict[str, list[Problem]] = {}
    for problem in examine_query(_known(document, query), DIALECTS[dialect]):
        found.setdefault(problem.where, []).append(problem)
    return found


def placeholders(document: Json, query: QuerySite, dialect: str) -> list[str]:
    """Names of the parameters that the statements ask for, as far as they can be read."""
    known = _known(document, query)
    names: dict[str, None] = {}
    for text in (known.get("statement"), *(text for _, text in _line_statements(known))):
        try:
            names |= dict.fromkeys(parse_statement(_text(text), DIALECTS[dialect]).parameters)
        except IntegrationError:  # shown under the statement
            continue
    return list(names)


def columns(document: Json, query: QuerySite, dialect: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, FieldList]:
    """The fields of the header (under the empty name) and of each name of lines.

    :param rows: rows that the statements yielded as they are now; they add types, samples, and what ``*`` stands for
    """
    known = _known(document, query)
    found = {"": observed(_fields(_text(known.get("statement")), dialect), rows)}
    for name, text in _line_statements(known):
        lines = [line for row in rows for line in row.get(name) or () if isinstance(line, Mapping)]
        found[name] = observed(_fields(_text(text), dialect), lines)
    return found


def source_of(document: Json, query: QuerySite) -> str:
    """Whose documents the rows are, as the ledger tells them: an entity, or a statement's main table in capitals."""
    known = _known(document, query)
    return source_table(_text(known["statement"])) if "statement" in known else _text(known.get("entity"))


def selection_of(document: Json, query: QuerySite) -> str:
    """What selects the rows of the header, a statement or a filter, with the settings filled in."""
    known = _known(document, query)
    return _text(known.get("statement") or known.get("filter"))


def role_of_setting(flows: Any, setting: str) -> str:
    """Role of the connection that a setting's statement is meant for: of the first call that names it, else empty."""
    if isinstance(flows, dict):
        call = flows.get("call")
        if isinstance(call, str) and _names(flows.get("with"), re.compile(rf"\bsettings\.{re.escape(setting)}\b")):
            return call.partition(".")[0]
        flows = list(flows.values())
    inner = flows if isinstance(flows, list | tuple) else ()
    return next((role for one in inner if (role := role_of_setting(one, setting))), "")


def _names(value: Any, wanted: re.Pattern[str]) -> bool:
    if isinstance(value, dict):
        return any(_names(one, wanted) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_names(one, wanted) for one in value)
    return isinstance(value, str) and wanted.search(value) is not None


def _fields(text: str, dialect: str) -> FieldList:
    try:
        return statement_fields(text, dialect)
    except IntegrationError:  # shown under the statement
        return _UNKNOWN


def _line_statements(known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    lines = known.get("lines") or []
    items = [lines] if isinstance(lines, dict) else lines if isinstance(lines, list) else []
    return [(_text(one.get("name", "Lines")), one.get("statement")) for one in items if isinstance(one, dict)]


def _lines(document: Json, query: QuerySite) -> list[Any]:
    lines = resolve(document, value_at(document, query.path).get("with", {}).get("lines")) or []
    return [lines] if isinstance(lines, dict) else list(lines) if isinstance(lines, list) else []


def _known(document: Json, query: QuerySite) -> Json:
    """The query's parameters with every text filled in that needs nothing but settings."""
    settings = document.get("settings", {})

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        try:
            compiled = compile_value(value)
            return compiled({"settings": settings}) if compiled.names <= {"settings"} else value
        except IntegrationError:  # reported where the value itself is checked
            return value

    known: Json = filled(value_at(document, query.path).get("with", {}))
    return known


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)

"""What a statement yields: its field list before it ever ran, and with types and samples once it did.

One rule for names: a field is called as the statement writes it, without the quotes. HANA answers an unquoted name in
capitals and PostgreSQL in small letters; the row still has it under the name of the statement, so that a mapping
outlives a change of database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlglot import exp

from runtime.connectors.statements.dialects import DIALECTS, SqlDialect
from runtime.connectors.statements.parsing import Statement, parse_statement
from runtime.errors import BadMapping
from runtime.mapping.dictionary import find_column

__all__ = [
    "FieldList",
    "StatementField",
    "field_list",
    "first_select",
    "main_table",
    "name_rows",
    "observed",
    "statement_fields",
    "statement_table",
]


@dataclass(frozen=True, kw_only=True)
class StatementField:
    """One column of a statement's answer."""

    #: Its name in the row: as the statement writes it.
    name: str
    #: The key that the database is expected to answer with.
    answer: str
    #: The table's column behind it, where there is exactly one; empty otherwise.
    table: str = ""
    column: str = ""
    #: What consultants call it; empty where the dictionary does not know.
    label: str = ""
    #: ``text integer decimal date boolean object``; empty until rows were seen.
    type: str = ""
    #: Values from the first rows, as text, each once.
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FieldList:
    """The fields that a statement names, and whether there are more."""

    fields: tuple[StatementField, ...]
    #: ``*`` or a call: the rest is known once it ran.
    more: bool
    #: Numbers (from 1) of the columns without a name: an expression that needs an alias.
    unnamed: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(field.name for field in self.fields)

    def find(self, name: str) -> StatementField | None:
        """The field of this name; case counts only where two names differ in nothing else."""
        exact = [field for field in self.fields if field.name == name]
        loose = [field for field in self.fields if field.name.casefold() == name.casefold()]
        if exact:
            return exact[0]
        return loose[0] if len(loose) == 1 else None


def statement_fields(text: str, dialect: str, *, procedures: Sequence[str] = ()) -> FieldList:
    """The field list of a statement that may never have run.

    :param dialect: ``hana tsql postgres mysql sqlite``
    :raises BadMapping: the guard refuses it, or two columns have the same name
    """
    return field_list(parse_statement(text, DIALECTS[dialect], procedures=tuple(procedures)))


def statement_table(text: str, dialect: str) -> str:
    """The main table of a statement in capitals; empty if it is not readable or reads none."""
    try:
        return main_table(parse_statement(text, DIALECTS[dialect]))
    except BadMapping:
        return ""


def field_list(statement: Statement) -> FieldList:
    """The field list of a parsed statement.

    :raises BadMapping: two of its columns have the same name
    """
    if statement.is_call:
        return FieldList(fields=(), more=True)
    fields: list[StatementField] = []
    unnamed: list[int] = []
    more = False
    select = first_select(statement.tree)
    for number, projection in enumerate(select.expressions, 1):
        if projection.is_star:
            more = True
        elif (field := _field(projection, select, statement.dialect)) is None:
            unnamed.append(number)
        elif any(field.name == other.name for other in fields):
            raise BadMapping(
                f"语句的结果里有两列都叫 {field.name}；请给其中一列取别名",
                f"Two columns of the statement are called {field.name}: give one of them an alias",
            )
        else:
            fields.append(field)
    return FieldList(fields=tuple(fields), more=more, unnamed=tuple(unnamed))


def main_table(statement: Statement) -> str:
    """The table after the first FROM, in capitals, without schema and quotes; a procedure's name for a call.

    It names whose documents the rows are, so it looks through subqueries and stays the same when columns change.
    """
    if statement.is_call:
        return statement.procedure.upper()
    source = _first_source(first_select(statement.tree))
    for _ in range(20):
        if isinstance(source, exp.Table):
            inner = _common(source, source.name)
            if inner is None:
                return source.name.upper()
            source = _first_source(first_select(inner))
        elif isinstance(source, exp.Subquery | exp.SetOperation | exp.Select):
            source = _first_source(first_select(source))
        else:
            break
    return ""


def first_select(tree: exp.Expr) -> exp.Select:
    """The SELECT that names the columns: the first one of a UNION, the one inside parentheses."""
    while not isinstance(tree, exp.Select):
        tree = tree.this  # parentheses, or the left side of a UNION
    return tree


def observed(fields: FieldList, rows: Sequence[Mapping[str, Any]]) -> FieldList:
    """The field list completed by what rows show: fields behind ``*``, types, samples.

    :param rows: as :func:`name_rows` yields them
    """
    known = {field.name: field for field in fields.fields}
    names = dict.fromkeys([*known, *(name for row in rows for name in row)])
    completed = []
    for name in names:
        values = [row[name] for row in rows if name in row]
        if any(isinstance(value, list) for value in values):  # the lines
            continue
        plain = known.get(name) or StatementField(name=name, answer=name, label=_label("", name))
        completed.append(replace(plain, type=_type(values), samples=_samples(values)))
    return FieldList(fields=tuple(completed), more=fields.more and not rows)


def name_rows(fields: FieldList, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the names of the statement, whatever case the database answered in."""
    names: dict[str, str] = {}
    named = []
    for row in rows:
        if not names.keys() >= row.keys():
            names = _names(fields, row)
        named.append({names[answer]: value for answer, value in row.items()})
    return named


def _names(fields: FieldList, row: Mapping[str, Any]) -> dict[str, str]:
    """Key of the answer → name of the field."""
    exact = {field.answer: field.name for field in fields.fields if field.answer in row}
    taken = set(exact.values())
    loose: dict[str, list[str]] = {}
    for field in fields.fields:
        if field.name not in taken:
            loose.setdefault(field.name.casefold(), []).append(field.name)
    names = {}
    for answer in row:
        waiting = loose.get(answer.casefold(), [])
        names[answer] = exact.get(answer) or (waiting.pop() if len(waiting) == 1 else answer)
    return names


def _field(projection: exp.Expr, select: exp.Select, dialect: SqlDialect) -> StatementField | None:
    identifier = projection.args.get("alias") if isinstance(projection, exp.Alias) else None
    if identifier is None and isinstance(projection, exp.Column):
        identifier = projection.this
    if not isinstance(identifier, exp.Identifier):
        return None
    quoted = bool(identifier.args.get("quoted"))
    table, column = _origin(projection, select)
    return StatementField(
        name=identifier.name,
        answer=dialect.fold(identifier.name, quoted=quoted),
        table=table,
        column=column,
        label=_label(table, column or identifier.name),
    )


def _label(table: str, column: str) -> str:
    known = find_column(table, column)
    return known.names[0] if known is not None else ""


def _origin(projection: exp.Expr, select: exp.Select, depth: int = 0) -> tuple[str, str]:
    """Table and column behind a projection, if it is made of exactly one column."""
    columns = {(column.table, column.name) for column in projection.find_all(exp.Column)}
    if len(columns) != 1 or depth > 20 or projection.find(exp.Query):
        return "", ""
    qualifier, name = columns.pop()
    sources = _sources(select)
    source = sources.get(qualifier.casefold()) if qualifier else next(iter(sources.values()), None)
    if source is None or (not qualifier and len(sources) > 1):
        return "", name
    inner: exp.Expr | None = source
    if isinstance(source, exp.Table):
        inner = _common(source, source.name)
        if inner is None:
            return source.name.upper(), name
    if inner is None or not isinstance(inner, exp.Subquery | exp.Select | exp.SetOperation):
        return "", name
    below = first_select(inner)
    for projected in below.expressions:
        if projected.alias_or_name.casefold() == name.casefold():
            return _origin(projected, below, depth + 1)
    return "", name


def _first_source(select: exp.Select) -> exp.Expr | None:
    source = select.find(exp.From)
    return source.this if source is not None and source.parent is select else None


def _sources(select: exp.Select) -> dict[str, exp.Expr]:
    """Alias in small letters → what it stands for."""
    found = [_first_source(select), *(join.this for join in select.args.get("joins") or ())]
    return {source.alias_or_name.casefold(): source for source in found if source is not None}


def _common(at: exp.Expr, name: str) -> exp.Expr | None:
    """The common table expression (``WITH name AS …``) that is in force at this place."""
    node: exp.Expr | None = at
    while node is not None:
        for common in node.ctes if isinstance(node, exp.Query) else ():
            if common.alias.casefold() == name.casefold() and common.find(exp.Table) is not at:
                found: exp.Expr = common.this
                return found
        node = node.parent
    return None


def _type(values: Sequence[Any]) -> str:
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds:
        return ""
    if len(kinds) == 1:
        return kinds.pop()
    return "decimal" if kinds <= {"integer", "decimal"} else "text"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "decimal"
        case str():
            return "date" if _is_date(value) else "text"
    return "object"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return text[4:5] == "-" and (len(text) == 10 or text[10] == "T")


def _samples(values: Sequence[Any]) -> tuple[str, ...]:
    found = dict.fromkeys(str(value)[:200] for value in values if value is not None and value != "")
    return tuple(list(found)[:3])

"""What is wrong with the statements of a mapping, before it ever runs: for ``b1-runtime check`` and the studio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.fields import statement_fields
from runtime.connectors.statements.joining import prepare, read_part
from runtime.connectors.statements.params import LineStatement, LineStatements, Parameters
from runtime.connectors.statements.parsing import parse_statement
from runtime.errors import IntegrationError
from runtime.mapping.problems import Problem

__all__ = ["examine_call", "examine_query", "statement_problems"]

_LINES: TypeAdapter[tuple[LineStatement, ...]] = TypeAdapter(LineStatements)
_PARAMETERS: TypeAdapter[dict[str, Any]] = TypeAdapter(Parameters)


@dataclass(frozen=True)
class _Written:
    """The parts of a query as far as the mapping itself says them."""

    key: str
    lines: tuple[LineStatement, ...]
    parameters: dict[str, Any]
    page_size: int = 1
    top: int | None = None


def statement_problems(text: str, dialect: str, *, procedures: Sequence[str] = ()) -> list[Problem]:
    """Why the guard refuses a statement, or what its field list lacks; empty if nothing is wrong.

    :param dialect: ``hana tsql postgres mysql sqlite``
    """
    try:
        statement_fields(text, dialect, procedures=procedures)
    except IntegrationError as error:
        return [_problem("statement", error)]
    return []


def examine_query(values: Mapping[str, Any], dialect: SqlDialect) -> list[Problem]:
    """Judge the ``with`` of a ``query``, each statement by itself; texts that still hold expressions are known only
    when it runs. ``where`` is ``statement``, ``lines[0].statement`` …, or ``parameters``.
    """
    problems = list(_pasted(values))
    statement, key = values.get("statement"), values.get("key") or "DocEntry"
    if not isinstance(statement, str):
        return problems
    try:
        lines = _LINES.validate_python(values.get("lines"))
        parameters = _PARAMETERS.validate_python(values.get("parameters"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return [*problems, Problem("error", f"lines.{place}".rstrip("."), first["msg"], first["msg"])]
    parts = [("", statement, key, "statement")]
    parts += [(one.name, one.statement, one.key or key, f"lines[{at}].statement") for at, one in enumerate(lines)]
    closed = [part for part in parts if not any(map(_open, part))]
    for name, text, column, place in closed:
        try:
            read_part(name, text, str(column), dialect, place)
        except IntegrationError as error:
            problems.append(_problem(place, error))
    problems += _repeated(lines)
    if not problems and len(closed) == len(parts):
        try:
            prepare(statement, _Written(str(key), lines, parameters), dialect, "")
        except IntegrationError as error:
            problems.append(_problem("parameters", error))
    return problems


def examine_call(values: Mapping[str, Any], dialect: SqlDialect, procedures: Sequence[str]) -> list[Problem]:
    """Judge the ``with`` of an ``exec_sql``."""
    problems = list(_pasted(values))
    text = values.get("sql")
    if not problems and isinstance(text, str) and not _open(text):
        try:
            parse_statement(text, dialect, procedures=tuple(procedures))
        except IntegrationError as error:
            problems.append(_problem("sql", error))
    return problems


def _repeated(lines: Sequence[LineStatement]) -> Iterator[Problem]:
    names = [one.name for one in lines]
    for at, name in enumerate(names):
        if name in names[:at]:
            zh, en = f"有两组明细都叫 {name}；请改名", f"Two groups of lines are called {name}: rename one"
            yield Problem("error", f"lines[{at}].name", zh, en)


def _pasted(values: Mapping[str, Any]) -> Iterator[Problem]:
    lines = values.get("lines") or ()
    texts = {"statement": values.get("statement"), "sql": values.get("sql")}
    for number, one in enumerate([lines] if isinstance(lines, Mapping) else lines):
        if isinstance(one, Mapping):
            texts[f"lines[{number}].statement"] = one.get("statement")
    for place, text in texts.items():
        if isinstance(text, str) and _open(text) and not _whole(text):
            yield Problem(
                "error",
                place,
                "语句里不能拼接表达式的值；请写 :参数名，并在 parameters 中给出值",
                "The value of an expression cannot be pasted into a statement: write :name and give the value in "
                "parameters",
            )


def _open(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _whole(text: str) -> bool:
    """Whether the text is one expression and nothing else."""
    text = text.strip()
    return text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1


def _problem(place: str, error: IntegrationError) -> Problem:
    where = error.where.strip()
    remote = f"：{error.remote}" if error.remote else ""
    return Problem("error", where or place, f"{error.zh}{remote}", f"{error.en}{remote}")

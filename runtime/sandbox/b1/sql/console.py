"""Where a statement of any kind is carried out over one company."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlglot import exp
from sqlglot.errors import SqlglotError

from ..context import Context
from .hana import Answer, Hana, SqlRefused, execute, parse_query
from .mirror import Mirror
from .procedures import PROCEDURES

__all__ = ["Console"]


class Console:
    """SQL over a company, reading only.

    :param name: the company's data base, which is the schema's name
    :param context: a unit of work, now
    :param seconds: after which a statement is ended
    """

    def __init__(self, mirror: Mirror, name: str, context: Callable[[], Context], seconds: float = 10) -> None:
        self.mirror = mirror
        self.name = name
        self.seconds = seconds
        self._context = context

    def run(self, statement: str) -> Answer:
        """The answer of one SELECT, or of one CALL of a stored procedure.

        :raises SqlRefused: the statement is wrong, or is something else
        """
        call = _after_call(statement)
        return self.query(parse_query(statement)) if call is None else self._call(call)

    def query(self, query: exp.Query) -> Answer:
        """The answer of a query that was parsed before.

        :raises SqlRefused: the query is wrong
        """
        context = self._context()
        now = datetime.fromisoformat(f"{context.today}T{context.time}")
        return execute(query, self.mirror, self.name, now, self.seconds)

    def _call(self, text: str) -> Answer:
        select = parse_query(f"SELECT {text}")
        call = select.selects[0] if len(select.selects) == 1 and not select.args.get("from_") else None
        if not isinstance(call, exp.Anonymous) or not all(_constant(node) for node in call.expressions):
            raise SqlRefused("sql syntax error: CALL takes one procedure with constants")
        procedure = PROCEDURES.get(call.name.upper())
        if procedure is None:
            raise SqlRefused(f"invalid name of function or procedure: {call.name}")
        return Answer(procedure(self._context(), [node.name for node in call.expressions]), frozenset())


def _after_call(statement: str) -> str | None:
    """What follows ``CALL``; None = the statement is none."""
    try:
        first = next(iter(Hana().tokenize(statement)), None)
    except SqlglotError as error:
        raise SqlRefused(f"sql syntax error: {error}") from error
    return statement[first.end + 1 :] if first is not None and first.text.upper() == "CALL" else None


def _constant(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal)

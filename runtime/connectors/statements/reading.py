"""The two actions that every kind of connection offers which carries out whole statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from runtime.connectors.actions import Action, Effect
from runtime.connectors.statements.binding import require_parameters, values_for
from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.examining import examine_call, examine_query
from runtime.connectors.statements.joining import Joined, prepare
from runtime.connectors.statements.params import ExecSql, StatementQuery
from runtime.connectors.statements.parsing import parse_statement
from runtime.connectors.statements.shaping import limited
from runtime.connectors.statements.wrapped import Execute, Wrapped

__all__ = ["StatementReading"]


class StatementReading:
    """Reading by statement: rows with their lines, and the plain rows of one statement."""

    def __init__(
        self, name: str, dialect: SqlDialect, procedures: tuple[str, ...], execute: Execute, *, whole_pages: bool
    ) -> None:
        """
        :param name: the connection's name
        :param procedures: names that CALL may name
        :param execute: carries a statement out
        :param whole_pages: whether the other side never cuts an answer short without a word
        """
        self._name = name
        self._dialect = dialect
        self._procedures = procedures
        self._execute = execute
        self._source = Wrapped(execute, whole_pages=whole_pages)

    def actions(self) -> tuple[Action, Action]:
        """``query`` and ``exec_sql``."""
        return (
            Action(
                name="query",
                effect=Effect.READ,
                params=StatementQuery,
                zh="用 SQL 查询记录",
                en="query rows by SQL",
                run=self.query,
                streams=True,
                reread=self.reread,
                examine=lambda values: examine_query(values, self._dialect),
            ),
            Action(
                name="exec_sql",
                effect=Effect.READ,
                params=ExecSql,
                zh="执行一条 SQL 查询",
                en="run one SQL query",
                run=self.exec_sql,
                examine=lambda values: examine_call(values, self._dialect, self._procedures),
            ),
        )

    async def query(self, params: StatementQuery) -> AsyncIterator[dict[str, Any]]:
        """The headers with their lines, page after page, in constant memory."""
        return self._joined(params).rows()

    async def reread(self, params: StatementQuery, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A row of :meth:`query` as it is now, or None if it is gone or the statement no longer yields it."""
        return await self._joined(params).again(row)

    async def exec_sql(self, params: ExecSql) -> list[dict[str, Any]]:
        """All rows of one statement, named as the database answers.

        :raises BadMapping: it does more than read, or calls a procedure that is not allowed
        """
        statement = parse_statement(params.sql, self._dialect, procedures=self._procedures)
        require_parameters([statement], params.parameters)
        values = values_for(statement, params.parameters)
        return list(map(dict, await self._execute(limited(statement), self._dialect, values)))

    def _joined(self, params: StatementQuery) -> Joined:
        return Joined(prepare(params.statement, params, self._dialect, self._name), self._source)

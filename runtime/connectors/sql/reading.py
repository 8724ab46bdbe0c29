"""Reading by statement: rows with their lines, and the plain rows of one statement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from runtime.connectors.sql.client import Database
from runtime.connectors.statements.binding import require_parameters, values_for
from runtime.connectors.statements.joining import Joined, prepare
from runtime.connectors.statements.params import ExecSql, StatementQuery
from runtime.connectors.statements.parsing import parse_statement
from runtime.connectors.statements.wrapped import Wrapped

__all__ = ["Reading"]


class Reading:
    """The actions; none of them writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._source = Wrapped(database.execute, whole_pages=True)

    async def query(self, params: StatementQuery) -> AsyncIterator[dict[str, Any]]:
        """The headers with their lines, page after page, in constant memory."""
        return self._joined(params).rows()

    async def reread(self, params: StatementQuery, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A row of :meth:`query` as it is now, or None if it is gone or the statement no longer yields it."""
        return await self._joined(params).again(row)

    async def exec_sql(self, params: ExecSql) -> list[dict[str, Any]]:
        """All rows of one statement, named as the database answers."""
        settings = self._database.settings
        statement = parse_statement(params.sql, settings.dialect, procedures=settings.procedures)
        require_parameters([statement], params.parameters)
        values = values_for(statement, params.parameters)
        return await self._database.execute(statement.sent(), settings.dialect, values)

    def _joined(self, params: StatementQuery) -> Joined:
        query = prepare(params.statement, params, self._database.settings.dialect, self._database.name)
        return Joined(query, self._source)

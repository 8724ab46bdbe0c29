"""Parameters of the actions: what a mapping's ``with`` may say."""

from __future__ import annotations

from runtime.connectors.statements.params import ExecSql, LineStatement, StatementQuery

__all__ = ["ExecSql", "LineStatement", "StatementQuery"]

"""The test of a connection, step by step, in plain words."""

from __future__ import annotations

from sqlalchemy import Connection, text

from runtime.connectors.base import TestReport
from runtime.connectors.sql.catalog import SqlCatalog
from runtime.connectors.sql.client import Database

__all__ = ["try_connection"]

_TITLES = {"hana": "SAP HANA", "tsql": "SQL Server", "postgres": "PostgreSQL", "mysql": "MariaDB / MySQL"}


async def try_connection(database: Database, catalog: SqlCatalog) -> TestReport:
    """Server, user, version, what there is to read; raises what is wrong."""
    settings = database.settings
    product = _TITLES.get(settings.dialect.name, "SQLite")

    def version(connection: Connection) -> str:
        dummy = " FROM DUMMY" if settings.dialect.name == "hana" else ""
        connection.execute(text(f"SELECT 1{dummy}")).scalar()
        return ".".join(map(str, connection.dialect.server_version_info or ()))

    number = await database.run(version)
    user = settings.user or "-"
    lines = [
        (f"已连接 {product} {number}，用户 {user}", f"Reached {product} {number}, user {user}"),
    ]
    tables = len(await catalog.entities())
    lines.append((f"可以看到 {tables} 个表和视图", f"Sees {tables} tables and views"))
    if settings.dialect.name in ("hana", "tsql"):
        lines.append(
            (
                "此数据库没有只读事务：请使用只有查询权限的用户",
                "This database has no read-only transaction: use a user that may only read",
            )
        )
    else:
        lines.append(("每条语句都在只读事务中执行", "Every statement runs in a read-only transaction"))
    return TestReport(lines=tuple(lines))

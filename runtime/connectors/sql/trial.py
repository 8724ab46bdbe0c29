"""The test of a connection, step by step, in plain words."""

from __future__ import annotations

from sqlalchemy import Connection, text

from runtime.connectors.base import TestReport
from runtime.connectors.sql.catalog import SqlCatalog
from runtime.connectors.sql.client import Database

__all__ = ["try_connection"]

_TITLES = {"hana": "SAP HANA", "tsql": "SQL Server", "postgres": "PostgreSQL", "mysql": "MariaDB / MySQL"}
#: Whether the user may do what no read-only transaction keeps it from.
_POWER = {
    "postgres": "SELECT rolsuper OR pg_has_role(rolname, 'pg_read_server_files', 'MEMBER') OR "
    "pg_has_role(rolname, 'pg_execute_server_program', 'MEMBER') FROM pg_roles WHERE rolname = current_user",
    "mysql": "SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type IN ('FILE', 'SUPER') "
    "AND REPLACE(grantee, CHAR(39), '') = CURRENT_USER()",
}


async def try_connection(database: Database, catalog: SqlCatalog) -> TestReport:
    """Server, user, version, what there is to read; raises what is wrong."""
    settings = database.settings
    product = _TITLES.get(settings.dialect.name, "SQLite")

    def version(connection: Connection) -> str:
        dummy = " FROM DUMMY" if settings.dialect.name == "hana" else ""
        connection.execute(text(f"SELECT 1{dummy}")).scalar()
        return ".".join(map(str, connection.dialect.server_version_info or ()))

    def has_power(connection: Connection) -> bool:
        question = _POWER.get(settings.dialect.name)
        return question is not None and bool(connection.execute(text(question)).scalar())

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
    if await database.run(has_power):
        lines.append(
            (
                "此用户权限过大（可读取服务器上的文件）：请使用只有查询权限的用户",
                "This user has too much power (it may read the server's files): use a user that may only read",
            )
        )
    return TestReport(lines=tuple(lines))

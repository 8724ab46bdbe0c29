"""The line to a database: drivers, read-only transactions, time limits, and its errors as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlglot import exp

from runtime.connectors.blanking import blanked
from runtime.connectors.sql.answers import meaning
from runtime.connectors.sql.limits import Limits, cancel, limits_of
from runtime.connectors.sql.settings import SqlSettings
from runtime.connectors.sql.threads import Job
from runtime.connectors.statements.binding import bind
from runtime.connectors.statements.dialects import SqlDialect
from runtime.connectors.statements.shaping import ROW_LIMIT, too_many_rows
from runtime.connectors.statements.values import plain
from runtime.errors import BadConnection, IntegrationError, TimedOut, Unreachable

__all__ = ["Database"]

T = TypeVar("T")
#: Rows that a driver hands over at once.
_BATCH = 1_000
#: Seconds beyond the time limit after which a statement that the server did not end itself is given up.
_GRACE = 2.0
#: What each missing driver's package is called.
_PACKAGES = {
    "hana": "sqlalchemy-hana",
    "mssql": "pymssql",
    "mariadb": "pymysql",
    "mysql": "pymysql",
    "postgresql": "psycopg[binary]",
}


class Database:
    """Statements of one connection, each in a thread of its own. Create it inside a running event loop."""

    def __init__(self, name: str, settings: SqlSettings) -> None:
        self.name = name
        self.settings = settings
        self._limits: Limits = limits_of(settings.dialect.name, settings.timeout)
        self._opened: Engine | None = None

    async def execute(self, tree: exp.Expr, dialect: SqlDialect, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Carry a statement out; the rows as the database names them.

        :raises BadMapping: the database does not understand it, or it yields too many rows
        :raises TimedOut: it did not end in time and was cancelled
        """
        statement, parameters = bind(tree, dialect, values)

        def work(connection: Connection) -> list[dict[str, Any]]:
            # PyMySQL would read a streamed answer to its end even if nobody wants it any more.
            streamed = {"stream_results": True} if dialect.name != "mysql" else {}
            rows: list[dict[str, Any]] = []
            with connection.execution_options(**streamed).execute(text(statement), parameters) as answer:
                names = list(answer.keys())
                for batch in answer.partitions(_BATCH):
                    rows += (dict(zip(names, map(plain, row), strict=True)) for row in batch)
                    if len(rows) > ROW_LIMIT:
                        raise too_many_rows(self.name)
            return rows

        return await self.run(work)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do something with a connection inside a transaction that cannot write, within the time limit."""
        holder: list[Connection] = []

        def guarded() -> T:
            with self._engine().connect() as connection:
                holder.append(connection)
                try:
                    with self._limits.applied(connection):
                        return work(connection)
                finally:
                    if job.given_up:
                        connection.invalidate()

        job = Job(guarded, name=f"sql {self.name}")
        try:
            async with asyncio.timeout(self.settings.timeout + _GRACE):
                return await job.result()
        except TimeoutError as error:
            raise self._too_slow() from error
        except SQLAlchemyError as error:
            raise self._fault(error) from None  # its text holds the parameters' values
        finally:
            if not job.finished:
                job.given_up = True
                cancel(holder)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        if self._opened is not None:
            await asyncio.to_thread(self._opened.dispose)

    def _engine(self) -> Engine:
        if self._opened is None:
            self._opened = _engine(self.name, self.settings)
        return self._opened

    def _too_slow(self, remote: str = "") -> TimedOut:
        return TimedOut(
            f"语句在 {self.settings.timeout:g} 秒内没有结束，已取消",
            f"The statement did not end within {self.settings.timeout:g} seconds and was cancelled",
            where=self.name,
            remote=remote,
        )

    def _fault(self, error: SQLAlchemyError) -> IntegrationError:
        words = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        words = " ".join(blanked(words, [self.settings.password.get_secret_value()]).split())[:300]
        if self._limits.ended(error):
            return self._too_slow(words)
        fault = meaning(error, words, self.name)
        if isinstance(fault, Unreachable):
            url = make_url(self.settings.url)
            fault.where += f" {url.host}:{url.port}" if url.host else f" {url.database}"
        return fault


def _engine(name: str, settings: SqlSettings) -> Engine:
    url = settings.location
    if url.get_backend_name() == "sqlite":
        url = _read_only_file(name, url)
    arguments = _connect_arguments(url, settings)
    try:
        # A statement that was given up keeps its connection for a while, so there are more than are in use.
        return create_engine(
            url, pool_size=5, max_overflow=15, pool_timeout=settings.timeout, pool_pre_ping=True, connect_args=arguments
        )
    except (ImportError, NoSuchModuleError) as error:
        package = _PACKAGES.get(url.get_backend_name(), url.drivername)
        raise BadConnection(
            f"没有安装此数据库的驱动，请执行：pip install {package}",
            f"The driver of this database is not installed: pip install {package}",
            where=name,
            remote=str(error)[:200],
        ) from error
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise BadConnection("数据库地址无效", "The database's URL is not valid", where=f"{name}.url") from error


def _read_only_file(name: str, url: URL) -> URL:
    path = Path(str(url.database))
    if not path.is_file():
        raise BadConnection(
            "找不到 SQLite 文件", "The SQLite file does not exist", where=f"{name}.url", remote=str(path)
        )
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})


def _connect_arguments(url: URL, settings: SqlSettings) -> dict[str, Any]:
    seconds = max(1, int(settings.timeout))
    schema = settings.db_schema
    match url.get_backend_name(), url.get_driver_name():
        case "postgresql", _:
            return {"connect_timeout": seconds, **({"options": f"-csearch_path={_quoted(schema)}"} if schema else {})}
        case (("mariadb" | "mysql"), "pymysql"):
            return {"connect_timeout": min(seconds, 30)}
        case "mssql", "pymssql":
            return {"login_timeout": seconds, "timeout": seconds}
        case "hana", "hdbcli":
            return {
                "connectTimeout": seconds * 1000,
                "communicationTimeout": seconds * 1000,
                **({"currentSchema": schema} if schema else {}),
            }
    return {}


def _quoted(schema: str) -> str:
    return '"' + schema.replace('"', '""').replace("\\", "\\\\").replace(" ", "\\ ") + '"'

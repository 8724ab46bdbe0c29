"""How each database is told that a statement may not write, and when it has to end.

PostgreSQL: ``statement_timeout``, ``SET TRANSACTION READ ONLY``. MariaDB: ``max_statement_time``, MySQL:
``max_execution_time``, both ``SET SESSION TRANSACTION READ ONLY``. SQLite: a progress handler, ``query_only``, no other
file. SQL Server has no such transaction, and HANA's is not asked for: the driver's time limit holds, and the user's
rights.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["Limits", "cancel", "limits_of"]

#: Instructions of SQLite's machine between two looks at the clock.
_STEPS = 50_000
#: Bytes of one value in SQLite.
_LONGEST_VALUE = 16_000_000


class Limits:
    """Nothing to say to the server: the caller's clock alone ends a statement."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @contextmanager
    def applied(self, connection: Connection) -> Iterator[None]:
        """In force for the duration of the block."""
        yield

    def ended(self, error: SQLAlchemyError) -> bool:
        """Whether the error says that the time was over."""
        return "timeout" in str(getattr(error, "orig", "")).casefold()


class _Postgres(Limits):
    @contextmanager
    def applied(self, connection: Connection) -> Iterator[None]:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text(f"SET LOCAL statement_timeout = {int(self.seconds * 1000)}"))
        yield

    def ended(self, error: SQLAlchemyError) -> bool:
        return getattr(getattr(error, "orig", None), "sqlstate", "") == "57014"


class _MySQL(Limits):
    @contextmanager
    def applied(self, connection: Connection) -> Iterator[None]:
        if getattr(connection.dialect, "is_mariadb", False):
            connection.execute(text(f"SET SESSION max_statement_time = {self.seconds:f}"))
        else:
            connection.execute(text(f"SET SESSION max_execution_time = {int(self.seconds * 1000)}"))
        # The transaction that SQLAlchemy has begun by now is one that may write, and so would be the one that follows a
        # COMMIT in a procedure.
        connection.execute(text("SET SESSION TRANSACTION READ ONLY"))
        connection.execute(text("COMMIT"))
        connection.execute(text("START TRANSACTION READ ONLY"))
        yield

    def ended(self, error: SQLAlchemyError) -> bool:
        original = getattr(error, "orig", None)
        return bool(original is not None and original.args and original.args[0] in (1969, 3024, 1317))


class _SQLite(Limits):
    @contextmanager
    def applied(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        end = time.monotonic() + self.seconds
        connection.exec_driver_sql("PRAGMA query_only = ON")
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        driver.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        driver.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)

    def ended(self, error: SQLAlchemyError) -> bool:
        return "interrupted" in str(getattr(error, "orig", ""))


def limits_of(dialect: str, seconds: float) -> Limits:
    """The limits of one kind of database."""
    return {"postgres": _Postgres, "mysql": _MySQL, "sqlite": _SQLite}.get(dialect, Limits)(seconds)


def cancel(connections: Sequence[Connection]) -> None:
    """Tell the driver to break off what it is doing, from another thread, where it can."""
    for connection in connections:
        with suppress(Exception):  # it may have ended this very moment
            driver: Any = connection.connection.driver_connection
            for name in ("interrupt", "cancel"):  # SQLite, psycopg
                stop = getattr(driver, name, None)
                if callable(stop):
                    stop()
                    return

"""Who is the one runtime on a PostgreSQL state: an advisory lock, and a fence around everything that it writes.

The server releases the lock as soon as the connection that holds it is gone, also when the process was killed. But a
connection can be lost while its process lives on (a restart of the server, a network that forgets). Then the claim is
taken again, unless another runtime was quicker; and until the loss is noticed, the fence keeps the older runtime from
committing anything beside the newer one, above all an intent: without a committed intent nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from runtime.errors import CannotStart
from runtime.store import tables

__all__ = ["AdvisoryLock", "Fence"]

#: Key of the lock that the one runtime holds ("b1rt" as a number).
_RUNTIME_LOCK = 0x62317274
#: A machine that disappears without a word must not hold the lock for hours, as TCP would let it.
_KEEPALIVE = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")


class AdvisoryLock:
    """The lock, held by a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock; False if somebody else holds it.

        :raises SQLAlchemyError: the server does not answer
        """
        connection = self._engine.connect()
        try:
            for setting in _KEEPALIVE:
                connection.execute(text(f"SET {setting}"))
            if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _RUNTIME_LOCK}):
                self._connection = connection
                return True
        except BaseException:
            connection.close()
            raise
        connection.close()
        return False

    def hold(self) -> bool:
        """Make sure that we hold the lock, taking it again if its connection was lost; False if somebody else has it.

        :raises SQLAlchemyError: the server does not answer
        """
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
                return True
            except SQLAlchemyError:
                self._drop()
        return self.acquire()

    def release(self) -> None:
        """Give the lock back; a server that does not answer has released it already."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _RUNTIME_LOCK})
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            # Back in the pool it would go on holding whatever it still holds.
            with suppress(SQLAlchemyError):
                self._connection.invalidate()
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None


class Fence:
    """Lets a transaction of ours go on only while we are the runtime of the state.

    :param claim: the row of the table ``runtimes`` that says who we are: ``host``, ``pid``, ``started_at``
    """

    def __init__(self, claim: Mapping[str, Any]) -> None:
        self._claim = dict(claim)

    def __call__(self, connection: Connection) -> None:
        """Look, and keep others from claiming the state before this transaction is over.

        :raises CannotStart: another runtime has taken over
        """
        table = tables.runtimes
        query = select(table).with_for_update(read=True)
        row = connection.execute(query).mappings().first()
        if row is not None and any(row[name] != value for name, value in self._claim.items()):
            raise CannotStart(
                "与状态数据库失去联系期间，另一个运行时已接管；本运行时停止工作",
                "While the state database was out of reach another runtime took over; this one stops working",
                where=f"{row['description']} (pid {row['pid']}, {row['host']}) {row['url']}".strip(),
            )

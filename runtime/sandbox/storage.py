"""Where the simulators keep their state: named collections of JSON values, in one SQLite file or in memory only."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import RLock, Timer
from types import TracebackType
from typing import Any, Self

from runtime.errors import CannotStart
from runtime.jsontext import dumps, loads

__all__ = ["Storage"]

#: Changes are committed together, this many seconds after the first of them.
COMMIT_DELAY = 0.05


class Storage:
    """Write-through key-value collections for the simulators.

    A simulator keeps its rows in memory, reads them once with :meth:`load` and tells the storage about every change.
    Changes reach the disk in small groups; :meth:`close` and :meth:`flush` commit what is pending. A key is written as
    JSON, so an ``int`` comes back as an ``int`` and a composite key (a tuple) as a tuple.

    :param path: the SQLite file (its folder is created), or None to keep nothing beyond this object
    :raises CannotStart: the file cannot be opened or written
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = RLock()
        self._timer: Timer | None = None
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db: sqlite3.Connection | None = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS rows (collection TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
                " PRIMARY KEY (collection, key)) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise CannotStart(
                "沙箱的数据文件无法打开或写入",
                "the sandbox's data file cannot be opened or written",
                where=str(path),
                remote=str(error),
            ) from error

    def load(self, collection: str) -> dict[Any, Any]:
        """Every value of a collection by its key; fractions come back as ``Decimal``."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT key, value FROM rows WHERE collection = ?", (collection,)
            ).fetchall()
        return {_thaw(key): loads(value) for key, value in rows}

    def put(self, collection: str, key: Any, value: Any) -> None:
        """Insert or replace one value (anything that JSON can hold)."""
        self._change(
            "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (collection, _freeze(key), dumps(value)),
        )

    def delete(self, collection: str, key: Any) -> None:
        """Remove one value; a missing one is no error."""
        self._change("DELETE FROM rows WHERE collection = ? AND key = ?", (collection, _freeze(key)))

    def clear(self) -> None:
        """Remove everything, of every collection."""
        self._change("DELETE FROM rows", ())

    def flush(self) -> None:
        """Commit what is pending."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._db is not None and self._db.in_transaction:
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Commit what is pending and close the file; a second call does nothing."""
        with self._lock:
            self.flush()
            if self._db is not None:
                self._db.close()
                self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise ValueError("the storage is closed")
        return self._db

    def _change(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            connection = self._connection
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            if self._timer is None:
                self._timer = Timer(COMMIT_DELAY, self.flush)
                self._timer.daemon = True
                self._timer.start()
            connection.execute(statement, values)


def _freeze(key: Any) -> str:
    return dumps(key).decode()


def _thaw(text: str) -> Any:
    key = loads(text)
    return tuple(key) if isinstance(key, list) else key

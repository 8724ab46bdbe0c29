"""The state database: open (and migrate), read, write with group commit, and who is the one runtime on it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from runtime.connectors.blanking import blanked
from runtime.errors import CannotStart
from runtime.store import migrate, tables
from runtime.store.claim import AdvisoryLock, Fence
from runtime.store.columns import utc_now
from runtime.store.writer import Writer, password_parameters, passwords_of, translated

__all__ = ["Database", "RuntimeInfo"]

T = TypeVar("T")

#: A runtime that has not been seen for so long is gone.
_ALIVE = timedelta(seconds=20)
#: Seconds for which a claim on PostgreSQL is tried.
_LOCK_PATIENCE = 2.0
_BUSY_TIMEOUT_MS = 15_000


@dataclass(frozen=True, kw_only=True)
class RuntimeInfo:
    """The runtime that works on this state now; times are UTC."""

    description: str
    host: str
    pid: int
    url: str
    started_at: datetime
    seen_at: datetime


class Database:
    """The state database; every method may be called from any thread, the ``a…`` methods from any event loop.

    Durability is chosen for power loss, not only for a killed process: SQLite runs in WAL mode with
    ``synchronous=FULL``, so that a committed intent is on the disk before the approval is asked for. The price, one
    flush per commit, is shared by group commit (see :class:`~runtime.store.writer.Writer`).
    """

    def __init__(self, engine: Engine, *, lock_file: Path | None) -> None:
        self._engine = engine
        self._lock_file = lock_file
        self._lock: AdvisoryLock | None = None
        #: Our row of the table ``runtimes``.
        self._claim: dict[str, Any] | None = None
        self._writer = Writer(engine)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="state-read")

    @classmethod
    def open(cls, url: str) -> Database:
        """Connect and bring the tables up to date.

        :param url: ``sqlite:///path`` or ``postgresql+psycopg://…``
        :raises CannotStart: bad URL, folder not writable, server unreachable, or written by a newer version
        """
        parsed = _parse(url)
        shown = _shown(parsed)
        secrets = passwords_of(parsed)
        lock_file = _prepare_folder(parsed) if parsed.get_backend_name() == "sqlite" else None
        try:
            engine = create_engine(parsed, pool_size=8, max_overflow=8, pool_pre_ping=lock_file is None)
        except (NoSuchModuleError, ImportError, ArgumentError) as error:
            raise CannotStart(
                "无法使用该状态数据库：缺少驱动（PostgreSQL 请安装 cluster 扩展）",
                "The state database cannot be used: its driver is missing (for PostgreSQL install the extra 'cluster')",
                where=shown,
                remote=str(error),
            ) from error
        if lock_file is not None:
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        try:
            migrate.upgrade(engine, where=shown)
        except SQLAlchemyError as error:
            engine.dispose()
            raise CannotStart(
                "无法打开状态数据库，请检查文件夹是否可写、服务器是否可达",
                "The state database cannot be opened: check that the folder is writable and the server reachable",
                where=shown,
                remote=blanked(str(getattr(error, "orig", None) or error).strip(), secrets),
            ) from error
        except CannotStart:
            engine.dispose()
            raise
        return cls(engine, lock_file=lock_file)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a read-only look at the state.

        :raises RetryLater: the database does not answer
        """
        with translated(self._engine), self._engine.connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; returns after the commit.

        ``work`` runs in the writer's thread, may run more than once (only the last time counts) and must not call
        :meth:`write` itself.

        :raises RetryLater: the database does not answer, or the disk is full
        """
        done: Future[Any] = Future()
        self._writer.submit(work, done)
        result: T = done.result()
        return result

    async def aread(self, work: Callable[[Connection], T]) -> T:
        """:meth:`read` without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read, work)

    async def awrite(self, work: Callable[[Connection], T]) -> T:
        """:meth:`write` without blocking the event loop: whatever is pending anywhere shares one commit."""
        result: T = await self.begin_write(work)
        return result

    def begin_write(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Queue ``work`` like :meth:`awrite`, in the order of the calls; the future ends with the commit."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(work, future)
        return future

    @contextmanager
    def claim_runtime(self, description: str) -> Iterator[None]:
        """Be the one runtime on this state for the duration of the block, also across machines on PostgreSQL.

        :param description: who we are, shown to whoever comes second, e.g. ``b1-runtime serve``
        :raises CannotStart: another runtime works on this state; names it
        """
        with self._file_lock() if self._lock_file is not None else self._advisory_lock():
            ours = {"host": socket.gethostname(), "pid": os.getpid(), "started_at": utc_now()}
            self._claim = {"id": 1, "description": description, "url": "", **ours}
            self.write(partial(_claim, self._claim))
            if self._lock is not None:
                self._writer.guard = Fence(ours)
            try:
                yield
            finally:
                self._claim, self._writer.guard = None, None
                same = [tables.runtimes.c[name] == value for name, value in ours.items()]
                self.write(lambda connection: connection.execute(delete(tables.runtimes).where(*same)))

    def heartbeat(self, *, url: str = "") -> None:
        """Say that the runtime that holds the claim is alive; call it every few seconds.

        :param url: address under which it answers on this machine; empty = keep the one said before
        :raises CannotStart: the claim was lost to another runtime
        :raises RetryLater: the database does not answer
        """
        with translated(self._engine):
            if self._lock is not None and not self._lock.hold():
                raise self._taken()
        if self._claim is not None:
            self._claim = {**self._claim, **({"url": url} if url else {})}
            self.write(partial(_claim, self._claim))

    def runtime_alive(self) -> RuntimeInfo | None:
        """The runtime that works on this state now, or None."""
        row = self.read(lambda connection: connection.execute(select(tables.runtimes)).mappings().first())
        if row is None or utc_now() - row["seen_at"] > _ALIVE:
            return None
        if row["host"] == socket.gethostname() and not _process_lives(row["pid"]):
            return None
        return RuntimeInfo(**{name: value for name, value in row.items() if name != "id"})

    def close(self) -> None:
        """Finish what is queued and close all connections."""
        self._writer.close()
        self._readers.shutdown()
        self._engine.dispose()

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        lock = FileLock(str(self._lock_file), timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise self._taken() from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _advisory_lock(self) -> Iterator[None]:
        lock = AdvisoryLock(self._engine)
        with translated(self._engine):
            # A process that was killed a moment ago may still be held by the server.
            deadline = time.monotonic() + _LOCK_PATIENCE
            while not lock.acquire():
                if time.monotonic() > deadline:
                    raise self._taken()
                time.sleep(0.1)
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None
            lock.release()

    def _taken(self) -> CannotStart:
        row = self.read(lambda connection: connection.execute(select(tables.runtimes)).mappings().first())
        who = f"{row['description']} (pid {row['pid']}, {row['host']}) {row['url']}".strip() if row else ""
        return CannotStart(
            "另一个运行时正在使用这份状态数据，请先停止它，或为本次运行另设 B1_STATE",
            "Another runtime works on this state; stop it first, or give this one its own B1_STATE",
            where=who or _shown(self._engine.url),
        )


def _claim(row: Mapping[str, Any], connection: Connection) -> None:
    connection.execute(delete(tables.runtimes))
    connection.execute(insert(tables.runtimes).values({**row, "seen_at": utc_now()}))


def _shown(url: URL) -> str:
    """The address without its passwords, which drivers take among the parameters, too."""
    return url.difference_update_query(password_parameters(url)).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise CannotStart(
            "状态数据库的地址无效（应为 sqlite:///… 或 postgresql+psycopg://…）",
            "The address of the state database is not valid (sqlite:///… or postgresql+psycopg://…)",
            where="B1_STATE",
        ) from None  # its text may hold a piece of the password
    if parsed.get_backend_name() not in {"sqlite", "postgresql"} or (
        parsed.get_backend_name() == "sqlite" and not parsed.database
    ):
        raise CannotStart(
            "状态数据库只支持 SQLite 文件和 PostgreSQL",
            "The state database is a SQLite file or PostgreSQL",
            where=_shown(parsed),
        )
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _prepare_folder(url: URL) -> Path:
    file = Path(url.database or "")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            "无法创建状态文件夹",
            "The folder for the state cannot be created",
            where=str(file.parent),
            remote=error.strerror or str(error),
        ) from error
    # Payloads of business documents are in it: nobody else on the machine reads them. What stands in the way of making
    # the file is said when it is opened.
    with suppress(OSError):
        file.touch(mode=0o600)
    return file.with_name(file.name + ".lock")


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling knows no BEGIN IMMEDIATE and breaks savepoints: switched off.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Two processes that switch a new file to WAL at the same moment do not wait for each other, whatever busy_timeout.
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins by reading and then writes fails at once when another process wrote in between.
    writing = connection.get_execution_options().get("b1_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

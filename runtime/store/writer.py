"""Group commit: one thread writes, and everything that is pending shares one transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from runtime.errors import RetryLater
from runtime.faultpoints import FaultPoint, reach

__all__ = ["Writer", "translated"]

#: More than this in one transaction would only keep the first ones waiting.
_BATCH = 256

Work = Callable[[Connection], Any]
AnyFuture = Future[Any] | asyncio.Future[Any]


class _Pending(NamedTuple):
    work: Work
    future: AnyFuture


class _Settled(NamedTuple):
    future: AnyFuture
    result: Any
    error: BaseException | None


class Writer:
    """Runs pieces of work in the order in which they were submitted, all that wait in one transaction.

    The usual case, nothing fails, costs no savepoints. Only when a piece raises, the transaction is rolled back and
    repeated with a savepoint around each piece; the error goes to the one that raised it, the others are committed.
    So a piece may run twice and must not do anything but use its connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(b1_write=True)
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="state-write", daemon=True)
        self._thread.start()

    def submit(self, work: Work, future: AnyFuture) -> None:
        """Queue ``work``; ``future`` gets its result after the commit."""
        if self._closed:
            raise RuntimeError("the state database is closed")
        if threading.current_thread() is self._thread:
            raise RuntimeError("a piece of work must not wait for another one")
        self._queue.put(_Pending(work, future))

    def close(self) -> None:
        """Write what is queued, then stop."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while True:
            batch, last = self._take()
            if batch:
                _deliver(self._commit(batch))
            if last:
                return

    def _take(self) -> tuple[list[_Pending], bool]:
        batch: list[_Pending] = []
        while len(batch) < _BATCH:
            try:
                item = self._queue.get(block=not batch)
            except queue.Empty:
                return batch, False
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _commit(self, batch: list[_Pending]) -> list[_Settled]:
        try:
            with self._engine.begin() as connection:
                results = [item.work(connection) for item in batch]
                reach(FaultPoint.BEFORE_COMMIT)
            reach(FaultPoint.AFTER_COMMIT)
            return [_Settled(item.future, result, None) for item, result in zip(batch, results, strict=True)]
        except Exception as error:
            # A connection that died may have committed: then the outcome is the callers' to find out, not ours.
            if len(batch) == 1 or _connection_lost(error):
                return [_Settled(item.future, None, _translate(error)) for item in batch]
        try:
            with self._engine.begin() as connection:
                return [_apart(connection, item) for item in batch]
        except Exception as error:
            return [_Settled(item.future, None, _translate(error)) for item in batch]


def _apart(connection: Connection, item: _Pending) -> _Settled:
    try:
        with connection.begin_nested():
            return _Settled(item.future, item.work(connection), None)
    except Exception as error:
        if _connection_lost(error):
            raise
        return _Settled(item.future, None, _translate(error))


def _deliver(settled: list[_Settled]) -> None:
    """Hand the results over, with one wake-up per event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[_Settled]] = defaultdict(list)
    for one in settled:
        if isinstance(one.future, asyncio.Future):
            loops[one.future.get_loop()].append(one)
        else:
            _resolve([one])
    for loop, ones in loops.items():
        # A loop that was closed meanwhile has nobody left who waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, ones)


def _resolve(settled: list[_Settled]) -> None:
    for future, result, error in settled:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


def _connection_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _translate(error: Exception) -> Exception:
    if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
        fault = RetryLater(
            "状态数据库暂时无法使用",
            "The state database cannot be used at the moment",
            where="B1_STATE",
            remote=str(error.orig).strip(),
        )
        fault.__cause__ = error
        return fault
    return error


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's errors into :class:`~runtime.errors.RetryLater`."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(error) from error

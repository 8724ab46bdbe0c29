"""Group commit: one thread writes, and everything that is pending shares one transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, groupby
from typing import Any, NamedTuple, Self, TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from runtime.connectors.blanking import blanked
from runtime.errors import RetryLater
from runtime.faultpoints import FaultPoint, reach

__all__ = ["Joint", "Writer", "password_parameters", "passwords_of", "translated"]

#: More than this in one transaction would only keep the first ones waiting.
_BATCH = 256
#: Seconds for which a busy writer waits for more to share the next transaction: each costs a flush and the processor.
_GATHER = 0.005

#: Seconds between attempts to write to a server that is gone; the kept connection may be all that is.
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)

T = TypeVar("T")
Work = Callable[[Connection], Any]
AnyFuture = Future[Any] | asyncio.Future[Any]


class Joint(ABC):
    """A piece of work that costs little more when many of its kind are done at once."""

    @abstractmethod
    def __call__(self, connection: Connection) -> Any:
        """Do it alone."""

    @classmethod
    @abstractmethod
    def together(cls, connection: Connection, pieces: Sequence[Self]) -> list[Any]:
        """Do several, in their order; their results. Whatever it raises, each of them is done alone instead."""


class _Pending(NamedTuple):
    work: Work
    future: AnyFuture


class _Settled(NamedTuple):
    future: AnyFuture
    result: Any
    error: BaseException | None


class Writer:
    """Runs pieces of work in the order in which they were submitted, all that wait in one transaction.

    Neighbours that are :class:`Joint` are done together. The usual case, nothing fails, costs no savepoints. Only when
    a piece raises, the transaction is rolled back and repeated with a savepoint around each piece; the error goes to
    the one that raised it, the others are committed.
    So a piece may run twice and must not do anything but use its connection.

    A server that drops its connections (a restart, a failover) loses nothing: what was certainly not committed is
    written again as soon as it answers, within a few seconds.
    """

    def __init__(self, engine: Engine) -> None:
        #: Looks at every transaction before anything is written in it; raises where nothing may be written any more.
        self.guard: Work | None = None
        self._engine = engine.execution_options(b1_write=True)
        self._secrets = passwords_of(engine.url)
        #: Kept from one transaction to the next, as long as nothing goes wrong.
        self._connection: Connection | None = None
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
        busy = False
        while True:
            batch, last = self._take(_GATHER if busy else 0.0)
            if batch:
                _deliver(self._commit(batch))
            if last:
                self._let_go()
                return
            busy = len(batch) > 1

    def _take(self, patience: float) -> tuple[list[_Pending], bool]:
        """What waits, in order, and whether nothing comes after it; ``patience`` in seconds, from the first one on."""
        batch: list[_Pending] = []
        while len(batch) < _BATCH:
            if len(batch) == 1 and patience:
                time.sleep(patience)
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
            results = self._persistently(partial(_work_off, batch))
            reach(FaultPoint.AFTER_COMMIT)
            return [_Settled(item.future, result, None) for item, result in zip(batch, results, strict=True)]
        except Exception as error:
            # A connection that died may have committed: then the outcome is the callers' to find out, not ours.
            if len(batch) == 1 or _connection_lost(error):
                return _all_failed(batch, error, self._secrets)
        try:
            return self._persistently(lambda connection: [_apart(connection, item, self._secrets) for item in batch])
        except Exception as error:
            return _all_failed(batch, error, self._secrets)

    def _persistently(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; again, if the connection is lost before the commit begins."""
        for pause in _PAUSES:
            try:
                return self._once(work)
            except _NotCommitted:
                time.sleep(pause)
        try:
            return self._once(work)
        except _NotCommitted as error:
            reason = error.reason
        # Out here: it is the other one's cause already, and who follows causes must come to an end.
        raise reason

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._connection = self._connection or self._engine.connect()
        except OperationalError as error:
            raise _NotCommitted(error) from error
        try:
            with connection.begin():
                try:
                    if self.guard is not None:
                        self.guard(connection)
                    result = work(connection)
                except DBAPIError as error:
                    if _connection_lost(error):
                        raise _NotCommitted(error) from error
                    raise
                reach(FaultPoint.BEFORE_COMMIT)
        except BaseException:
            self._let_go()
            raise
        return result

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _NotCommitted(Exception):
    """The connection is gone, and what was to be written certainly is not."""

    def __init__(self, reason: DBAPIError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _all_failed(batch: list[_Pending], error: Exception, secrets: Sequence[str]) -> list[_Settled]:
    return [_Settled(item.future, None, _translate(error, secrets)) for item in batch]


def _work_off(batch: list[_Pending], connection: Connection) -> list[Any]:
    """The results, in order; neighbours of one kind are done together."""
    results: list[Any] = []
    for kind, group in groupby((item.work for item in batch), key=type):
        works: list[Any] = list(group)
        if issubclass(kind, Joint) and len(works) > 1:
            results += kind.together(connection, works)
        else:
            results += [work(connection) for work in works]
    return results


def _apart(connection: Connection, item: _Pending, secrets: Sequence[str]) -> _Settled:
    try:
        with connection.begin_nested():
            return _Settled(item.future, item.work(connection), None)
    except Exception as error:
        if _connection_lost(error):
            raise
        return _Settled(item.future, None, _translate(error, secrets))


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
        with suppress(RuntimeError):
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


def passwords_of(url: URL) -> list[str]:
    """What the address of a database holds that nobody is to read; drivers take it among the parameters, too."""
    hidden = (url.normalized_query[name] for name in password_parameters(url))
    return [url.password or "", *chain.from_iterable(hidden)]


def password_parameters(url: URL) -> list[str]:
    """Names of the parameters of an address that hold passwords."""
    return [name for name in url.query if "password" in name.lower()]


def _translate(error: Exception, secrets: Sequence[str]) -> Exception:
    if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
        fault = RetryLater(
            "状态数据库暂时无法使用",
            "The state database cannot be used at the moment",
            where="B1_STATE",
            remote=blanked(str(error.orig).strip(), secrets),
        )
        fault.__cause__ = error
        return fault
    return error


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turns the driver's errors into :class:`~runtime.errors.RetryLater`."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(error, passwords_of(engine.url)) from error

"""When a whole system is down, a run stops with one clear line instead of failing every document.

Several documents in a row that a connection could not carry out raise the suspicion; the connection's own test settles
it, so that documents which only upset the other system do not keep the others waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from runtime.engine.pool import Lease
from runtime.engine.records import StepRecord
from runtime.errors import FixSetup, IntegrationError, RemoteFault, RetryLater, Throttled, TimedOut, Unreachable

__all__ = ["Breaker", "Circuits"]

#: Documents in a row that fail because of one connection.
_SUSPICIOUS = 5
#: Seconds for the test of a connection; one that is slower is down.
_PATIENCE = 30.0
_DOWN = (Unreachable, TimedOut, RemoteFault, Throttled)


class Circuits:
    """The connections that were down when last used; shared by all runs of an engine."""

    def __init__(self) -> None:
        self.open: set[str] = set()


class Breaker:
    """Watches how the documents of one run fare with each connection."""

    def __init__(self, circuits: Circuits, lease: Lease) -> None:
        self._circuits = circuits
        self._lease = lease
        self._failures: dict[str, int] = {}
        self._testing = asyncio.Lock()
        self._tripped = False

    @property
    def on_trial(self) -> bool:
        """Whether some connection was down lately: documents should go one at a time until it is seen to work."""
        return bool(self._circuits.open)

    async def ready(self) -> None:
        """Before the next document: wait while a connection is being tested."""
        if self._testing.locked():
            async with self._testing:
                return

    async def judge(self, records: Iterable[StepRecord], error: IntegrationError | None) -> IntegrationError | None:
        """After each document: the error that ends the run, if one of its systems turns out to be down.

        :param records: its steps
        :param error: what it failed with
        """
        blamed = ""
        for record in records:
            if not record.connection:
                continue
            if record.error is None:
                self._failures.pop(record.connection, None)
                self._circuits.open.discard(record.connection)
            elif record.error is error and _means_down(error):
                blamed = record.connection
        if not blamed or error is None:
            return None
        count = self._failures[blamed] = self._failures.get(blamed, 0) + 1
        if count < (1 if blamed in self._circuits.open else _SUSPICIOUS):
            return None
        async with self._testing:
            if self._tripped or self._failures.get(blamed, 0) < count:
                return None
            cause = await self._test(blamed)
            if cause is None:
                self._failures.pop(blamed, None)
                self._circuits.open.discard(blamed)
                return None
            self._tripped = True
            self._circuits.open.add(blamed)
            return _is_down(blamed, count, cause)

    async def _test(self, name: str) -> IntegrationError | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                connector = await self._lease.get(name)
                await connector.test()
        except IntegrationError as error:
            return error
        except TimeoutError:
            return TimedOut("连接测试没有得到答复", "The test of the connection got no answer", where=name)
        return None


def _means_down(error: IntegrationError) -> bool:
    return isinstance(error, _DOWN) or isinstance(error.__cause__, _DOWN)


def _is_down(name: str, count: int, cause: IntegrationError) -> IntegrationError:
    if isinstance(cause, FixSetup):
        return cause
    found = RetryLater(
        f"连接 {name} 的系统不可用（连续 {count} 张单据失败：{cause.zh}），本次运行不再处理其余单据",
        f"The system of connection {name} is down ({count} documents in a row failed: {cause.en}); "
        "this run takes up no more documents",
        where=cause.where,
        code=cause.code,
        remote=cause.remote,
    )
    found.__cause__ = cause
    return found

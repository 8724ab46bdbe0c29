"""Events over connections that we open ourselves: store → commit → acknowledge, and open again whatever broke off."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from runtime.connectors.base import Connector
from runtime.connectors.blanking import blanked, secrets_of
from runtime.connectors.event_stream import Delivery, EventStream
from runtime.connectors.registry import connector_kind
from runtime.engine.pool import Pool
from runtime.errors import IntegrationError, RetryLater, Unreachable
from runtime.faultpoints import FaultPoint, reach
from runtime.service.intake import Intake
from runtime.service.metrics import Metrics
from runtime.service.trouble import Troubles
from runtime.store.columns import utc_now
from runtime.store.connections import ConnectionStore

__all__ = ["StreamState", "Streams"]

log = structlog.get_logger(__name__)

#: Seconds between two looks at the stored connections.
_LOOK_EVERY = 1.0
#: Events of one stream that are stored at the same time: they share commits.
_AT_ONCE = 256
#: The pause before another attempt doubles up to so many seconds.
_LONGEST_PAUSE = 60.0
#: Attempts that have to fail one after the other before people are told: a stream that is renewed is no trouble.
_TELL_AFTER = 2


@dataclass(kw_only=True)
class StreamState:
    """How one stream is."""

    connected: bool = False
    #: UTC; when it became so.
    since: datetime
    #: Why it is not connected.
    error: IntegrationError | None = None
    #: Attempts in a row that failed.
    failures: int = 0


class Streams:
    """Listens on every connection whose settings ask for an event stream, whatever the mappings say: like a callback
    address, a stream loses no event because its mapping is switched off or broken at the moment."""

    def __init__(
        self, connections: ConnectionStore, pool: Pool, intake: Intake, metrics: Metrics, troubles: Troubles
    ) -> None:
        self._connections = connections
        self._pool = pool
        self._intake = intake
        self._metrics = metrics
        self._troubles = troubles
        #: Connection → its version, and who listens on it.
        self._listeners: dict[str, tuple[datetime, asyncio.Task[None]]] = {}
        #: By connection; those without an event stream are not in it.
        self.states: dict[str, StreamState] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                except RetryLater as error:
                    # The inbox says so already.
                    log.debug("connections cannot be looked up", reason=error.sentence("en"))
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            await self._end(list(self._listeners))

    async def _look(self) -> None:
        """Follow the stored connections: listen on new ones, anew on changed ones, no longer on those that are gone."""
        stored = await asyncio.to_thread(self._connections.list)
        versions = {info.name: info.updated_at for info in stored if _has_stream(info.kind)}
        outdated = [name for name, (version, _) in self._listeners.items() if versions.get(name) != version]
        await self._end(outdated)
        for name in outdated:
            if self.states.pop(name, None) is not None:
                self._metrics.forget_stream(name)
                self._troubles.stream_restored(name)
        for name, version in versions.items():
            if name not in self._listeners:
                task = asyncio.create_task(self._listen(name), name=f"event stream {name}")
                self._listeners[name] = (version, task)

    async def _end(self, names: list[str]) -> None:
        tasks = [self._listeners.pop(name)[1] for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, name: str) -> None:
        """Keep one connection's stream open; returns if its settings do not ask for one."""
        while True:
            pause, began = _LOOK_EVERY, asyncio.get_running_loop().time()
            secrets: list[str] = []
            try:
                async with self._pool.lease() as lease:
                    connector: Connector[Any] = await lease.get(name)
                    secrets = secrets_of(connector.settings)
                    stream = connector.event_stream()
                    if stream is None:
                        return
                    pause = stream.pause
                    await self._follow(name, stream)
                self._over(name)
                if asyncio.get_running_loop().time() - began > pause:
                    continue
            except IntegrationError as error:
                error.remote = blanked(error.remote, secrets)
                pause = self._down(name, error, pause)
            except Exception as error:
                trace, words = blanked(traceback.format_exc(), secrets), blanked(repr(error), secrets)
                log.error("event stream broke down and is opened again", connection=name, exception=trace)
                fault = Unreachable("事件流异常中断", "The event stream broke down", where=name, remote=words)
                pause = self._down(name, fault, pause)
            await asyncio.sleep(pause)

    async def _follow(self, name: str, stream: EventStream) -> None:
        """Take in what one connection delivers until it ends."""
        async with stream.open() as deliveries:
            self._up(name)
            await self._take_all(name, deliveries)

    async def _take_all(self, name: str, deliveries: AsyncIterator[Delivery]) -> None:
        places = asyncio.Semaphore(_AT_ONCE)
        working: set[asyncio.Task[None]] = set()

        def over(task: asyncio.Task[None]) -> None:
            working.discard(task)
            places.release()

        try:
            await places.acquire()
            async for delivery in deliveries:
                task = asyncio.create_task(self._take(name, delivery), name=f"event of {name}")
                working.add(task)
                task.add_done_callback(over)
                await places.acquire()
        finally:
            # What is being stored is stored, and acknowledged if there is still somebody to hear it.
            await asyncio.gather(*working)

    async def _take(self, name: str, delivery: Delivery) -> None:
        events = [f"{event.type} {event.instance_id}".strip() for event in delivery.events]
        try:
            if delivery.problem is not None:
                raise delivery.problem
            new = await self._intake.store(name, delivery.events)
        except Exception as error:
            if isinstance(error, IntegrationError):
                log.warning("event of a stream not taken", connection=name, events=events, reason=error.sentence("en"))
            else:
                log.exception("event of a stream not taken", connection=name, events=events)
            self._metrics.callbacks.labels(connection=name, verdict="rejected").inc()
            with suppress(Unreachable):
                await delivery.decline()
            return
        self._metrics.callbacks.labels(connection=name, verdict="accepted").inc()
        log.info("event of a stream accepted", connection=name, events=events, new=new)
        reach(FaultPoint.BEFORE_ACKNOWLEDGE)
        # Without it the event comes once more, and finds itself stored.
        with suppress(Unreachable):
            await delivery.acknowledge()
        reach(FaultPoint.AFTER_ACKNOWLEDGE)

    def _up(self, name: str) -> None:
        state = self.states.get(name)
        if state is None or state.failures:
            failures = state.failures if state else 0
            log.info("event stream is connected", connection=name, failed_attempts=failures)
        self.states[name] = fresh = StreamState(connected=True, since=utc_now())
        self._metrics.stream(name, connected=True, since=fresh.since)
        self._troubles.stream_restored(name)

    def _over(self, name: str) -> None:
        """The other system wishes a new connection: no trouble, but nothing comes in until it is there."""
        log.debug("event stream is opened anew", connection=name)
        state = self.states[name]
        state.connected, state.since = False, utc_now()
        self._metrics.stream(name, connected=False, since=state.since)

    def _down(self, name: str, error: IntegrationError, pause: float) -> float:
        """Note a failure; seconds until the next attempt."""
        state = self.states.setdefault(name, StreamState(since=utc_now()))
        if state.connected or not state.failures:
            log.warning(
                "event stream is lost and is opened again",
                connection=name,
                zh=error.sentence("zh-CN"),
                en=error.sentence("en"),
            )
        if state.connected:
            state.connected, state.since = False, utc_now()
        state.error = error
        state.failures += 1
        self._metrics.stream(name, connected=False, since=state.since)
        if state.failures >= _TELL_AFTER:
            self._troubles.stream_lost(name, error)
        return min(pause * 2.0 ** min(state.failures - 1, 10), max(pause, _LONGEST_PAUSE))


def _has_stream(kind: str) -> bool:
    found = connector_kind(kind)
    return found is not None and found.has_stream

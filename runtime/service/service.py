"""The service: every part of the long-running process, wired together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.routing import Route

from runtime.config import Settings
from runtime.engine.engine import Engine
from runtime.engine.pool import ConnectorPool
from runtime.errors import CannotStart, IntegrationError, RetryLater
from runtime.mapping.folder import MappingFolder
from runtime.service.alerts import Alerts
from runtime.service.callbacks import Callbacks
from runtime.service.cleaning import Cleaning
from runtime.service.dispatcher import Dispatcher
from runtime.service.doubles import Doubles
from runtime.service.flows import HttpFlows
from runtime.service.health import Health
from runtime.service.idempotency import Idempotency
from runtime.service.inbox import InboxWorkers
from runtime.service.intake import Intake
from runtime.service.live import LiveMappings
from runtime.service.manual import ManualQueue
from runtime.service.metrics import Metrics
from runtime.service.reports import Reports
from runtime.service.robot import open_robot
from runtime.service.router import Router
from runtime.service.schedules import Schedules
from runtime.service.streams import Streams
from runtime.service.sweep import Sweep
from runtime.service.trouble import Troubles
from runtime.service.trust import Trust
from runtime.store.appcodes import AppCodes
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.inbox import release_events
from runtime.store.live import save_live
from runtime.store.runs import last_ticks, mark_interrupted
from runtime.store.sealed import first_locked
from runtime.store.trust import TrustFiles
from runtime.store.vault import Vault

__all__ = ["Service"]

log = structlog.get_logger(__name__)

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Seconds between two signs of life in the state database.
_HEARTBEAT = 5.0
#: Seconds before a part that broke down is started again.
_RESTART_AFTER = 1.0


class Service:
    """Everything that runs beside each other in one event loop. Create it inside the loop, after claiming the state.

    :param address: where it answers on this machine
    """

    def __init__(self, settings: Settings, database: Database, *, address: str) -> None:
        self._database = database
        self._address = address
        self._vault = vault = Vault(settings.key_file, settings.secret_key)
        connections = ConnectionStore(database, vault)
        self._pool = ConnectorPool(connections)
        self._metrics = Metrics()
        self._live = LiveMappings(MappingFolder(settings.mappings), settings.mappings)
        self._alerts = Alerts(database, open_robot(settings))
        troubles = Troubles(self._alerts)
        self._dispatcher = Dispatcher(Engine(database, self._pool), self._live, self._metrics, troubles)
        self._schedules = Schedules(self._live, self._dispatcher)
        self._router = Router(self._live)
        idempotency = Idempotency(database, keep=settings.keep_answers)
        intake = Intake(database, stored=self._wake)
        reports = Reports(self._dispatcher, idempotency, intake, self._pool)
        self._workers = InboxWorkers(
            database=database,
            router=self._router,
            dispatcher=self._dispatcher,
            reports=reports,
            metrics=self._metrics,
            troubles=troubles,
        )
        self._live.on_change(self._workers.try_again)
        self._doubles = Doubles(self._live, self._pool)
        self._queue = ManualQueue(database, self._live, self._dispatcher)
        flows = HttpFlows(
            live=self._live,
            dispatcher=self._dispatcher,
            codes=AppCodes(database, vault),
            idempotency=idempotency,
            reports=reports,
            metrics=self._metrics,
        )
        self._streams = Streams(connections, self._pool, intake, self._metrics, troubles)
        self._health = Health(
            database=database,
            vault=vault,
            live=self._live,
            schedules=self._schedules,
            router=self._router,
            flows=flows,
            streams=self._streams,
            metrics=self._metrics,
        )
        self._sweep = Sweep(
            database,
            self._pool,
            self._router,
            every=settings.sweep_every,
            age=settings.sweep_age,
            stored=self._workers.wake,
        )
        self._cleaning = Cleaning(database, settings)
        callbacks = Callbacks(intake, self._pool, self._metrics)
        self.app = Starlette(
            routes=[
                Route("/callbacks/{connection}", callbacks.answer, methods=["GET", "POST"]),
                Route("/flows/{path:path}", flows.answer, methods=_METHODS),
                Route("/healthz", self._health.healthz),
                Route("/readyz", self._health.readyz),
                Route("/metrics", self._health.metrics),
                Route("/WW_verify_{code}.txt", Trust(TrustFiles(settings.var)).answer),
            ]
        )
        self._stop_watching = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._said: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Load the mappings, put right what a crash left behind, start the workers and the clock."""
        interrupted = await self._database.awrite(mark_interrupted)
        released = await self._database.awrite(release_events)
        if interrupted or released:
            log.warning("the last process ended in the middle of its work", runs=interrupted, events=released)
        locked = await asyncio.to_thread(first_locked, self._database, self._vault)
        if locked is not None:
            log.error("secrets cannot be opened", zh=locked.sentence("zh-CN"), en=locked.sentence("en"))
        await self._alerts.load()
        await self._live.reload()
        await self._beat()
        scheduled = [
            (mapping.id, name) for mapping, name, flow in self._live.flows() if flow.trigger.schedule is not None
        ]
        self._schedules.start(await self._database.aread(partial(last_ticks, flows=scheduled)))
        self._begin(lambda: self._live.watch(self._stop_watching), "watch mappings")
        self._begin(self._doubles.run, "mappings for the same documents")
        self._begin(self._workers.run, "inbox")
        self._begin(self._streams.run, "event streams")
        self._begin(self._queue.run, "queue")
        self._begin(self._sweep.run, "sweep")
        self._begin(self._alerts.run, "alerts")
        self._begin(self._metrics.measure_lag, "event loop lag")
        self._begin(self._keep_beating, "heartbeat")
        self._begin(self._cleaning.run, "clean-up")

    def begin_stop(self) -> None:
        """Take up nothing new; what runs stops after the step that it is at."""
        self._health.stopping = True
        self._schedules.stop()
        self._dispatcher.begin_stop()
        self._stop_watching.set()

    def hurry(self) -> None:
        """Do not wait any longer for what runs."""
        self._dispatcher.break_off()

    async def stop(self, limit: float) -> None:
        """Let what runs come to its end for ``limit`` seconds, then end everything."""
        self.begin_stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dispatcher.finish(limit)
        try:
            await self._dispatcher.settle()
            # Nothing is in hand any more: the next start takes these up without asking what happened.
            await self._database.awrite(release_events)
        except RetryLater as error:
            log.warning("what is in hand is released at the next start", reason=error.sentence("en"))
        await self._pool.aclose()

    def _wake(self) -> None:
        self._workers.wake()

    def _begin(self, part: Callable[[], Awaitable[None]], name: str) -> None:
        self._tasks.append(asyncio.create_task(_keep_running(part, name), name=name))

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT)
            try:
                await self._beat()
            except CannotStart as error:
                log.error("another runtime took over", zh=error.sentence("zh-CN"), en=error.sentence("en"))
                signal.raise_signal(signal.SIGTERM)
                return
            except IntegrationError as error:
                log.warning("no sign of life could be written", reason=error.sentence("en"))

    async def _beat(self) -> None:
        """Say that we live, and what became of each mapping file."""
        await asyncio.to_thread(self._database.heartbeat, url=self._address)
        states = self._mapping_states()
        if states != self._said:
            await self._database.awrite(lambda connection: save_live(connection, states))
            self._said = states

    def _mapping_states(self) -> list[dict[str, Any]]:
        problems = self._health.mapping_problems()
        digests = self._live.digests
        next_runs: dict[str, dict[str, datetime]] = {}
        for job, when in self._schedules.next_runs().items():
            mapping, _, flow = job.partition("/")
            next_runs.setdefault(mapping, {})[flow] = when
        return [
            {
                "mapping": name,
                "digest": digests.get(name, ""),
                "problems": problems.get(name, []),
                "next_runs": next_runs.get(name, {}),
            }
            for name in sorted(digests.keys() | problems.keys())
        ]


async def _keep_running(part: Callable[[], Awaitable[None]], name: str) -> None:
    """A part that breaks down is started again: the others depend on it."""
    while True:
        try:
            return await part()
        except Exception:
            log.exception("a part of the runtime broke down and is started again", part=name)
            await asyncio.sleep(_RESTART_AFTER)

"""Runs by hand: the command line and the studio queue them in the state database, the service carries them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import fields, replace
from functools import partial

import structlog
from sqlalchemy import Connection, update

from runtime.engine.each import unexpected
from runtime.engine.engine import Counts, Progress
from runtime.errors import BadMapping, IntegrationError, RetryLater
from runtime.service.dispatcher import Dispatcher
from runtime.service.live import LiveMappings
from runtime.service.requests import manual_request
from runtime.store.database import Database
from runtime.store.runs import RunInfo, finish_run, queued_runs
from runtime.store.tables import runs

__all__ = ["ManualQueue"]

log = structlog.get_logger(__name__)

#: Seconds between two looks at the queue, and between two reports of a run's progress.
_LOOK_EVERY = 0.5


class ManualQueue:
    """Starts queued runs, one at a time per flow. Until it begins a run stays queued in the state: nothing that the
    database fails to answer, and no end of the process, makes it lost."""

    def __init__(self, database: Database, live: LiveMappings, dispatcher: Dispatcher) -> None:
        self._database = database
        self._live = live
        self._dispatcher = dispatcher
        #: Ids of the runs that were taken up.
        self._in_hand: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                # First: one whose beginning is in doubt is queued again.
                await self._dispatcher.settle()
            except RetryLater as error:
                log.warning("records of runs are still owed", reason=error.sentence("en"))
            try:
                await self._take_up()
            except RetryLater as error:
                log.warning("queue cannot be read", reason=error.sentence("en"))
            await asyncio.sleep(_LOOK_EVERY)

    async def _take_up(self) -> None:
        if self._dispatcher.stopping:
            return
        # As they are before the look: one that ends meanwhile may still have been seen as queued.
        known = frozenset(self._in_hand)
        queued = await self._database.aread(partial(queued_runs, known=known))
        if queued:
            # "Run now" means what was saved a moment ago.
            await self._live.reload()
        if self._dispatcher.stopping:
            return
        for run in queued:
            self._in_hand.add(run.id)
            task = self._dispatcher.spawn(self._carry_out(run), name=f"run {run.id}")
            task.add_done_callback(partial(self._over, run.id))

    def _over(self, run_id: str, _task: asyncio.Task[None]) -> None:
        self._in_hand.discard(run_id)

    async def _carry_out(self, run: RunInfo) -> None:
        mapping = self._live.get(run.mapping)
        try:
            if mapping is None or run.flow not in mapping.flows:
                raise BadMapping(
                    "没有这个映射或流程，或者它有错误而无法加载",
                    "There is no such mapping or flow, or it cannot be loaded",
                    where=f"{run.mapping}/{run.flow}",
                )
            wanted = run.request.get("digest")
            if wanted is not None and wanted != self._live.digests.get(run.mapping):
                raise BadMapping(
                    "映射在交给运行时之后改过，没有执行；请重新预览",
                    "The mapping was changed after it was handed over: nothing was done, preview it again",
                    where=run.mapping,
                )
            request = manual_request(
                mapping, run.flow, input=run.request.get("input") or {}, limit=run.request.get("limit"), run_id=run.id
            )
            request = replace(request, only=run.request.get("only"))
            async with self._reported(run.id) as report:
                await self._dispatcher.run_alone(mapping, run.flow, replace(request, progress=report))
        except RetryLater as error:
            log.warning("run could not start and stays queued", run=run.id, reason=error.sentence("en"))
        except Exception as fault:
            failure = fault if isinstance(fault, IntegrationError) else unexpected(fault, f"{run.mapping}/{run.flow}")
            await self._database.awrite(
                lambda connection: finish_run(connection, run.id, state="failed", counts=vars(Counts()), error=failure)
            )

    @asynccontextmanager
    async def _reported(self, run_id: str) -> AsyncIterator[Callable[[Progress], None]]:
        """Write the progress down now and then: whoever queued the run follows it in the state database."""
        newest: list[Progress] = []

        async def write_down() -> None:
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                if newest:
                    values = {field.name: getattr(newest[-1], field.name) for field in fields(Counts)}
                    newest.clear()
                    with suppress(RetryLater):
                        await self._database.awrite(partial(_save, run_id=run_id, values=values))

        def report(progress: Progress) -> None:
            newest[:] = [progress]

        writing = asyncio.create_task(write_down())
        try:
            yield report
        finally:
            writing.cancel()


def _save(connection: Connection, *, run_id: str, values: dict[str, int]) -> None:
    # Only while it runs: the final counts must not be overwritten by a late report.
    connection.execute(update(runs).where(runs.c.id == run_id, runs.c.state == "running").values(**values))

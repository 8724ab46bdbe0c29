"""Carrying out runs inside the service: one run of a flow at a time, ticks coalesced, everything counted."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

import structlog

from runtime.engine.engine import Engine, RunRequest, RunSummary
from runtime.errors import IntegrationError, OutcomeUnknown, RetryLater
from runtime.mapping.models import Mapping
from runtime.service.live import LiveMappings
from runtime.service.metrics import Metrics
from runtime.service.trouble import Troubles

__all__ = ["Dispatcher", "failure_of"]

log = structlog.get_logger(__name__)

#: Seconds before a tick is tried again whose run could not start.
_AGAIN_AFTER = 5.0

#: (mapping id, flow name)
_Key = tuple[str, str]


class Dispatcher:
    """Starts runs and knows which are in progress."""

    def __init__(self, engine: Engine, live: LiveMappings, metrics: Metrics, troubles: Troubles) -> None:
        self._engine = engine
        self._live = live
        self._metrics = metrics
        self._troubles = troubles
        self._locks: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ticking: set[_Key] = set()
        self._again: set[_Key] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether nothing is to be started any more."""
        return self._stopping

    async def run(self, mapping: Mapping, flow: str, request: RunRequest) -> RunSummary:
        """Carry out a flow now, beside whatever else runs; for events and HTTP requests."""
        started = time.perf_counter()
        labels = {"mapping": mapping.id, "flow": flow}
        with self._metrics.running.track_inprogress():
            summary = await self._engine.run(mapping, flow, request)
        self._metrics.runs.labels(**labels, state=summary.state).inc()
        self._metrics.run_seconds.labels(**labels).observe(time.perf_counter() - started)
        for result in ("done", "failed", "skipped", "unknown"):
            count = getattr(summary, result)
            if count:
                self._metrics.documents.labels(**labels, result=result).inc(count)
        _report(labels, request, summary)
        self._troubles.ran(mapping, flow, request, summary)
        return summary

    async def settle(self) -> None:
        """See :meth:`~runtime.engine.engine.Engine.settle`."""
        await self._engine.settle()

    async def run_alone(self, mapping: Mapping, flow: str, request: RunRequest) -> RunSummary:
        """Carry out a flow when no other run of it is in progress; for ticks and runs by hand."""
        async with self._locks[mapping.id, flow]:
            return await self.run(mapping, flow, request)

    async def tick(self, mapping_id: str, flow: str) -> None:
        """A schedule is due. During a run any number of ticks become one follow-up.

        A coroutine, because the scheduler would call a plain function in a thread.
        """
        key = (mapping_id, flow)
        if self._stopping:
            return
        if key in self._ticking:
            self._again.add(key)
            return
        self._ticking.add(key)
        self.spawn(self._follow_clock(key), name=f"{mapping_id}/{flow}")

    async def _follow_clock(self, key: _Key) -> None:
        mapping_id, flow = key
        try:
            while not self._stopping:
                self._again.discard(key)
                # Looked up each time: a mapping changed meanwhile takes effect with the next run.
                mapping = self._live.get(mapping_id)
                if mapping is None or not mapping.enabled or flow not in mapping.flows:
                    return
                try:
                    await self.run_alone(mapping, flow, RunRequest(cause="schedule"))
                except RetryLater as error:
                    # Nothing was done. The next moment of this schedule may be a month away.
                    log.warning("run could not start", task="/".join(key), reason=error.sentence("en"))
                    await asyncio.sleep(_AGAIN_AFTER)
                    continue
                if key not in self._again:
                    return
        finally:
            self._ticking.discard(key)
            self._again.discard(key)

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run ``work`` in the background; it is waited for at the stop."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, IntegrationError):
            log.error("run could not start", task=task.get_name(), zh=error.sentence("zh-CN"), en=error.sentence("en"))
        elif error is not None:
            log.error("run broke down", task=task.get_name(), exc_info=error)

    def begin_stop(self) -> None:
        """Start nothing any more, and ask what runs to stop after the step that it is at."""
        if not self._stopping:
            self._stopping = True
            self._cancel()

    def break_off(self) -> None:
        """Do not wait for the steps in progress either: the next start goes on from the ledger."""
        for task in self._tasks:
            log.warning("run is broken off", task=task.get_name())
        self._cancel()

    async def finish(self, limit: float) -> None:
        """Wait ``limit`` seconds for the steps in progress, then break them off."""
        self.begin_stop()
        if not self._tasks:
            return
        log.info("waiting for steps in progress", runs=len(self._tasks), seconds=limit)
        _, late = await asyncio.wait(set(self._tasks), timeout=limit)
        if late:
            self.break_off()
            await asyncio.wait(late)

    def _cancel(self) -> None:
        # The engine takes the first cancellation as a request to stop in good order, the second one literally.
        for task in self._tasks:
            task.cancel()


def _report(labels: dict[str, str], request: RunRequest, summary: RunSummary) -> None:
    counts = {
        name: getattr(summary, name) for name in ("total", "failed", "skipped", "unknown") if getattr(summary, name)
    }
    write = log.info if summary.state == "succeeded" else log.warning
    if summary.state == "succeeded" and request.cause == "schedule" and not summary.total:
        # A tick that found nothing to do is the normal case, once a minute.
        write = log.debug
    if summary.state != "succeeded" and request.cause == "event":
        # The inbox says what became of the event.
        write = log.debug
    reason = None if summary.state == "succeeded" else summary.error or summary.problem
    why = {"zh": reason.sentence("zh-CN"), "en": reason.sentence("en")} if reason is not None else {}
    write("run finished", **labels, cause=request.cause, run=summary.run_id, state=summary.state, **counts, **why)


def failure_of(summary: RunSummary) -> IntegrationError | None:
    """What kept the run from carrying everything out, or None."""
    if summary.state == "succeeded":
        return None
    if summary.error is not None:
        return summary.error
    if summary.state == "stopped":
        return RetryLater("运行被中断，稍后继续", "The run was interrupted; it goes on later")
    if summary.unknown:
        return OutcomeUnknown("结果未知，需要人工核实", "The outcome is unknown; a person has to look")
    # One that passes by itself is tried again: what is done already is taken from the ledger.
    return summary.problem or IntegrationError(
        "部分单据失败，详见运行记录", "Documents failed; see the run", where=summary.run_id
    )

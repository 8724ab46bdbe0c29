"""Carrying out a flow: from a request to a summary, with everything recorded on the way."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Literal

import structlog
from sqlalchemy import Connection

from runtime.engine.check import require_fit
from runtime.engine.circuit import Circuits
from runtime.engine.compiler import Compiled, compile_mapping
from runtime.engine.context import Answer, Frame, Interrupted, Outcome, Run, Stopped
from runtime.engine.each import unexpected
from runtime.engine.inquiry import Flights, Inquiry
from runtime.engine.live import Busy, Live
from runtime.engine.lookup import Lookup
from runtime.engine.pool import Lease, Pool
from runtime.engine.records import StepRecords
from runtime.engine.request import Cause, Counts, Progress, RunRequest, RunSummary
from runtime.engine.steps import CompiledFlow
from runtime.errors import BadMapping, IntegrationError, RetryLater
from runtime.mapping.models import Mapping
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.instances import awaits_answer, find_instance, waiting_for_answer
from runtime.store.ledger import REQUEST_SOURCE, RUN_SOURCES, UNFINISHED, Delivery, end_of_source, record_outcome
from runtime.store.runs import finish_run, new_run_id, start_run, undo_start

__all__ = ["Cause", "Counts", "Engine", "Progress", "RunRequest", "RunSummary", "event_connection", "own_document"]

#: Mappings that are kept compiled.
_KEPT = 64
_ORPHAN = timedelta(minutes=5)

log = structlog.get_logger(__name__)


class Engine:
    """Runs flows. One per process and event loop; any number of runs at a time.

    :param settle: how long a ``create`` that got no answer may still be under way in the other system. Until then only
        finding what it created counts, not finding it does not: nothing is sent again.
    :param orphan: after how long without an answer a verdict has the document looked for by itself, because no tick
        seems to come by it any more
    """

    def __init__(
        self, db: Database, pool: Pool, *, settle: timedelta = timedelta(seconds=30), orphan: timedelta = _ORPHAN
    ) -> None:
        self._db = db
        self._pool = pool
        self._orphan = orphan
        self._circuits = Circuits()
        self._lookup = Lookup(db)
        self._busy: Busy = {}
        self._inquiry = Inquiry(db, Flights(), settle)
        self._compiled: OrderedDict[int, tuple[Mapping, Compiled]] = OrderedDict()
        #: Of the compiled mappings, those that were found free of errors.
        self._fit: set[int] = set()
        #: By run: what the state database is still to take down about it.
        self._owed: dict[str, Callable[[Connection], Any]] = {}

    async def run(self, mapping: Mapping, flow: str, request: RunRequest) -> RunSummary:
        """Carry out a flow. What goes wrong in it stands in the summary and in the run's record.

        Cancelling the task stops the run in good order: documents finish the step that they are at, none begins, the
        run is recorded as ``stopped``; then the cancellation goes on. Cancelling once more breaks off.

        :raises RetryLater: the state database cannot be used, and nothing was done
        """
        run_id = request.run_id or new_run_id(utc_now())
        asked: dict[str, Any] = {"input": dict(request.input)} if request.input else {}
        if request.limit is not None:
            asked["limit"] = request.limit
        if request.only is not None:
            asked["only"] = request.only
        if request.event is not None:
            asked["event"] = {"key": request.event.key, "instance_id": request.event.instance_id}
        begin = partial(_start, run_id, mapping=mapping.id, flow=flow, cause=request.cause, request=asked)
        # What was owed about an earlier attempt is over with this one.
        self._owed.pop(run_id, None)
        try:
            await self._db.awrite(begin)
        except (RetryLater, asyncio.CancelledError):
            # It may be recorded all the same.
            self._owed[run_id] = partial(undo_start, run_id=run_id, queued=request.run_id is not None)
            raise
        async with self._pool.lease() as lease:
            live: Live | None = None
            try:
                compiled = self.compiled(mapping, flow)
                await self._require_fit(mapping, lease)
                live = Live(self._db, self._lookup, self._busy, self._inquiry, has_place=compiled.has_place)
                run = Run(
                    mapping, flow, run_id=run_id, request=request, lease=lease, performer=live, circuits=self._circuits
                )
            except IntegrationError as error:
                return await self._finish(run_id, "failed", Counts(), error=error)
            work = asyncio.create_task(self._carry_out(run, compiled, live), name=f"run {run_id}")
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                run.stopping = True
                await work
                raise

    async def settle(self) -> None:
        """Take down about runs what the state database did not answer for at the time.

        :raises RetryLater: it still does not
        """
        # Each by itself: what one of them comes to must not keep the others waiting.
        writes = {run_id: (work, self._db.begin_write(work)) for run_id, work in self._owed.items()}
        failures: list[BaseException] = []
        for run_id, (work, write) in writes.items():
            try:
                await write
            except RetryLater as error:
                failures.append(error)
            else:
                if self._owed.get(run_id) is work:
                    del self._owed[run_id]
        if failures:
            raise failures[0]

    def compiled(self, mapping: Mapping, flow: str) -> CompiledFlow:
        """A flow as closures; compiled once for each mapping object.

        :raises BadMapping: there is no such flow, or the mapping is wrong
        """
        known = self._compiled.get(id(mapping))
        if known is None or known[0] is not mapping:
            known = (mapping, compile_mapping(mapping))
            self._compiled[id(mapping)] = known
            self._fit.discard(id(mapping))
            if len(self._compiled) > _KEPT:
                oldest, _ = self._compiled.popitem(last=False)
                self._fit.discard(oldest)
        return find_flow(known[1], mapping, flow)

    async def _require_fit(self, mapping: Mapping, lease: Lease) -> None:
        if id(mapping) not in self._fit:
            await require_fit(mapping, lease)
            self._fit.add(id(mapping))

    async def finish_pending(self, mapping: Mapping, connection: str, instance_id: str) -> Delivery | None:
        """Have the write-back of the document that an approval belongs to finished, if it is not; returns the delivery.

        The document's flow is run for this document alone; it takes from the ledger what is done already.

        :param connection: where the approval lives
        :raises RetryLater: the approval may be one that is being created at this moment, or the write-back fails
        """
        delivery = await self._db.aread(lambda state: find_instance(state, connection, instance_id))
        if delivery is None:
            await self._settle_orphans(mapping, connection)
            delivery = await self._db.aread(lambda state: find_instance(state, connection, instance_id))
        if delivery is None:
            if await self._db.aread(lambda state: awaits_answer(state, connection)):
                raise RetryLater(
                    "有审批正在创建、单号尚未记录，稍后再处理该结果",
                    "An approval is being created whose id is not recorded yet; this verdict waits for it",
                    where=f"{connection} {instance_id}",
                )
            return None
        if delivery.mapping != mapping.id or delivery.state not in UNFINISHED:
            return delivery
        if delivery.flow not in mapping.flows or delivery.source.startswith(RUN_SOURCES):
            return delivery
        summary = await self.run(mapping, delivery.flow, _for_one(delivery))
        if summary.error is not None:
            raise summary.error
        if summary.failed or summary.unknown or summary.state == "stopped":
            raise RetryLater(
                "该单据的回写尚未完成，稍后再处理审批结果",
                "The write-back of this document is not finished; its verdict waits for it",
                where=f"{delivery.mapping} {delivery.document_key}",
            )
        return delivery

    async def _settle_orphans(self, mapping: Mapping, connection: str) -> None:
        """Approvals whose id is not recorded although they began long ago: have their documents looked at, one by one.

        A run for one document alone reconciles it, or hands it to a person if the source does not show it any more.
        """
        before = utc_now() - self._orphan
        waiting = await self._db.aread(lambda state: waiting_for_answer(state, connection, before=before, limit=8))
        for one in waiting:
            if one.mapping == mapping.id and one.flow in mapping.flows and not one.source.startswith(RUN_SOURCES):
                await self.run(mapping, one.flow, _for_one(one))

    async def _carry_out(self, run: Run, compiled: CompiledFlow, live: Live) -> RunSummary:
        frame = Frame(run=run, prefix="", records=StepRecords(), answer=Answer())
        started_at = utc_now()
        error: IntegrationError | None = None
        delivery: Delivery | None = None
        note, stopped = "", False
        try:
            if run.request.event is not None:
                delivery = await self._delivery_of(run)
            key = run.request.document_key or (run.request.event.key if run.request.event is not None else "")
            if key:
                await live.open_run(frame, source=_run_source(run), key=key)
            await compiled.run(frame, run.variables(own_document(run, delivery)))
        except Stopped as reason:
            note = reason.reason
        except Interrupted:
            stopped = True
        except asyncio.CancelledError:
            live.abandon(frame)
            raise
        except Exception as raised:
            error = raised if isinstance(raised, IntegrationError) else unexpected(raised, run.mapping.id)
        state = _state(run, error, stopped=stopped)
        elapsed = round((utc_now() - started_at).total_seconds() * 1000)
        outer = "done" if state == "succeeded" else "stopped" if stopped else "failed"
        live.close(
            frame,
            Outcome(
                state=outer,
                position=0,
                key="",
                item=None,
                started_at=started_at,
                elapsed_ms=elapsed,
                error=error,
                note=note,
            ),
        )
        try:
            await live.drain()
            if state == "succeeded":
                await self._conclude(run, delivery)
        except Exception as lost:
            error = error or (lost if isinstance(lost, IntegrationError) else unexpected(lost, run.mapping.id))
            state = "failed"
        note = note or _warning(run)
        return await self._finish(
            run.run_id,
            state,
            Counts(**run.counts()),
            error=error,
            problem=run.problem,
            note=note,
            response=frame.answer.response,
        )

    async def _conclude(self, run: Run, delivery: Delivery | None) -> None:
        """What a run that succeeded means to the ledger."""
        if run.request.only is not None and not run.total and run.exhausted:
            gone = partial(
                end_of_source, mapping=run.mapping.id, flow=run.flow, sources=run.exhausted, key=run.request.only
            )
            await self._db.awrite(gone)
        event = run.request.event
        if delivery is not None and event is not None and event.outcome is not None:
            outcome, found = event.outcome.value, delivery.id
            await self._db.awrite(lambda connection: record_outcome(connection, found, outcome))

    async def _delivery_of(self, run: Run) -> Delivery | None:
        """The delivery that the event's approval belongs to, its write-back finished."""
        event = run.request.event
        if event is None or not event.instance_id:
            return None
        return await self.finish_pending(run.mapping, event_connection(run), event.instance_id)

    async def _finish(
        self,
        run_id: str,
        state: Literal["succeeded", "partial", "failed", "stopped"],
        counts: Counts,
        *,
        error: IntegrationError | None = None,
        problem: IntegrationError | None = None,
        note: str = "",
        response: Any = None,
    ) -> RunSummary:
        numbers = vars(counts)
        finish = partial(finish_run, run_id=run_id, state=state, counts=numbers, error=error, note=note)
        try:
            await self._db.awrite(finish)
        except RetryLater as reason:
            # Everything that was done is done: only its record has to wait.
            self._owed[run_id] = finish
            log.warning("the end of a run is recorded later", run=run_id, reason=reason.sentence("en"))
        return RunSummary(
            run_id=run_id, state=state, error=error, problem=problem, note=note, response=response, **numbers
        )


def find_flow(compiled: Compiled, mapping: Mapping, flow: str) -> CompiledFlow:
    """The flow of this name.

    :raises BadMapping: there is none
    """
    if flow not in compiled:
        raise BadMapping(
            f"映射没有名为 {flow} 的流程（有：{'、'.join(compiled)}）",
            f"The mapping has no flow {flow} (it has: {', '.join(compiled)})",
            where=mapping.id,
        )
    return compiled[flow]


def _for_one(delivery: Delivery) -> RunRequest:
    """A run that finishes what was begun with one document."""
    read_from = delivery.source.partition("#")[0].partition("/")[0]
    return RunRequest(cause="event", only=delivery.document_key, read_from=read_from)


def own_document(run: Run, delivery: Delivery | None) -> Any:
    """Key of the document that the event is about. In another company the same number is another document."""
    return delivery.document if delivery is not None and delivery.mapping == run.mapping.id else None


def _run_source(run: Run) -> str:
    return f"event:{event_connection(run)}" if run.request.event is not None else REQUEST_SOURCE


def event_connection(run: Run) -> str:
    """Name of the connection whose event the run is about; empty if there is none."""
    role = run.mapping.flows[run.flow].trigger.event_role
    return run.request.connection or (run.connection_name(role) if role else "")


def _start(run_id: str, connection: Any, **values: Any) -> None:
    start_run(connection, run_id, **values)


def _warning(run: Run) -> str:
    if not run.warned:
        return ""
    log.warning("documents come back in vain", mapping=run.mapping.id, documents=run.warned)
    return (
        f"警告：有 {run.warned} 张单据再次出现，未再发送 | "
        f"warning: {run.warned} documents came back and were not sent again. {run.warning}"
    )


def _state(
    run: Run, error: IntegrationError | None, *, stopped: bool
) -> Literal["succeeded", "partial", "failed", "stopped"]:
    if error is not None:
        return "failed"
    if stopped:
        return "stopped"
    if not (run.failed or run.unknown):
        return "succeeded"
    return "partial" if run.done or run.skipped else "failed"

"""Carrying calls out for real: effects go through the ledger, every document leaves a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from runtime.connectors.actions import Effect
from runtime.engine.context import Call, Element, Frame, Origin, Outcome, Run, Skipped, Variables
from runtime.engine.document import Document
from runtime.engine.forms import check_forms
from runtime.engine.inquiry import Inquiry
from runtime.engine.lookup import Lookup
from runtime.engine.notes import Notes, Place
from runtime.engine.records import StepRecord, pack_steps
from runtime.engine.verdict import confirm
from runtime.engine.written import WriteBack
from runtime.errors import FixData, IntegrationError, OutcomeUnknown
from runtime.mapping.mapper import MappedForm, Mapper
from runtime.store.database import Database
from runtime.store.entries import Entry
from runtime.store.ledger import Delivery, DeliveryState, EffectRecord, writes_into
from runtime.store.runs import error_record

__all__ = ["Busy", "Live", "refuse_unknown", "resubmitted"]

#: Documents that are being worked on, in all runs of this process; the future ends when one is over.
Busy = dict[Place, asyncio.Future[None]]


class Live:
    """The performer of a real run."""

    def __init__(
        self,
        db: Database,
        lookup: Lookup,
        busy: Busy,
        inquiry: Inquiry,
        *,
        has_place: Callable[[str], bool],
    ) -> None:
        self._db = db
        self._lookup = lookup
        self._busy = busy
        self._has_place = has_place
        self._inquiry = inquiry
        self._writes: set[asyncio.Future[Any]] = set()
        self._lost: BaseException | None = None

    async def read(self, frame: Frame, call: Call) -> Any:
        """Make a call that changes nothing."""
        result = await call.action.run(call.params)
        run = frame.run
        if run.request.cause == "event":
            try:
                confirm(run.request.event, result)
            except IntegrationError:
                run.contradicted = True
                raise
        return result

    async def change(self, frame: Frame, call: Call) -> Any:
        """Make a call that changes something, at most once per generation of the document."""
        check_forms(call)
        if frame.document is None:
            async with call.turn:
                return await call.action.run(call.params)
        if call.action.effect is Effect.CREATE:
            return await frame.document.create(call)
        return await frame.document.update(call)

    def map(self, frame: Frame, record: StepRecord, step: str, mapper: Mapper, scope: Variables) -> MappedForm:
        """Fill a form."""
        return mapper(scope)

    async def open(self, frame: Frame, element: Element) -> Any:
        """Begin a document: see :class:`~runtime.engine.context.Performer`."""
        run = frame.run
        place = Place(mapping=run.mapping.id, flow=run.flow, source=element.source, document_key=element.key_text)
        await self._enter(place, wait=run.request.only is not None)
        try:
            standing = await self._lookup(place)
            item, generation = element.item, 1
            if standing is not None and standing.state is DeliveryState.COMPLETE:
                async with frame.turn:
                    item = await resubmitted(element, standing, run, self._db)
                generation, standing = standing.generation + 1, None
            frame.document = self._document(self._notes(run, place, element.key, standing, generation), item)
            frame.owns_document = True
        except BaseException:
            self._leave(place)
            raise
        return item

    async def open_run(self, frame: Frame, *, source: str, key: str) -> None:
        """Give a whole run its place in the ledger: repeated, it takes every recorded result from there."""
        place = Place(mapping=frame.run.mapping.id, flow=frame.run.flow, source=source, document_key=key)
        await self._enter(place, wait=True)
        try:
            frame.document = self._document(self._notes(frame.run, place, key, await self._lookup(place)), None)
            frame.owns_document = True
        except BaseException:
            self._leave(place)
            raise

    def close(self, frame: Frame, outcome: Outcome) -> None:
        """End a document; the write is queued and awaited at the end of the run."""
        document = frame.document if frame.owns_document else None
        entry = None
        if document is not None:
            entry = document.closing(
                _delivery_state(outcome), error=outcome.error, note=outcome.note, stopped=outcome.stopped
            )
        entry = entry or Entry()
        if outcome.position or frame.records:
            record = {
                "run_id": frame.run.run_id,
                "position": outcome.position,
                "document": outcome.key,
                "state": outcome.state,
                "started_at": outcome.started_at,
                "elapsed_ms": outcome.elapsed_ms,
                "error": error_record(outcome.error) if outcome.error is not None else None,
                "note": outcome.note,
            }
            entry = replace(entry, record=record, steps=partial(pack_steps, frame.records))
        write = self._db.begin_write(entry)
        self._writes.add(write)
        write.add_done_callback(partial(self._written, document))

    def abandon(self, frame: Frame) -> None:
        """The task of a document was cancelled: what is committed stands, the next tick goes on from there."""
        if frame.document is not None and frame.owns_document:
            frame.document.notes.leave()
            self._leave(frame.document.notes.place)

    async def drain(self) -> None:
        """Wait until everything is written.

        :raises RetryLater: the state database could not be written
        """
        while self._writes:
            await asyncio.wait(set(self._writes))
        if self._lost is not None:
            raise self._lost

    def _written(self, document: Document | None, write: asyncio.Future[Any]) -> None:
        self._writes.discard(write)
        if not write.cancelled() and write.exception() is not None:
            self._lost = write.exception()
        if document is not None:
            document.notes.leave()
            self._leave(document.notes.place)

    def _document(self, notes: Notes, row: Any) -> Document:
        return Document(notes, row, has_place=self._has_place, inquiry=self._inquiry)

    def _notes(self, run: Run, place: Place, key: Any, standing: Delivery | None, generation: int = 1) -> Notes:
        refuse_unknown(standing)
        return Notes(
            self._db,
            place,
            key,
            since=run.began_at,
            standing=standing,
            generation=generation,
            flights=self._inquiry.flights,
        )

    async def _enter(self, place: Place, *, wait: bool) -> None:
        while place in self._busy:
            if not wait:
                raise Skipped("该单据正在处理中", "This document is being worked on already")
            await asyncio.shield(self._busy[place])
        self._busy[place] = asyncio.get_running_loop().create_future()

    def _leave(self, place: Place) -> None:
        over = self._busy.pop(place, None)
        if over is not None and not over.done():
            over.set_result(None)


def refuse_unknown(standing: Delivery | None) -> None:
    """A document of which it is not known what became of it is not touched.

    :raises OutcomeUnknown: a person has to decide first
    """
    if standing is not None and standing.state is DeliveryState.UNKNOWN:
        error: Mapping[str, str] = standing.error or {}
        # The sentences are stored whole: what to do is said by the new error again.
        raise OutcomeUnknown(
            error.get("zh", "").removesuffix(f"。{OutcomeUnknown.hint_zh}") or "上一次发送的结果未知，等待人工处理",
            error.get("en", "").removesuffix(f". {OutcomeUnknown.hint_en}")
            or "The outcome of an earlier attempt is unknown and waits for a person to decide",
            where=standing.document_key,
        )


async def resubmitted(element: Element, earlier: Delivery, run: Run, db: Database) -> Any:
    """A document that was delivered comes back: the row as it is now, if it was resubmitted.

    :param earlier: its newest generation, complete
    :param run: in which it came back
    :param db: the ledger, to see what other flows wrote into the document since
    :raises Skipped: what was read is out of date, or the query shows delivered documents again and again
    """
    item = element.item
    back = WriteBack(earlier, element.origin.query if element.origin is not None else "")
    back.refuse_unchanged(item)
    since = partial(writes_into, targets=back.targets, since=earlier.opened_at)
    if back.matters and back.targets:
        back.refuse_unchanged(item, await db.aread(since))
    if element.origin is not None:
        item = await _reread(element.origin, element)
        if item is None:
            raise Skipped(
                "该单据已送达；来源返回的是过期数据，现已不在待同步之列",
                "Already delivered; what the source returned was out of date, it no longer waits",
            )
    # Read after the row: an update is in the ledger before it can be seen in the document.
    back.refuse_repetition(item, await db.aread(since) if back.matters and back.targets else ())
    if found := [(one, stands) async for one, stands in _read_back(run, back.elsewhere)]:
        back.refuse_outdated(item, found, await db.aread(since))
    return item


async def _reread(origin: Origin, element: Element) -> Any:
    if origin.action.reread is not None:
        return await origin.action.reread(origin.params, element.item)
    rows = await origin.action.run(origin.params)
    if not origin.action.streams:
        return next((row for row in rows if element.key_of(row) == element.key_text), None)
    async for row in rows:
        if element.key_of(row) == element.key_text:
            return row
    return None


async def _read_back(
    run: Run, effects: Iterable[EffectRecord]
) -> AsyncIterator[tuple[EffectRecord, Mapping[str, Any] | None]]:
    """What now stands where these updates wrote, as far as their connections can tell and are still in use."""
    for effect in effects:
        connector = await run.connector_named(effect.connection)
        action = connector.actions.get(effect.action) if connector is not None else None
        if action is not None and action.read_back is not None:
            asked = {name: effect.request[name] for name in ("entity", "key", "values") if name in effect.request}
            yield effect, await action.read_back(action.params.model_validate(asked))


def _delivery_state(outcome: Outcome) -> DeliveryState:
    if outcome.state == "done" or outcome.stopped:
        return DeliveryState.COMPLETE
    if outcome.state == "failed" and isinstance(outcome.error, FixData):
        return DeliveryState.FAILED
    return DeliveryState.OPEN

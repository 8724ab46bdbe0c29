"""Preview and dry run: the flow as it is, over real rows, with every effect refused and shown instead."""

from __future__ import annotations

import time
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from runtime.connectors.actions import Effect, WireRequest, rows
from runtime.connectors.events import Event
from runtime.engine.compiler import compile_mapping
from runtime.engine.context import Answer, Call, Element, Frame, Interrupted, Outcome, Run, Stopped, Variables
from runtime.engine.document import FROM_LEDGER, done_elsewhere, left_to, same_call
from runtime.engine.each import unexpected
from runtime.engine.engine import event_connection, find_flow, own_document
from runtime.engine.forms import FormRefused, check_forms
from runtime.engine.inquiry import sent
from runtime.engine.live import refuse_unknown, resubmitted
from runtime.engine.lookup import Lookup
from runtime.engine.notes import Place
from runtime.engine.pool import Pool
from runtime.engine.records import StepRecord, StepRecords
from runtime.engine.request import RunRequest
from runtime.errors import EffectRefused, IntegrationError, MappingFailed
from runtime.mapping.mapper import MappedForm, Mapper, Traced
from runtime.mapping.models import Mapping, Response
from runtime.mapping.problems import Failure
from runtime.store.database import Database
from runtime.store.instances import find_instance
from runtime.store.ledger import Delivery, DeliveryState, EffectState
from runtime.store.overlap import Claim, SentElsewhere, refuse_overlap

__all__ = ["PLACEHOLDER", "Preview", "PreviewDocument", "Sent", "preview"]

#: Stands for what only the real effect would yield, such as the id of the approval.
PLACEHOLDER = "(preview)"
_SHOWN_NOT_SENT = "仅预览，未发送 | shown, not sent"
_LOOKED_FOR = (
    "上次的请求没有答复；实际运行先对账，没有找到才发送 | an earlier request got no answer: a run looks for it first"
)
_NOT_THERE_YET = "预览中跳过：要读取的内容在实际发送之后才存在 | skipped: what it reads exists only after sending"


class _Promised(dict[str, Any]):
    """The result of an effect that was not carried out: whatever is asked of it stands for itself."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return PLACEHOLDER


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One effect that the run would have."""

    step: str
    connection: str
    action: str
    effect: Effect
    #: Just what would be sent; None if it could not be built (see ``error``).
    request: WireRequest | None
    #: Of the record that it is about, where the mapping gives one.
    key: Any = None
    error: IntegrationError | None = None


@dataclass(kw_only=True)
class PreviewDocument:
    """One row, and what would become of it. A flow without ``each`` is one document with the key ''."""

    key: str
    row: Any
    #: Whether the key is the row's own; else it is the row's number.
    keyed: bool = False
    #: ``done failed skipped unknown stopped``, as in a run.
    state: str = "done"
    error: IntegrationError | None = None
    #: Why it would be skipped.
    note: str = ""
    sent: list[Sent] = field(default_factory=list)
    #: Name (else place) of a ``map`` step → its form with the provenance of every field.
    forms: dict[str, Traced] = field(default_factory=dict)
    #: Every field that cannot be computed or does not fit its control.
    failures: list[Failure] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would do."""

    #: In the order of the source.
    documents: list[PreviewDocument]
    #: The steps outside ``each``.
    steps: list[StepRecord]
    #: What ended the run, if not all went well.
    error: IntegrationError | None
    #: The answer of an HTTP flow.
    response: Response | None
    #: Seconds.
    elapsed: float

    @property
    def idle(self) -> bool:
        """True if the source held nothing and the flow did nothing else."""
        return (
            self.error is None
            and self.response is None
            and all(
                not (document.key or document.sent or document.forms or document.note) for document in self.documents
            )
        )


async def preview(
    mapping: Mapping,
    flow: str,
    pool: Pool,
    *,
    limit: int | None = 20,
    input: AnyMapping[str, Any] | None = None,
    event: Event | None = None,
    request: AnyMapping[str, Any] | None = None,
    ledger: Database | None = None,
) -> Preview:
    """Carry the flow out as a run would, but refuse every effect and keep what it would have sent.

    Reads are made for real. Nothing is recorded anywhere.

    :param limit: documents at most; None = all (they are held in memory)
    :param input: the variable ``input``
    :param event: the variable ``event``, for a flow that carries out verdicts
    :param request: the variable ``request``, for an HTTP flow
    :param ledger: only read, to show what a run would find there: a document that was delivered is skipped, one that
        waits for a person's decision is unknown, an effect that is recorded is not sent, a verdict has its document.
        Without it every document is shown as if it were new.
    """
    started = time.perf_counter()
    collected: dict[int, PreviewDocument] = {}
    asked = RunRequest(cause="manual", input=input or {}, event=event, request=request, limit=limit)
    error: IntegrationError | None = None
    answer = Answer()
    steps = StepRecords()
    async with pool.lease() as lease:
        performer = _Preview(collected, ledger)
        run: Run | None = None
        note = ""
        try:
            compiled = find_flow(compile_mapping(mapping), mapping, flow)
            run = Run(mapping, flow, run_id=PLACEHOLDER, request=asked, lease=lease, performer=performer)
            frame = Frame(run=run, prefix="", records=steps, answer=answer)
            delivery = await _delivery_of(run, ledger)
            await compiled.run(frame, run.variables(own_document(run, delivery)))
        except Stopped as stopped:
            note = stopped.reason
        except Interrupted:
            error = run.fault if run is not None else None
        except Exception as raised:
            error = raised if isinstance(raised, IntegrationError) else unexpected(raised, mapping.id)
        outside = performer.outside
        if not collected or outside.sent or outside.forms:
            outside.error, outside.note, outside.steps = error, note, steps
            outside.state = "failed" if error is not None else "skipped" if note else "done"
            collected[0] = outside
    return Preview(
        documents=[collected[position] for position in sorted(collected)],
        steps=steps,
        error=error,
        response=answer.response,
        elapsed=time.perf_counter() - started,
    )


class _Preview:
    """The performer of a preview."""

    def __init__(self, collected: dict[int, PreviewDocument], ledger: Database | None) -> None:
        self._collected = collected
        self._ledger = ledger
        self._lookup = Lookup(ledger) if ledger is not None else None
        #: What happens outside ``each``.
        self.outside = PreviewDocument(key="", row=None)
        #: By the records of a frame: elements of a document share them.
        self._documents: dict[int, PreviewDocument] = {}
        #: The same way: what a document is called in the ledger.
        self._places: dict[int, Place] = {}
        #: The same way: what the ledger holds of a document that was begun and is to be finished.
        self._begun: dict[int, Delivery] = {}

    async def read(self, frame: Frame, call: Call) -> Any:
        if _promised(call.values):
            call.record.note = _NOT_THERE_YET
            return rows([]) if call.action.streams else _Promised(instance_id=PLACEHOLDER)
        return await call.action.run(call.params)

    async def change(self, frame: Frame, call: Call) -> Any:
        document = self._document(frame)
        begun = self._begun.get(id(frame.records))
        recorded = begun.effects.get(call.step) if begun is not None else None
        if recorded is not None and recorded.state is EffectState.DONE and same_call(recorded, call):
            call.record.note = FROM_LEDGER
            return recorded.result
        if recorded is not None and recorded.state is not EffectState.ABSENT and call.action.effect is Effect.CREATE:
            if not same_call(recorded, call):
                raise done_elsewhere(recorded, call)
            call.record.note = _LOOKED_FOR
        elif call.action.effect is Effect.CREATE:
            await self._refuse_overlap(frame, call)
        request: WireRequest | None = None
        error: IntegrationError | None = None
        try:
            check_forms(call)
            if call.action.prepare is None:
                raise EffectRefused("该动作无法预览", "This action cannot be previewed", where=call.step)
            request = await call.action.prepare(call.params)
        except IntegrationError as raised:
            error = raised
            if isinstance(raised, FormRefused):
                document.failures.extend(raised.failures)
            raise
        finally:
            document.sent.append(
                Sent(
                    step=call.step,
                    connection=call.connector.name,
                    action=call.action.name,
                    effect=call.action.effect,
                    request=request,
                    key=call.values.get("key"),
                    error=error,
                )
            )
        call.record.note = call.record.note or _SHOWN_NOT_SENT
        if call.action.promise is not None:
            return call.action.promise(call.params, PLACEHOLDER)
        return _Promised(instance_id=PLACEHOLDER) if call.action.effect is Effect.CREATE else None

    def map(self, frame: Frame, record: StepRecord, step: str, mapper: Mapper, scope: Variables) -> MappedForm:
        document = self._document(frame)
        traced = mapper.trace(scope)
        document.forms[step] = traced
        document.failures.extend(traced.failures)
        if traced.failures:
            # A run would fail here: what follows must not be shown as if it were sent.
            record.output = traced.form
            first = traced.failures[0]
            place = f"{first.table}[{first.row}].{first.to}" if first.table else first.to
            raise MappingFailed(first.zh, first.en, where=f"{record.step} {place}")
        return traced.form

    async def open(self, frame: Frame, element: Element) -> Any:
        if self._ledger is None or self._lookup is None:
            return element.item
        run = frame.run
        place = Place(mapping=run.mapping.id, flow=run.flow, source=element.source, document_key=element.key_text)
        self._places[id(frame.records)] = place
        standing = await self._lookup(place)
        if standing is None:
            return element.item
        refuse_unknown(standing)
        if standing.state is DeliveryState.COMPLETE:
            return await resubmitted(element, standing, run, self._ledger)
        self._begun[id(frame.records)] = standing
        return element.item

    def close(self, frame: Frame, outcome: Outcome) -> None:
        document = self._document(frame)
        self._begun.pop(id(frame.records), None)
        self._places.pop(id(frame.records), None)
        document.key, document.keyed, document.row = outcome.key, outcome.keyed, outcome.item
        document.state, document.error, document.note = outcome.state, outcome.error, outcome.note
        document.steps = frame.records
        self._collected[outcome.position] = document

    def abandon(self, frame: Frame) -> None:
        """Nothing is held."""

    async def _refuse_overlap(self, frame: Frame, call: Call) -> None:
        """A run leaves a document to the flow that has sent it.

        :raises Skipped: another one has
        """
        place = self._places.get(id(frame.records))
        if self._ledger is None or place is None:
            return
        claim = Claim(
            **vars(place),
            connection=call.connector.name,
            action=call.action.name,
            digest=sent(call)[1],
            since=frame.run.began_at,
        )
        try:
            await self._ledger.aread(partial(refuse_overlap, claim=claim))
        except SentElsewhere as other:
            raise left_to(other) from other

    def _document(self, frame: Frame) -> PreviewDocument:
        if not frame.nested:
            return self.outside
        return self._documents.setdefault(id(frame.records), PreviewDocument(key="", row=None))


async def _delivery_of(run: Run, ledger: Database | None) -> Delivery | None:
    event = run.request.event
    if ledger is None or event is None or not event.instance_id:
        return None
    name = event_connection(run)
    return await ledger.aread(lambda state: find_instance(state, name, event.instance_id))


def _promised(value: Any) -> bool:
    """Whether a placeholder stands somewhere in the value."""
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, AnyMapping):
        return isinstance(value, _Promised) or any(_promised(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_promised(item) for item in value)

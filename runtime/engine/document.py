"""A document's place in the ledger while it is carried out: the rules that keep an effect from happening twice."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from runtime import jsontext
from runtime.connectors.base import ActionParams, Effect, Finding, Intent, Reconciliation
from runtime.engine.context import Call
from runtime.engine.written import written
from runtime.errors import IntegrationError, OutcomeUnknown, RemoteFault, RetryLater, TimedOut
from runtime.faultpoints import FaultPoint, reach
from runtime.mapping.mapper import MappedForm
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.ledger import (
    Delivery,
    DeliveryState,
    EffectRecord,
    EffectState,
    TakenByAnother,
    claim_instance,
    rivals,
    save,
)
from runtime.store.runs import error_record

__all__ = ["FROM_LEDGER", "Document", "Flights", "Place"]

_OPEN_QUESTION = (EffectState.INTENT, EffectState.UNKNOWN)
FROM_LEDGER = "沿用台账中的结果 | taken from the ledger"
_ABANDONED = "来自映射以前的版本 | of an earlier version of the mapping"
_CHANGED_SINCE = "单据在该审批创建之后又有改动 | the document was changed after this was created"
_ADOPTED = "对账找到，已采用 | found by reconciliation and adopted"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a document is called in the ledger, whatever its generation."""

    mapping: str
    flow: str
    source: str
    document_key: str


class Flights:
    """The ``create`` calls that are under way in this process, until their answers are recorded, by what they send."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str]] = Counter()

    @contextmanager
    def one(self, intent: EffectRecord) -> Iterator[None]:
        """This call is under way for the duration of the block."""
        key = (intent.connection, intent.action, intent.digest)
        self._count[key] += 1
        try:
            yield
        finally:
            self._count[key] -= 1
            if not self._count[key]:
                del self._count[key]

    def has(self, intent: EffectRecord) -> bool:
        """Whether just the same is being sent at this moment."""
        return (intent.connection, intent.action, intent.digest) in self._count


class Document:
    """One generation of one document.

    The result of a ``create`` is committed before the next step begins. The result of an ``update`` is safe to lose
    (the update is repeated then), so it is committed with whatever is written next.

    :param standing: what the ledger holds of this generation, if anything
    :param has_place: whether the flow has a step at a (static) place: what is recorded elsewhere is of an older version
    :param settle: how long after its beginning a ``create`` without an answer may still take effect in the other system
    :param flights: what this process is creating at the moment
    """

    def __init__(
        self,
        db: Database,
        place: Place,
        key: Any,
        *,
        standing: Delivery | None,
        generation: int = 1,
        has_place: Callable[[str], bool],
        settle: timedelta,
        flights: Flights,
    ) -> None:
        self.place = place
        self.generation = standing.generation if standing is not None else generation
        self.state = standing.state if standing is not None else DeliveryState.OPEN
        self._db = db
        self._key = key
        self._id = standing.id if standing is not None else None
        self._effects = dict(standing.effects) if standing is not None else {}
        self._unsaved: dict[str, EffectRecord] = {}
        #: Steps of recorded effects that this turn has come to.
        self._reached: set[str] = set()
        self._changes: dict[str, Any] = {}
        self._saving = asyncio.Lock()
        self._has_place = has_place
        self._settle = settle
        self._flights = flights

    @property
    def unsettled(self) -> bool:
        """Whether something may have been created of which nothing is recorded."""
        return self.state is DeliveryState.UNKNOWN or any(one.state in _OPEN_QUESTION for one in self._effects.values())

    async def update(self, call: Call) -> Any:
        """Make a call that is safe to repeat, unless its result is recorded."""
        recorded = self._reach(call)
        if recorded is not None and recorded.state is EffectState.DONE and _same_call(recorded, call):
            return _from_ledger(call, recorded)
        started = utc_now()
        reach(FaultPoint.BEFORE_WRITE_BACK)
        result = await call.action.run(call.params)
        reach(FaultPoint.AFTER_WRITE_BACK)
        record = EffectRecord(
            step=call.step,
            effect=Effect.UPDATE,
            state=EffectState.DONE,
            connection=call.connector.name,
            action=call.action.name,
            digest="",
            request=written(call.values),
            result=result,
            started_at=started,
            finished_at=utc_now(),
        )
        self._note(record)
        return result

    async def create(self, call: Call) -> Any:
        """Make a call that is not safe to repeat, unless the ledger or the other system shows that it was made.

        :raises RetryLater: it cannot be judged yet; the intent stays recorded and the next tick looks again
        :raises OutcomeUnknown: it cannot be judged at all; a person decides
        """
        recorded = self._reach(call)
        if recorded is None:
            await self._refuse_orphans(call)
        elif recorded.state is not EffectState.ABSENT:
            if not _same_call(recorded, call):
                await self._refuse_other(call, recorded)
            if recorded.state is EffectState.DONE:
                return _from_ledger(call, recorded)
            found = await self._reconcile(call, recorded)
            if found is not None:
                return found.result
        request, digest = _sent(call)
        intent = EffectRecord(
            step=call.step,
            effect=Effect.CREATE,
            state=EffectState.INTENT,
            connection=call.connector.name,
            action=call.action.name,
            digest=digest,
            request=request,
            started_at=utc_now(),
        )
        reach(FaultPoint.BEFORE_INTENT)
        await self._commit(intent)
        reach(FaultPoint.AFTER_INTENT)
        with self._flights.one(intent):
            try:
                reach(FaultPoint.BEFORE_CALL)
                result = await call.action.run(call.params)
                reach(FaultPoint.AFTER_CALL)
            except (OutcomeUnknown, TimedOut, RemoteFault) as error:
                lost = error
            except IntegrationError:
                # Refused, or never sent: nothing was created, and it may be sent again.
                self._note(replace(intent, state=EffectState.ABSENT, request=None, finished_at=utc_now()))
                raise
            else:
                return (await self._done(call, intent, result)).result
        return await self._find_now(call, intent, lost)

    def closing(
        self, state: DeliveryState, *, error: IntegrationError | None = None, note: str = "", stopped: bool = False
    ) -> partial[int] | None:
        """The write that ends this document's turn, or None if it never had an effect.

        :param stopped: it ended with ``stop``: it is complete only if it had come to every effect that is recorded
        """
        if self.state is DeliveryState.UNKNOWN:
            # That is committed already, and a person may have decided since.
            unsaved = tuple(self._unsaved.values())
            return partial(_write, {"id": self._id}, unsaved) if unsaved and self._id is not None else None
        if state is DeliveryState.COMPLETE and (self.unsettled or (stopped and not self._all_reached())):
            state = self.state
        changes: dict[str, Any] = {
            "state": state,
            "error": error_record(error) if error is not None else None,
            "note": note,
        }
        if state is DeliveryState.COMPLETE:
            changes["completed_at"] = utc_now()
        if self._id is None and not self._unsaved:
            return None
        return self._save(changes, tuple(self._unsaved.values()))

    def _reach(self, call: Call) -> EffectRecord | None:
        self._reached.add(call.step)
        return self._effects.get(call.step)

    def _all_reached(self) -> bool:
        return all(
            one.state is EffectState.ABSENT or one.step in self._reached or not self._has_place(_static(one.step))
            for one in self._effects.values()
        )

    async def _refuse_other(self, call: Call, recorded: EffectRecord) -> None:
        """The mapping now has another system do what is recorded for this step: whether it still should is unknown."""
        old = replace(recorded, step=f"{recorded.step}@{recorded.connection}")
        self._note(old)
        await self._ask(
            call,
            OutcomeUnknown(
                f"此步骤上次由连接 {recorded.connection} 的 {recorded.action} 完成，映射现在改为另一处",
                f"This step was done by {recorded.action} of {recorded.connection}; the mapping now calls another",
                where=call.step,
            ),
        )

    async def _refuse_orphans(self, call: Call) -> None:
        """A step that was renamed or moved must not create anew what it created under its old name."""
        for one in self._effects.values():
            if (
                one.effect == Effect.CREATE
                and one.state is not EffectState.ABSENT
                and (one.connection, one.action) == (call.connector.name, call.action.name)
                and not self._has_place(_static(one.step))
            ):
                await self._ask(
                    call,
                    OutcomeUnknown(
                        f"映射已修改：台账里步骤 {one.step} 的结果不再属于任何步骤",
                        f"The mapping was changed: what is recorded for step {one.step} belongs to no step any more",
                        where=call.step,
                    ),
                )

    async def _ask(self, call: Call, error: OutcomeUnknown) -> None:
        """A person decides whether this call is to be made."""
        request, digest = _sent(call)
        call.record.note = _ABANDONED
        undecided = EffectRecord(
            step=call.step,
            effect=Effect.CREATE,
            state=EffectState.UNKNOWN,
            connection=call.connector.name,
            action=call.action.name,
            digest=digest,
            request=request,
            started_at=utc_now(),
        )
        await self._give_up(undecided, error)

    async def _find_now(self, call: Call, intent: EffectRecord, error: IntegrationError) -> Any:
        """The answer was lost on the way: it may already be there to be found."""
        reason = error
        try:
            answer = await self._look_for(call, intent)
            if answer.finding is Finding.FOUND:
                return (await self._adopt(call, intent, answer)).result
        except IntegrationError as second:
            reason = second
        # Nothing but a finding counts so soon: the request may still be under way.
        raise RetryLater(
            "请求没有得到答复，暂时无法确认结果；台账已记录，下次运行先对账",
            "No answer came and the outcome cannot be established yet; the next run looks for it first",
            where=error.where or call.step,
            code=error.code or reason.code,
            remote=error.remote or reason.remote,
        ) from error

    async def _reconcile(self, call: Call, intent: EffectRecord) -> EffectRecord | None:
        """Ask the other system; None = it is provably absent and may be sent."""
        answer = await self._look_for(call, intent)
        if answer.finding is Finding.FOUND:
            return await self._adopt(call, intent, answer)
        if intent.state is EffectState.INTENT and utc_now() - intent.started_at < self._settle:
            raise RetryLater(
                "上一次请求没有得到答复，对方可能仍在处理；稍后再核对",
                "An earlier request got no answer and may still be under way; it is looked for again later",
                where=call.step,
            )
        if answer.finding is Finding.ABSENT:
            return None
        error = OutcomeUnknown(
            answer.reason_zh or "无法确认上一次请求是否成功",
            answer.reason_en or "It cannot be established whether the earlier request succeeded",
            where=call.step,
        )
        await self._give_up(intent, error)
        return None

    async def _look_for(self, call: Call, intent: EffectRecord) -> Reconciliation:
        reconcile = call.action.reconcile
        params = _as_sent(call, intent)
        if reconcile is None or params is None:
            return _unclear(
                "单据在请求之后被修改，原请求的内容未能保留，无法对账",
                "The document was changed after the request, and what was sent is not known any more",
            )
        young = utc_now() - self._settle
        taken, twin = await self._db.aread(partial(rivals, effect=intent, delivery_id=self._id, young=young))
        question = Intent(started_at=intent.started_at, document_key=self.place.document_key, taken=taken)
        answer = await reconcile(params, question)
        if answer.finding is not Finding.FOUND:
            return answer
        if _created(call, answer.result) in taken:
            return _unclear("找到的内容已属于另一张单据", "What was found belongs to another document already")
        if twin or self._flights.has(intent):
            raise RetryLater(
                "另一张内容相同的单据正在发送，暂时无法区分；稍后再核对",
                "Another document with the same content is being sent and cannot be told apart; it is looked for later",
                where=call.step,
            )
        return answer

    async def _adopt(self, call: Call, intent: EffectRecord, answer: Reconciliation) -> EffectRecord:
        call.record.note = _ADOPTED
        return await self._done(call, intent, answer.result, adopted=True)

    async def _done(self, call: Call, intent: EffectRecord, result: Any, *, adopted: bool = False) -> EffectRecord:
        instance = _created(call, result)
        record = replace(
            intent,
            state=EffectState.DONE,
            request=None,
            result=result,
            instance_id=instance,
            adopted=adopted,
            finished_at=utc_now(),
        )
        before = dict(self._changes)
        if instance:
            self._changes.update(connection=intent.connection, instance_id=instance)
        reach(FaultPoint.BEFORE_RESULT)
        try:
            await self._commit(record)
        except TakenByAnother as error:
            # Somebody was quicker since we looked. The next run looks again and leaves that one out.
            self._changes = before
            self._note(intent)
            raise RetryLater(
                "找到的内容刚刚被记录为另一张单据的结果；稍后再核对",
                "What was found has just been recorded for another document; it is looked for again later",
                where=call.step,
            ) from error
        reach(FaultPoint.AFTER_RESULT)
        return record

    async def _give_up(self, effect: EffectRecord, error: OutcomeUnknown) -> None:
        self.state = DeliveryState.UNKNOWN
        self._changes.update(state=DeliveryState.UNKNOWN, error=error_record(error))
        await self._commit(replace(effect, state=EffectState.UNKNOWN))
        raise error

    def _note(self, record: EffectRecord) -> None:
        self._effects[record.step] = record
        self._unsaved[record.step] = record

    async def _commit(self, record: EffectRecord) -> None:
        """Returns when the record, and everything noted before it, is safe."""
        self._note(record)
        async with self._saving:
            unsaved = dict(self._unsaved)
            self._id = await self._db.awrite(self._save({}, tuple(unsaved.values())))
            for step, saved in unsaved.items():
                if self._unsaved.get(step) is saved:
                    del self._unsaved[step]

    def _save(self, changes: Mapping[str, Any], effects: tuple[EffectRecord, ...]) -> partial[int]:
        row = {**self._changes, **changes}
        if self._id is not None:
            row["id"] = self._id
        else:
            row = {
                "mapping": self.place.mapping,
                "flow": self.place.flow,
                "source": self.place.source,
                "document_key": self.place.document_key,
                "generation": self.generation,
                "document": self._key,
                "state": DeliveryState.OPEN,
                **row,
            }
        return partial(_write, row, effects)


def _static(step: str) -> str:
    """A step's place without the loop elements that lead to it: ``draft/lines[3]/oa.comment`` → ``draft/lines/…``."""
    return re.sub(r"\[[^\]]*\]", "", step)


def _write(row: Mapping[str, Any], effects: tuple[EffectRecord, ...], connection: Connection) -> int:
    for one in effects:
        if one.instance_id and one.state is EffectState.DONE:
            claim_instance(connection, one, delivery_id=row.get("id"))
    return save(connection, row, effects)


def _same_call(recorded: EffectRecord, call: Call) -> bool:
    return (recorded.connection, recorded.action) == (call.connector.name, call.action.name)


def _from_ledger(call: Call, recorded: EffectRecord) -> Any:
    changed = recorded.digest and recorded.digest != _sent(call)[1]
    call.record.note = _CHANGED_SINCE if changed else FROM_LEDGER
    return recorded.result


def _created(call: Call, result: Any) -> str:
    """The id of what a call created; empty if there is none, or if the call was about what has this id already."""
    found = result.get("instance_id") if isinstance(result, Mapping) else None
    if found is None or str(found) == str(call.values.get("instance_id")):
        return ""
    return str(found)


def _unclear(zh: str, en: str) -> Reconciliation:
    return Reconciliation(finding=Finding.UNCLEAR, reason_zh=zh, reason_en=en)


def _sent(call: Call) -> tuple[bytes | None, str]:
    """What a call sends, as JSON, and its hash."""
    try:
        text: bytes | None = jsontext.dumps(call.values)
    except (TypeError, ValueError):
        text = None
    digest = hashlib.blake2b(text if text is not None else repr(call.values).encode(), digest_size=16).hexdigest()
    return text, digest


def _as_sent(call: Call, intent: EffectRecord) -> ActionParams | None:
    """The params of the earlier attempt: looking for today's content would miss what was created from yesterday's."""
    if _sent(call)[1] == intent.digest:
        return call.params
    if not isinstance(intent.request, Mapping):
        return None
    values = {name: _like(call.values.get(name), value) for name, value in intent.request.items()}
    try:
        return call.action.params.model_validate(values)
    except ValidationError:
        return None


def _like(model: Any, value: Any) -> Any:
    """A stored form gets the controls back that the mapping's form has."""
    if isinstance(model, MappedForm) and isinstance(value, Mapping):
        return MappedForm(value, model.controls)
    return value

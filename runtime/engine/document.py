"""A document's place in the ledger while it is carried out: the rules that keep an effect from happening twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from runtime.connectors.actions import Effect, Finding, Reconciliation
from runtime.engine.context import Call, Interrupted, Skipped
from runtime.engine.inquiry import Inquiry, created, sent
from runtime.engine.notes import Notes
from runtime.engine.written import target, written
from runtime.errors import FixData, FixSetup, IntegrationError, OutcomeUnknown, RemoteFault, RetryLater, TimedOut
from runtime.faultpoints import FaultPoint, reach
from runtime.store.columns import utc_now
from runtime.store.entries import Entry
from runtime.store.instances import TakenByAnother
from runtime.store.ledger import REQUEST_SOURCE, DeliveryState, EffectRecord, EffectState, form_of
from runtime.store.overlap import SentElsewhere
from runtime.store.runs import error_record

__all__ = ["FROM_LEDGER", "Document", "done_elsewhere", "left_to", "same_call"]

#: An intent that waited longer for its turn is committed anew: whoever looks for an answer reckons from its time.
_FRESH = timedelta(seconds=2)
_OPEN_QUESTION = (EffectState.INTENT, EffectState.UNKNOWN)
FROM_LEDGER = "沿用台账中的结果 | taken from the ledger"
_ABANDONED = "来自映射以前的版本 | of an earlier version of the mapping"
_CHANGED_SINCE = "单据在该审批创建之后又有改动 | the document was changed after this was created"
_ADOPTED = "对账找到，已采用 | found by reconciliation and adopted"


class Document:
    """One generation of one document.

    What a ``create`` yields is on its way into the ledger as soon as the document waits for anything, and is committed
    before its next effect. So are the values of an ``update`` before they are sent, both in one commit where nothing
    lies between. That an ``update`` succeeded is safe to lose (it is repeated then), so that is committed with whatever
    is written next.

    :param notes: what the ledger holds of this generation, and how more gets there
    :param row: the document as it was taken up
    :param has_place: whether the flow has a step at a (static) place: what is recorded elsewhere is of an older version
    :param inquiry: asks the other systems about calls without an answer
    """

    def __init__(self, notes: Notes, row: Any, *, has_place: Callable[[str], bool], inquiry: Inquiry) -> None:
        self.notes = notes
        self._row = row
        #: Steps of recorded effects that this turn has come to.
        self._reached: set[str] = set()
        self._has_place = has_place
        self._inquiry = inquiry

    @property
    def unsettled(self) -> bool:
        """Whether something may have been created of which nothing is recorded."""
        notes = self.notes
        return notes.state is DeliveryState.UNKNOWN or any(
            one.state in _OPEN_QUESTION for one in notes.effects.values()
        )

    async def update(self, call: Call) -> Any:
        """Make a call that is safe to repeat, unless its result is recorded."""
        recorded = self._reach(call)
        if recorded is not None and recorded.state is EffectState.DONE and same_call(recorded, call):
            return _from_ledger(call, recorded)
        sending = EffectRecord(
            step=call.step,
            effect=Effect.UPDATE,
            state=EffectState.SENDING,
            connection=call.connector.name,
            action=call.action.name,
            digest="",
            request=written(call.values, self._row, self.notes.place.document_key),
            target=target(call),
            started_at=utc_now(),
        )
        if sending.request is not None or self.notes.place.source == REQUEST_SOURCE:
            # A request that changed nothing may be replaced by another one: also what writes no values has to show.
            self.notes.add(sending)
            await self.notes.save()
        elif self.notes.owing:
            await self.notes.save()
        try:
            async with call.turn:
                reach(FaultPoint.BEFORE_WRITE_BACK)
                result = await call.action.run(call.params)
                reach(FaultPoint.AFTER_WRITE_BACK)
        except (FixData, FixSetup) as error:
            if error.partly_done:
                # Kept, so that a later attempt that is refused at its first call does not hide it.
                self.notes.add(sending)
            elif recorded is None or recorded.state is EffectState.ABSENT:
                # Refused, and so was every attempt before: nothing of it stands anywhere.
                self.notes.add(replace(sending, state=EffectState.ABSENT, request=None, finished_at=utc_now()))
            raise
        self.notes.add(replace(sending, state=EffectState.DONE, result=result, finished_at=utc_now()))
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
            if not same_call(recorded, call):
                await self._refuse_other(call, recorded)
            if recorded.state is EffectState.DONE:
                return _from_ledger(call, recorded)
            async with call.turn:
                found = await self._reconcile(call, recorded)
            if found is not None:
                return found.result
        intent = await self._intend(call)
        try:
            async with call.turn:
                if utc_now() - intent.started_at > _FRESH:
                    intent = await self._intend(call)
                return await self._make(call, intent)
        except Interrupted:
            self._not_created(intent)
            raise

    async def _intend(self, call: Call) -> EffectRecord:
        """Commit that a ``create`` is about to be sent.

        :raises Skipped: another flow has sent the document
        """
        intent = _unanswered(call, EffectState.INTENT)
        reach(FaultPoint.BEFORE_INTENT)
        try:
            await self.notes.save_with(intent)
        except (SentElsewhere, RetryLater) as error:
            if self.notes.id is not None:
                # Whatever the ledger holds of it by now, for instance from when it began to wait for its turn.
                self._not_created(intent)
            if isinstance(error, RetryLater):
                raise
            raise left_to(error) from error
        reach(FaultPoint.AFTER_INTENT)
        return intent

    async def _make(self, call: Call, intent: EffectRecord) -> Any:
        self.notes.take_off(intent)
        try:
            reach(FaultPoint.BEFORE_CALL)
            result = await call.action.run(call.params)
            reach(FaultPoint.AFTER_CALL)
        except (OutcomeUnknown, TimedOut, RemoteFault) as error:
            self.notes.land(intent.step)
            return await self._find_now(call, intent, error)
        except IntegrationError:
            self.notes.land(intent.step)
            self._not_created(intent)
            raise
        reach(FaultPoint.BEFORE_RESULT)
        self.notes.add_soon(self._answered(call, intent, result))
        return result

    def _not_created(self, intent: EffectRecord) -> None:
        """Refused, or never sent: it may be sent again."""
        self.notes.add(replace(intent, state=EffectState.ABSENT, request=None, finished_at=utc_now()))

    def closing(
        self, state: DeliveryState, *, error: IntegrationError | None = None, note: str = "", stopped: bool = False
    ) -> Entry | None:
        """The write that ends this document's turn, or None if it never had an effect.

        :param stopped: it ended with ``stop``: it is complete only if it had come to every effect that is recorded
        """
        if state is DeliveryState.COMPLETE and (self.unsettled or (stopped and not self._all_reached())):
            state = self.notes.state
        changes: dict[str, Any] = {
            "state": state,
            "error": error_record(error) if error is not None else None,
            "note": note,
        }
        if state is DeliveryState.COMPLETE:
            changes["completed_at"] = utc_now()
        return self.notes.last_entry(changes)

    def _reach(self, call: Call) -> EffectRecord | None:
        self._reached.add(call.step)
        return self.notes.effects.get(call.step)

    def _all_reached(self) -> bool:
        return all(
            one.state is EffectState.ABSENT or one.step in self._reached or not self._has_place(_static(one.step))
            for one in self.notes.effects.values()
        )

    async def _refuse_other(self, call: Call, recorded: EffectRecord) -> None:
        """The mapping now has another system do what is recorded for this step: whether it still should is unknown."""
        old = replace(recorded, step=f"{recorded.step}@{recorded.connection}")
        self.notes.add(old)
        await self._ask(call, done_elsewhere(recorded, call))

    async def _refuse_orphans(self, call: Call) -> None:
        """A step that was renamed or moved must not create anew what it created under its old name."""
        for one in self.notes.effects.values():
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
        call.record.note = _ABANDONED
        await self._give_up(_unanswered(call, EffectState.UNKNOWN), error)

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
            "请求没有得到明确答复，暂时无法确认结果；台账已记录，下次运行先对账",
            "No clear answer came and the outcome cannot be established yet; the next run looks for it first",
            where=error.where or call.step,
            code=error.code or reason.code,
            remote=error.remote or reason.remote,
        ) from error

    async def _reconcile(self, call: Call, intent: EffectRecord) -> EffectRecord | None:
        """Ask the other system; None = it is provably absent and may be sent."""
        answer = await self._look_for(call, intent)
        if answer.finding is Finding.FOUND:
            return await self._adopt(call, intent, answer)
        if intent.state is EffectState.INTENT and not self._inquiry.settled(intent):
            raise RetryLater(
                "上一次请求没有得到明确答复，对方可能仍在处理；稍后再核对",
                "An earlier request got no clear answer and may still be under way; it is looked for again later",
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
        notes = self.notes
        return await self._inquiry.look_for(call, intent, delivery_id=notes.id, document_key=notes.place.document_key)

    async def _adopt(self, call: Call, intent: EffectRecord, answer: Reconciliation) -> EffectRecord:
        call.record.note = _ADOPTED
        before = dict(self.notes.changes)
        reach(FaultPoint.BEFORE_RESULT)
        record = self._answered(call, intent, answer.result, adopted=True)
        try:
            await self.notes.save_with(record)
        except TakenByAnother as error:
            # Somebody was quicker since we looked. The next run looks again and leaves that one out.
            self.notes.changes = before
            raise RetryLater(
                "找到的内容刚刚被记录为另一张单据的结果；稍后再核对",
                "What was found has just been recorded for another document; it is looked for again later",
                where=call.step,
            ) from error
        return record

    def _answered(self, call: Call, intent: EffectRecord, result: Any, *, adopted: bool = False) -> EffectRecord:
        instance = created(call, result)
        if instance:
            self.notes.changes.update(connection=intent.connection, instance_id=instance)
        return replace(
            intent,
            state=EffectState.DONE,
            request=form_of(intent.request if isinstance(intent.request, Mapping) else call.values),
            result=result,
            instance_id=instance,
            adopted=adopted,
            finished_at=utc_now(),
        )

    async def _give_up(self, effect: EffectRecord, error: OutcomeUnknown) -> None:
        self.notes.state = DeliveryState.UNKNOWN
        self.notes.changes.update(state=DeliveryState.UNKNOWN, error=error_record(error))
        self.notes.add(replace(effect, state=EffectState.UNKNOWN))
        await self.notes.save()
        raise error


def _unanswered(call: Call, state: EffectState) -> EffectRecord:
    """A ``create`` that begins now, as far as it is known."""
    request, digest = sent(call)
    return EffectRecord(
        step=call.step,
        effect=Effect.CREATE,
        state=state,
        connection=call.connector.name,
        action=call.action.name,
        digest=digest,
        request=request,
        started_at=utc_now(),
    )


def left_to(other: SentElsewhere) -> Skipped:
    """Another flow has sent the document: it is not sent from here."""
    who_zh = f"映射 {other.mapping}（流程 {other.flow}）"
    who = f"mapping {other.mapping!r} (flow {other.flow})"
    number = other.delivery_id
    if other.state is DeliveryState.COMPLETE:
        zh = f"{who_zh}刚刚已发起过这张单据（交付 #{number}），这里不再发送"
        en = f"The {who} has sent this document just now (delivery {number}): it is not sent again from here"
    elif other.state is DeliveryState.UNKNOWN:
        zh = f"{who_zh}是否已发起过这张单据尚不清楚，请先在“单据交付”页对交付 #{number} 作出决定"
        en = f"Whether the {who} has sent this document is unknown: decide about delivery {number} on the Deliveries "
        en += "page first"
    else:
        zh = f"{who_zh}已发起过或正在发起这张单据、尚未完成（交付 #{number}），这里不再发送；请让该映射把它完成："
        zh += "已停用的可手动运行，已删除或改名的请以原名恢复"
        en = f"The {who} has sent this document already, or is about to, and has not come to its end with it (delivery "
        en += f"{number}): it is not sent again from here. Let that mapping finish it: if it is switched off run it by "
        en += "hand, if it was deleted or renamed bring it back under its name"
    return Skipped(zh, en, warning=True)


def _static(step: str) -> str:
    """A step's place without the loop elements that lead to it: ``draft/lines[3]/oa.comment`` → ``draft/lines/…``."""
    return re.sub(r"\[[^\]]*\]", "", step)


def done_elsewhere(recorded: EffectRecord, call: Call) -> OutcomeUnknown:
    """A ``create`` is recorded for the step of this call, which is another one (see :func:`same_call`)."""
    return OutcomeUnknown(
        f"此步骤上次由连接 {recorded.connection} 的 {recorded.action} 完成，映射现在改为另一处",
        f"This step was done by {recorded.action} of {recorded.connection}; the mapping now calls another",
        where=call.step,
    )


def same_call(recorded: EffectRecord, call: Call) -> bool:
    """Whether what is recorded for a step was done where the mapping has it done now."""
    return (recorded.connection, recorded.action) == (call.connector.name, call.action.name)


def _from_ledger(call: Call, recorded: EffectRecord) -> Any:
    changed = recorded.digest and recorded.digest != sent(call)[1]
    call.record.note = _CHANGED_SINCE if changed else FROM_LEDGER
    return recorded.result

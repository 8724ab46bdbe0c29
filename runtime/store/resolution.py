"""A person decides about a delivery whose outcome is unknown. Only the database is used: it works beside a runtime.

The decision is recorded with its author, and a run for just this document is queued: the runtime goes on with the
remaining steps at once. Events of the approval that found no document before are carried out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select, update

from runtime.errors import Refused
from runtime.store.columns import utc_now
from runtime.store.inbox import find_by_ledger_key
from runtime.store.instances import holder_of
from runtime.store.ledger import (
    RUN_SOURCES,
    Delivery,
    DeliveryState,
    EffectRecord,
    EffectState,
    form_of,
    get_delivery,
    save,
)
from runtime.store.runs import queue_run
from runtime.store.tables import deliveries, inbox

__all__ = ["check_created", "resolve_created", "resolve_resend", "unknown_steps"]


def unknown_steps(delivery: Delivery) -> list[str]:
    """The steps that a person has to decide about."""
    return sorted(one.step for one in delivery.effects.values() if one.state is EffectState.UNKNOWN)


def check_created(
    connection: Connection, delivery_id: int, created: str | Mapping[str, Any], *, step: str | None = None
) -> tuple[Delivery, EffectRecord, dict[str, Any]]:
    """What :func:`resolve_created` would record, as far as the ledger tells; nothing is changed.

    :param created: id of what was created, or the whole result that the steps after it need
    :param step: which step, where several are unknown
    :returns: the delivery, the effect that is unknown, and the result for it
    :raises Refused: there is nothing to decide, or this id is recorded for another document
    """
    delivery, effect = _unknown(connection, delivery_id, step)
    result = {"instance_id": created} if isinstance(created, str) else dict(created)
    instance = str(result.get("instance_id") or "").strip()
    if result.get("instance_id") is not None:
        result["instance_id"] = instance
    if not result or result == {"instance_id": ""}:
        raise Refused("没有给出已创建内容的编号", "The id of what was created is missing", where=str(delivery_id))
    holder = holder_of(connection, effect, instance, delivery_id=delivery.id)
    if holder is not None:
        raise Refused(
            f"{instance} 已记录为单据 {holder.document_key}（{holder.mapping}）的结果",
            f"{instance} is recorded as the result for document {holder.document_key} ({holder.mapping})",
            where=str(delivery_id),
        )
    return delivery, effect, result


def resolve_created(
    connection: Connection, delivery_id: int, created: str | Mapping[str, Any], *, by: str, step: str | None = None
) -> Delivery:
    """The unknown ``create`` did happen; the delivery goes on with the steps after it. Returns the delivery.

    :param created: id of what was created, or the whole result that the steps after it need
    :param by: who decided, for the record
    :param step: which step, where several are unknown
    :raises Refused: there is nothing to decide, or this id is recorded for another document
    """
    _lock(connection, delivery_id)
    delivery, effect, result = check_created(connection, delivery_id, created, step=step)
    instance = result.get("instance_id") or ""
    done = replace(
        effect,
        state=EffectState.DONE,
        request=form_of(effect.request),
        result=result,
        instance_id=instance,
        adopted=True,
        finished_at=utc_now(),
    )
    found = {"connection": effect.connection, "instance_id": instance} if instance else {}
    _decide(connection, delivery, done, decision="created", by=by, result=result, changes=found)
    if instance:
        _repeat_events(connection, effect.connection, inbox.c.instance_id == instance)
    return _resolved(connection, delivery)


def resolve_resend(connection: Connection, delivery_id: int, *, by: str, step: str | None = None) -> Delivery:
    """The unknown ``create`` did not happen; it may be sent. Returns the delivery.

    :param by: who decided, for the record
    :param step: which step, where several are unknown
    :raises Refused: there is nothing to decide
    """
    _lock(connection, delivery_id)
    delivery, effect = _unknown(connection, delivery_id, step)
    absent = replace(effect, state=EffectState.ABSENT, request=None, finished_at=utc_now())
    _decide(connection, delivery, absent, decision="resend", by=by, result=None, changes={})
    return _resolved(connection, delivery)


def _lock(connection: Connection, delivery_id: int) -> None:
    # Where the database can: two persons may decide at the same time.
    connection.execute(select(deliveries.c.id).where(deliveries.c.id == delivery_id).with_for_update())


def _unknown(connection: Connection, delivery_id: int, step: str | None) -> tuple[Delivery, EffectRecord]:
    delivery = get_delivery(connection, delivery_id)
    if delivery is None:
        raise Refused("没有这次交付", "There is no such delivery", where=str(delivery_id))
    steps = unknown_steps(delivery)
    if delivery.state is not DeliveryState.UNKNOWN or not steps:
        raise Refused(
            f"只有状态为 unknown 的交付需要人工处理，这一次是 {delivery.state}",
            f"Only a delivery in the state unknown waits for a decision, this one is {delivery.state}",
            where=str(delivery_id),
        )
    if step is None and len(steps) > 1:
        names = ", ".join(steps)
        raise Refused(
            f"有多个步骤结果未知，请指明步骤：{names}",
            f"Several steps are unknown, name the one that is meant: {names}",
            where=str(delivery_id),
        )
    chosen = step or steps[0]
    if chosen not in steps:
        raise Refused(
            f"步骤 {chosen} 的结果不是未知的", f"The outcome of step {chosen} is not unknown", where=str(delivery_id)
        )
    return delivery, delivery.effects[chosen]


def _decide(
    connection: Connection,
    delivery: Delivery,
    effect: EffectRecord,
    *,
    decision: str,
    by: str,
    result: Mapping[str, Any] | None,
    changes: Mapping[str, Any],
) -> None:
    record = {"at": utc_now().isoformat(), "by": by, "step": effect.step, "decision": decision, "result": result}
    row: dict[str, Any] = {"id": delivery.id, "decisions": [*(delivery.decisions or ()), record], **changes}
    if unknown_steps(delivery) == [effect.step]:
        row |= {"state": DeliveryState.RESOLVED, "error": None, "note": f"人工处理 | decided by {by}"}
    save(connection, row, [effect])


def _resolved(connection: Connection, delivery: Delivery) -> Delivery:
    """Has the runtime go on, unless something else is still unknown."""
    now = get_delivery(connection, delivery.id) or delivery
    if now.state is DeliveryState.RESOLVED:
        if not now.source.startswith(RUN_SOURCES):
            request = {"only": now.document_key}
            queue_run(connection, mapping=now.mapping, flow=now.flow, cause="manual", request=request)
        elif now.source.startswith("event:"):
            name = now.source.removeprefix("event:")
            _repeat_events(connection, name, inbox.c.id.in_(find_by_ledger_key(connection, name, now.document_key)))
    return now


def _repeat_events(connection: Connection, name: str, which: Any) -> None:
    """Have events carried out again that came before their document was known; the ledger keeps effects single."""
    finished = inbox.c.state.in_(("done", "failed"))
    again = {"state": "new", "next_attempt_at": None, "attempts": 0}
    connection.execute(update(inbox).where(inbox.c.connection == name, which, finished).values(**again))

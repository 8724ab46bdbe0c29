"""Which delivery an id of the other system belongs to, and what may be taken for the answer to a lost call.

An approval is recorded for one effect at most. Times are UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update

from runtime.errors import OutcomeUnknown
from runtime.store.ledger import (
    Delivery,
    DeliveryState,
    EffectRecord,
    EffectState,
    get_delivery,
    read_deliveries,
    save,
)
from runtime.store.runs import error_record
from runtime.store.tables import deliveries, effects

__all__ = [
    "TakenByAnother",
    "awaits_answer",
    "claim_instance",
    "find_instance",
    "held_by_others",
    "holder_of",
    "rivals",
    "waiting_for_answer",
]

_CLOCKS = timedelta(days=1)


class TakenByAnother(Exception):
    """An id that was found by looking is recorded for another document."""


def find_instance(connection: Connection, name: str, instance_id: str) -> Delivery | None:
    """Which delivery created this approval in the connection ``name``; None if none is known to have."""
    query = (
        select(deliveries)
        .join(effects, effects.c.delivery_id == deliveries.c.id)
        .where(effects.c.connection == name, effects.c.instance_id == instance_id)
        .order_by(deliveries.c.id.desc())
        .limit(1)
    )
    return next(iter(read_deliveries(connection, connection.execute(query).mappings())), None)


def awaits_answer(connection: Connection, name: str) -> bool:
    """Whether in the connection ``name`` something is being created whose id is not known yet."""
    query = exists().where(
        effects.c.state == EffectState.INTENT,
        effects.c.connection == name,
        deliveries.c.id == effects.c.delivery_id,
        deliveries.c.state.in_((DeliveryState.OPEN, DeliveryState.FAILED)),
    )
    return bool(connection.scalar(select(query)))


def waiting_for_answer(connection: Connection, name: str, *, before: datetime, limit: int) -> list[Delivery]:
    """Deliveries whose ``create`` in the connection ``name`` began before a moment and has no answer yet."""
    query = (
        select(deliveries)
        .join(effects, effects.c.delivery_id == deliveries.c.id)
        .where(
            effects.c.state == EffectState.INTENT,
            effects.c.connection == name,
            effects.c.started_at < before,
            deliveries.c.state.in_((DeliveryState.OPEN, DeliveryState.FAILED)),
        )
        .order_by(effects.c.started_at)
        .limit(limit)
    )
    return read_deliveries(connection, connection.execute(query).mappings())


def rivals(
    connection: Connection, effect: EffectRecord, *, delivery_id: int | None, young: datetime
) -> tuple[frozenset[str], bool]:
    """What an unanswered ``create`` must not take for its own: ids that are recorded for others in its connection, and
    whether just the same was sent for another document since ``young``, whose answer is still to come."""
    # An id is recorded after its creation; the day's margin is for the clocks of both systems.
    since = effect.started_at - _CLOCKS
    others = select(effects.c.instance_id).join(deliveries, deliveries.c.id == effects.c.delivery_id)
    taken = others.where(
        # All states: the index begins with them.
        deliveries.c.state.in_(list(DeliveryState)),
        deliveries.c.updated_at >= since,
        effects.c.connection == effect.connection,
        effects.c.instance_id != "",
        _not_this(effect, delivery_id),
    )
    twin = exists().where(
        effects.c.state == EffectState.INTENT,
        effects.c.connection == effect.connection,
        effects.c.action == effect.action,
        effects.c.digest == effect.digest,
        effects.c.started_at >= young,
        _not_this(effect, delivery_id),
    )
    return frozenset(connection.scalars(taken)), bool(connection.scalar(select(twin)))


def claim_instance(connection: Connection, effect: EffectRecord, *, delivery_id: int | None) -> None:
    """Before an effect is recorded with an id: no other effect may hold it.

    An id that was found by looking yields to one that was answered: whoever adopted it wrongly is unknown from now on.

    :raises TakenByAnother: the id was found by looking, and is another's
    """
    holders = _holders(connection, effect, effect.instance_id)
    held = next((row for row in holders if (row.delivery_id, row.step) != (delivery_id, effect.step)), None)
    if held is None:
        return
    if effect.adopted:
        raise TakenByAnother(effect.instance_id)
    if held.adopted:
        error = OutcomeUnknown(
            f"对账采用的 {effect.instance_id} 后来确认属于另一张单据",
            f"{effect.instance_id}, adopted by reconciliation, turned out to belong to another document",
            where=held.step,
        )
        its = (effects.c.delivery_id == held.delivery_id, effects.c.step == held.step)
        connection.execute(update(effects).where(*its).values(state=EffectState.UNKNOWN, instance_id="", result=None))
        row = {"state": DeliveryState.UNKNOWN, "error": error_record(error), "instance_id": "", "completed_at": None}
        save(connection, {"id": held.delivery_id, **row}, ())


def held_by_others(connection: Connection, found: Sequence[tuple[int | None, EffectRecord]]) -> bool:
    """Whether one of these effects is about to be recorded with an id that another effect holds, or two with the same.

    Until the end of the transaction no other process can record these ids either.

    :param found: (delivery, effect)
    """
    wanted: dict[tuple[str, str, str], tuple[int | None, str]] = {}
    for delivery_id, effect in found:
        if wanted.setdefault(_claim(effect), (delivery_id, effect.step)) != (delivery_id, effect.step):
            return True
    by_connection: dict[str, set[str]] = defaultdict(set)
    for name, _, instance_id in wanted:
        by_connection[name].add(instance_id)
    for name, ids in by_connection.items():
        _lock(connection, name, ids)
        rows = connection.execute(_ALL_HOLDERS, {"held_connection": name, "held_instances": sorted(ids)})
        for delivery_id, step, action, instance_id in rows:
            if wanted.get((name, action, instance_id), (delivery_id, step)) != (delivery_id, step):
                return True
    return False


def holder_of(
    connection: Connection, effect: EffectRecord, instance_id: str, *, delivery_id: int | None
) -> Delivery | None:
    """Another delivery that has an effect of the same action recorded with this id, or None.

    Until the end of the transaction no other process can record the id either.
    """
    held = _holders(connection, effect, instance_id) if instance_id else []
    other = next((row.delivery_id for row in held if row.delivery_id != delivery_id), None)
    return get_delivery(connection, other) if other is not None else None


def _holders(connection: Connection, effect: EffectRecord, instance_id: str) -> list[Any]:
    """(delivery_id, step, adopted) of the effects of the same action that are recorded with this id."""
    _lock(connection, effect.connection, [instance_id])
    values = {"held_connection": effect.connection, "held_instance": instance_id, "held_action": effect.action}
    return list(connection.execute(_HOLDERS, values))


def _lock(connection: Connection, name: str, ids: Collection[str]) -> None:
    """Several processes may be about to record the same id; SQLite lets one transaction write at a time anyhow."""
    if connection.dialect.name == "postgresql":
        # In order, so that two of them never wait for each other.
        connection.execute(_LOCK_INSTANCE, [{"held_name": f"{name} {one}"} for one in sorted(ids)])


def _claim(effect: EffectRecord) -> tuple[str, str, str]:
    return effect.connection, effect.action, effect.instance_id


def _not_this(effect: EffectRecord, delivery_id: int | None) -> ColumnElement[bool]:
    return or_(effects.c.delivery_id != (delivery_id or 0), effects.c.step != effect.step)


_HOLDERS = select(effects.c.delivery_id, effects.c.step, effects.c.adopted).where(
    effects.c.connection == bindparam("held_connection"),
    effects.c.instance_id == bindparam("held_instance"),
    effects.c.action == bindparam("held_action"),
)
_ALL_HOLDERS = select(effects.c.delivery_id, effects.c.step, effects.c.action, effects.c.instance_id).where(
    effects.c.connection == bindparam("held_connection"),
    effects.c.instance_id.in_(bindparam("held_instances", expanding=True)),
)
_LOCK_INSTANCE = select(func.pg_advisory_xact_lock(func.hashtext(bindparam("held_name"))))

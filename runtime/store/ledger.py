"""The ledger: which document has become what on the other side, so that no effect happens twice. Times are UTC.

A *delivery* is one generation of one document. Its *effects* are the calls that changed something, by the step that
made them. Before a call that is not safe to repeat its intent is committed, after the answer the result; whoever finds
an intent without a result must ask the other system before anything is sent again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from runtime.errors import OutcomeUnknown
from runtime.store.columns import utc_now
from runtime.store.runs import error_record
from runtime.store.tables import deliveries, effects

__all__ = [
    "RUN_SOURCES",
    "UNFINISHED",
    "Delivery",
    "DeliveryState",
    "EffectRecord",
    "EffectState",
    "TakenByAnother",
    "awaits_answer",
    "claim_instance",
    "close_delivery",
    "count_deliveries",
    "count_open_approvals",
    "end_of_source",
    "find_instance",
    "generations",
    "get_delivery",
    "holder_of",
    "latest",
    "list_deliveries",
    "mappings_with_deliveries",
    "record_outcome",
    "run_deliveries",
    "save",
]

#: Beginnings of ``source`` for whole runs; every other one is a connection's documents.
RUN_SOURCES = ("event:", "run:")
_CLOCKS = timedelta(days=1)
_STILL_UNDER_WAY = timedelta(minutes=1)
_GONE = "已不在来源的待同步之列，视为已完成 | no longer waiting in the source: taken as complete"


class TakenByAnother(Exception):
    """An id that was found by looking is recorded for another document."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    #: Under way, or interrupted: the next tick goes on after the last recorded effect.
    OPEN = "open"
    COMPLETE = "complete"
    #: It cannot be established what happened: a person decides.
    UNKNOWN = "unknown"
    #: A step was refused: the next tick tries again, after the last recorded effect.
    FAILED = "failed"
    #: A person decided what to make of the unknown; the next tick goes on from there.
    RESOLVED = "resolved"


#: The next tick goes on with a delivery in one of these states.
UNFINISHED = (DeliveryState.OPEN, DeliveryState.FAILED, DeliveryState.RESOLVED)


class EffectState(StrEnum):
    """What is known about an effect."""

    #: About to be sent, or sent; no answer is recorded.
    INTENT = "intent"
    DONE = "done"
    #: It certainly did not happen: it may be sent.
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class EffectRecord:
    """One effect of a delivery; the fields are the columns of the table."""

    step: str
    effect: str
    state: EffectState
    #: Name of the connection, and ``role.action`` without the role.
    connection: str
    action: str
    digest: str
    #: What was sent (JSON values; ready JSON as ``bytes`` when writing); of a ``create`` only while no answer is known,
    #: of an ``update`` what it wrote: ``entity``, ``key``, ``values``.
    request: Any = None
    result: Any = None
    instance_id: str = ""
    adopted: bool = False
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One generation of one document."""

    id: int
    mapping: str
    flow: str
    source: str
    document_key: str
    generation: int
    #: The key with its own type.
    document: Any
    state: DeliveryState
    connection: str
    instance_id: str
    outcome: str
    outcome_at: datetime | None
    error: Mapping[str, Any] | None
    note: str
    opened_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    #: What persons decided while it was unknown, oldest first: ``at`` (ISO 8601), ``by``, ``step``, ``decision``
    #: (``created`` or ``resend``), ``result``.
    decisions: Sequence[Mapping[str, Any]] | None = None
    #: The query that was seen not to show the document any more: if that one shows it again, it was submitted again.
    left_source: str = ""
    effects: Mapping[str, EffectRecord] = field(default_factory=dict)


def latest(
    connection: Connection, *, mapping: str, flow: str, source: str, keys: Collection[str]
) -> dict[str, Delivery]:
    """The newest generation of each of these documents, by document key, with its effects."""
    query = (
        select(deliveries)
        .where(
            deliveries.c.mapping == mapping,
            deliveries.c.flow == flow,
            deliveries.c.source == source,
            deliveries.c.document_key.in_(keys),
        )
        .order_by(deliveries.c.generation)
    )
    newest = {row["document_key"]: row for row in connection.execute(query).mappings()}
    return {one.document_key: one for one in _with_effects(connection, newest.values())}


def save(connection: Connection, delivery: Mapping[str, Any], changed: Sequence[EffectRecord]) -> int:
    """Write a delivery and those of its effects that changed; returns its id.

    :param delivery: columns of the table; with ``id`` these columns of that delivery are changed, else it is new
    """
    now = utc_now()
    delivery_id = delivery.get("id")
    if delivery_id is None:
        values = {**delivery, "opened_at": now, "updated_at": now}
        delivery_id = connection.execute(_INSERT, values).scalar_one()
    else:
        values = {name: value for name, value in delivery.items() if name != "id"}
        connection.execute(_UPDATE, {**values, "delivery_id": delivery_id, "updated_at": now})
    if changed:
        rows = [{"delivery_id": delivery_id, **vars(one)} for one in changed]
        connection.execute(_UPSERT[connection.dialect.name], rows)
    return int(delivery_id)


def close_delivery(connection: Connection, delivery_id: int, *, note: str) -> None:
    """Nothing is left to do for this delivery."""
    now = utc_now()
    values = {"state": DeliveryState.COMPLETE, "completed_at": now, "error": None, "note": note}
    save(connection, {"id": delivery_id, **values}, ())


def end_of_source(connection: Connection, *, mapping: str, flow: str, sources: Mapping[str, str], key: str) -> None:
    """The source does not show a document any more that was looked for by its key: what becomes of its delivery?

    What is known about it is complete: somebody marked, withdrew or deleted the document. A ``create`` without an
    answer is for a person to judge, because no tick comes by the document any more.

    :param sources: where it was looked for → by which query
    """
    now = utc_now()
    for source, query in sources.items():
        for one in latest(connection, mapping=mapping, flow=flow, source=source, keys=[key]).values():
            if one.state not in UNFINISHED:
                continue
            open_questions = [effect for effect in one.effects.values() if effect.state is EffectState.INTENT]
            if not open_questions:
                close_delivery(connection, one.id, note=_GONE)
                save(connection, {"id": one.id, "left_source": query}, ())
            elif all(now - effect.started_at > _STILL_UNDER_WAY for effect in open_questions):
                error = OutcomeUnknown(
                    "请求没有得到答复，而单据已不在来源的待同步之列，无法再对账",
                    "A request got no answer, and the document no longer waits in the source to be looked for",
                    where=f"{one.document_key} {open_questions[0].step}",
                )
                row = {"id": one.id, "state": DeliveryState.UNKNOWN, "error": error_record(error)}
                save(connection, row, [replace(effect, state=EffectState.UNKNOWN) for effect in open_questions])


def record_outcome(connection: Connection, delivery_id: int, outcome: str) -> None:
    """A verdict flow has carried out how the approval ended."""
    save(connection, {"id": delivery_id, "outcome": outcome, "outcome_at": utc_now()}, ())


def find_instance(connection: Connection, name: str, instance_id: str) -> Delivery | None:
    """Which delivery created this approval in the connection ``name``; None if none is known to have."""
    query = (
        select(deliveries)
        .join(effects, effects.c.delivery_id == deliveries.c.id)
        .where(effects.c.connection == name, effects.c.instance_id == instance_id)
        .order_by(deliveries.c.id.desc())
        .limit(1)
    )
    return next(iter(_with_effects(connection, connection.execute(query).mappings())), None)


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
    return _with_effects(connection, connection.execute(query).mappings())


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
    if connection.dialect.name == "postgresql":
        # SQLite lets one transaction write at a time; here several processes may be about to record the same id.
        connection.execute(_LOCK_INSTANCE, {"held_name": f"{effect.connection} {instance_id}"})
    values = {"held_connection": effect.connection, "held_instance": instance_id, "held_action": effect.action}
    return list(connection.execute(_HOLDERS, values))


def get_delivery(connection: Connection, delivery_id: int) -> Delivery | None:
    """One delivery with its effects, or None."""
    query = select(deliveries).where(deliveries.c.id == delivery_id)
    return next(iter(_with_effects(connection, connection.execute(query).mappings())), None)


def generations(connection: Connection, delivery: Delivery) -> list[Delivery]:
    """Every delivery of the same document, newest generation first, with their effects."""
    names = ("mapping", "flow", "source", "document_key")
    same = [deliveries.c[name] == getattr(delivery, name) for name in names]
    query = select(deliveries).where(*same).order_by(deliveries.c.generation.desc())
    return _with_effects(connection, connection.execute(query).mappings())


def run_deliveries(connection: Connection, *, source: str, keys: Collection[str]) -> list[Delivery]:
    """What these runs without documents did (see :data:`RUN_SOURCES`), oldest first, with their effects."""
    query = select(deliveries).where(deliveries.c.source == source, deliveries.c.document_key.in_(keys))
    return _with_effects(connection, connection.execute(query.order_by(deliveries.c.id)).mappings())


def list_deliveries(
    connection: Connection,
    *,
    states: Collection[str] = (),
    mapping: str | None = None,
    since: datetime | None = None,
    text: str = "",
    whole_runs: bool = True,
    limit: int = 100,
    offset: int = 0,
) -> list[Delivery]:
    """Last changed first, with their effects.

    :param since: changed at this moment or later
    :param text: part of a document's key or of an approval's id, in upper or lower case
    :param whole_runs: also those of runs without documents (an event's, an HTTP request's); an unknown one is listed
        in any case
    """
    query: Select[Any] = select(deliveries).order_by(deliveries.c.updated_at.desc(), deliveries.c.id.desc())
    wanted = _wanted(states=states, mapping=mapping, since=since, text=text, whole_runs=whole_runs)
    return _with_effects(connection, connection.execute(query.where(*wanted).limit(limit).offset(offset)).mappings())


def count_deliveries(
    connection: Connection,
    *,
    states: Collection[str] = (),
    mapping: str | None = None,
    since: datetime | None = None,
    text: str = "",
    whole_runs: bool = True,
) -> int:
    """How many :func:`list_deliveries` would list without a limit."""
    wanted = _wanted(states=states, mapping=mapping, since=since, text=text, whole_runs=whole_runs)
    return connection.scalar(select(func.count()).select_from(deliveries).where(*wanted)) or 0


def count_open_approvals(connection: Connection) -> int:
    """How many approvals were created and written back, and have no verdict yet."""
    waiting = (
        deliveries.c.state.in_((DeliveryState.COMPLETE, DeliveryState.RESOLVED)),
        deliveries.c.instance_id != "",
        deliveries.c.outcome == "",
    )
    return connection.scalar(select(func.count()).select_from(deliveries).where(*waiting)) or 0


def mappings_with_deliveries(connection: Connection) -> list[str]:
    """Ids of the mappings that the ledger knows, sorted; also of those that were deleted since."""
    return list(connection.scalars(select(deliveries.c.mapping).distinct().order_by(deliveries.c.mapping)))


def _not_this(effect: EffectRecord, delivery_id: int | None) -> ColumnElement[bool]:
    return or_(effects.c.delivery_id != (delivery_id or 0), effects.c.step != effect.step)


def _wanted(
    *, states: Collection[str], mapping: str | None, since: datetime | None, text: str, whole_runs: bool
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if states:
        wanted.append(deliveries.c.state.in_(states))
    if mapping is not None:
        wanted.append(deliveries.c.mapping == mapping)
    if since is not None:
        wanted.append(deliveries.c.updated_at >= since)
    if text:
        columns = (deliveries.c.document_key, deliveries.c.instance_id)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if not whole_runs:
        documents = and_(*(deliveries.c.source.not_like(f"{prefix}%") for prefix in RUN_SOURCES))
        wanted.append(or_(documents, deliveries.c.state == DeliveryState.UNKNOWN))
    return wanted


def _with_effects(connection: Connection, rows: Iterable[RowMapping]) -> list[Delivery]:
    found = list(rows)
    by_delivery: dict[int, dict[str, EffectRecord]] = defaultdict(dict)
    if found:
        query = select(effects).where(effects.c.delivery_id.in_([row["id"] for row in found]))
        for row in connection.execute(query).mappings():
            values = dict(row)
            delivery_id = values.pop("delivery_id")
            values["state"] = EffectState(values["state"])
            by_delivery[delivery_id][values["step"]] = EffectRecord(**values)
    return [Delivery(**{**row, "state": DeliveryState(row["state"])}, effects=by_delivery[row["id"]]) for row in found]


def _upsert(dialect: Any) -> Any:
    statement = dialect.insert(effects)
    changing = [column.name for column in effects.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=["delivery_id", "step"], set_={name: statement.excluded[name] for name in changing}
    )


# Built once: every document writes three times, and building statements would cost more than carrying them out.
_INSERT = insert(deliveries).returning(deliveries.c.id)
_HOLDERS = select(effects.c.delivery_id, effects.c.step, effects.c.adopted).where(
    effects.c.connection == bindparam("held_connection"),
    effects.c.instance_id == bindparam("held_instance"),
    effects.c.action == bindparam("held_action"),
)
_LOCK_INSTANCE = select(func.pg_advisory_xact_lock(func.hashtext(bindparam("held_name"))))
_UPDATE = update(deliveries).where(deliveries.c.id == bindparam("delivery_id"))
_UPSERT = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}

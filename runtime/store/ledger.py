"""The ledger: which document has become what on the other side, so that no effect happens twice. Times are UTC.

A *delivery* is one generation of one document. Its *effects* are the calls that changed something, by the step that
made them. Before a call that is not safe to repeat its intent is committed, after the answer the result; whoever finds
an intent without a result must ask the other system before anything is sent again. Before an ``update`` its values are
committed: whoever finds them in the document knows that they are our own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runtime.errors import OutcomeUnknown
from runtime.store.columns import utc_now
from runtime.store.runs import error_record
from runtime.store.tables import deliveries, effects

__all__ = [
    "REQUEST_SOURCE",
    "RUN_SOURCES",
    "UNFINISHED",
    "UPSERT_EFFECTS",
    "Delivery",
    "DeliveryState",
    "EffectRecord",
    "EffectState",
    "Trace",
    "close_delivery",
    "end_of_source",
    "end_request",
    "form_of",
    "get_delivery",
    "latest",
    "read_deliveries",
    "record_outcome",
    "request_trace",
    "save",
    "writes_into",
]

#: Beginnings of ``source`` for whole runs; every other one is a connection's documents.
RUN_SOURCES = ("event:", "run:")
#: ``source`` of requests to HTTP flows; their ``document_key`` tells one request from another.
REQUEST_SOURCE = "run:http"
_STILL_UNDER_WAY = timedelta(minutes=1)
_CORRECTED = "更正后的内容以同一编号重新发来，取代了它 | a corrected content came under the same key and took its place"
_GONE = "已不在来源的待同步之列，视为已完成 | no longer waiting in the source: taken as complete"


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

    #: A ``create`` that is about to be sent, or sent; no answer is recorded.
    INTENT = "intent"
    #: The same of an ``update``: it is repeated without asking.
    SENDING = "sending"
    DONE = "done"
    #: It certainly did not happen: it may be sent.
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Trace(StrEnum):
    """What a request to an HTTP flow left behind in the other systems, as far as the ledger shows."""

    #: No effect was tried.
    NONE = "none"
    #: Every effect that was tried was refused, or never got through.
    REFUSED = "refused"
    #: An effect may have happened: nobody has established it yet.
    OPEN = "open"
    DONE = "done"


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
    #: then its :func:`form_of`; of an ``update`` what it wrote: ``entity``, ``key``, ``values``, and as ``before`` what
    #: stood there in the row that the document was taken up with.
    request: Any = None
    #: Of an ``update``: the record that it wrote into, ``connection/entity/key``.
    target: str = ""
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
    asked = {"mapping": mapping, "flow": flow, "source": source, "keys": list(keys)}
    newest = {row["document_key"]: row for row in connection.execute(_GENERATIONS, asked).mappings()}
    return {one.document_key: one for one in read_deliveries(connection, newest.values())}


def request_trace(connection: Connection, *, mapping: str, flow: str, key: str) -> Trace:
    """What a request to an HTTP flow has done, or may have.

    :param key: its ``document_key``
    """
    found = latest(connection, mapping=mapping, flow=flow, source=REQUEST_SOURCE, keys=[key]).get(key)
    if found is None:
        return Trace.NONE
    states = {effect.state for effect in found.effects.values()}
    if found.state is DeliveryState.UNKNOWN or states - {EffectState.DONE, EffectState.ABSENT}:
        return Trace.OPEN
    if EffectState.DONE in states:
        return Trace.DONE
    return Trace.REFUSED if states else Trace.NONE


def end_request(connection: Connection, *, mapping: str, flow: str, key: str) -> None:
    """Another content took the place of a request of which nothing happened: nobody needs to look after it any more."""
    found = latest(connection, mapping=mapping, flow=flow, source=REQUEST_SOURCE, keys=[key]).get(key)
    if found is not None:
        close_delivery(connection, found.id, note=_CORRECTED)


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
        connection.execute(UPSERT_EFFECTS[connection.dialect.name], rows)
    return int(delivery_id)


def form_of(request: Any) -> dict[str, str] | None:
    """What stays of the request of a ``create``: the form, which tells whose verdict it is when somebody has to ask."""
    form = request.get("form") if isinstance(request, Mapping) else None
    return {"form": str(form)} if form else None


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


def get_delivery(connection: Connection, delivery_id: int) -> Delivery | None:
    """One delivery with its effects, or None."""
    query = select(deliveries).where(deliveries.c.id == delivery_id)
    return next(iter(read_deliveries(connection, connection.execute(query).mappings())), None)


def writes_into(connection: Connection, targets: Collection[str], *, since: datetime) -> list[EffectRecord]:
    """What any flow wrote into these records, or may have, since a moment; oldest first.

    :param targets: see :attr:`EffectRecord.target`
    """
    query = select(effects).where(
        effects.c.target.in_(targets),
        effects.c.target != "",
        effects.c.state.in_((EffectState.SENDING, EffectState.DONE)),
        # One that began before may have waited for its turn, and got through after.
        or_(effects.c.started_at >= since, effects.c.finished_at >= since),
    )
    return [_effect(row) for row in connection.execute(query.order_by(effects.c.started_at)).mappings()]


def read_deliveries(connection: Connection, rows: Iterable[RowMapping]) -> list[Delivery]:
    """Rows of the table as deliveries with their effects."""
    found = list(rows)
    by_delivery: dict[int, dict[str, EffectRecord]] = defaultdict(dict)
    if found:
        query = select(effects).where(effects.c.delivery_id.in_([row["id"] for row in found]))
        for row in connection.execute(query).mappings():
            by_delivery[row["delivery_id"]][row["step"]] = _effect(row)
    return [Delivery(**{**row, "state": DeliveryState(row["state"])}, effects=by_delivery[row["id"]]) for row in found]


def _effect(row: RowMapping) -> EffectRecord:
    values = {**row, "state": EffectState(row["state"])}
    del values["delivery_id"]
    return EffectRecord(**values)


def _upsert(dialect: Any) -> Any:
    statement = dialect.insert(effects)
    changing = [column.name for column in effects.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=["delivery_id", "step"], set_={name: statement.excluded[name] for name in changing}
    )


# Built once: building statements would cost more than carrying them out.
_GENERATIONS = (
    select(deliveries)
    .where(
        *(deliveries.c[name] == bindparam(name) for name in ("mapping", "flow", "source")),
        deliveries.c.document_key.in_(bindparam("keys", expanding=True)),
    )
    .order_by(deliveries.c.generation)
)
_INSERT = insert(deliveries).returning(deliveries.c.id)
_UPDATE = update(deliveries).where(deliveries.c.id == bindparam("delivery_id"))
#: By dialect: effects (with ``delivery_id``) as they are now, whether they are there already or not.
UPSERT_EFFECTS = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}

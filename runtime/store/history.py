"""Everything that is known of one delivery, put together from ledger, inbox and run records. Times are UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Text, and_, exists, or_, select, type_coerce

from runtime.store.columns import utc_now
from runtime.store.inbox import InboxEvent, ledger_key, list_events
from runtime.store.ledger import Delivery, get_delivery
from runtime.store.listings import generations, run_deliveries
from runtime.store.runs import RunInfo, get_run
from runtime.store.tables import run_documents, runs

__all__ = ["History", "history"]

#: A run may have been going on for so long when it comes to a document.
_LONGEST_RUN = timedelta(hours=24)
#: A run's record may be queued so long before, or an event's run begin so long after, what the ledger says.
_MARGIN = timedelta(hours=1)
_MOST_RUNS = 50


@dataclass(frozen=True, kw_only=True)
class History:
    """One delivery and what surrounds it."""

    delivery: Delivery
    #: Of the same document, newest first, this one among them.
    generations: Sequence[Delivery]
    #: What the events of its approval did, oldest first: the verdict's write-back is recorded there.
    verdicts: Sequence[Delivery]
    #: Events of its approval, oldest first.
    events: Sequence[InboxEvent]
    #: Runs that took the document up or carried out an event of its approval, newest first.
    runs: Sequence[RunInfo]


def history(connection: Connection, delivery_id: int) -> History | None:
    """Everything about a delivery, or None if the ledger has none of this id."""
    delivery = get_delivery(connection, delivery_id)
    if delivery is None:
        return None
    events: list[InboxEvent] = []
    if delivery.instance_id:
        found = list_events(connection, name=delivery.connection, instance_id=delivery.instance_id)
        events = list(reversed(found))
    keys = {key for item in events for key in (item.event.key, ledger_key(item.event))}
    return History(
        delivery=delivery,
        generations=generations(connection, delivery),
        verdicts=run_deliveries(connection, source=f"event:{delivery.connection}", keys=keys) if keys else [],
        events=events,
        runs=_runs(connection, delivery),
    )


def _runs(connection: Connection, delivery: Delivery) -> list[RunInfo]:
    """Found within the time in which they can have been: the records of documents have no index of their own."""
    until = (delivery.outcome_at or utc_now()) + _MARGIN
    took_up = and_(
        runs.c.flow == delivery.flow,
        runs.c.queued_at <= delivery.updated_at + _MARGIN,
        exists().where(run_documents.c.run_id == runs.c.id, run_documents.c.document == delivery.document_key),
    )
    touched = took_up
    if delivery.instance_id:
        of_event = and_(
            runs.c.cause == "event", type_coerce(runs.c.request, Text).contains(delivery.instance_id, autoescape=True)
        )
        touched = or_(took_up, of_event)
    query = (
        select(runs.c.id)
        .where(
            runs.c.mapping == delivery.mapping,
            runs.c.queued_at >= delivery.opened_at - _LONGEST_RUN,
            runs.c.queued_at <= until,
            touched,
        )
        .order_by(runs.c.queued_at.desc())
        .limit(_MOST_RUNS)
    )
    return [run for run_id in connection.scalars(query).all() if (run := get_run(connection, run_id)) is not None]

"""The inbox: every verified event is stored before it is acknowledged, and worked off afterwards. Times are UTC."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runtime.connectors.events import Event, Outcome
from runtime.errors import IntegrationError
from runtime.store.columns import utc_now
from runtime.store.ledger import DeliveryState
from runtime.store.runs import error_record
from runtime.store.tables import deliveries, inbox

__all__ = [
    "BY_HAND",
    "REPORTED",
    "STATES",
    "InboxEvent",
    "claim_events",
    "connections_with_events",
    "count_events",
    "delete_events",
    "event_done",
    "event_failed",
    "event_of",
    "find_by_ledger_key",
    "insert_event",
    "insert_polled",
    "ledger_key",
    "list_events",
    "old_events",
    "release_events",
    "retry_event",
    "retry_failed_events",
    "verdict_key",
]


_FINISHED = "approval.finished"
#: Begins the type of an event that an HTTP flow was called with; the flow's name follows.
REPORTED = "http "
#: All states of an event.
STATES = ("new", "working", "done", "failed")
#: Note of an event that a person has tried again.
BY_HAND = "由人重试 | tried again by hand"
#: What makes an event unique.
_KEY = ["connection", "event_key"]
_UNFINISHED = (DeliveryState.OPEN, DeliveryState.FAILED, DeliveryState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class InboxEvent:
    """A stored event; ``state`` is ``new working done failed``."""

    id: int
    connection: str
    event: Event
    state: str
    #: How often it was taken up so far.
    attempts: int
    received_at: datetime
    #: When a failed one is tried again; None = only by hand.
    next_attempt_at: datetime | None
    finished_at: datetime | None
    #: See :func:`~runtime.store.runs.error_record`.
    error: Mapping[str, Any] | None
    note: str


def insert_event(connection: Connection, name: str, event: Event) -> bool:
    """Store an event of the connection ``name``; False if it is a redelivery of one that is here already."""
    statement = _insert(connection, name, event).on_conflict_do_nothing(index_elements=_KEY)
    return connection.execute(statement.returning(inbox.c.id)).first() is not None


def insert_polled(connection: Connection, name: str, event: Event) -> bool:
    """Store an event that was found by asking; False if its approval has an event of this type on the way already.

    One that was carried out without recording a verdict (no flow wanted it at that time) is carried out again. One that
    was given up and reports another outcome is on the way no more: the approval did not confirm it.
    """
    unfinished = select(inbox).where(
        inbox.c.connection == name,
        inbox.c.instance_id == event.instance_id,
        or_(inbox.c.type == event.type, inbox.c.type.startswith(REPORTED, autoescape=True)),
        inbox.c.state != "done",
    )
    for item in map(event_of, connection.execute(unfinished)):
        if not _given_up(item) or item.event.outcome == event.outcome:
            return False
    statement = _insert(connection, name, event).on_conflict_do_update(
        index_elements=_KEY, set_={"state": "new", "attempts": 0, "finished_at": None, "note": ""}
    )
    connection.execute(statement)
    return True


def ledger_key(event: Event) -> str:
    """The document key under which the ledger keeps what an event's run did.

    An approval ends once: its verdict has one place in the ledger, however often and in whichever way it arrives. Only
    where reports say that it came to an outcome anew (see :class:`~runtime.store.reports.Turn`) is there one for each.
    """
    ends = event.type == _FINISHED or event.type.startswith(REPORTED)
    if ends and event.instance_id and event.outcome is not None:
        turn = event.raw.get("turn", 1) if event.type.startswith(REPORTED) else 1
        return verdict_key(event.instance_id, event.outcome, turn)
    return event.key


def verdict_key(instance_id: str, outcome: Outcome, turn: int) -> str:
    """The :func:`ledger_key` of an approval that came to an outcome for the ``turn``-th time."""
    return f"{_FINISHED} {instance_id} {outcome}" + (f" #{turn}" if turn > 1 else "")


def find_by_ledger_key(connection: Connection, name: str, key: str) -> list[int]:
    """Ids of the stored events of the connection ``name`` that have this :func:`ledger_key`."""
    instance = " ".join(re.sub(r" #\d+$", "", key).split(" ")[1:-1])
    query = select(inbox).where(
        inbox.c.connection == name, or_(inbox.c.event_key == key, inbox.c.instance_id == instance)
    )
    found = [event_of(row) for row in connection.execute(query)]
    return [item.id for item in found if key in (item.event.key, ledger_key(item.event))]


def claim_events(connection: Connection, *, limit: int = 16) -> list[InboxEvent]:
    """Take the oldest events that are due; nobody else gets them until they are done, failed or released."""
    now = utc_now()
    query = (
        select(inbox)
        .where(or_(inbox.c.state == "new", (inbox.c.state == "failed") & (inbox.c.next_attempt_at <= now)))
        .order_by(inbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    if rows:
        ids = [row.id for row in rows]
        connection.execute(
            update(inbox).where(inbox.c.id.in_(ids)).values(state="working", attempts=inbox.c.attempts + 1)
        )
    return [event_of(row, attempts=row.attempts + 1, state="working") for row in rows]


def event_done(connection: Connection, event_id: int, *, note: str = "") -> None:
    """Carried out, or nothing to do (``note`` says why)."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == event_id)
        .values(state="done", finished_at=utc_now(), next_attempt_at=None, error=None, note=note)
    )


def event_failed(
    connection: Connection, event_id: int, *, error: IntegrationError, next_attempt_at: datetime | None
) -> None:
    """Not carried out; it stays, and is tried again at ``next_attempt_at`` (None = only by hand)."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == event_id)
        .values(state="failed", next_attempt_at=next_attempt_at, error=error_record(error))
    )


def retry_event(connection: Connection, event_id: int) -> bool:
    """By hand: have a failed event tried again now; False if it is not a failed one."""
    return bool(
        connection.execute(
            update(inbox)
            .where(inbox.c.id == event_id, inbox.c.state == "failed")
            .values(state="new", next_attempt_at=None, note=BY_HAND)
        ).rowcount
    )


def retry_failed_events(connection: Connection) -> int:
    """By hand: have every failed event tried again now; returns how many."""
    failed = update(inbox).where(inbox.c.state == "failed")
    return connection.execute(failed.values(state="new", next_attempt_at=None)).rowcount


def release_events(connection: Connection) -> int:
    """Events that were being worked on when the process died are due again; returns how many.

    Call it once after claiming the state.
    """
    return connection.execute(update(inbox).where(inbox.c.state == "working").values(state="new")).rowcount


def list_events(
    connection: Connection,
    *,
    states: Collection[str] = (),
    name: str | None = None,
    instance_id: str | None = None,
    by_hand: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> list[InboxEvent]:
    """Newest first.

    :param name: of this connection only
    :param instance_id: of this approval only
    :param by_hand: only failed ones that are not tried again by themselves
    """
    query = select(inbox).order_by(inbox.c.id.desc()).limit(limit).offset(offset)
    if states:
        query = query.where(inbox.c.state.in_(states))
    if name is not None:
        query = query.where(inbox.c.connection == name)
    if instance_id is not None:
        query = query.where(inbox.c.instance_id == instance_id)
    if by_hand:
        query = query.where(inbox.c.state == "failed", inbox.c.next_attempt_at.is_(None))
    return [event_of(row) for row in connection.execute(query)]


def connections_with_events(connection: Connection) -> list[str]:
    """Names of the connections that events are stored of, sorted; also of those that were deleted since."""
    return list(connection.scalars(select(inbox.c.connection).distinct().order_by(inbox.c.connection)))


def count_events(connection: Connection, *, states: Collection[str]) -> int:
    """How many events are in one of these states."""
    return connection.scalar(select(func.count()).select_from(inbox).where(inbox.c.state.in_(states))) or 0


def old_events(connection: Connection, *, before: datetime, after: int = 0, limit: int = 200) -> list[int]:
    """Ids of events that were carried out before a moment and whose approval, if they belong to one that the ledger
    knows, is over; ascending.

    Choose the moment well beyond the time in which the other system redelivers: a forgotten event would count as new.

    :param after: only ids above this one
    """
    still_open = exists().where(
        deliveries.c.connection == inbox.c.connection,
        deliveries.c.instance_id == inbox.c.instance_id,
        deliveries.c.instance_id != "",
        or_(deliveries.c.outcome == "", deliveries.c.state.in_(_UNFINISHED)),
    )
    query = select(inbox.c.id).where(
        inbox.c.id > after, inbox.c.state == "done", inbox.c.finished_at < before, ~still_open
    )
    return list(connection.scalars(query.order_by(inbox.c.id).limit(limit)))


def delete_events(connection: Connection, *, ids: Collection[int]) -> int:
    """Forget these events, as far as they are carried out; returns how many went."""
    return connection.execute(delete(inbox).where(inbox.c.id.in_(ids), inbox.c.state == "done")).rowcount


def _given_up(item: InboxEvent) -> bool:
    return item.state == "failed" and item.next_attempt_at is None


def _insert(connection: Connection, name: str, event: Event) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(inbox).values(
        connection=name,
        event_key=event.key,
        type=event.type,
        instance_id=event.instance_id,
        form=event.form,
        event=_dump(event),
        state="new",
        received_at=utc_now(),
    )


def _dump(event: Event) -> dict[str, Any]:
    return {**{field.name: getattr(event, field.name) for field in fields(event)}, "raw": dict(event.raw)}


def event_of(row: Row[Any], **changed: Any) -> InboxEvent:
    """A row of the inbox."""
    stored = dict(row.event)
    if stored["outcome"] is not None:
        stored["outcome"] = Outcome(stored["outcome"])
    if stored["finished_at"] is not None:
        stored["finished_at"] = datetime.fromisoformat(stored["finished_at"])
    values = {
        "id": row.id,
        "connection": row.connection,
        "event": Event(**stored),
        "state": row.state,
        "attempts": row.attempts,
        "received_at": row.received_at,
        "next_attempt_at": row.next_attempt_at,
        "finished_at": row.finished_at,
        "error": row.error,
        "note": row.note,
    }
    return InboxEvent(**{**values, **changed})

"""Reports: what HTTP flows were called with about an approval, and which of several stands. Times are UTC."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from sqlalchemy import ColumnElement, Connection, select, update

from runtime.connectors.events import Event, Outcome
from runtime.store.columns import utc_now
from runtime.store.inbox import REPORTED, InboxEvent, event_of, insert_event, verdict_key
from runtime.store.ledger import DeliveryState
from runtime.store.tables import deliveries, inbox

__all__ = ["REFUSED", "Report", "Turn", "earlier_reports", "insert_report", "replace_earlier", "turn_of"]

#: Type of the error of a report that was not believed: nothing of it was written.
REFUSED = "CallbackRejected"
#: Note of a report in whose place another one came before it was carried out.
_REPLACED = "同一审批的后一次报告取代了它 | replaced by a later report on the same approval"


@dataclass(frozen=True, kw_only=True)
class Report:
    """An earlier report on the same approval."""

    outcome: Outcome | None
    #: The key that the request is known by, and the hash of its content.
    key: str
    digest: str
    turn: int
    #: An earlier one said otherwise.
    changes: bool = False
    #: When it was decided, if the other system says so.
    decided_at: datetime | None = None
    #: It was not believed, and nothing of it written.
    refused: bool = False
    #: Only its effect is known any more, neither its words nor its key.
    forgotten: bool = False


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a report is among those on the same approval.

    A verdict may change: agreed, sent back and refused, agreed once more. Each time that it comes to an outcome anew is
    a turn of that outcome; reports of the same turn are repetitions, and have one effect.
    """

    number: int = 1
    #: The one that stands says otherwise.
    changes: bool = False
    #: A report just like it, as far as is known, came before the one that stands: whether it is that one, delivered
    #: again, or a new verdict in the same words cannot be told.
    doubtful: bool = False
    #: A later one stands.
    outdated: bool = False


def turn_of(
    earlier: Sequence[Report], outcome: Outcome | None, digest: str, *, decided_at: datetime | None, key: str | None
) -> Turn:
    """Judge a report.

    :param earlier: in the order in which they took effect
    :param digest: hash of the request
    :param decided_at: what it says itself about when it was decided
    :param key: that it brings, and by which it is told from every other one, in whatever words; None = it brings none
    """
    believed = [report for report in earlier if not report.refused]
    turns = [report.turn for report in believed if report.outcome == outcome]
    if not believed:
        return Turn()
    stands = believed[-1]
    if stands.outcome == outcome:
        return Turn(number=stands.turn, changes=stands.changes)
    same = [report for report in believed if (report.digest == digest if key is None else report.key == key)]
    older = newer = False
    if decided_at is not None and stands.decided_at is not None:
        older, newer = decided_at < stands.decided_at, decided_at > stands.decided_at
    if older or (key is not None and same):
        return Turn(number=same[-1].turn if same else 1, changes=True, outdated=True)
    # One that was forgotten may have had these words, and this key, unless this one was certainly decided later.
    forgotten = any(report.forgotten and report.outcome == outcome for report in believed)
    return Turn(number=max(turns, default=0) + 1, changes=True, doubtful=bool(same) or (forgotten and not newer))


def earlier_reports(connection: Connection, name: str, event: Event) -> list[Report]:
    """The reports on the approval of an event, of the same flow, in the order in which they took effect.

    Reports are forgotten after a while, the ledger is not: those that had an effect are known from there.
    """
    rows = [event_of(row) for row in connection.execute(select(inbox).where(*_same(name, event)))]
    kept = [_report(item) for item in sorted(rows, key=_place)]
    return [*_forgotten(connection, name, event, {(one.outcome, one.turn) for one in kept}), *kept]


def _forgotten(
    connection: Connection, name: str, event: Event, kept: Collection[tuple[Outcome | None, int]]
) -> list[Report]:
    found: list[tuple[datetime, Outcome, int]] = []
    for turn in count(1):
        places = {verdict_key(event.instance_id, outcome, turn): outcome for outcome in Outcome}
        query = select(deliveries.c.document_key, deliveries.c.completed_at, deliveries.c.updated_at).where(
            deliveries.c.mapping == event.form,
            deliveries.c.flow == event.type.removeprefix(REPORTED),
            deliveries.c.source == f"event:{name}",
            deliveries.c.document_key.in_(places),
            deliveries.c.state == DeliveryState.COMPLETE,
        )
        rows = connection.execute(query).all()
        if not rows:
            break
        found += [(row.completed_at or row.updated_at, places[row.document_key], turn) for row in rows]
    gone = [one for one in sorted(found) if one[1:] not in kept]
    return [
        Report(outcome=outcome, key="", digest="", turn=turn, changes=place > 0, forgotten=True)
        for place, (_, outcome, turn) in enumerate(gone)
    ]


def insert_report(connection: Connection, name: str, event: Event) -> None:
    """Store what an HTTP flow was called with, or have it carried out again at once if it is here already: it is given
    as much time as a new one."""
    known = (inbox.c.connection == name) & (inbox.c.event_key == event.key)
    if not insert_event(connection, name, event):
        again = update(inbox).where(known, inbox.c.state.in_(("done", "failed")))
        connection.execute(again.values(state="new", next_attempt_at=None, received_at=utc_now()))


def replace_earlier(connection: Connection, item: InboxEvent) -> None:
    """A report stands: what was not carried out of earlier ones on the same approval is dropped."""
    waiting = update(inbox).where(
        *_same(item.connection, item.event), inbox.c.id < item.id, inbox.c.state.in_(("new", "failed"))
    )
    dropped = {"state": "done", "finished_at": utc_now(), "next_attempt_at": None, "error": None, "note": _REPLACED}
    connection.execute(waiting.values(**dropped))


def _same(name: str, event: Event) -> tuple[ColumnElement[bool], ...]:
    return (
        inbox.c.connection == name,
        inbox.c.instance_id == event.instance_id,
        inbox.c.type == event.type,
        inbox.c.form == event.form,
    )


def _place(item: InboxEvent) -> tuple[bool, datetime, int]:
    """What is not finished takes effect after all that is; the others in the order in which they were finished."""
    finished = item.finished_at if item.state == "done" else None
    return finished is None, finished or item.received_at, item.id


def _report(item: InboxEvent) -> Report:
    raw = item.event.raw
    failed_for_good = item.state == "failed" and item.next_attempt_at is None
    return Report(
        outcome=item.event.outcome,
        key=raw["key"]["key"],
        digest=raw["key"]["digest"],
        turn=raw.get("turn", 1),
        changes=raw.get("changes", False),
        decided_at=item.event.finished_at,
        refused=failed_for_good and (item.error or {}).get("type") == REFUSED,
    )

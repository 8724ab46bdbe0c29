"""A delivery in words for people: where it stands, and what happened when; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runtime.connectors.actions import Effect
from runtime.store.history import History
from runtime.store.inbox import InboxEvent
from runtime.store.ledger import RUN_SOURCES, Delivery, DeliveryState, EffectRecord, EffectState

__all__ = ["Moment", "document_of", "one_language", "step_note", "timeline", "verdict"]

_HAPPENED = {Effect.CREATE: "created", Effect.UPDATE: "updated"}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line of a delivery's history."""

    #: UTC.
    at: datetime
    #: Key of the sentence: ``opened intent created updated adopted absent unknown event verdict decided completed``.
    kind: str
    #: Step, type of the event, or what was decided.
    what: str = ""
    #: ``connection.action``, or the connection.
    where: str = ""
    #: Id of an approval, outcome, or who decided.
    detail: str = ""


def document_of(delivery: Delivery) -> str:
    """What a person knows the document by: its key, and for a whole run the approval that its event told of."""
    if delivery.source.startswith(RUN_SOURCES):
        return f"{delivery.flow}: {delivery.document_key}"
    return delivery.document_key


def verdict(delivery: Delivery) -> str:
    """``agreed refused withdrawn``, ``waiting`` for the approver, or empty: nothing to wait for (yet)."""
    if delivery.outcome:
        return delivery.outcome
    waits = delivery.state in (DeliveryState.COMPLETE, DeliveryState.RESOLVED) and delivery.instance_id
    return "waiting" if waits else ""


def one_language(note: str, language: str) -> str:
    """A note of the ledger, written as ``Chinese | English``, in one of the two."""
    chinese, bar, english = note.partition(" | ")
    return english if bar and not language.startswith("zh") else chinese


def step_note(effect: EffectRecord) -> str:
    """``connection.action`` of an effect."""
    return f"{effect.connection}.{effect.action}"


def timeline(told: History) -> list[Moment]:
    """What happened to the document in this generation, oldest first."""
    moments = [*_delivery(told.delivery), *_events(told.events)]
    for run in told.verdicts:
        moments.extend(_effects(run))
    return sorted(moments, key=lambda moment: moment.at)


def _delivery(delivery: Delivery) -> Iterator[Moment]:
    # A delivery is first recorded together with its first effect, which began a moment before.
    opened = min([delivery.opened_at, *(effect.started_at for effect in delivery.effects.values())])
    yield Moment(at=opened, kind="opened", where=delivery.source)
    yield from _effects(delivery)
    for decision in delivery.decisions or ():
        yield _decision(decision)
    if delivery.completed_at is not None:
        yield Moment(at=delivery.completed_at, kind="completed", detail=delivery.instance_id)
    if delivery.outcome_at is not None:
        yield Moment(at=delivery.outcome_at, kind="verdict", detail=delivery.outcome)


def _effects(delivery: Delivery) -> Iterator[Moment]:
    for effect in delivery.effects.values():
        place = {"what": effect.step, "where": step_note(effect)}
        # An update is simply repeated until it succeeds: its beginning is not worth a line of its own.
        if effect.effect == Effect.CREATE:
            yield Moment(at=effect.started_at, kind="intent", **place)
        if effect.state in (EffectState.INTENT, EffectState.SENDING):
            continue
        kind = str(effect.state)
        if effect.state is EffectState.DONE:
            kind = "adopted" if effect.adopted else _HAPPENED[Effect(effect.effect)]
        yield Moment(at=effect.finished_at or delivery.updated_at, kind=kind, detail=effect.instance_id, **place)


def _decision(decision: Any) -> Moment:
    return Moment(
        at=datetime.fromisoformat(decision["at"]),
        kind=f"decided.{decision['decision']}",
        what=decision["step"],
        detail=decision["by"],
    )


def _events(events: Any) -> Iterator[Moment]:
    item: InboxEvent
    for item in events:
        outcome = item.event.outcome or ""
        yield Moment(
            at=item.received_at, kind="event", what=item.event.type, where=item.connection, detail=str(outcome)
        )

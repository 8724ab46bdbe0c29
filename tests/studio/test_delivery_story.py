"""A delivery in words: what it is called, what it waits for, what happened in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.connectors.events import Event, Outcome
from runtime.store.history import History
from runtime.store.inbox import InboxEvent
from runtime.store.ledger import Delivery, DeliveryState, EffectRecord, EffectState
from studio.deliveries.story import document_of, one_language, timeline, verdict

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def delivery(*effects: EffectRecord, **changes: Any) -> Delivery:
    values = {
        "id": 1, "mapping": "m", "flow": "submit", "source": "erp/Drafts", "document_key": "12", "generation": 1,
        "document": 12, "state": DeliveryState.COMPLETE, "connection": "oa", "instance_id": "p1", "outcome": "",
        "outcome_at": None, "error": None, "note": "", "opened_at": NOW, "updated_at": NOW, "completed_at": None,
        "effects": {effect.step: effect for effect in effects},
    }  # fmt: skip
    return Delivery(**(values | changes))


def effect(step: str, after: int, **changes: Any) -> EffectRecord:
    begun = NOW + timedelta(seconds=after)
    values = {
        "step": step, "effect": "create", "state": EffectState.DONE, "connection": "oa", "action": "create_approval",
        "digest": "", "started_at": begun, "finished_at": begun + timedelta(seconds=1), "instance_id": "p1",
    }  # fmt: skip
    return EffectRecord(**(values | changes))


def told(one: Delivery, *verdicts: Delivery, events: tuple[InboxEvent, ...] = ()) -> History:
    return History(delivery=one, generations=[one], verdicts=verdicts, events=events, runs=[])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "waiting"),
        ({"state": DeliveryState.RESOLVED}, "waiting"),
        ({"outcome": "refused"}, "refused"),
        ({"state": DeliveryState.OPEN}, ""),
        ({"instance_id": ""}, ""),
    ],
)
def test_what_an_approval_waits_for(changes: dict[str, Any], expected: str) -> None:
    assert verdict(delivery(**changes)) == expected


def test_a_whole_run_is_called_by_its_flow() -> None:
    assert document_of(delivery()) == "12"
    assert document_of(delivery(source="event:oa", flow="verdict", document_key="e1")) == "verdict: e1"


def test_a_note_speaks_one_language() -> None:
    assert one_language("中文 | English", "zh-CN") == "中文"
    assert one_language("中文 | English", "en") == "English"
    assert one_language("m/verdict", "en") == "m/verdict"


def test_the_story_is_told_in_order_from_the_first_look_to_the_verdict() -> None:
    update = effect("erp.update", 3, effect="update", connection="erp", action="update", instance_id="")
    one = delivery(
        effect("approval", -1),
        update,
        completed_at=NOW + timedelta(seconds=5),
        outcome="agreed",
        outcome_at=NOW + timedelta(seconds=30),
    )
    event = Event(key="e1", type="approval.finished", instance_id="p1", outcome=Outcome.AGREED)
    item = InboxEvent(
        id=1, connection="oa", event=event, state="done", attempts=1, received_at=NOW + timedelta(seconds=20),
        next_attempt_at=None, finished_at=None, error=None, note="",
    )  # fmt: skip
    decide = effect("erp.decide", 25, effect="update", connection="erp", action="decide", instance_id="")
    verdicts = delivery(decide, source="event:oa", flow="verdict", document_key="e1")

    moments = timeline(told(one, verdicts, events=(item,)))

    assert [moment.kind for moment in moments] == [
        "opened", "intent", "created", "updated", "completed", "event", "updated", "verdict",
    ]  # fmt: skip
    assert moments[0].at == NOW - timedelta(seconds=1)
    assert (moments[2].where, moments[2].detail) == ("oa.create_approval", "p1")
    assert moments[5].detail == "agreed"


def test_open_questions_and_decisions_are_part_of_the_story() -> None:
    lost = effect("approval", 0, state=EffectState.UNKNOWN, finished_at=None)
    one = delivery(lost, updated_at=NOW + timedelta(seconds=9), state=DeliveryState.UNKNOWN)
    assert [moment.kind for moment in timeline(told(one))] == ["opened", "intent", "unknown"]
    sent = replace(lost, state=EffectState.INTENT)
    assert [moment.kind for moment in timeline(told(delivery(sent)))] == ["opened", "intent"]
    adopted = replace(lost, state=EffectState.DONE, adopted=True, finished_at=NOW + timedelta(seconds=21))
    decision = {"at": (NOW + timedelta(seconds=20)).isoformat(), "by": "王工", "step": "approval",
                "decision": "created", "result": {"instance_id": "p1"}}  # fmt: skip
    decided = timeline(told(delivery(adopted, decisions=[decision])))
    assert [moment.kind for moment in decided] == ["opened", "intent", "decided.created", "adopted"]
    assert decided[2].detail == "王工"

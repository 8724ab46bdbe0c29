"""Finding deliveries by what a person knows of them, counting them, and putting one's history together."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from runtime.connectors.events import Event, Outcome
from runtime.store import inbox, ledger, listings, runs
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.history import history
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState
from runtime.store.resolution import resolve_resend


@pytest.fixture
def unique() -> str:
    """PostgreSQL is shared by the tests of a session."""
    return os.urandom(4).hex()


def effect(step: str = "approval", **changes: Any) -> EffectRecord:
    values = {
        "step": step, "effect": "create", "state": EffectState.DONE, "connection": "oa", "action": "create_approval",
        "digest": "", "started_at": utc_now(), "finished_at": utc_now(),
    }  # fmt: skip
    return EffectRecord(**(values | changes))


def deliver(db: Database, mapping: str, key: str, *effects: EffectRecord, **changes: Any) -> int:
    row = {
        "mapping": mapping, "flow": "submit", "source": "erp/Drafts", "document_key": key, "document": key,
        "generation": 1, "state": DeliveryState.COMPLETE, "completed_at": utc_now(),
    }  # fmt: skip
    return db.write(lambda connection: ledger.save(connection, row | changes, effects))


def test_deliveries_are_found_by_key_instance_state_and_time(db, unique) -> None:
    deliver(db, unique, "A-1", instance_id="proc_1")
    deliver(db, unique, "A-2", instance_id="procX1", state=DeliveryState.FAILED)
    deliver(db, unique, "evt", source="event:oa")
    stuck = deliver(db, unique, "evt2", source="event:oa", state=DeliveryState.UNKNOWN)

    def keys(**wanted: Any) -> list[str]:
        found = db.read(lambda c: listings.list_deliveries(c, mapping=unique, **wanted))
        assert db.read(lambda c: listings.count_deliveries(c, mapping=unique, **wanted)) == len(found)
        return sorted(one.document_key for one in found)

    assert keys() == ["A-1", "A-2", "evt", "evt2"]
    assert keys(whole_runs=False) == ["A-1", "A-2", "evt2"]
    assert keys(text="a-1") == ["A-1"]
    assert keys(text="A-") == ["A-1", "A-2"]
    assert keys(text="proc_") == ["A-1"]
    assert keys(states=["failed", "unknown"]) == ["A-2", "evt2"]
    assert keys(since=utc_now() + timedelta(minutes=1)) == []
    assert len(db.read(lambda c: listings.list_deliveries(c, mapping=unique, limit=1, offset=1))) == 1
    assert db.read(lambda c: ledger.get_delivery(c, stuck)).state is DeliveryState.UNKNOWN
    assert db.read(lambda c: ledger.get_delivery(c, 10**9)) is None
    assert unique in db.read(listings.mappings_with_deliveries)


def test_what_waits_is_counted_without_loading_it(sqlite_db) -> None:
    deliver(sqlite_db, "m", "1", instance_id="p1")
    deliver(sqlite_db, "m", "2", instance_id="p2", outcome="agreed")
    deliver(sqlite_db, "m", "3")
    deliver(sqlite_db, "m", "4", instance_id="p4", state=DeliveryState.OPEN)
    assert sqlite_db.read(listings.count_open_approvals) == 1
    event = Event(key="k", type="approval.finished", instance_id="p1")
    sqlite_db.write(lambda c: inbox.insert_event(c, "oa", event))
    assert sqlite_db.read(lambda c: inbox.count_events(c, states=["new"])) == 1
    assert sqlite_db.read(lambda c: inbox.count_events(c, states=["failed"])) == 0
    assert sqlite_db.read(lambda c: inbox.list_events(c, instance_id="p2")) == []


def test_a_history_holds_generations_effects_events_verdict_and_runs(db, unique) -> None:
    instance = f"proc-{unique}"
    deliver(db, unique, "12", effect(instance_id="old"), connection="oa", instance_id="old")
    second = deliver(
        db, unique, "12", effect(instance_id=instance), generation=2, connection="oa", instance_id=instance
    )
    deliver(db, unique, "13")
    event = Event(key=f"e-{unique}", type="approval.finished", instance_id=instance, outcome=Outcome.AGREED)
    db.write(lambda c: inbox.insert_event(c, "oa", event))
    decided = effect("erp.decide", effect="update", connection="erp", action="decide")
    deliver(db, unique, inbox.ledger_key(event), decided, flow="verdict", source="event:oa")
    row = {
        "position": 1, "state": "done", "started_at": utc_now(), "elapsed_ms": 1, "error": None, "note": "",
        "steps": b"[]",
    }  # fmt: skip
    for name, key in (("took", "12"), ("other", "13")):
        run_id = f"{name}-{unique}"
        db.write(lambda c, r=run_id: runs.start_run(c, r, mapping=unique, flow="submit", cause="schedule", request={}))
        db.write(lambda c, r=run_id, k=key: runs.add_documents(c, [{**row, "run_id": r, "document": k}]))
    request = {"event": {"key": event.key, "instance_id": instance}}
    db.write(
        lambda c: runs.start_run(c, f"event-{unique}", mapping=unique, flow="verdict", cause="event", request=request)
    )

    told = db.read(lambda c: history(c, second))

    assert told is not None
    assert told.delivery.effects["approval"].instance_id == instance
    assert [one.generation for one in told.generations] == [2, 1]
    assert [item.event.outcome for item in told.events] == [Outcome.AGREED]
    assert [list(one.effects) for one in told.verdicts] == [["erp.decide"]]
    assert sorted(run.id for run in told.runs) == [f"event-{unique}", f"took-{unique}"]


def test_a_delivery_without_an_approval_has_no_events(sqlite_db) -> None:
    event = Event(key="k", type="contact.changed")
    sqlite_db.write(lambda c: inbox.insert_event(c, "oa", event))
    told = sqlite_db.read(lambda c: history(c, 1))
    assert told is None
    lonely = deliver(sqlite_db, "m", "1")
    told = sqlite_db.read(lambda c: history(c, lonely))
    assert told is not None
    assert (told.events, told.verdicts, told.runs) == ([], [], [])


def test_a_decision_about_an_events_run_has_the_event_carried_out_again(db, unique) -> None:
    name = f"oa-{unique}"
    verdict = Event(key=f"v-{unique}", type="approval.finished", instance_id="p 1", outcome=Outcome.REFUSED)
    other = Event(key=f"o-{unique}", type="approval.finished", instance_id="p 1", outcome=Outcome.AGREED)
    own_type = Event(key=f"t {unique}", type="dingtalk.contact")
    for one in (verdict, other, own_type):
        db.write(lambda c, one=one: inbox.insert_event(c, name, one))
    stored = {item.event.key: item.id for item in db.read(lambda c: inbox.list_events(c, name=name))}
    for event_id in stored.values():
        db.write(lambda c, event_id=event_id: inbox.event_done(c, event_id))
    lost = effect("oa.comment", state=EffectState.UNKNOWN, connection=name, action="comment", finished_at=None)
    for repeated in (verdict, own_type):
        run = deliver(
            db, unique, inbox.ledger_key(repeated), lost, flow="verdict", source=f"event:{name}",
            state=DeliveryState.UNKNOWN, completed_at=None,
        )  # fmt: skip
        db.write(lambda c, run=run: resolve_resend(c, run, by="w"))
        waiting = db.read(lambda c: inbox.list_events(c, name=name, states=["new"]))
        assert [item.event.key for item in waiting] == [repeated.key]
        db.write(lambda c, repeated=repeated: inbox.event_done(c, stored[repeated.key]))

"""Runs, inbox and ledger rows, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import StatementError

from runtime.connectors.events import Event, Outcome
from runtime.errors import RemoteRefused
from runtime.store import inbox, instances, ledger, listings, runs
from runtime.store.columns import utc_now
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState


@pytest.fixture
def unique() -> str:
    """PostgreSQL is shared by the tests of a session."""
    return os.urandom(4).hex()


def test_a_run_is_queued_until_it_begins(db, unique) -> None:
    def queued(**known) -> list[runs.RunInfo]:
        return [one for one in db.read(lambda c: runs.queued_runs(c, limit=1000, **known)) if one.mapping == unique]

    wanted = {"mapping": unique, "flow": "f", "cause": "manual", "request": {"limit": 3}}
    run_id = db.write(lambda c: runs.queue_run(c, **wanted))
    [found] = queued()
    assert (found.id, found.request) == (run_id, {"limit": 3})
    assert queued(known=[run_id]) == []
    db.write(lambda c: runs.start_run(c, run_id, **wanted))
    assert queued() == []
    assert db.read(lambda c: runs.get_run(c, run_id)).state == "running"
    db.write(lambda c: runs.undo_start(c, run_id, queued=True))
    assert [one.started_at for one in queued()] == [None]


def test_of_a_run_that_did_not_begin_nothing_is_left(db, unique) -> None:
    wanted = {"mapping": unique, "flow": "f", "cause": "schedule", "request": {}}
    db.write(lambda c: runs.start_run(c, unique, **wanted))
    db.write(lambda c: runs.undo_start(c, unique, queued=False))
    assert db.read(lambda c: runs.get_run(c, unique)) is None


def test_a_run_is_recorded_from_start_to_end(db, unique) -> None:
    run_id = runs.new_run_id(utc_now())
    db.write(lambda c: runs.start_run(c, run_id, mapping=unique, flow="f", cause="manual", request={"input": {"a": 1}}))
    row = {
        "run_id": run_id, "position": 1, "document": "77", "state": "failed", "started_at": utc_now(), "elapsed_ms": 5,
        "error": None, "note": "", "steps": b'[{"step":"a","output":1.50}]',
    }  # fmt: skip
    db.write(lambda c: runs.add_documents(c, [row]))
    error = RemoteRefused("被拒", "Refused", code="-1", remote="no")
    counts = {"total": 1, "done": 0, "failed": 1, "skipped": 0, "unknown": 0}
    db.write(lambda c: runs.finish_run(c, run_id, state="failed", counts=counts, error=error))
    run = db.read(lambda c: runs.get_run(c, run_id))
    assert (run.state, run.failed, run.error["code"], run.finished_at.tzinfo) == ("failed", 1, "-1", UTC)
    [document] = db.read(lambda c: runs.list_run_documents(c, run_id))
    assert document.steps == [{"step": "a", "output": Decimal("1.50")}]
    for wanted in ({"text": "77"}, {"states": ["failed"]}, {"flow": "f"}, {"since": utc_now() - timedelta(minutes=1)}):
        assert [one.id for one in db.read(lambda c, w=wanted: runs.list_runs(c, mapping=unique, **w))] == [run_id]
    for other in ({"text": "78%"}, {"states": ["done"]}, {"until": utc_now() - timedelta(minutes=1)}):
        assert db.read(lambda c, w=other: runs.list_runs(c, mapping=unique, **w)) == []
    assert db.write(lambda c: runs.prune_runs(c, before=utc_now() + timedelta(seconds=1))) >= 1
    assert db.read(lambda c: runs.get_run(c, run_id)) is None
    assert db.read(lambda c: runs.list_run_documents(c, run_id)) == []


def test_uneventful_ticks_can_be_left_out(sqlite_db) -> None:
    for total in (0, 1):
        run_id = f"r{total}"
        counts = {"total": total, "done": total, "failed": 0, "skipped": 0, "unknown": 0}
        sqlite_db.write(lambda c, r=run_id: runs.start_run(c, r, mapping="m", flow="f", cause="schedule", request={}))
        sqlite_db.write(lambda c, r=run_id, n=counts: runs.finish_run(c, r, state="succeeded", counts=n))
    assert len(sqlite_db.read(runs.list_runs)) == 2
    assert [one.id for one in sqlite_db.read(lambda c: runs.list_runs(c, with_empty=False))] == ["r1"]


def test_runs_of_a_dead_process_do_not_run_for_ever(sqlite_db) -> None:
    sqlite_db.write(lambda c: runs.start_run(c, "r", mapping="m", flow="f", cause="schedule", request={}))
    for position, (document, state) in enumerate((("", "failed"), ("1", "done"), ("2", "done"), ("3", "failed"))):
        row = {"run_id": "r", "position": position, "document": document, "state": state}
        rest = {"started_at": utc_now(), "elapsed_ms": 1, "error": None, "note": "", "steps": b"[]"}
        sqlite_db.write(lambda c, row=row | rest: runs.add_documents(c, [row]))
    assert sqlite_db.write(runs.mark_interrupted) == 1
    stopped = sqlite_db.read(lambda c: runs.get_run(c, "r"))
    assert (stopped.state, stopped.total, stopped.done, stopped.failed, stopped.unknown) == ("stopped", 3, 2, 1, 0)
    assert "中断" in stopped.note
    assert "interrupted" in stopped.note


def event(key: str) -> Event:
    return Event(
        key=key, type="approval.finished", instance_id="i", form="PROC", outcome=Outcome.REFUSED, approver="u",
        finished_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), raw={"amount": Decimal("1.10")},
    )  # fmt: skip


def test_an_event_is_stored_once_and_comes_back_whole(db, unique) -> None:
    assert db.write(lambda c: inbox.insert_event(c, unique, event("k1")))
    assert not db.write(lambda c: inbox.insert_event(c, unique, event("k1")))
    assert db.write(lambda c: inbox.insert_event(c, f"{unique}-other", event("k1")))
    [stored] = db.read(lambda c: inbox.list_events(c, name=unique))
    assert stored.event == event("k1")
    assert (stored.state, stored.attempts) == ("new", 0)


def test_events_are_claimed_retried_and_done(sqlite_db) -> None:
    db = sqlite_db
    for key in ("a", "b"):
        db.write(lambda c, k=key: inbox.insert_event(c, "oa", event(k)))
    first = db.write(lambda c: inbox.claim_events(c, limit=1))
    assert [one.event.key for one in first] == ["a"]
    assert first[0].attempts == 1
    [second] = db.write(inbox.claim_events)
    assert db.write(inbox.claim_events) == []
    error = RemoteRefused("被拒", "Refused")
    later, now = utc_now() + timedelta(hours=1), utc_now()
    db.write(lambda c: inbox.event_failed(c, first[0].id, error=error, next_attempt_at=later))
    assert db.write(inbox.claim_events) == []
    db.write(lambda c: inbox.event_failed(c, first[0].id, error=error, next_attempt_at=now))
    [again] = db.write(inbox.claim_events)
    assert (again.event.key, again.attempts) == ("a", 2)
    db.write(lambda c: inbox.event_failed(c, again.id, error=error, next_attempt_at=None))
    assert db.write(inbox.claim_events) == []
    assert db.write(lambda c: inbox.retry_event(c, again.id))
    assert not db.write(lambda c: inbox.retry_event(c, second.id))
    assert len(db.write(inbox.claim_events)) == 1
    assert db.write(inbox.release_events) == 2
    for one in db.write(inbox.claim_events):
        db.write(lambda c, o=one: inbox.event_done(c, o.id, note="ok"))
    assert {one.state for one in db.read(inbox.list_events)} == {"done"}
    old = db.read(lambda c: inbox.old_events(c, before=utc_now() + timedelta(seconds=1)))
    assert db.write(lambda c: inbox.delete_events(c, ids=old)) == 2


def effect(step: str, state: EffectState, **values) -> EffectRecord:
    return EffectRecord(
        step=step, effect="create", state=state, connection="oa", action="create", digest="d", started_at=utc_now(),
        **values,
    )  # fmt: skip


def test_a_delivery_and_its_effects(db, unique) -> None:
    row = {
        "mapping": unique, "flow": "f", "source": "erp/Drafts", "document_key": "12", "generation": 1, "document": 12,
        "state": DeliveryState.OPEN,
    }  # fmt: skip
    intent = effect("a", EffectState.INTENT, request=b'{"values":{"x":1.20}}')
    first = db.write(lambda c: ledger.save(c, row, [intent]))

    def latest():
        return db.read(lambda c: ledger.latest(c, mapping=unique, flow="f", source="erp/Drafts", keys=["12", "13"]))

    [found] = latest().values()
    assert (found.id, found.document, found.state) == (first, 12, DeliveryState.OPEN)
    assert found.effects["a"].request == {"values": {"x": Decimal("1.20")}}
    assert db.read(lambda c: instances.awaits_answer(c, "oa"))
    done = effect("a", EffectState.DONE, result={"instance_id": unique}, instance_id=unique, finished_at=utc_now())
    db.write(lambda c: ledger.save(c, {"id": first, "instance_id": unique}, [done]))
    db.write(lambda c: ledger.close_delivery(c, first, note=""))
    assert not db.read(lambda c: instances.awaits_answer(c, "oa"))
    owner = db.read(lambda c: instances.find_instance(c, "oa", unique))
    assert (owner.id, owner.state, owner.effects["a"].result) == (
        first, DeliveryState.COMPLETE, {"instance_id": unique},
    )  # fmt: skip
    assert db.read(lambda c: instances.find_instance(c, "elsewhere", unique)) is None
    second = db.write(lambda c: ledger.save(c, {**row, "generation": 2}, []))
    assert latest()["12"].id == second
    assert latest()["12"].effects == {}
    assert [one.id for one in db.read(lambda c: listings.list_deliveries(c, mapping=unique, states=["open"]))] == [
        second
    ]


def test_what_was_written_since_a_moment_may_have_waited_for_its_turn_before(db, unique) -> None:
    since = utc_now()
    times = {"before": (-2, -1), "across": (-1, 1), "after": (1, 2), "unanswered": (1, None)}
    row = {
        "mapping": unique, "flow": "f", "source": "erp/Drafts", "document_key": "12", "generation": 1, "document": 12,
        "state": DeliveryState.OPEN,
    }  # fmt: skip
    updates = [
        replace(
            effect(step, EffectState.DONE if end is not None else EffectState.SENDING, target=unique),
            started_at=since + timedelta(minutes=begin),
            finished_at=since + timedelta(minutes=end) if end is not None else None,
        )
        for step, (begin, end) in times.items()
    ]
    db.write(lambda c: ledger.save(c, row, updates))
    found = db.read(lambda c: ledger.writes_into(c, [unique], since=since))
    assert [one.step for one in found] == ["across", "after", "unanswered"]


def test_a_time_without_a_zone_is_refused(sqlite_db) -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises((StatementError, TypeError)):
        sqlite_db.write(lambda c: inbox.old_events(c, before=naive))

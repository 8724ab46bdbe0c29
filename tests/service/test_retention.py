"""Retention: what is old goes, what idempotency needs stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from runtime.config import Settings
from runtime.connectors.events import Event
from runtime.service.cleaning import Cleaning
from runtime.store import inbox, runs
from runtime.store.answers import StoredAnswer, claim_answer, store_answer
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.polls import plan_polls
from runtime.store.tables import answers, deliveries, polls
from runtime.store.tables import inbox as inbox_table
from runtime.store.tables import runs as runs_table

DAY = timedelta(days=1)
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.fixture
def db(state_url: str) -> Any:
    database = Database.open(state_url)
    yield database
    database.close()


@pytest.fixture
def clean(db: Database) -> Any:
    settings = Settings(keep_runs="30d", keep_payloads="14d", keep_events="90d", keep_answers="7d")  # type: ignore[arg-type]
    return Cleaning(db, settings, clock=lambda: NOW).clean


def add_run(db: Database, *, age: timedelta, state: str = "succeeded", documents: int = 1) -> str:
    began = NOW - age
    run_id = runs.new_run_id(began)

    def work(connection: Any) -> None:
        runs.start_run(connection, run_id, mapping="m", flow="f", cause="schedule", request={})
        values = {"state": state, "queued_at": began, "started_at": began}
        connection.execute(update(runs_table).where(runs_table.c.id == run_id).values(values))
        rows = [
            {
                "run_id": run_id, "position": number, "document": str(number), "state": "done", "started_at": began,
                "elapsed_ms": 1, "error": None, "note": "", "steps": b'[{"step":"a"}]',
            }
            for number in range(1, documents + 1)
        ]  # fmt: skip
        runs.add_documents(connection, rows)

    db.write(work)
    return run_id


def documents(db: Database, run_id: str) -> list[runs.RunDocument]:
    return db.read(lambda connection: runs.list_run_documents(connection, run_id, limit=10_000))


async def test_runs_go_by_age_and_payloads_before_them(db: Database, clean: Any) -> None:
    new, stripped, old = (add_run(db, age=age) for age in (DAY, 20 * DAY, 31 * DAY))
    big = add_run(db, age=40 * DAY, documents=1700)
    running = add_run(db, age=40 * DAY, state="running")
    await clean()
    left = {run.id for run in db.read(lambda connection: runs.list_runs(connection, mapping="m"))}
    assert left == {new, stripped, running}
    assert documents(db, new)[0].steps
    assert documents(db, stripped)[0].steps == []
    assert documents(db, stripped)[0].document == "1"
    assert documents(db, old) == documents(db, big) == []
    # Again, with payloads that became old meanwhile left alone until they are.
    await clean()
    assert documents(db, new)[0].steps


def add_event(db: Database, key: str, *, state: str = "done", instance: str = "", age: timedelta = 100 * DAY) -> None:
    def work(connection: Any) -> None:
        inbox.insert_event(connection, "oa", Event(key=key, type="approval.finished", instance_id=instance))
        finished = NOW - age if state == "done" else None
        values = {"state": state, "received_at": NOW - age, "finished_at": finished}
        connection.execute(update(inbox_table).where(inbox_table.c.event_key == key).values(values))

    db.write(work)


def add_delivery(db: Database, instance: str, **values: Any) -> int:
    row = {
        "mapping": "m", "flow": "f", "source": "erp/Drafts", "document_key": instance, "generation": 1,
        "document": instance, "state": "complete", "connection": "oa", "instance_id": instance,
        "opened_at": NOW - 400 * DAY, "updated_at": NOW - 400 * DAY, **values,
    }  # fmt: skip
    statement = insert(deliveries).values(row).returning(deliveries.c.id)
    return int(db.write(lambda connection: connection.execute(statement).scalar_one()))


async def test_events_go_only_when_their_approval_is_over(db: Database, clean: Any) -> None:
    add_delivery(db, "over", outcome="agreed")
    add_delivery(db, "open")
    add_delivery(db, "written back by nobody", outcome="agreed", state="failed")
    add_event(db, "old")
    add_event(db, "old and over", instance="over")
    add_event(db, "young", age=80 * DAY)
    add_event(db, "open", instance="open")
    add_event(db, "unfinished", instance="written back by nobody")
    for state in ("new", "failed", "working"):
        add_event(db, state, state=state)
    for number in range(250):
        add_event(db, f"many {number}")
    await clean()
    left = {row.event.key for row in db.read(lambda connection: inbox.list_events(connection, limit=1000))}
    assert left == {"young", "open", "unfinished", "new", "failed", "working"}


async def test_answers_and_plans_go_and_the_ledger_stays(db: Database, clean: Any) -> None:
    over, still_open = add_delivery(db, "over", outcome="agreed"), add_delivery(db, "open")
    db.write(lambda connection: plan_polls(connection, {over: NOW, still_open: NOW}))
    for key, age in (("old", 8 * DAY), ("young", 6 * DAY)):

        def work(connection: Any, key: str = key, age: timedelta = age) -> None:
            of = {"mapping": "m", "flow": "f", "key": key}
            claim_answer(connection, **of, digest="d", not_before=NOW - 900 * DAY)
            store_answer(connection, **of, answer=StoredAnswer(status=200, headers={}, body={"x": 1}))
            connection.execute(update(answers).where(answers.c.key == key).values(started_at=NOW - age))

        db.write(work)
    await clean()
    assert db.read(lambda connection: list(connection.scalars(select(answers.c.key)))) == ["young"]
    assert db.read(lambda connection: list(connection.scalars(select(polls.c.delivery_id)))) == [still_open]
    assert len(db.read(lambda connection: list(connection.scalars(select(deliveries.c.id))))) == 2


async def test_a_key_is_free_again_after_its_time_even_before_the_clean_up(db: Database) -> None:
    def claim(digest: str, not_before: datetime) -> str:
        work = {"mapping": "m", "flow": "f", "key": "k", "digest": digest, "not_before": not_before}
        return db.write(lambda connection: claim_answer(connection, **work)).digest

    assert claim("first", utc_now() - DAY) == "first"
    assert claim("second", utc_now() - DAY) == "first"
    assert claim("second", utc_now() + DAY) == "second"

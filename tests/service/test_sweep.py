"""The sweep itself: who is asked about, in which order, and what it does when the other system is down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from runtime.connectors.events import Event, Outcome
from runtime.errors import CallbackRejected, NotFound, Unreachable
from runtime.mapping.document import parse_mapping
from runtime.service.router import Route
from runtime.service.sweep import Sweep
from runtime.store.database import Database
from runtime.store.inbox import event_failed, insert_event, list_events
from runtime.store.tables import deliveries, effects

NOW = datetime(2026, 8, 1, tzinfo=UTC)
MAPPING = parse_mapping(
    {
        "format": 1, "id": "m", "connections": {"oa": "oa-1"},
        "flows": {"v": {"trigger": {"event": {"connection": "oa", "form": "F"}}, "steps": [{"stop": "x"}]}},
    },
    "test",
)  # fmt: skip


def route(form: str | None = "F") -> Route:
    return Route(mapping=MAPPING, flow="v", connection="oa-1", type="approval.finished", form=form)


class Oa:
    """An OA that knows how approvals ended."""

    name = "oa-1"
    tells_outcomes = True

    def __init__(self) -> None:
        self.ended: dict[str, Outcome] = {}
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self.down = False

    async def poll_event(self, instance_id: str, form: str) -> Event | None:
        self.asked.append(instance_id)
        if self.down:
            raise Unreachable("连不上", "down")
        if instance_id in self.gone:
            raise NotFound("没有", "none")
        outcome = self.ended.get(instance_id)
        if outcome is None:
            return None
        key = f"polled {instance_id}"
        return Event(key=key, type="approval.finished", instance_id=instance_id, form=form, outcome=outcome)


class Lab:
    """A sweep with a clock of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOW
        self.oa = Oa()
        self.woken = 0
        self.routes = [route()]
        self.sweep = Sweep(
            db, self, self,  # type: ignore[arg-type]  # the lab is both pool and router
            every=timedelta(minutes=5), age=timedelta(minutes=10), stored=self._wake, clock=lambda: self.now,
        )  # fmt: skip

    def _wake(self) -> None:
        self.woken += 1

    def verdict_routes(self) -> list[Route]:
        return self.routes

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Any]:
        yield self

    async def get(self, name: str) -> Any:
        assert name == "oa-1"
        return self.oa

    def deliver(self, instance: str, *, age: timedelta, **changes: Any) -> None:
        values = {
            "mapping": "m", "flow": "submit", "source": "erp/Drafts", "document_key": instance, "generation": 1,
            "document": instance, "state": "complete", "connection": "oa-1", "instance_id": instance,
            "opened_at": self.now - age, "updated_at": self.now - age, **changes,
        }  # fmt: skip
        self.db.write(lambda connection: connection.execute(insert(deliveries).values(values)))

    def create(self, instance: str, form: str) -> None:
        """The effect that an approval of this form came from."""

        def work(connection: Any) -> None:
            delivery = select(deliveries.c.id).where(deliveries.c.instance_id == instance)
            values = {
                "delivery_id": connection.scalar(delivery), "step": "approval", "effect": "create", "state": "done",
                "connection": "oa-1", "action": "create_approval", "digest": "", "request": {"form": form},
                "instance_id": instance, "started_at": self.now,
            }  # fmt: skip
            connection.execute(insert(effects).values(values))

        self.db.write(work)

    async def __call__(self) -> list[str]:
        self.oa.asked.clear()
        await self.sweep.sweep()
        return sorted(self.oa.asked)


@pytest.fixture
def lab(state_url: str) -> Any:
    database = Database.open(state_url)
    yield Lab(database)
    database.close()


async def test_only_approvals_that_are_old_enough_and_open_and_ours_are_asked_about(lab: Lab) -> None:
    hour = timedelta(hours=1)
    lab.deliver("open", age=hour)
    lab.deliver("young", age=timedelta(minutes=9))
    lab.deliver("over", age=hour, outcome="agreed")
    lab.deliver("none", age=hour, instance_id="")
    lab.deliver("elsewhere", age=hour, connection="oa-2")
    lab.deliver("not ours", age=hour, mapping="other")
    lab.deliver("resolved by a person", age=hour, state="resolved")
    assert await lab() == ["open", "resolved by a person"]


async def test_the_older_the_more_seldom(lab: Lab) -> None:
    lab.deliver("new", age=timedelta(minutes=20))
    lab.deliver("old", age=timedelta(days=30))
    asked = {"new": 0, "old": 0}
    for _ in range(12 * 24):
        for name in await lab():
            asked[name] += 1
        lab.now += timedelta(minutes=5)
    assert asked["old"] == 2
    assert 15 <= asked["new"] <= 60


async def test_thousands_of_open_approvals_are_all_asked_about_before_one_is_asked_again(lab: Lab) -> None:
    names = [f"i{number:04}" for number in range(2300)]
    for number in range(0, 2300, 100):
        rows = names[number : number + 100]

        def work(connection: Any, rows: list[str] = rows) -> None:
            values = [
                {
                    "mapping": "m", "flow": "submit", "source": "erp/Drafts", "document_key": name, "generation": 1,
                    "document": name, "state": "complete", "connection": "oa-1", "instance_id": name,
                    "opened_at": NOW - timedelta(hours=1), "updated_at": NOW,
                }
                for name in rows
            ]  # fmt: skip
            connection.execute(insert(deliveries), values)

        lab.db.write(work)
    seen: list[str] = []
    for _ in range(3):
        seen += await lab()
        lab.now += timedelta(seconds=30)
    assert sorted(seen) == names


async def test_a_found_verdict_goes_into_the_inbox_once(lab: Lab) -> None:
    lab.deliver("i1", age=timedelta(hours=1))
    lab.oa.ended["i1"] = Outcome.REFUSED
    for _ in range(3):
        await lab()
        lab.now += timedelta(days=1)
    [row] = lab.db.read(list_events)
    assert (row.event.outcome, row.event.form, row.state) == (Outcome.REFUSED, "F", "new")
    assert lab.woken == 1


async def test_a_callback_that_is_on_its_way_is_not_doubled(lab: Lab) -> None:
    lab.deliver("i1", age=timedelta(hours=1))
    lab.oa.ended["i1"] = Outcome.AGREED
    event = Event(key="pushed", type="approval.finished", instance_id="i1", form="F", outcome=Outcome.AGREED)
    lab.db.write(lambda connection: insert_event(connection, "oa-1", event))
    await lab()
    assert [row.event.key for row in lab.db.read(list_events)] == ["pushed"]


@pytest.mark.parametrize(("again", "found"), [(None, ["pushed", "polled i1"]), (timedelta(hours=1), ["pushed"])])
async def test_a_verdict_that_was_not_true_does_not_keep_the_true_one_out(
    lab: Lab, again: timedelta | None, found: list[str]
) -> None:
    """Somebody has to look at the false one; one that is tried again by itself finds out by itself."""
    lab.deliver("i1", age=timedelta(hours=1))
    lab.oa.ended["i1"] = Outcome.REFUSED
    event = Event(key="pushed", type="approval.finished", instance_id="i1", form="F", outcome=Outcome.AGREED)
    lab.db.write(lambda connection: insert_event(connection, "oa-1", event))
    [row] = lab.db.read(list_events)
    error = CallbackRejected("不一致", "Contradicted")
    lab.db.write(
        lambda connection: event_failed(
            connection, row.id, error=error, next_attempt_at=lab.now + again if again is not None else None
        )
    )
    await lab()
    assert [row.event.key for row in reversed(lab.db.read(list_events))] == found


async def test_a_system_that_is_down_is_asked_about_few_and_all_of_them_later(lab: Lab) -> None:
    names = [f"i{number:02}" for number in range(40)]
    for name in names:
        lab.deliver(name, age=timedelta(hours=1))
    lab.oa.down = True
    assert len(await lab()) <= 4
    lab.oa.down = False
    assert await lab() == names


async def test_an_approval_that_is_gone_does_not_stop_the_others(lab: Lab) -> None:
    for name in ("a", "b", "c"):
        lab.deliver(name, age=timedelta(hours=1))
    lab.oa.gone.add("a")
    lab.oa.ended["c"] = Outcome.AGREED
    assert await lab() == ["a", "b", "c"]
    assert [row.event.instance_id for row in lab.db.read(list_events)] == ["c"]
    assert await lab() == []


async def test_each_verdict_has_the_form_of_its_approval_where_a_mapping_has_several(lab: Lab) -> None:
    lab.routes = [route("F"), route("G")]
    for name, form in (("f", "F"), ("g", "G"), ("renamed", "H")):
        lab.deliver(name, age=timedelta(hours=1))
        lab.create(name, form)
        lab.oa.ended[name] = Outcome.AGREED
    lab.deliver("of an older version", age=timedelta(hours=1))
    lab.oa.ended["of an older version"] = Outcome.AGREED
    await lab()
    found = {row.event.instance_id: row.event.form for row in lab.db.read(list_events)}
    # Rather to no flow than to the wrong one.
    assert found == {"f": "F", "g": "G", "renamed": "", "of an older version": ""}

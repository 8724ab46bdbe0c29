"""One run of a flow at a time; missed moments become one tick."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.request import RunRequest, RunSummary
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.service.alerts import Alerts
from runtime.service.dispatcher import Dispatcher
from runtime.service.metrics import Metrics
from runtime.service.schedules import Schedules
from runtime.service.trouble import Troubles
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.runs import finish_run, last_ticks, mark_interrupted, start_run

SHANGHAI = "+08:00"


def mapping(**schedule: Any) -> Mapping:
    trigger = {"schedule": schedule or {"every": "1d"}}
    return parse_mapping(
        {"format": 1, "id": "m", "flows": {"f": {"trigger": trigger, "steps": [{"stop": "x"}]}}}, "test"
    )


class Live:
    """One mapping in force."""

    def __init__(self, document: Mapping) -> None:
        self.document = document

    def get(self, _name: str) -> Mapping:
        return self.document

    def flows(self) -> list[Any]:
        return [(self.document, name, flow) for name, flow in self.document.flows.items()]

    def on_change(self, _listener: Callable[[], None]) -> None:
        pass


class Engine:
    """Runs that end when they are told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()

    async def run(self, _mapping: Mapping, _flow: str, _request: RunRequest) -> RunSummary:
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.go.wait()
        self.at_once -= 1
        return RunSummary(run_id="r", state="succeeded")


class Lab:
    def __init__(self, database: Database, document: Mapping) -> None:
        self.engine = Engine()
        self.live = Live(document)
        troubles = Troubles(Alerts(database, None))
        self.dispatcher = Dispatcher(self.engine, self.live, Metrics(), troubles)  # type: ignore[arg-type]


async def quiet(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - what is waited for lives in another task
            await asyncio.sleep(0.002)


@pytest.fixture
def database(tmp_path: Path) -> Any:
    opened = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


async def test_ticks_during_a_run_become_one_follow_up(database: Database) -> None:
    lab = Lab(database, mapping())
    await lab.dispatcher.tick("m", "f")
    await quiet(lambda: lab.engine.begun == 1)
    for _ in range(50):
        await lab.dispatcher.tick("m", "f")
    lab.engine.go.set()
    await quiet(lambda: lab.engine.begun == 2 and not lab.engine.at_once)
    await lab.dispatcher.finish(5)
    assert (lab.engine.begun, lab.engine.most_at_once) == (2, 1)


async def test_a_run_by_hand_waits_for_the_one_on_schedule(database: Database) -> None:
    lab = Lab(database, mapping())
    await lab.dispatcher.tick("m", "f")
    by_hand = [
        asyncio.create_task(lab.dispatcher.run_alone(lab.live.document, "f", RunRequest(cause="manual")))
        for _ in range(5)
    ]
    await quiet(lambda: lab.engine.begun)
    lab.engine.go.set()
    await asyncio.gather(*by_hand)
    await lab.dispatcher.finish(5)
    assert (lab.engine.begun, lab.engine.most_at_once) == (6, 1)


Start = Callable[..., Awaitable[int]]


@pytest.fixture
def start(database: Database) -> Start:
    """Starts the clock at ``now`` when the last run was at ``last``; how many runs begin at once."""

    async def start(document: Mapping, *, now: str, last: str, state: str = "succeeded") -> int:
        lab = Lab(database, document)
        lab.engine.go.set()
        moment = datetime.fromisoformat(now + SHANGHAI)
        schedules = Schedules(lab.live, lab.dispatcher, clock=lambda: moment)  # type: ignore[arg-type]
        ticks = {("m", "f"): (datetime.fromisoformat(last + SHANGHAI).astimezone(UTC), state)} if last else {}
        schedules.start(ticks)
        schedules.stop()
        await lab.dispatcher.tick("m", "no such flow")
        for _ in range(20):
            await asyncio.sleep(0)
        await lab.dispatcher.finish(5)
        return lab.engine.begun

    return start


NIGHTLY = {"cron": "0 2 * * *", "timezone": "Asia/Shanghai"}


@pytest.mark.parametrize(
    ("last", "state", "runs"),
    [
        ("2026-03-10T02:00:00.01", "succeeded", 0),
        ("2026-03-10T02:00:00.01", "failed", 0),
        ("2026-03-10T02:00:00.01", "stopped", 1),
        ("2026-03-09T02:00:00.01", "succeeded", 1),
        ("2026-02-01T02:00:00.01", "succeeded", 1),
        ("", "", 0),
    ],
)
async def test_nights_that_were_slept_through_are_made_up_for_once(
    start: Start, last: str, state: str, runs: int
) -> None:
    assert await start(mapping(**NIGHTLY), now="2026-03-10T09:30:00", last=last, state=state) == runs


async def test_a_rhythm_with_a_start_is_made_up_for_too(start: Start) -> None:
    weekly = mapping(every="1w", start="2026-03-02T08:00")
    assert await start(weekly, now="2026-03-10T09:30:00", last="2026-03-02T08:00:01") == 1
    assert await start(weekly, now="2026-03-10T09:30:00", last="2026-03-09T08:00:01") == 0


async def test_a_schedule_that_is_gone_or_broken_is_not_made_up_for(start: Start, database: Database) -> None:
    manual = parse_mapping(
        {"format": 1, "id": "m", "flows": {"f": {"trigger": {"manual": {}}, "steps": [{"stop": "x"}]}}}, "test"
    )
    assert await start(manual, now="2026-03-10T09:30:00", last="2026-01-01T00:00:00") == 0
    broken = mapping(every="1d", start="not a time")
    assert await start(broken, now="2026-03-10T09:30:00", last="2026-01-01T00:00:00") == 0


def test_the_last_run_on_schedule_is_known(database: Database) -> None:
    counts = dict.fromkeys(("total", "done", "failed", "skipped", "unknown"), 0)

    def fill(connection: Any) -> None:
        for run_id, cause, state in (("1", "schedule", "failed"), ("2", "schedule", ""), ("3", "manual", "succeeded")):
            start_run(connection, run_id, mapping="m", flow="f", cause=cause, request={})
            if state:
                finish_run(connection, run_id, state=state, counts=counts)

    before = utc_now()
    database.write(fill)
    database.write(mark_interrupted)
    flows = [("m", "f"), ("m", "never"), ("other", "f")]
    [(moment, state)] = database.read(lambda connection: last_ticks(connection, flows)).values()
    assert state == "stopped"
    assert before <= moment <= utc_now() + timedelta(seconds=1)

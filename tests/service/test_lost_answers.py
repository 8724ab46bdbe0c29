"""A write whose answer is lost may be committed or not: either way nothing is left lying, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.connectors.events import Event
from runtime.engine.engine import Engine
from runtime.engine.request import RunRequest
from runtime.errors import RetryLater
from runtime.mapping.document import parse_mapping
from runtime.service import dispatcher as dispatching
from runtime.service import manual
from runtime.service.alerts import Alerts
from runtime.service.dispatcher import Dispatcher
from runtime.service.idempotency import RequestKey
from runtime.service.inbox import InboxWorkers
from runtime.service.manual import ManualQueue
from runtime.service.metrics import Metrics
from runtime.service.reports import Carried, Reports
from runtime.service.trouble import Troubles
from runtime.store.database import Database
from runtime.store.inbox import insert_event, list_events
from runtime.store.incidents import list_incidents
from runtime.store.reports import Turn
from runtime.store.runs import list_runs, queue_run

MAPPING = parse_mapping(
    {"format": 1, "id": "m", "flows": {"f": {"trigger": {"manual": {}}, "steps": [{"stop": "x"}]}}}, "test"
)


def double(**parts: Any) -> Any:
    """Stands for a part of the service that is not looked at."""
    return SimpleNamespace(**parts)


class Lossy:
    """The database, of which some writes get no answer.

    :param lost: numbers of those, from 0
    :param committed: whether they are committed all the same
    """

    def __init__(self, real: Database, lost: set[int], *, committed: bool) -> None:
        self.real = real
        self.lost = lost
        self.committed = committed
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def awrite(self, work: Any) -> Any:
        number, self.writes = self.writes, self.writes + 1
        if number not in self.lost:
            return await self.real.awrite(work)
        if self.committed:
            await self.real.awrite(work)
        raise RetryLater("没有答复", "No answer")


class Pool:
    """There is nothing to connect to."""

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Pool]:
        yield self


def pool() -> Any:
    return Pool()


class Live:
    def get(self, _name: str) -> Any:
        return MAPPING

    async def reload(self) -> None:
        pass


class Lab:
    def __init__(self, database: Any) -> None:
        self.carried_out = 0
        engine: Any = Engine(database, pool())
        compiled = engine.compiled

        def count(*given: Any) -> Any:
            self.carried_out += 1
            return compiled(*given)

        engine.compiled = count
        live: Any = Live()
        self.dispatcher = Dispatcher(engine, live, Metrics(), Troubles(Alerts(database, None)))
        self.queue = ManualQueue(database, live, self.dispatcher)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@asynccontextmanager
async def at_work(part: Any) -> AsyncIterator[None]:
    running = asyncio.create_task(part)
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - what is waited for lives in another task
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize("number", [0, 1], ids=["beginning", "end"])
async def test_a_run_by_hand_is_carried_out_once_and_comes_to_its_end(
    real: Database, monkeypatch: pytest.MonkeyPatch, number: int, committed: bool
) -> None:
    monkeypatch.setattr(manual, "_LOOK_EVERY", 0.01)
    lab = Lab(Lossy(real, {number}, committed=committed))
    real.write(lambda state: queue_run(state, mapping="m", flow="f", cause="manual"))
    async with at_work(lab.queue.run()):
        await until(lambda: [run.state for run in real.read(list_runs)] == ["succeeded"])
        await asyncio.sleep(0.1)
    await lab.dispatcher.finish(5)
    assert lab.carried_out == 1
    assert [run.state for run in real.read(list_runs)] == ["succeeded"]


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize("number", [0, 1], ids=["beginning", "end"])
async def test_a_tick_is_carried_out_once_and_comes_to_its_end(
    real: Database, monkeypatch: pytest.MonkeyPatch, number: int, committed: bool
) -> None:
    monkeypatch.setattr(dispatching, "_AGAIN_AFTER", 0.01, raising=False)
    lab = Lab(Lossy(real, {number}, committed=committed))
    await lab.dispatcher.tick("m", "f")
    await until(lambda: lab.carried_out)
    await until(lambda: not lab.dispatcher._tasks)
    await lab.dispatcher.settle()
    assert lab.carried_out == 1
    assert [run.state for run in real.read(list_runs)] == ["succeeded"]


async def test_a_run_by_hand_that_is_stopped_while_it_begins_waits_for_the_next_start(real: Database) -> None:
    run_id = real.write(lambda state: queue_run(state, mapping="m", flow="f", cause="manual"))
    engine = Engine(real, pool())
    task = asyncio.create_task(engine.run(MAPPING, "f", RunRequest(cause="manual", run_id=run_id)))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await engine.settle()
    real.write(lambda _: None)  # whatever is on its way has arrived
    [run] = real.read(list_runs)
    assert (run.id, run.state) == (run_id, "queued")


async def test_runs_that_wait_for_their_turn_do_not_begin_when_the_service_stops(real: Database) -> None:
    lab = Lab(real)
    real.write(lambda state: queue_run(state, mapping="m", flow="f", cause="manual"))
    lab.dispatcher.begin_stop()
    async with at_work(lab.queue.run()):
        await asyncio.sleep(0.1)
    assert [run.state for run in real.read(list_runs)] == ["queued"]


async def test_a_run_by_hand_that_a_fault_of_the_program_hits_is_not_begun_for_ever(
    real: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "_LOOK_EVERY", 0.01)
    begun: list[int] = []

    def breaks_down(*_: Any, **__: Any) -> Any:
        begun.append(1)
        raise TypeError("no such argument")

    monkeypatch.setattr(manual, "manual_request", breaks_down)
    real.write(lambda state: queue_run(state, mapping="m", flow="f", cause="manual"))
    async with at_work(Lab(real).queue.run()):
        await until(lambda: begun)
        await asyncio.sleep(0.2)
    assert (len(begun), [run.state for run in real.read(list_runs)]) == (1, ["failed"])


async def test_a_caller_hears_how_its_report_ended_although_the_same_one_could_not_be_stored_again() -> None:
    class Intake:
        lost = False

        async def turn_of(self, *_: Any, **__: Any) -> Turn:
            return Turn()

        async def store_report(self, *_: Any) -> None:
            if self.lost:
                raise RetryLater("没有答复", "No answer")

    async def unknown(_key: Any) -> None:
        return None

    intake = Intake()
    reports: Any = Reports(None, double(known=unknown), intake, None)
    key = RequestKey(mapping="m", flow="f", key="k", digest="d")
    given = ("oa", Event(key="a", type="http f", instance_id="i"), {"body": {}}, key)
    waiting = await reports._take(*given, named=True)
    intake.lost = True
    with pytest.raises(RetryLater):
        await reports._take(*given, named=True)
    [stored] = reports._waiting
    reports.ended(double(event=double(key=stored)), Carried())
    assert waiting.done()


async def test_an_event_that_a_fault_of_the_program_hits_waits_for_a_person(real: Database) -> None:
    real.write(lambda state: insert_event(state, "oa", Event(key="a", type="approval.finished", form="F")))
    told: list[int] = []

    def breaks_down(*_: Any, **__: Any) -> Any:
        raise TypeError("no such argument")

    workers = InboxWorkers(
        database=real,
        router=double(flows_for=breaks_down),
        dispatcher=double(spawn=lambda work, name: asyncio.create_task(work, name=name)),
        reports=double(ended=lambda *_: None),
        metrics=double(inbox=double(set=lambda _: None)),
        troubles=double(event_failed=lambda number, *_: told.append(number)),
    )
    async with at_work(workers.run()):
        await until(lambda: told)
    [event] = real.read(list_events)
    assert (event.state, event.next_attempt_at) == ("failed", None)
    assert event.error is not None
    assert "TypeError" in event.error["en"]


async def test_that_a_trouble_is_over_is_remembered_once_the_database_is_back(real: Database) -> None:
    """Otherwise it would still be open after a restart, and nobody be told when it happens again."""
    texts: list[str] = []

    class People:
        async def send(self, text: str) -> None:
            texts.append(text)

    lossy: Any = Lossy(real, {1, 2}, committed=False)
    alerts = Alerts(lossy, People(), pause=0, again_after=(0.01,))
    async with at_work(alerts.run()):
        alerts.raised("k", "坏了", "broken")
        await until(lambda: real.read(list_incidents))
        alerts.resolved("k")
        await until(lambda: not real.read(list_incidents))
    assert len(texts) == 2

"""Listening itself: pauses, what people are told, and what one bad delivery does to the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import Field, SecretStr

from runtime.connectors.event_stream import Delivery, EventStream
from runtime.connectors.events import Event
from runtime.connectors.settings import HttpSettings
from runtime.errors import CallbackRejected, LoginRefused, RetryLater, Unreachable
from runtime.sandbox import demo
from runtime.service.alerts import Alerts
from runtime.service.intake import Intake
from runtime.service.metrics import Metrics
from runtime.service.streams import Streams
from runtime.service.trouble import Troubles
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.inbox import list_events
from runtime.store.vault import Vault

NAME = demo.DINGTALK_CONNECTION


class Oa(EventStream):
    """A stream that does what the test puts into ``script``: an error to raise, or deliveries; then it waits."""

    def __init__(self) -> None:
        self.settings = HttpSettings(base_url="http://127.0.0.1:9")
        self.pause = 0.01
        self.script: list[Exception | list[Any]] = []
        #: When it was opened.
        self.opened: list[float] = []
        self.answers: list[str] = []

    def event_stream(self) -> EventStream:
        return self

    def delivery(self, number: int, **changes: Any) -> Delivery:
        async def answer(word: str) -> None:
            self.answers.append(f"{word} {number}")
            if number < 0:
                raise Unreachable("断开", "closed")

        events = (Event(key=f"e{number}", type="approval.finished", instance_id=f"i{number}"),)
        values = {"events": events, "acknowledge": lambda: answer("ok"), "decline": lambda: answer("later")}
        return Delivery(**{**values, **changes})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[Delivery]]:
        self.opened.append(time.monotonic())
        step = self.script.pop(0) if self.script else [asyncio.Event().wait]
        if isinstance(step, Exception):
            raise step
        yield self._play(step)

    async def _play(self, step: list[Any]) -> AsyncIterator[Delivery]:
        for item in step:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Delivery):
                yield item
            else:
                await item()


class Pool:
    """Hands the one connector out, unless it is told to fail."""

    def __init__(self, connector: Oa) -> None:
        self.connector = connector

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Any]:
        yield self

    async def get(self, name: str) -> Any:
        assert name == NAME
        return self.connector


class Lab:
    """The listener, and everything around it."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.oa = Oa()
        self.told: list[str] = []
        self.alerts = Alerts(db, self)
        self.metrics = Metrics()
        connections = ConnectionStore(db, Vault(folder / "secret.key"))
        for name, document in demo.connections("http://127.0.0.1:9").items():
            connections.save(name, document)
        self.connections = connections
        self.streams = Streams(
            connections, Pool(self.oa), Intake(db, stored=lambda: None), self.metrics, Troubles(self.alerts)
        )  # fmt: skip

    async def send(self, text: str) -> None:
        self.told.append(text)

    def stored(self) -> set[str]:
        return {item.event.key for item in self.db.read(lambda connection: list_events(connection, limit=5000))}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    db = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield Lab(db, tmp_path)
    db.close()


@asynccontextmanager
async def listening(lab: Lab, until: Callable[[], object]) -> AsyncIterator[None]:
    """Listens; the block begins when the condition holds."""
    running = asyncio.create_task(lab.streams.run())
    try:
        async with asyncio.timeout(20):
            while not until():  # noqa: ASYNC110 - what it waits for is a state of many parts
                await asyncio.sleep(0.01)
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_stream_that_is_renewed_is_no_news_and_one_that_stays_away_is(lab: Lab) -> None:
    lost = Unreachable("断开", "closed")
    lab.oa.script = [[lost], [lost], [lost], [asyncio.Event().wait]]
    async with listening(lab, lambda: len(lab.oa.opened) == 4 and lab.streams.states[NAME].connected):
        assert lab.alerts.open == frozenset()
    lab.oa.script = [[lost], lost, LoginRefused("密码", "password")]
    seen: set[frozenset[str]] = set()
    async with listening(
        lab, lambda: seen.add(lab.alerts.open) or (len(lab.oa.opened) == 8 and lab.streams.states[NAME].connected)
    ):
        assert lab.alerts.open == frozenset()
        assert lab.streams.states[NAME].error is None
    assert frozenset({f"stream {NAME}"}) in seen


async def test_the_pauses_double_and_what_breaks_down_is_opened_again(lab: Lab) -> None:
    lab.oa.pause = 0.05
    lab.oa.script = [
        Unreachable("断开", "closed"),
        ValueError("a bug"),
        RetryLater("稍后", "later"),
        [ValueError("bug")],
    ]
    async with listening(lab, lambda: len(lab.oa.opened) == 5 and lab.streams.states[NAME].connected):
        pauses = [later - earlier for earlier, later in zip(lab.oa.opened, lab.oa.opened[1:], strict=False)]
    assert [pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.05), strict=True)] == [True] * 4


@pytest.mark.parametrize(
    "error",
    [RetryLater("稍后", "later", remote="not with telling-secret"), ValueError("not with telling-secret")],
    ids=["told", "unexpected"],
)
async def test_what_the_other_system_says_is_passed_on_without_our_secrets(
    lab: Lab, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    class Settings(HttpSettings):
        app_secret: SecretStr = Field(SecretStr("telling-secret"), title="密钥", description="Secret")

    structlog.configure(cache_logger_on_first_use=False)
    lab.oa.settings = Settings(base_url="http://127.0.0.1:9")
    lab.oa.script = [error, error]
    async with listening(lab, lambda: lab.alerts.open):
        said = lab.streams.states[NAME].error
        assert said is not None
        assert "not with ***" in said.remote
    shown = capsys.readouterr().out
    assert "event stream" in shown
    assert "telling" not in shown


async def test_an_end_that_comes_at_once_again_and_again_is_no_race(lab: Lab) -> None:
    lab.oa.pause = 0.1
    lab.oa.script = [[], [], []]
    async with listening(lab, lambda: len(lab.oa.opened) == 4):
        assert lab.oa.opened[-1] - lab.oa.opened[0] >= 0.3


async def test_a_flood_is_stored_and_answered_one_bad_delivery_or_not(lab: Lab) -> None:
    flood = [lab.oa.delivery(number) for number in range(1, 1000)]
    bad = lab.oa.delivery(1000, events=(), problem=CallbackRejected("坏", "bad"))
    unheard = lab.oa.delivery(-1)
    again = lab.oa.delivery(1001, events=flood[0].events)
    lab.oa.script = [[*flood[:500], bad, unheard, *flood[500:], again]]
    async with listening(lab, lambda: len(lab.oa.opened) == 2):
        assert lab.stored() == {f"e{number}" for number in range(1, 1000)} | {"e-1"}
        expected = {f"ok {number}" for number in range(1, 1000)} | {"later 1000", "ok -1", "ok 1001"}
        assert set(lab.oa.answers) == expected
        assert len(lab.oa.answers) == len(expected)
    metrics = lab.metrics.render().decode()
    assert f'b1_callbacks_total{{connection="{NAME}",verdict="accepted"}} 1001.0' in metrics
    assert f'b1_callbacks_total{{connection="{NAME}",verdict="rejected"}} 1.0' in metrics


async def test_what_the_database_does_not_take_is_declined(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(work: Any) -> Any:
        raise RetryLater("状态数据库暂时无法使用", "The state database cannot be used at the moment")

    monkeypatch.setattr(lab.db, "awrite", refuse)
    lab.oa.script = [[lab.oa.delivery(1), asyncio.Event().wait]]
    async with listening(lab, lambda: lab.oa.answers):
        assert lab.oa.answers == ["later 1"]
        assert lab.streams.states[NAME].connected
    assert lab.stored() == set()


async def test_a_stop_in_the_middle_stores_and_answers_what_has_come(lab: Lab) -> None:
    reached = asyncio.Event()

    async def reach() -> None:
        reached.set()
        await asyncio.Event().wait()

    lab.oa.script = [[*(lab.oa.delivery(number) for number in range(50)), reach]]
    async with listening(lab, reached.is_set):
        pass
    assert len(lab.stored()) == len(lab.oa.answers) == 50


async def test_a_connection_that_is_gone_leaves_nothing_behind(lab: Lab) -> None:
    async with listening(lab, lambda: NAME in lab.streams.states):
        assert "b1_stream_connected{" in lab.metrics.render().decode()
        lab.connections.delete(NAME)
        async with asyncio.timeout(20):
            while lab.streams.states:  # noqa: ASYNC110 - it is another task's dictionary
                await asyncio.sleep(0.01)
    assert "b1_stream_connected{" not in lab.metrics.render().decode()

"""Alerts: one line per trouble and one when it is over, to robots that may be slow, absent or refuse."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.config import Settings
from runtime.engine.request import RunRequest, RunSummary
from runtime.errors import (
    CannotStart,
    FixData,
    FixSetup,
    RemoteFault,
    RemoteRefused,
    RetryLater,
    Throttled,
    Unreachable,
)
from runtime.mapping.document import parse_mapping
from runtime.service.alerts import Alerts
from runtime.service.robot import open_robot
from runtime.service.trouble import Troubles, system_down
from runtime.store.database import Database
from runtime.store.incidents import list_incidents

TOKEN = "access-token-that-must-not-show"
SECRET = "SECsigning-secret"
MAPPING = parse_mapping(
    {
        "format": 1, "id": "m", "title": "采购", "connections": {"erp": "b1", "oa": "ding"},
        "flows": {"f": {"trigger": {"manual": {}}, "steps": [{"stop": "x"}]}},
    },
    "test",
)  # fmt: skip


class People:
    """Whoever is told; may be out for a while."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[Exception] = []
        self.asked = asyncio.Event()

    async def send(self, text: str) -> None:
        self.asked.set()
        if self.failures:
            raise self.failures.pop(0)
        self.texts.append(text)


@pytest.fixture
def database(tmp_path: Path) -> Any:
    opened = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@pytest.fixture
async def alerts(database: Database) -> AsyncIterator[tuple[Alerts, People]]:
    people = People()
    alerts = Alerts(database, people, pause=0, again_after=(0.01, 0.01))
    await alerts.load()
    running = asyncio.create_task(alerts.run())
    yield alerts, people
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - what is waited for lives in another task
            await asyncio.sleep(0.005)


async def test_the_same_trouble_is_told_once_and_its_end_once(
    alerts: tuple[Alerts, People], database: Database
) -> None:
    system, people = alerts
    for _ in range(1000):
        system.raised("system b1", "B1 不可用", "B1 is down")
    await until(lambda: database.read(list_incidents))
    for _ in range(10):
        system.resolved("system b1")
        system.resolved("never heard of")
    await until(lambda: not database.read(list_incidents))
    text = "\n".join(people.texts)
    assert text.count("✗") == text.count("✓") == 1
    assert text.index("B1 不可用") < text.index("B1 is down")


async def test_what_is_over_promises_no_further_attempt(alerts: tuple[Alerts, People]) -> None:
    system, people = alerts
    error = RetryLater("连不上", "It is down")
    system.raised("system b1", error.sentence("zh-CN"), error.sentence("en"))
    await until(lambda: people.texts)
    system.resolved("system b1")
    await until(lambda: "✓" in "".join(people.texts))
    begun, over = "\n".join(people.texts).split("✓")
    for hint in (RetryLater.hint_zh, RetryLater.hint_en):
        assert (hint in begun, hint in over) == (True, False)


async def test_a_restart_repeats_nothing(alerts: tuple[Alerts, People], database: Database) -> None:
    system, people = alerts
    system.raised("k", "坏了", "broken")
    await until(lambda: database.read(list_incidents))
    again = Alerts(database, people)
    await again.load()
    assert again.open == {"k"}
    assert len(people.texts) == 1


async def test_many_troubles_make_one_short_message(alerts: tuple[Alerts, People]) -> None:
    system, people = alerts
    for number in range(400):
        system.raised(f"k{number}", "坏" * 1000, "x")
    await until(lambda: people.texts)
    assert len(people.texts) == 1
    assert people.texts[0].count("✗") == 15
    assert "385" in people.texts[0]
    assert len(people.texts[0]) < 20_000


async def test_a_message_that_does_not_get_through_is_tried_again_for_as_long_as_it_takes(
    alerts: tuple[Alerts, People], database: Database
) -> None:
    system, people = alerts
    people.failures = [Unreachable("无", "none"), Throttled("慢", "slow"), *[Unreachable("无", "none")] * 20]
    system.raised("k", "坏了", "broken")
    await until(lambda: len(people.failures) < 20)
    assert (people.texts, database.read(list_incidents)) == ([], [])
    system.raised("next", "又一个", "another")
    await until(lambda: people.texts)
    [text] = people.texts
    assert text.index("坏了") < text.index("又一个")
    await until(lambda: len(database.read(list_incidents)) == 2)


async def test_secrets_do_not_get_into_a_message(alerts: tuple[Alerts, People]) -> None:
    system, people = alerts
    system.raised("k", "失败：password=hunter2", "failed at https://user:hunter2@host/?access_token=hunter2")
    await until(lambda: people.texts)
    assert "hunter2" not in people.texts[0]


def test_without_a_robot_nothing_is_kept(database: Database) -> None:
    system = Alerts(database, None)
    system.raised("k", "坏了", "broken")
    assert system.open == frozenset()


class Listener:
    """Takes the place of :class:`Alerts`."""

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        self.told: list[str] = []

    def raised(self, key: str, zh: str, en: str) -> None:
        if key not in self.open:
            self.told.append(f"+{key}")
            self.open[key] = zh

    def resolved(self, key: str) -> None:
        if self.open.pop(key, None) is not None:
            self.told.append(f"-{key}")


def ran(troubles: Troubles, *, cause: Any = "schedule", limit: int | None = None, **summary: Any) -> None:
    values = {"run_id": "r", "state": "succeeded", **summary}
    troubles.ran(MAPPING, "f", RunRequest(cause=cause, limit=limit), RunSummary(**values))


def test_runs_become_troubles_and_troubles_end() -> None:
    listener = Listener()
    troubles = Troubles(listener)  # type: ignore[arg-type]
    down = RetryLater("停", "stopped")
    down.__cause__ = Unreachable("连不上", "down", where="b1 GET http://x")
    for _ in range(3):
        ran(troubles, state="failed", error=down)
    ran(troubles)
    ran(troubles, state="failed", error=FixSetup("设置", "setup"))
    ran(troubles, state="partial", total=3, done=1, failed=1, unknown=1)
    ran(troubles, limit=1, total=1, done=1)
    ran(troubles, state="partial", total=3, done=2, failed=1)
    ran(troubles)
    assert listener.told == [
        "+system b1", "-system b1", "+run m/f", "-run m/f", "+unknown m/f", "+documents m/f", "-unknown m/f",
        "-documents m/f",
    ]  # fmt: skip


def test_what_a_caller_or_an_event_meets_is_told_where_it_belongs() -> None:
    listener = Listener()
    troubles = Troubles(listener)  # type: ignore[arg-type]
    ran(troubles, cause="http", state="failed", error=FixData("内容", "content"))
    ran(troubles, cause="event", state="failed", error=FixData("内容", "content"))
    assert listener.told == []
    troubles.event_failed(7, "oa i1", FixData("内容", "content"))
    troubles.event_done(8)
    troubles.event_done(7)
    assert listener.told == ["+event 7", "-event 7"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (None, ""),
        (FixData("x", "x", where="b1 GET /"), ""),
        (RemoteFault("x", "x", where="b1 GET /"), "b1"),
        (RetryLater("x", "x", where="state"), ""),
    ],
)
def test_only_a_fault_of_the_whole_system_blames_the_system(error: Any, name: str) -> None:
    assert system_down(error) == name


Serve = Callable[..., Awaitable[tuple[str, list[web.Request], list[dict[str, Any]]]]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(answer: dict[str, Any], status: int = 200) -> tuple[str, list[web.Request], list[dict[str, Any]]]:
        requests: list[web.Request] = []
        bodies: list[dict[str, Any]] = []

        async def handle(request: web.Request) -> web.Response:
            requests.append(request)
            bodies.append(await request.json())
            return web.json_response(answer, status=status)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runners.append(web.AppRunner(app, access_log=None))
        await runners[-1].setup()
        site = web.TCPSite(runners[-1], "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}/robot/send?access_token={TOKEN}", requests, bodies

    yield start
    for runner in runners:
        await runner.cleanup()


def settings(**values: Any) -> Settings:
    return Settings(**{f"alert_{name}": value for name, value in values.items()})


async def test_a_dingtalk_robot_gets_a_signed_text(serve: Serve) -> None:
    url, requests, bodies = await serve({"errcode": 0, "errmsg": "ok"})
    robot = open_robot(settings(url=url, secret=SECRET, kind="dingtalk"))
    assert robot is not None
    await robot.send("B1 坏了")
    assert bodies == [{"msgtype": "text", "text": {"content": "B1 坏了"}}]
    query = requests[0].query
    assert query["access_token"] == TOKEN
    text = f"{query['timestamp']}\n{SECRET}"
    assert query["sign"] == base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()


async def test_a_wecom_robot_gets_a_plain_text(serve: Serve) -> None:
    url, requests, bodies = await serve({"errcode": 0})
    robot = open_robot(settings(url=url, secret=SECRET, kind="wecom"))
    assert robot is not None
    await robot.send("x")
    assert set(requests[0].query) == {"access_token"}
    assert bodies[0]["msgtype"] == "text"


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        ({"errcode": 310000, "errmsg": "sign not match"}, 200, RemoteRefused),
        ({"errcode": 130101, "errmsg": "send too fast"}, 200, Throttled),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, 200, Throttled),
        ({}, 200, RemoteRefused),
        ({"errcode": 0}, 302, RemoteRefused),
        ({}, 500, RemoteRefused),
    ],
)
async def test_a_refusal_is_noticed_and_names_no_secret(
    serve: Serve, answer: dict[str, Any], status: int, kind: type[Exception]
) -> None:
    url, _, _ = await serve(answer, status)
    robot = open_robot(settings(url=url, secret=SECRET, kind="dingtalk"))
    assert robot is not None
    with pytest.raises(kind) as caught:
        await robot.send("x")
    assert TOKEN not in str(caught.value) + repr(robot)


async def test_a_robot_that_is_not_there_is_named_without_its_address(free_port: int) -> None:
    robot = open_robot(settings(url=f"http://127.0.0.1:{free_port}/?key={TOKEN}", kind="wecom"))
    assert robot is not None
    with pytest.raises(Unreachable) as caught:
        await robot.send("x")
    assert TOKEN not in str(caught.value)


def test_the_kind_of_robot_is_told_by_its_address() -> None:
    assert open_robot(settings()) is None
    for url in ("https://oapi.dingtalk.com/robot/send?access_token=x", "https://qyapi.weixin.qq.com/cgi-bin/webhook"):
        assert open_robot(settings(url=url)) is not None
    for url in ("https://example.com/hook", "nonsense", "http://[", "ftp://oapi.dingtalk.com"):
        with pytest.raises(CannotStart, match="B1_ALERT_URL"):
            open_robot(settings(url=url))
    assert TOKEN not in repr(settings(url=f"https://oapi.dingtalk.com/?access_token={TOKEN}"))

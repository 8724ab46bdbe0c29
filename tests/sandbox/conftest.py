"""The sandbox over real HTTP, and a subscriber whose crypto nobody here wrote (dingtalk-sdk)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from dingtalk.crypto import DingTalkCrypto
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.sandbox import demo
from runtime.sandbox.app import create_app
from runtime.sandbox.world import World


@contextlib.asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """Runs an application on a free loopback port and yields its address."""
    # asyncio sets TCP_NODELAY only on a socket that names its protocol.
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_level="error", lifespan="on", ws="wsproto", timeout_graceful_shutdown=1, access_log=False
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Polls until the condition holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.01)
    return found


@dataclass
class RunningSandbox:
    """A sandbox, its simulators, and a client."""

    address: str
    world: World
    client: httpx.AsyncClient
    token: str = ""

    async def dingtalk(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """Calls DingTalk's API with a valid token."""
        if not self.token:
            body_ = {"appKey": demo.DINGTALK_APP_KEY, "appSecret": demo.DINGTALK_APP_SECRET}
            answer = await self.client.post("/dingtalk/v1.0/oauth2/accessToken", json=body_)
            self.token = answer.json()["accessToken"]
        headers = {"x-acs-dingtalk-access-token": self.token}
        return await self.client.request(method, f"/dingtalk{path}", json=body, params=query, headers=headers)

    async def start(self, body: Any = None) -> str:
        """Starts an approval and returns its id."""
        answer = await self.dingtalk("POST", "/v1.0/workflow/processInstances", body or purchase_request())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["instanceId"])

    async def control(self, method: str, path: str, body: Any = None, expected: int = 200) -> Any:
        """Calls the control API."""
        answer = await self.client.request(method, f"/control{path}", json=body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    eventually = staticmethod(eventually)


def purchase_request(**changes: str) -> dict[str, Any]:
    """A start that the demo form accepts; ``changes`` replace or add values by label, an empty one leaves it out."""
    rows = [
        [{"name": "品名", "value": "螺丝"}, {"name": "品号", "value": "A1"}, {"name": "需求数量", "value": "10.5"}],
        [{"name": "品名", "value": "<b>螺母</b>"}, {"name": "需求日期", "value": "2026-12-01"}],
    ]
    values = {
        "请购单别": "计划请购",
        "请购人员": "张三",
        "单据日期": "2026-11-23",
        "备注": "第一行\r\n<script>alert(1)</script>",
        "物料表": json.dumps(rows, ensure_ascii=False),
        **changes,
    }
    return {
        "originatorUserId": "user-zhangsan",
        "processCode": demo.PROCESS_CODE,
        "deptId": 1001,
        "formComponentValues": [{"name": name, "value": value} for name, value in values.items() if value != ""],
    }


@pytest.fixture
def start_body() -> Callable[..., dict[str, Any]]:
    """See :func:`purchase_request`."""
    return purchase_request


@pytest.fixture(name="listening")
def listening_fixture() -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[str]]:
    """See :func:`listening`."""
    return listening


@pytest.fixture
def run_sandbox() -> Callable[..., contextlib.AbstractAsyncContextManager[RunningSandbox]]:
    """Starts a sandbox with the given options of ``create_app``."""

    @contextlib.asynccontextmanager
    async def run(**options: Any) -> AsyncIterator[RunningSandbox]:
        app = create_app(**options)
        async with (
            listening(app) as address,
            httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client,
        ):
            yield RunningSandbox(address, app.world, client)

    return run


@pytest.fixture
def listen() -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[str]]:
    """See :func:`listening`."""
    return listening


@pytest.fixture
async def sandbox(run_sandbox: Any) -> AsyncIterator[RunningSandbox]:
    """A sandbox with the demo data, in memory."""
    async with run_sandbox() as running:
        yield running


@dataclass
class Subscriber:
    """A callback address: what it got, and how it answers."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    #: Answers wrongly this many times.
    wrong: int = 0
    #: Waits this long before each answer, in seconds.
    delay: float = 0.0
    #: What it answers, encrypted.
    answer: str = "success"
    crypto: DingTalkCrypto = field(
        default_factory=lambda: DingTalkCrypto(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)
    )

    async def receive(self, request: Request) -> JSONResponse:
        """Decrypts with the independent peer; raises if signature or owner is wrong."""
        query = request.query_params
        text = self.crypto.decrypt_message(
            await request.json(), query["msg_signature"], query["timestamp"], query["nonce"]
        )
        assert query["signature"] == query["msg_signature"]
        self.events.append(json.loads(text))
        await asyncio.sleep(self.delay)
        if self.wrong > 0:
            self.wrong -= 1
            return JSONResponse({"errcode": 0})
        return JSONResponse(self.crypto.encrypt_message(self.answer))

    def of(self, instance_id: str) -> list[str]:
        """Types of the events about one instance."""
        return [event["type"] for event in self.events if event.get("processInstanceId") == instance_id]


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    """A callback address that answers correctly until told otherwise."""
    subscriber = Subscriber()
    app = Starlette(routes=[Route("/callbacks/{name}", subscriber.receive, methods=["POST"])])
    async with listening(app) as address:
        subscriber.address = f"{address}/callbacks/dingtalk-demo"
        yield subscriber

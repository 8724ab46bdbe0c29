"""An e-cology whose answers the test writes itself, the e-cology double, and connections to both."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest_asyncio
import uvicorn
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime.connectors.registry import open_connector
from runtime.connectors.weaver.connector import WeaverConnector
from runtime.sandbox import demo
from runtime.sandbox.app import create_app

SECRET = "0f5b9d0e-0d4a-4d0c-8a5f-000000000001"
Connect = Callable[..., WeaverConnector]


class FakeWeaver:
    """Answers regist and applytoken, and every other path from a list (the last answer stays) or a function.

    Its RSA is ``cryptography``'s.
    """

    def __init__(self) -> None:
        self.url = ""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.answers: dict[str, Any] = {}
        #: (path, headers, fields)
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.token_headers: list[dict[str, str]] = []
        self.tokens = 0

    @property
    def spk(self) -> str:
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(public).decode()

    def opened(self, sealed: str) -> str:
        """What was encrypted for this server."""
        return self.key.decrypt(base64.b64decode(sealed), padding.PKCS1v15()).decode()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.path == "/api/ec/dev/auth/applytoken":
            self.tokens += 1
            self.token_headers.append(headers)
            if "applytoken" in self.answers:
                return web.json_response(self.answers["applytoken"])
            return web.json_response({"code": 0, "token": f"token-{self.tokens}", "msg": "获取成功!", "status": True})
        fields = dict(parse_qsl((await request.read()).decode(), keep_blank_values=True)) | dict(request.query)
        self.calls.append((request.path, headers, fields))
        name = request.path.removeprefix("/api/workflow/paService/")
        answers = self.answers[name]
        answer = answers(fields) if callable(answers) else answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, web.Response):
            return answer
        response = web.json_response(answer)
        response.set_cookie("ecology_JSessionid", "session-of-somebody")
        return response

    def fields(self, name: str) -> list[dict[str, Any]]:
        """What was sent to a call; nested JSON read."""
        sent = [fields for path, _, fields in self.calls if path.endswith(name)]
        return [
            {key: json.loads(value) if value[:1] in ("[", "{") else value for key, value in one.items()} for one in sent
        ]


@pytest_asyncio.fixture
async def weaver(serve: Callable[..., Awaitable[Any]]) -> FakeWeaver:
    fake = FakeWeaver()
    fake.url = (await serve(fake.handle)).url
    return fake


@pytest_asyncio.fixture
async def connect(weaver: FakeWeaver) -> AsyncIterator[Connect]:
    """``connect(**settings)`` opens a connection to the fake."""
    opened: list[WeaverConnector] = []

    def make(**settings: Any) -> WeaverConnector:
        document = {"kind": "weaver", "base_url": weaver.url, "app_id": "A-1", "secret": SECRET, "spk": weaver.spk}
        connector = open_connector("oa", document | {"user_id": "1", "retries": 1, "rate": 1000} | settings)
        assert isinstance(connector, WeaverConnector)
        opened.append(connector)
        return connector

    yield make
    for connector in opened:
        await connector.aclose()


@dataclass
class Sandbox:
    """The running double and its control API."""

    url: str

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(method, f"{self.url}/control{path}", json=body)
            answer.raise_for_status()
            return answer.json()

    async def next_fault(self, fault: str, path: str = "doCreateRequest") -> None:
        await self.control("POST", "/faults/next", {"fault": fault, "method": "POST", "path": path})

    async def requests(self) -> list[Any]:
        return list((await self.control("GET", "/weaver/requests"))["requests"])


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    server = uvicorn.Server(uvicorn.Config(create_app(), port=0, log_level="critical", access_log=False))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
    yield Sandbox(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    server.should_exit = True
    await task


@pytest_asyncio.fixture
async def link(sandbox: Sandbox) -> AsyncIterator[Connect]:
    """``link(**settings)`` connects to the sandbox; its registration is asked for first."""
    opened: list[WeaverConnector] = []
    registration = await sandbox.control("GET", "/weaver/registration")

    def make(**settings: Any) -> WeaverConnector:
        document = demo.connections(sandbox.url)[demo.WEAVER_CONNECTION] | registration
        connector = open_connector("oa", document | {"rate": 1000, "retries": 1} | settings)
        assert isinstance(connector, WeaverConnector)
        opened.append(connector)
        return connector

    yield make
    for connector in opened:
        await connector.aclose()

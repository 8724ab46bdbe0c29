"""Real servers on loopback that behave well, badly, or not at all."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from aiohttp import web

from runtime.connectors.base import Connector
from runtime.connectors.registry import connector_kinds, open_connector
from runtime.sandbox import demo
from runtime.sandbox.app import create_app
from runtime.sandbox.world import World
from tests.connectors.samples import KINDS, Open, required_settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Served:
    """A running HTTP server and what it was asked."""

    url: str
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """``await serve(handler, tls=None)`` starts an HTTP server; all of them stop with the test."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler, *, tls: ssl.SSLContext | None = None) -> Served:
        served = Served(url="")

        async def answer(request: web.Request) -> web.StreamResponse:
            served.requests.append(request)
            served.bodies.append(await request.read())
            return await handler(request)

        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        served.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        return served

    yield start
    for runner in runners:
        await runner.cleanup()


@dataclass
class RawServed:
    """A TCP server that reads whole requests and then does as it was told."""

    url: str
    requests: int = 0


@pytest_asyncio.fixture
async def serve_raw() -> AsyncIterator[Callable[..., Awaitable[RawServed]]]:
    """``await serve_raw(behaviour)``: ``reset``, ``close``, ``half`` (of a body), ``silent`` or ``garbage``."""
    servers: list[asyncio.Server] = []
    released = asyncio.Event()
    busy: set[asyncio.Task[Any]] = set()

    async def start(behaviour: str) -> RawServed:
        served = RawServed(url="")

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            busy.add(task)
            try:
                await converse(reader, writer)
            finally:
                busy.discard(task)

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length:" in head:
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            served.requests += 1
            if behaviour == "reset":
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif behaviour == "half":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
                await writer.drain()
            elif behaviour == "garbage":
                writer.write(b"this is not HTTP\r\n\r\n")
                await writer.drain()
            elif behaviour == "silent":
                await released.wait()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return served

    yield start
    released.set()
    for server in servers:
        server.close()
    if busy:
        await asyncio.wait(busy, timeout=5)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server context for 127.0.0.1 and the PEM file of the private authority that signed it."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, str(path)


@dataclass
class Sandbox:
    """The running doubles, what they hold, and their control API."""

    url: str
    world: World
    #: The approval system that the tests are about.
    system: str
    #: Path of the call that starts an approval there.
    start: str
    #: What its control API calls approvals.
    approvals: str = "instances"

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(method, f"{self.url}/control{path}", json=body)
            answer.raise_for_status()
            return answer.json()

    async def next_fault(self, fault: str, path: str = "", times: int = 1) -> None:
        """The next POST to the path (the start of an approval unless given) meets a fault."""
        planned = {"fault": fault, "method": "POST", "path": path or self.start, "times": times}
        await self.control("POST", "/faults/next", planned)

    async def instances(self) -> list[Any]:
        return list((await self.control("GET", f"/{self.system}/{self.approvals}"))[self.approvals])


@pytest_asyncio.fixture
async def sandbox(oa: tuple[str, ...]) -> AsyncIterator[Sandbox]:
    """The doubles in this process, with their demo data in memory."""
    app = create_app(terminate_after=0.0)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
    yield Sandbox(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app.world, *oa)
    server.should_exit = True
    await task


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Callable[..., Connector[Any]]]:
    """``opened(document, **settings)``: a connection of a document; each of them is closed with the test."""
    connectors: list[Connector[Any]] = []

    def make(document: Mapping[str, Any], **settings: Any) -> Connector[Any]:
        connectors.append(open_connector("oa", {**document, "rate": 1000, "retries": 1, **settings}))
        return connectors[-1]

    yield make
    for connector in connectors:
        await connector.aclose()


@pytest_asyncio.fixture
async def link(sandbox: Sandbox, opened: Callable[..., Connector[Any]]) -> Callable[..., Connector[Any]]:
    """``link(**settings)`` connects to the sandbox with the demo's credentials; Weaver's are asked for first."""
    document = demo.connections(sandbox.url)[f"{sandbox.system}-demo"]
    if sandbox.system == "weaver":
        document |= await sandbox.control("GET", "/weaver/registration")
    return partial(opened, document)


@pytest.fixture
def run() -> Callable[..., Awaitable[Any]]:
    """``await run(connector, "get_approval", instance_id=…)`` with the parameters checked first."""

    async def call(connector: Connector[Any], name: str, /, **params: Any) -> Any:
        action = connector.actions[name]
        return await action.run(action.params.model_validate(params))

    return call


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Connector[Any]]:
    return connector_kinds()[request.param]


@pytest.fixture
async def connect(kind: type[Connector[Any]]) -> AsyncIterator[Open]:
    """``connect(url, **settings)`` opens a connection of the kind under test."""
    opened: list[Connector[Any]] = []

    def make(base_url: str, **settings: Any) -> Connector[Any]:
        chosen = {"retries": 1, "rate": 1000.0, "timeout": 5.0} | settings
        fitting = {name: value for name, value in chosen.items() if name in kind.settings_model.model_fields}
        opened.append(open_connector("probe", {"kind": kind.kind, **required_settings(kind, base_url), **fitting}))
        return opened[-1]

    yield make
    for connector in opened:
        await connector.aclose()

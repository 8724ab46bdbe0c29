"""A simulator behind a real HTTP server, and clients that are logged in to it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.storage import Storage

LOGIN = {"CompanyDB": "SBODEMOCN", "UserName": "manager", "Password": "manager"}


class Clock:
    """Time that only moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 3, 14, 45, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class Stage:
    """One HTTP server for all tests; each test puts its own simulator on it, mounted under ``/b1``."""

    def __init__(self) -> None:
        self.app = Starlette()
        self.address = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    built = Stage()
    server = uvicorn.Server(uvicorn.Config(built, log_level="error", lifespan="off", server_header=False))
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # so that asyncio turns Nagle off
        listener.bind(("127.0.0.1", 0))
        built.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.005)
        yield built
        server.should_exit = True
        thread.join()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> B1Simulator:
    built = B1Simulator(Storage(None), clock=clock)
    built.seed()
    return built


@pytest.fixture
def address(stage: Stage, simulator: B1Simulator) -> str:
    stage.app = Starlette(routes=[Mount("/b1", routes=simulator.routes())])
    return stage.address


@pytest.fixture
async def connect(address: str) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients of the service root of a version; they are closed at the end."""
    clients: list[httpx.AsyncClient] = []

    def build(version: str = "v1") -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(base_url=f"{address}/b1/b1s/{version}/", trust_env=False, timeout=30))
        return clients[-1]

    yield build
    for client in clients:
        await client.aclose()


@pytest.fixture
async def v1(connect: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    client = connect("v1")
    assert (await client.post("Login", json=LOGIN)).status_code == 200
    return client


@pytest.fixture
async def v2(connect: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    client = connect("v2")
    assert (await client.post("Login", json=LOGIN)).status_code == 200
    return client

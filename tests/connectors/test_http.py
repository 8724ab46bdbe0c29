"""The HTTP client that all connectors share, against real sockets: what is repeated, and what a fault means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from aiohttp import web
from pydantic import Field, SecretStr

from runtime.connectors.actions import Effect
from runtime.connectors.http import HttpClient, read_json
from runtime.connectors.settings import HttpSettings
from runtime.errors import (
    BadConnection,
    IntegrationError,
    OutcomeUnknown,
    RemoteFault,
    RemoteRefused,
    Throttled,
    TimedOut,
    Unreachable,
)
from runtime.mapping.values import to_text


class PlainSettings(HttpSettings):
    password: SecretStr = Field(SecretStr("open-sesame"), title="密码", description="Password")


Clients = Callable[..., HttpClient]


@pytest.fixture
async def client() -> AsyncIterator[Clients]:
    """Makes clients that are closed with the test."""
    made: list[HttpClient] = []

    def make(url: str, **settings: Any) -> HttpClient:
        chosen = {"retries": 1, "rate": 1000.0, "timeout": 5.0} | settings
        made.append(HttpClient("shop", PlainSettings(base_url=url, **chosen)))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


def accept(response: httpx.Response) -> None:
    """A check that lets everything pass but 5xx, 429 and 4xx."""
    if response.status_code == 429:
        raise Throttled("慢", "slow down", retry_after=float(response.headers.get("retry-after", 0)))
    if response.status_code >= 500:
        raise RemoteFault("坏", "broken", code=str(response.status_code), remote=response.text)
    if response.status_code >= 400:
        raise RemoteRefused("拒", "refused", code=str(response.status_code), remote=response.text)


@pytest.mark.parametrize("behaviour", ["reset", "close", "half", "garbage", "silent"])
@pytest.mark.parametrize("effect", list(Effect))
async def test_an_answer_that_never_comes(
    client: Clients, serve_raw: Callable[..., Awaitable[Any]], behaviour: str, effect: Effect
) -> None:
    server = await serve_raw(behaviour)
    sender = client(server.url, timeout=0.3 if behaviour == "silent" else 5.0)
    expected: type[IntegrationError] = OutcomeUnknown if effect is Effect.CREATE else TimedOut
    with pytest.raises(expected) as caught:
        await sender.send("POST", server.url + "/things", effect=effect, check=accept, body={"a": 1})
    assert server.requests == (1 if effect is Effect.CREATE else 2)
    assert f"shop POST {server.url}/things" in str(caught.value)


@pytest.mark.parametrize("effect", list(Effect))
async def test_a_refused_connection_was_certainly_not_processed(
    client: Clients, free_port: int, effect: Effect
) -> None:
    address = f"http://127.0.0.1:{free_port}/things"
    with pytest.raises(Unreachable) as caught:
        await client(address, retries=1).send("POST", address, effect=effect, check=accept, body={})
    assert address in str(caught.value)
    # Nobody answered: the operating system's words must not be passed off as the other system's.
    assert "（原因：" in caught.value.sentence("zh-CN")
    assert "(cause: " in caught.value.sentence("en")


async def test_a_connection_that_is_never_accepted_was_not_processed_either(client: Clients) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = f"http://127.0.0.1:{full.getsockname()[1]}"
        waiting = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            waiting.append(filler)
        try:
            with pytest.raises(Unreachable):
                await client(address, timeout=0.3, retries=0).send("POST", address, effect=Effect.CREATE, check=accept)
        finally:
            for filler in waiting:
                filler.close()


async def test_a_create_after_a_silent_close_of_the_pooled_connection_is_not_sent_twice(
    client: Clients, serve: Callable[..., Awaitable[Any]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/second":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({})

    server = await serve(handler)
    sender = client(server.url)
    await sender.send("POST", server.url + "/first", effect=Effect.CREATE, check=accept, body={})
    with pytest.raises(OutcomeUnknown):
        await sender.send("POST", server.url + "/second", effect=Effect.CREATE, check=accept, body={})
    assert server.paths() == ["/first", "/second"]


@pytest.mark.parametrize(
    ("status", "effect", "expected"),
    [
        (500, Effect.READ, (RemoteFault, 2)),
        (503, Effect.UPDATE, (RemoteFault, 2)),
        (502, Effect.CREATE, (OutcomeUnknown, 1)),
        (429, Effect.READ, (Throttled, 2)),
        (429, Effect.CREATE, (Throttled, 2)),
        (400, Effect.READ, (RemoteRefused, 1)),
        (409, Effect.CREATE, (RemoteRefused, 1)),
    ],
)
async def test_error_answers(
    client: Clients,
    serve: Callable[..., Awaitable[Any]],
    status: int,
    effect: Effect,
    expected: tuple[type[IntegrationError], int],
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="no")

    server = await serve(handler)
    error, requests = expected
    with pytest.raises(error):
        await client(server.url).send("POST", server.url, effect=effect, check=accept, body={})
    assert len(server.requests) == requests


async def test_a_transient_fault_heals(client: Clients, serve: Callable[..., Awaitable[Any]]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"n": len(server.requests)}, status=503 if len(server.requests) < 2 else 200)

    server = await serve(handler)
    response = await client(server.url).send("PATCH", server.url, effect=Effect.UPDATE, check=accept, body={"a": 1})
    assert read_json(response) == {"n": 2}
    assert set(server.bodies) == {b'{"a":1}'}


@pytest.mark.parametrize(("effect", "first", "partly"), [
    (Effect.UPDATE, 500, True),
    (Effect.UPDATE, 429, False),
    (Effect.UPDATE, 409, False),
    (Effect.READ, 500, False),
])  # fmt: skip
async def test_a_refusal_of_a_repeat_says_that_the_first_may_have_gone_through(
    client: Clients, serve: Callable[..., Awaitable[Any]], effect: Effect, first: int, partly: bool
) -> None:
    statuses = [first, 409]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0))

    server = await serve(answer)
    with pytest.raises(RemoteRefused) as caught:
        await client(server.url).send("PATCH", server.url + "/x", effect=effect, check=accept)
    assert caught.value.partly_done is partly


async def test_a_long_pause_is_left_to_the_next_run(client: Clients, serve: Callable[..., Awaitable[Any]]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "3600"})

    server = await serve(handler)
    with pytest.raises(Throttled):
        await client(server.url).send("GET", server.url, check=accept)
    assert len(server.requests) == 1


async def test_an_answer_to_a_create_that_the_check_trips_over_is_unknown(
    client: Clients, serve: Callable[..., Awaitable[Any]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    def trips(response: httpx.Response) -> None:
        response.json()["missing"]

    server = await serve(handler)
    with pytest.raises(OutcomeUnknown):
        await client(server.url).send("POST", server.url, effect=Effect.CREATE, check=trips, body={})
    with pytest.raises(KeyError):
        await client(server.url).send("GET", server.url, check=trips)


async def test_an_answer_with_a_broken_encoding_to_a_create_is_unknown(
    client: Clients, serve: Callable[..., Awaitable[Any]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"not gzip", headers={"Content-Encoding": "gzip"})

    server = await serve(handler)
    with pytest.raises(OutcomeUnknown):
        await client(server.url).send("POST", server.url, effect=Effect.CREATE, check=accept, body={})
    assert len(server.requests) == 1


async def test_neither_query_nor_password_shows_in_an_error(
    client: Clients, serve: Callable[..., Awaitable[Any]], serve_raw: Callable[..., Awaitable[Any]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text=f"bad: {request.query_string} {(await request.read()).decode()}")

    server, deaf = await serve(handler), await serve_raw("reset")
    for url, params in ((server.url, {}), (deaf.url, {"appsecret": "open-sesame"})):
        with pytest.raises(IntegrationError) as caught:
            await client(url).send("POST", url, params=params, check=accept, body={"password": "open-sesame"})
        assert "sesame" not in str(caught.value)
        assert "sesame" not in repr(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:99999/", "ftp://127.0.0.1/", "http:///nowhere", "nonsense"])
async def test_an_address_that_cannot_work(client: Clients, address: str) -> None:
    with pytest.raises(BadConnection):
        await client("http://127.0.0.1:1").send("POST", address, effect=Effect.CREATE, check=accept, body={})


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8080", "http://", "http://u:p@127.0.0.1", "http://h/?a=1", "http://h:x"]
)
def test_addresses_are_checked_in_the_settings(address: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        PlainSettings(base_url=address)


async def test_cookies_are_the_connectors_business(client: Clients, serve: Callable[..., Awaitable[Any]]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, headers={"Set-Cookie": "B1SESSION=stale; Path=/"})

    server = await serve(handler)
    sender = client(server.url.replace("127.0.0.1", "localhost"))
    for _ in range(2):
        await sender.send("GET", server.url.replace("127.0.0.1", "localhost"), check=accept)
    assert [request.headers.get("Cookie") for request in server.requests] == [None, None]


async def test_decimals_go_out_and_come_in_as_written(client: Clients, serve: Callable[..., Awaitable[Any]]) -> None:
    from decimal import Decimal

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read(), content_type="application/json")

    server = await serve(handler)
    sent = {"price": Decimal("10.10"), "note": "单价"}
    assert read_json(await client(server.url).send("POST", server.url, check=accept, body=sent)) == sent


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("260.0", "260"),
        ("12.50", "12.5"),
        ("-0.0", "0"),
        ("0.05", "0.05"),
        ("100", "100"),
        ("1.50e3", "1500"),
        ("0.1234567890123456789012345678901230", "0.123456789012345678901234567890123"),
    ],
)
def test_zeros_that_say_nothing_are_not_shown(written: str, number: str) -> None:
    assert to_text(read_json(httpx.Response(200, text=written))) == number


async def test_an_answer_that_is_no_json() -> None:
    with pytest.raises(RemoteFault) as caught:
        read_json(httpx.Response(200, text="<html>"))
    assert caught.value.remote == "<html>"


async def test_the_rate_limit_holds_for_all_callers_together(
    client: Clients, serve: Callable[..., Awaitable[Any]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        arrivals.append(asyncio.get_running_loop().time())
        return web.json_response({})

    arrivals: list[float] = []
    server = await serve(handler)
    sender = client(server.url, rate=10.0)
    await asyncio.gather(*(sender.send("GET", server.url, check=accept) for _ in range(15)))
    # a bucket of ten drains at ten a second: the fifteenth call cannot come before half a second has passed
    assert max(arrivals) - min(arrivals) > 0.4


async def test_tls_is_verified_unless_the_connection_says_otherwise(
    client: Clients, serve: Callable[..., Awaitable[Any]], certificates: Any, tmp_path: Any
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    context, ca_file = certificates
    server = await serve(handler, tls=context)
    with pytest.raises(BadConnection, match="not trusted"):
        await client(server.url).send("POST", server.url, effect=Effect.CREATE, check=accept, body={})
    assert server.requests == []
    await client(server.url, ca_file=ca_file).send("GET", server.url, check=accept)
    await client(server.url, verify_tls=False).send("GET", server.url, check=accept)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(BadConnection, match="ca_file"):
            client(server.url, ca_file=str(path))

"""Stream mode against a gateway whose frames the test writes itself: what is read, and what is answered when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import WSMessage, web

from runtime.connectors.dingtalk.connector import DingTalkConnector
from runtime.connectors.event_stream import Delivery, EventStream
from runtime.connectors.events import CallbackRequest, Event, Outcome
from runtime.errors import BadConnection, IntegrationError, LoginRefused, RemoteFault, Unreachable
from runtime.sandbox.dingtalk.crypto import Envelope

Connect = Callable[..., DingTalkConnector]
OPEN = "/v1.0/gateway/connections/open"
TOKEN = "/v1.0/oauth2/accessToken"
AES_KEY = "a" * 43
#: DingTalk open platform, 审批事件: the inner object, without its type and its id.
FINISHED = {
    "processInstanceId": "i-1", "finishTime": 1495592272000, "createTime": 1495592259000, "processCode": "PROC-1",
    "type": "finish", "result": "agree", "staffId": "manager75", "title": "自测",
}  # fmt: skip


class Gateway:
    """Gives tickets out and talks to whoever connects with one."""

    def __init__(self) -> None:
        self.url = ""
        self.opened: list[dict[str, Any]] = []
        self.tickets: list[str] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.answer: dict[str, Any] = {}
        self.clients: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.got: asyncio.Queue[WSMessage] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == OPEN:
            self.opened.append(await request.json())
            if self.refusal:
                return web.json_response(self.refusal[1], status=self.refusal[0])
            ticket = f"ticket+/={len(self.opened)}"
            return web.json_response(
                {"endpoint": self.url.replace("http", "ws", 1) + "/connect", "ticket": ticket} | self.answer
            )
        if request.path == TOKEN:
            return web.json_response({"accessToken": "t", "expireIn": 7200})
        if request.path != "/connect":
            return web.json_response({"code": "formNotExist", "message": "x"}, status=400)
        self.tickets.append(request.query["ticket"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.clients.put_nowait(socket)
        async for message in socket:
            self.got.put_nowait(message)
        return socket

    async def client(self) -> web.WebSocketResponse:
        """The next one that connected."""
        async with asyncio.timeout(10):
            return await self.clients.get()

    async def answered(self) -> dict[str, Any]:
        """The next answer, its data opened."""
        async with asyncio.timeout(10):
            frame: dict[str, Any] = json.loads((await self.got.get()).data)
        assert isinstance(frame["data"], str)
        return frame | {"data": json.loads(frame["data"])}


@pytest_asyncio.fixture
async def gateway(serve: Callable[..., Awaitable[Any]]) -> Gateway:
    gateway = Gateway()
    gateway.url = (await serve(gateway.handle)).url
    return gateway


@pytest_asyncio.fixture
async def stream(gateway: Gateway, connect: Connect) -> EventStream:
    found = connect(base_url=gateway.url, event_mode="stream", reconnect_after=0.5).event_stream()
    assert found is not None
    return found


def frame(data: Any, *, kind: str = "EVENT", message_id: str = "m-1", **headers: Any) -> str:
    """A frame as DingTalk sends it."""
    known = {
        "appId": "app", "connectionId": "c", "contentType": "application/json", "messageId": message_id,
        "time": "1700000000000", "topic": "*", "eventId": "event-1", "eventType": "bpms_instance_change",
        "eventBornTime": "1495592272000", "eventCorpId": "ding9f", "eventUnifiedAppId": "u",
    }  # fmt: skip
    text = data if isinstance(data, str) else json.dumps(data)
    return json.dumps({"specVersion": "1.0", "type": kind, "headers": known | headers, "data": text})


async def received(deliveries: AsyncIterator[Delivery]) -> Delivery:
    async with asyncio.timeout(10):
        return await anext(deliveries)


async def test_only_a_connection_in_stream_mode_has_a_stream(connect: Connect) -> None:
    assert connect().event_stream() is None
    stream = connect(event_mode="stream", reconnect_after=7).event_stream()
    assert stream is not None
    assert stream.pause == 7
    with pytest.raises(BadConnection):
        connect(event_mode="carrier pigeon")


async def test_an_event_is_answered_when_its_receiver_says_so_and_not_before(
    gateway: Gateway, stream: EventStream
) -> None:
    async with stream.open() as deliveries:
        server = await gateway.client()
        [opened] = gateway.opened
        assert (opened["clientId"], opened["clientSecret"]) == ("ding-key", "ding-secret-value")
        assert opened["subscriptions"] == [{"type": "EVENT", "topic": "*"}]
        assert gateway.tickets == ["ticket+/=1"]
        await server.send_str(frame(FINISHED))
        delivery = await received(deliveries)
        [event] = delivery.events
        assert (event.key, event.type, event.outcome) == ("event-1", "approval.finished", Outcome.AGREED)
        assert (event.instance_id, event.form, event.approver) == ("i-1", "PROC-1", "")
        assert event.finished_at is not None
        # Nothing was answered so far: a second event overtakes the first one's answer.
        await server.send_str(frame(FINISHED | {"type": "terminate"}, message_id="m-2", eventId="event-2"))
        second = await received(deliveries)
        assert second.events[0].outcome is Outcome.WITHDRAWN
        await second.decline()
        await delivery.acknowledge()
        later, done = await gateway.answered(), await gateway.answered()
    assert (later["code"], later["headers"]["messageId"], later["data"]["status"]) == (500, "m-2", "LATER")
    assert (done["code"], done["headers"]["messageId"], done["data"]["status"]) == (200, "m-1", "SUCCESS")
    assert done["headers"]["contentType"] == "application/json"


async def test_both_ways_report_one_event_under_one_key(gateway: Gateway, connect: Connect) -> None:
    connector = connect(base_url=gateway.url, event_mode="stream", aes_key=AES_KEY, token="t0ken")
    pushed = {"EventType": "bpms_instance_change", "EventTime": 1495592272000, "CorpId": "ding9f", **FINISHED}

    def by_http(message: dict[str, Any]) -> Event:
        query, body = Envelope("t0ken", AES_KEY, "ding-key").seal(json.dumps(message).encode())
        request = CallbackRequest(method="POST", query=query, headers={}, body=json.dumps(body).encode())
        return connector.receive(request).events[0]

    stream = connector.event_stream()
    assert stream is not None
    async with stream.open() as deliveries:
        server = await gateway.client()
        await server.send_str(frame(FINISHED))
        await server.send_str(frame(FINISHED, eventId=""))
        named, nameless = [(await received(deliveries)).events[0] for _ in range(2)]
    assert by_http(pushed | {"eventId": "event-1"}).key == named.key == "event-1"
    assert by_http(pushed).key == nameless.key != "event-1"
    assert {key.lower() for key in named.raw} == {key.lower() for key in pushed} | {"eventid"}


async def test_what_is_not_wanted_is_acknowledged_and_a_request_to_reconnect_ends_the_stream(
    gateway: Gateway, stream: EventStream
) -> None:
    async with stream.open() as deliveries:
        server = await gateway.client()
        await server.send_str("no JSON at all")
        await server.send_str('["a list"]')
        await server.send_str(frame({"opaque": "7"}, kind="SYSTEM", topic="ping", message_id="ping"))
        await server.send_str(frame({"text": "hi"}, kind="CALLBACK", topic="/v1.0/im/bot", message_id="bot"))
        await server.send_str(frame(FINISHED, eventType="org_dept_create", message_id="dept"))
        unknown = await received(deliveries)
        assert unknown.events[0].type == "dingtalk.org_dept_create"
        await unknown.acknowledge()
        await server.send_str(frame({"reason": "restart"}, kind="SYSTEM", topic="disconnect", message_id="bye"))
        async with asyncio.timeout(10):
            assert [delivery async for delivery in deliveries] == []
        answers = [await gateway.answered() for _ in range(6)]
    assert [answer["code"] for answer in answers] == [200] * 6
    assert [answer["headers"]["messageId"] for answer in answers] == [None, None, "ping", "bot", "dept", "bye"]
    assert answers[2]["data"] == {"opaque": "7"}
    async with stream.open():
        await gateway.client()
    assert gateway.tickets == ["ticket+/=1", "ticket+/=2"]


@pytest.mark.parametrize("data", ["", "not JSON", "[1]", '"text"', "{" * 5000])
async def test_an_event_that_makes_no_sense_is_no_event(gateway: Gateway, stream: EventStream, data: str) -> None:
    async with stream.open() as deliveries:
        server = await gateway.client()
        await server.send_str(frame(data))
        delivery = await received(deliveries)
        assert delivery.events == ()
        assert delivery.problem is not None
        await server.send_str(frame(FINISHED))
        assert (await received(deliveries)).problem is None


async def test_a_connection_that_breaks_off_is_a_transient_fault(gateway: Gateway, stream: EventStream) -> None:
    async with stream.open() as deliveries:
        server = await gateway.client()
        await server.send_str(frame(FINISHED))
        delivery = await received(deliveries)
        await server.close(code=1011)
        with pytest.raises(Unreachable) as lost:
            await received(deliveries)
        assert lost.value.where == "oa"
        with pytest.raises(Unreachable):
            await delivery.acknowledge()


async def test_wrong_credentials_and_strange_answers_have_their_names(gateway: Gateway, connect: Connect) -> None:
    connector = connect(base_url=gateway.url, event_mode="stream", retries=0)
    stream = connector.event_stream()
    assert stream is not None

    async def failure() -> IntegrationError:
        with pytest.raises(IntegrationError) as caught:
            async with stream.open():
                raise AssertionError("it opened")
        assert "ding-secret-value" not in str(caught.value)
        return caught.value

    for code in ("invalidClientIdOrSecret", "authFailed", "InvalidAuthentication"):
        gateway.refusal = (400, {"code": code, "message": "ding-secret-value is wrong"})
        assert isinstance(await failure(), LoginRefused)
    gateway.refusal = (503, {"code": "busy", "message": "x"})
    assert isinstance(await failure(), RemoteFault)
    gateway.refusal = None
    for answer in ({"endpoint": ""}, {"ticket": None}, {"endpoint": "file:///etc/passwd"}):
        gateway.answer = answer
        assert isinstance(await failure(), RemoteFault)
    gateway.answer = {"endpoint": gateway.url.replace("http", "ws", 1) + "/elsewhere"}
    assert isinstance(await failure(), Unreachable)
    gateway.answer = {"endpoint": "ws://127.0.0.1:1/connect"}
    assert isinstance(await failure(), Unreachable)
    gateway.answer = {"endpoint": "ws://127.0.0.1:99999/connect"}
    assert isinstance(await failure(), BadConnection)


async def test_a_ticket_never_travels_in_the_open_where_the_secret_did_not(
    gateway: Gateway, connect: Connect, serve: Callable[..., Awaitable[Any]], certificates: Any
) -> None:
    context, authority = certificates
    secure = await serve(gateway.handle, tls=context)
    gateway.url = secure.url
    stream = connect(base_url=secure.url, ca_file=authority, event_mode="stream", retries=0).event_stream()
    assert stream is not None
    async with stream.open():
        await gateway.client()
    gateway.answer = {"endpoint": "ws://127.0.0.1:1/connect"}
    with pytest.raises(RemoteFault):
        async with stream.open():
            raise AssertionError("it opened")


async def test_the_connection_test_asks_for_a_ticket_and_leaves_it_at_that(gateway: Gateway, connect: Connect) -> None:
    report = await connect(base_url=gateway.url, event_mode="stream").test()
    assert "Stream mode works: got a ticket for a connection" in [en for _, en in report.lines]
    assert (len(gateway.opened), gateway.tickets) == (1, [])
    gateway.refusal = (403, {"code": "Forbidden.AccessDenied", "message": "no stream"})
    with pytest.raises(IntegrationError):
        await connect(base_url=gateway.url, event_mode="stream").test()

"""Stream mode over a real WebSocket: tickets, frames, acknowledgements, repeats; and DingTalk's own client as peer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from runtime.sandbox import demo

OPEN = "/dingtalk/v1.0/gateway/connections/open"
LOGIN = {
    "clientId": demo.DINGTALK_APP_KEY,
    "clientSecret": demo.DINGTALK_APP_SECRET,
    "subscriptions": [{"type": "EVENT", "topic": "*"}],
    "ua": "test",
    "localIp": "127.0.0.1",
}
#: A client by DingTalk: it agrees to every event and prints it.
OFFICIAL = """
import asyncio, json, sys
import dingtalk_stream
from dingtalk_stream import AckMessage, Credential, DingTalkStreamClient, EventHandler

class Printer(EventHandler):
    async def process(self, event):
        print(json.dumps([event.headers.event_id, event.headers.event_type, event.data]), flush=True)
        return AckMessage.STATUS_OK, "OK"

DingTalkStreamClient.OPEN_CONNECTION_API = sys.argv[1]
client = DingTalkStreamClient(Credential(sys.argv[2], sys.argv[3]))
client.register_all_event_handler(Printer())
asyncio.run(client.start())
"""


@contextlib.asynccontextmanager
async def connected(sandbox: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client with a ticket of its own."""
    opened = (await sandbox.client.post(OPEN, json=LOGIN)).json()
    async with aiohttp.ClientSession() as http, http.ws_connect(opened["endpoint"], params=opened) as socket:
        yield socket


async def frame(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    return dict(await socket.receive_json(timeout=10))


async def answer(socket: aiohttp.ClientWebSocketResponse, got: dict[str, Any], code: int, status: str) -> None:
    headers = {"messageId": got["headers"]["messageId"], "contentType": "application/json"}
    body = {"code": code, "headers": headers, "message": "", "data": json.dumps({"status": status})}
    await socket.send_json(body)


async def by_stream(sandbox: Any, **settings: Any) -> None:
    await sandbox.control("PUT", "/dingtalk/callback", {"mode": "stream", "backoff": [0.05] * 100, **settings})


async def push(sandbox: Any, state: str) -> dict[str, Any]:
    """The one push there is, once it is in this state."""
    log = sandbox.world.dingtalk.push.log
    await sandbox.eventually(lambda: [item.state for item in log()] == [state])
    [found] = (await sandbox.control("GET", "/dingtalk/events"))["events"]
    return dict(found)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clientSecret": "wrong"}, "invalidClientIdOrSecret"),
        ({"clientId": None}, "invalidClientIdOrSecret"),
        ({"subscriptions": []}, "invalidParameter"),
        ({"subscriptions": [{"type": "CALLBACK", "topic": "*"}]}, "invalidParameter"),
        ({"subscriptions": "EVENT"}, "invalidParameter"),
        ({"subscriptions": None}, "invalidParameter"),
    ],
)
async def test_strangers_get_no_ticket(sandbox: Any, changes: dict[str, Any], code: str) -> None:
    refused = await sandbox.client.post(OPEN, json=LOGIN | changes)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert (await sandbox.client.post(OPEN, content=b"[")).json()["code"] == "invalidParameter"


async def test_a_ticket_opens_one_connection_and_not_for_long(run_sandbox: Any) -> None:
    now = [1000.0]
    async with run_sandbox(clock=lambda: now[0]) as sandbox, aiohttp.ClientSession() as http:
        opened = (await sandbox.client.post(OPEN, json=LOGIN)).json()
        assert opened["endpoint"].startswith(sandbox.address.replace("http", "ws", 1))
        async with http.ws_connect(opened["endpoint"], params={"ticket": opened["ticket"]}):
            assert len((await sandbox.control("GET", "/dingtalk/stream"))["connections"]) == 1
        late = (await sandbox.client.post(OPEN, json=LOGIN)).json()["ticket"]
        now[0] += 91
        for ticket in (opened["ticket"], "made-up", "", late):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(opened["endpoint"], params={"ticket": ticket})


async def test_an_event_is_a_frame_and_comes_until_it_is_acknowledged(sandbox: Any) -> None:
    await by_stream(sandbox)
    instance = await sandbox.start()
    waiting = await push(sandbox, "pending")
    assert waiting["id"]
    async with connected(sandbox) as socket:
        for code, status in ((500, ""), (200, "LATER")):
            await answer(socket, await frame(socket), code, status)
        got = await frame(socket)
        assert (got["specVersion"], got["type"], got["headers"]["topic"]) == ("1.0", "EVENT", "*")
        assert got["headers"]["eventId"] == waiting["id"]
        assert got["headers"]["eventType"] == "bpms_instance_change"
        assert got["headers"]["eventCorpId"] == demo.DINGTALK_CORP_ID
        data = json.loads(got["data"])
        assert (data["processInstanceId"], data["type"]) == (instance, "start")
        assert not {"EventType", "EventTime", "CorpId", "eventId"} & data.keys()
        await answer(socket, got, 200, "SUCCESS")
        delivered = await push(sandbox, "delivered")
    problems = [attempt["problem"] for attempt in delivered["tries"]]
    assert "nobody is connected" in problems[0]
    assert ["asks for a repeat" in problem for problem in problems[-3:]] == [True, True, False]
    assert problems[-1] == ""


async def test_lost_answers_silence_and_broken_connections_bring_the_event_again(sandbox: Any) -> None:
    await by_stream(sandbox, judge_ms=300)
    async with connected(sandbox) as socket:
        await sandbox.control("POST", "/dingtalk/stream/lose-answers", {"times": 1})
        await sandbox.start()
        await answer(socket, await frame(socket), 200, "SUCCESS")
        await frame(socket)
        assert (await sandbox.control("POST", "/dingtalk/stream/cut"))["cut"] == 1
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
    async with connected(sandbox) as socket:
        await answer(socket, await frame(socket), 200, "")
        problems = "\n".join(attempt["problem"] for attempt in (await push(sandbox, "delivered"))["tries"])
    assert "no answer within 300 ms" in problems
    assert "closed without an answer" in problems


async def test_a_client_is_asked_to_reconnect(sandbox: Any) -> None:
    async with connected(sandbox) as socket:
        assert (await sandbox.control("POST", "/dingtalk/stream/disconnect"))["asked"] == 1
        got = await frame(socket)
        assert (got["type"], got["headers"]["topic"]) == ("SYSTEM", "disconnect")


async def test_what_waits_goes_the_new_way_when_the_mode_changes(sandbox: Any, subscriber: Any) -> None:
    await by_stream(sandbox, backoff=[600])
    instance = await sandbox.start()
    await sandbox.eventually(lambda: [item.rounds for item in sandbox.world.dingtalk.push.log()] == [1])
    await sandbox.control("PUT", "/dingtalk/callback", {"url": subscriber.address, "mode": "http"})
    await push(sandbox, "delivered")
    assert set(subscriber.of(instance)) == {"start"}
    await sandbox.control("PUT", "/dingtalk/callback", {"mode": "pigeon"}, expected=400)


async def test_dingtalks_own_client_gets_events_and_reconnects(sandbox: Any) -> None:
    await by_stream(sandbox)
    arguments = (f"{sandbox.address}{OPEN}", demo.DINGTALK_APP_KEY, demo.DINGTALK_APP_SECRET)
    peer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OFFICIAL, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        gateway = sandbox.world.dingtalk.gateway
        await sandbox.eventually(lambda: gateway.connections, seconds=60)
        before = gateway.connections
        instance = await sandbox.start()
        delivered = await push(sandbox, "delivered")
        assert peer.stdout is not None
        event_id, event_type, data = json.loads(await asyncio.wait_for(peer.stdout.readline(), 20))
        assert (event_id, event_type) == (delivered["id"], "bpms_instance_change")
        assert data["processInstanceId"] == instance
        await sandbox.control("POST", "/dingtalk/stream/disconnect")
        await sandbox.eventually(lambda: gateway.connections not in (before, []))
    finally:
        peer.terminate()
        await peer.wait()

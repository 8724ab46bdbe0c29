"""Stream mode: the demo app's own connections to DingTalk, over which events go out as frames.

Follows "DingTalk open platform, Stream 模式". How often DingTalk repeats is not documented; see
:mod:`runtime.sandbox.dingtalk.push`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.tokens import DingTalkTokens
from runtime.sandbox.oa.errors import json_response
from runtime.sandbox.oa.push import CallbackProblem

__all__ = ["Gateway", "NotDelivered"]

#: Seconds for which a ticket opens a connection, once.
_TICKET_SECONDS = 90.0
_CONNECT = "/v1.0/gateway/connect"
#: What a pushed message says in the headers of its frame, or not at all.
_OUTSIDE = ("EventType", "EventTime", "CorpId", "eventId")


class NotDelivered(CallbackProblem):
    """An event was not acknowledged; the text says why."""


class _Client:
    """One connection, and the frames that wait for their answer."""

    def __init__(self, socket: WebSocket) -> None:
        self.id = secrets.token_hex(8)
        self._socket = socket
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def send(self, kind: str, headers: Mapping[str, Any], data: str) -> asyncio.Future[Any]:
        """Send a frame; the future is its answer."""
        message_id = secrets.token_hex(12)
        self._waiting[message_id] = answer = asyncio.get_running_loop().create_future()
        frame = {
            "specVersion": "1.0",
            "type": kind,
            "headers": {
                "appId": "demo-app",
                "connectionId": self.id,
                "contentType": "application/json",
                "messageId": message_id,
                **headers,
            },
            "data": data,
        }
        try:
            await self._socket.send_text(jsontext.dumps(frame).decode())
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self._waiting.pop(message_id, None)
            raise NotDelivered("连接已断开 the connection is closed") from error
        return answer

    def answered(self, frame: Any) -> None:
        """Take an answer in; what belongs to no frame is ignored."""
        headers = frame.get("headers") if isinstance(frame, dict) else None
        waiting = self._waiting.pop(str(headers.get("messageId")), None) if isinstance(headers, dict) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def gone(self) -> None:
        """Nobody will answer any more."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    async def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(RuntimeError):  # the client was quicker
            await self._socket.close(1001)


class Gateway:
    """Opens stream connections of the demo app and sends events over them.

    :param tokens: knows the demo app
    :param clock: seconds since the epoch
    """

    def __init__(self, tokens: DingTalkTokens, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._tickets: dict[str, float] = {}
        self._clients: dict[str, _Client] = {}
        #: So many of the next answers are lost on their way.
        self.answers_to_lose = 0

    def routes(self) -> list[BaseRoute]:
        """Where a connection is asked for, and where it is made."""
        return [
            Route("/v1.0/gateway/connections/open", self._open, methods=["POST"]),
            WebSocketRoute(_CONNECT, self._connect),
        ]

    @property
    def connections(self) -> list[str]:
        """Ids of the connections that are open."""
        return list(self._clients)

    async def deliver(self, event: Mapping[str, Any], judge_ms: int) -> None:
        """Send an event over one of the connections and wait for its acknowledgement.

        :raises NotDelivered: nobody is connected, no answer in time, or the answer asks for a repeat
        """
        if not self._clients:
            raise NotDelivered("没有 Stream 连接 nobody is connected")
        client = random.choice(list(self._clients.values()))  # noqa: S311 - spread, not hidden
        headers = {
            "topic": "*",
            "time": str(int(self._clock() * 1000)),
            "eventId": event["eventId"],
            "eventType": event["EventType"],
            "eventBornTime": str(event["EventTime"]),
            "eventCorpId": demo.DINGTALK_CORP_ID,
            "eventUnifiedAppId": "demo-unified-app",
        }
        data = {name: value for name, value in event.items() if name not in _OUTSIDE}
        waiting = await client.send("EVENT", headers, jsontext.dumps(data).decode())
        try:
            async with asyncio.timeout(judge_ms / 1000):
                answer = await _outcome(waiting)
        except TimeoutError as error:
            raise NotDelivered(f"{judge_ms} 毫秒内没有应答 no answer within {judge_ms} ms") from error
        if answer.get("code") != 200 or _status(answer) == "LATER":
            raise NotDelivered(f"客户端要求重推 the client asks for a repeat: {str(answer)[:200]}")

    async def disconnect(self) -> int:
        """Ask every client for a new connection, as DingTalk does before a restart; how many were asked."""
        clients = list(self._clients.values())
        for client in clients:
            await client.send("SYSTEM", {"topic": "disconnect"}, '{"reason":"restart"}')
        return len(clients)

    async def cut(self) -> int:
        """Hang up on every client without a word; how many there were."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            client.gone()
            await client.close()
        return len(clients)

    async def _open(self, request: Request) -> Response:
        """建立 Stream 连接的凭证"""
        try:
            body = jsontext.loads(await request.body())
            self._tokens.check_app(body.get("clientId"), body.get("clientSecret"))
            wanted = [item.get("type") for item in body.get("subscriptions", [])]
        except (ValueError, AttributeError, TypeError):
            return DingTalkError("invalidParameter", "参数错误").response()
        except DingTalkError as error:
            return error.response()
        if "EVENT" not in wanted:
            return DingTalkError("invalidParameter", "参数错误：subscriptions").response()
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = self._clock() + _TICKET_SECONDS
        address = request.url.replace(scheme="ws" if request.url.scheme == "http" else "wss", query="", fragment="")
        path = address.path.removesuffix("/v1.0/gateway/connections/open") + _CONNECT
        return json_response({"endpoint": str(address.replace(path=path)), "ticket": ticket})

    async def _connect(self, socket: WebSocket) -> None:
        if self._tickets.pop(socket.query_params.get("ticket", ""), 0.0) <= self._clock():
            await socket.close(1008)
            return
        await socket.accept()
        client = _Client(socket)
        self._clients[client.id] = client
        try:
            while True:
                text = await socket.receive_text()
                if self.answers_to_lose > 0:
                    self.answers_to_lose -= 1
                    continue
                client.answered(jsontext.loads(text))
        except (WebSocketDisconnect, ValueError, KeyError, RuntimeError):
            pass  # whoever hangs up, or talks nonsense, is gone
        finally:
            self._clients.pop(client.id, None)
            client.gone()


async def _outcome(waiting: asyncio.Future[Any]) -> Any:
    """The answer of a client, unless it has gone."""
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if waiting.cancelled():
            raise NotDelivered("连接已断开，没有应答 the connection was closed without an answer") from None
        raise


def _status(answer: Mapping[str, Any]) -> Any:
    try:
        data = jsontext.loads(answer.get("data") or "{}")
    except (ValueError, TypeError):
        return None
    return data.get("status") if isinstance(data, dict) else None

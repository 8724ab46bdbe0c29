"""DingTalk's events over a WebSocket that we open ourselves: ticket, frames, acknowledgements.

DingTalk open platform, Stream 模式推送. There is no encryption beyond TLS: the ticket proves who we are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import ClientError, ClientWebSocketResponse, WSMsgType

from runtime import jsontext
from runtime.connectors.dingtalk.callback import events_of
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.connectors.event_stream import Delivery, EventStream
from runtime.errors import CallbackRejected, Unreachable

__all__ = ["DingTalkStream"]

#: Field of a pushed message → header of a frame that says the same.
_HEADERS = {"EventType": "eventType", "EventTime": "eventBornTime", "CorpId": "eventCorpId", "eventId": "eventId"}
_SUCCESS = {"status": "SUCCESS", "message": "success"}
#: The platform's SDKs differ in how they ask for a repeat: by the code, or by the status. This says both.
_LATER = {"status": "LATER", "message": "try again later"}
_OK, _SYSTEM_EXCEPTION = 200, 500
_DISCONNECT = "disconnect"


class DingTalkStream(EventStream):
    """The event stream of one application. DingTalk spreads events over all connections of an application.

    :param pause: seconds before a connection that broke off is opened again
    """

    def __init__(self, name: str, client: DingTalkClient, *, pause: float) -> None:
        self._name = name
        self._client = client
        self.pause = pause

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See :meth:`runtime.connectors.event_stream.EventStream.open`; every connection has a ticket of its own."""
        endpoint, ticket = await self._client.open_gateway()
        async with self._client.websocket(endpoint, {"ticket": ticket}) as socket:
            yield self._deliveries(socket)

    async def _deliveries(self, socket: ClientWebSocketResponse) -> AsyncIterator[Delivery]:
        while True:
            message = await socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                raise Unreachable(
                    "钉钉 Stream 连接已断开",
                    "The stream connection to DingTalk was closed",
                    where=self._name,
                    code=str(socket.close_code or ""),
                )
            frame = _object(message.data)
            headers = _object(frame.get("headers"))
            answer = partial(self._answer, socket, headers.get("messageId"))
            if frame.get("type") == "EVENT":
                yield self._delivery(headers, frame.get("data"), answer)
                continue
            # what was not subscribed to is not wanted again; a ping wants its data back
            await answer(_OK, frame.get("data"))
            if frame.get("type") == "SYSTEM" and headers.get("topic") == _DISCONNECT:
                return

    def _delivery(self, headers: Mapping[str, Any], data: Any, answer: partial[Any]) -> Delivery:
        fields = _object(data)
        problem = None
        if not fields:
            problem = CallbackRejected(
                "Stream 事件的内容不是 JSON 对象", "The data of a stream event is not a JSON object", where=self._name
            )
        told = {field: headers[header] for field, header in _HEADERS.items() if headers.get(header)}
        # where both say it the header counts, however the field is spelt in the message
        spelt = {field.lower() for field in told}
        message = {**told, **{key: value for key, value in fields.items() if key.lower() not in spelt}}
        return Delivery(
            events=() if problem else events_of(message),
            acknowledge=partial(answer, _OK, _SUCCESS),
            decline=partial(answer, _SYSTEM_EXCEPTION, _LATER),
            problem=problem,
        )

    async def _answer(self, socket: ClientWebSocketResponse, message_id: Any, code: int, data: Any) -> None:
        frame = {
            "code": code,
            "headers": {"messageId": message_id, "contentType": "application/json"},
            "message": "OK" if code == _OK else "later",
            "data": data if isinstance(data, str) else jsontext.dumps(data).decode(),
        }
        try:
            await socket.send_str(jsontext.dumps(frame).decode())
        except (ClientError, OSError) as error:
            raise Unreachable(
                "钉钉 Stream 连接已断开，应答未送出",
                "The stream connection to DingTalk was closed before the answer left",
                where=self._name,
            ) from error


def _object(found: Any) -> dict[str, Any]:
    """A JSON object, given as it is or as text; empty for anything else."""
    if isinstance(found, str | bytes):
        try:
            found = jsontext.loads(found)
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}

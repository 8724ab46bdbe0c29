"""Faults on demand: latency, error answers, lost answers and broken connections between a client and the simulators.

Applied to the vendors' APIs only, never to the pages and the control API. With the same seed and the same order of
calls the same calls fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.sandbox.dingtalk.errors import DingTalkError

__all__ = ["KINDS", "FaultKind", "FaultSettings", "Faults", "FaultsMiddleware", "PlannedFault", "parse_faults"]


FaultKind = Literal[
    "error500",  # the vendor's own 5xx answer, before the effect
    "error429",  # too many requests, before the effect
    "throttled_html",  # an HTML page instead of JSON, before the effect
    "session_expiry",  # the B1 sessions or DingTalk tokens end just before the call
    "reset_after",  # the effect takes place, then the connection breaks without an answer
    "timeout_after",  # the effect takes place, the answer is withheld, then the connection breaks
    "malformed_after",  # the effect takes place, the answer's JSON is cut in half
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


class FaultSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, and how often."""

    #: Added to every call, in milliseconds.
    latency_ms: float = 0.0
    #: Share of calls (0 to 1) that meet each kind of fault; together at most 1.
    rates: dict[FaultKind, float] = {}
    #: How long ``timeout_after`` withholds the answer, in seconds.
    timeout_s: float = 120.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.latency_ms < 0 or self.timeout_s < 0:
            raise ValueError("latency_ms and timeout_s start at 0")
        if any(rate < 0 for rate in self.rates.values()) or sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError("rates lie between 0 and 1, and together are at most 1")


class PlannedFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fault for the next matching calls, whatever the rates say."""

    fault: FaultKind
    times: int = 1
    #: HTTP method it applies to; empty = any.
    method: str = ""
    #: Text that the path must contain; empty = any.
    path: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Whether a call meets this fault."""
        return self.times > 0 and self.method.upper() in ("", method) and self.path in path


class Faults:
    """The switches; change them at any time."""

    def __init__(self, settings: FaultSettings | None = None) -> None:
        self.planned: list[PlannedFault] = []
        #: Faults that were met so far, by kind.
        self.met: dict[str, int] = {}
        self.apply(settings or FaultSettings())

    def apply(self, settings: FaultSettings) -> None:
        """Takes new settings and starts the seeded sequence again."""
        self.settings = settings
        self._random = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose

    def change(self, changes: Mapping[str, Any]) -> None:
        """Changes some settings.

        :raises ValueError: unknown setting, unknown kind, or a value out of range
        """
        self.apply(msgspec.convert({**msgspec.to_builtins(self.settings), **changes}, FaultSettings))

    def draw(self, method: str, path: str) -> FaultKind | None:
        """The fault that this call meets, or None."""
        kind = self._draw(method, path)
        if kind is not None:
            self.met[kind] = self.met.get(kind, 0) + 1
        return kind

    def _draw(self, method: str, path: str) -> FaultKind | None:
        for planned in self.planned:
            if planned.matches(method, path):
                planned.times -= 1
                self.planned = [item for item in self.planned if item.times > 0]
                return planned.fault
        if not self.settings.rates:
            return None
        point = self._random.random()
        for kind, rate in self.settings.rates.items():
            if point < rate:
                return kind
            point -= rate
        return None


def parse_faults(specs: list[str] | tuple[str, ...]) -> dict[FaultKind, float]:
    """Rates from command-line words such as ``reset_after=0.02``.

    :raises ValueError: unknown kind or not a share between 0 and 1
    """
    rates: dict[str, Any] = {}
    for spec in specs:
        kind, _, rate = spec.partition("=")
        rates[kind.strip()] = rate.strip()
    return msgspec.convert({"rates": rates}, FaultSettings, strict=False).rates


class FaultsMiddleware:
    """ASGI middleware in front of the whole application.

    :param expire: by path prefix (``/b1``), what ends every session of that simulator; its keys are the paths that
        meet faults at all
    """

    def __init__(self, app: ASGIApp, faults: Faults, expire: Mapping[str, Callable[[], None]]) -> None:
        self._app = app
        self._faults = faults
        self._expire = expire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        prefix = next((prefix for prefix in self._expire if path.startswith(prefix + "/")), None)
        if scope["type"] != "http" or prefix is None:
            await self._app(scope, receive, send)
            return
        if self._faults.settings.latency_ms:
            await asyncio.sleep(self._faults.settings.latency_ms / 1000)
        kind = self._faults.draw(scope["method"], path)
        if kind is None:
            await self._app(scope, receive, send)
        elif kind == "session_expiry":
            self._expire[prefix]()
            await self._app(scope, receive, send)
        elif kind in ("error500", "error429", "throttled_html"):
            answer = _OA_ANSWERS[kind] if prefix == "/weaver" else _error_answer(kind, prefix, path)
            await answer(scope, receive, send)
        else:
            await self._spoil_answer(kind, scope, receive, send)

    async def _spoil_answer(self, kind: FaultKind, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the call take effect, then loses or damages its answer."""
        withheld: list[Message] = []

        async def withhold(message: Message) -> None:
            withheld.append(message)

        await self._app(scope, receive, withhold)
        if kind == "malformed_after":
            body = b"".join(message.get("body", b"") for message in withheld)
            answer = Response(body[: len(body) // 2], withheld[0]["status"], media_type="application/json")
            await answer(scope, receive, send)
            return
        if kind == "timeout_after":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._faults.settings.timeout_s):
                    await _disconnected(receive)
        break_connection(send)
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def break_connection(send: Send) -> None:
    """Resets the TCP connection of a request.

    ASGI has no message for this; uvicorn's ``send`` is a method of the request's cycle, which holds the transport.

    :raises ConnectionResetError: the server is not uvicorn (a client in the same process sees this error)
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("the sandbox broke this connection")
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Linger 0 makes the kernel send RST instead of an orderly FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _error_answer(kind: FaultKind, prefix: str, path: str) -> Response:
    is_b1 = prefix == "/b1"
    if kind == "throttled_html":
        return _BAD_GATEWAY if is_b1 else _BLOCKED
    if kind == "error429":
        headers = {"Retry-After": "1"}
        if is_b1:
            return HTMLResponse("<html><body><h1>429 Too Many Requests</h1></body></html>", 429, headers)
        answer = DingTalkError("Throttling", "请求过于频繁，请稍后重试", 429).response()
        answer.headers.update(headers)
        return answer
    if not is_b1:
        return DingTalkError("systemError", "系统错误", 500).response()
    text = "Switch company error: -1102"
    if "/b1dis/" in path:
        return Response(json.dumps({"code": "RIS.20000305", "message": text}), 500, media_type="application/json")
    error: dict[str, Any]
    if "/v2/" in path:
        error = {"code": "305", "details": [{"code": "", "message": ""}], "message": text}
    else:
        error = {"code": 305, "message": {"lang": "en-us", "value": text}}
    return Response(json.dumps({"error": error}), 500, media_type="application/json")


#: Apache's page in front of the Service Layer.
_BAD_GATEWAY = HTMLResponse(
    '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head><title>502 Proxy Error</title></head><body>'
    "<h1>Proxy Error</h1><p>The proxy server received an invalid response from an upstream server.</p></body></html>",
    502,
)
#: DingTalk blocks an address that calls too often: a page with status 200, not JSON.
_BLOCKED = HTMLResponse(
    "<html><head><title>访问受限</title></head><body><h1>访问过于频繁，请稍后再试</h1></body></html>"
)
#: The pages of e-cology's own web server.
_OA_ANSWERS: dict[str, Response] = {
    "error500": HTMLResponse("<html><head><title>500 Servlet Exception</title></head><body>500</body></html>", 500),
    "error429": HTMLResponse("<html><body>429 Too Many Requests</body></html>", 429, {"Retry-After": "1"}),
    "throttled_html": _BLOCKED,
}

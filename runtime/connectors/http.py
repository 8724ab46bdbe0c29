"""One HTTP client for every connector: TLS, time limits, rate limit, retries, and transport faults as our errors."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import httpx
from aiolimiter import AsyncLimiter
from yarl import URL

from runtime import jsontext
from runtime.connectors.actions import Effect
from runtime.connectors.blanking import blanked, carried, secrets_of
from runtime.connectors.settings import HttpSettings
from runtime.errors import (
    BadConnection,
    IntegrationError,
    OutcomeUnknown,
    RemoteFault,
    RetryLater,
    Throttled,
    TimedOut,
    Unreachable,
    ValueRefused,
)
from runtime.mapping.values import short_number

__all__ = ["Auth", "HttpClient", "Request", "json_object", "read_json"]

#: Raises the error that an answer stands for, or returns.
Check = Callable[[httpx.Response], None]

#: Seconds before a repeat: up to the first, doubled with every attempt, at most the second. Dice keep callers apart.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 20.0
_DICE = random.SystemRandom()
#: Asked to wait longer than this (seconds), a call gives up and leaves the repeat to the next run.
_LONGEST_WAIT = 30.0
#: Idle connections are dropped before Apache's default ``Keep-Alive: timeout=5`` closes them under our hands.
_KEEP_ALIVE = 4.0
#: Seconds that the other end of a WebSocket gets to say goodbye.
_CLOSE_LIMIT = 2.0
#: An address that needs no further encoding.
_PLAIN_ADDRESS = re.compile(r"https?://[!$&'()*+,./:;=?@\[\]_~%a-zA-Z0-9-]+", re.ASCII)
_ORIGIN = re.compile(r"https?://[^/?#]+")
#: What aiohttp raises before the first byte of a request leaves this machine. After any other fault the other system
#: may have processed the request.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ServerFingerprintMismatch)
#: Our errors that say the same of a request.
_NOT_PROCESSED = (Unreachable, Throttled)


class Request:
    """A request on its way out; an :class:`Auth` may change its headers."""

    __slots__ = ("content", "headers", "method", "most", "url")

    def __init__(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None, most: int | None = None
    ) -> None:
        self.method = method
        #: Absolute and percent-encoded.
        self.url = url
        self.headers = headers
        self.content = content
        #: Bytes of the answer, at most.
        self.most = most


class Auth(Protocol):
    """Gives requests what proves who we are."""

    def auth_flow(self, request: Request) -> AsyncGenerator[Request, httpx.Response]:
        """Yield the request to send; gets its answer, and may yield another one."""


class HttpClient:
    """Sends requests of one connection.

    Repeats a call after a transient fault only where repeating is safe: reads and updates always, a ``create`` only
    when the request certainly was not processed (no connection, or the other system said "slow down").

    It sends with aiohttp itself and answers with httpx's response, which is what the connectors understand: httpx's
    client in between costs as much processor time as everything else about a call.
    """

    def __init__(self, name: str, settings: HttpSettings, *, auth: Auth | None = None) -> None:
        self.name = name
        self._settings = settings
        self._secrets = secrets_of(settings)
        self._limiter = AsyncLimiter(max(1.0, settings.rate), 1.0 if settings.rate >= 1 else 1.0 / settings.rate)
        self._tls = _tls(name, settings)
        self._auth = auth
        #: Scheme and host of addresses that were found to be good ones.
        self._origins: set[str] = set()
        self._opened: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        effect: Effect = Effect.READ,
        check: Check,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        most: int | None = None,
    ) -> httpx.Response:
        """Send and return the checked answer.

        :param url: absolute address
        :param body: sent as JSON (decimals as plain numbers)
        :param most: bytes of the answer, at most; more are not read
        :param check: translates the vendor's error answers into our errors
        :raises RetryLater: still failing after the configured repeats
        :raises OutcomeUnknown: a ``create`` was sent and no usable answer came
        :raises BadConnection: the address is not valid, or the certificate is not trusted
        :raises ValueRefused: the answer is larger than ``most``
        """
        sent = dict(headers or {})
        if body is not None:
            content = jsontext.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        request = Request(method, self._address(url, params), sent, content, most)
        attempt, unanswered = 1, False
        while True:
            try:
                return await self._once(request, effect, check, auth or self._auth)
            except RetryLater as error:
                if attempt > self._settings.retries or not _repeatable(error, effect):
                    raise
                unanswered = unanswered or (effect is not Effect.READ and not isinstance(error, _NOT_PROCESSED))
                pause = _pause(error, attempt)
            except IntegrationError as error:
                error.partly_done = unanswered
                raise
            attempt += 1
            await asyncio.sleep(pause)

    def _address(self, url: str, params: Mapping[str, str] | None) -> str:
        """The address with its query, as it goes out.

        :raises BadConnection: it is not valid
        """
        origin = _ORIGIN.match(url)
        if params is None and origin is not None and origin[0] in self._origins and _PLAIN_ADDRESS.fullmatch(url):
            return url
        try:
            parsed = httpx.URL(url, params=params) if params is not None else httpx.URL(url)
            URL(str(parsed), encoded=True).port  # noqa: B018 - reading it is what checks it
        except (httpx.InvalidURL, ValueError) as error:
            raise BadConnection("地址无效", "The address is not valid", where=self.name, remote=str(error)) from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise BadConnection("地址无效", "The address is not valid", where=self.name)
        if origin is not None:
            self._origins.add(origin[0])
        return str(parsed)

    async def _once(self, request: Request, effect: Effect, check: Check, auth: Auth | None) -> httpx.Response:
        try:
            return await self._exchange(request, effect, check, auth)
        except IntegrationError as error:
            error.where = error.where or f"{self.name} {request.method} {request.url.partition('?')[0]}"
            if error.remote:
                error.remote = blanked(error.remote, [*self._secrets, *carried(request.url, request.headers)])
            if effect is Effect.CREATE and isinstance(error, RemoteFault):
                raise OutcomeUnknown(
                    "对方系统内部出错，结果未知",
                    "The other system failed on its side; the outcome is unknown",
                    where=error.where,
                    code=error.code,
                    remote=error.remote,
                ) from error
            raise

    async def _exchange(self, request: Request, effect: Effect, check: Check, auth: Auth | None) -> httpx.Response:
        async with self._limiter:
            try:
                response = await self._send(request) if auth is None else await self._authenticated(request, auth)
            except aiohttp.InvalidURL as error:
                raise BadConnection("地址无效", "The address is not valid") from error
            except (httpx.RequestError, aiohttp.ClientError, OSError) as error:
                raise _transport_fault(error, effect) from error
        try:
            check(response)
        except IntegrationError:
            raise
        except Exception as error:
            if effect is Effect.CREATE:  # whatever went wrong here, the request had gone out
                raise OutcomeUnknown(
                    "对方系统的答复无法理解，结果未知",
                    "The other system's answer makes no sense; the outcome is unknown",
                    remote=response.text[:200],
                ) from error
            raise
        return response

    @asynccontextmanager
    async def websocket(
        self, url: str, *, params: Mapping[str, str], ping_every: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket for the duration of the block, with the connection's TLS and time limits; no repeats.

        :param url: absolute ``ws`` or ``wss`` address; ``params`` may hold what nobody is to read
        :param ping_every: seconds between two pings; without an answer the connection counts as broken off
        :raises Unreachable: the handshake failed
        :raises BadConnection: the address is not valid, or the certificate is not trusted
        """
        try:
            target = URL(url).update_query(params)
            socket = await self._session().ws_connect(
                target, heartbeat=ping_every, timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_LIMIT)
            )
        except (aiohttp.InvalidURL, ValueError) as error:
            raise BadConnection("地址无效", "The address is not valid", where=self.name) from error
        except aiohttp.WSServerHandshakeError as error:
            raise Unreachable(
                "对方系统拒绝建立 WebSocket 连接",
                "The other system refused the WebSocket connection",
                where=f"{self.name} {url.partition('?')[0]}",
                code=str(error.status),
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            fault = _transport_fault(error, Effect.READ)
            fault.where = f"{self.name} {url.partition('?')[0]}"
            raise fault from error
        try:
            yield socket
        finally:
            await socket.close()

    async def aclose(self) -> None:
        """Close the pooled connections."""
        if self._opened is not None:
            await self._opened.close()

    async def _authenticated(self, request: Request, auth: Auth) -> httpx.Response:
        flow = auth.auth_flow(request)
        try:
            outgoing = await anext(flow)
            while True:
                response = await self._send(outgoing)
                try:
                    outgoing = await flow.asend(response)
                except StopAsyncIteration:
                    return response
        finally:
            await flow.aclose()

    async def _send(self, request: Request) -> httpx.Response:
        async with self._session().request(
            request.method, URL(request.url, encoded=True), headers=request.headers, data=request.content,
            allow_redirects=False,
            # Storage services sign the type of the content: none must be made up.
            skip_auto_headers=("Content-Type",),
        ) as answer:  # fmt: skip
            content = await answer.read() if request.most is None else await _read(answer, request.most)
        # The content is as it was sent: httpx unpacks it, or raises if it is not what it claims to be.
        return httpx.Response(answer.status, headers=answer.raw_headers, content=content)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            limit = self._settings.timeout
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=100, keepalive_timeout=_KEEP_ALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),  # sessions are the connectors' business
                timeout=aiohttp.ClientTimeout(connect=limit, sock_connect=limit, sock_read=limit),
                headers={"Accept-Encoding": "gzip, deflate", "User-Agent": "b1-integration-studio"},
                auto_decompress=False,
            )
        return self._opened


def read_json(response: httpx.Response) -> Any:
    """The answer's JSON with decimals, without the zeros of a double: ``260.0`` is 260.

    :raises RemoteFault: the answer is not JSON (a proxy's HTML page, a truncated body)
    """
    try:
        return jsontext.loads(response.content, short_number)
    except ValueError as error:
        raise RemoteFault(
            "对方系统的答复不是 JSON",
            "The other system's answer is not JSON",
            code=str(response.status_code),
            remote=response.text[:200],
        ) from error


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object, empty when it is something else (an HTML page, a truncated body)."""
    try:
        answer = jsontext.loads(response.content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The content, never more of it than allowed."""
    parts: list[bytes] = []
    size = answer.content_length or 0
    if size <= most:
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > most:
                break
            parts.append(part)
    if size > most:
        raise ValueRefused(f"内容超过 {most:,} 字节", f"The content exceeds {most:,} bytes")
    return b"".join(parts)


def _transport_fault(error: Exception, effect: Effect) -> IntegrationError:
    words = re.sub(r"\?\S+", "", str(error)) or type(error).__name__  # a query may carry secrets
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return BadConnection(
            "对方系统的证书不受信任：请填写 CA 证书文件，或关闭证书校验",
            "The other system's certificate is not trusted: name its CA file, or switch verification off",
            remote=words,
        )
    if isinstance(error, _NEVER_SENT):
        return Unreachable("无法连接对方系统", "The other system cannot be reached", remote=words)
    if effect is Effect.CREATE:
        return OutcomeUnknown(
            "请求已发出但没有得到完整答复，结果未知",
            "The request was sent but no complete answer came; its outcome is unknown",
            remote=words,
        )
    return TimedOut("对方系统没有及时给出完整答复", "The other system gave no complete answer in time", remote=words)


def _tls(name: str, settings: HttpSettings) -> ssl.SSLContext:
    if not settings.verify_tls or not settings.ca_file:
        return httpx.create_ssl_context(verify=settings.verify_tls, trust_env=False)
    if not Path(settings.ca_file).is_file():
        raise BadConnection("找不到 CA 证书文件", "The CA file does not exist", where=f"{name}.ca_file")
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise BadConnection(
            "CA 证书文件无法读取", "The CA file cannot be read", where=f"{name}.ca_file", remote=str(error)
        ) from error


def _repeatable(error: RetryLater, effect: Effect) -> bool:
    if (error.retry_after or 0.0) > _LONGEST_WAIT:
        return False
    return effect is not Effect.CREATE or isinstance(error, _NOT_PROCESSED)


def _pause(error: RetryLater, attempt: int) -> float:
    """Seconds to wait before the next attempt."""
    return (error.retry_after or 0.0) + _DICE.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1)))

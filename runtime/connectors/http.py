"""One HTTP client for every connector: TLS, time limits, rate limit, retries, and transport faults as our errors."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from aiolimiter import AsyncLimiter
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from runtime import jsontext
from runtime.connectors.base import ConnectorSettings, Effect
from runtime.errors import (
    BadConnection,
    IntegrationError,
    OutcomeUnknown,
    RemoteFault,
    RetryLater,
    Throttled,
    TimedOut,
    Unreachable,
)

__all__ = ["HttpClient", "read_json"]

#: Raises the error that an answer stands for, or returns.
Check = Callable[[httpx.Response], None]

_JITTERED = wait_random_exponential(multiplier=0.25, max=20)
#: Asked to wait longer than this (seconds), a call gives up and leaves the repeat to the next run.
_LONGEST_WAIT = 30.0
#: Idle connections are dropped before Apache's default ``Keep-Alive: timeout=5`` closes them under our hands.
_KEEP_ALIVE = 4.0
#: Secrets from this length on are blanked in what the other system says about a request.
_SHORTEST_SECRET = 4
#: What aiohttp raises before the first byte of a request leaves this machine. After any other fault the other system
#: may have processed the request. The exception classes of httpx cannot tell: the transport turns a connection that
#: was reset after sending into ``httpx.ConnectTimeout``.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ServerFingerprintMismatch)


class HttpClient:
    """Sends requests of one connection.

    Repeats a call after a transient fault only where repeating is safe: reads and updates always, a ``create`` only
    when the request certainly was not processed (no connection, or the other system said "slow down").
    """

    def __init__(self, name: str, settings: ConnectorSettings, *, auth: httpx.Auth | None = None) -> None:
        self.name = name
        self._settings = settings
        secrets = (value for _, value in settings if isinstance(value, SecretStr))
        self._secrets = [text for secret in secrets if len(text := secret.get_secret_value()) >= _SHORTEST_SECRET]
        self._limiter = AsyncLimiter(max(1.0, settings.rate), 1.0 if settings.rate >= 1 else 1.0 / settings.rate)
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(verify=False, trust_env=False, client=_session(_tls(name, settings))),
            timeout=settings.timeout,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # sessions are the connectors' business
            auth=auth,
        )

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
        auth: httpx.Auth | None = None,
    ) -> httpx.Response:
        """Send and return the checked answer.

        :param url: absolute address
        :param body: sent as JSON (decimals as plain numbers)
        :param check: translates the vendor's error answers into our errors
        :raises RetryLater: still failing after the configured repeats
        :raises OutcomeUnknown: a ``create`` was sent and no usable answer came
        :raises BadConnection: the address is not valid, or the certificate is not trusted
        """
        sent = dict(headers or {})
        if body is not None:
            content = jsontext.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            request = self._client.build_request(method, url, params=params, content=content, headers=sent)
        except httpx.InvalidURL as error:
            raise BadConnection("地址无效", "The address is not valid", where=self.name, remote=str(error)) from error
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _repeatable(error, effect)),
            stop=stop_after_attempt(1 + self._settings.retries),
            wait=_wait,
            reraise=True,
        )
        return await retrying(self._once, request, effect, check, auth)

    async def _once(
        self, request: httpx.Request, effect: Effect, check: Check, auth: httpx.Auth | None
    ) -> httpx.Response:
        try:
            return await self._exchange(request, effect, check, auth)
        except IntegrationError as error:
            error.where = error.where or f"{self.name} {request.method} {request.url.copy_with(query=None)}"
            for secret in self._secrets:
                error.remote = error.remote.replace(secret, "***")
            if effect is Effect.CREATE and isinstance(error, RemoteFault):
                raise OutcomeUnknown(
                    "对方系统内部出错，结果未知",
                    "The other system failed on its side; the outcome is unknown",
                    where=error.where,
                    code=error.code,
                    remote=error.remote,
                ) from error
            raise

    async def _exchange(
        self, request: httpx.Request, effect: Effect, check: Check, auth: httpx.Auth | None
    ) -> httpx.Response:
        async with self._limiter:
            try:
                response = await self._client.send(request, auth=auth or httpx.USE_CLIENT_DEFAULT)
            except (httpx.UnsupportedProtocol, aiohttp.InvalidURL) as error:
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

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()


def read_json(response: httpx.Response) -> Any:
    """The answer's JSON with decimals.

    :raises RemoteFault: the answer is not JSON (a proxy's HTML page, a truncated body)
    """
    try:
        return jsontext.loads(response.content)
    except ValueError as error:
        raise RemoteFault(
            "对方系统的答复不是 JSON",
            "The other system's answer is not JSON",
            code=str(response.status_code),
            remote=response.text[:200],
        ) from error


def _transport_fault(error: Exception, effect: Effect) -> IntegrationError:
    cause = error.__cause__ or error
    words = re.sub(r"\?\S+", "", str(cause)) or type(cause).__name__  # a query may carry secrets
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return BadConnection(
            "对方系统的证书不受信任：请填写 CA 证书文件，或关闭证书校验",
            "The other system's certificate is not trusted: name its CA file, or switch verification off",
            remote=words,
        )
    if isinstance(cause, _NEVER_SENT):
        return Unreachable("无法连接对方系统", "The other system cannot be reached", remote=words)
    if effect is Effect.CREATE:
        return OutcomeUnknown(
            "请求已发出但没有得到完整答复，结果未知",
            "The request was sent but no complete answer came; its outcome is unknown",
            remote=words,
        )
    return TimedOut("对方系统没有及时给出完整答复", "The other system gave no complete answer in time", remote=words)


def _session(tls: ssl.SSLContext) -> Callable[[], aiohttp.ClientSession]:
    def start() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=100, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return start


def _tls(name: str, settings: ConnectorSettings) -> ssl.SSLContext:
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


def _repeatable(error: BaseException, effect: Effect) -> bool:
    if isinstance(error, RetryLater) and (error.retry_after or 0.0) > _LONGEST_WAIT:
        return False
    if effect is Effect.CREATE:
        return isinstance(error, Unreachable | Throttled)
    return isinstance(error, RetryLater)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RetryLater) else None
    return (asked or 0.0) + _JITTERED(state)

"""The Service Layer session: one login for all calls, renewed once when the server has dropped it.

SAP, "Working with SAP Business One Service Layer", Login and Logout: the session lives in the cookies ``B1SESSION``
and, behind the load balancer, ``ROUTEID``; it ends after 30 minutes without use and then answers 401, code 301.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import httpx

from runtime.connectors.http import Request
from runtime.errors import IntegrationError, RemoteFault, RetryLater, TimedOut, Unreachable

__all__ = ["Login", "LoginOnly", "Session", "cookies_of", "unauthorized"]

#: Seconds for which a refused login is not tried again: B1 locks users after a few wrong passwords.
REFUSED_PAUSE = 60.0
#: Seconds for which a login that failed for a passing reason is not tried again by the calls that waited for it.
FAILED_PAUSE = 5.0


@dataclass(frozen=True, eq=False)
class Login:
    """What a login gave us."""

    #: Value of the ``Cookie`` header: every cookie of the login's answer.
    cookies: str
    #: The server's version, e.g. ``1000280``.
    version: str


def cookies_of(response: httpx.Response, session_id: str) -> str:
    """Every cookie that the answer sets, whatever domain and path it was set for: proxies rewrite those.

    :param session_id: stands in where a proxy swallowed the ``B1SESSION`` cookie
    """
    pairs: dict[str, str] = {}
    for header in response.headers.get_list("set-cookie"):
        name, _, value = header.split(";", 1)[0].partition("=")
        if value.strip():
            pairs[name.strip()] = value.strip()
    if session_id:
        pairs.setdefault("B1SESSION", session_id)
    return "; ".join(f"{name}={value}" for name, value in pairs.items())


class LoginOnly:
    """For Login and Logout themselves: given cookies or none, and no renewal."""

    def __init__(self, cookies: str = "") -> None:
        self._cookies = cookies

    async def auth_flow(self, request: Request) -> AsyncGenerator[Request, httpx.Response]:
        """Send with the given cookies."""
        _carry(request, self._cookies)
        yield request


def unauthorized(response: httpx.Response) -> bool:
    """Whether an answer has status 401."""
    return response.status_code == httpx.codes.UNAUTHORIZED


class Session:
    """Gives every request the session; logs in first where there is none, and once more where it is dead.

    A dead session is noticed before the server looks at the request, so the request, even one that creates something,
    is safe to repeat.
    """

    def __init__(
        self,
        log_in: Callable[[], Awaitable[Login]],
        *,
        is_dead: Callable[[httpx.Response], bool] = unauthorized,
        has_ended: Callable[[httpx.Response], bool] = lambda _: False,
    ) -> None:
        """
        :param log_in: performs one login; raises our errors
        :param is_dead: whether an answer says that the session is no longer good
        :param has_ended: whether it says so in words that leave no doubt, and not that the user may not do this
        """
        self._log_in = log_in
        self._is_dead = is_dead
        self._has_ended = has_ended
        self._has_worked = False
        self._lock = asyncio.Lock()
        self._login: Login | None = None
        self._failure: IntegrationError | None = None
        self._paused_until = 0.0

    async def auth_flow(self, request: Request) -> AsyncGenerator[Request, httpx.Response]:
        """Send with the session; where it is dead renew it and send once more.

        :raises Unreachable: the fresh session was dead, too; the request was not processed
        """
        login = self._login or await self.renew(None)
        _carry(request, login.cookies)
        response = yield request
        if self._is_dead(response):
            _carry(request, (await self.renew(login)).cookies)
            response = yield request
            # A session that never works is a fault of the set-up, and the answer says so.
            if self._has_worked and self._has_ended(response):
                raise Unreachable(
                    "会话刚建立就又失效，请求未被处理",
                    "The session was dead again right after its login; the request was not processed",
                )
        self._has_worked = self._has_worked or not self._is_dead(response)

    async def renew(self, dead: Login | None, *, at_once: bool = False) -> Login:
        """The session in force, logging in unless another call has done so since ``dead`` was found dead.

        :param at_once: a person asked: log in even if a login was refused a moment ago
        :raises LoginRefused: wrong company, user or password; also, without asking again, for a while after that
        :raises Unreachable: the login got no answer; nothing was processed
        """
        async with self._lock:
            if self._login is not None and self._login is not dead:
                return self._login
            self._login = None
            if self._failure is not None and time.monotonic() < self._paused_until and not at_once:
                raise _again(self._failure)
            try:
                self._login = await self._log_in()
            except IntegrationError as error:
                pause = FAILED_PAUSE if isinstance(error, RetryLater) else REFUSED_PAUSE
                self._paused_until = time.monotonic() + pause
                self._failure = _not_processed(error)
                raise self._failure from error.__cause__
            self._failure = None
            return self._login

    def end(self) -> Login | None:
        """Forget the session and hand it over for logging out."""
        login, self._login = self._login, None
        return login


def _carry(request: Request, cookies: str) -> None:
    request.headers.pop("Cookie", None)
    if cookies:
        request.headers["Cookie"] = cookies


def _not_processed(error: IntegrationError) -> IntegrationError:
    """A call whose login got no answer was itself certainly not processed."""
    if isinstance(error, TimedOut | RemoteFault):
        return Unreachable(
            "登录没有得到有效答复",
            "The login got no usable answer",
            where=error.where,
            code=error.code,
            remote=error.remote,
        )
    return error


def _again(error: IntegrationError) -> IntegrationError:
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin

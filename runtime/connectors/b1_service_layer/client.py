"""HTTP to one company: the session, the service root, and requests whose answers have been checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.b1_service_layer.answers import Answer, LoginAnswer, PlainAnswer, session_ended
from runtime.connectors.b1_service_layer.odata import query_string
from runtime.connectors.b1_service_layer.session import Login, LoginOnly, Session, cookies_of
from runtime.connectors.b1_service_layer.settings import B1Settings
from runtime.connectors.http import HttpClient
from runtime.errors import IntegrationError, LoginRefused, RemoteFault

__all__ = ["ServiceLayer"]

#: Seconds that a closing connection waits for the answer to Logout.
_GOODBYE = 5.0


class ServiceLayer:
    """Requests to one company, sent with its session. Create it inside a running event loop."""

    def __init__(self, name: str, settings: B1Settings) -> None:
        self.name = name
        self.settings = settings
        #: Service root, e.g. ``https://b1:50000/b1s/v1``.
        self.root = f"{settings.base_url}/b1s/{settings.version}"
        self.session = Session(self.log_in, has_ended=session_ended)
        self._http = HttpClient(name, settings, auth=self.session)

    async def log_in(self, user: str | None = None, password: str | None = None) -> Login:
        """One login, without the session; the settings' user unless another is given.

        :raises LoginRefused: wrong company, user or password
        """
        settings = self.settings
        answer = LoginAnswer()
        body = {
            "CompanyDB": settings.company,
            "UserName": user or settings.user,
            "Password": password or settings.password.get_secret_value(),
            "Language": settings.language,
        }
        # Logging in twice harms nobody, so a lost answer is asked for again.
        await self._http.send(
            "POST", f"{self.root}/Login", effect=Effect.UPDATE, check=answer, body=body, auth=LoginOnly()
        )
        data = answer.data if isinstance(answer.data, dict) else {}
        cookies = cookies_of(answer.response, str(data.get("SessionId") or ""))
        if not cookies:
            raise LoginRefused(
                "登录的答复中没有会话，此地址可能不是 B1 服务层",
                "The login's answer carries no session; the address may not be a Service Layer",
                where=self.name,
            )
        return Login(cookies=cookies, version=str(data.get("Version") or ""))

    async def log_out(self, login: Login) -> None:
        """End a session; whatever goes wrong no longer matters, the server ends it by itself."""
        with suppress(IntegrationError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._http.send(
                    "POST",
                    f"{self.root}/Logout",
                    effect=Effect.UPDATE,
                    check=PlainAnswer(),
                    auth=LoginOnly(login.cookies),
                )

    def url(self, path: str, options: Mapping[str, str | int | None] | None = None) -> str:
        """Absolute address of a path below the service root."""
        return f"{self.root}/{path}{query_string(options or {})}"

    async def read(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        """GET; the answer's JSON."""
        answer = Answer()
        await self._http.send("GET", url, check=answer, headers=headers)
        return answer.data

    async def read_raw(self, url: str, *, accept: str, most: int | None = None) -> httpx.Response:
        """GET of something that is not JSON.

        :param most: bytes, at most
        :raises ValueRefused: it is larger
        """
        answer = PlainAnswer()
        await self._http.send("GET", url, check=answer, headers={"Accept": accept}, most=most)
        return answer.response

    async def write(self, request: WireRequest, effect: Effect) -> Answer:
        """Send exactly this request; the checked answer."""
        answer = Answer()
        await self._http.send(
            request.method, request.url, effect=effect, check=answer, body=request.body, headers=request.headers
        )
        return answer

    async def record(self, url: str) -> dict[str, Any]:
        """GET of one record.

        :raises NotFound: it does not exist
        """
        data = await self.read(url)
        if not isinstance(data, dict):
            raise RemoteFault("答复不是一条记录", "The answer is not a record", where=self.name)
        return data

    async def aclose(self) -> None:
        """Log out and close the connections."""
        login = self.session.end()
        if login is not None:
            await self.log_out(login)
        await self._http.aclose()

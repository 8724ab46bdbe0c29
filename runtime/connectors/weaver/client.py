"""e-cology over HTTP: the token, the encrypted user id, and calls as an OA user.

e-cology answers HTTP 200 whatever happened, see :mod:`runtime.connectors.weaver.answers`. No cookie is ever kept: an
old session would win over ``userid``, and the call would be made as somebody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx

from runtime.connectors.actions import Effect
from runtime.connectors.http import HttpClient
from runtime.connectors.token import AccessToken
from runtime.connectors.weaver.answers import check, check_login, content_of
from runtime.connectors.weaver.keys import encrypt, new_public_key, read_public_key
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.errors import BadConnection, RemoteFault
from runtime.jsontext import object_of

__all__ = ["WeaverClient"]

_REGISTER = "/api/ec/dev/auth/regist"
_TOKEN = "/api/ec/dev/auth/applytoken"  # noqa: S105 - an address
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
#: Seconds that a token is taken to live where no lifetime is asked for.
_LIFETIME = 1800


class WeaverClient:
    """Calls the API of one application. The token is fetched once and shared by all calls."""

    def __init__(self, name: str, settings: WeaverSettings) -> None:
        self._name = name
        self._settings = settings
        self._key = read_public_key(settings.spk) if settings.spk else None
        self._http = HttpClient(name, settings)
        self._token = AccessToken(self._fetch_token)

    def url(self, path: str) -> str:
        """The absolute address of a documented path (``/api/…``)."""
        return self._settings.base_url + path

    async def call(
        self,
        method: str,
        path: str,
        *,
        user: str = "",
        effect: Effect = Effect.READ,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        checked: Callable[[httpx.Response], None] | None = None,
    ) -> Any:
        """Send one call as an OA user; a refused token is renewed once.

        :param user: ``hrmresource.id``; empty = the connection's own
        :param form: the body's fields
        :param checked: in place of :func:`~runtime.connectors.weaver.answers.check`
        :returns: the answer's JSON
        :raises BadConnection: the connection is not registered, or no user is named
        :raises IntegrationError: see :mod:`runtime.errors`; the error carries the OA's own code and text
        """
        person = self.user(user)
        judge = checked or partial(check, effect=effect, user=person)

        async def attempt(token: str) -> Any:
            headers = {"appid": self._settings.app_id, "token": token, "userid": self._encrypted(person)}
            if self._settings.skip_session:
                headers["skipsession"] = "1"
            return await self.send(method, path, effect=effect, form=form, params=params, headers=headers, check=judge)

        return await self._token.using(attempt)

    async def send(
        self,
        method: str,
        path: str,
        *,
        effect: Effect = Effect.READ,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        check: Callable[[httpx.Response], None],
    ) -> Any:
        """Send one call without token and user."""
        response = await self._http.send(
            method,
            self.url(path),
            effect=effect,
            params=params,
            content=urlencode(form).encode() if form is not None else None,
            headers={**(headers or {}), **({"Content-Type": _FORM} if form is not None else {})},
            check=check,
        )
        return content_of(response)

    def user(self, named: str = "") -> str:
        """Who a call is made as.

        :raises BadConnection: nobody is named, and the connection has no user of its own
        """
        person = named or self._settings.user_id
        if not person:
            raise BadConnection(
                "没有指定 OA 用户，连接也没有默认用户",
                "No OA user is named, and the connection has no default one",
                where=f"{self._name}.user_id",
            )
        return person

    async def token(self) -> str:
        """The token that calls are made with.

        :raises BadConnection: the connection is not registered
        :raises LoginRefused: unknown appid, wrong secret or key
        """
        return await self._token.get()

    async def register(self) -> dict[str, str]:
        """Register the application: ``secret`` and ``spk``, which replace those of any earlier registration.

        e-cology 9 development documentation, Token 认证: ``POST /api/ec/dev/auth/regist``.

        :raises LoginRefused: the OA has no licence for this appid
        :raises RemoteFault: the answer lacks the secret or the key
        """
        public = await asyncio.to_thread(new_public_key)
        headers = {"appid": self._settings.app_id, "cpk": public, "cpcode": public}
        answer = object_of(await self.send("POST", _REGISTER, form={}, headers=headers, check=check_login))
        answer = {**answer, **object_of(answer.get("data"))}
        secret, spk = str(answer.get("secrit") or answer.get("secret") or ""), str(answer.get("spk") or "")
        try:
            read_public_key(spk)
        except ValueError:
            secret = ""
        if not secret:
            raise RemoteFault(
                "OA 的注册答复缺少 secrit 或 spk",
                "The OA's answer to the registration lacks secrit or spk",
                where=self._name,
            )
        return {"secret": secret, "spk": spk}

    async def _fetch_token(self) -> tuple[str, float]:
        """e-cology 9 development documentation, Token 认证: ``POST /api/ec/dev/auth/applytoken``."""
        settings = self._settings
        headers = {"appid": settings.app_id, "secret": self._encrypted(settings.secret.get_secret_value())}
        if settings.token_seconds:
            headers["time"] = str(settings.token_seconds)
        answer = object_of(await self.send("POST", _TOKEN, form={}, headers=headers, check=check_login))
        token = str(answer.get("token") or object_of(answer.get("data")).get("token") or "")
        if not token:
            raise RemoteFault("OA 的答复缺少令牌", "The OA's answer holds no token", where=self._name)
        return token, float(settings.token_seconds or _LIFETIME)

    def _encrypted(self, text: str) -> str:
        if self._key is None or not self._settings.secret.get_secret_value():
            raise BadConnection(
                "连接尚未在 OA 注册：缺少 secret 或 spk；请填写，或执行 b1-runtime connections register",
                "The connection is not registered with the OA: secret or spk is missing; enter them, or run "
                "b1-runtime connections register",
                where=self._name,
            )
        try:
            return encrypt(text, self._key)
        except ValueError:
            raise BadConnection(
                "secret 对此 spk 来说太长", "The secret is too long for this spk", where=self._name
            ) from None

    async def aclose(self) -> None:
        """Close the connections; tokens simply expire."""
        await self._token.aclose()
        await self._http.aclose()

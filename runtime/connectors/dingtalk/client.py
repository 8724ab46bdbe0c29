"""DingTalk over HTTP: the access token, and error answers as our errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import httpx
from aiohttp import ClientWebSocketResponse

from runtime.connectors.actions import Effect
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.http import HttpClient, json_object
from runtime.connectors.token import AccessToken, TokenRefused
from runtime.errors import (
    BadConnection,
    FormGone,
    IntegrationError,
    LoginRefused,
    NotFound,
    NotPermitted,
    RemoteFault,
    RemoteRefused,
    Throttled,
)

__all__ = ["DingTalkClient"]

_TOKEN_HEADER = "x-acs-dingtalk-access-token"  # noqa: S105 - the header's name
#: The platform asks for pauses of 1, 2, 4 … seconds.
_PAUSE = 1.0
#: Seconds between two signs of life on an event stream, as in DingTalk's own SDK.
_PING_EVERY = 60.0


_Meaning = tuple[type[IntegrationError], str, str]
_TOKEN: _Meaning = (TokenRefused, "钉钉不接受访问令牌", "DingTalk does not accept the access token")
_LOGIN: _Meaning = (LoginRefused, "AppKey 或 AppSecret 不正确", "AppKey or AppSecret is wrong")
_LIMIT: _Meaning = (Throttled, "钉钉限制了调用频率", "DingTalk limits the call rate")
_FAULT: _Meaning = (RemoteFault, "钉钉内部出错", "DingTalk failed on its side")
_FORM: _Meaning = (FormGone, "审批表单不存在或已删除", "The approval form does not exist or was deleted")
_ABSENT: _Meaning = (NotFound, "审批单不存在", "The approval does not exist")
_USER: _Meaning = (NotFound, "钉钉里没有这个用户", "There is no such user in DingTalk")
_DEPARTMENT: _Meaning = (NotFound, "钉钉里没有这个部门", "There is no such department in DingTalk")
_RIGHT: _Meaning = (NotPermitted, "钉钉应用没有此权限", "The DingTalk app lacks this permission")
_REFUSED: _Meaning = (RemoteRefused, "钉钉拒绝了请求", "DingTalk refused the request")
_FOREIGN: _Meaning = (RemoteFault, "答复不是钉钉给出的", "The answer is not DingTalk's own")
_NOT_JSON: _Meaning = (Throttled, "钉钉没有给出 JSON 答复", "DingTalk did not answer with JSON")
_NO_API: _Meaning = (BadConnection, "此地址上没有钉钉接口", "There is no DingTalk API at this address")

#: DingTalk open platform, the error tables of 发起审批实例, 获取单个审批实例详情, 撤销审批实例, 获取表单schema …
#: The three r's of ``sysErrror`` are DingTalk's.
_CODES: dict[str, _Meaning] = {
    "InvalidAuthentication": _TOKEN,
    "invalidAccessToken": _TOKEN,
    "invalidClientIdOrSecret": _LOGIN,
    "90002": _LIMIT,
    "autoflowLikeTriggerRateLimited": _LIMIT,
    "sysErrror": _FAULT,
    "internalError": _FAULT,
    "systemError": _FAULT,
    "processCodeError": _FORM,
    "formNotExist": _FORM,
    "aflowProcessCodeIsError": _FORM,
    "invalidProcessCode": _FORM,
    "processInstanceIdError": _ABSENT,
    "processInstanceNotExist": _ABSENT,
    "aflowProcessInstNotExist": _ABSENT,
    "40014": _TOKEN,
    "-1": _FAULT,
    "60121": _USER,
    "60003": _DEPARTMENT,
    "60011": _RIGHT,
    "noPermission": _RIGHT,
    "permissionDenied": _RIGHT,
    "needAuth": _RIGHT,
    "processSetupNoPermission": _RIGHT,
}


class DingTalkClient:
    """Calls the API of one application. The token is fetched once and shared by all calls."""

    def __init__(self, name: str, settings: DingTalkSettings) -> None:
        self.name = name
        self._settings = settings
        self._http = HttpClient(name, settings)
        self._token = AccessToken(self._fetch_token)

    def url(self, path: str) -> str:
        """The absolute address of a documented path (``/v1.0/…``)."""
        return self._settings.base_url + path

    async def call(
        self,
        method: str,
        path: str,
        *,
        effect: Effect = Effect.READ,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        expect: str = "",
        legacy: bool = False,
    ) -> dict[str, Any]:
        """Send one call with the application's token; a refused token is renewed once.

        :param legacy: a call of the older host, which takes the token in the query
        :param expect: a field without which the answer is unusable
        :returns: the answer's JSON object
        :raises IntegrationError: see :mod:`runtime.errors`; the error carries DingTalk's code, text and request id
        """

        async def attempt(token: str) -> dict[str, Any]:
            query = dict(params or {}) | {"access_token": token} if legacy else params
            response = await self._http.send(
                method,
                self._settings.oapi_url + path if legacy else self.url(path),
                effect=effect,
                params=query,
                body=body,
                headers=None if legacy else {_TOKEN_HEADER: token},
                check=partial(_check, effect=effect, expect=expect),
            )
            return json_object(response)

        return await self._token.using(attempt)

    async def put(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Store the content of a file where DingTalk said that it wants it, with the signed headers that it gave.

        :raises IntegrationError: see :mod:`runtime.errors`
        """
        await self._http.send("PUT", url, effect=Effect.UPDATE, content=content, headers=headers, check=_check_storage)

    async def token(self) -> str:
        """The access token: cached until shortly before it expires; callers that need one together share one fetch.

        DingTalk open platform, 获取企业内部应用的accessToken; with ``token_api = legacy`` the older gettoken.

        :raises LoginRefused: unknown AppKey or wrong AppSecret
        """
        return await self._token.get()

    async def _fetch_token(self) -> tuple[str, float]:
        settings = self._settings
        secret = settings.app_secret.get_secret_value()
        if settings.token_api == "legacy":  # noqa: S105 - a mode
            response = await self._http.send(
                "GET",
                f"{settings.oapi_url}/gettoken",
                params={"appkey": settings.app_key, "appsecret": secret},
                check=_check_token,
            )
        else:
            response = await self._http.send(
                "POST",
                self.url("/v1.0/oauth2/accessToken"),
                body={"appKey": settings.app_key, "appSecret": secret},
                check=_check_token,
            )
        answer = json_object(response)
        return _token_in(answer), _seconds(answer.get("expireIn") or answer.get("expires_in"))

    async def open_gateway(self) -> tuple[str, str]:
        """Ask for an event stream (DingTalk open platform, Stream 模式); nothing is connected yet.

        :returns: the address to connect to and a ticket that is valid once
        :raises LoginRefused: unknown AppKey or wrong AppSecret
        """
        settings = self._settings
        response = await self._http.send(
            "POST",
            self.url("/v1.0/gateway/connections/open"),
            body={
                "clientId": settings.app_key,
                "clientSecret": settings.app_secret.get_secret_value(),
                "subscriptions": [{"type": "EVENT", "topic": "*"}],
                "ua": "b1-integration-studio",
                "localIp": "",
            },
            check=_check_gateway,
        )
        answer = json_object(response)
        endpoint = str(answer["endpoint"])
        # a ticket is as good as the secret for its short life: it does not travel in the open where the secret did not
        if not endpoint.startswith("wss://") and settings.base_url.startswith("https://"):
            meaning = (RemoteFault, "钉钉给出的 Stream 地址不加密", "DingTalk named a stream address without TLS")
            raise _error(meaning, response, answer)
        return endpoint, str(answer["ticket"])

    def websocket(self, url: str, params: Mapping[str, str]) -> AbstractAsyncContextManager[ClientWebSocketResponse]:
        """See :meth:`runtime.connectors.http.HttpClient.websocket`."""
        return self._http.websocket(url, params=params, ping_every=_PING_EVERY)

    async def aclose(self) -> None:
        """Close the connections; tokens simply expire."""
        await self._token.aclose()
        await self._http.aclose()


def _check(response: httpx.Response, *, effect: Effect, expect: str = "") -> None:
    """Raise what an answer stands for.

    Only DingTalk's own refusal proves that a ``create`` was not carried out. What a gateway says in its stead (an HTML
    page, JSON without a code) proves nothing, unless it says that the call was held back.
    """
    answer = json_object(response)
    code = str(answer.get("sub_code") or answer.get("code") or answer.get("errcode") or "")
    status = response.status_code
    if status == 429 or str(answer.get("status")) == "1111":
        raise _error(_LIMIT, response, answer)
    if code in _CODES:
        raise _error(_CODES[code], response, answer)
    if status >= 500:
        raise _error(_FAULT, response, answer)
    if code not in ("", "0") or _is_false(answer.get("success")):
        raise _error(_RIGHT if status == 403 else _REFUSED, response, answer)
    if answer and response.is_success:
        if expect and not answer.get(expect):
            meaning = (RemoteFault, f"钉钉的答复缺少 {expect}", f"DingTalk's answer lacks {expect}")
            raise _error(meaning, response, answer)
        return
    if effect is Effect.CREATE:
        raise _error(_FOREIGN, response, answer)
    if status == 404:
        raise _error(_NO_API, response, answer)
    raise _error(_REFUSED if answer else _NOT_JSON, response, answer)


def _check_storage(response: httpx.Response) -> None:
    """The storage service answers in XML, and with nothing where all is well."""
    if response.is_success:
        return
    words = " ".join(re.sub(r"<[^>]*>", " ", response.text).split())[:200]
    kind = RemoteFault if response.status_code >= 500 else RemoteRefused
    raise kind(
        "钉盘没有接收文件", "DingTalk's storage did not take the file", code=str(response.status_code), remote=words
    )


def _check_login(response: httpx.Response) -> dict[str, Any]:
    """The answer to a call that carries AppKey and AppSecret."""
    try:
        _check(response, effect=Effect.READ)
    except (RemoteRefused, TokenRefused) as error:
        raise LoginRefused(
            "钉钉拒绝了 AppKey 和 AppSecret",
            "DingTalk refused AppKey and AppSecret",
            code=error.code,
            remote=error.remote,
        ) from None
    return json_object(response)


def _check_gateway(response: httpx.Response) -> None:
    answer = _check_login(response)
    if not (str(answer.get("endpoint") or "").startswith(("ws://", "wss://")) and answer.get("ticket")):
        meaning = (RemoteFault, "钉钉的答复缺少 Stream 地址", "DingTalk's answer holds no stream address")
        raise _error(meaning, response, answer)


def _check_token(response: httpx.Response) -> None:
    answer = _check_login(response)
    if not _token_in(answer):
        raise _error((RemoteFault, "钉钉的答复缺少令牌", "DingTalk's answer holds no token"), response, answer)


def _token_in(answer: dict[str, Any]) -> str:
    return str(answer.get("accessToken") or answer.get("access_token") or "")


def _error(meaning: _Meaning, response: httpx.Response, answer: dict[str, Any]) -> IntegrationError:
    kind, zh, en = meaning
    code = str(answer.get("sub_code") or answer.get("code") or answer.get("errcode") or response.status_code)
    words = str(answer.get("sub_msg") or answer.get("message") or answer.get("errmsg") or "")
    request_id = answer.get("requestid") or answer.get("requestId") or answer.get("request_id")
    if request_id:
        words = f"{words} (requestid {request_id})".strip()
    error = kind(zh, en, code=code, remote=words or ("" if answer else response.text[:200]))
    if isinstance(error, Throttled):
        error.retry_after = _PAUSE
    return error


def _is_false(value: Any) -> bool:
    return value is not None and str(value).lower() == "false"


def _seconds(value: Any) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 7200.0

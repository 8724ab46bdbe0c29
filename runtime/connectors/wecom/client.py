"""WeCom over HTTP: the access token, and error answers as our errors.

WeCom answers errors with HTTP 200 and an ``errcode`` other than 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx

from runtime.connectors.actions import Effect
from runtime.connectors.http import HttpClient, json_object
from runtime.connectors.token import AccessToken, TokenRefused
from runtime.connectors.wecom.settings import WeComSettings
from runtime.errors import (
    BadConnection,
    IntegrationError,
    LoginRefused,
    NotPermitted,
    RemoteFault,
    RemoteRefused,
    Throttled,
)

__all__ = ["BAD_APPROVAL", "NO_RIGHT", "UNREADABLE", "WeComClient"]

#: Codes of approval parameters that do not fit, and of a template or an approval that cannot be read.
BAD_APPROVAL, UNREADABLE = "301025", "301026"
#: No permission; of one applicant or of all, so the other documents are tried.
NO_RIGHT = "301055"

#: Seconds to wait after WeCom asked to slow down.
_PAUSE = 1.0
_LIFETIME = 7200.0

_Meaning = tuple[type[IntegrationError], str, str]
_TOKEN: _Meaning = (TokenRefused, "企业微信不接受访问令牌", "WeCom does not accept the access token")
_LIMIT: _Meaning = (Throttled, "企业微信限制了调用频率", "WeCom limits the call rate")
_FAULT: _Meaning = (RemoteFault, "企业微信系统繁忙或内部出错", "WeCom is busy or failed on its side")
_REFUSED: _Meaning = (RemoteRefused, "企业微信拒绝了请求", "WeCom refused the request")
_FOREIGN: _Meaning = (RemoteFault, "答复不是企业微信给出的", "The answer is not WeCom's own")
_NO_API: _Meaning = (BadConnection, "此地址上没有企业微信接口", "There is no WeCom API at this address")
_RIGHT: _Meaning = (NotPermitted, "企业微信应用没有此权限", "The WeCom app lacks this permission")

#: WeCom developer centre, 全局错误码, and the error tables of the approval calls.
_CODES: dict[str, _Meaning] = {
    "-1": _FAULT,
    "40001": _TOKEN,
    "40014": _TOKEN,
    "41001": _TOKEN,
    "42001": _TOKEN,
    "40013": (LoginRefused, "企业 ID 不正确", "The CorpID is wrong"),
    "45009": _LIMIT,
    "45033": _LIMIT,
    "48002": _RIGHT,
    "60011": _RIGHT,
    "60020": (
        NotPermitted,
        "本机的出口 IP 不在应用的“企业可信IP”中，请在企业微信管理后台添加",
        "This machine's outgoing IP address is not among the app's trusted addresses (企业可信IP): add it there",
    ),
    BAD_APPROVAL: (
        RemoteRefused,
        "审批参数错误：必填控件为空、内容与模板不符，或模板 id 不正确",
        "The approval's parameters are wrong: a required control is empty, a value does not fit the template, "
        "or the template id is wrong",
    ),
    UNREADABLE: (RemoteRefused, "读不到审批模板或审批单", "The template or the approval cannot be read"),
    NO_RIGHT: (
        RemoteRefused,
        "没有审批权限：应用不在“可调用接口的应用”中，申请人不在模板的可见范围内，或参数无法解析",
        "No permission: the app is not listed under 可调用接口的应用, the applicant may not use the template, "
        "or a parameter cannot be parsed",
    ),
    "301056": (NotPermitted, "审批应用已停用", "The approval app is disabled"),
    "301057": (RemoteFault, "企业微信审批内部出错", "WeCom's approval app failed on its side"),
    "301112": (
        RemoteRefused,
        "查询的时间范围内审批太多，请缩小范围",
        "There are too many approvals in this time range: narrow it",
    ),
}


class WeComClient:
    """Calls the API of one application. The token is fetched once and shared by all calls."""

    def __init__(self, name: str, settings: WeComSettings) -> None:
        self._settings = settings
        self._http = HttpClient(name, settings)
        self._token = AccessToken(self._fetch_token)

    def url(self, path: str) -> str:
        """The absolute address of a documented path (``oa/applyevent``)."""
        return f"{self._settings.base_url}/cgi-bin/{path}"

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        effect: Effect = Effect.READ,
        method: str = "POST",
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        expect: str = "",
    ) -> dict[str, Any]:
        """Send one call with the application's token; a refused token is renewed once.

        :param content: what is sent in place of a JSON body
        :param expect: a field without which the answer is unusable
        :returns: the answer's JSON object
        :raises IntegrationError: see :mod:`runtime.errors`; the error carries WeCom's code and text
        """

        async def attempt(token: str) -> dict[str, Any]:
            response = await self._http.send(
                method,
                self.url(path),
                effect=effect,
                params={**(params or {}), "access_token": token},
                body=body,
                content=content,
                headers=headers,
                check=partial(_check, effect=effect, expect=expect),
            )
            return json_object(response)

        return await self._token.using(attempt)

    async def token(self) -> str:
        """The access token (WeCom developer centre, 获取access_token).

        :raises LoginRefused: unknown CorpID or wrong secret
        """
        return await self._token.get()

    async def _fetch_token(self) -> tuple[str, float]:
        settings = self._settings
        response = await self._http.send(
            "GET",
            self.url("gettoken"),
            params={"corpid": settings.corp_id, "corpsecret": settings.secret.get_secret_value()},
            check=_check_token,
        )
        answer = json_object(response)
        lifetime = answer.get("expires_in")
        return str(answer["access_token"]), float(lifetime) if isinstance(lifetime, int) and lifetime > 0 else _LIFETIME

    async def aclose(self) -> None:
        """Close the connections; tokens simply expire."""
        await self._token.aclose()
        await self._http.aclose()


def _check(response: httpx.Response, *, effect: Effect, expect: str = "") -> None:
    """Raise what an answer stands for.

    Only WeCom's own refusal proves that a ``create`` was not carried out; what a gateway says in its stead proves
    nothing.
    """
    answer = json_object(response)
    code = str(answer.get("errcode", ""))
    if code not in ("", "0"):
        raise _error(_CODES.get(code, _REFUSED), response, answer)
    if code == "0" and response.is_success:
        if expect and not answer.get(expect):
            meaning = (RemoteFault, f"企业微信的答复缺少 {expect}", f"WeCom's answer lacks {expect}")
            raise _error(meaning, response, answer)
        return
    if response.status_code == 429:
        raise _error(_LIMIT, response, answer)
    if response.status_code == 404 and effect is not Effect.CREATE:
        raise _error(_NO_API, response, answer)
    raise _error(_FOREIGN, response, answer)


def _check_token(response: httpx.Response) -> None:
    try:
        _check(response, effect=Effect.READ, expect="access_token")
    except (RemoteRefused, TokenRefused) as error:
        raise LoginRefused(
            "企业微信拒绝了企业 ID 和 Secret",
            "WeCom refused CorpID and secret",
            code=error.code,
            remote=error.remote,
        ) from None


def _error(meaning: _Meaning, response: httpx.Response, answer: dict[str, Any]) -> IntegrationError:
    kind, zh, en = meaning
    words = str(answer.get("errmsg") or "") or ("" if answer else response.text[:200])
    error = kind(zh, en, code=str(answer.get("errcode", response.status_code)), remote=words)
    if isinstance(error, Throttled):
        error.retry_after = _PAUSE
    return error

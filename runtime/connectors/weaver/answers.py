"""What e-cology's answers mean: one shape for success, and its many ways of saying no as our errors.

e-cology 9 development documentation, Token 认证 and 流程接口. ``code`` is a word, a number or an object, by build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from runtime import jsontext
from runtime.connectors.actions import Effect
from runtime.connectors.token import TokenRefused
from runtime.errors import (
    BadConnection,
    IntegrationError,
    LoginRefused,
    OutcomeUnknown,
    RemoteFault,
    RemoteRefused,
    Throttled,
)
from runtime.jsontext import object_of

__all__ = ["check", "check_created", "check_login", "content_of", "data_of", "request_id"]

_DONE = {"", "SUCCESS", "0", "1"}
#: Codes of the checks that come before anything is created. What other codes leave behind is not documented.
_REFUSALS = {"PARAM_ERROR", "NO_PERMISSION", "USER_EXCEPTION"}
_TOKEN = ("token不存在", "登录信息超时")
_ACCOUNT = "该账号存在异常"
_SECRET = ("secret解密失败", "认证信息错误")
#: Seconds to wait where the server asks for a pause without saying how long.
_PAUSE = 1.0


def content_of(response: httpx.Response) -> Any:
    """The answer's JSON, None when it is something else (a login page, a truncated body)."""
    try:
        return jsontext.loads(response.content)
    except ValueError:
        return None


def data_of(answer: Any) -> Any:
    """What an answer is about: its ``data``, or the answer itself on builds that wrap nothing."""
    return answer["data"] if isinstance(answer, Mapping) and answer.get("data") is not None else answer


def request_id(answer: Any) -> str:
    """The number of a request, wherever the build puts it; empty if there is none (0 and negative ones are none)."""
    found = [object_of(answer), object_of(data_of(answer))]
    values = [part.get(name) for part in found for name in ("requestid", "requestId")]
    if not isinstance(data_of(answer), Mapping):
        values.append(data_of(answer))
    texts = [str(value).strip() for value in values if isinstance(value, str | int) and not isinstance(value, bool)]
    return next((text for text in texts if text.isascii() and text.isdecimal() and int(text) > 0), "")


def check(response: httpx.Response, *, effect: Effect = Effect.READ, user: str = "") -> None:
    """Raise what an answer stands for.

    Only e-cology's own refusal proves that a ``create`` was not carried out.

    :param user: who the call is made as, for the error that concerns this person
    """
    answer = content_of(response)
    if response.status_code == 429:
        raise Throttled(
            "OA 限制了调用频率", "The OA limits the call rate", code="429", remote=_text(response), retry_after=_PAUSE
        )
    if response.status_code >= 500 or (effect is Effect.CREATE and not isinstance(answer, Mapping)):
        raise RemoteFault(
            "OA 没有给出可用的答复",
            "The OA gave no usable answer",
            code=str(response.status_code),
            remote=_text(response),
        )
    if not isinstance(answer, Mapping | list):
        raise _foreign(response)
    if isinstance(answer, Mapping):
        if effect is not Effect.CREATE or _from_login_filter(answer):
            _check_login_state(answer, user)
        if not _succeeded(answer) or not response.is_success:
            raise _refusal(answer, response, effect)


def check_created(response: httpx.Response, *, user: str, deleted: bool) -> None:
    """:func:`check` for a new request: it has a number.

    :param deleted: a request that cannot be submitted was asked to be deleted
    :raises OutcomeUnknown: it exists although the answer is a failure, or nobody knows whether it does
    """
    answer = content_of(response)
    number = request_id(answer)
    if number and not deleted and isinstance(answer, Mapping) and not _succeeded(answer):
        raise OutcomeUnknown(
            f"流程 {number} 已创建，但未能提交到下一节点",
            f"Request {number} was created, but could not be submitted to the next node",
            code=_code(answer),
            remote=_words(answer),
        )
    check(response, effect=Effect.CREATE, user=user)
    if not number:
        raise RemoteFault("OA 的答复没有流程编号", "The OA's answer holds no request id", remote=_text(response))


def check_login(response: httpx.Response) -> None:
    """:func:`check` for the two calls that open the door (regist, applytoken).

    :raises LoginRefused: appid, secret or public key is wrong
    """
    answer = object_of(content_of(response))
    words = _words(answer)
    if any(word in words for word in _SECRET):
        raise LoginRefused(
            "OA 不认可 secret：secret 或 spk 已失效（重新注册会更换两者），或 spk 不是这台服务器的公钥",
            "The OA does not accept the secret: it or spk is out of date (registering again changes both), "
            "or spk is not the key of this server",
            code=_code(answer),
            remote=words,
        )
    try:
        check(response)
    except RemoteRefused as error:
        raise LoginRefused(
            "OA 拒绝了此 appid", "The OA refused this appid", code=error.code, remote=error.remote
        ) from None


def _succeeded(answer: Mapping[str, Any]) -> bool:
    for name in ("status", "api_status"):
        if str(answer.get(name)).lower() == "false":
            return False
    return _code(answer).upper() in _DONE and not answer.get("errorCode")


def _from_login_filter(answer: Mapping[str, Any]) -> bool:
    """Whether the call was turned away before anything was created. The filter's texts alone do not say so: what a new
    request sets off may meet a login of its own, and -1 is the code of much else."""
    refused = str(answer.get("status")).lower() == "false" and _code(answer) in ("", "-1")
    return refused and _words(answer).startswith((*_TOKEN, _ACCOUNT, *_SECRET))


def _check_login_state(answer: Mapping[str, Any], user: str) -> None:
    words = _words(answer)
    if str(answer.get("errorCode")) == "002" or any(word in words for word in _TOKEN):
        raise TokenRefused(
            "OA 不接受令牌，或该接口没有放行令牌认证",
            "The OA does not accept the token, or this call is not open to token authentication",
            code=str(answer.get("errorCode") or _code(answer)),
            remote=words.partition("：")[0].partition(":")[0],  # the token itself stands behind the colon
        )
    if _ACCOUNT in words:
        raise RemoteRefused(
            f"OA 用户 {user} 不存在、已锁定或账号异常",
            f"The OA user {user} does not exist, is locked, or the account is in trouble",
            where=f"OA 用户 OA user {user}",
            code=_code(answer),
            remote=words,
        )


def _refusal(answer: Mapping[str, Any], response: httpx.Response, effect: Effect) -> IntegrationError:
    code = _code(answer) or str(response.status_code)
    if effect is Effect.CREATE and not _from_login_filter(answer) and code.upper() not in _REFUSALS:
        return RemoteFault(
            "OA 报告失败，未说明是否已创建",
            "The OA reports a failure and does not say whether anything was created",
            code=code,
            remote=_words(answer),
        )
    return RemoteRefused("OA 拒绝了请求", "The OA refused the request", code=code, remote=_words(answer))


def _foreign(response: httpx.Response) -> IntegrationError:
    status = response.status_code
    if status == 404:
        return BadConnection("此地址上没有 OA 接口", "There is no OA API at this address", remote=f"HTTP {status}")
    if response.is_redirect:
        return BadConnection(
            "OA 要求登录：请把接口加入 OA 的免会话校验名单（unchecksessionurl）",
            "The OA asks for a login: add the call to the server's list of unchecked addresses (unchecksessionurl)",
            remote=f"HTTP {status}",
        )
    return RemoteFault("OA 的答复不是 JSON", "The OA's answer is not JSON", code=str(status), remote=_text(response))


def _code(answer: Mapping[str, Any]) -> str:
    code = answer.get("code")
    if isinstance(code, Mapping):
        code = next((code[name] for name in ("name", "statusCode", "code") if code.get(name) is not None), "")
    return "" if code is None else str(code)


def _words(answer: Mapping[str, Any]) -> str:
    """The reason: in a text, else in ``errMsg``, else in ``reqFailMsg``."""
    for name in ("msg", "errmsg", "message", "api_errormsg", "errMsg", "reqFailMsg"):
        value = answer.get(name)
        if value and value != {}:
            return value if isinstance(value, str) else jsontext.dumps(value).decode()
    return ""


def _text(response: httpx.Response) -> str:
    return response.text[:200]

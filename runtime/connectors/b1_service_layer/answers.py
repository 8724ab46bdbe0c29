"""What the Service Layer's answers mean: data, or one of our errors with its code and text.

Error bodies (SAP, "Working with SAP Business One Service Layer", Error handling): OData 3 answers a number and
``{"lang", "value"}``, OData 4 a text and a plain message; builds mix the two, so any combination is read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx

from runtime import jsontext
from runtime.connectors.http import read_json
from runtime.errors import (
    BadConnection,
    Conflict,
    FixData,
    IntegrationError,
    LoginRefused,
    NotFound,
    NotPermitted,
    RemoteFault,
    RemoteRefused,
    RetryLater,
    Throttled,
)

__all__ = ["NO_RECORD", "Answer", "LoginAnswer", "PlainAnswer", "session_ended"]

#: "No matching records found": the record of this key does not exist.
NO_RECORD = "-2028"
_SESSION_ENDED = "301"
_ETAG_MISMATCH = "-2039"
#: "Switch company error" and "SAML Login Failed": too many logins at once; nothing was processed.
_BUSY = frozenset({"305", "299"})
_LOGIN_REFUSED = frozenset({"-304", "-306", "100000027"})


def session_ended(response: httpx.Response) -> bool:
    """Whether an answer says "invalid session or session already timeout" (301): the request was not looked at."""
    return response.status_code == httpx.codes.UNAUTHORIZED and _words(response).code.lstrip("-") == _SESSION_ENDED


class PlainAnswer:
    """Checks an answer whose body does not matter."""

    response: httpx.Response

    def __call__(self, response: httpx.Response) -> None:
        """Raise the error that the answer stands for."""
        self.response = response
        if not response.is_success:
            raise _error(response)


class Answer(PlainAnswer):
    """Checks an answer and keeps its JSON (decimals) as :attr:`data`; None when there is no body."""

    data: Any = None

    def __call__(self, response: httpx.Response) -> None:
        """Raise the error that the answer stands for, also where a proxy's page comes with a good status."""
        super().__call__(response)
        self.data = read_json(response) if response.content.strip() else None


class LoginAnswer(Answer):
    """Checks the answer of Login: here every refusal concerns the connection."""

    def __call__(self, response: httpx.Response) -> None:
        """Raise :class:`LoginRefused` for wrong company, user or password, whatever the status."""
        try:
            super().__call__(response)
        except NotFound as error:
            raise BadConnection(
                "此地址没有这个版本的 B1 服务层",
                "There is no Service Layer of this version at this address",
                code=error.code,
                remote=error.remote,
            ) from error
        except (LoginRefused, FixData, RemoteFault) as error:
            if isinstance(error, RemoteFault) and error.code not in _LOGIN_REFUSED:
                raise
            raise LoginRefused("登录被拒绝", "The login was refused", code=error.code, remote=error.remote) from error


class _Words(NamedTuple):
    code: str
    text: str
    #: Whether the body is an OData error at all, not a proxy's page.
    odata: bool


def _words(response: httpx.Response) -> _Words:
    try:
        error = jsontext.loads(response.content)["error"]
        message = error.get("message", "")
        text = message.get("value", "") if isinstance(message, dict) else message
        return _Words(str(error.get("code", "")).strip(), str(text or "").strip(), odata=True)
    except (ValueError, KeyError, TypeError, AttributeError):
        page = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", response.text)
        return _Words(str(response.status_code), " ".join(html.unescape(page).split())[:200], odata=False)


#: First match wins: (status, code, is it an OData error) -> class and sentences.
_MEANINGS: tuple[tuple[Callable[[int, str, bool], bool], type[IntegrationError], str, str], ...] = (
    (
        lambda status, code, odata: status == 429 or (status >= 500 and code in _BUSY),
        Throttled,
        "B1 服务层正忙",
        "B1's Service Layer is busy",
    ),
    (
        lambda status, code, odata: status >= 500,
        RemoteFault,
        "B1 服务层内部出错",
        "B1's Service Layer failed on its side",
    ),
    (
        lambda status, code, odata: status < 400,
        BadConnection,
        "服务地址被重定向，请填写最终地址",
        "The address redirects elsewhere; enter the final address",
    ),
    (
        lambda status, code, odata: status == 401,
        LoginRefused,
        "B1 不接受此会话或用户",
        "B1 accepts neither session nor user",
    ),
    (
        lambda status, code, odata: status == 403,
        NotPermitted,
        "B1 用户没有此权限",
        "The B1 user lacks this right",
    ),
    (
        lambda status, code, odata: code == NO_RECORD,
        NotFound,
        "B1 中没有此记录",
        "B1 has no such record",
    ),
    (
        lambda status, code, odata: status == 412 or code == _ETAG_MISMATCH,
        Conflict,
        "记录已被他人修改",
        "The record was changed by somebody else",
    ),
    (
        lambda status, code, odata: status == 404 and odata,
        NotFound,
        "B1 中没有此对象",
        "B1 has no such object",
    ),
    (
        lambda status, code, odata: status == 404,
        BadConnection,
        "此地址没有 B1 服务层",
        "There is no Service Layer at this address",
    ),
    (lambda status, code, odata: True, RemoteRefused, "B1 拒绝了请求", "B1 refused the request"),
)


def _error(response: httpx.Response) -> IntegrationError:
    status = response.status_code
    code, text, odata = _words(response)
    kind, zh, en = next(meaning[1:] for meaning in _MEANINGS if meaning[0](status, code, odata))
    error = kind(zh, en, code=code, remote=response.headers.get("location", text) if status < 400 else text)
    if isinstance(error, RetryLater):
        error.retry_after = _retry_after(response)
    return error


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the date form of the header is not used by B1 or Apache."""
    value = response.headers.get("retry-after", "").strip()
    return float(value) if value.isdigit() else None

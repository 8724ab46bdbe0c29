"""What the gateway's answers mean: rows, or one of our errors with its code and text.

An answer is ``{"code", "message", "data": {"value": […]}}`` with the code ``RIS.10000000`` where all is well. How it
refuses is documented nowhere: any other code, any error status and the Service Layer's own error body are understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from runtime import jsontext
from runtime.connectors.b1_service_layer.answers import Answer, LoginAnswer
from runtime.errors import BadMapping, LoginRefused, RemoteFault

__all__ = ["DiLogin", "RowsAnswer", "is_dead"]

_GOOD = "RIS.10000000"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.0+)?", re.ASCII)
_SHORTEST_MOMENT = len("2026-01-31 00:00:00")
#: Codes of a session that is no longer good.
_DEAD = frozenset({"401", "301"})


class RowsAnswer(Answer):
    """Checks the answer of ``exec-sql`` and keeps its rows."""

    rows: list[dict[str, Any]]

    def __call__(self, response: httpx.Response) -> None:
        """Raise the error that the answer stands for."""
        code, message = _verdict(response)
        if code in _DEAD:
            raise LoginRefused("网关不接受此会话或用户", "The gateway accepts neither session nor user", remote=message)
        if code not in ("", _GOOD):
            if response.status_code >= 500:
                raise RemoteFault("网关内部出错", "The gateway failed on its side", code=code, remote=message)
            raise BadMapping("网关拒绝了语句", "The gateway refused the statement", code=code, remote=message)
        super().__call__(response)
        data = self.data.get("data") if isinstance(self.data, Mapping) else None
        rows = data.get("value") if isinstance(data, Mapping) else None
        if code != _GOOD or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RemoteFault("网关的答复不是记录列表", "The gateway's answer is not a list of rows", remote=message)
        self.rows = [{name: _value(value) for name, value in row.items()} for row in rows]


class DiLogin(LoginAnswer):
    """Checks the answer of the login, in the gateway's own form or the Service Layer's."""

    def __call__(self, response: httpx.Response) -> None:
        """Raise :class:`LoginRefused` for wrong company, user or password."""
        code, message = _verdict(response)
        if code not in ("", _GOOD) and response.status_code < 500:
            raise LoginRefused("登录被拒绝", "The login was refused", code=code, remote=message)
        super().__call__(response)


def is_dead(response: httpx.Response) -> bool:
    """Whether the session has ended: by status, or by a code in a good answer."""
    return response.status_code == httpx.codes.UNAUTHORIZED or _verdict(response)[0] in _DEAD


def _value(value: Any) -> Any:
    """A moment as HANA writes it (``2026-01-31 00:00:00.000000000``) becomes ISO text, at midnight a date."""
    moment = _MOMENT.fullmatch(value) if isinstance(value, str) and len(value) >= _SHORTEST_MOMENT else None
    if moment is None:
        return value
    day, clock = moment.groups()
    return day if clock == "00:00:00" else f"{day}T{clock}"


def _verdict(response: httpx.Response) -> tuple[str, str]:
    """Code and message of the gateway; empty where the body is not in its form."""
    try:
        body = jsontext.loads(response.content)
    except ValueError:
        return "", ""
    if not isinstance(body, Mapping):
        return "", ""
    error = body.get("error")
    found = error if isinstance(error, Mapping) else body
    message = found.get("message") or ""
    text = message.get("value", "") if isinstance(message, Mapping) else message
    return str(found.get("code") or "").strip(), str(text)

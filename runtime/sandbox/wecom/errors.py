"""How WeCom says no: HTTP 200 with an ``errcode`` other than 0."""

from __future__ import annotations

import secrets

from starlette.responses import HTMLResponse, Response

from runtime.sandbox.faults import ErrorKind
from runtime.sandbox.oa.errors import OaError, json_response

__all__ = ["WeComError", "bad_approval", "fault_answer"]


class WeComError(OaError):
    """A call that WeCom refuses; codes follow "WeCom developer centre, 全局错误码"."""

    def response(self) -> Response:
        """``{"errcode", "errmsg"}``; the text ends as the real one does."""
        text = (
            f"{self.message}, hint: [{secrets.token_hex(12)}], from ip: 127.0.0.1, "
            f"more info at https://open.work.weixin.qq.com/devtool/query?e={self.code}"
        )
        return json_response({"errcode": self.code, "errmsg": text})


def bad_approval(where: str, reason: str) -> WeComError:
    """Approval parameters that do not fit the template."""
    return WeComError(301025, f"approval param error: {where} {reason}")


def fault_answer(kind: ErrorKind, path: str) -> Response:
    """WeCom's own answer to a call that met a fault; it knows no status but 200."""
    if kind == "throttled_html":
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    if kind == "error429":
        return WeComError(45009, "api freq out of limit").response()
    return WeComError(-1, "system busy").response()

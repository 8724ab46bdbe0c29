"""How DingTalk says no: HTTP status, ``code`` and ``message`` of the new API."""

from __future__ import annotations

import secrets

from starlette.responses import HTMLResponse, Response

from runtime.sandbox.faults import ErrorKind
from runtime.sandbox.oa.errors import OaError, json_response

__all__ = ["DingTalkError", "fault_answer"]


class DingTalkError(OaError):
    """A call that DingTalk refuses.

    Codes follow "DingTalk open platform, 全局错误码" and the error tables of the OA approval pages.
    """

    code: str

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status

    def response(self) -> Response:
        """``{"code", "requestid", "message"}`` with its HTTP status."""
        body = {"code": self.code, "requestid": secrets.token_hex(16).upper(), "message": self.message}
        return json_response(body, self.status)


def fault_answer(kind: ErrorKind, path: str) -> Response:
    """DingTalk's own answer to a call that met a fault."""
    if kind == "throttled_html":
        # DingTalk blocks an address that calls too often: a page with status 200, not JSON.
        return HTMLResponse(
            "<html><head><title>访问受限</title></head><body><h1>访问过于频繁，请稍后再试</h1></body></html>"
        )
    if kind == "error429":
        answer = DingTalkError("Throttling", "请求过于频繁，请稍后重试", 429).response()
        answer.headers["Retry-After"] = "1"
        return answer
    return DingTalkError("systemError", "系统错误", 500).response()

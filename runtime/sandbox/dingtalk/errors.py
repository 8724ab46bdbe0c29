"""How DingTalk says no: HTTP status, ``code`` and ``message`` of the new API."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from runtime import jsontext

__all__ = ["DingTalkError", "json_response"]


class DingTalkError(Exception):
    """A call that DingTalk refuses.

    Codes follow "DingTalk open platform, 全局错误码" and the error tables of the OA approval pages.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def response(self) -> Response:
        """``{"code", "requestid", "message"}`` with its HTTP status."""
        body = {"code": self.code, "requestid": secrets.token_hex(16).upper(), "message": self.message}
        return json_response(body, self.status)


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer as DingTalk's gateway sends it."""
    return Response(jsontext.dumps(body), status, media_type="application/json;charset=utf-8")

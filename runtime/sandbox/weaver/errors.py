"""How e-cology says no: HTTP 200, and words in the body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from runtime import jsontext

__all__ = ["WeaverError", "json_response", "login_failure"]


class WeaverError(Exception):
    """A paService call that e-cology refuses: ``{"code", "data", "errMsg", "reqFailMsg"}``."""

    def __init__(self, code: str, reasons: Mapping[str, Any], *, flow: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {jsontext.dumps(dict(reasons)).decode()}")
        self.body = {"code": code, "data": {}, "errMsg": dict(reasons), "reqFailMsg": dict(flow or {})}


def login_failure(message: str, code: int = -1, **more: Any) -> dict[str, Any]:
    """The body of the login filter."""
    return {"msg": message, "code": code, "msgShowType": "none", "status": False, **more}


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer as the OA server sends it."""
    return Response(jsontext.dumps(body), status, media_type="application/json;charset=UTF-8")

"""How e-cology says no: HTTP 200, and words in the body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, Response

from runtime import jsontext
from runtime.sandbox.faults import ErrorKind

__all__ = ["WeaverError", "fault_answer", "json_response", "login_failure"]


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


def fault_answer(kind: ErrorKind, path: str) -> Response:
    """What answers a call that met a fault: a page of e-cology's own web server."""
    if kind == "error500":
        return HTMLResponse("<html><head><title>500 Servlet Exception</title></head><body>500</body></html>", 500)
    if kind == "error429":
        return HTMLResponse("<html><body>429 Too Many Requests</body></html>", 429, {"Retry-After": "1"})
    page = "<html><head><title>访问受限</title></head><body><h1>访问过于频繁，请稍后再试</h1></body></html>"
    return HTMLResponse(page)

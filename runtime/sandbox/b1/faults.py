"""How the Service Layer refuses: its codes, its texts, and the error bodies of both versions."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import HTMLResponse, Response

from runtime.sandbox.faults import ErrorKind

__all__ = [
    "ServiceFault",
    "bad_request",
    "dead_session",
    "error_body",
    "fault_answer",
    "invalid_property",
    "not_found",
]


class ServiceFault(Exception):
    """A refusal of the simulated Service Layer; it becomes the answer of the call.

    :param status: HTTP status
    :param code: the Service Layer's code, e.g. -2028
    :param text: the message in English
    """

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(status, code, text)
        self.status = status
        self.code = code
        self.text = text


def bad_request(text: str, code: int = -5002) -> ServiceFault:
    """A refusal by a business rule (-5002 is the general one)."""
    return ServiceFault(400, code, text)


def not_found() -> ServiceFault:
    """No record has this key."""
    return ServiceFault(404, -2028, "No matching records found (ODBC -2028)")


def invalid_property(name: str, type_name: str) -> ServiceFault:
    """A property that the type does not have."""
    return ServiceFault(400, -1000, f"Property '{name}' of '{type_name}' is invalid")


def dead_session() -> ServiceFault:
    """The cookie names no live session; a garbage cookie gives the same answer."""
    return ServiceFault(401, 301, "Invalid session or session already timeout.")


def error_body(fault: ServiceFault, version: str, language: str) -> dict[str, Any]:
    """The JSON body: v1 has a number and an object, v2 a string and a plain message."""
    if version == "v1":
        return {"error": {"code": fault.code, "message": {"lang": language, "value": fault.text}}}
    return {"error": {"code": str(fault.code), "details": [{"code": "", "message": ""}], "message": fault.text}}


def fault_answer(kind: ErrorKind, path: str) -> Response:
    """What answers a call that met a fault: the Service Layer itself, or the Apache in front of it."""
    if kind == "throttled_html":
        return HTMLResponse(
            '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head><title>502 Proxy Error</title></head>'
            "<body><h1>Proxy Error</h1><p>The proxy server received an invalid response from an upstream server.</p>"
            "</body></html>",
            502,
        )
    if kind == "error429":
        page = "<html><body><h1>429 Too Many Requests</h1></body></html>"
        return HTMLResponse(page, 429, {"Retry-After": "1"})
    fault = ServiceFault(500, 305, "Switch company error: -1102")
    if "/b1dis/" in path:
        text = json.dumps({"code": "RIS.20000305", "message": fault.text})
        return Response(text, 500, media_type="application/json")
    body = error_body(fault, "v2" if "/v2/" in path else "v1", "en-us")
    return Response(json.dumps(body), 500, media_type="application/json")

"""How the Service Layer refuses: its codes, its texts, and the error bodies of both versions."""

from __future__ import annotations

from typing import Any

__all__ = ["ServiceFault", "bad_request", "dead_session", "error_body", "invalid_property", "not_found"]


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

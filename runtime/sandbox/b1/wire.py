"""One call and its answer, whether it came alone or inside a ``$batch``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from runtime.jsontext import dumps, loads

from .faults import bad_request

__all__ = ["Call", "Reply", "json_body", "json_reply", "reason"]

_JSON: Final = {
    "v1": "application/json;odata=minimalmetadata;charset=utf-8",
    "v2": "application/json;odata.metadata=minimal;charset=utf-8",
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to the Service Layer."""

    method: str
    #: ``v1`` or ``v2``.
    version: str
    #: Address of the service root, e.g. ``http://127.0.0.1:8765/b1/b1s/v1/``.
    root: str
    #: What follows the service root, percent-encoded, without query.
    path: str
    query: str = ""
    #: Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    media_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def json_body(call: Call) -> dict[str, Any]:
    """The object that a call carries.

    :raises ServiceFault: 400/-1000 it carries something else
    """
    try:
        body = loads(call.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise bad_request("Invalid JSON: the request body must be one JSON object", -1000)
    return body


def json_reply(status: int, content: Any, version: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """A JSON answer in the media type of the version."""
    return Reply(status=status, body=dumps(content), media_type=_JSON[version], headers=tuple(headers))


def reason(status: int) -> str:
    """The reason phrase of an HTTP status."""
    return HTTPStatus(status).phrase

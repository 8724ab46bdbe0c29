"""What the server's refusals become, in the body forms of both versions."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.connectors.b1_service_layer.answers import Answer, PlainAnswer
from runtime.errors import (
    BadConnection,
    Conflict,
    IntegrationError,
    NotFound,
    NotPermitted,
    RemoteFault,
    RemoteRefused,
    Throttled,
)

BODIES = {
    "v1": lambda code, text: {"error": {"code": code, "message": {"lang": "zh-cn", "value": text}}},
    "v2": lambda code, text: {"error": {"code": str(code), "details": [{"code": "", "message": ""}], "message": text}},
    "number and text": lambda code, text: {"error": {"code": code, "message": text}},
    "text and object": lambda code, text: {"error": {"code": str(code), "message": {"value": text}}},
}


def refused(response: httpx.Response) -> IntegrationError:
    with pytest.raises(IntegrationError) as error:
        PlainAnswer()(response)
    return error.value


@pytest.mark.parametrize("style", BODIES)
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, -2028, NotFound),
        (400, -2028, NotFound),
        (404, -1, NotFound),
        (412, -2039, Conflict),
        (400, -5002, RemoteRefused),
        (400, -10, RemoteRefused),
        (400, -1116, RemoteRefused),
        (403, -1, NotPermitted),
        (500, 305, Throttled),
        (500, 299, Throttled),
        (500, 407, RemoteFault),
        (429, 0, Throttled),
    ],
)
def test_refusals_of_every_body_form(style: str, status: int, code: int, kind: type[IntegrationError]) -> None:
    error = refused(httpx.Response(status, json=BODIES[style](code, "单据已关闭")))
    assert type(error) is kind
    assert (error.code, error.remote) == (str(code), "单据已关闭")


def test_html_pages_are_told_in_their_own_words() -> None:
    page = "<html><head><title>x</title></head><body><h1>Proxy&nbsp;Error</h1><p>The server &quot;b1&quot;</p></body>"
    error = refused(httpx.Response(502, html=page))
    assert type(error) is RemoteFault
    assert (error.code, error.remote) == ("502", 'Proxy Error The server "b1"')


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"error":null}', b'{"error":"x"}', b"{", b"\xff\xfe"])
def test_unreadable_refusals_keep_their_status(body: bytes) -> None:
    error = refused(httpx.Response(400, content=body))
    assert type(error) is RemoteRefused
    assert error.code == "400"


def test_a_404_of_a_web_server_is_a_wrong_address_and_no_missing_record() -> None:
    assert type(refused(httpx.Response(404, html="<h1>Not Found</h1>"))) is BadConnection


def test_retry_after_is_kept() -> None:
    error = refused(httpx.Response(429, headers={"Retry-After": "7"}))
    assert isinstance(error, Throttled)
    assert error.retry_after == 7.0
    late = refused(httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    assert isinstance(late, RemoteFault)
    assert late.retry_after is None


@pytest.mark.parametrize("body", ["<html>please wait</html>", '{"value":[', ""])
def test_a_good_status_needs_a_good_body(body: str) -> None:
    answer = Answer()
    if body:
        with pytest.raises(RemoteFault):
            answer(httpx.Response(200, text=body))
    else:
        answer(httpx.Response(204))
        assert answer.data is None


def test_numbers_stay_decimals() -> None:
    answer = Answer()
    answer(httpx.Response(200, content=json.dumps({"DocTotal": 0}).replace("0", "12345678901234.123451")))
    data: Any = answer.data
    assert str(data["DocTotal"]) == "12345678901234.123451"

"""``/callbacks/…`` as strangers and DingTalk meet it: what is not genuine changes nothing."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import Envelope
from runtime.store.inbox import list_events

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.parametrize("state", ["sqlite", "postgresql"], indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def address(module_desk: Any) -> str:
    """A runtime with the two connections and no mapping at all."""
    module_desk.import_connections()
    return str(module_desk.serve().address())


ENVELOPE = Envelope(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)
FINISHED = {
    "EventType": "bpms_instance_change",
    "eventId": "event-1",
    "processInstanceId": "instance-1",
    "processCode": demo.PROCESS_CODE,
    "type": "finish",
    "result": "agree",
}


def sealed(
    message: dict[str, Any], *, token: str = demo.DINGTALK_TOKEN, owner: str = demo.DINGTALK_APP_KEY
) -> tuple[dict[str, str], bytes]:
    """Query and body of a push as DingTalk makes it."""
    query, body = Envelope(token, demo.DINGTALK_AES_KEY, owner).seal(json.dumps(message).encode())
    return query, json.dumps(body).encode()


@pytest.fixture(scope="module")
def http(address: str) -> Any:
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def stored(module_desk: Any) -> Any:
    """How many events stand in the inbox."""
    return lambda: len(module_desk.read(lambda connection: list_events(connection, limit=1000)))


def forged() -> tuple[dict[str, str], bytes]:
    """Signed with a token of the stranger's own."""
    return sealed(FINISHED, token="strangertoken")


def truncated() -> tuple[dict[str, str], bytes]:
    query, body = sealed(FINISHED)
    return query, body[: len(body) // 2]


def altered() -> tuple[dict[str, str], bytes]:
    """Another message under the signature of a genuine one."""
    query, _ = sealed(FINISHED)
    _, body = sealed({**FINISHED, "result": "refuse"})
    return query, body


def for_another_app() -> tuple[dict[str, str], bytes]:
    return sealed(FINISHED, owner="ding-other-app")


def without_signature() -> tuple[dict[str, str], bytes]:
    return {}, sealed(FINISHED)[1]


def bottomless() -> tuple[dict[str, str], bytes]:
    return sealed(FINISHED)[0], b"[" * 500_000


@pytest.mark.parametrize("make", [forged, truncated, altered, for_another_app, without_signature, bottomless])
def test_what_is_not_genuine_is_refused_and_tells_nothing(http: httpx.Client, stored: Any, make: Any) -> None:
    before = stored()
    query, body = make()
    answer = http.post("/callbacks/dingtalk-demo", params=query, content=body)
    assert answer.status_code == 403
    assert answer.json() == {"error": "rejected"}
    assert stored() == before


def test_a_genuine_event_is_stored_once_however_often_it_comes(http: httpx.Client, stored: Any) -> None:
    before = stored()
    first_query, first_body = sealed({**FINISHED, "eventId": "event-once"})
    for query, body in [
        (first_query, first_body),
        (first_query, first_body),
        sealed({**FINISHED, "eventId": "event-once"}),
    ]:
        answer = http.post("/callbacks/dingtalk-demo", params=query, content=body)
        assert answer.status_code == 200
        assert ENVELOPE.open_answer(answer.json()) == b"success"
    assert stored() == before + 1


def test_the_address_check_is_answered(http: httpx.Client, stored: Any) -> None:
    before = stored()
    query, body = sealed({"EventType": "check_url"})
    answer = http.post("/callbacks/dingtalk-demo", params=query, content=body)
    assert ENVELOPE.open_answer(answer.json()) == b"success"
    assert stored() == before


def test_ten_megabytes_are_refused(http: httpx.Client, stored: Any) -> None:
    before = stored()
    answer = http.post("/callbacks/dingtalk-demo", content=b"x" * 10_000_000)
    assert answer.status_code == 413
    # Without a declared length the limit holds as well.
    answer = http.post("/callbacks/dingtalk-demo", content=(b"x" * 100_000 for _ in range(100)))
    assert answer.status_code == 413
    assert stored() == before


@pytest.mark.parametrize("path", ["/callbacks/nobody", "/callbacks/b1-demo", "/callbacks/" + "x" * 2000])
def test_a_connection_without_callbacks_does_not_exist_out_there(http: httpx.Client, path: str) -> None:
    query, body = sealed(FINISHED)
    answer = http.post(path, params=query, content=body)
    assert answer.status_code == 404
    assert answer.json() == {"error": "rejected"}


def test_refusals_are_counted_and_logged_with_their_reason(http: httpx.Client, module_desk: Any) -> None:
    query, body = forged()
    http.post("/callbacks/dingtalk-demo", params=query, content=body)
    metrics = http.get("/metrics").text
    assert 'b1_callbacks_total{connection="dingtalk-demo",verdict="rejected"}' in metrics
    assert "strangertoken" not in metrics
    log = module_desk.started[0].output
    assert "callback rejected" in log
    assert "signature" in log
    assert demo.DINGTALK_TOKEN not in log


def test_an_event_of_an_unknown_form_is_acknowledged_and_ignored(
    http: httpx.Client, module_desk: Any, eventually: Any
) -> None:
    query, body = sealed({**FINISHED, "eventId": "event-unknown-form", "processCode": "PROC-NOBODY"})
    assert http.post("/callbacks/dingtalk-demo", params=query, content=body).status_code == 200

    def note() -> str:
        done = module_desk.read(lambda connection: list_events(connection, states=["done"]))
        return next((item.note for item in done if item.event.key == "event-unknown-form"), "")

    assert "PROC-NOBODY" in eventually(note, what="the event is marked as ignored")


def test_nothing_else_is_reachable(http: httpx.Client) -> None:
    for path in ("/", "/docs", "/runs", "/connections", "/openapi.json", "/flows/anything"):
        assert http.get(path).status_code == 404

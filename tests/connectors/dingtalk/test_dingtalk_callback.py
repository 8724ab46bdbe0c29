"""DingTalk's event push: what is accepted, what it becomes, and the answer."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from dingtalk.crypto import DingTalkCrypto

from runtime.connectors.dingtalk.callback import receive
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.events import CallbackRequest, Event, Outcome
from runtime.errors import CallbackRejected

KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
SETTINGS: dict[str, Any] = {"app_key": "ding-key", "app_secret": "s", "aes_key": KEY, "token": "token123"}

FINISH = {
    "EventType": "bpms_instance_change",
    "EventTime": 1663143335567,
    "CorpId": "ding9f",
    "BizId": "1663",
    "eventId": "c7c7",
    "result": "agree",
    "processInstanceId": "9Qgx",
    "finishTime": 1495592272000,
    "createTime": 1495592305000,
    "processCode": "PROC-1",
    "businessId": "yewu1",
    "type": "finish",
    "title": "自测-1016",
    "staffId": "manager75",
}


def settings(**changes: Any) -> DingTalkSettings:
    return DingTalkSettings(**(SETTINGS | changes))


def push(message: Any, *, owner: str = "ding-key", signature: str = "signature") -> CallbackRequest:
    """A push as DingTalk sends it, sealed by the independent implementation."""
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    sealed = DingTalkCrypto("token123", KEY, owner).encrypt_message(text, nonce="n0nce", timestamp="1783610513")
    return CallbackRequest(
        method="POST",
        query={signature: sealed["msg_signature"], "timestamp": "1783610513", "nonce": "n0nce"},
        headers={"content-type": "application/json"},
        body=json.dumps({"encrypt": sealed["encrypt"]}).encode(),
    )


def event(message: Any) -> Event:
    (found,) = receive("oa", settings(), push(message)).events
    return found


@pytest.mark.parametrize("signature", ["signature", "msg_signature"])
def test_a_finished_approval(signature: str) -> None:
    received = receive("oa", settings(), push(FINISH, signature=signature))
    assert received.events == (
        Event(
            key="c7c7",
            type="approval.finished",
            instance_id="9Qgx",
            form="PROC-1",
            outcome=Outcome.AGREED,
            approver="",
            finished_at=datetime(2017, 5, 24, 2, 17, 52, tzinfo=UTC),
            raw=FINISH,
        ),
    )


def test_the_acknowledgement_is_an_encrypted_success() -> None:
    reply = receive("oa", settings(), push(FINISH)).reply
    answer = json.loads(reply.body)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert set(answer) == {"msg_signature", "timeStamp", "nonce", "encrypt"}
    crypto = DingTalkCrypto("token123", KEY, "ding-key")
    assert crypto.decrypt_message(answer, answer["msg_signature"], answer["timeStamp"], answer["nonce"]) == "success"


@pytest.mark.parametrize("name", ["EventType", "eventType", "eventtype"])
def test_the_address_check_is_acknowledged_without_events(name: str) -> None:
    received = receive("oa", settings(), push({name: "check_url"}))
    assert received.events == ()
    assert b"encrypt" in received.reply.body


@pytest.mark.parametrize(
    ("change", "kind", "outcome"),
    [
        ({"type": "start", "result": None}, "approval.started", None),
        ({"type": "finish", "result": "refuse"}, "approval.finished", Outcome.REFUSED),
        ({"type": "finish", "result": "AGREE"}, "approval.finished", Outcome.AGREED),
        ({"type": "finish", "result": "odd"}, "approval.finished", None),
        ({"type": "terminate", "result": None}, "approval.finished", Outcome.WITHDRAWN),
        ({"type": "delete", "result": None}, "approval.deleted", None),
        ({"type": "suspend", "result": None}, "dingtalk.bpms_instance_change", None),
        ({"EventType": "bpms_task_change", "type": "finish"}, "dingtalk.bpms_task_change", None),
        ({"EventType": "user_leave_org"}, "dingtalk.user_leave_org", None),
    ],
)
def test_the_kinds_of_event(change: dict[str, Any], kind: str, outcome: Outcome | None) -> None:
    message = {name: value for name, value in (FINISH | change).items() if value is not None}
    found = event(message)
    assert (found.type, found.outcome) == (kind, outcome)


def test_a_task_event_says_who_decided() -> None:
    assert event(FINISH | {"EventType": "bpms_task_change", "staffId": "0805", "taskId": 811165}).approver == "0805"


def test_names_of_fields_are_read_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in FINISH.items()}
    assert replace(event(shouted), raw={}) == replace(event(FINISH), raw={})


def test_old_events_without_ids_still_have_one_key_per_event() -> None:
    old = {name: value for name, value in FINISH.items() if name not in ("eventId", "BizId", "EventTime")}
    again = event(old | {"EventTime": 1})
    assert event(old).key == again.key
    others = [
        old | {"type": "start"},
        old | {"result": "refuse"},
        old | {"processInstanceId": "other"},
        old | {"EventType": "bpms_task_change", "taskId": 1},
        old | {"EventType": "bpms_task_change", "taskId": 2},
        {"EventType": "user_add_org", "UserId": ["a"]},
        {"EventType": "user_add_org", "UserId": ["b"]},
    ]
    keys = [event(old).key, *(event(other).key for other in others)]
    assert len(set(keys)) == len(keys)


def test_a_business_id_alone_never_makes_two_events_one() -> None:
    old = {name: value for name, value in FINISH.items() if name != "eventId"}
    assert event(old).key == event(old).key
    assert event(old).key != event(old | {"type": "start"}).key


def test_other_owners() -> None:
    with pytest.raises(CallbackRejected, match="another owner"):
        receive("oa", settings(), push(FINISH, owner="somebody"))
    with pytest.raises(CallbackRejected, match="another owner"):
        receive("oa", settings(owner_key="suite"), push(FINISH))
    assert receive("oa", settings(owner_key="suite"), push(FINISH, owner="suite")).events
    assert receive("oa", settings(corp_id="ding9f"), push(FINISH, owner="ding9f")).events
    assert receive("oa", settings(corp_id="ding9f"), push(FINISH)).events


GOOD = push(FINISH)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(GOOD, method="GET"), "POST"),
        (replace(GOOD, body=b""), "not JSON"),
        (replace(GOOD, body=b"[1]"), "not a JSON object"),
        (replace(GOOD, body=b"{}"), "no 'encrypt'"),
        (replace(GOOD, body=b'{"encrypt": 5}'), "no 'encrypt'"),
        (replace(GOOD, body=GOOD.body[:-20]), "not JSON"),
        (replace(GOOD, body=GOOD.body[:-20] + b'"}'), "signature"),
        (replace(GOOD, body=b" " * 1_048_577), "1 MB"),
        (replace(GOOD, query={}), "signature"),
        (replace(GOOD, query={**GOOD.query, "nonce": "other"}), "signature"),
        (push("no json"), "not JSON"),
        (push("[]"), "not a JSON object"),
    ],
)
def test_what_is_rejected(request_: CallbackRequest, words: str) -> None:
    with pytest.raises(CallbackRejected, match=words) as caught:
        receive("oa", settings(), request_)
    assert caught.value.where == "oa"
    for secret in (KEY, "token123"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("missing", ["aes_key", "token"])
def test_without_its_secrets_a_connection_receives_nothing(missing: str) -> None:
    with pytest.raises(CallbackRejected, match="no aes_key and token"):
        receive("oa", settings(**{missing: ""}), GOOD)

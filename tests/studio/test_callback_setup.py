"""Addresses, event filters, keys and the self-test's request, without a page."""

from __future__ import annotations

import base64
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import jsontext
from runtime.connectors.dingtalk.callback import receive
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.events import CallbackRequest
from runtime.connectors.wecom.callback import receive as receive_wecom
from runtime.connectors.wecom.settings import WeComSettings
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.sandbox.demo import DINGTALK_CONNECTION, WECOM_CONNECTION, connections
from studio.callbacks.addresses import callback_address, http_flows, reachable, subscriptions
from studio.callbacks.keys import new_aes_key, new_token
from studio.callbacks.selftest import Question, judge, question_of


def settings(**changes: Any) -> DingTalkSettings:
    document = {**connections("http://127.0.0.1:1")[DINGTALK_CONNECTION], **changes}
    del document["kind"]
    return DingTalkSettings.model_validate(document)


def mapping(trigger: dict[str, Any], **changes: Any) -> Mapping:
    document = {
        "format": 1, "id": "m", "title": "M", "enabled": True, "connections": {"oa": "ding"},
        "settings": {"code": "PROC-1"}, "flows": {"f": {"trigger": trigger, "steps": []}},
    }  # fmt: skip
    return parse_mapping(document | changes, "m")


def test_keys_are_what_dingtalk_takes_and_never_the_same() -> None:
    keys, tokens = {new_aes_key() for _ in range(200)}, {new_token() for _ in range(200)}
    assert len(keys) == len(tokens) == 200
    letters = set(string.ascii_letters + string.digits)
    for key in keys:
        assert len(key) == 43
        assert set(key) <= letters
        assert len(base64.b64decode(key + "=", validate=True)) == 32
        settings(aes_key=key)
    assert all(len(token) == 32 and set(token) <= letters for token in tokens)


def test_addresses() -> None:
    assert callback_address("https://b1.example.com/", "ding") == "https://b1.example.com/callbacks/ding"
    assert reachable("http://0.0.0.0:8766") == "http://127.0.0.1:8766"
    assert reachable("http://[::]:8766") == "http://[::1]:8766"
    assert reachable("http://10.0.0.4:8766") == "http://10.0.0.4:8766"


def test_the_filters_of_a_form_name_its_end_and_its_withdrawal() -> None:
    waiting = mapping({"event": {"connection": "oa", "form": "{{ settings.code }}"}})
    [one] = subscriptions([waiting], "ding")
    assert one.filters == (
        "/v1.0/event/bpms_instance_change/processCode/PROC-1/type/finish",
        "/v1.0/event/bpms_instance_change/processCode/PROC-1/type/terminate",
    )
    assert subscriptions([waiting], "other") == []
    [every] = subscriptions([mapping({"event": {"connection": "oa"}})], "ding")
    assert (every.form, every.filters, every.error) == ("", (), None)
    [broken] = subscriptions([mapping({"event": {"connection": "oa", "form": "{{ settings.nothing + 1 }}"}})], "ding")
    assert broken.error is not None


def test_http_flows_have_an_address() -> None:
    called = mapping({"http": {"path": "orders/new", "methods": ["POST", "PUT"]}})
    [flow] = http_flows([called, mapping({"manual": {}})])
    assert flow.address("https://b1.example.com/") == "https://b1.example.com/flows/orders/new"


def question(asking: DingTalkSettings | WeComSettings) -> Question:
    found = question_of("oa", asking)
    assert isinstance(found, Question)
    return found


def request(asked: Question) -> CallbackRequest:
    return CallbackRequest(method=asked.method, query=asked.query, headers={}, body=asked.body or b"")


def test_dingtalks_connector_answers_the_self_test() -> None:
    asked = question(settings())
    received = receive("ding", settings(), request(asked))
    assert received.events == ()
    assert judge(asked, 200, received.reply.body) == "ok"
    assert judge(question(settings(token="another")), 200, received.reply.body) == "other_keys"
    assert question_of("ding", settings(token="")) == "no_keys"


def test_wecoms_connector_answers_the_self_test() -> None:
    document = connections("http://127.0.0.1:1")[WECOM_CONNECTION]
    wecom = WeComSettings.model_validate({name: value for name, value in document.items() if name != "kind"})
    asked = question(wecom)
    reply = receive_wecom("oa", wecom, request(asked)).reply
    assert judge(asked, 200, reply.body) == "ok"
    assert judge(asked, 200, reply.body + b"\n") == "stranger"
    assert judge(asked, 403, b"") == "refused"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(403, "refused"), (404, "missing"), (503, "unavailable"), (502, "stranger"), (302, "stranger"), (204, "stranger")],
)
def test_other_answers_have_their_meaning(status: int, verdict: str) -> None:
    assert judge(question(settings()), status, b"") == verdict


@given(
    st.one_of(
        st.binary(max_size=40),
        st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)).map(
            jsontext.dumps
        ),
        st.fixed_dictionaries(
            {name: st.text(max_size=8) | st.none() | st.integers() for name in ("encrypt", "msg_signature", "nonce")}
        ).map(lambda answer: jsontext.dumps({**answer, "timeStamp": "1"})),
    )
)
def test_nothing_but_the_real_answer_is_good(body: bytes) -> None:
    assert judge(question(settings()), 200, body) in ("stranger", "other_keys")

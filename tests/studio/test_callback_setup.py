"""Addresses, event filters, keys and the self-test's request, without a page."""

from __future__ import annotations

import base64
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import jsontext
from runtime.connectors.base import CallbackRequest
from runtime.connectors.dingtalk.callback import receive
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.sandbox.demo import DINGTALK_CONNECTION, connections
from studio.callbacks.addresses import callback_address, http_flows, reachable, subscriptions
from studio.callbacks.keys import new_aes_key, new_token
from studio.callbacks.selftest import channel_of, judge, question


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


def asked(sender: DingTalkSettings, receiver: DingTalkSettings) -> bytes:
    channel = channel_of("ding", sender)
    assert channel is not None
    query, body = question(channel)
    request = CallbackRequest(method="POST", query=query, headers={}, body=body)
    received = receive("ding", receiver, request)
    assert received.events == ()
    return received.reply.body


def test_the_connector_answers_the_self_test() -> None:
    channel = channel_of("ding", settings())
    assert channel is not None
    answer = asked(settings(), settings())
    assert judge(channel, 200, answer) == "ok"
    other = channel_of("ding", settings(token="another"))
    assert other is not None
    assert judge(other, 200, answer) == "other_keys"
    assert channel_of("ding", settings(token="")) is None


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(403, "refused"), (404, "missing"), (503, "unavailable"), (502, "stranger"), (302, "stranger"), (204, "stranger")],
)
def test_other_answers_have_their_meaning(status: int, verdict: str) -> None:
    channel = channel_of("ding", settings())
    assert channel is not None
    assert judge(channel, status, b"") == verdict


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
    channel = channel_of("ding", settings())
    assert channel is not None
    assert judge(channel, 200, body) in ("stranger", "other_keys")

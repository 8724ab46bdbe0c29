"""The push envelope agrees with an implementation that nobody here wrote, in both directions."""

from __future__ import annotations

import json

import pytest
from dingtalk.crypto import DingTalkCrypto
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import BadEnvelope, Envelope

TOKEN, KEY, OWNER = demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY


@given(st.text(max_size=200))
def test_peer_opens_what_the_sandbox_seals(text: str) -> None:
    query, body = Envelope(TOKEN, KEY, OWNER).seal(text.encode())
    peer = DingTalkCrypto(TOKEN, KEY, OWNER)
    opened = peer.decrypt_message(json.dumps(body), query["msg_signature"], query["timestamp"], query["nonce"])
    assert opened == text
    assert query["signature"] == query["msg_signature"]


@given(st.text(max_size=200))
def test_sandbox_opens_what_the_peer_answers(text: str) -> None:
    answer = DingTalkCrypto(TOKEN, KEY, OWNER).encrypt_message(text)
    assert Envelope(TOKEN, KEY, OWNER).open_answer(answer).decode() == text


def test_answer_of_another_owner_or_token_is_refused() -> None:
    envelope = Envelope(TOKEN, KEY, OWNER)
    with pytest.raises(BadEnvelope, match="another app"):
        envelope.open_answer(DingTalkCrypto(TOKEN, KEY, "ding-other").encrypt_message("success"))
    with pytest.raises(BadEnvelope, match="msg_signature"):
        envelope.open_answer(DingTalkCrypto("othertoken", KEY, OWNER).encrypt_message("success"))


@pytest.mark.parametrize("answer", [None, "success", [], {}, {"msg_signature": "x", "timeStamp": "1", "nonce": "n"}])
def test_answer_of_another_shape_is_refused(answer: object) -> None:
    with pytest.raises(BadEnvelope):
        Envelope(TOKEN, KEY, OWNER).open_answer(answer)


def test_damaged_answer_is_refused() -> None:
    envelope = Envelope(TOKEN, KEY, OWNER)
    for broken in ("AAAA", "****", ""):
        answer = {"timeStamp": "1", "nonce": "n", "encrypt": broken}
        answer["msg_signature"] = envelope.sign("1", "n", broken)
        with pytest.raises(BadEnvelope):
            envelope.open_answer(answer)

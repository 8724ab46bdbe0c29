"""WeCom's event push: what is accepted, what it becomes, and the answer. Sealed and opened by ``wechatpy`` too."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wechatpy.enterprise.crypto import WeChatCrypto

from runtime.connectors.aes_callback import AesCallback
from runtime.connectors.events import CallbackRequest, Event, Outcome
from runtime.connectors.wecom.callback import receive
from runtime.connectors.wecom.settings import WeComSettings
from runtime.errors import CallbackRejected
from runtime.sandbox.oa.envelope import AesEnvelope, BadEnvelope

KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
TOKEN, CORP = "token123", "ww1c0000000001"
SETTINGS = WeComSettings(corp_id=CORP, secret="s", aes_key=KEY, token=TOKEN)
TIME, NONCE = "1571732272", "n0nce"

theirs = WeChatCrypto(TOKEN, KEY, CORP)
ours = AesCallback(TOKEN, KEY, [CORP])
sandbox = AesEnvelope(TOKEN, KEY, CORP)

texts = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=("C",)), max_size=200),
    st.text(alphabet="审批采购单同意拒绝", max_size=80),
    # 16 random bytes, 4 of length and the owner come on top: these make the whole plaintext a multiple of 32
    st.integers(1, 6).map(lambda blocks: "x" * (32 * blocks - (20 + len(CORP)) % 32)),
)


def sealed(text: str) -> tuple[str, str]:
    """Ciphertext and signature, as the independent implementation makes them."""
    import xmltodict

    message = xmltodict.parse(theirs.encrypt_message(text, NONCE, TIME))["xml"]
    return message["Encrypt"], message["MsgSignature"]


@given(texts)
@example("")
@example("同意" * 40)
@example("x" * (64 - 20 - len(CORP)))
def test_the_three_implementations_open_what_any_of_them_seals(text: str) -> None:
    encrypted, signature = sealed(text)
    assert ours.open(encrypted, signature=signature, timestamp=TIME, nonce=NONCE) == text
    assert sandbox.open(TIME, NONCE, encrypted, signature) == text.encode()
    for mine in (ours.encrypt(text), sandbox.encrypt(text.encode())):
        signed = ours.signature(TIME, NONCE, mine)
        assert signed == sandbox.sign(TIME, NONCE, mine)
        assert theirs.decrypt_message({"Encrypt": mine}, signed, TIME, NONCE) == text


@given(texts)
def test_a_message_for_another_company_fails_though_its_signature_passes(text: str) -> None:
    encrypted, signature = sealed(text)
    other = AesCallback(TOKEN, KEY, ["ww2"])
    with pytest.raises(CallbackRejected, match="another owner"):
        other.open(encrypted, signature=signature, timestamp=TIME, nonce=NONCE)
    with pytest.raises(BadEnvelope, match="another app"):
        AesEnvelope(TOKEN, KEY, "ww2").open(TIME, NONCE, encrypted, signature)


RECORD = (
    "<SpRecord><SpStatus>2</SpStatus><ApproverAttr>1</ApproverAttr><Details><Approver><UserId><![CDATA[{user}]]></UserId>"
    "</Approver><Speech><![CDATA[{speech}]]></Speech><SpStatus>{status}</SpStatus><SpTime>{at}</SpTime></Details></SpRecord>"
)


def change(
    status: int = 2, event: int = 2, created: str = TIME, records: str = "", number: str = "202506110001"
) -> str:
    return (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{created}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[sys_approval_change]]></Event><AgentID>3010040</AgentID>"
        f"<ApprovalInfo><SpNoStr><![CDATA[{number}]]></SpNoStr><SpNo>202506110001</SpNo>"
        f"<SpName><![CDATA[示例模板]]></SpName><SpStatus>{status}</SpStatus><TemplateId><![CDATA[3Tka]]></TemplateId>"
        "<ApplyTime>1571728713</ApplyTime><Applyer><UserId><![CDATA[WuJunJie]]></UserId><Party><![CDATA[1]]></Party>"
        f"</Applyer>{records}<Notifyer><UserId><![CDATA[ChengLiang]]></UserId></Notifyer>"
        f"<StatuChangeEvent>{event}</StatuChangeEvent></ApprovalInfo></xml>"
    )


def push(message: str, **query: str) -> CallbackRequest:
    encrypted, signature = sealed(message)
    body = (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
    signed = {"msg_signature": signature, "timestamp": TIME, "nonce": NONCE}
    return CallbackRequest(method="POST", query=signed | query, headers={}, body=body.encode())


def event(message: str) -> Event:
    (found,) = receive("oa", SETTINGS, push(message)).events
    return found


def test_the_address_check_is_answered_with_the_plain_text() -> None:
    encrypted, signature = sealed("1616140317555161061")
    query = {"msg_signature": signature, "timestamp": TIME, "nonce": NONCE, "echostr": encrypted}
    for echo in (encrypted, encrypted.replace("+", " ")):
        request = CallbackRequest(method="GET", query=query | {"echostr": echo}, headers={}, body=b"")
        received = receive("oa", SETTINGS, request)
        assert received.events == ()
        assert (received.reply.status, received.reply.body) == (200, b"1616140317555161061")
        assert received.reply.content_type == "text/plain"


@pytest.mark.parametrize("text", [change(), "\ufeff<xml/>", " <xml>", "{}<xml></xml>"])
def test_the_address_check_does_not_decrypt_what_was_pushed(text: str) -> None:
    """A push is signed just as an address check is: who overheard one must not get it read aloud."""
    encrypted, signature = sealed(text)
    query = {"msg_signature": signature, "timestamp": TIME, "nonce": NONCE, "echostr": encrypted}
    with pytest.raises(CallbackRejected, match="address check") as caught:
        receive("oa", SETTINGS, CallbackRequest(method="GET", query=query, headers={}, body=b""))
    assert "xml" not in str(caught.value).lower()


def test_the_address_check_of_another_company_is_refused() -> None:
    encrypted, signature = sealed("1616140317555161061")
    query = {"msg_signature": signature, "timestamp": TIME, "nonce": NONCE, "echostr": encrypted}
    other = SETTINGS.model_copy(update={"corp_id": "ww2"})
    with pytest.raises(CallbackRejected, match="another owner"):
        receive("oa", other, CallbackRequest(method="GET", query=query, headers={}, body=b""))


def test_a_verdict() -> None:
    records = RECORD.format(user="WangXiaoMing", speech="可", status=2, at=1571732270)
    records += RECORD.format(user="LiSi", speech="", status=1, at=0)
    received = receive("oa", SETTINGS, push(change(records=records)))
    assert (received.reply.status, received.reply.body) == (200, b"")
    (found,) = received.events
    assert replace(found, raw={}) == Event(
        key=f"202506110001 2 {TIME} 2",
        type="approval.finished",
        instance_id="202506110001",
        form="3Tka",
        outcome=Outcome.AGREED,
        approver="WangXiaoMing",
        finished_at=datetime.fromtimestamp(1571732270, UTC),
    )
    assert found.raw["ApprovalInfo"]["Notifyer"] == [{"UserId": "ChengLiang"}]


@pytest.mark.parametrize(
    ("status", "change_event", "kind", "outcome"),
    [
        (1, 1, "approval.started", None),
        (1, 2, "wecom.sys_approval_change", None),
        (2, 2, "approval.finished", Outcome.AGREED),
        (2, 14, "approval.finished", Outcome.AGREED),
        (10, 14, "approval.finished", Outcome.AGREED),
        (3, 3, "approval.finished", Outcome.REFUSED),
        (4, 6, "approval.finished", Outcome.WITHDRAWN),
        (6, 8, "approval.finished", Outcome.WITHDRAWN),
        (7, 6, "approval.deleted", None),
        (1, 5, "wecom.sys_approval_change", None),
        (1, 10, "wecom.sys_approval_change", None),
        (2, 10, "wecom.sys_approval_change", None),
        (99, 2, "wecom.sys_approval_change", None),
    ],
)
def test_the_kinds_of_event(status: int, change_event: int, kind: str, outcome: Outcome | None) -> None:
    found = event(change(status, change_event))
    assert (found.type, found.outcome) == (kind, outcome)


def test_the_key_tells_events_apart_and_redeliveries_not() -> None:
    """The last two of several approvers decide within one second: the second event ends the approval."""
    assert event(change()).key == event(change()).key
    others = [change(), change(status=1), change(event=3), change(created="1571732273"), change(number="2")]
    assert len({event(other).key for other in others}) == len(others)


def test_the_number_of_an_approval_may_stand_in_one_field_only() -> None:
    assert event(change(number="")).instance_id == "202506110001"


def test_other_events_of_the_company_are_acknowledged() -> None:
    found = event("<xml><FromUserName>u</FromUserName><CreateTime>1</CreateTime><Event>enter_agent</Event></xml>")
    assert (found.type, found.key) == ("wecom.enter_agent", "enter_agent u 1")


GOOD = push(change())
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>'
#: A stranger sends it: so deep that nothing may walk down to its end.
DEEP = "<a>" * 100_000 + "</a>" * 100_000
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Encrypt>&a;</Encrypt></xml>'


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(GOOD, method="PUT"), "a GET or a POST"),
        (replace(GOOD, body=b""), "XML"),
        (replace(GOOD, body=b"{}"), "XML"),
        (replace(GOOD, body=b"<xml/>"), "no 'Encrypt'"),
        (replace(GOOD, body=b"<xml><Encrypt><a/></Encrypt></xml>"), "no 'Encrypt'"),
        (replace(GOOD, body=GOOD.body[:-20]), "XML"),
        (replace(GOOD, body=BOMB.encode()), "XML"),
        (replace(GOOD, body=FILE.encode()), "XML"),
        (replace(GOOD, body=f"<xml>{DEEP}</xml>".encode()), "no 'Encrypt'"),
        (replace(GOOD, body=f"<xml><Encrypt>{DEEP}</Encrypt></xml>".encode()), "no 'Encrypt'"),
        (replace(GOOD, body=b" " * 1_048_577), "1 MB"),
        (replace(GOOD, query={}), "signature"),
        (replace(GOOD, query={**GOOD.query, "nonce": "other"}), "signature"),
        (replace(GOOD, method="GET"), "signature"),
        (push("no xml"), "XML"),
        (push(BOMB), "XML"),
    ],
)
def test_what_is_rejected(request_: CallbackRequest, words: str) -> None:
    with pytest.raises(CallbackRejected, match=words) as caught:
        receive("oa", SETTINGS, request_)
    assert caught.value.where == "oa"
    for secret in (KEY, TOKEN):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("missing", ["aes_key", "token"])
def test_without_its_secrets_a_connection_receives_nothing(missing: str) -> None:
    settings: dict[str, Any] = {"corp_id": CORP, "secret": "s", "aes_key": KEY, "token": TOKEN, missing: ""}
    with pytest.raises(CallbackRejected, match="no aes_key and token"):
        receive("oa", WeComSettings(**settings), GOOD)

"""WeCom's event push: verify, decrypt, normalise, answer.

WeCom developer centre, 回调配置, 加解密方案说明 and 审批申请状态变化回调通知.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from runtime.connectors.aes_callback import AesCallback
from runtime.connectors.events import CallbackReply, CallbackRequest, Event, Received
from runtime.connectors.wecom.approvals import Status, outcome_of, read_status, read_time
from runtime.connectors.wecom.settings import WeComSettings
from runtime.errors import CallbackRejected

__all__ = ["finished_event", "receive"]

_LARGEST_BODY = 1_048_576
#: Elements of the push that may stand more than once.
_REPEATED = frozenset({"SpRecord", "Details", "Notifyer", "Comments", "ProcessList", "NodeList", "SubNodeList"})
_CHANGE = "sys_approval_change"
_SUBMITTED, _URGED, _COMMENTED = "1", "5", "10"
_AGREED, _REFUSED = "2", "3"


def receive(name: str, settings: WeComSettings, request: CallbackRequest) -> Received:
    """The event of one push, acknowledged by an empty answer; or the decrypted text that an address check asks for.

    WeCom developer centre, 回调配置: the text is a random one and meant for this company, never a message.

    :param name: name of the connection, for errors
    :raises CallbackRejected: not a signed, complete message for this company
    """
    if len(request.body) > _LARGEST_BODY:
        raise CallbackRejected("回调内容超过 1 MB", "The callback is larger than 1 MB", where=name)
    aes_key, token = settings.aes_key.get_secret_value(), settings.token.get_secret_value()
    if not aes_key or not token:
        raise CallbackRejected(
            "连接没有配置 EncodingAESKey 和 Token，不能接收回调",
            "The connection has no aes_key and token, so it receives no callbacks",
            where=name,
        )
    channel = AesCallback(token, aes_key, (settings.corp_id,), where=name)
    if request.method == "GET":
        echo = _open(channel, request, request.query.get("echostr", ""))
        if "<" in echo:
            # Pushes are signed in the same way. Whoever overheard one is not told what it holds.
            raise CallbackRejected(
                "地址验证的内容不是企业微信给出的随机字符串，不予答复",
                "What the address check asks for is not WeCom's random text: it is not answered",
                where=name,
            )
        return Received(events=(), reply=CallbackReply(body=echo.encode(), content_type="text/plain"))
    if request.method != "POST":
        raise CallbackRejected("回调必须是 GET 或 POST", "A callback is a GET or a POST", where=name)
    # Anybody may have sent this: of the envelope nothing but its one text is looked at.
    encrypted = (_root(request.body, name).findtext("Encrypt") or "").strip()
    if not encrypted:
        raise CallbackRejected("回调没有 Encrypt 内容", "The callback holds no 'Encrypt'", where=name)
    found = _value(_root(_open(channel, request, encrypted), name))
    message = found if isinstance(found, dict) else {}
    return Received(events=(_event(message),), reply=CallbackReply(content_type="text/plain"))


def finished_event(approval: Mapping[str, Any], form: str) -> Event:
    """The event of an approval that is over and whose push never arrived; ``raw`` has the shape of the push.

    :param approval: what :func:`~runtime.connectors.wecom.approvals.read_approval` returns
    :param form: template id, where the approval itself does not name it
    """
    form = approval["form"] or form
    finished = approval["finished_at"]
    return Event(
        key=f"polled {approval['instance_id']} {approval['outcome']}",
        type="approval.finished",
        instance_id=approval["instance_id"],
        form=form,
        outcome=approval["outcome"],
        approver=approval["approver"],
        finished_at=finished,
        raw={
            "Event": _CHANGE,
            "ApprovalInfo": {
                "SpNoStr": approval["instance_id"],
                "SpName": approval["title"],
                "SpStatus": str(approval["raw"].get("sp_status") or ""),
                "TemplateId": form,
                "Applyer": {"UserId": approval["originator"]},
            },
        },
    )


def _open(channel: AesCallback, request: CallbackRequest, encrypted: str) -> str:
    query = request.query
    return channel.open(
        # a + that was not percent-encoded arrives as a space
        encrypted.replace(" ", "+"),
        signature=query.get("msg_signature", ""),
        timestamp=query.get("timestamp", ""),
        nonce=query.get("nonce", ""),
    )


def _root(text: bytes | str, name: str) -> Element:
    """The root of an XML document; document types and entities are refused."""
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise CallbackRejected("回调不是有效的 XML", "The callback is not valid XML", where=name) from error
    return root


def _value(element: Element) -> Any:
    """The elements below this one as an object, or its text."""
    if not len(element):
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in element:
        if child.tag in _REPEATED:
            found.setdefault(child.tag, []).append(_value(child))
        else:
            found[child.tag] = _value(child)
    return found


def _event(message: Mapping[str, Any]) -> Event:
    name, created = _text(message, "Event") or _text(message, "MsgType"), _text(message, "CreateTime")
    info = message.get("ApprovalInfo")
    if name != _CHANGE or not isinstance(info, dict):
        return Event(
            key=f"{name} {_text(message, 'FromUserName')} {created}",
            type=f"wecom.{name or 'unknown'}",
            raw=dict(message),
        )
    number, change = _text(info, "SpNoStr") or _text(info, "SpNo"), _text(info, "StatuChangeEvent")
    status = read_status(_text(info, "SpStatus"))
    kind, outcome = f"wecom.{_CHANGE}", None
    # of a remark or a reminder the status says nothing new
    if change not in (_URGED, _COMMENTED):
        outcome = outcome_of(status)
        if outcome is not None:
            kind = "approval.finished"
        elif status is Status.DELETED:
            kind = "approval.deleted"
        elif change == _SUBMITTED:
            kind = "approval.started"
    approver, decided = _last_decision(info)
    return Event(
        # the last two of several approvers may decide within one second: only the status tells their events apart
        key=f"{number} {change} {created} {_text(info, 'SpStatus')}",
        type=kind,
        instance_id=number,
        form=_text(info, "TemplateId"),
        outcome=outcome,
        approver=approver,
        finished_at=(read_time(decided) or read_time(created)) if outcome is not None else None,
        raw=dict(message),
    )


def _last_decision(info: Mapping[str, Any]) -> tuple[str, int]:
    """Who decided last, and when (seconds since 1970)."""
    last = "", 0
    for record in info.get("SpRecord", ()):
        for part in record.get("Details", ()) if isinstance(record, dict) else ():
            approver = part.get("Approver") if isinstance(part, dict) else None
            if not isinstance(approver, dict) or _text(part, "SpStatus") not in (_AGREED, _REFUSED):
                continue
            at = _text(part, "SpTime")
            if at.isdecimal() and int(at) >= last[1]:
                last = _text(approver, "UserId"), int(at)
    return last


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""

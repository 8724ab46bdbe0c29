"""DingTalk's event push: verify, decrypt, normalise, answer.

DingTalk open platform, 配置 HTTP 推送 and 审批事件.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from runtime import jsontext
from runtime.connectors.aes_callback import AesCallback
from runtime.connectors.dingtalk.approvals import read_time
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.events import CallbackReply, CallbackRequest, Event, Outcome, Received
from runtime.errors import CallbackRejected

__all__ = ["events_of", "finished_event", "receive"]

_LARGEST_BODY = 1_048_576
_OUTCOMES = {"agree": Outcome.AGREED, "refuse": Outcome.REFUSED}
#: What tells one approval event from another where the platform gave it no id of its own.
_IDENTITY = ("eventtype", "corpid", "processinstanceid", "type", "result", "taskid", "staffid")
#: What may differ between two deliveries of one event.
_DELIVERY = ("eventtime", "timestamp")


def receive(name: str, settings: DingTalkSettings, request: CallbackRequest) -> Received:
    """The events of one push and the encrypted ``success`` that acknowledges it.

    :param name: name of the connection, for errors
    :raises CallbackRejected: not a signed, complete message for this application
    """
    if request.method != "POST":
        raise CallbackRejected("回调必须是 POST", "A callback is a POST", where=name)
    if len(request.body) > _LARGEST_BODY:
        raise CallbackRejected("回调内容超过 1 MB", "The callback is larger than 1 MB", where=name)
    aes_key, token = settings.aes_key.get_secret_value(), settings.token.get_secret_value()
    if not aes_key or not token:
        raise CallbackRejected(
            "连接没有配置 aes_key 和 token，不能接收回调",
            "The connection has no aes_key and token, so it receives no callbacks",
            where=name,
        )
    channel = AesCallback(token, aes_key, settings.owners, where=name)
    encrypted = _object(request.body, name).get("encrypt")
    if not isinstance(encrypted, str):
        raise CallbackRejected("回调没有 encrypt 内容", "The callback holds no 'encrypt'", where=name)
    query = request.query
    message = channel.open(
        encrypted,
        signature=query.get("msg_signature") or query.get("signature") or "",
        timestamp=query.get("timestamp", ""),
        nonce=query.get("nonce", ""),
    )
    return Received(events=events_of(_object(message, name)), reply=_success(channel))


def finished_event(approval: Mapping[str, Any], form: str) -> Event:
    """The event of an approval that is over and whose push never arrived; ``raw`` has the shape of the push.

    :param approval: what :func:`~runtime.connectors.dingtalk.approvals.read_approval` returns
    :param form: process code, where the instance itself does not name it
    """
    outcome, finished = approval["outcome"], approval["finished_at"]
    form = approval["form"] or form
    result = next((word for word, meaning in _OUTCOMES.items() if meaning is outcome), None)
    raw: dict[str, Any] = {
        "EventType": "bpms_instance_change",
        "processInstanceId": approval["instance_id"],
        "processCode": form,
        "title": approval["title"],
        "staffId": approval["originator"],
        "type": "finish" if result else "terminate",
    }
    if result:
        raw["result"] = result
    if finished is not None:
        raw["finishTime"] = int(finished.timestamp() * 1000)
    return Event(
        key=f"polled {approval['instance_id']} {outcome}",
        type="approval.finished",
        instance_id=approval["instance_id"],
        form=form,
        outcome=outcome,
        approver=approval["approver"],
        finished_at=finished,
        raw=raw,
    )


def _object(text: bytes | str, name: str) -> dict[str, Any]:
    try:
        found = jsontext.loads(text)
    except ValueError as error:
        raise CallbackRejected("回调不是 JSON", "The callback is not JSON", where=name) from error
    if not isinstance(found, dict):
        raise CallbackRejected("回调不是 JSON 对象", "The callback is not a JSON object", where=name)
    return found


def _success(channel: AesCallback) -> CallbackReply:
    """The one answer that DingTalk takes for every event."""
    timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
    encrypted = channel.encrypt("success")
    return CallbackReply(
        body=jsontext.dumps(
            {
                "msg_signature": channel.signature(timestamp, nonce, encrypted),
                "timeStamp": timestamp,
                "nonce": nonce,
                "encrypt": encrypted,
            }
        )
    )


def events_of(message: Mapping[str, Any]) -> tuple[Event, ...]:
    """What a message reports, whichever way it came; nothing for an address check."""
    fields = {str(key).lower(): value for key, value in message.items()}
    event_type = _text(fields, "eventtype")
    if event_type == "check_url":
        return ()
    kind, outcome = f"dingtalk.{event_type or 'unknown'}", None
    if event_type == "bpms_instance_change":
        match _text(fields, "type"):
            case "start":
                kind = "approval.started"
            case "finish":
                kind, outcome = "approval.finished", _OUTCOMES.get(_text(fields, "result").lower())
            case "terminate":
                kind, outcome = "approval.finished", Outcome.WITHDRAWN
            case "delete":
                kind = "approval.deleted"
    return (
        Event(
            key=_key(event_type, fields),
            type=kind,
            instance_id=_text(fields, "processinstanceid"),
            form=_text(fields, "processcode"),
            outcome=outcome,
            # of an instance, staffId is the applicant; only of a task is it the person who decided
            approver=_text(fields, "staffid") if event_type == "bpms_task_change" else "",
            finished_at=read_time(fields.get("finishtime")),
            raw=dict(message),
        ),
    )


def _key(event_type: str, fields: Mapping[str, Any]) -> str:
    event_id, business_id = _text(fields, "eventid"), _text(fields, "bizid")
    if event_id:
        return event_id
    if event_type.startswith("bpms_"):
        identity = {name: _text(fields, name) for name in _IDENTITY}
    else:
        identity = {name: value for name, value in sorted(fields.items()) if name not in _DELIVERY}
    # whether BizId names the event or its business is not documented: it never stands alone
    digest = hashlib.sha256(jsontext.dumps(identity)).hexdigest()[:32]
    return f"{business_id}-{digest}" if business_id else digest


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()

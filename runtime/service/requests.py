"""What an HTTP request means to its flow, and what the input of a run by hand means to a flow that waits for others."""

from __future__ import annotations

import secrets
from collections.abc import Mapping as AnyMapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from runtime.connectors.events import Event, Outcome
from runtime.engine.request import RunRequest
from runtime.errors import BadMapping, MappingFailed, RequestRejected
from runtime.mapping.choosing import fixed_connection
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import Mapping
from runtime.mapping.values import open_zone, to_date, to_number

__all__ = ["manual_event", "manual_http", "manual_request", "report_patience", "reported_event"]


#: Seconds; whoever reports a verdict holds a connection and perhaps an approval open meanwhile.
_LONGEST_WAIT = 300
#: Characters of an approval's id.
_LONGEST_ID = 120


def reported_event(mapping: Mapping, flow: str, request: AnyMapping[str, Any]) -> Event | None:
    """What a request to an HTTP flow reports (``trigger.http.event``); None where it reports nothing.

    :param request: the variable ``request``
    :raises RequestRejected: it names no approval, or an outcome that does not exist
    :raises BadMapping: an expression does not compile
    :raises MappingFailed: an expression cannot be worked out for this request
    """
    trigger = mapping.flows[flow].trigger.http
    source = trigger.event if trigger is not None else None
    if source is None:
        return None
    where = f"{mapping.id}/{flow} trigger.http.event"
    wanted = ("instance_id", "outcome", "approver", "finished_at")
    expressions = {name: getattr(source, name) for name in wanted}
    found = compile_value(expressions, where=where)({"request": request, "settings": mapping.settings})
    said = {name: "" if value is None else str(value).strip() for name, value in found.items()}
    outcomes = ", ".join(Outcome)
    if not said["instance_id"]:
        raise RequestRejected(
            "请求没有说明是哪个审批",
            "The request does not say which approval it means",
            where=f"{where}.instance_id",
        )
    if len(said["instance_id"]) > _LONGEST_ID:
        raise RequestRejected(
            f"审批编号超过 {_LONGEST_ID} 个字符",
            f"The approval's id has more than {_LONGEST_ID} characters",
            where=f"{where}.instance_id",
        )
    if said["outcome"] and said["outcome"] not in set(Outcome):
        raise RequestRejected(
            f"审批结果 {said['outcome']!r} 无法识别（应为 {outcomes}）",
            f"The outcome {said['outcome']!r} is not known (there are {outcomes})",
            where=f"{where}.outcome",
        )
    return Event(
        key=f"http {said['instance_id']} {said['outcome']}".strip(),
        type=source.type,
        instance_id=said["instance_id"],
        outcome=Outcome(said["outcome"]) if said["outcome"] else None,
        approver=said["approver"],
        finished_at=_moment(said["finished_at"], mapping.timezone),
        raw=request["body"] if isinstance(request["body"], AnyMapping) else {},
    )


def _moment(text: str, timezone: str) -> datetime | None:
    """UTC; a verdict is not refused because its time cannot be read, and a mere date puts nothing in order."""
    try:
        found = to_date(text, open_zone(timezone)) if text else None
    except MappingFailed:
        return None
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def report_patience(mapping: Mapping, flow: str, request: AnyMapping[str, Any]) -> float:
    """Seconds for which the caller of an HTTP flow that reports something waits for its answer.

    :param request: the variable ``request``
    :raises BadMapping: the trigger's ``wait`` is no number from 0 to 300
    :raises MappingFailed: it cannot be worked out for this request
    """
    trigger = mapping.flows[flow].trigger.http
    where = f"{mapping.id}/{flow} trigger.http.event.wait"
    wait = trigger.event.wait if trigger is not None and trigger.event is not None else 0
    value = compile_value(wait, where=where)({"request": request, "settings": mapping.settings})
    try:
        seconds = float(to_number(value))
    except MappingFailed:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise BadMapping(
            f"wait 应为 0 到 {_LONGEST_WAIT} 的秒数",
            f"wait must be a number of seconds from 0 to {_LONGEST_WAIT}",
            where=where,
        )
    return seconds


def manual_request(
    mapping: Mapping, flow: str, *, input: AnyMapping[str, Any], limit: int | None = None, run_id: str | None = None
) -> RunRequest:
    """The request of a run by hand.

    :param input: the variable ``input``; for an event flow also the event's fields (``instance_id``, ``outcome`` …),
        for an HTTP flow also the request's body
    :raises BadMapping: the input does not make an event
    """
    return RunRequest(
        cause="manual",
        input=input,
        event=manual_event(mapping, flow, input),
        connection=_event_connection(mapping, flow),
        request=manual_http(mapping, flow, input),
        limit=limit,
        run_id=run_id,
    )


def manual_event(mapping: Mapping, flow: str, input: AnyMapping[str, Any]) -> Event | None:
    """The event that an event flow is run with by hand, or that an HTTP flow's input reports; None for other flows.

    :raises BadMapping: no instance id, or an outcome that does not exist
    """
    request = manual_http(mapping, flow, input)
    if request is not None:
        return reported_event(mapping, flow, request)
    trigger = mapping.flows[flow].trigger.event
    if trigger is None:
        return None
    where = f"{mapping.id}/{flow} input"
    known = {field.name for field in fields(Event)}
    given = {name: value for name, value in input.items() if name in known}
    if not given.get("instance_id"):
        raise BadMapping(
            "手动执行回调流程需要输入，至少含 instance_id（--input）",
            "An event flow run by hand needs an input with at least an instance_id (--input)",
            where=where,
        )
    try:
        outcome = Outcome(given["outcome"]) if given.get("outcome") else None
        finished = datetime.fromisoformat(given["finished_at"]).astimezone() if given.get("finished_at") else None
    except (TypeError, ValueError) as error:
        raise BadMapping(
            "outcome 只能是 agreed、refused、withdrawn，finished_at 应为 ISO 8601 时间",
            "outcome must be agreed, refused or withdrawn, finished_at an ISO 8601 time",
            where=where,
        ) from error
    values = {"type": trigger.type, "key": f"by-hand-{secrets.token_hex(8)}", **given}
    return Event(**{**values, "outcome": outcome, "finished_at": finished})


def manual_http(mapping: Mapping, flow: str, input: AnyMapping[str, Any]) -> dict[str, Any] | None:
    """The variable ``request`` that an HTTP flow is run with by hand; None for other flows."""
    trigger = mapping.flows[flow].trigger.http
    if trigger is None:
        return None
    path = mapping.http_path(flow)
    return {"method": trigger.methods[0], "path": path, "query": {}, "headers": {}, "body": dict(input)}


def _event_connection(mapping: Mapping, flow: str) -> str:
    role = mapping.flows[flow].trigger.event_role
    return fixed_connection(mapping, role) if role else ""

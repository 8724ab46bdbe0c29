"""A run by hand: what its input means to a flow that otherwise waits for an event or an HTTP request."""

from __future__ import annotations

import secrets
from collections.abc import Mapping as AnyMapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from runtime.connectors.base import Event, Outcome
from runtime.engine.request import RunRequest
from runtime.errors import BadMapping
from runtime.mapping.choosing import fixed_connection
from runtime.mapping.models import Mapping

__all__ = ["manual_event", "manual_http", "manual_request"]


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
    """The event that an event flow is run with by hand; None for other flows.

    :raises BadMapping: no instance id, or an outcome that does not exist
    """
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
    return {"method": trigger.methods[0], "path": trigger.path, "query": {}, "headers": {}, "body": dict(input)}


def _event_connection(mapping: Mapping, flow: str) -> str:
    trigger = mapping.flows[flow].trigger.event
    return fixed_connection(mapping, trigger.connection) if trigger else ""

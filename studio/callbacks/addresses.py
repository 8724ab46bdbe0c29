"""Where other systems reach the runtime, and which events they are to send there; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runtime.errors import IntegrationError
from runtime.mapping.choosing import fixed_connection
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import HttpTrigger, Mapping

__all__ = ["HttpFlow", "Subscription", "callback_address", "http_flows", "reachable", "subscriptions"]

#: A server that listens on every address answers on loopback too.
_EVERYWHERE = {"//0.0.0.0": "//127.0.0.1", "//[::]": "//[::1]"}
#: Normalised event type → what DingTalk calls its changes of an instance ("DingTalk open platform, 审批事件").
_CHANGES = {"approval.finished": ("finish", "terminate"), "approval.started": ("start",)}
_FILTER = "/v1.0/event/bpms_instance_change/processCode/{form}/type/{change}"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One flow that waits for events of a connection."""

    mapping: str
    #: The mapping's title.
    title: str
    flow: str
    type: str
    #: Process code; empty = every form.
    form: str
    enabled: bool
    #: Event filters to type in at the other system; empty where every form is wanted.
    filters: tuple[str, ...]
    #: Why the form cannot be told.
    error: IntegrationError | None = None


@dataclass(frozen=True, kw_only=True)
class HttpFlow:
    """One flow that other systems call."""

    mapping: str
    #: The mapping's title.
    title: str
    flow: str
    trigger: HttpTrigger
    #: Below ``/flows/``.
    path: str
    enabled: bool
    #: Connection whose approvals its callers report about; empty where they report about none.
    about: str
    #: A body as callers send it; None where the mapping has none, or it cannot be worked out.
    sample: Any = None

    def address(self, base: str) -> str:
        """Where to call it."""
        return f"{base.rstrip('/')}/flows/{self.path}"


def callback_address(base: str, connection: str) -> str:
    """Where a connection's events are to be sent."""
    return f"{base.rstrip('/')}/callbacks/{connection}"


def reachable(url: str) -> str:
    """The address at which this machine reaches a server that says it listens at ``url``."""
    for everywhere, loopback in _EVERYWHERE.items():
        url = url.replace(everywhere, loopback)
    return url


def subscriptions(mappings: Iterable[Mapping], connection: str) -> list[Subscription]:
    """The flows that wait for events of a connection, in the order of the mappings."""
    found = []
    for mapping in mappings:
        for name, flow in mapping.flows.items():
            trigger = flow.trigger.event
            if trigger is None or fixed_connection(mapping, trigger.connection) != connection:
                continue
            form, error = "", None
            try:
                value = compile_value(trigger.form, where=f"{mapping.id}/{name}")({"settings": mapping.settings})
                form = "" if value is None else str(value)
            except IntegrationError as raised:
                error = raised
            changes = _CHANGES.get(trigger.type, ()) if form else ()
            found.append(
                Subscription(
                    mapping=mapping.id,
                    title=mapping.title,
                    flow=name,
                    type=trigger.type,
                    form=form,
                    enabled=mapping.enabled,
                    filters=tuple(_FILTER.format(form=form, change=change) for change in changes),
                    error=error,
                )
            )
    return found


def http_flows(mappings: Iterable[Mapping]) -> list[HttpFlow]:
    """Every flow with an HTTP trigger."""
    return [
        HttpFlow(
            mapping=mapping.id,
            title=mapping.title,
            flow=name,
            trigger=trigger,
            path=mapping.http_path(name),
            enabled=mapping.enabled,
            about=(fixed_connection(mapping, trigger.event.connection) or "") if trigger.event is not None else "",
            sample=_sample(mapping, trigger),
        )
        for mapping in mappings
        for name, flow in mapping.flows.items()
        if (trigger := flow.trigger.http) is not None
    ]


def _sample(mapping: Mapping, trigger: HttpTrigger) -> Any:
    try:
        return compile_value(trigger.sample)({"settings": mapping.settings})
    except IntegrationError:  # the check of the mapping says so
        return None

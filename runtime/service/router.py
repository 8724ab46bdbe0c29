"""Which flows wait for an event, and why one that no flow takes is kept all the same."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.connectors.events import Event
from runtime.errors import FixSetup, IntegrationError
from runtime.mapping.choosing import fixed_connection, names_of
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import Mapping
from runtime.service.live import LiveMappings
from runtime.store.inbox import REPORTED

__all__ = ["Route", "Router"]

log = structlog.get_logger(__name__)

_FINISHED = "approval.finished"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One flow that waits for events; ``form`` None = every form."""

    mapping: Mapping
    flow: str
    connection: str
    type: str
    form: str | None

    def takes(self, connection: str, event: Event) -> bool:
        """Whether the event is for this flow."""
        return (
            self.connection == connection and self.type == event.type and (self.form is None or self.form == event.form)
        )


class Router:
    """Which flows an event goes to, by connection, type and form; built anew whenever a mapping changes."""

    def __init__(self, live: LiveMappings) -> None:
        self._live = live
        self._active: list[Route] = []
        self._paused: list[Route] = []
        #: Flows whose trigger cannot be worked out: flow → the error.
        self.problems: dict[str, IntegrationError] = {}
        self.update()
        live.on_change(self.update)

    def update(self) -> None:
        """Read the triggers of the mappings in force."""
        self.problems = {}
        self._active = self._routes(enabled=True)
        self._paused = self._routes(enabled=False)

    def flows_for(self, connection: str, event: Event, *, owner: str = "") -> list[Route]:
        """The flows that the event goes to now.

        Several mappings may wait for one form, one for each company. The verdict on an approval that one of them
        created goes to that one alone, and waits for it if need be: the others would look for it in vain.

        :param owner: id of the mapping that created the approval; empty if none is known to have
        """
        if owner in self._broken():
            return []
        waiting = [route for route in (*self._active, *self._paused) if route.takes(connection, event)]
        mine = any(route.mapping.id == owner for route in waiting)
        return [
            route
            for route in self._active
            if route.takes(connection, event) and (not mine or route.mapping.id == owner)
        ]

    def verdict_routes(self) -> list[Route]:
        """The flows that wait for approvals to end."""
        return [route for route in self._active if route.type == _FINISHED]

    def reason_to_wait(self, connection: str, event: Event, *, owner: str = "") -> IntegrationError | None:
        """Why an event that no active flow takes must be kept: a verdict is never dropped because of a typing error."""
        for route in sorted(self._paused, key=lambda route: route.mapping.id != owner):
            if route.takes(connection, event):
                return FixSetup(
                    "对应的映射已停用，事件保留到重新启用",
                    "Its mapping is switched off; the event is kept until it is switched on",
                    where=route.mapping.id,
                )
        if self._live.without_good_version or self.problems:
            broken = sorted([*self._live.without_good_version, *self.problems])
            return FixSetup(
                "没有流程接收该事件，但有映射无法加载，事件保留到其修复",
                "No flow takes this event, but a mapping cannot be loaded; the event is kept until it is repaired",
                where=", ".join(broken),
            )
        return None

    def _broken(self) -> set[str]:
        """Ids of mappings of which it is not known what they wait for."""
        return {*self._live.without_good_version, *(where.partition("/")[0] for where in self.problems)}

    def _routes(self, *, enabled: bool) -> list[Route]:
        routes = []
        for mapping, name, flow in self._live.flows(enabled=enabled):
            trigger = flow.trigger.event
            if trigger is None:
                # What an HTTP flow was called with comes back to it, whichever connection it is about.
                routes += [
                    Route(mapping=mapping, flow=name, connection=found, type=f"{REPORTED}{name}", form=mapping.id)
                    for found in names_of(mapping, flow.trigger.event_role)
                ]
                continue
            where = f"{mapping.id}/{name}"
            try:
                form = compile_value(trigger.form, where=where)({"settings": mapping.settings})
            except IntegrationError as error:
                self.problems[where] = error
                log.error("trigger is wrong", flow=where, zh=error.sentence("zh-CN"), en=error.sentence("en"))
                continue
            routes.append(
                Route(
                    mapping=mapping,
                    flow=name,
                    connection=fixed_connection(mapping, trigger.connection),
                    type=trigger.type,
                    form=None if form is None else str(form),
                )
            )
        return routes

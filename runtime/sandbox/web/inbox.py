"""The approver's inbox: the list, one approval with its form, timeline and push log, and the buttons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.sandbox import demo
from runtime.sandbox.oa.approvals import Approval
from runtime.sandbox.oa.errors import OaError
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.oa.view import ShownField
from runtime.sandbox.web.render import STATES, TRANSITIONS, form_fields, render
from runtime.sandbox.world import World

__all__ = ["inbox_routes"]

_PAGE = 50

_Found = tuple[OaSimulator[Any, Any], Approval]


def inbox_routes(world: World) -> list[Route]:
    """``/inbox`` and what is below it."""
    inbox = _Inbox(world)
    return [
        Route("/inbox", inbox.list_page, methods=["GET"]),
        Route("/inbox/{id}", inbox.approval_page, methods=["GET"]),
        Route("/inbox/{id}", inbox.act, methods=["POST"]),
    ]


class _Inbox:
    def __init__(self, world: World) -> None:
        self._world = world

    async def list_page(self, request: Request) -> Response:
        state, system = request.query_params.get("state", ""), request.query_params.get("system", "")
        page = int(number) if (number := request.query_params.get("page", "1")).isdecimal() else 1
        counts = Counter(_state(instance) for _, instance in self._newest_first(system))
        shown = (found for found in self._newest_first(system) if state in ("", _state(found[1])))
        first = (max(page, 1) - 1) * _PAGE
        total = counts[state] if state else counts.total()
        return render(
            request,
            "inbox.html",
            approvals=[
                (
                    oa,
                    item,
                    STATES[_state(item)],
                    [field for field in oa.shown_fields(item) if field.brief and field.text],
                )
                for oa, item in islice(shown, first, first + _PAGE)
            ],
            states=STATES,
            systems=self._world.systems.values(),
            state=state,
            system=system,
            counts=counts,
            total=total,
            page=max(page, 1),
            pages=max(1, -(-total // _PAGE)),
        )

    async def approval_page(self, request: Request) -> Response:
        return self._approval(request)

    async def act(self, request: Request) -> Response:
        """A button was pressed: approve, refuse or withdraw."""
        found = self._find(request)
        if found is None:
            return _missing(request)
        oa, instance = found
        form = await form_fields(request)
        action, remark = form.get("action"), form.get("remark", "").strip()[:1024]
        try:
            if action == "withdraw":
                oa.instances.withdraw(instance, instance.originator, remark)
            elif action in ("approve", "refuse"):
                oa.instances.decide(instance, form.get("user", ""), agree=action == "approve", remark=remark)
            else:
                return self._approval(request, "没有这个操作 No such action", 400)
        except OaError as error:
            return self._approval(request, error.message, 409)
        return RedirectResponse(f"/inbox/{instance.id}", 303)

    def _approval(self, request: Request, problem: str = "", status: int = 200) -> Response:
        found = self._find(request)
        if found is None:
            return _missing(request)
        oa, instance = found
        return render(
            request,
            "approval.html",
            status,
            oa=oa,
            instance=instance,
            state=STATES[_state(instance)],
            fields=oa.shown_fields(instance),
            department=demo.DEPARTMENTS.get(instance.department, str(instance.department)),
            transitions=TRANSITIONS,
            results={"AGREE": "同意 Agreed", "REFUSE": "拒绝 Refused"},
            pushes=list(oa.push.log(instance.id)),
            subscription=oa.push.subscription,
            problem=problem,
        )

    def _newest_first(self, system: str = "") -> Iterator[_Found]:
        """Approvals of all systems, or of one."""
        chosen = [oa for name, oa in self._world.systems.items() if system in ("", name)]
        lists = [_of(oa) for oa in chosen]
        return merge(*lists, key=lambda found: found[1].created, reverse=True)

    def _find(self, request: Request) -> _Found | None:
        for oa in self._world.systems.values():
            instance = oa.instances.find(request.path_params["id"])
            if instance is not None:
                return oa, instance
        return None


def _of(oa: OaSimulator[Any, Any]) -> Iterator[_Found]:
    return ((oa, instance) for instance in oa.instances.newest_first())


def _brief(fields: list[ShownField]) -> list[ShownField]:
    return [field for field in fields if field.brief and field.text]


def _missing(request: Request) -> Response:
    return render(request, "missing.html", 404, what=f"审批 approval {request.path_params['id']}")


def _state(instance: Approval) -> str:
    return instance.result if instance.status == "COMPLETED" else instance.status

"""The approver's inbox of e-cology: the list, one request with its form, opinions and node action, and the buttons."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.weaver.errors import WeaverError
from runtime.sandbox.weaver.outbound import NodeActionFailed
from runtime.sandbox.weaver.requests import Request
from runtime.sandbox.web.render import STATES, form_fields, render
from runtime.sandbox.world import World

__all__ = ["weaver_inbox_routes"]

_PAGE = 100
_PATH = "/inbox/weaver"


@dataclass(frozen=True)
class Line:
    """One request in the list."""

    id: int
    title: str
    workflow: str
    creator: str
    created: int
    node: str
    state: tuple[str, str, str]


def weaver_inbox_routes(world: World) -> list[Route]:
    """``/inbox/weaver`` and what is below it."""
    inbox = _Inbox(world)
    return [
        Route(_PATH, inbox.list_page, methods=["GET"]),
        Route(f"{_PATH}/{{id}}", inbox.request_page, methods=["GET"]),
        Route(f"{_PATH}/{{id}}", inbox.act, methods=["POST"]),
    ]


class _Inbox:
    def __init__(self, world: World) -> None:
        self._weaver = world.weaver

    async def list_page(self, request: HttpRequest) -> Response:
        now = self._weaver.requests.now()
        lines = [
            Line(
                found.id, found.name, found.workflow_name, _person(found.creator), found.created, found.node(now),
                STATES[found.state],
            )
            for found in islice(self._weaver.requests.newest_first(), _PAGE)
        ]  # fmt: skip
        return render(request, "weaver_inbox.html", lines=lines, total=len(self._weaver.requests))

    async def request_page(self, request: HttpRequest) -> Response:
        return self._page(request)

    async def act(self, request: HttpRequest) -> Response:
        """A button was pressed: approve, refuse, or send again what the address did not take."""
        found = self._weaver.requests.find(request.path_params["id"])
        if found is None:
            return _missing(request)
        form = await form_fields(request)
        if form.get("action") == "repeat":
            failed = (one for one in self._weaver.node_action.log(found.id) if one.problem)
            sending = next((one for one in failed if str(one.id) == form.get("sending")), None)
            if sending is not None:
                await self._weaver.node_action.repeat(sending)
            return RedirectResponse(f"{_PATH}/{found.id}", 303)
        if form.get("action") not in ("approve", "refuse"):
            return self._page(request, "没有这个操作 No such action", 400)
        remark = form.get("remark", "").strip()[:1024]
        try:
            await self._weaver.decide(found, agree=form["action"] == "approve", remark=remark)
        except (WeaverError, NodeActionFailed) as error:
            return self._page(request, str(error), 409)
        return RedirectResponse(f"{_PATH}/{found.id}", 303)

    def _page(self, request: HttpRequest, problem: str = "", status: int = 200) -> Response:
        found = self._weaver.requests.find(request.path_params["id"])
        if found is None:
            return _missing(request)
        now = self._weaver.requests.now()
        described = self._weaver.describe(found)
        return render(
            request,
            "weaver_request.html",
            status,
            found=found,
            creator=_person(found.creator),
            node=found.node(now),
            node_status=found.status(now),
            state=STATES[found.state],
            fields=[(label, value) for label, value in described if isinstance(value, str)],
            tables=[(label, value) for label, value in described if not isinstance(value, str)],
            logs=[(_person(log.user), log) for log in found.logs],
            approver=_person(demo.WEAVER_APPROVER),
            open=_is_open(found),
            sendings=[(one, jsontext.dumps(one.body).decode()) for one in self._weaver.node_action.log(found.id)],
            action=self._weaver.node_action.settings,
            problem=problem,
        )


def _is_open(found: Request) -> bool:
    return found.state == "RUNNING" and found.moves > 0


def _person(number: int) -> str:
    return demo.WEAVER_USERS.get(number, str(number))


def _missing(request: HttpRequest) -> Response:
    return render(request, "missing.html", 404, what=f"流程 request {request.path_params['id']}")

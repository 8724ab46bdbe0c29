"""The first page and the switches: faults, sessions, event subscriptions and the node action, by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.sandbox import demo
from runtime.sandbox.faults import KINDS, FaultSettings
from runtime.sandbox.oa.push import CallbackProblem
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.web.render import form_fields, render
from runtime.sandbox.world import World

__all__ = ["switch_routes"]

#: Kind of fault -> what happens.
FAULTS = {
    "error500": ("服务器错误 500", "Server error, nothing happened"),
    "error429": ("请求过多 429", "Too many requests, nothing happened"),
    "throttled_html": ("网页代替 JSON", "An HTML page instead of JSON, nothing happened"),
    "session_expiry": ("会话 / 令牌突然失效", "The session or token ends just before the call"),
    "reset_after": ("已生效，但连接中断", "It took effect, then the connection broke"),
    "timeout_after": ("已生效，但没有答复", "It took effect, no answer comes"),
    "malformed_after": ("已生效，但答复残缺", "It took effect, the answer is cut in half"),
}


def switch_routes(world: World) -> list[Route]:
    """``/`` and ``/switches``."""
    switches = _Switches(world)
    return [
        Route("/", switches.index_page, methods=["GET"]),
        Route("/switches", switches.switches_page, methods=["GET"]),
        Route("/switches/{action}", switches.act, methods=["POST"]),
    ]


class _Switches:
    def __init__(self, world: World) -> None:
        self._world = world

    async def index_page(self, request: Request) -> Response:
        world = self._world
        systems = world.systems.values()
        counts = Counter(instance.status for oa in systems for instance in oa.instances.newest_first())
        drafts = world.b1.rows("Drafts")
        return render(
            request,
            "index.html",
            base=world.base_url or str(request.base_url).rstrip("/"),
            demo=demo,
            running=counts["RUNNING"],
            total=counts.total(),
            drafts=len(drafts),
            unsynced=sum(1 for draft in drafts if draft.get("U_ISSYN") == "N"),
            action=world.weaver.node_action.settings,
            subscriptions={oa.system: oa.push.subscription for oa in systems},
            settings=world.faults.settings,
            planned=world.faults.planned,
            fault_names=FAULTS,
        )

    async def switches_page(self, request: Request) -> Response:
        return self._page(request)

    async def act(self, request: Request) -> Response:
        """A form of the switches page was submitted."""
        world, form = self._world, await form_fields(request)
        action, _, system = request.path_params["action"].partition("-")
        try:
            if system in world.systems:
                known = await _act_on(world.systems[system], action, form)
            else:
                known = await self._act(request.path_params["action"], form)
        except (ValueError, CallbackProblem) as error:
            return self._page(request, str(error), 422)
        return RedirectResponse("/switches", 303) if known else _missing(request)

    async def _act(self, action: str, form: Mapping[str, str]) -> bool:
        """Faults, B1, Weaver's node action and DingTalk's streams; False if there is no such action."""
        world = self._world
        match action:
            case "faults":
                world.faults.change(
                    {
                        "latency_ms": float(form.get("latency_ms") or 0),
                        "rates": {kind: float(form[kind]) / 100 for kind in KINDS if float(form.get(kind) or 0)},
                    }
                )
            case "faults-off":
                world.faults.planned.clear()
                world.faults.apply(FaultSettings())
            case "expire-b1":
                world.b1.expire_sessions()
            case "node-action":
                world.weaver.node_action.configure({name: form.get(name, "").strip() for name in ("url", "app_code")})
            case "stream-disconnect":
                await world.dingtalk.gateway.disconnect()
            case "stream-cut":
                await world.dingtalk.gateway.cut()
            case _:
                return False
        return True

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        return render(
            request,
            "switches.html",
            status,
            settings=self._world.faults.settings,
            met=self._world.faults.met,
            fault_names=FAULTS,
            systems=[
                (oa, oa.push.subscription, Counter(item.state for item in oa.push.log()))
                for oa in self._world.systems.values()
            ],
            action=self._world.weaver.node_action.settings,
            streams=len(self._world.dingtalk.gateway.connections),
            problem=problem,
        )


async def _act_on(oa: OaSimulator[Any, Any], action: str, form: Mapping[str, str]) -> bool:
    """Tokens and pushes of one approval system; False if there is no such action."""
    match action:
        case "expire":
            oa.tokens.expire()
        case "callback":
            await oa.push.save_address(form.get("url", "").strip())
        case "push":
            mode = {"mode": form["mode"]} if form.get("mode") else {}
            oa.push.configure({**mode, "drop": form.get("drop") == "on", "copies": int(form.get("copies") or 1)})
        case _:
            return False
    return True


def _missing(request: Request) -> Response:
    return render(request, "missing.html", 404, what=request.url.path)

"""The sandbox's JSON control API, for tests, benchmarks and the command line. Never touched by faults.

=======================================================  ============================================================
``GET  /control/health``                                 ``{"ok": true}``
``GET  /control/faults``                                 settings, planned faults, how many were met
``PUT  /control/faults``                                 change some of ``latency_ms``, ``rates``
                                                         (``{"reset_after": 0.02}``), ``timeout_s``, ``seed``; restarts
                                                         the seeded sequence
``DELETE /control/faults``                               no faults, no latency, nothing planned
``POST /control/faults/next``                            ``{"fault", "times": 1, "method": "", "path": ""}``: the next
                                                         matching calls meet this fault, whatever the rates
``POST /control/b1/expire-sessions``                     every session ends, of the Service Layer and the DI gateway
``POST /control/b1/drafts``                              ``{"count", "lines", "company"}``: generate unsynced purchase
                                                         requests; their ``entries``
``GET|PUT /control/b1/gateway``                          ``{"error_status": 400 | 200, "long_dates": false | true,
                                                         "lag_s": 0}``: how the DI gateway refuses a statement (HTTP
                                                         status), whether dates carry a time, and how many seconds what
                                                         is read by SQL may be behind
``POST /control/{system}/expire-tokens``                 every access token ends
``GET  /control/{system}/callback``                      the event subscription
``PUT  /control/{system}/callback``                      ``{"url"}``: has the address prove itself, saves only if it did
                                                         (else 422); and, or only, change ``judge_ms``, ``backoff``
                                                         (seconds, ``[]`` = never repeat), ``copies`` (deliver N times),
                                                         ``scatter_s`` (each after a random pause, out of order),
                                                         ``drop`` (lose callbacks); DingTalk: ``events``, ``mode``
                                                         (``http`` or ``stream``)
``GET  /control/dingtalk/stream``                        ``{"connections"}``: ids of the stream connections
``POST /control/dingtalk/stream/disconnect``             ask every one of them for a new connection
``POST /control/dingtalk/stream/cut``                    hang up on every one of them
``POST /control/dingtalk/stream/lose-answers``           ``{"times": 1}``: the next answers get lost on their way
``GET  /control/{system}/events?instance=&state=``       push log, oldest first
``POST /control/{system}/events/{id}/redeliver``         push one event once more
``GET  /control/{system}/forms``                         codes of the forms
``GET|PUT|DELETE /control/{system}/forms/{code}``        one form, e.g. ``{"name", "controls": [{"label", "component",
                                                         "required", "options", "children"}]}`` for DingTalk
``GET  /control/{system}/instances?status=&limit=100``   approvals, newest first
``POST /control/{system}/instances/{id}/decide``         ``{"result": "agree" | "refuse", "remark", "user"}``; without
                                                         ``user`` the first one who has an open task
``POST /control/{system}/instances/{id}/comment``        ``{"user", "text"}``
``POST /control/{system}/instances/{id}/withdraw``       ``{"remark"}``, as the originator, without DingTalk's 15 s rule
``POST /control/wecom/instances/{id}/after``             ``{"event": "pay" | "revoke" | "delete" | "urge"}``: what may
                                                         happen to an approval besides its decision
``GET  /control/weaver/registration``                    ``{"secret", "spk"}`` in force; registers if nobody has
``POST /control/weaver/expire-tokens``                   every token ends
``GET|PUT /control/weaver/node-action``                  what the node action posts, and where: ``url``, ``app_code``,
                                                         ``template``, ``answer_field``, ``answer_value``, ``blocking``,
                                                         ``retries``, ``timeout_s``, ``drop``
``GET  /control/weaver/sendings?request=``               bodies that were posted, oldest first
``POST /control/weaver/sendings/{id}/repeat``            post one body once more
``GET  /control/weaver/requests?state=&limit=100``       requests, newest first
``POST /control/weaver/requests/{id}/decide``            ``{"result": "agree" | "refuse", "remark", "user"}``
``PUT|DELETE /control/weaver/workflows/{id}``            one workflow with its fields
``GET  /control/weaver/mode/{interface}``                records of the mode engine
``PUT  /control/weaver/answers``                         shapes of answers: ``create`` (``word object top``), ``mode``
                                                         (``text object datas plain``), ``all_or_nothing``
=======================================================  ============================================================

``{system}`` is ``dingtalk`` or ``wecom``. Errors answer 4xx with ``{"error": "…"}``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox.demo import B1_COMPANY
from runtime.sandbox.faults import FaultSettings, PlannedFault
from runtime.sandbox.oa.approvals import Approval
from runtime.sandbox.oa.errors import OaError, json_response
from runtime.sandbox.oa.push import CallbackProblem
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.weaver.control import weaver_control
from runtime.sandbox.world import World

__all__ = ["control_routes"]

Handler = Callable[[Request], Awaitable[object]]


class _Missing(Exception):
    """The thing asked for does not exist."""


def control_routes(world: World) -> list[Route]:
    """The control API, relative to ``/control``."""
    control = _Control(world)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/health", control.health),
        ("GET", "/faults", control.faults),
        ("PUT", "/faults", control.change_faults),
        ("DELETE", "/faults", control.reset_faults),
        ("POST", "/faults/next", control.plan_fault),
        ("POST", "/b1/expire-sessions", control.expire_sessions),
        ("POST", "/b1/drafts", control.generate_drafts),
        ("GET", "/b1/gateway", control.gateway),
        ("PUT", "/b1/gateway", control.change_gateway),
        ("GET", "/dingtalk/stream", control.stream),
        ("POST", "/dingtalk/stream/disconnect", control.disconnect_stream),
        ("POST", "/dingtalk/stream/cut", control.cut_stream),
        ("POST", "/dingtalk/stream/lose-answers", control.lose_answers),
        ("POST", "/wecom/instances/{id}/after", control.wecom_after),
    ]
    for name, oa in world.systems.items():
        desk = _Desk(oa)
        table += [
            ("POST", f"/{name}/expire-tokens", desk.expire_tokens),
            ("GET", f"/{name}/callback", desk.callback),
            ("PUT", f"/{name}/callback", desk.change_callback),
            ("GET", f"/{name}/events", desk.events),
            ("POST", f"/{name}/events/{{id}}/redeliver", desk.redeliver),
            ("GET", f"/{name}/forms", desk.forms),
            ("GET", f"/{name}/forms/{{code}}", desk.form),
            ("PUT", f"/{name}/forms/{{code}}", desk.save_form),
            ("DELETE", f"/{name}/forms/{{code}}", desk.delete_form),
            ("GET", f"/{name}/instances", desk.instances),
            ("POST", f"/{name}/instances/{{id}}/decide", desk.decide),
            ("POST", f"/{name}/instances/{{id}}/comment", desk.comment),
            ("POST", f"/{name}/instances/{{id}}/withdraw", desk.withdraw),
        ]
    table += [(method, f"/weaver{path}", handler) for method, path, handler in weaver_control(world.weaver)]
    return [Route(path, _answering(handler), methods=[method]) for method, path, handler in table]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return json_response(await handler(request))
        except (_Missing, KeyError) as error:
            return json_response({"error": str(error)}, 404)
        except (CallbackProblem, OaError) as error:
            return json_response({"error": str(error)}, 422)
        except ValueError as error:
            return json_response({"error": str(error)}, 400)

    return answer


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, request: Request) -> object:
        return {"ok": True}

    async def faults(self, request: Request) -> object:
        faults = self._world.faults
        return {"settings": faults.settings, "planned": faults.planned, "met": faults.met}

    async def change_faults(self, request: Request) -> object:
        self._world.faults.change(await _body(request))
        return await self.faults(request)

    async def reset_faults(self, request: Request) -> object:
        self._world.faults.planned.clear()
        self._world.faults.apply(FaultSettings())
        return await self.faults(request)

    async def plan_fault(self, request: Request) -> object:
        self._world.faults.planned.append(msgspec.convert(await _body(request), PlannedFault))
        return await self.faults(request)

    async def expire_sessions(self, request: Request) -> object:
        self._world.b1.expire_sessions()
        return {"ok": True}

    async def generate_drafts(self, request: Request) -> object:
        body = await _body(request)
        count, lines = body.get("count", 1), body.get("lines", 5)
        if not isinstance(count, int) or not isinstance(lines, int) or count < 1 or lines < 1:
            raise ValueError("count and lines are whole numbers from 1")
        company = body.get("company", B1_COMPANY)
        if company not in self._world.b1.companies():
            raise ValueError("there is no such company")
        return {"entries": self._world.b1.generate_drafts(count, lines, company)}

    async def gateway(self, request: Request) -> object:
        gateway = self._world.b1.gateway
        return {"error_status": gateway.error_status, "long_dates": gateway.long_dates, "lag_s": gateway.lag_s}

    async def change_gateway(self, request: Request) -> object:
        gateway, body = self._world.b1.gateway, await _body(request)
        status = body.get("error_status", gateway.error_status)
        long_dates = body.get("long_dates", gateway.long_dates)
        lag = body.get("lag_s", gateway.lag_s)
        if status not in (200, 400) or not isinstance(long_dates, bool):
            raise ValueError("error_status is 400 or 200, long_dates true or false")
        if not isinstance(lag, int | float | Decimal) or isinstance(lag, bool) or lag < 0:
            raise ValueError("lag_s is a number from 0")
        gateway.error_status, gateway.long_dates, gateway.lag_s = status, long_dates, float(lag)
        return await self.gateway(request)

    async def stream(self, request: Request) -> object:
        return {"connections": self._world.dingtalk.gateway.connections}

    async def disconnect_stream(self, request: Request) -> object:
        return {"asked": await self._world.dingtalk.gateway.disconnect()}

    async def cut_stream(self, request: Request) -> object:
        return {"cut": await self._world.dingtalk.gateway.cut()}

    async def lose_answers(self, request: Request) -> object:
        times = (await _body(request)).get("times", 1)
        if not isinstance(times, int) or times < 0:
            raise ValueError("times is a whole number from 0")
        self._world.dingtalk.gateway.answers_to_lose = times
        return {"times": times}

    async def wecom_after(self, request: Request) -> object:
        wecom, body = self._world.wecom, await _body(request)
        instance = wecom.instances.find(request.path_params["id"])
        if instance is None:
            raise _Missing("no such approval")
        wecom.instances.after(instance, str(body.get("event") or ""))
        return instance


class _Desk:
    """The part that every approval system has."""

    def __init__(self, oa: OaSimulator[Any, Any]) -> None:
        self._oa = oa

    async def expire_tokens(self, request: Request) -> object:
        self._oa.tokens.expire()
        return {"ok": True}

    async def callback(self, request: Request) -> object:
        return self._oa.push.subscription

    async def change_callback(self, request: Request) -> object:
        push = self._oa.push
        changes = await _body(request)
        url = changes.pop("url", None)
        if changes.keys() & {"verified", "problem"}:
            raise ValueError("verified and problem are results, not settings")
        push.configure(changes)
        if url is not None:
            await push.save_address(_address(url))
        return push.subscription

    async def events(self, request: Request) -> object:
        query = request.query_params
        state = query.get("state")
        log = self._oa.push.log(query.get("instance"))
        return {"events": [push for push in log if state in (None, push.state)]}

    async def redeliver(self, request: Request) -> object:
        push = self._oa.push.find(request.path_params["id"])
        if push is None:
            raise _Missing("no such event")
        self._oa.push.redeliver(push)
        return push

    async def forms(self, request: Request) -> object:
        return {"forms": [{"code": form.code, "name": form.name} for form in self._oa.forms.values()]}

    async def form(self, request: Request) -> object:
        form = self._oa.forms.get(request.path_params["code"])
        if form is None:
            raise _Missing("no such form")
        return form

    async def save_form(self, request: Request) -> object:
        return self._oa.save_form({**await _body(request), "code": request.path_params["code"]})

    async def delete_form(self, request: Request) -> object:
        if not self._oa.delete_form(request.path_params["code"]):
            raise _Missing("no such form")
        return {"ok": True}

    async def instances(self, request: Request) -> object:
        query = request.query_params
        status, limit = query.get("status"), int(query.get("limit", "100"))
        found = (item for item in self._oa.instances.newest_first() if status in (None, item.status))
        return {"total": len(self._oa.instances), "instances": list(islice(found, limit))}

    async def decide(self, request: Request) -> object:
        instance, body = self._instance(request), await _body(request)
        if body.get("result") not in ("agree", "refuse"):
            raise ValueError("result is agree or refuse")
        user = body.get("user") or next((task.user for task in instance.open_tasks()), "")
        remark = str(body.get("remark") or "")
        self._oa.instances.decide(instance, user, agree=body["result"] == "agree", remark=remark)
        return instance

    async def withdraw(self, request: Request) -> object:
        instance, body = self._instance(request), await _body(request)
        self._oa.instances.withdraw(instance, instance.originator, str(body.get("remark") or ""))
        return instance

    async def comment(self, request: Request) -> object:
        instance, body = self._instance(request), await _body(request)
        self._oa.instances.comment(instance, str(body.get("user") or instance.originator), str(body.get("text") or ""))
        return instance

    def _instance(self, request: Request) -> Approval:
        instance: Approval | None = self._oa.instances.find(request.path_params["id"])
        if instance is None:
            raise _Missing("no such approval")
        return instance


def _address(url: object) -> str:
    if not isinstance(url, str) or not (url == "" or url.startswith(("http://", "https://"))):
        raise ValueError("url is an http(s) address, or empty")
    return url


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    body = jsontext.loads(text) if text else {}
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")
    return body

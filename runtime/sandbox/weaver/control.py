"""The control API of the e-cology double, relative to ``/control/weaver``; see :mod:`runtime.sandbox.control`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from runtime import jsontext
from runtime.sandbox.weaver import WeaverSimulator
from runtime.sandbox.weaver.errors import WeaverError
from runtime.sandbox.weaver.mode import INTERFACES, Shape
from runtime.sandbox.weaver.outbound import NodeActionFailed
from runtime.sandbox.weaver.requests import Request
from runtime.sandbox.weaver.workflows import parse_workflow

__all__ = ["weaver_control"]

Handler = Callable[[HttpRequest], Awaitable[object]]


def weaver_control(weaver: WeaverSimulator) -> list[tuple[str, str, Handler]]:
    """(method, path, handler); a handler raises ``KeyError`` for what does not exist, ``ValueError`` for a bad body."""
    control = _Control(weaver)
    return [
        ("GET", "/registration", control.registration),
        ("POST", "/expire-tokens", control.expire_tokens),
        ("GET", "/node-action", control.node_action),
        ("PUT", "/node-action", control.change_node_action),
        ("GET", "/sendings", control.sendings),
        ("POST", "/sendings/{id}/repeat", control.repeat),
        ("GET", "/requests", control.requests),
        ("POST", "/requests/{id}/decide", control.decide),
        ("POST", "/requests/{id}/reopen", control.reopen),
        ("PUT", "/workflows/{id}", control.save_workflow),
        ("DELETE", "/workflows/{id}", control.delete_workflow),
        ("GET", "/mode/{interface}", control.mode),
        ("PUT", "/answers", control.answers),
    ]


class _Control:
    def __init__(self, weaver: WeaverSimulator) -> None:
        self._weaver = weaver

    async def registration(self, request: HttpRequest) -> object:
        return await run_in_threadpool(self._weaver.auth.registration)

    async def expire_tokens(self, request: HttpRequest) -> object:
        self._weaver.auth.expire()
        return {"ok": True}

    async def node_action(self, request: HttpRequest) -> object:
        return self._weaver.node_action.settings

    async def change_node_action(self, request: HttpRequest) -> object:
        return self._weaver.node_action.configure(await _body(request))

    async def sendings(self, request: HttpRequest) -> object:
        number = request.query_params.get("request")
        return {"sendings": list(self._weaver.node_action.log(int(number) if number else None))}

    async def repeat(self, request: HttpRequest) -> object:
        number = int(request.path_params["id"])
        sending = next((item for item in self._weaver.node_action.log() if item.id == number), None)
        if sending is None:
            raise KeyError("no such sending")
        return await self._weaver.node_action.repeat(sending)

    async def requests(self, request: HttpRequest) -> object:
        query = request.query_params
        state, limit = query.get("state"), int(query.get("limit", "100"))
        found = (item for item in self._weaver.requests.newest_first() if state in (None, item.state))
        return {"total": len(self._weaver.requests), "requests": list(islice(found, limit))}

    async def decide(self, request: HttpRequest) -> object:
        found, body = self._request(request), await _body(request)
        if body.get("result") not in ("agree", "refuse"):
            raise ValueError("result is agree or refuse")
        try:
            await self._weaver.decide(
                found, agree=body["result"] == "agree", remark=str(body.get("remark") or ""), user=body.get("user")
            )
        except (WeaverError, NodeActionFailed) as error:
            raise ValueError(str(error)) from error
        return found

    async def reopen(self, request: HttpRequest) -> object:
        found = self._request(request)
        try:
            self._weaver.requests.reopen(found)
        except WeaverError as error:
            raise ValueError(str(error)) from error
        return found

    async def save_workflow(self, request: HttpRequest) -> object:
        workflow = parse_workflow({**await _body(request), "id": int(request.path_params["id"])})
        self._weaver.save_workflow(workflow)
        return workflow

    async def delete_workflow(self, request: HttpRequest) -> object:
        if not self._weaver.delete_workflow(int(request.path_params["id"])):
            raise KeyError("no such workflow")
        return {"ok": True}

    async def mode(self, request: HttpRequest) -> object:
        name = request.path_params["interface"]
        if name not in INTERFACES:
            raise KeyError("no such interface")
        return {"records": self._weaver.mode.rows(name)}

    async def answers(self, request: HttpRequest) -> object:
        """``{"create": "word|object|top", "mode": "text|object|datas|plain", "all_or_nothing": false}``"""
        changes = await _body(request)
        create, mode = changes.get("create", self._weaver.answer_shape), changes.get("mode", self._weaver.mode.shape)
        if create not in ("word", "object", "top") or mode not in get_args(Shape):
            raise ValueError("there is no such shape")
        self._weaver.answer_shape, self._weaver.mode.shape = create, mode
        self._weaver.mode.all_or_nothing = bool(changes.get("all_or_nothing", self._weaver.mode.all_or_nothing))
        return {"create": create, "mode": mode, "all_or_nothing": self._weaver.mode.all_or_nothing}

    def _request(self, request: HttpRequest) -> Request:
        found = self._weaver.requests.find(request.path_params["id"])
        if found is None:
            raise KeyError("no such request")
        return found


async def _body(request: HttpRequest) -> dict[str, Any]:
    text = await request.body()
    body = jsontext.loads(text) if text else {}
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")
    return body

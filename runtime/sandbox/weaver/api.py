"""e-cology's HTTP API: registration, tokens, paService and the mode engine. Every answer is HTTP 200."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.weaver.auth import Denied
from runtime.sandbox.weaver.errors import WeaverError, json_response
from runtime.sandbox.weaver.requests import CREATE, Request
from runtime.sandbox.weaver.workflows import Workflow

if TYPE_CHECKING:
    from runtime.sandbox.weaver import WeaverSimulator

__all__ = ["weaver_routes"]

_SERVICE = "/api/workflow/paService/"
_MODE = "/api/cube/restful/interface/"
_COOKIE = "ecology_JSessionid"
#: A page holds no more rows than this, whatever is asked for.
_LARGEST_PAGE = 50
_ZONE = ZoneInfo(DEFAULT_TIMEZONE)

Handler = Callable[[HttpRequest, int], Awaitable[object]]


def weaver_routes(simulator: WeaverSimulator) -> list[Route]:
    """The routes, relative to the address of the OA server."""
    calls = _Calls(simulator)
    table: list[tuple[str, str, Handler]] = [
        ("POST", "doCreateRequest", calls.create),
        ("GET", "getRequestStatus", calls.status),
        ("GET", "getWorkflowRequest", calls.detail),
        ("POST", "getCreateWorkflowList", calls.workflows),
        ("GET", "getCreateWorkflowRequestInfo", calls.definition),
        ("POST", "getMyWorkflowRequestList", partial(calls.listed, _is_own)),
        ("POST", "getToDoWorkflowRequestList", partial(calls.listed, calls.is_waiting)),
        ("POST", "getHandledWorkflowRequestList", partial(calls.listed, calls.is_handled)),
    ]
    return [
        Route("/api/ec/dev/auth/regist", calls.register, methods=["POST"]),
        Route("/api/ec/dev/auth/applytoken", calls.token, methods=["POST"]),
        *(Route(_SERVICE + name, _guarded(simulator, handler), methods=[method]) for method, name, handler in table),
        *(
            Route(f"{_MODE}{name}/{{interface}}", partial(calls.mode, name), methods=["POST"])
            for name in ("saveOrUpdateModeData", "getModeDataPageList")
        ),
    ]


def _guarded(simulator: WeaverSimulator, handler: Handler) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def answer(request: HttpRequest) -> Response:
        headers = request.headers
        try:
            user = simulator.auth.user(
                headers.get("appid"), headers.get("token"), headers.get("userid"), request.cookies.get(_COOKIE)
            )
            response = json_response(await handler(request, user))
        except Denied as error:
            return json_response(error.body)
        except WeaverError as error:
            response = json_response(error.body)
        if headers.get("skipsession") != "1":
            response.set_cookie(_COOKIE, simulator.auth.open_session(user), httponly=True)
        return response

    return answer


class _Calls:
    def __init__(self, simulator: WeaverSimulator) -> None:
        self._simulator = simulator

    async def register(self, request: HttpRequest) -> Response:
        """regist"""
        try:
            made = await run_in_threadpool(self._simulator.auth.register, request.headers.get("appid"))
        except Denied as error:
            return json_response(error.body)
        return json_response({"code": 0, "status": True, "msg": "ok", "spk": made["spk"], "secrit": made["secret"]})

    async def token(self, request: HttpRequest) -> Response:
        """applytoken"""
        headers = request.headers
        try:
            token = self._simulator.auth.issue(headers.get("appid"), headers.get("secret"), headers.get("time"))
        except Denied as error:
            return json_response(error.body)
        return json_response({"code": 0, "token": token, "msg": "获取成功!", "status": True})

    async def mode(self, call: str, request: HttpRequest) -> Response:
        """saveOrUpdateModeData, getModeDataPageList"""
        document = (await _fields(request)).get("datajson")
        return json_response(self._simulator.mode.answer(call, request.path_params["interface"], document))

    async def create(self, request: HttpRequest, user: int) -> object:
        """doCreateRequest"""
        given = await _fields(request)
        other = _json(given, "otherParams", {})
        made = self._simulator.requests.start(
            user,
            workflow_id=given.get("workflowId", ""),
            name=given.get("requestName", ""),
            main=_json(given, "mainData", []),
            details=_json(given, "detailData", []),
            level=given.get("requestLevel", "0"),
            remark=given.get("remark", ""),
            submit=str(other.get("isnextflow", 0)) == "1",
            delete_failed=str(other.get("delReqFlowFaild", 0)) == "1",
        )
        match self._simulator.answer_shape:
            case "object":
                return {"code": {"name": "SUCCESS"}, "data": {"requestid": str(made.id)}, "errMsg": {}}
            case "top":
                return {"code": "SUCCESS", "requestid": made.id, "errMsg": {}, "reqFailMsg": {}}
        return {"code": "SUCCESS", "data": {"requestid": made.id}, "errMsg": {}, "reqFailMsg": {}}

    async def status(self, request: HttpRequest, user: int) -> object:
        """getRequestStatus"""
        found = self._find(request)
        now = self._simulator.requests.now()
        data = {
            "requestId": str(found.id),
            "workflowId": found.workflow,
            "requestName": found.name,
            "creatorId": str(found.creator),
            "currentNodeId": str(found.workflow * 10 + (found.node(now) != CREATE)),
            "status": found.status(now),
        }
        return {"code": "SUCCESS", "data": data, "errMsg": {}}

    async def detail(self, request: HttpRequest, user: int) -> object:
        """getWorkflowRequest"""
        found = self._find(request)
        workflow = self._simulator.workflows.get(found.workflow)
        filled = workflow.definition(found.values, found.details) if workflow is not None else {}
        return {"code": "SUCCESS", "data": {**filled, **self._row(found)}, "errMsg": {}}

    async def workflows(self, request: HttpRequest, user: int) -> object:
        """getCreateWorkflowList"""
        return [
            {"workflowId": str(one.id), "workflowName": one.name, "workflowTypeName": "供应链"}
            for one in self._simulator.workflows.values()
        ]

    async def definition(self, request: HttpRequest, user: int) -> object:
        """getCreateWorkflowRequestInfo"""
        return {"code": "SUCCESS", "data": self._workflow(request).definition(), "errMsg": {}}

    async def listed(self, wanted: Callable[[Request, int], bool], request: HttpRequest, user: int) -> object:
        """The lists of requests, the newest first; both pairs of names for the page are understood."""
        given = await _fields(request)
        page = _count(given, "pageNo", "page") or 1
        size = min(_count(given, "pageSize", "size") or 10, _LARGEST_PAGE)
        found = [item for item in self._simulator.requests.newest_first() if wanted(item, user)]
        return [self._row(item) for item in found[(page - 1) * size : page * size]]

    def is_waiting(self, request: Request, user: int) -> bool:
        """Whether the request stands with this person."""
        if request.node(self._simulator.requests.now()) == CREATE:
            return request.creator == user
        workflow = self._simulator.workflows.get(request.workflow)
        return request.state == "RUNNING" and workflow is not None and workflow.approver == user

    def is_handled(self, request: Request, user: int) -> bool:
        """Whether this person has acted, and the request stands elsewhere."""
        return not self.is_waiting(request, user) and any(log.user == user for log in request.logs)

    def _row(self, request: Request) -> dict[str, Any]:
        now = self._simulator.requests.now()
        last = request.logs[-1]
        return {
            "requestId": str(request.id),
            "requestName": request.name,
            "requestLevel": request.level,
            "createTime": _stamp(request.created),
            "creatorId": str(request.creator),
            "creatorName": demo.WEAVER_USERS[request.creator],
            "currentNodeName": request.node(now),
            "status": request.status(now),
            "lastOperatorId": str(last.user),
            "lastOperateTime": _stamp(last.at),
            "workflowBaseInfo": {"workflowId": str(request.workflow), "workflowName": request.workflow_name},
        }

    def _find(self, request: HttpRequest) -> Request:
        found = self._simulator.requests.find(request.query_params.get("requestId"))
        if found is None:
            raise WeaverError("PARAM_ERROR", {"requestId": request.query_params.get("requestId") or "0"})
        return found

    def _workflow(self, request: HttpRequest) -> Workflow:
        text = request.query_params.get("workflowId", "")
        found = self._simulator.workflows.get(int(text)) if text.isascii() and text.isdecimal() else None
        if found is None:
            raise WeaverError("PARAM_ERROR", {"workflowId": text or "0"})
        return found


def _is_own(request: Request, user: int) -> bool:
    return request.creator == user


async def _fields(request: HttpRequest) -> Mapping[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _json(given: Mapping[str, str], name: str, default: Any) -> Any:
    if not given.get(name):
        return default
    try:
        return jsontext.loads(given[name])
    except ValueError as error:
        raise WeaverError("PARAM_ERROR", {name: "JSON格式错误"}) from error


def _count(given: Mapping[str, str], *names: str) -> int:
    return next((int(given[name]) for name in names if given.get(name, "").isdecimal()), 0)


def _stamp(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, _ZONE):%Y-%m-%d %H:%M:%S}"

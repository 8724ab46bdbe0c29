"""WeCom's HTTP API: the approval calls of ``qyapi.weixin.qq.com``, and the few others that go with them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.oa.approvals import Task
from runtime.sandbox.oa.errors import json_response
from runtime.sandbox.wecom.errors import WeComError, bad_approval
from runtime.sandbox.wecom.forms import template_of
from runtime.sandbox.wecom.instances import Instance

if TYPE_CHECKING:
    from runtime.sandbox.wecom import WeComSimulator

__all__ = ["wecom_routes"]

_LONGEST_SPAN = 31 * 86_400
_MOST_NUMBERS = 100
_LARGEST_FILE = 20 * 1024 * 1024
Handler = Callable[[Request], Awaitable[dict[str, Any]]]


def wecom_routes(simulator: WeComSimulator) -> list[Route]:
    """The routes, relative to the address that stands for the vendor's host."""
    calls = _Calls(simulator)
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/oa/gettemplatedetail", calls.template),
        ("POST", "/oa/applyevent", calls.submit),
        ("POST", "/oa/getapprovaldetail", calls.detail),
        ("POST", "/oa/getapprovalinfo", calls.numbers),
        ("POST", "/media/upload", calls.upload),
        ("POST", "/user/getuserid", calls.user_by_mobile),
        ("GET", "/user/get", calls.user),
    ]
    return [
        *(
            Route(f"/cgi-bin{path}", _answering(calls.guarded(handler)), methods=[method])
            for method, path, handler in table
        ),
        Route("/cgi-bin/gettoken", _answering(calls.token), methods=["GET"]),
    ]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return json_response({"errcode": 0, "errmsg": "ok", **await handler(request)})
        except WeComError as error:
            return error.response()

    return answer


class _Calls:
    def __init__(self, simulator: WeComSimulator) -> None:
        self._simulator = simulator

    def guarded(self, handler: Handler) -> Handler:
        """The token is checked before anything else."""

        async def answer(request: Request) -> dict[str, Any]:
            token = request.query_params.get("access_token")
            if not token:
                raise WeComError(41001, "access_token missing")
            if not self._simulator.tokens.valid(token):
                raise WeComError(40014, "invalid access_token")
            return await handler(request)

        return answer

    async def token(self, request: Request) -> dict[str, Any]:
        """获取access_token"""
        query = request.query_params
        if not self._simulator.tokens.knows(query.get("corpid")):
            raise WeComError(40013, "invalid corpid")
        if not self._simulator.tokens.knows(query.get("corpid"), query.get("corpsecret")):
            raise WeComError(40001, "invalid credential")
        token, seconds = self._simulator.tokens.issue()
        return {"access_token": token, "expires_in": seconds}

    async def template(self, request: Request) -> dict[str, Any]:
        """获取审批模板详情"""
        form = self._simulator.forms.get(str((await _body(request)).get("template_id") or ""))
        if form is None:
            raise bad_approval("template_id", "does not exist")
        return template_of(form)

    async def submit(self, request: Request) -> dict[str, Any]:
        """提交审批申请"""
        return {"sp_no": self._simulator.instances.submit(await _body(request)).id}

    async def detail(self, request: Request) -> dict[str, Any]:
        """获取审批申请详情"""
        instance = self._simulator.instances.find(str((await _body(request)).get("sp_no") or ""))
        if instance is None:
            raise WeComError(301025, "sp_no does not exist")
        return {"info": _detail(instance)}

    async def numbers(self, request: Request) -> dict[str, Any]:
        """批量获取审批单号"""
        body = await _body(request)
        start, end = _seconds(body.get("starttime")), _seconds(body.get("endtime"))
        if not 0 <= end - start <= _LONGEST_SPAN:
            raise bad_approval("starttime", "and endtime are not within 31 days")
        size, cursor = body.get("size", _MOST_NUMBERS), str(body.get("new_cursor") or "0")
        if not isinstance(size, int) or not 1 <= size <= _MOST_NUMBERS or not cursor.isdecimal():
            raise bad_approval("size", "or new_cursor is not valid")
        filters = {str(entry.get("key")): str(entry.get("value")) for entry in body.get("filters") or ()}
        code = filters.pop("template_id", None)
        if code is None or not filters.keys() <= {"creator", "sp_status", "department"}:
            raise bad_approval("filters", "needs template_id and no unknown key")

        def matches(instance: Instance) -> bool:
            own = {
                "creator": instance.originator,
                "sp_status": str(instance.sp_status),
                "department": str(instance.department),
            }
            return all(own[key] == value for key, value in filters.items())

        ids, following = self._simulator.instances.page(
            code, start=start * 1000, end=end * 1000 + 999, offset=int(cursor), limit=size, matches=matches
        )
        more = {} if following is None else {"new_next_cursor": str(following)}
        return {"sp_no_list": ids, **more}

    async def upload(self, request: Request) -> dict[str, Any]:
        """上传临时素材"""
        async with request.form() as form:
            media = form.get("media")
            if request.query_params.get("type") not in ("file", "image") or not isinstance(media, UploadFile):
                raise WeComError(40058, "media or type missing")
            size = len(await media.read())
            if not 5 < size <= _LARGEST_FILE:
                raise WeComError(40006, "invalid media size")
            media_id = secrets.token_hex(16)
            self._simulator.keep_media(media_id, media.filename or "file")
        return {"type": "file", "media_id": media_id, "created_at": str(int(self._simulator.clock()))}

    async def user_by_mobile(self, request: Request) -> dict[str, Any]:
        """手机号获取userid"""
        mobile = (await _body(request)).get("mobile")
        found = next((user for user, person in demo.USERS.items() if person.mobile == mobile), None)
        if found is None:
            raise WeComError(46004, "user not exist")
        return {"userid": found}

    async def user(self, request: Request) -> dict[str, Any]:
        """读取成员"""
        user = request.query_params.get("userid", "")
        if user not in demo.USERS:
            raise WeComError(60111, "userid not found")
        person = demo.USERS[user]
        return {"userid": user, "name": person.name, "department": [person.department], "status": 1}


def _detail(instance: Instance) -> dict[str, Any]:
    nodes = [
        (number, node, [task for task in instance.tasks if task.node == number])
        for number, node in enumerate(instance.nodes)
    ]
    records = [
        {
            "sp_status": _node_status(tasks),
            "approverattr": 2 if node.action == "AND" else 1,
            "details": [
                {
                    "approver": {"userid": task.user},
                    "speech": _speech(instance, task),
                    "sp_status": _task_status(task),
                    "sptime": _task_time(task),
                    "media_id": [],
                }
                for task in tasks
            ],
        }
        for _, node, tasks in nodes
        if tasks
    ]
    process = [
        {
            "node_type": 1,
            "sp_status": _node_status(tasks),
            "apv_rel": 1 if node.action == "AND" else 2,
            "sub_node_list": [
                {
                    "userid": task.user,
                    "speech": _speech(instance, task),
                    "sp_yj": _task_status(task),
                    "sptime": _task_time(task),
                    "media_ids": [],
                }
                for task in tasks
            ],
        }
        for _, node, tasks in nodes
        if tasks
    ]
    comments = [
        {
            "commentUserInfo": {"userid": record.user},
            "commenttime": record.at // 1000,
            "commentcontent": record.remark,
            "commentid": f"{instance.id}{number}",
            "media_id": [],
        }
        for number, record in enumerate(instance.records)
        if record.type == "ADD_REMARK"
    ]
    return {
        "sp_no": instance.id,
        "sp_name": instance.form_name,
        "sp_status": instance.sp_status,
        "template_id": instance.template_id,
        "apply_time": instance.created // 1000,
        "applyer": {"userid": instance.originator, "partyid": str(instance.department)},
        "sp_record": records,
        "process_list": {"node_list": process},
        "notifyer": [{"userid": user} for user in instance.cc],
        "apply_data": {"contents": instance.contents},
        "comments": comments,
    }


def _task_status(task: Task) -> int:
    return {"AGREE": 2, "REFUSE": 3}.get(task.result, 1)


def _task_time(task: Task) -> int:
    return task.finished // 1000 if task.result != "NONE" else 0


def _node_status(tasks: list[Task]) -> int:
    statuses = {_task_status(task) for task in tasks}
    return 3 if 3 in statuses else 1 if any(task.status == "RUNNING" for task in tasks) else 2


def _speech(instance: Instance, task: Task) -> str:
    said = (entry for entry in reversed(instance.records) if entry.type == "EXECUTE_TASK_NORMAL")
    return next((entry.remark for entry in said if entry.user == task.user), "")


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = jsontext.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise WeComError(47001, "data format error") from error
    if not isinstance(body, dict):
        raise WeComError(47001, "data format error")
    return body


def _seconds(value: object) -> int:
    if not isinstance(value, str) or not value.isdecimal():
        raise bad_approval("starttime", "or endtime is no string of seconds")
    return int(value)

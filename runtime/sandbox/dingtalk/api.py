"""DingTalk's HTTP API: the OA approval calls of ``api.dingtalk.com`` and the legacy calls of ``oapi.dingtalk.com``.

One host serves both, and ``/gettoken`` stands on the new host too, because published flows call it there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.forms import schema_of
from runtime.sandbox.dingtalk.instances import Instance
from runtime.sandbox.dingtalk.values import table_answer
from runtime.sandbox.oa.errors import json_response

if TYPE_CHECKING:
    from runtime.sandbox.dingtalk import DingTalkSimulator

__all__ = ["dingtalk_routes", "guarded", "read_body"]

_MAX_TEXT = 1024
_MAX_RESULTS = 20
_STATUSES = ("RUNNING", "TERMINATED", "COMPLETED")
Handler = Callable[[Request], Awaitable[Response]]


def dingtalk_routes(simulator: DingTalkSimulator) -> list[Route]:
    """The routes, relative to the address that stands for the vendor's host."""
    calls = _Calls(simulator)
    processes = "/v1.0/workflow/processInstances"
    table: list[tuple[str, str, Handler]] = [
        ("POST", processes, calls.start),
        ("GET", processes, calls.detail),
        ("POST", f"{processes}/terminate", calls.terminate),
        ("POST", f"{processes}/comments", calls.comment),
        ("POST", f"{processes}/execute", calls.execute),
        ("POST", "/v1.0/workflow/processes/instanceIds/query", calls.list_ids),
        ("GET", "/v1.0/workflow/forms/schemas/processCodes", calls.schema),
        ("GET", "/v1.0/workflow/processCentres/schemaNames/processCodes", calls.code_by_name),
    ]
    return [
        *(Route(path, guarded(simulator, handler), methods=[method]) for method, path, handler in table),
        Route("/v1.0/oauth2/accessToken", _answering_errors(calls.access_token), methods=["POST"]),
        Route("/gettoken", calls.legacy_token, methods=["GET"]),
        Route("/call_back/get_call_back_failed_result", calls.failed_pushes, methods=["GET"]),
    ]


def _answering_errors(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except DingTalkError as error:
            return error.response()

    return answer


def guarded(simulator: DingTalkSimulator, handler: Handler) -> Handler:
    """A call of the new API: it wants the token in its header, and answers errors in DingTalk's form."""

    async def answer(request: Request) -> Response:
        if not simulator.tokens.valid(request.headers.get("x-acs-dingtalk-access-token")):
            raise DingTalkError("InvalidAuthentication", "不合法的access_token")
        return await handler(request)

    return _answering_errors(answer)


class _Calls:
    def __init__(self, simulator: DingTalkSimulator) -> None:
        self._simulator = simulator

    async def access_token(self, request: Request) -> Response:
        """获取企业内部应用的 accessToken"""
        body = await read_body(request)
        self._simulator.tokens.check_app(body.get("appKey"), body.get("appSecret"))
        token, seconds = self._simulator.tokens.issue()
        return json_response({"accessToken": token, "expireIn": seconds})

    async def legacy_token(self, request: Request) -> Response:
        """获取企业内部应用的 access_token (旧版)"""
        query = request.query_params
        if not self._simulator.tokens.knows(query.get("appkey"), query.get("appsecret")):
            return json_response({"errcode": 40089, "errmsg": "不合法的appkey或appsecret"})
        token, seconds = self._simulator.tokens.issue()
        return json_response({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": seconds})

    async def failed_pushes(self, request: Request) -> Response:
        """获取推送失败的事件列表 (旧版)"""
        if not self._simulator.tokens.valid(request.query_params.get("access_token")):
            text = "ding talk error[subcode=40014,submsg=不合法的access_token]"
            return json_response(
                {"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token", "errmsg": text}
            )
        return json_response(self._simulator.push.failed_result())

    async def start(self, request: Request) -> Response:
        """发起审批实例"""
        body = await read_body(request)
        self._simulator.drive.refuse_missing(body.get("formComponentValues"))
        instance = self._simulator.instances.start(body)
        return json_response({"instanceId": instance.id})

    async def detail(self, request: Request) -> Response:
        """获取单个审批实例详情"""
        instance_id = request.query_params.get("processInstanceId")
        if not instance_id:
            raise DingTalkError("processInstanceIdError", "审批实例ID错误")
        instance = self._simulator.instances.get(instance_id, missing="processInstanceNotExist")
        return json_response({"result": self._detail(instance), "success": "true"})

    async def terminate(self, request: Request) -> Response:
        """撤销审批实例"""
        body = await read_body(request)
        instance = self._simulator.instances.get(body.get("processInstanceId"), missing="aflowProcessInstNotExist")
        remark = _text(body, "remark")
        user = instance.originator
        if not body.get("isSystem"):
            user = _operator(body.get("operatingUserId"))
            if user != instance.originator:
                raise DingTalkError("processInstanceInvalidParameter", "只有发起人可以撤销审批实例")
        wait = self._simulator.terminate_after - (self._simulator.clock() - instance.created / 1000)
        if instance.status == "RUNNING" and wait > 0:
            raise DingTalkError("aflowProcessInstStatusException", "审批实例发起 15 秒内不能撤销")
        self._simulator.instances.withdraw(instance, user, remark)
        return _done()

    async def comment(self, request: Request) -> Response:
        """添加审批评论"""
        body = await read_body(request)
        instance = self._simulator.instances.get(body.get("processInstanceId"), missing="processInstanceNotExist")
        text = _text(body, "text")
        if not text:
            raise DingTalkError("invalidParameter", "参数错误：text 不能为空")
        self._simulator.instances.comment(instance, _operator(body.get("commentUserId")), text)
        return _done()

    async def execute(self, request: Request) -> Response:
        """同意或拒绝审批任务"""
        body = await read_body(request)
        instance = self._simulator.instances.get(body.get("processInstanceId"), missing="processInstanceNotExist")
        task_id, result = body.get("taskId"), body.get("result")
        if not isinstance(task_id, int) or result not in ("agree", "refuse"):
            raise DingTalkError("processInstanceInvalidParameter", "审批实例参数错误：taskId 或 result")
        self._simulator.instances.decide(
            instance,
            _operator(body.get("actionerUserId")),
            agree=result == "agree",
            remark=_text(body, "remark"),
            task_id=task_id,
        )
        return _done()

    async def list_ids(self, request: Request) -> Response:
        """获取审批实例ID列表"""
        body = await read_body(request)
        code = body.get("processCode")
        if not isinstance(code, str) or code not in self._simulator.forms:
            raise DingTalkError("invalidProcessCode", "processCode 不合法")
        start = _count(body.get("startTime"), "invalidInstanceListIdsStartTime", "startTime 不合法")
        end = None
        if body.get("endTime") is not None:
            end = _count(body["endTime"], "invalidInstanceListIdsStartTime", "endTime 不合法", start)
        offset = _count(body.get("nextToken"), "invalidNextToken", "nextToken 不合法")
        limit = _count(body.get("maxResults"), "invalidMaxResults", "maxResults 不合法，应为 1 到 20", 1)
        if limit > _MAX_RESULTS:
            raise DingTalkError("invalidMaxResults", "maxResults 不合法，应为 1 到 20")
        users, statuses = body.get("userIds") or [], body.get("statuses") or []
        if not isinstance(users, list) or len(users) > 10:
            raise DingTalkError("invalidParameter", "参数错误：userIds 最多 10 个")
        if not isinstance(statuses, list) or not set(map(str, statuses)) <= set(_STATUSES):
            raise DingTalkError("invalidParameter", "参数错误：statuses")

        def matches(instance: Instance) -> bool:
            wanted = not statuses or instance.status in statuses
            return wanted and (not users or instance.originator in users)

        ids, following = self._simulator.instances.page(
            code, start=start, end=end, offset=offset, limit=limit, matches=matches
        )
        token = "" if following is None else str(following)
        return json_response({"result": {"list": ids, "nextToken": token}, "success": True})

    async def schema(self, request: Request) -> Response:
        """获取表单 schema"""
        code = request.query_params.get("processCode")
        if not code:
            raise DingTalkError("aflowProcessCodeIsError", "processCode 错误")
        form = self._simulator.forms.get(code)
        if form is None:
            raise DingTalkError("formNotExist", "表单不存在")
        return json_response({"result": schema_of(form)})

    async def code_by_name(self, request: Request) -> Response:
        """获取模板 code"""
        name = request.query_params.get("name")
        form = next((form for form in self._simulator.forms.values() if form.name == name), None)
        if form is None:
            raise DingTalkError("formNotExist", "表单不存在")
        modified = datetime.fromtimestamp(form.modified / 1000, UTC)
        return json_response({"result": {"processCode": form.code, "gmtModified": f"{modified:%Y-%m-%dT%H:%MZ}"}})

    def _detail(self, instance: Instance) -> dict[str, Any]:
        form = self._simulator.forms.get(instance.process_code)
        controls = {control.id: control for control in form.controls} if form else {}
        values = []
        for value in instance.values:
            is_table = value.component == "TableField"
            values.append(
                {
                    "id": value.id,
                    "name": value.name,
                    "value": table_answer(controls.get(value.id), value.value) if is_table else value.value,
                    "extValue": value.ext_value,
                    "componentType": value.component,
                    "bizAlias": "",
                }
            )
        tasks = [
            {
                "taskId": task.id,
                "userId": task.user,
                "status": task.status,
                "result": task.result,
                "createTime": _minute(task.created),
                **({"finishTime": _minute(task.finished)} if task.finished else {}),
                "activityId": f"activity-{task.node}",
                "taskGroupName": "",
                "processInstanceId": instance.id,
                "pcUrl": f"?procInsId={instance.id}&taskId={task.id}&businessId={instance.business_id}",
                "mobileUrl": f"?procInsId={instance.id}&taskId={task.id}&businessId={instance.business_id}",
            }
            for task in instance.tasks
        ]
        records = [
            {
                "userId": record.user,
                "date": _minute(record.at),
                "type": record.type,
                "result": record.result,
                "remark": record.remark,
                "attachments": [],
                "ccUserIds": [],
                "images": [],
                "activityId": "",
                "showName": _SHOW_NAMES.get(record.type, ""),
            }
            for record in instance.records
        ]
        return {
            "title": instance.title,
            "createTime": _minute(instance.created),
            **({"finishTime": _minute(instance.finished)} if instance.finished else {}),
            "originatorUserId": instance.originator,
            "originatorDeptId": str(instance.department),
            "originatorDeptName": demo.DEPARTMENTS[instance.department],
            "status": instance.status,
            "result": instance.result,
            "businessId": instance.business_id,
            "approverUserIds": [user for node in instance.nodes for user in node.users],
            "ccUserIds": instance.cc,
            "bizAction": "NONE",
            "bizData": "",
            "attachedProcessInstanceIds": [],
            "mainProcessInstanceId": None,
            "operationRecords": records,
            "tasks": tasks,
            "formComponentValues": values,
        }


_SHOW_NAMES = {"START_PROCESS_INSTANCE": "发起人", "EXECUTE_TASK_NORMAL": "审批人", "ADD_REMARK": "评论"}


async def read_body(request: Request) -> Mapping[str, Any]:
    """The request's JSON object.

    :raises DingTalkError: ``invalidParameter``
    """
    try:
        body = jsontext.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise DingTalkError("invalidParameter", "参数错误：请求体不是 JSON") from error
    if not isinstance(body, dict):
        raise DingTalkError("invalidParameter", "参数错误：请求体不是 JSON 对象")
    return body


def _operator(user: object) -> str:
    if not isinstance(user, str) or user not in demo.USERS:
        raise DingTalkError("userNotExist", f"用户不存在：{user}")
    return user


def _text(body: Mapping[str, Any], name: str) -> str:
    text = body.get(name) or ""
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise DingTalkError("invalidParameter", f"参数错误：{name} 最多 {_MAX_TEXT} 个字符")
    return text


def _count(value: object, code: str, message: str, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DingTalkError(code, message)
    return value


def _minute(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%MZ}"


def _done() -> Response:
    return json_response({"result": True, "success": True})

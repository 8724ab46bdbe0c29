"""DingTalk's directory: employees by mobile number and id, departments; legacy calls with legacy answers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.oa.errors import json_response

if TYPE_CHECKING:
    from runtime.sandbox.dingtalk import DingTalkSimulator

__all__ = ["directory_routes", "union_id"]

#: The directory's number of the company itself; approvals call it -1.
_ROOT = 1
_NO_USER = (60121, "找不到该用户")
_NO_DEPARTMENT = (60003, "部门不存在")
_BAD_PARAMETER = (400002, "无效的参数")

_Fault = tuple[int, str]


def directory_routes(simulator: DingTalkSimulator) -> list[Route]:
    """The routes, relative to the address that stands for ``oapi.dingtalk.com``."""
    table = {
        "/topapi/v2/user/getbymobile": _user_by_mobile,
        "/topapi/v2/user/get": _user,
        "/topapi/v2/department/get": _department,
        "/topapi/v2/department/listsub": _sub_departments,
    }
    return [Route(path, _legacy(simulator, answer), methods=["POST"]) for path, answer in table.items()]


def union_id(user: str) -> str:
    """The id by which the storage calls know an employee."""
    return hashlib.blake2b(user.encode(), digest_size=12).hexdigest()


def _legacy(
    simulator: DingTalkSimulator, answer: Callable[[Mapping[str, Any]], Any]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        if not simulator.tokens.valid(request.query_params.get("access_token")):
            text = "ding talk error[subcode=40014,submsg=不合法的access_token]"
            return _reply({"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token", "errmsg": text})
        try:
            body = jsontext.loads(await request.body() or b"{}")
        except ValueError:
            body = None
        result = answer(body) if isinstance(body, dict) else _BAD_PARAMETER
        if isinstance(result, tuple):
            return _reply({"errcode": result[0], "errmsg": result[1]})
        return _reply({"errcode": 0, "errmsg": "ok", "result": result})

    return handle


def _reply(answer: dict[str, Any]) -> Response:
    return json_response({**answer, "request_id": secrets.token_hex(8)})


def _user_by_mobile(body: Mapping[str, Any]) -> dict[str, Any] | _Fault:
    """根据手机号查询用户"""
    mobile = body.get("mobile")
    if not isinstance(mobile, str) or not mobile:
        return _BAD_PARAMETER
    found = next((user for user, person in demo.USERS.items() if person.mobile == mobile), None)
    return _NO_USER if found is None else {"userid": found, "exclusive_account_userid_list": []}


def _user(body: Mapping[str, Any]) -> dict[str, Any] | _Fault:
    """查询用户详情"""
    user = body.get("userid")
    if not isinstance(user, str) or not user:
        return _BAD_PARAMETER
    person = demo.USERS.get(user)
    if person is None:
        return _NO_USER
    return {
        "userid": user,
        "unionid": union_id(user),
        "name": person.name,
        "mobile": person.mobile,
        "dept_id_list": [_number(person.department)],
        "active": True,
    }


def _department(body: Mapping[str, Any]) -> dict[str, Any] | _Fault:
    """获取部门详情"""
    found = {_number(number): name for number, name in demo.DEPARTMENTS.items()}
    number = body.get("dept_id")
    if number not in found:
        return _NO_DEPARTMENT
    parent = {} if number == _ROOT else {"parent_id": _ROOT}
    return {"dept_id": number, "name": found[number], **parent}


def _sub_departments(body: Mapping[str, Any]) -> list[dict[str, Any]] | _Fault:
    """获取部门列表: one level down"""
    number = body.get("dept_id", _ROOT)
    if number not in {_number(known) for known in demo.DEPARTMENTS}:
        return _NO_DEPARTMENT
    below = [known for known in demo.DEPARTMENTS if known != demo.ROOT_DEPARTMENT] if number == _ROOT else []
    return [{"dept_id": known, "name": demo.DEPARTMENTS[known], "parent_id": _ROOT} for known in below]


def _number(department: int) -> int:
    return _ROOT if department == demo.ROOT_DEPARTMENT else department

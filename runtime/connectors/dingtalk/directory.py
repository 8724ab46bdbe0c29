"""The company's people and departments, as DingTalk knows them; what was found is remembered for a short while."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from runtime.connectors.dingtalk.actions import FindDepartment, FindUser
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.errors import IntegrationError, NotFound, RemoteFault, ValueRefused

__all__ = ["Directory"]

_USER = "/topapi/v2/user/get"
_BY_MOBILE = "/topapi/v2/user/getbymobile"
_DEPARTMENT = "/topapi/v2/department/get"
_SUB_DEPARTMENTS = "/topapi/v2/department/listsub"

#: Seconds for which an answer counts: long enough for a run over many documents, short enough for somebody who waits
#: for a change.
_KEPT = 300.0
_MOST_KEPT = 10_000
#: The company itself: the directory's number, and the one that approvals want.
_ROOT, _APPROVAL_ROOT = 1, -1
#: A company with more departments than this is searched by number only.
_MOST_DEPARTMENTS = 2_000

V = TypeVar("V")


class Directory:
    """Looks people and departments up."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client
        self._mobiles: _Memory[str] = _Memory()
        self._users: _Memory[dict[str, Any]] = _Memory()
        self._departments: _Memory[list[dict[str, Any]]] = _Memory()

    async def find_user(self, params: FindUser) -> dict[str, Any]:
        """An employee (DingTalk open platform, 根据手机号查询用户 and 查询用户详情).

        :returns: ``user_id``, ``name``, ``union_id`` and ``departments``, the ids of all departments
        :raises NotFound: nobody who works here has this number or id
        """
        try:
            user_id = params.user or await self._mobiles.get(params.mobile, lambda: self._by_mobile(params.mobile))
            return await self.user(user_id)
        except NotFound as error:
            error.where = params.user or params.mobile
            raise

    async def user(self, user_id: str) -> dict[str, Any]:
        """The employee of this id, as :meth:`find_user` describes.

        :raises NotFound: there is none
        """
        return await self._users.get(user_id, lambda: self._user(user_id))

    async def is_unknown(self, user_id: str) -> bool:
        """Whether DingTalk says that there is no such employee; False where it does not say, or may not be asked."""
        try:
            await self.user(user_id)
        except NotFound:
            return True
        except IntegrationError:
            return False
        return False

    async def find_department(self, params: FindDepartment) -> dict[str, Any]:
        """A department (DingTalk open platform, 获取部门详情 and 获取部门列表).

        :returns: ``department_id`` as approvals want it (-1 = the company itself) and ``name``
        :raises NotFound: there is none
        :raises ValueRefused: several departments have this name
        """
        if params.department is not None:
            number = _ROOT if params.department == _APPROVAL_ROOT else params.department
            found = await self._departments.get(str(number), lambda: self._department(number))
        else:
            every = await self._departments.get("", self._all_departments)
            found = [one for one in every if one["name"] == params.name.strip()]
        if not found:
            raise NotFound(
                f"钉钉里没有部门“{params.name}”",
                f"There is no department {params.name!r} in DingTalk",
                where=self._client.name,
            )
        if len(found) > 1:
            ids = ", ".join(str(one["department_id"]) for one in found)
            raise ValueRefused(
                f"钉钉里有 {len(found)} 个部门叫“{params.name}”，请改用编号（{ids}）",
                f"DingTalk has {len(found)} departments called {params.name!r}: use the number ({ids})",
                where=self._client.name,
            )
        return found[0]

    async def _by_mobile(self, mobile: str) -> str:
        result = await self._ask(_BY_MOBILE, {"mobile": mobile})
        # Accounts that the company made for its people come in a list of their own.
        user_id = result.get("userid") or next(iter(result.get("exclusive_account_userid_list") or ()), "")
        if not user_id:
            raise NotFound("钉钉里没有这个手机号的员工", "Nobody in DingTalk has this mobile number")
        return str(user_id)

    async def _user(self, user_id: str) -> dict[str, Any]:
        result = await self._ask(_USER, {"userid": user_id})
        return {
            "user_id": str(result.get("userid") or user_id),
            "name": str(result.get("name") or ""),
            "union_id": str(result.get("unionid") or ""),
            "departments": [_approval_id(number) for number in result.get("dept_id_list") or ()],
        }

    async def _department(self, number: int) -> list[dict[str, Any]]:
        return [_as_department(await self._ask(_DEPARTMENT, {"dept_id": number}))]

    async def _all_departments(self) -> list[dict[str, Any]]:
        found = await self._department(_ROOT)
        waiting = [_ROOT]
        while waiting:
            answer = await self._ask(_SUB_DEPARTMENTS, {"dept_id": waiting.pop()}, several=True)
            below = [one for one in answer if isinstance(one, dict) and one.get("dept_id") is not None]
            found += [_as_department(one) for one in below]
            waiting += [int(one["dept_id"]) for one in below]
            if len(found) > _MOST_DEPARTMENTS:
                raise ValueRefused(
                    f"部门超过 {_MOST_DEPARTMENTS} 个，请用编号查找",
                    f"There are more than {_MOST_DEPARTMENTS} departments: look for one by its number",
                    where=self._client.name,
                )
        return found

    async def _ask(self, path: str, body: dict[str, Any], *, several: bool = False) -> Any:
        answer = (await self._client.call("POST", path, body=body, legacy=True)).get("result")
        if not isinstance(answer, list if several else dict):
            raise RemoteFault("钉钉的答复没有结果", "DingTalk's answer holds no result", where=path)
        return answer


class _Memory(Generic[V]):
    """Answers that are younger than :data:`_KEPT`."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, V]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[V]]) -> V:
        found = self._known.get(key)
        if found is not None and time.monotonic() - found[0] < _KEPT:
            return found[1]
        value = await ask()
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[key] = (time.monotonic(), value)
        return value


def _as_department(answer: dict[str, Any]) -> dict[str, Any]:
    return {"department_id": _approval_id(answer.get("dept_id")), "name": str(answer.get("name") or "")}


def _approval_id(number: Any) -> Any:
    return _APPROVAL_ROOT if number == _ROOT else number

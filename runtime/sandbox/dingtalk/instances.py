"""Approval instances of DingTalk: how they start, and how DingTalk words what it refuses."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.forms import Form
from runtime.sandbox.dingtalk.values import FormValue, check_values
from runtime.sandbox.oa.approvals import Approval, Approvals, Node, Record, Refusal, Watcher
from runtime.sandbox.storage import Storage

__all__ = ["Instance", "Instances"]

_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
_REFUSALS = {
    Refusal.ENDED: ("aflowProcessInstStatusException", "审批实例已结束"),
    Refusal.NOT_WAITING: ("processInstanceInvalidParameter", "该用户没有待处理的审批任务"),
    Refusal.NOT_WITHDRAWABLE: ("820008", "该审批模板不允许撤销"),
}


class Instance(Approval, kw_only=True):
    """One approval instance."""

    process_code: str
    values: list[FormValue]

    @property
    def code(self) -> str:
        """The process code."""
        return self.process_code


class Instances(Approvals[Instance]):
    """All approval instances of the demo company.

    :param forms: the forms by process code; deleted ones are missing
    :param clock: seconds since the epoch
    :param watcher: told about every change, after it is stored
    """

    def __init__(
        self, storage: Storage, forms: Mapping[str, Form], clock: Callable[[], float], watcher: Watcher[Instance]
    ) -> None:
        super().__init__(storage, "dingtalk", Instance, clock, watcher)
        self._forms = forms
        self._business_ids = itertools.count(len(self) + 1)

    def get(self, instance_id: object, *, missing: str) -> Instance:
        """The instance.

        :param missing: the error code of the calling API for an id that does not exist
        :raises DingTalkError: no such instance
        """
        instance = self._all.get(instance_id) if isinstance(instance_id, str) else None
        if instance is None:
            raise DingTalkError(missing, "审批实例不存在")
        return instance

    def start(self, body: Mapping[str, Any]) -> Instance:
        """Follows "DingTalk open platform, 发起审批实例".

        :param body: the request's JSON
        :raises DingTalkError: with the documented code; nothing was started
        """
        form = self._forms.get(str(body.get("processCode") or ""))
        if form is None:
            raise DingTalkError("processCodeError", "审批模板不存在或已被删除，processCode 错误")
        originator = _user(body.get("originatorUserId"), "发起人")
        nodes = _nodes(body.get("approvers"))
        department = body.get("deptId")
        if department is None and nodes:
            department = demo.USERS[originator].department
        if isinstance(department, bool) or not isinstance(department, int) or department not in demo.DEPARTMENTS:
            raise DingTalkError("invalidParameter", f"参数错误：部门 deptId 不存在：{department}")
        cc = [_user(user, "抄送人") for user in _limited(body.get("ccList"), "ccList", 50)]
        values = check_values(form, body.get("formComponentValues"), self._all)
        now = self._now()
        stamp = datetime.fromtimestamp(now / 1000, _ZONE)
        instance = Instance(
            id=str(uuid.uuid4()),
            process_code=form.code,
            form_name=form.name,
            title=f"{demo.USERS[originator].name}提交的{form.name}",
            originator=originator,
            department=department,
            business_id=f"{stamp:%Y%m%d%H%M%S}{now % 1000:03d}{next(self._business_ids) % 10**6:06d}",
            created=now,
            values=values,
            nodes=nodes or [Node("NONE", [form.approver])],
            withdrawable=form.withdrawable,
            cc=cc,
            records=[Record(originator, now, "START_PROCESS_INSTANCE")],
        )
        self._add(instance)
        return instance

    def _refusal(self, reason: Refusal) -> DingTalkError:
        return DingTalkError(*_REFUSALS[reason])


def _user(user: object, role: str) -> str:
    if not isinstance(user, str) or user not in demo.USERS:
        raise DingTalkError("invalidParameter", f"参数错误：{role}不存在或已离职：{user}")
    return user


def _limited(value: object, name: str, limit: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > limit:
        raise DingTalkError("invalidParameter", f"参数错误：{name} 应为列表，最多 {limit} 个")
    return value


def _nodes(approvers: object) -> list[Node]:
    nodes = []
    for approver in _limited(approvers, "approvers", 20):
        action = approver.get("actionType") if isinstance(approver, dict) else None
        users = approver.get("userIds") if isinstance(approver, dict) else None
        if action not in ("AND", "OR", "NONE") or not isinstance(users, list) or not users:
            raise DingTalkError("invalidParameter", "参数错误：approvers 需要 actionType（AND、OR、NONE）和 userIds")
        nodes.append(Node(action, [_user(user, "审批人") for user in users]))
    return nodes

"""Approval instances: how they start, who has to decide, and how they end."""

from __future__ import annotations

import itertools
import uuid
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.forms import Form
from runtime.sandbox.dingtalk.values import FormValue, check_values
from runtime.sandbox.storage import Storage

__all__ = ["Instance", "Instances", "Record", "Task", "Watcher"]

_COLLECTION = "dingtalk.instances"
_ZONE = ZoneInfo(DEFAULT_TIMEZONE)


class Task(msgspec.Struct, gc=False):
    """One approver's part. ``status`` RUNNING COMPLETED CANCELED; times in milliseconds since the epoch."""

    id: int
    user: str
    #: Number of the approval node that it belongs to, from 0.
    node: int
    created: int
    status: str = "RUNNING"
    result: str = "NONE"
    finished: int = 0


class Record(msgspec.Struct, gc=False):
    """One line of the timeline."""

    user: str
    at: int
    type: str
    result: str = "NONE"
    remark: str = ""


class Node(msgspec.Struct, gc=False):
    """One stage of the flow: ``AND`` = everybody agrees, ``OR`` = the first answer counts, ``NONE`` = one person."""

    action: str
    users: list[str]


class Instance(msgspec.Struct):
    """One approval; times in milliseconds since the epoch, 0 = not yet."""

    id: str
    process_code: str
    form_name: str
    title: str
    originator: str
    department: int
    business_id: str
    created: int
    values: list[FormValue]
    nodes: list[Node]
    withdrawable: bool = True
    by_api: bool = True
    cc: list[str] = []
    #: RUNNING, COMPLETED or TERMINATED (withdrawn)
    status: str = "RUNNING"
    #: agree, refuse or empty
    result: str = ""
    finished: int = 0
    tasks: list[Task] = []
    records: list[Record] = []

    def open_tasks(self) -> list[Task]:
        """The tasks that wait for an answer."""
        return [task for task in self.tasks if task.status == "RUNNING"]


#: Told about every change: instance, kind (``instance`` or ``task``), type (start, finish, terminate, cancel), task.
Watcher = Callable[[Instance, str, str, Task | None], None]


class Instances:
    """All approval instances of the demo company.

    Nothing here knows an idempotency key: two identical starts make two instances, as in DingTalk.

    :param forms: the forms by process code; deleted ones are missing
    :param clock: seconds since the epoch
    :param watcher: told about every change, after it is stored
    """

    def __init__(
        self, storage: Storage, forms: Mapping[str, Form], clock: Callable[[], float], watcher: Watcher
    ) -> None:
        self._storage = storage
        self._forms = forms
        self._clock = clock
        self._watcher = watcher
        stored = storage.load(_COLLECTION).values()
        ordered = sorted((msgspec.convert(value, Instance) for value in stored), key=lambda item: item.created)
        self._all: dict[str, Instance] = {instance.id: instance for instance in ordered}
        self._by_code: defaultdict[str, list[Instance]] = defaultdict(list)
        for instance in ordered:
            self._by_code[instance.process_code].append(instance)
        last = max((task.id for instance in ordered for task in instance.tasks), default=81_000_000_000)
        self._task_ids = itertools.count(last + 1)
        self._business_ids = itertools.count(len(ordered) + 1)

    def __len__(self) -> int:
        return len(self._all)

    def newest_first(self) -> Iterator[Instance]:
        """Every instance, the newest first."""
        return reversed(self._all.values())

    def find(self, instance_id: str) -> Instance | None:
        """The instance, or None."""
        return self._all.get(instance_id)

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
        opened = self._open_node(instance, 0, now)
        self._all[instance.id] = instance
        self._by_code[form.code].append(instance)
        self._save(instance)
        self._watcher(instance, "instance", "start", None)
        for task in opened:
            self._watcher(instance, "task", "start", task)
        return instance

    def decide(
        self, instance: Instance, user: str, *, agree: bool, remark: str = "", task_id: int | None = None
    ) -> None:
        """One approver's answer; the last one needed ends the approval.

        Follows "DingTalk open platform, 同意或拒绝审批任务".

        :param task_id: the task answered, or None for the user's open one
        :raises DingTalkError: the approval is over, or the user has no such open task
        """
        if instance.status != "RUNNING":
            raise DingTalkError("aflowProcessInstStatusException", "审批实例已结束")
        open_tasks = instance.open_tasks()
        task = next((task for task in open_tasks if task.user == user and task_id in (None, task.id)), None)
        if task is None:
            raise DingTalkError("processInstanceInvalidParameter", "该用户没有待处理的审批任务")
        now = self._now()
        result = "AGREE" if agree else "REFUSE"
        task.status, task.result, task.finished = "COMPLETED", result, now
        instance.records.append(Record(user, now, "EXECUTE_TASK_NORMAL", result, remark))
        node = instance.nodes[task.node]
        others = [other for other in open_tasks if other is not task]
        opened: list[Task] = []
        canceled: list[Task] = []
        if not agree or node.action != "AND" or not others:
            canceled = _cancel(others, now)
            if agree and task.node + 1 < len(instance.nodes):
                opened = self._open_node(instance, task.node + 1, now)
            else:
                instance.status, instance.finished = "COMPLETED", now
                instance.result = "agree" if agree else "refuse"
        self._save(instance)
        self._watcher(instance, "task", "finish", task)
        for other in canceled:
            self._watcher(instance, "task", "cancel", other)
        for following in opened:
            self._watcher(instance, "task", "start", following)
        if instance.status == "COMPLETED":
            self._watcher(instance, "instance", "finish", None)

    def withdraw(self, instance: Instance, user: str, remark: str = "") -> None:
        """The approval ends without a verdict.

        :raises DingTalkError: it is over already, or its form does not allow it
        """
        if instance.status != "RUNNING":
            raise DingTalkError("aflowProcessInstStatusException", "审批实例已结束，不能撤销")
        if not instance.withdrawable:
            raise DingTalkError("820008", "该审批模板不允许撤销")
        now = self._now()
        canceled = _cancel(instance.open_tasks(), now)
        instance.status, instance.finished = "TERMINATED", now
        instance.records.append(Record(user, now, "TERMINATE_PROCESS_INSTANCE", remark=remark))
        self._save(instance)
        for task in canceled:
            self._watcher(instance, "task", "cancel", task)
        self._watcher(instance, "instance", "terminate", None)

    def comment(self, instance: Instance, user: str, text: str) -> None:
        """A remark in the timeline."""
        instance.records.append(Record(user, self._now(), "ADD_REMARK", remark=text))
        self._save(instance)

    def page(
        self,
        process_code: str,
        *,
        start: int,
        end: int | None,
        offset: int,
        limit: int,
        statuses: Sequence[str] = (),
        users: Sequence[str] = (),
    ) -> tuple[list[str], int | None]:
        """Ids of instances by start time, and where to go on (None = the end).

        :param start: milliseconds since the epoch, inclusive; ``end`` likewise
        """
        instances = self._by_code.get(process_code, [])
        first = bisect_left(instances, start, key=lambda item: item.created)
        found: list[str] = []
        for index in range(first + offset, len(instances)):
            instance = instances[index]
            if end is not None and instance.created > end:
                break
            if (statuses and instance.status not in statuses) or (users and instance.originator not in users):
                continue
            if len(found) == limit:
                return found, index - first
            found.append(instance.id)
        return found, None

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _open_node(self, instance: Instance, number: int, now: int) -> list[Task]:
        opened = [Task(next(self._task_ids), user, number, now) for user in instance.nodes[number].users]
        instance.tasks = [*instance.tasks, *opened]
        return opened

    def _save(self, instance: Instance) -> None:
        self._storage.put(_COLLECTION, instance.id, instance)


def _cancel(tasks: Sequence[Task], now: int) -> list[Task]:
    for task in tasks:
        task.status, task.finished = "CANCELED", now
    return list(tasks)


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

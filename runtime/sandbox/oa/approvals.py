"""Approvals that go from node to node: who has to decide, and how they end."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Generic, TypeVar

import msgspec

from runtime.sandbox.oa.errors import OaError
from runtime.sandbox.storage import Storage

__all__ = ["Approval", "Approvals", "Node", "Record", "Refusal", "Task", "Watcher"]


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


class Approval(msgspec.Struct, kw_only=True):
    """One approval; times in milliseconds since the epoch, 0 = not yet."""

    id: str
    form_name: str
    title: str
    originator: str
    department: int
    business_id: str
    created: int
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

    @property
    def code(self) -> str:
        """The form that it was made from."""
        raise NotImplementedError

    def open_tasks(self) -> list[Task]:
        """The tasks that wait for an answer."""
        return [task for task in self.tasks if task.status == "RUNNING"]


class Refusal(Enum):
    """Why a decision or a withdrawal is refused."""

    ENDED = "the approval is over"
    NOT_WAITING = "the user has no open task"
    NOT_WITHDRAWABLE = "the form does not allow it"


A = TypeVar("A", bound=Approval)

#: Told about every change: approval, kind (``instance`` or ``task``), type (start, finish, terminate, cancel, comment),
#: task.
Watcher = Callable[[A, str, str, Task | None], None]


class Approvals(ABC, Generic[A]):
    """All approvals of the demo company in one system.

    Nothing here knows an idempotency key: two identical starts make two approvals, as in the real systems.

    :param system: the platform's name, which the collection begins with
    :param kind: what an approval is
    :param clock: seconds since the epoch
    :param watcher: told about every change, after it is stored
    """

    def __init__(
        self, storage: Storage, system: str, kind: type[A], clock: Callable[[], float], watcher: Watcher[A]
    ) -> None:
        self._storage = storage
        self._collection = f"{system}.instances"
        self._clock = clock
        self._watcher = watcher
        stored = storage.load(self._collection).values()
        ordered = sorted((msgspec.convert(value, kind) for value in stored), key=lambda item: item.created)
        self._all: dict[str, A] = {instance.id: instance for instance in ordered}
        self._by_code: defaultdict[str, list[A]] = defaultdict(list)
        for instance in ordered:
            self._by_code[instance.code].append(instance)
        last = max((task.id for instance in ordered for task in instance.tasks), default=81_000_000_000)
        self._task_ids = itertools.count(last + 1)

    def __len__(self) -> int:
        return len(self._all)

    def newest_first(self) -> Iterator[A]:
        """Every approval, the newest first."""
        return reversed(self._all.values())

    def find(self, instance_id: str) -> A | None:
        """The approval, or None."""
        return self._all.get(instance_id)

    def decide(self, instance: A, user: str, *, agree: bool, remark: str = "", task_id: int | None = None) -> None:
        """One approver's answer; the last one needed ends the approval.

        :param task_id: the task answered, or None for the user's open one
        :raises OaError: the approval is over, or the user has no such open task
        """
        if instance.status != "RUNNING":
            raise self._refusal(Refusal.ENDED)
        open_tasks = instance.open_tasks()
        task = next((task for task in open_tasks if task.user == user and task_id in (None, task.id)), None)
        if task is None:
            raise self._refusal(Refusal.NOT_WAITING)
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

    def withdraw(self, instance: A, user: str, remark: str = "") -> None:
        """The approval ends without a verdict.

        :raises OaError: it is over already, or its form does not allow it
        """
        if instance.status != "RUNNING":
            raise self._refusal(Refusal.ENDED)
        if not instance.withdrawable:
            raise self._refusal(Refusal.NOT_WITHDRAWABLE)
        now = self._now()
        canceled = _cancel(instance.open_tasks(), now)
        instance.status, instance.finished = "TERMINATED", now
        instance.records.append(Record(user, now, "TERMINATE_PROCESS_INSTANCE", remark=remark))
        self._save(instance)
        for task in canceled:
            self._watcher(instance, "task", "cancel", task)
        self._watcher(instance, "instance", "terminate", None)

    def comment(self, instance: A, user: str, text: str) -> None:
        """A remark in the timeline."""
        instance.records.append(Record(user, self._now(), "ADD_REMARK", remark=text))
        self._save(instance)
        self._watcher(instance, "instance", "comment", None)

    def page(
        self,
        code: str,
        *,
        start: int,
        end: int | None,
        offset: int,
        limit: int,
        matches: Callable[[A], bool] = lambda _: True,
    ) -> tuple[list[str], int | None]:
        """Ids of a form's approvals by start time, and where to go on (None = the end).

        :param start: milliseconds since the epoch, inclusive; ``end`` likewise
        """
        instances = self._by_code.get(code, [])
        first = bisect_left(instances, start, key=lambda item: item.created)
        found: list[str] = []
        for index in range(first + offset, len(instances)):
            instance = instances[index]
            if end is not None and instance.created > end:
                break
            if not matches(instance):
                continue
            if len(found) == limit:
                return found, index - first
            found.append(instance.id)
        return found, None

    @abstractmethod
    def _refusal(self, reason: Refusal) -> OaError:
        """The system's own words for a refusal."""

    def _add(self, instance: A) -> None:
        """Keeps a new approval and opens its first node."""
        opened = self._open_node(instance, 0, instance.created)
        self._all[instance.id] = instance
        self._by_code[instance.code].append(instance)
        self._save(instance)
        self._watcher(instance, "instance", "start", None)
        for task in opened:
            self._watcher(instance, "task", "start", task)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _open_node(self, instance: A, number: int, now: int) -> list[Task]:
        opened = [Task(next(self._task_ids), user, number, now) for user in instance.nodes[number].users]
        instance.tasks = [*instance.tasks, *opened]
        return opened

    def _save(self, instance: A) -> None:
        self._storage.put(self._collection, instance.id, instance)


def _cancel(tasks: Sequence[Task], now: int) -> list[Task]:
    for task in tasks:
        task.status, task.finished = "CANCELED", now
    return list(tasks)

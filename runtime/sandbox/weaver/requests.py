"""Workflow requests: how they start, at which node they stand, and how they end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver.errors import WeaverError
from runtime.sandbox.weaver.workflows import Workflow

__all__ = ["Log", "Request", "Requests"]

_COLLECTION = "weaver.requests"
_FIRST = 8888
#: Names of the nodes.
CREATE, APPROVE, ARCHIVE = "创建", "审批", "归档"


class Log(msgspec.Struct, gc=False):
    """One opinion: who (hrmresource.id), when (milliseconds since the epoch), what."""

    user: int
    at: int
    action: str
    remark: str = ""


class Request(msgspec.Struct):
    """One request; times in milliseconds since the epoch, 0 = not yet."""

    id: int
    workflow: int
    workflow_name: str
    name: str
    creator: int
    created: int
    values: dict[str, Any]
    details: dict[str, list[dict[str, Any]]]
    level: str = "0"
    #: When it reaches the approval node; 0 = it was not submitted and stays at the create node.
    moves: int = 0
    #: RUNNING, agree or refuse.
    state: str = "RUNNING"
    finished: int = 0
    logs: list[Log] = []

    def node(self, now: int) -> str:
        """Where it stands."""
        if self.state == "agree":
            return ARCHIVE
        return APPROVE if self.state == "RUNNING" and self.moves and self.moves <= now else CREATE

    def status(self, now: int) -> str:
        """The exit's name, as people see it."""
        if self.state != "RUNNING":
            return f"{APPROVE} 至 {self.node(now)}"
        return CREATE if self.node(now) == CREATE else f"{CREATE} 至 {APPROVE}"


class Requests:
    """All requests of the demo company.

    Nothing here knows an idempotency key: two identical starts make two requests, as in e-cology.

    :param workflows: by id; deleted ones are missing
    :param clock: seconds since the epoch
    :param delay: seconds until a submitted request reaches its next node
    """

    def __init__(
        self, storage: Storage, workflows: Mapping[int, Workflow], clock: Callable[[], float], delay: float
    ) -> None:
        self._storage = storage
        self._workflows = workflows
        self._clock = clock
        self._delay = delay
        stored = sorted(storage.load(_COLLECTION).items())
        self._all: dict[int, Request] = {number: msgspec.convert(value, Request) for number, value in stored}
        self._ids = itertools.count(max(self._all, default=_FIRST - 1) + 1)

    def __len__(self) -> int:
        return len(self._all)

    def newest_first(self) -> Iterator[Request]:
        """Every request, the newest first."""
        return reversed(self._all.values())

    def find(self, number: object) -> Request | None:
        """The request, or None."""
        text = str(number)
        return self._all.get(int(text)) if text.isascii() and text.isdecimal() else None

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock() * 1000)

    def start(
        self,
        user: int,
        *,
        workflow_id: str,
        name: str,
        main: Any,
        details: Any,
        level: str = "0",
        remark: str = "",
        submit: bool = False,
        delete_failed: bool = False,
    ) -> Request:
        """Follows "e-cology 9, 流程接口 doCreateRequest".

        :raises WeaverError: with the documented code; nothing was started, or it was deleted again, unless it could
            not be submitted and was to be kept
        """
        workflow = self._workflows.get(int(workflow_id)) if workflow_id.isascii() and workflow_id.isdecimal() else None
        if workflow is None:
            raise WeaverError("PARAM_ERROR", {"workflowId": workflow_id or "0"})
        if not name:
            raise WeaverError("PARAM_ERROR", {"requestName": "流程标题不能为空"})
        now = self.now()
        request = Request(
            id=next(self._ids),
            workflow=workflow.id,
            workflow_name=workflow.name,
            name=name,
            creator=user,
            created=now,
            values=workflow.check_main(main),
            details=workflow.check_details(details),
            level=level,
            moves=now + int(self._delay * 1000) if submit else 0,
            logs=[Log(user, now, "创建", remark)],
        )
        missing = workflow.missing(request.values, request.details) if submit else []
        if missing:
            error = WeaverError("SYSTEM_INNER_ERROR", {}, flow={"msgType": "REQUIRED_FIELD", "keyParameters": missing})
            if not delete_failed:
                request.moves = 0
                self._keep(request)
                error.body["data"] = {"requestid": request.id}
            raise error
        self._keep(request)
        return request

    def check_decision(self, request: Request, user: int) -> None:
        """:raises WeaverError: the request does not wait for this person"""
        workflow = self._workflows.get(request.workflow)
        approver = workflow.approver if workflow is not None else user
        if request.state != "RUNNING" or not request.moves or user != approver:
            raise WeaverError("NO_PERMISSION", {"isremark": 2}, flow={"msgType": "NO_REQUEST_SUBMIT_PERMISSION"})

    def decide(self, request: Request, user: int, *, agree: bool, remark: str = "") -> None:
        """The approver agrees, which archives it, or refuses, which sends it back to its creator.

        :raises WeaverError: the request does not wait for this person
        """
        self.check_decision(request, user)
        now = self.now()
        request.state, request.finished = "agree" if agree else "refuse", now
        request.logs.append(Log(user, now, "批准" if agree else "退回", remark))
        workflow = self._workflows.get(request.workflow)
        if workflow is not None and workflow.outcome_field:
            request.values[workflow.outcome_field] = "Y" if agree else "N"
        if workflow is not None and workflow.remark_field:
            request.values[workflow.remark_field] = remark
        self._keep(request)

    def reopen(self, request: Request) -> None:
        """An administrator's intervention (流程干预): an ended request stands at the approval node once more.

        Fields of the form keep what the first decision put there.

        :raises WeaverError: it has not ended
        """
        if request.state == "RUNNING":
            raise WeaverError("NO_PERMISSION", {"isremark": 2}, flow={"msgType": "NO_REQUEST_INTERVENOR_PERMISSION"})
        request.state, request.finished = "RUNNING", 0
        self._keep(request)

    def _keep(self, request: Request) -> None:
        self._all[request.id] = request
        self._storage.put(_COLLECTION, request.id, request)

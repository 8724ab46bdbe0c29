"""A Weaver e-cology 9 double: workflow requests and mode data over HTTP, with a node action that calls out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from starlette.routing import Route

from runtime.sandbox import demo
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver.api import weaver_routes
from runtime.sandbox.weaver.auth import Auth
from runtime.sandbox.weaver.mode import ModeEngine
from runtime.sandbox.weaver.outbound import NodeAction
from runtime.sandbox.weaver.requests import Request, Requests
from runtime.sandbox.weaver.workflows import Workflow, demo_workflows, parse_workflow

__all__ = ["WeaverSimulator"]

_WORKFLOWS = "weaver.workflows"


class WeaverSimulator:
    """The demo company's e-cology.

    :param clock: seconds since the epoch
    :param flow_delay: seconds until a submitted request reaches its next node; the call answers before that
    """

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time, flow_delay: float = 0.3) -> None:
        self._storage = storage
        self.clock = clock
        self.workflows = {code: parse_workflow(value) for code, value in storage.load(_WORKFLOWS).items()}
        self.auth = Auth(storage, clock)
        self.requests = Requests(storage, self.workflows, clock, flow_delay)
        self.mode = ModeEngine(storage, clock)
        self.node_action = NodeAction(storage, clock)
        #: How a new request is answered: ``code`` as a word or an object, the number inside ``data`` or beside it.
        self.answer_shape: Literal["word", "object", "top"] = "word"

    def routes(self) -> list[Route]:
        """The API, relative to the address of the OA server."""
        return weaver_routes(self)

    def seed(self) -> None:
        """Puts the demo workflows in place."""
        for workflow in demo_workflows():
            self.save_workflow(workflow)

    def save_workflow(self, workflow: Workflow) -> None:
        """Adds or replaces a workflow."""
        self.workflows[workflow.id] = workflow
        self._storage.put(_WORKFLOWS, workflow.id, workflow)

    def delete_workflow(self, number: int) -> bool:
        """Deletes a workflow; its requests stay. False if there is none."""
        self._storage.delete(_WORKFLOWS, number)
        return self.workflows.pop(number, None) is not None

    async def decide(self, request: Request, *, agree: bool, remark: str = "", user: int | None = None) -> None:
        """The approver's answer, and the node action that goes with it.

        :raises WeaverError: the request does not wait for this person
        :raises NodeActionFailed: the action is set to hold up the approval, and the address did not take it
        """
        approver = demo.WEAVER_APPROVER if user is None else user
        self.requests.check_decision(request, approver)
        if self.node_action.settings.blocking:
            await self.node_action.send(request, agree=agree, approver=approver, remark=remark, must_arrive=True)
        self.requests.decide(request, approver, agree=agree, remark=remark)
        if not self.node_action.settings.blocking:
            await self.node_action.send(request, agree=agree, approver=approver, remark=remark)

    def describe(self, request: Request) -> list[tuple[str, Any]]:
        """The filled form as people read it: (label, text) of the main table, (label, rows) of each detail."""
        workflow = self.workflows.get(request.workflow)
        return workflow.readable(request.values, request.details) if workflow is not None else []

"""A DingTalk double: OA approval over HTTP, with event push by HTTP or by stream, for one demo company."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from runtime.sandbox.dingtalk.api import dingtalk_routes
from runtime.sandbox.dingtalk.directory import directory_routes
from runtime.sandbox.dingtalk.drive import Drive
from runtime.sandbox.dingtalk.drive_api import drive_routes
from runtime.sandbox.dingtalk.errors import fault_answer
from runtime.sandbox.dingtalk.events import event_of
from runtime.sandbox.dingtalk.forms import Form, demo_forms, parse_form
from runtime.sandbox.dingtalk.gateway import Gateway
from runtime.sandbox.dingtalk.instances import Instance, Instances
from runtime.sandbox.dingtalk.push import DingTalkPush
from runtime.sandbox.dingtalk.tokens import DingTalkTokens
from runtime.sandbox.dingtalk.view import shown_fields
from runtime.sandbox.faults import ErrorKind
from runtime.sandbox.oa.approvals import Task
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.oa.view import ShownField
from runtime.sandbox.storage import Storage

__all__ = ["DingTalkSimulator"]


class DingTalkSimulator(OaSimulator[Form, Instance]):
    """The demo company's DingTalk.

    :param clock: seconds since the epoch
    :param terminate_after: seconds after the start during which the API refuses to terminate
        ("DingTalk open platform, 撤销审批实例": 15)
    """

    system: ClassVar[str] = "dingtalk"
    title_zh: ClassVar[str] = "钉钉"
    title_en: ClassVar[str] = "DingTalk"
    id_names: ClassVar[tuple[str, str]] = ("instanceId", "processCode")

    def __init__(
        self, storage: Storage, *, clock: Callable[[], float] = time.time, terminate_after: float = 15.0
    ) -> None:
        super().__init__(storage, Form, clock)
        self.terminate_after = terminate_after
        self.tokens: DingTalkTokens = DingTalkTokens(storage, clock)
        self.gateway = Gateway(self.tokens, clock)
        self.push: DingTalkPush = DingTalkPush(storage, clock, self.gateway)
        self.drive = Drive(storage)
        self.instances: Instances = Instances(storage, self.forms, clock, self._on_change)

    def routes(self) -> list[BaseRoute]:
        """The API, relative to the address that stands for ``api.dingtalk.com`` and ``oapi.dingtalk.com``."""
        return [*dingtalk_routes(self), *directory_routes(self), *drive_routes(self), *self.gateway.routes()]

    def demo_forms(self) -> Sequence[Form]:
        """See :func:`runtime.sandbox.dingtalk.forms.demo_forms`."""
        return demo_forms()

    def parse_form(self, document: Any) -> Form:
        """See :func:`runtime.sandbox.dingtalk.forms.parse_form`."""
        return parse_form(document)

    def shown_fields(self, instance: Instance) -> list[ShownField]:
        """See :func:`runtime.sandbox.dingtalk.view.shown_fields`."""
        return shown_fields(instance, self.forms.get(instance.process_code))

    def fault_answer(self, kind: ErrorKind, path: str) -> Response:
        """See :func:`runtime.sandbox.dingtalk.errors.fault_answer`."""
        return fault_answer(kind, path)

    def _on_change(self, instance: Instance, kind: str, change: str, task: Task | None) -> None:
        if change != "comment":
            self.push.notify(event_of(instance, kind, change, task, int(self.clock() * 1000)))

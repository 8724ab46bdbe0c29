"""A DingTalk double: OA approval over HTTP, with event push by HTTP or by stream, for one demo company."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.routing import BaseRoute

from runtime.sandbox.dingtalk.api import dingtalk_routes
from runtime.sandbox.dingtalk.directory import directory_routes
from runtime.sandbox.dingtalk.drive import Drive
from runtime.sandbox.dingtalk.drive_api import drive_routes
from runtime.sandbox.dingtalk.events import event_of
from runtime.sandbox.dingtalk.forms import Form, demo_forms, parse_form
from runtime.sandbox.dingtalk.gateway import Gateway
from runtime.sandbox.dingtalk.instances import Instance, Instances, Task
from runtime.sandbox.dingtalk.push import EventPush
from runtime.sandbox.dingtalk.tokens import Tokens
from runtime.sandbox.storage import Storage

__all__ = ["DingTalkSimulator"]

_FORMS = "dingtalk.forms"


class DingTalkSimulator:
    """The demo company's DingTalk.

    :param clock: seconds since the epoch
    :param terminate_after: seconds after the start during which the API refuses to terminate
        ("DingTalk open platform, 撤销审批实例": 15)
    """

    def __init__(
        self, storage: Storage, *, clock: Callable[[], float] = time.time, terminate_after: float = 15.0
    ) -> None:
        self._storage = storage
        self.clock = clock
        self.terminate_after = terminate_after
        self.forms = {code: msgspec.convert(value, Form) for code, value in storage.load(_FORMS).items()}
        self.tokens = Tokens(storage, clock)
        self.gateway = Gateway(clock)
        self.push = EventPush(storage, clock, self.gateway)
        self.drive = Drive(storage)
        self.instances = Instances(storage, self.forms, clock, self._on_change)

    def routes(self) -> list[BaseRoute]:
        """The API, relative to the address that stands for ``api.dingtalk.com`` and ``oapi.dingtalk.com``."""
        return [*dingtalk_routes(self), *directory_routes(self), *drive_routes(self), *self.gateway.routes()]

    def seed(self) -> None:
        """Puts the demo forms in place."""
        for form in demo_forms():
            self._keep_form(form)

    def save_form(self, document: Any) -> Form:
        """Adds or replaces a form.

        :raises ValueError: the document is not a form
        """
        form = msgspec.structs.replace(parse_form(document), modified=int(self.clock() * 1000))
        self._keep_form(form)
        return form

    def delete_form(self, code: str) -> bool:
        """Deletes a form; its instances stay. False if there is none."""
        self._storage.delete(_FORMS, code)
        return self.forms.pop(code, None) is not None

    def _keep_form(self, form: Form) -> None:
        self.forms[form.code] = form
        self._storage.put(_FORMS, form.code, form)

    def _on_change(self, instance: Instance, kind: str, change: str, task: Task | None) -> None:
        if self.push.subscription.wanted:
            self.push.notify(event_of(instance, kind, change, task, int(self.clock() * 1000)))

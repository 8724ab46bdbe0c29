"""A WeCom double: approval over HTTP, with encrypted event push, for one demo company."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from runtime.sandbox import demo
from runtime.sandbox.faults import ErrorKind
from runtime.sandbox.oa.approvals import Task
from runtime.sandbox.oa.simulator import OaSimulator
from runtime.sandbox.oa.tokens import Tokens
from runtime.sandbox.oa.view import ShownField
from runtime.sandbox.storage import Storage
from runtime.sandbox.wecom.api import wecom_routes
from runtime.sandbox.wecom.errors import fault_answer
from runtime.sandbox.wecom.events import change_of, event_of
from runtime.sandbox.wecom.forms import Form, demo_forms, parse_form
from runtime.sandbox.wecom.instances import Instance, Instances
from runtime.sandbox.wecom.push import WeComPush
from runtime.sandbox.wecom.view import shown_fields

__all__ = ["WeComSimulator"]

_MEDIA = "wecom.media"


class WeComSimulator(OaSimulator[Form, Instance]):
    """The demo company's WeCom.

    :param clock: seconds since the epoch
    """

    system: ClassVar[str] = "wecom"
    title_zh: ClassVar[str] = "企业微信"
    title_en: ClassVar[str] = "WeCom"
    id_names: ClassVar[tuple[str, str]] = ("sp_no", "template_id")

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(storage, Form, clock)
        self.tokens = Tokens(storage, self.system, (demo.WECOM_CORP_ID, demo.WECOM_SECRET), clock, renew=False)
        self.push: WeComPush = WeComPush(storage, clock)
        self._media: dict[str, str] = storage.load(_MEDIA)
        self.instances: Instances = Instances(storage, self.forms, self._media, clock, self._on_change)

    def routes(self) -> list[BaseRoute]:
        """The API, relative to the address that stands for ``qyapi.weixin.qq.com``."""
        return [*wecom_routes(self)]

    def demo_forms(self) -> Sequence[Form]:
        """See :func:`runtime.sandbox.wecom.forms.demo_forms`."""
        return demo_forms()

    def parse_form(self, document: Any) -> Form:
        """See :func:`runtime.sandbox.wecom.forms.parse_form`."""
        return parse_form(document)

    def shown_fields(self, instance: Instance) -> list[ShownField]:
        """See :func:`runtime.sandbox.wecom.view.shown_fields`."""
        return shown_fields(instance)

    def fault_answer(self, kind: ErrorKind, path: str) -> Response:
        """See :func:`runtime.sandbox.wecom.errors.fault_answer`."""
        return fault_answer(kind, path)

    def keep_media(self, media_id: str, name: str) -> None:
        """Remembers an uploaded file; its bytes are of no use here."""
        self._media[media_id] = name
        self._storage.put(_MEDIA, media_id, name)

    def _on_change(self, instance: Instance, kind: str, change: str, task: Task | None) -> None:
        number = change_of(kind, change, task)
        if number:
            self.push.notify(instance.id, number, event_of(instance, number, int(self.clock())))

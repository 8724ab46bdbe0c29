"""The node action: what e-cology posts to a configured address when an approval is given or refused.

There is no fixed format: the body is a template, as in the OA's 接口外发. Nothing is repeated unless it is told to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver.requests import Request

__all__ = ["NodeAction", "NodeActionFailed", "NodeActionSettings", "Sending"]

_SETTINGS, _LOG = "weaver.node-action", "weaver.sendings"
_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
_WORDS = ("requestid", "status", "approver", "remark", "time")


class NodeActionFailed(Exception):
    """The address did not take what was posted; the text says how."""


class NodeActionSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where the action posts to, and what."""

    #: Empty = no action.
    url: str = ""
    #: Sent as ``X-Apig-AppCode``.
    app_code: str = ""
    #: Text values hold ``{requestid}``, ``{status}`` (Y or N), ``{approver}``, ``{remark}`` or ``{time}``.
    template: dict[str, Any] = msgspec.field(default_factory=lambda: {word: f"{{{word}}}" for word in _WORDS})
    #: Field of the answer, and its value, that mean "taken"; empty = HTTP 2xx is enough.
    answer_field: str = "flag"
    answer_value: str = "Y"
    #: The approval waits for the action, and does not go on if it fails (a 节点前 or 出口 action).
    blocking: bool = False
    #: Repeats of an action that failed.
    retries: int = 0
    timeout_s: float = 10.0
    #: Nothing is sent, as if the action had been forgotten.
    drop: bool = False


class Sending(msgspec.Struct):
    """One body that was posted, and what came back."""

    id: int
    request: int
    at: int
    body: Any
    status: int = 0
    answer: str = ""
    #: What was wrong; empty = taken.
    problem: str = ""
    tries: int = 0


class NodeAction:
    """Posts verdicts, and keeps a log of them.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock
        stored = storage.load(_SETTINGS).get("current")
        self.settings = msgspec.convert(stored, NodeActionSettings) if stored else NodeActionSettings()
        sendings = (msgspec.convert(value, Sending) for value in storage.load(_LOG).values())
        self._log = {sending.id: sending for sending in sorted(sendings, key=lambda sending: sending.id)}

    def log(self, request: int | None = None) -> Iterator[Sending]:
        """What was posted, oldest first, about one request or all."""
        return (sending for sending in self._log.values() if request in (None, sending.request))

    def configure(self, changes: dict[str, Any]) -> NodeActionSettings:
        """Changes settings.

        :raises ValueError: unknown setting or wrong type
        """
        current = msgspec.to_builtins(self.settings)
        self.settings = msgspec.convert({**current, **changes}, NodeActionSettings)
        self._storage.put(_SETTINGS, "current", self.settings)
        return self.settings

    async def send(
        self, request: Request, *, agree: bool, approver: int, remark: str, must_arrive: bool = False
    ) -> Sending | None:
        """Post a verdict; None where no address is set.

        :raises NodeActionFailed: with ``must_arrive``, the address did not take it
        """
        if not self.settings.url or self.settings.drop:
            return None
        now = self._clock()
        words = {
            "requestid": str(request.id),
            "status": "Y" if agree else "N",
            "approver": demo.WEAVER_USERS.get(approver, str(approver)),
            "remark": remark,
            "time": f"{datetime.fromtimestamp(now, _ZONE):%Y-%m-%d %H:%M:%S}",
        }
        body = _filled(self.settings.template, words)
        sending = Sending(max(self._log, default=0) + 1, request.id, int(now * 1000), body)
        self._log[sending.id] = sending
        await self.repeat(sending)
        if must_arrive and sending.problem:
            raise NodeActionFailed(sending.problem)
        return sending

    async def repeat(self, sending: Sending) -> Sending:
        """Post a body (once more), as often as the settings say."""
        for _ in range(self.settings.retries + 1):
            sending.tries += 1
            sending.problem = await self._post(sending)
            if not sending.problem:
                break
        self._storage.put(_LOG, sending.id, sending)
        return sending

    async def _post(self, sending: Sending) -> str:
        settings = self.settings
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        if settings.app_code:
            headers["X-Apig-AppCode"] = settings.app_code
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=settings.timeout_s)) as session,
                session.post(settings.url, data=jsontext.dumps(sending.body), headers=headers) as response,
            ):
                sending.status, content = response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            sending.status, sending.answer = 0, ""
            return f"调用失败 the call failed: {type(error).__name__} {error}"[:300]
        sending.answer = content[:2000].decode(errors="replace")
        if not 200 <= sending.status < 300:
            return f"HTTP {sending.status}"
        if not settings.answer_field:
            return ""
        try:
            answer = jsontext.loads(content)
        except ValueError:
            return "返回不是 JSON the answer is not JSON"
        said = answer.get(settings.answer_field) if isinstance(answer, dict) else None
        return "" if str(said) == settings.answer_value else f"{settings.answer_field} = {said}"


def _filled(template: Any, words: dict[str, str]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, words) for value in template]
    if not isinstance(template, str):
        return template
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", word)
    return template

"""DingTalk's event subscription: sealed pushes that want an encrypted ``success``, and the list of those that failed.

Follows "DingTalk open platform, 事件订阅 - HTTP 推送" and "Stream 模式推送" (see ``gateway.py``). DingTalk documents no
schedule for repeats; the one here is the sandbox's own and can be changed or switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import BadEnvelope, Envelope
from runtime.sandbox.dingtalk.events import INSTANCE_CHANGE
from runtime.sandbox.dingtalk.gateway import Gateway
from runtime.sandbox.oa.push import CallbackProblem, EventPush, Push, Subscription
from runtime.sandbox.storage import Storage

__all__ = ["DingTalkPush"]

#: DingTalk's own sentence.
_WRONG_FIELDS = "HTTP请求结果校验返回字段值失败"
_FAILED_PAGE = 200


class _Subscription(Subscription, kw_only=True, forbid_unknown_fields=True):
    #: Whether events are posted to the address, or sent over the app's stream connections.
    mode: Literal["http", "stream"] = "http"
    #: Event types subscribed to.
    events: tuple[str, ...] = (INSTANCE_CHANGE,)

    @property
    def wanted(self) -> bool:
        """Whether somebody subscribed."""
        return self.mode == "stream" or bool(self.url)


class _Push(Push):
    #: Times that the failed list has met it: 1 = handed out, 2 = cleared from the list.
    listed: int = 0


class DingTalkPush(EventPush[_Subscription, _Push]):
    """Delivers DingTalk's events.

    :param clock: seconds since the epoch
    :param gateway: sends the events of Stream mode
    """

    def __init__(self, storage: Storage, clock: Callable[[], float], gateway: Gateway) -> None:
        super().__init__(storage, "dingtalk", _Subscription(), _Push, clock)
        self._gateway = gateway
        self._envelope = Envelope(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)

    def configure(self, changes: Mapping[str, Any]) -> _Subscription:
        """Changes settings other than the address; what waits goes the new way."""
        before = self.subscription.mode
        changed = super().configure(changes)
        if changed.mode != before:
            self._resume()
        return changed

    def notify(self, event: Mapping[str, Any]) -> None:
        """Takes an event for delivery, if somebody subscribed to its type."""
        if event["EventType"] in self.subscription.events:
            self.add(
                _Push(
                    id=event["eventId"],
                    tag=event["EventType"],
                    change=event["type"],
                    instance_id=event["processInstanceId"],
                    born=event["EventTime"],
                    payload=jsontext.dumps(event).decode(),
                )
            )

    def failed_result(self) -> dict[str, Any]:
        """Up to 200 failed events; the next call clears what this one gave.

        Follows "DingTalk open platform, 获取推送失败的事件列表".
        """
        failed = [push for push in self.log() if push.state == "failed" and push.listed < 2]
        waiting = [push for push in failed if push.listed == 0]
        page = waiting[:_FAILED_PAGE]
        for push in [push for push in failed if push.listed == 1] + page:
            push.listed += 1
            self._keep(push)
        return {
            "errcode": 0,
            "errmsg": "ok",
            "has_more": len(waiting) > len(page),
            "failed_list": [
                {
                    "event_time": push.born,
                    "call_back_tag": push.tag,
                    "corpid": demo.DINGTALK_CORP_ID,
                    push.tag: jsontext.loads(push.payload),
                }
                for push in page
            ],
        }

    def redeliver(self, push: _Push) -> None:
        """Pushes an event once more; if it fails again, the failed list meets it anew."""
        push.listed = 0
        super().redeliver(push)

    async def _send(self, subscription: _Subscription, push: _Push) -> None:
        if subscription.mode == "stream":
            await self._gateway.deliver(jsontext.loads(push.payload), subscription.judge_ms)
        else:
            await super()._send(subscription, push)

    async def _deliver(self, url: str, message: bytes, judge_ms: int) -> None:
        query, body = self._envelope.seal(message)
        answer = await self._exchange(
            "POST",
            url,
            judge_ms,
            params=query,
            data=jsontext.dumps(body),
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        try:
            opened = self._envelope.open_answer(jsontext.loads(answer))
        except (BadEnvelope, ValueError, RecursionError) as error:
            raise CallbackProblem(f"{_WRONG_FIELDS}: {error}"[:300]) from error
        if opened != b"success":
            raise CallbackProblem(f"{_WRONG_FIELDS}: the answer does not say success")

    async def _check(self, url: str) -> None:
        await self._deliver(url, b'{"EventType":"check_url"}', self.subscription.judge_ms)

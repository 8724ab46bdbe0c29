"""WeCom's event pushes: encrypted XML that wants HTTP 200, three tries in all.

Follows "WeCom developer centre, 回调配置".
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable

from runtime.sandbox import demo
from runtime.sandbox.oa.envelope import AesEnvelope
from runtime.sandbox.oa.push import CallbackProblem, EventPush, Push, Subscription
from runtime.sandbox.storage import Storage

__all__ = ["WeComPush"]

#: WeCom hangs up after five seconds.
_JUDGE_MS = 5000
#: Seconds before the second and the third try.
_BACKOFF = (1.0, 1.0)
_EVENT = "sys_approval_change"


class WeComPush(EventPush[Subscription, Push]):
    """Delivers WeCom's events.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        super().__init__(storage, "wecom", Subscription(judge_ms=_JUDGE_MS, backoff=_BACKOFF), Push, clock)
        self._envelope = AesEnvelope(demo.WECOM_TOKEN, demo.WECOM_AES_KEY, demo.WECOM_CORP_ID)

    def notify(self, instance_id: str, change: int, message: str) -> None:
        """Takes an event for delivery.

        :param change: ``StatuChangeEvent``
        :param message: the XML
        """
        push = Push(
            id=uuid.uuid4().hex,
            tag=_EVENT,
            change=str(change),
            instance_id=instance_id,
            born=int(self._clock() * 1000),
            payload=message,
        )
        self.add(push)

    async def _deliver(self, url: str, message: bytes, judge_ms: int) -> None:
        encrypted = self._envelope.encrypt(message)
        body = (
            f"<xml><ToUserName><![CDATA[{demo.WECOM_CORP_ID}]]></ToUserName>"
            f"<AgentID><![CDATA[{demo.WECOM_AGENT_ID}]]></AgentID><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        )
        await self._exchange(
            "POST",
            url,
            judge_ms,
            params=self._query(encrypted),
            data=body.encode(),
            headers={"Content-Type": "text/xml; charset=utf-8"},
        )

    async def _check(self, url: str) -> None:
        echo = str(secrets.randbelow(10**19))
        encrypted = self._envelope.encrypt(echo.encode())
        query = {**self._query(encrypted), "echostr": encrypted}
        answer = await self._exchange("GET", url, self.subscription.judge_ms, params=query)
        if answer != echo.encode():
            raise CallbackProblem("echostr 校验失败，请检查返回内容 the answer is not the decrypted echostr")

    def _query(self, encrypted: str) -> dict[str, str]:
        timestamp, nonce = str(int(time.time())), secrets.token_hex(5)
        return {
            "msg_signature": self._envelope.sign(timestamp, nonce, encrypted),
            "timestamp": timestamp,
            "nonce": nonce,
        }

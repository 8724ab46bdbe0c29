"""Group robots of DingTalk and WeCom: one text message to a webhook.

DingTalk open platform, 自定义机器人接入 and 加签; WeCom developer centre, 群机器人配置说明.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import aiohttp
from yarl import URL

from runtime import jsontext
from runtime.config import Settings
from runtime.errors import CannotStart, IntegrationError, RemoteRefused, Throttled, Unreachable

__all__ = ["Robot", "open_robot"]

_TIME_LIMIT = aiohttp.ClientTimeout(total=10)
#: Hosts whose robots are known.
_HOSTS = {"dingtalk.com": "dingtalk", "weixin.qq.com": "wecom"}
#: "Too many messages" of DingTalk and of WeCom.
_TOO_MANY = (130101, 45009)


class Robot:
    """Sends texts. The address is a credential: it never stands in an error.

    :param secret: signing secret of a DingTalk robot; empty = it does not sign
    """

    def __init__(self, url: str, *, kind: str, secret: str) -> None:
        self._url = URL(url)
        self._kind = kind
        self._secret = secret

    async def send(self, text: str) -> None:
        """Send one message.

        :raises Unreachable: the robot's server does not answer
        :raises Throttled: too many messages
        :raises RemoteRefused: it does not want the message
        """
        body = {"msgtype": "text", "text": {"content": text}}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIME_LIMIT) as session,
                session.post(self._address(), json=body, allow_redirects=False) as response,
            ):
                answer = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Its text names the address.
            raise Unreachable(
                "告警机器人没有应答",
                "The alert robot does not answer",
                where="B1_ALERT_URL",
                remote=type(error).__name__,
            ) from None
        _check(status, answer)

    def _address(self) -> URL:
        if self._kind != "dingtalk" or not self._secret:
            return self._url
        timestamp = str(round(time.time() * 1000))
        digest = hmac.new(self._secret.encode(), f"{timestamp}\n{self._secret}".encode(), hashlib.sha256).digest()
        return self._url.update_query(timestamp=timestamp, sign=base64.b64encode(digest).decode())


def open_robot(settings: Settings) -> Robot | None:
    """The robot of the settings; None where nobody is to be told.

    :raises CannotStart: the address is none, or does not tell which kind of robot it is
    """
    text = settings.alert_url.get_secret_value().strip()
    if not text:
        return None
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise CannotStart(
            "告警地址应以 http:// 或 https:// 开头", "The alert address starts with http:// or https://",
            where="B1_ALERT_URL",
        )  # fmt: skip
    kind: str = settings.alert_kind or next((known for name, known in _HOSTS.items() if url.host.endswith(name)), "")
    if not kind:
        raise CannotStart(
            "从告警地址看不出机器人的种类，请设 B1_ALERT_KIND 为 dingtalk 或 wecom",
            "The alert address does not tell the kind of robot: set B1_ALERT_KIND to dingtalk or wecom",
            where="B1_ALERT_URL",
        )
    return Robot(text, kind=kind, secret=settings.alert_secret.get_secret_value())


def _check(status: int, content: bytes) -> None:
    try:
        answer = jsontext.loads(content)
    except ValueError:
        answer = None
    said: dict[str, Any] = answer if isinstance(answer, dict) else {}
    code = said.get("errcode", status)
    if status == 200 and code == 0:
        return
    kind: type[IntegrationError] = Throttled if status == 429 or code in _TOO_MANY else RemoteRefused
    raise kind(
        "告警机器人拒绝了消息",
        "The alert robot refused the message",
        where="B1_ALERT_URL",
        code=str(code),
        remote=str(said.get("errmsg", ""))[:200],
    )

"""Access tokens: one per app, the same within its life, renewed by every further request for it."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.storage import Storage

__all__ = ["TOKEN_SECONDS", "Tokens", "check_app"]

#: "DingTalk open platform, 获取企业内部应用的 accessToken": 7200 seconds.
TOKEN_SECONDS = 7200
_COLLECTION = "dingtalk.tokens"


def check_app(app_key: object, app_secret: object) -> None:
    """Let the demo app in.

    :raises DingTalkError: ``invalidClientIdOrSecret``
    """
    if not (_same(app_key, demo.DINGTALK_APP_KEY) and _same(app_secret, demo.DINGTALK_APP_SECRET)):
        raise DingTalkError("invalidClientIdOrSecret", "无效的clientId或者clientSecret")


class Tokens:
    """Issues and checks the demo app's token; the legacy call and the new one share it.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        self._live = {token: float(ends) for token, ends in storage.load(_COLLECTION).items()}

    def issue(self, app_key: object, app_secret: object) -> str:
        """The live token with its life renewed, or a new one.

        :raises DingTalkError: ``invalidClientIdOrSecret``
        """
        check_app(app_key, app_secret)
        now = self._clock()
        token = next((token for token, ends in self._live.items() if ends > now), None)
        if token is None:
            self.expire()
            token = secrets.token_hex(16)
        self._live[token] = now + TOKEN_SECONDS
        self._storage.put(_COLLECTION, token, self._live[token])
        return token

    def valid(self, token: str | None) -> bool:
        """Whether calls may carry this token."""
        return token is not None and self._live.get(token, 0.0) > self._clock()

    def expire(self) -> None:
        """Every token ends now."""
        for token in self._live:
            self._storage.delete(_COLLECTION, token)
        self._live.clear()


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())

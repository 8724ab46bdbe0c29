"""Access tokens: one per app, the same within its life, renewed by every further request for it."""

from __future__ import annotations

from collections.abc import Callable

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.oa.tokens import Tokens
from runtime.sandbox.storage import Storage

__all__ = ["DingTalkTokens"]


class DingTalkTokens(Tokens):
    """Issues and checks the demo app's token; the legacy call and the new one share it.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        app = (demo.DINGTALK_APP_KEY, demo.DINGTALK_APP_SECRET)
        super().__init__(storage, "dingtalk", app, clock, renew=True)

    def check_app(self, app_key: object, app_secret: object) -> None:
        """Let the demo app in.

        :raises DingTalkError: ``invalidClientIdOrSecret``
        """
        if not self.knows(app_key, app_secret):
            raise DingTalkError("invalidClientIdOrSecret", "无效的clientId或者clientSecret")

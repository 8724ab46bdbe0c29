"""Access tokens: one per app, the same within its life."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from runtime.sandbox.storage import Storage

__all__ = ["TOKEN_SECONDS", "Tokens"]

#: Both platforms let a token live for 7200 seconds.
TOKEN_SECONDS = 7200


class Tokens:
    """Issues and checks the demo app's token.

    :param system: the platform's name
    :param app: name of the app (AppKey, CorpID) and its secret
    :param renew: a further request for the token begins its life anew
    :param clock: seconds since the epoch
    """

    def __init__(
        self, storage: Storage, system: str, app: tuple[str, str], clock: Callable[[], float], *, renew: bool
    ) -> None:
        self._storage = storage
        self._collection = f"{system}.tokens"
        self._app = app
        self._clock = clock
        self._renew = renew
        self._live = {token: float(ends) for token, ends in storage.load(self._collection).items()}

    def knows(self, *credentials: object) -> bool:
        """Whether these are the app's name and secret (or as many of them as are given)."""
        return all(_same(given, expected) for given, expected in zip(credentials, self._app, strict=False))

    def issue(self) -> tuple[str, int]:
        """The live token or a new one, and how many seconds it lives."""
        now = self._clock()
        token = next((token for token, ends in self._live.items() if ends > now), None)
        if token is None:
            self.expire()
            token = secrets.token_hex(16)
        if self._renew or token not in self._live:
            self._live[token] = now + TOKEN_SECONDS
            self._storage.put(self._collection, token, self._live[token])
        return token, round(self._live[token] - now)

    def valid(self, token: str | None) -> bool:
        """Whether calls may carry this token."""
        return token is not None and self._live.get(token, 0.0) > self._clock()

    def expire(self) -> None:
        """Every token ends now."""
        for token in self._live:
            self._storage.delete(self._collection, token)
        self._live.clear()


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())

"""An access token that is fetched once, shared by all calls of a connection, and renewed when it is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from runtime.errors import LoginRefused

__all__ = ["AccessToken", "TokenRefused"]

T = TypeVar("T")

#: A token is renewed this many seconds before it expires.
_EARLY = 300.0


class TokenRefused(LoginRefused):
    """The token is unknown or has expired: the request was not processed."""


class AccessToken:
    """The token of one application.

    :param fetch: asks for a token; returns it with its lifetime in seconds
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]]) -> None:
        self._fetch = fetch
        self._fetching: asyncio.Task[str] | None = None
        self._token = ""
        self._expires = 0.0

    async def get(self) -> str:
        """The token: cached until shortly before it expires; callers that need one together share one fetch.

        :raises LoginRefused: the credentials are wrong
        """
        if self._token and time.monotonic() < self._expires:
            return self._token
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._renew())
            # a failure that nobody waits for any more is no news
            self._fetching.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._fetching)

    async def using(self, attempt: Callable[[str], Awaitable[T]]) -> T:
        """What ``attempt`` returns for the token; where it raises :class:`TokenRefused`, once more with a new one."""
        token = await self.get()
        try:
            return await attempt(token)
        except TokenRefused:
            if self._token == token:
                self._token = ""
            return await attempt(await self.get())

    async def aclose(self) -> None:
        """Give up a fetch that is under way; tokens simply expire."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _renew(self) -> str:
        self._token, lifetime = await self._fetch()
        self._expires = time.monotonic() + max(lifetime - _EARLY, lifetime / 2)
        return self._token

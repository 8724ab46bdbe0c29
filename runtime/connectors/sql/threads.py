"""Work of a driver that blocks, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

__all__ = ["Job"]

T = TypeVar("T")


class Job(Generic[T]):
    """One piece of work in a daemon thread: a driver that never returns holds up neither the loop nor the exit."""

    def __init__(self, work: Callable[[], T], *, name: str) -> None:
        #: Set once nobody waits any more: the work ends as soon as it can and its result is dropped.
        self.given_up = False
        self.finished = False
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T] = self._loop.create_future()
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def result(self) -> T:
        """Start, and wait for the result; raises what the work raises."""
        self._thread.start()
        return await self._future

    def _run(self) -> None:
        try:
            value = self._work()
        except BaseException as error:
            self._tell(partial(self._future.set_exception, error))
        else:
            self._tell(partial(self._future.set_result, value))

    def _tell(self, settle: Callable[[], None]) -> None:
        self.finished = True

        def settle_once() -> None:
            if not self._future.done():
                settle()

        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(settle_once)

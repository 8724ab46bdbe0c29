"""A process that may die at a commit, for the state machines."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Death", "MortalDatabase", "end_others"]


class Death(BaseException):
    """The process is gone: nothing that follows is carried out."""


class MortalDatabase:
    """The database as a process sees it that dies before or after its n-th write.

    :param writes: after how many writes; None = it lives
    :param moment: ``before`` or ``after`` the commit of the last one
    """

    def __init__(self, real: Any, writes: int | None = None, moment: str = "before") -> None:
        self.real = real
        self.dead = False
        self._left = writes
        self._moment = moment

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def awrite(self, work: Any) -> Any:
        return await self.begin_write(work)

    def begin_write(self, work: Any) -> Any:
        last = False
        if self._left is not None:
            self._left -= 1
            last = self._left < 0
        if self.dead or (last and self._moment == "before"):
            self.dead = True
            raise Death
        written = self.real.begin_write(work)
        if not last:
            return written
        self.dead = True

        async def die() -> Any:
            await written
            raise Death

        return asyncio.ensure_future(die())


async def end_others() -> None:
    """With a process end all of its tasks: of this one only what called here goes on."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

"""Events whose state is in doubt, because the database did not answer a write, are taken up again: all of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runtime.connectors.events import Event
from runtime.errors import RetryLater
from runtime.service.inbox import InboxWorkers
from runtime.store.database import Database
from runtime.store.inbox import insert_event, list_events


def double(**parts: Any) -> Any:
    """Stands for a part of the service that is not looked at."""
    return SimpleNamespace(**parts)


class Lossy:
    """The database, of which some writes are committed or lost without an answer.

    :param lost: how many times the end of an event is lost
    """

    def __init__(self, real: Database, lost: int) -> None:
        self.real = real
        self.left = lost
        self.all_lost = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def awrite(self, work: Any) -> Any:
        if "_unclaimed" in getattr(work, "__qualname__", "") and self.left:
            if self.left == 1:
                # The last one is lost while the others' state is being looked at.
                await self.looking.wait()
            self.left -= 1
            self.all_lost.set() if not self.left else None
            raise RetryLater("没有答复", "No answer")
        result = await self.real.awrite(work)
        if "_release_others" in repr(work):
            self.looking.set()
            await self.all_lost.wait()
            await asyncio.sleep(0.05)
        return result

    looking: asyncio.Event


async def test_an_event_that_comes_into_doubt_during_a_look_is_found_by_the_next(tmp_path: Path) -> None:
    real = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    database: Any = Lossy(real, lost=2)
    database.looking = asyncio.Event()
    for key in ("a", "b"):
        event = Event(key=key, type="approval.finished", instance_id=key, form="F")
        await real.awrite(lambda connection, event=event: insert_event(connection, "oa", event))
    tasks = set()

    def spawn(work: Any, name: str) -> None:
        tasks.add(asyncio.create_task(work, name=name))

    workers: Any = InboxWorkers(
        database=database,
        router=double(flows_for=lambda *_, **__: [], reason_to_wait=lambda *_, **__: None),
        dispatcher=double(spawn=spawn),
        reports=double(ended=lambda *_: None),
        metrics=double(inbox=double(set=lambda _: None)),
        troubles=double(),
    )
    running = asyncio.create_task(workers.run())
    try:
        async with asyncio.timeout(10):
            while {event.state for event in real.read(list_events)} != {"done"}:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await asyncio.gather(*tasks)
        real.close()


async def test_workers_that_are_woken_while_they_are_stopped_stop(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    nothing: Any = double(inbox=double(set=lambda _: None))
    workers = InboxWorkers(
        database=database, router=nothing, dispatcher=nothing, reports=nothing, metrics=nothing, troubles=nothing
    )
    running = asyncio.create_task(workers.run())
    await asyncio.sleep(0.3)
    workers.wake()
    running.cancel()
    await asyncio.wait({running}, timeout=5)
    stopped = running.cancelled()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    database.close()
    assert stopped

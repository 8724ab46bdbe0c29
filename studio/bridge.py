"""Asynchronous work for Streamlit's synchronous scripts: one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Bridge"]

T = TypeVar("T")
P = TypeVar("P")


class Bridge:
    """Runs coroutines of all sessions on one loop, so that they share the connectors' sessions and tokens."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="studio-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end and return the result; whatever it raises is raised here. Call it from a script's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def follow(self, start: Callable[[Callable[[P], None]], Coroutine[Any, Any, T]], show: Callable[[P], None]) -> T:
        """Like :meth:`run` for work that reports progress.

        :param start: makes the coroutine; gets a function that takes one report and may be called on the loop
        :param show: called with each report in the calling thread, where Streamlit may be used
        """
        reports: queue.SimpleQueue[P | None] = queue.SimpleQueue()
        future = asyncio.run_coroutine_threadsafe(start(reports.put), self._loop)
        future.add_done_callback(lambda _: reports.put(None))
        try:
            while (report := reports.get()) is not None:
                show(report)
        finally:
            if not future.done():
                future.cancel()
        return future.result()

    def close(self) -> None:
        """Stop the loop; work that still runs is cancelled."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

"""Coroutines run on one loop, raise where they were called, and report progress to the caller's thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from runtime.errors import Unreachable
from studio.bridge import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    bridge = Bridge()
    yield bridge
    bridge.close()


def test_all_callers_share_one_loop(bridge: Bridge) -> None:
    async def loop_id() -> int:
        return id(asyncio.get_running_loop())

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(bridge.run(loop_id()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_an_error_is_raised_in_the_caller(bridge: Bridge) -> None:
    async def fail() -> None:
        raise Unreachable("连不上", "no connection")

    with pytest.raises(Unreachable):
        bridge.run(fail())


def test_progress_is_shown_in_the_callers_thread(bridge: Bridge) -> None:
    async def work(report: Callable[[int], None]) -> str:
        for number in range(3):
            report(number)
            await asyncio.sleep(0)
        return "done"

    shown: list[tuple[int, int]] = []
    result = bridge.follow(work, lambda number: shown.append((number, threading.get_ident())))
    assert result == "done"
    assert shown == [(number, threading.get_ident()) for number in range(3)]


def test_a_caller_that_gives_up_cancels_the_work(bridge: Bridge) -> None:
    cancelled = threading.Event()

    async def work(report: Callable[[int], None]) -> None:
        report(1)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bridge.follow(work, stop)
    assert cancelled.wait(10)

"""Event pushes: where events go, whether they arrived, and what happens when they did not."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from runtime.sandbox.storage import Storage

__all__ = ["CallbackProblem", "EventPush", "Push", "Subscription", "Try"]

_WORKERS = 8


class CallbackProblem(Exception):
    """The callback address did not answer a push as the platform demands; the text says how."""


class Subscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where and how events are pushed."""

    #: Callback address; empty = nobody subscribed, no events are made.
    url: str = ""
    #: Whether the address has proved itself.
    verified: bool = False
    #: What was wrong when it last tried.
    problem: str = ""
    #: An answer that takes longer counts as failed, in milliseconds.
    judge_ms: int = 1500
    #: Seconds to wait before each repeat of a failed push; empty = never repeat.
    backoff: tuple[float, ...] = (2, 4, 8, 15, 30, 60, 120, 300, 600)
    #: Every event is pushed this many times at once.
    copies: int = 1
    #: Every copy leaves after a random pause of up to so many seconds: events overtake each other.
    scatter_s: float = 0.0
    #: New events are recorded and never sent (a lost callback).
    drop: bool = False

    @property
    def wanted(self) -> bool:
        """Whether somebody subscribed."""
        return bool(self.url)


class Try(msgspec.Struct, gc=False):
    """One attempt: when (milliseconds since the epoch), how long it took, and what was wrong ("" = delivered)."""

    at: int
    ms: int
    problem: str


class Push(msgspec.Struct):
    """One event on its way. ``state``: pending, delivered, failed, dropped."""

    id: str
    tag: str
    change: str
    instance_id: str
    born: int
    #: The event itself, as text.
    payload: str
    state: str = "pending"
    #: Rounds of delivery so far; each sends as many copies as the subscription asks for.
    rounds: int = 0
    tries: list[Try] = []


S = TypeVar("S", bound=Subscription)
P = TypeVar("P", bound=Push)


class EventPush(ABC, Generic[S, P]):
    """Delivers events in the background and keeps a log of them.

    :param system: the platform's name, which its collections begin with
    :param subscription: the settings that hold until somebody changes them
    :param kind: what a push is
    :param clock: seconds since the epoch
    """

    def __init__(
        self, storage: Storage, system: str, subscription: S, kind: type[P], clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._settings, self._collection = f"{system}.subscription", f"{system}.pushes"
        self._clock = clock
        stored = storage.load(self._settings).get("current")
        self.subscription: S = msgspec.convert(stored, type(subscription)) if stored else subscription
        found = (msgspec.convert(value, kind) for value in storage.load(self._collection).values())
        self._pushes: dict[str, P] = {push.id: push for push in sorted(found, key=_age)}
        self._ready: asyncio.Queue[P] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def log(self, instance_id: str | None = None) -> Iterator[P]:
        """Pushes in the order of their events, of one instance or all."""
        return (push for push in self._pushes.values() if instance_id in (None, push.instance_id))

    def find(self, event_id: str) -> P | None:
        """The push of one event, or None."""
        return self._pushes.get(event_id)

    def configure(self, changes: Mapping[str, Any]) -> S:
        """Changes settings other than the address.

        :raises ValueError: unknown setting or wrong type
        """
        current = msgspec.to_builtins(self.subscription)
        changed = msgspec.convert({**current, **changes}, type(self.subscription))
        if changed.copies < 1 or changed.judge_ms < 1 or min(changed.scatter_s, *changed.backoff, 0) < 0:
            raise ValueError("copies and judge_ms start at 1, pauses at 0")
        self._store(changed)
        return changed

    def assume(self, url: str) -> None:
        """Takes an address without checking it now; the check follows in the background."""
        if url != self.subscription.url:
            self._store(msgspec.structs.replace(self.subscription, url=url, verified=False, problem=""))

    async def save_address(self, url: str) -> None:
        """Saves the callback address after it has proved itself; empty = nobody subscribes any more.

        :raises CallbackProblem: the answer is wrong or late; the old address stays
        """
        if url:
            await self._check(url)
        self._store(msgspec.structs.replace(self.subscription, url=url, verified=bool(url), problem=""))
        self._resume()

    def add(self, push: P) -> None:
        """Takes an event for delivery, unless nobody subscribed."""
        subscription = self.subscription
        if not subscription.wanted:
            return
        push.state = "dropped" if subscription.drop else "pending"
        self._keep(push)
        if push.state == "pending":
            self._enqueue(push)

    def redeliver(self, push: P) -> None:
        """Pushes an event once more, whatever became of it."""
        push.state = "pending"
        self._keep(push)
        self._enqueue(push)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers while the block runs; what is pending at its end is resumed by the next one."""
        self._ready = asyncio.Queue()
        connector = aiohttp.TCPConnector(keepalive_timeout=2)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._session = session
            self._resume()
            tasks = [asyncio.create_task(self._work(self._ready)) for _ in range(_WORKERS)]
            tasks.append(asyncio.create_task(self._check_until_verified()))
            try:
                yield
            finally:
                for timer in self._timers:
                    timer.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._timers.clear()
                self._ready = self._session = None

    def _store(self, subscription: S) -> None:
        self.subscription = subscription
        self._storage.put(self._settings, "current", subscription)

    def _keep(self, push: P) -> None:
        self._pushes[push.id] = push
        self._storage.put(self._collection, push.id, push)

    def _resume(self) -> None:
        for push in self._pushes.values():
            if push.state == "pending":
                self._enqueue(push)

    def _enqueue(self, push: P) -> None:
        if self._ready is not None:
            self._ready.put_nowait(push)

    async def _work(self, ready: asyncio.Queue[P]) -> None:
        while True:
            push = await ready.get()
            subscription = self.subscription
            if push.state != "pending" or not subscription.wanted:
                continue
            copies = [self._try(subscription, push) for _ in range(subscription.copies)]
            tries = await asyncio.gather(*copies)
            push.tries = [*push.tries, *tries]
            push.rounds += 1
            if any(not attempt.problem for attempt in tries):
                push.state = "delivered"
            else:
                self._repeat_later(push, subscription)
            self._keep(push)

    def _repeat_later(self, push: P, subscription: S) -> None:
        if push.rounds > len(subscription.backoff):
            push.state = "failed"
            return
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._timers.discard(timer)
            self._enqueue(push)

        timer = loop.call_later(subscription.backoff[push.rounds - 1], again)
        self._timers.add(timer)

    async def _try(self, subscription: S, push: P) -> Try:
        if subscription.scatter_s:
            await asyncio.sleep(random.uniform(0, subscription.scatter_s))  # noqa: S311 - no secret, a traffic jam
        at, started, problem = int(self._clock() * 1000), time.perf_counter(), ""
        try:
            await self._send(subscription, push)
        except CallbackProblem as error:
            problem = str(error)
        return Try(at, round((time.perf_counter() - started) * 1000), problem)

    async def _send(self, subscription: S, push: P) -> None:
        """Lets an event out.

        :raises CallbackProblem: it was not acknowledged as the platform demands
        """
        await self._deliver(subscription.url, push.payload.encode(), subscription.judge_ms)

    async def _exchange(self, method: str, url: str, judge_ms: int, **sent: Any) -> bytes:
        """Sends one request to the callback address; what it answered with HTTP 200.

        :param sent: parameters of aiohttp's request
        :raises CallbackProblem: no answer in time, or another status
        """
        if self._session is None:
            raise CallbackProblem("沙箱未在运行，无法推送")
        limit = aiohttp.ClientTimeout(total=judge_ms / 1000)
        try:
            async with self._session.request(method, url, timeout=limit, allow_redirects=False, **sent) as response:
                answer = await response.read()
                status = response.status
        except TimeoutError as error:
            raise CallbackProblem(f"{judge_ms} 毫秒内没有应答 no answer within {judge_ms} ms") from error
        except aiohttp.ClientConnectorError as error:
            raise CallbackProblem("无法连接回调地址 the callback address cannot be reached") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise CallbackProblem(f"推送中断 the push broke off: {type(error).__name__} {error}"[:300]) from error
        if status != 200:
            raise CallbackProblem(f"HTTP {status}：{answer[:200].decode(errors='replace')}")
        return answer

    @abstractmethod
    async def _deliver(self, url: str, message: bytes, judge_ms: int) -> None:
        """Sends one message, sealed as the platform seals it, and judges the answer.

        :raises CallbackProblem: the answer is not what the platform demands
        """

    @abstractmethod
    async def _check(self, url: str) -> None:
        """Asks a callback address to prove itself, as the platform does before it saves it.

        :raises CallbackProblem: it did not
        """

    async def _check_until_verified(self) -> None:
        """An address given at the start is checked as soon as somebody answers there."""
        pause = 0.5
        while (url := self.subscription.url) and not self.subscription.verified:
            problem = ""
            try:
                await self._check(url)
            except CallbackProblem as error:
                problem = str(error)
            if url == self.subscription.url:
                self._store(msgspec.structs.replace(self.subscription, verified=not problem, problem=problem))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


def _age(push: Push) -> int:
    return push.born

"""The event subscription: where events go, whether they arrived, and what happens when they did not.

Follows "DingTalk open platform, 事件订阅 - HTTP 推送" and "Stream 模式推送" (see ``gateway.py``).
DingTalk documents no schedule for repeats; the one here is the sandbox's own and can be changed or switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Literal

import aiohttp
import msgspec

from runtime import jsontext
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import BadEnvelope, Envelope
from runtime.sandbox.dingtalk.events import INSTANCE_CHANGE
from runtime.sandbox.dingtalk.gateway import Gateway, NotDelivered
from runtime.sandbox.storage import Storage

__all__ = ["CallbackProblem", "EventPush", "Push", "Subscription", "Try"]

_SETTINGS, _PUSHES = "dingtalk.subscription", "dingtalk.pushes"
_WORKERS = 8
#: DingTalk's own sentence.
_WRONG_FIELDS = "HTTP请求结果校验返回字段值失败"
_FAILED_PAGE = 200


class CallbackProblem(Exception):
    """The callback address did not answer a push as DingTalk demands; the text says how."""


class Subscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where and how events are pushed."""

    #: Whether events are posted to the address, or sent over the app's stream connections.
    mode: Literal["http", "stream"] = "http"
    #: Callback address of the HTTP mode; empty = nobody subscribed, no events are made.
    url: str = ""
    #: Whether the address has answered ``check_url`` correctly.
    verified: bool = False
    #: What was wrong with its last answer to ``check_url``.
    problem: str = ""
    #: Event types subscribed to.
    events: tuple[str, ...] = (INSTANCE_CHANGE,)
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
        return self.mode == "stream" or bool(self.url)


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
    #: The event itself, JSON text.
    payload: str
    state: str = "pending"
    #: Rounds of delivery so far; each sends as many copies as the subscription asks for.
    rounds: int = 0
    #: Times that the failed list has met it: 1 = handed out, 2 = cleared from the list.
    listed: int = 0
    tries: list[Try] = []


class EventPush:
    """Delivers events in the background and keeps a log of them.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float], gateway: Gateway) -> None:
        self._storage = storage
        self._clock = clock
        self._gateway = gateway
        self._envelope = Envelope(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)
        stored = storage.load(_SETTINGS).get("current")
        self.subscription = msgspec.convert(stored, Subscription) if stored else Subscription()
        pushes = sorted((msgspec.convert(value, Push) for value in storage.load(_PUSHES).values()), key=_age)
        self._pushes = {push.id: push for push in pushes}
        self._ready: asyncio.Queue[Push] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def log(self, instance_id: str | None = None) -> Iterator[Push]:
        """Pushes in the order of their events, of one instance or all."""
        return (push for push in self._pushes.values() if instance_id in (None, push.instance_id))

    def find(self, event_id: str) -> Push | None:
        """The push of one event, or None."""
        return self._pushes.get(event_id)

    def configure(self, changes: Mapping[str, Any]) -> Subscription:
        """Changes settings other than the address; what waits goes the new way.

        :raises ValueError: unknown setting or wrong type
        """
        current = msgspec.to_builtins(self.subscription)
        changed = msgspec.convert({**current, **changes}, Subscription)
        if changed.copies < 1 or changed.judge_ms < 1 or min(changed.scatter_s, *changed.backoff, 0) < 0:
            raise ValueError("copies and judge_ms start at 1, pauses at 0")
        again = changed.mode != self.subscription.mode
        self._store(changed)
        if again:
            self._resume()
        return changed

    def assume(self, url: str) -> None:
        """Takes an address without checking it now; the check follows in the background."""
        if url != self.subscription.url:
            self._store(msgspec.structs.replace(self.subscription, url=url, verified=False, problem=""))

    async def save_address(self, url: str) -> None:
        """Saves the callback address after ``check_url`` was answered correctly; empty = nobody subscribes any more.

        :raises CallbackProblem: the answer is wrong or late; the old address stays
        """
        if url:
            await self._check(url)
        self._store(msgspec.structs.replace(self.subscription, url=url, verified=bool(url), problem=""))
        self._resume()

    def notify(self, event: Mapping[str, Any]) -> None:
        """Takes an event for delivery, if somebody subscribed to its type."""
        subscription = self.subscription
        if not subscription.wanted or event["EventType"] not in subscription.events:
            return
        push = Push(
            id=event["eventId"],
            tag=event["EventType"],
            change=event["type"],
            instance_id=event["processInstanceId"],
            born=event["EventTime"],
            payload=jsontext.dumps(event).decode(),
            state="dropped" if subscription.drop else "pending",
        )
        self._pushes[push.id] = push
        self._storage.put(_PUSHES, push.id, push)
        if push.state == "pending":
            self._enqueue(push)

    def redeliver(self, push: Push) -> None:
        """Pushes an event once more, whatever became of it."""
        push.state = "pending"
        self._storage.put(_PUSHES, push.id, push)
        self._enqueue(push)

    def failed_result(self) -> dict[str, Any]:
        """Up to 200 failed events; the next call clears what this one gave.

        Follows "DingTalk open platform, 获取推送失败的事件列表".
        """
        failed = [push for push in self._pushes.values() if push.state == "failed" and push.listed < 2]
        waiting = [push for push in failed if push.listed == 0]
        page = waiting[:_FAILED_PAGE]
        for push in [push for push in failed if push.listed == 1] + page:
            push.listed += 1
            self._storage.put(_PUSHES, push.id, push)
        return {
            "errcode": 0,
            "errmsg": "ok",
            "has_more": len(waiting) > len(page),
            "failed_list": [
                {
                    "event_time": push.born,
                    "call_back_tag": push.tag,
                    "corpid": demo.DINGTALK_CORP_ID,
                    push.tag: jsontext.loads(push.payload),
                }
                for push in page
            ],
        }

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

    def _store(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._storage.put(_SETTINGS, "current", subscription)

    def _resume(self) -> None:
        for push in self._pushes.values():
            if push.state == "pending":
                self._enqueue(push)

    def _enqueue(self, push: Push) -> None:
        if self._ready is not None:
            self._ready.put_nowait(push)

    async def _work(self, ready: asyncio.Queue[Push]) -> None:
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
            self._storage.put(_PUSHES, push.id, push)

    def _repeat_later(self, push: Push, subscription: Subscription) -> None:
        if push.rounds > len(subscription.backoff):
            push.state, push.listed = "failed", 0
            return
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._timers.discard(timer)
            self._enqueue(push)

        timer = loop.call_later(subscription.backoff[push.rounds - 1], again)
        self._timers.add(timer)

    async def _try(self, subscription: Subscription, push: Push) -> Try:
        if subscription.scatter_s:
            await asyncio.sleep(random.uniform(0, subscription.scatter_s))  # noqa: S311 - no secret, a traffic jam
        at, started, problem = int(self._clock() * 1000), time.perf_counter(), ""
        try:
            if subscription.mode == "stream":
                await self._gateway.deliver(jsontext.loads(push.payload), subscription.judge_ms)
            else:
                await self._post(subscription.url, push.payload.encode(), subscription.judge_ms)
        except (CallbackProblem, NotDelivered) as error:
            problem = str(error)
        return Try(at, round((time.perf_counter() - started) * 1000), problem)

    async def _post(self, url: str, message: bytes, judge_ms: int) -> None:
        """Sends one sealed message and judges the answer."""
        if self._session is None:
            raise CallbackProblem("沙箱未在运行，无法推送")
        query, body = self._envelope.seal(message)
        try:
            async with self._session.post(
                url,
                params=query,
                data=jsontext.dumps(body),
                headers={"Content-Type": "application/json; charset=utf-8"},
                timeout=aiohttp.ClientTimeout(total=judge_ms / 1000),
                allow_redirects=False,
            ) as response:
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
        try:
            opened = self._envelope.open_answer(jsontext.loads(answer))
        except (BadEnvelope, ValueError, RecursionError) as error:
            raise CallbackProblem(f"{_WRONG_FIELDS}: {error}"[:300]) from error
        if opened != b"success":
            raise CallbackProblem(f"{_WRONG_FIELDS}: the answer does not say success")

    async def _check(self, url: str) -> None:
        await self._post(url, b'{"EventType":"check_url"}', self.subscription.judge_ms)

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

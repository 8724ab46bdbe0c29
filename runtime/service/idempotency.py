"""HTTP flows and idempotency keys: one request is carried out once, however often it is sent.

A key belongs to the content that came with it first. Once that was refused and the ledger shows that nothing of it
happened, the key is free for a corrected content; not while anything of it may have happened.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from runtime import jsontext
from runtime.errors import BadMapping, RequestRejected
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import Mapping
from runtime.store.answers import Claim, StoredAnswer, claim_answer, pass_on, store_answer
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.ledger import Trace, end_request, request_trace

__all__ = ["Idempotency", "Outcome", "RequestKey", "request_key", "unnamed_key"]

_HEADER = "idempotency-key"
_LONGEST_KEY = 200
_PATIENCE = 20.0


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """What makes a request the same as another one."""

    mapping: str
    flow: str
    key: str
    #: Hash of method, query and body.
    digest: str

    @property
    def place(self) -> str:
        """Name of the request in the ledger. A key that is used again after it was forgotten may mean another request,
        which then gets a place of its own."""
        return f"{self.key} {self.digest}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What carrying out a request came to.

    :param final: the same request gets this answer from now on; otherwise it is carried out again, and goes on after
        the last recorded effect
    """

    answer: StoredAnswer
    final: bool


def request_key(
    mapping: Mapping, flow: str, request: dict[str, Any], *, connections: Iterable[str] = ()
) -> RequestKey | None:
    """The key of a request: what the flow's own expression yields, else the header ``Idempotency-Key``; None = neither.

    :param request: the variable ``request``
    :param connections: those that were chosen for this request: the same key in another company is another request
    :raises RequestRejected: the header is too long or not printable ASCII
    :raises BadMapping: the key of the mapping is no expression
    :raises MappingFailed: the expression cannot be worked out for this request
    """
    trigger = mapping.flows[flow].trigger.http
    value: Any = None
    if trigger is not None and trigger.key:
        where = f"{mapping.id}/{flow} trigger.http.key"
        expression = compile_value(trigger.key, where=where)
        if not expression.names:
            # One key for all requests would give everybody the first one's answer.
            raise BadMapping(
                "key 应为含 request 的表达式，例如 {{ request.body.id }}",
                "The key must be an expression over request, such as {{ request.body.id }}",
                where=where,
            )
        value = expression({"request": request, "settings": mapping.settings})
    if value is None or value == "":
        key = str(request["headers"].get(_HEADER, ""))
        if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise RequestRejected(
                f"Idempotency-Key 只能是不超过 {_LONGEST_KEY} 个可见 ASCII 字符",
                f"An Idempotency-Key has at most {_LONGEST_KEY} printable ASCII characters",
                where="Idempotency-Key",
            )
    else:
        key = value if isinstance(value, str) else jsontext.dumps(value).decode()
    if not key:
        return None
    key = "@".join((key, *connections))
    if len(key) > _LONGEST_KEY or not key.isprintable():
        key = hashlib.sha256(key.encode()).hexdigest()
    return RequestKey(mapping=mapping.id, flow=flow, key=key, digest=_digest(request))


def unnamed_key(mapping: Mapping, flow: str, request: dict[str, Any], *, prefix: str) -> RequestKey:
    """The key of a request that brings none: it is the same as another one only if its content is."""
    digest = _digest(request)
    return RequestKey(mapping=mapping.id, flow=flow, key=f"{prefix} {digest}", digest=digest)


class Idempotency:
    """Carries each key's request out once, and hands the stored answer to those that come again.

    :param keep: how long an answer is kept
    :param patience: seconds that a request waits for the one of the same key that is being carried out
    """

    def __init__(self, database: Database, *, keep: timedelta, patience: float = _PATIENCE) -> None:
        self._database = database
        self._keep = keep
        self._patience = patience
        #: Requests in progress, by mapping, flow and key.
        self._running: dict[tuple[str, str, str], tuple[str, asyncio.Future[StoredAnswer]]] = {}

    async def once(
        self, key: RequestKey, carry_out: Callable[[], Awaitable[Outcome]], *, correctable: bool = False
    ) -> tuple[StoredAnswer, bool]:
        """The answer, and whether it is one that was given before.

        :param correctable: ``carry_out`` keeps what it does in the ledger at :attr:`RequestKey.place`: a key under
            which nothing happened may be used with another content
        :raises RequestRejected: the key belongs to another request (422), or its request is still in progress (409)
        :raises RetryLater: the state database cannot be used
        """
        name = (key.mapping, key.flow, key.key)
        if name in self._running:
            digest, running = self._running[name]
            if digest == key.digest:
                return await self._wait(running), True
            # What it comes to decides whether the key becomes free.
            raise _in_progress() if correctable else _taken(key, Trace.DONE)
        future: asyncio.Future[StoredAnswer] = asyncio.get_running_loop().create_future()
        self._running[name] = (key.digest, future)
        try:
            answer, known = await self._carry_out(key, carry_out, correctable=correctable)
            future.set_result(answer)
            return answer, known
        finally:
            del self._running[name]
            if not future.done():
                future.cancel()

    async def known(self, key: RequestKey, *, correctable: bool = False) -> StoredAnswer | None:
        """The answer that this request was given before; None = it has none yet. It takes its key.

        :param correctable: see :meth:`once`
        :raises RequestRejected: the key belongs to another request (422)
        :raises RetryLater: the state database cannot be used
        """
        not_before = utc_now() - self._keep

        def claim(connection: Connection) -> tuple[Claim, Trace]:
            of = {"mapping": key.mapping, "flow": key.flow, "key": key.key}
            found = claim_answer(connection, **of, digest=key.digest, not_before=not_before)
            if found.digest == key.digest or not correctable:
                return found, Trace.DONE
            place = replace(key, digest=found.digest).place
            trace = request_trace(connection, mapping=key.mapping, flow=key.flow, key=place)
            # One that came to its end without trying anything said how matters stand: that holds for its content only.
            if trace is Trace.REFUSED or (trace is Trace.NONE and found.answer is None):
                pass_on(connection, **of, digest=key.digest)
                end_request(connection, mapping=key.mapping, flow=key.flow, key=place)
                return Claim(digest=key.digest, answer=None), trace
            return found, trace if found.answer is None else Trace.DONE

        found, trace = await self._database.awrite(claim)
        if found.digest != key.digest:
            raise _taken(key, trace)
        return found.answer

    async def _carry_out(
        self, key: RequestKey, carry_out: Callable[[], Awaitable[Outcome]], *, correctable: bool
    ) -> tuple[StoredAnswer, bool]:
        answer = await self.known(key, correctable=correctable)
        if answer is not None:
            return answer, True
        of = {"mapping": key.mapping, "flow": key.flow, "key": key.key}
        outcome = await carry_out()
        if outcome.final:
            await self._database.awrite(lambda connection: store_answer(connection, **of, answer=outcome.answer))
        return outcome.answer, False

    async def _wait(self, running: asyncio.Future[StoredAnswer]) -> StoredAnswer:
        done, _ = await asyncio.wait([running], timeout=self._patience)
        if not done or running.cancelled():
            raise _in_progress()
        return running.result()


def _digest(request: dict[str, Any]) -> str:
    content = jsontext.dumps([request["method"], request["query"], request["body"]])
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _in_progress() -> RequestRejected:
    return RequestRejected(
        "同一 Idempotency-Key 的请求正在处理，尚未有答复；请稍后用同一个键重发",
        "The request with this key is still in progress; send it again later with the same key",
        where="Idempotency-Key",
        status=409,
    )


def _taken(key: RequestKey, trace: Trace) -> RequestRejected:
    where = f"Idempotency-Key {key.key[:80]}"
    if trace is Trace.OPEN:
        return RequestRejected(
            "用这个键发出的前一个请求结果尚未确认，更改后的内容暂不接受；请先用原来的内容重发，或在“单据交付”页核实",
            "What became of the request that used this key before is not established, so another content is not "
            "accepted; send that one again unchanged first, or decide about it on the Deliveries page",
            where=where,
            status=422,
        )
    return RequestRejected(
        "这个键已用于另一个内容不同的请求；不同的请求请用不同的键",
        "This key was used for a request with another content; another request needs another key",
        where=where,
        status=422,
    )

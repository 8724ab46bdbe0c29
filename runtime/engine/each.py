"""``each``: elements one by one or several at a time, in constant memory; documents fail alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from urllib.parse import quote

import structlog

from runtime import jsontext
from runtime.engine.context import (
    Element,
    Frame,
    Interrupted,
    Origin,
    Outcome,
    Rows,
    Run,
    Skipped,
    StepFunction,
    Stopped,
    Stream,
    Variables,
)
from runtime.engine.records import StepRecords
from runtime.engine.request import Progress
from runtime.errors import FixSetup, IntegrationError, MappingFailed, OutcomeUnknown
from runtime.mapping.expressions import Scope
from runtime.store.columns import utc_now

__all__ = ["Each", "key_text", "unexpected"]

log = structlog.get_logger(__name__)

#: For so many documents whose calls are made at a time one more is in work: it waits for the ledger, or for its turn.
_ONE_AHEAD_OF = 2


class Each:
    """A compiled ``each`` step.

    The outermost one divides a run into documents: a document that fails is recorded and the others go on, only a
    wrong set-up stops them all. Inside a document an element that fails lets the others in progress end, and then
    fails the document.

    :param place: of the step, without what stands before it: its label
    :param ordinal: counts the outermost ``each`` steps of a flow that have a key, from 1
    """

    def __init__(
        self,
        *,
        place: str,
        source: Callable[[Scope], Any],
        variable: str,
        key: Callable[[Scope], Any] | None,
        concurrency: int,
        body: StepFunction,
        ordinal: int,
    ) -> None:
        self._place = place
        self._source = source
        self._variable = variable
        self._key = key
        self._concurrency = concurrency
        self._body = body
        self._ordinal = ordinal

    async def __call__(self, frame: Frame, scope: Variables) -> None:
        source = self._source(scope)
        origin = source.origin if isinstance(source, Rows | Stream) else None
        rows = _iterate(source, f"{frame.prefix}{self._place}")
        if frame.nested:
            await self._elements(frame, scope, rows)
        else:
            await self._documents(frame, scope, rows, origin)

    async def _documents(self, frame: Frame, scope: Variables, rows: AsyncIterator[Any], origin: Origin | None) -> None:
        run = frame.run
        request = run.request

        def key_of(item: Any) -> str:
            return key_text(self._key({**scope, self._variable: item})) if self._key is not None else ""

        async def wanted() -> AsyncIterator[tuple[int, Any]]:
            async for item in rows:
                if request.only is not None and _quietly(key_of, item) != request.only:
                    continue
                # Numbered through the run: a flow may have several of these steps.
                await run.breaker.ready()
                if run.stopping or run.closed is not None:
                    return
                yield run.next_position(), item
                if request.limit is not None and run.taken() >= request.limit:
                    return

        outer = frame.inner(turn=_Turns(self._concurrency, run))

        async def work(numbered: tuple[int, Any]) -> None:
            number, item = numbered
            await self._document(outer, scope, position=number, item=item, origin=origin, key_of=key_of)

        if request.limit is not None and run.taken() >= request.limit:
            return
        items = wanted()
        try:
            if run.breaker.on_trial and (first := await anext(items, None)) is not None:
                # A system that was down: one document shows whether it is back before more are taken up.
                await work(first)
            ahead = self._concurrency // _ONE_AHEAD_OF
            await _spread(items, self._concurrency + ahead, work, lambda: not run.stopping and run.closed is None)
        finally:
            await _close(items)
            await _close(rows)
        if run.fault is not None:
            raise run.fault
        if run.stopping:
            raise Interrupted
        if run.closed is not None:
            raise run.closed
        if request.limit is None and self._key is not None:
            run.exhausted[self._name(origin)] = origin.query if origin is not None else ""

    async def _document(
        self,
        outer: Frame,
        outer_scope: Variables,
        *,
        position: int,
        item: Any,
        origin: Origin | None,
        key_of: Callable[[Any], str],
    ) -> None:
        run = outer.run
        frame = outer.inner(records=StepRecords(), nested=True, owns_document=False)
        scope = {**outer_scope, self._variable: item}
        started_at, clock = utc_now(), time.perf_counter()
        state, key, note, stopped = "done", "", "", False
        error: IntegrationError | None = None
        try:
            native = self._key(scope) if self._key is not None else None
            key = key_text(native) if self._key is not None else str(position)
            frame.prefix = f"{outer.prefix}{self._place}/"
            if outer.document is not None:
                frame.prefix = f"{outer.prefix}{self._place}[{quote(key, safe='')}]/"
            elif self._key is not None:
                element = Element(
                    item=item, key=native, key_text=key, source=self._name(origin), origin=origin, key_of=key_of
                )
                item = scope[self._variable] = await run.performer.open(frame, element)
            await self._body(frame, scope)
        except (Stopped, Skipped) as reason:
            state, note, stopped = "skipped", reason.reason, isinstance(reason, Stopped)
            if isinstance(reason, Skipped) and reason.warning:
                run.warn(key, reason.reason)
        except Interrupted:
            state = "stopped"
        except asyncio.CancelledError:
            run.performer.abandon(frame)
            raise
        except Exception as raised:
            error = raised if isinstance(raised, IntegrationError) else unexpected(raised, outer.run.mapping.id)
            state = "failed"
            if isinstance(error, OutcomeUnknown):
                state = "unknown"
            elif isinstance(error, FixSetup):
                run.fail(error)
        elapsed = round((time.perf_counter() - clock) * 1000)
        run.closed = await run.breaker.judge(frame.records, error) or run.closed
        run.problem = run.problem or error
        run.count(state)
        run.performer.close(
            frame,
            Outcome(
                state=state,
                position=position,
                key=key,
                item=item,
                started_at=started_at,
                elapsed_ms=elapsed,
                error=error,
                note=note,
                stopped=stopped,
                keyed=self._key is not None,
            ),
        )
        if run.request.progress is not None:
            run.request.progress(Progress(**run.counts(), document=key))

    async def _elements(self, frame: Frame, scope: Variables, rows: AsyncIterator[Any]) -> None:
        async def numbered() -> AsyncIterator[tuple[int, Any]]:
            number = 0
            async for item in rows:
                number += 1
                yield number, item

        async def work(element: tuple[int, Any]) -> None:
            position, item = element
            inner = {**scope, self._variable: item}
            mark = key_text(self._key(inner)) if self._key is not None else str(position)
            prefix = f"{frame.prefix}{self._place}[{quote(mark, safe='')}]/"
            try:
                await self._body(frame.inner(prefix=prefix, owns_document=False, turn=nullcontext()), inner)
            except Stopped:
                return

        try:
            # The whole loop is one turn: its own concurrency bounds what happens within.
            async with frame.turn:
                await _spread(numbered(), self._concurrency, work, lambda: not frame.run.stopping)
        finally:
            await _close(rows)
        if frame.run.stopping:
            raise Interrupted

    def _name(self, origin: Origin | None) -> str:
        """Whose documents they are, in the ledger. It must not change when steps are renamed."""
        source = origin.source if origin is not None else ""
        return source if self._ordinal == 1 else f"{source}#{self._ordinal}"


class _Turns(AbstractAsyncContextManager[None]):
    """So many calls at a time; once the run is to stop nobody gets a turn any more."""

    def __init__(self, at_a_time: int, run: Run) -> None:
        self._free = asyncio.Semaphore(at_a_time)
        self._run = run

    async def __aenter__(self) -> None:
        await self._free.acquire()
        if self._run.stopping:
            self._free.release()
            raise Interrupted

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


def key_text(key: Any) -> str:
    """A document's key as its name in the ledger.

    :raises MappingFailed: there is none
    """
    if key is None or key == "":
        raise MappingFailed("单据没有关键字（key 为空）", "The document has no key (the key is empty)", where="key")
    return jsontext.dumps(key).decode() if isinstance(key, dict | list | tuple) else str(key)


def unexpected(error: Exception, where: str) -> IntegrationError:
    """A fault of this program or of an extension, as an error that can be shown; the log gets the whole story."""
    log.error("unexpected error", where=where, exc_info=error)
    wrapped = IntegrationError(
        f"程序内部错误（{type(error).__name__}），详见日志",
        f"An internal error ({type(error).__name__}); see the log",
        where=where,
        remote=str(error)[:200],
    )
    wrapped.__cause__ = error
    return wrapped


async def _spread(
    items: AsyncIterator[Any], concurrency: int, work: Callable[[Any], Awaitable[None]], go_on: Callable[[], bool]
) -> None:
    """Work on the items, at most ``concurrency`` at a time; the next one is asked for when somebody is free.

    The first error ends it: what is in progress is finished, then the error is raised.
    """
    asking = asyncio.Lock()
    errors: list[Exception] = []
    exhausted = False

    async def worker() -> None:
        nonlocal exhausted
        while True:
            async with asking:
                if exhausted or errors or not go_on():
                    return
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    exhausted = True
                    return
                except Exception as error:
                    errors.append(error)
                    return
            try:
                await work(item)
            except Exception as error:
                errors.append(error)

    if concurrency == 1:
        await worker()
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    if errors:
        raise errors[0]


async def _iterate_list(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def _iterate(source: Any, where: str) -> AsyncIterator[Any]:
    if isinstance(source, Stream):
        rows: AsyncIterator[Any] = source.rows
        return rows
    if source is None:
        return _iterate_list(())
    if isinstance(source, Mapping | str | bytes) or not isinstance(source, Iterable):
        raise MappingFailed(
            f"each 需要一个列表，得到的是 {type(source).__name__}",
            f"each needs a list, this is {type(source).__name__}",
            where=where,
        )
    return _iterate_list(source)


async def _close(rows: AsyncIterator[Any]) -> None:
    close = getattr(rows, "aclose", None)
    if close is not None:
        await close()


def _quietly(key_of: Callable[[Any], str], item: Any) -> str | None:
    try:
        return key_of(item)
    except IntegrationError:
        return None

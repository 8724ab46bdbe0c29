"""Working off the inbox: each event goes to the flows that wait for it, in order per approval, until it is done."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection, func, select, update

from runtime.engine.each import unexpected
from runtime.engine.request import RunRequest
from runtime.errors import FixSetup, IntegrationError, RetryLater
from runtime.service.dispatcher import Dispatcher, failure_of
from runtime.service.metrics import Metrics
from runtime.service.reports import Carried, Reports
from runtime.service.router import Route, Router
from runtime.service.trouble import Troubles, system_down
from runtime.store.database import Database
from runtime.store.inbox import REPORTED, InboxEvent, claim_events, event_done, event_failed, ledger_key
from runtime.store.instances import find_instance
from runtime.store.tables import inbox

__all__ = ["InboxWorkers"]

log = structlog.get_logger(__name__)

#: Events worked on at the same time.
_CONCURRENCY = 8
#: Seconds between two looks at the inbox when nothing announces an event (retries, events of before the start).
_LOOK_EVERY = 1.0
#: Seconds before an event is looked at again whose mapping is switched off or broken at the moment.
_PARKED = timedelta(seconds=30)
_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=10)
#: A transient failure is tried again for so long; afterwards a person has to look.
_GIVE_UP_AFTER = timedelta(days=3)


class _Turn:
    """Whose turn it is among the events of one approval."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class InboxWorkers:
    """Takes events out of the inbox and carries their flows out."""

    def __init__(
        self,
        *,
        database: Database,
        router: Router,
        dispatcher: Dispatcher,
        reports: Reports,
        metrics: Metrics,
        troubles: Troubles,
    ) -> None:
        self._database = database
        self._router = router
        self._dispatcher = dispatcher
        self._reports = reports
        self._metrics = metrics
        self._troubles = troubles
        #: Connection that is down → attempts that failed because of it: a thousand events make one line in the log.
        self._down: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._free = _CONCURRENCY
        #: Ids of the events that are being worked on.
        self._in_hand: set[int] = set()
        #: Whether the state may call an event "working" that nobody works on, because a write got no answer.
        self._in_doubt = False
        #: By connection and approval.
        self._in_order: dict[tuple[str, str], _Turn] = {}

    def wake(self) -> None:
        """New events are there: look now."""
        self._wake.set()

    def try_again(self) -> None:
        """A mapping changed: that may be just what failed events waited for."""
        self._dispatcher.spawn(self._bring_forward(), name="failed events")

    async def _bring_forward(self) -> None:
        await self._database.awrite(_bring_forward)
        self.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            try:
                if self._in_doubt:
                    # Before, not after: what comes into doubt meanwhile is not covered by this look.
                    self._in_doubt = False
                    await self._database.awrite(partial(_release_others, frozenset(self._in_hand)))
                # With every place taken there is nothing to look for until one becomes free.
                if self._free:
                    depth, due = await self._database.aread(_depth)
                    self._metrics.inbox.set(depth)
                    if due:
                        await self._take()
            except RetryLater as error:
                self._in_doubt = True
                log.warning("inbox cannot be read", reason=error.sentence("en"))
            # Woken by a new event, and whenever a place becomes free.
            # Not wait_for: on Python 3.11 it forgets that it was cancelled if it is woken at the same moment.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._wake.wait()

    async def _take(self) -> None:
        """Claim as many events as there are free places, and start them."""
        claimed = await self._database.awrite(partial(claim_events, limit=self._free))
        self._free -= len(claimed)
        self._in_hand.update(item.id for item in claimed)
        for item in claimed:
            # Started in order of claiming, and a lock is fair: events of one approval keep their order.
            self._dispatcher.spawn(self._handle(item), name=f"event {item.id}")

    async def _handle(self, item: InboxEvent) -> None:
        key = (item.connection, item.event.instance_id or item.event.key)
        turn = self._in_order.setdefault(key, _Turn())
        turn.users += 1
        carried = Carried(
            failure=RetryLater("处理被中断，稍后继续", "It was interrupted and goes on later"), repeats=True
        )
        try:
            async with turn.lock:
                carried = await self._attempt(item)
        except RetryLater as error:
            # The state database did not take down what became of the event: it is taken up again.
            self._in_doubt = True
            log.warning("event is taken up again", inbox=item.id, reason=error.sentence("en"))
        finally:
            self._reports.ended(item, carried)
            self._in_hand.discard(item.id)
            turn.users -= 1
            if not turn.users:
                del self._in_order[key]
            self._free += 1
            self.wake()

    async def _attempt(self, item: InboxEvent) -> Carried:
        try:
            return await self._work(item)
        except IntegrationError:
            raise
        except Exception as fault:
            # Whatever is wrong with this program or an extension: the event stays, for a person to try again.
            error = unexpected(fault, f"inbox {item.id}")
            return await self._failed(item, Carried(failure=error), error, None)

    async def _work(self, item: InboxEvent) -> Carried:
        # What an HTTP flow was called with goes to that flow, whoever created the approval.
        reported = item.event.type.startswith(REPORTED)
        owner = "" if reported else await self._database.aread(lambda connection: _owner(connection, item))
        routes = self._router.flows_for(item.connection, item.event, owner=owner)
        if not routes:
            return await self._unclaimed(item, owner)
        if reported:
            try:
                await self._reports.settle(item)
            except IntegrationError as doubt:
                return await self._failed(item, Carried(failure=doubt), doubt, _next_attempt(item, doubt))
        if await self._database.aread(lambda connection: _earlier_waits(connection, item)):
            error: IntegrationError = RetryLater(
                "同一审批的前一个事件尚未处理完", "An earlier event of the same approval is not finished yet"
            )
            return await self._failed(item, Carried(failure=error), error, datetime.now(UTC) + _FIRST_WAIT)
        # One that fails must not keep the event from the others; tried again, those take their results from the ledger.
        carried = [await self._carry_out(route, item) for route in routes]
        failures = [(one, one.failure) for one in carried if one.failure is not None]
        if failures:
            worth_another = (found for found in failures if _next_attempt(item, found[1]) is not None)
            worst, failure = next(worth_another, failures[0])
            return await self._failed(item, worst, failure, _next_attempt(item, failure))
        names = ", ".join(f"{route.mapping.id}/{route.flow}" for route in routes)
        await self._database.awrite(lambda connection: event_done(connection, item.id, note=names))
        self._troubles.event_done(item.id)
        if self._down:
            log.info("events are carried out again", failed_attempts=dict(self._down))
            self._down.clear()
        return carried[0]

    async def _carry_out(self, route: Route, item: InboxEvent) -> Carried:
        """What became of the event in one flow."""
        if item.event.type.startswith(REPORTED):
            return await self._reports.carry_out(item, route.mapping, route.flow)
        request = RunRequest(
            cause="event", event=item.event, connection=item.connection, document_key=ledger_key(item.event)
        )
        try:
            return Carried(failure=failure_of(await self._dispatcher.run(route.mapping, route.flow, request)))
        except IntegrationError as error:
            return Carried(failure=error)

    async def _unclaimed(self, item: InboxEvent, owner: str) -> Carried:
        reason = self._router.reason_to_wait(item.connection, item.event, owner=owner)
        if reason is not None:
            return await self._failed(item, Carried(failure=reason), reason, datetime.now(UTC) + _PARKED)
        log.debug("event ignored", connection=item.connection, type=item.event.type, form=item.event.form)
        what = f"{item.event.type} {item.event.form}".rstrip()
        note = f"没有流程等待它，已忽略 | ignored, no flow waits for it: {what}"
        await self._database.awrite(lambda connection: event_done(connection, item.id, note=note))
        return Carried()

    async def _failed(
        self, item: InboxEvent, carried: Carried, error: IntegrationError, next_attempt_at: datetime | None
    ) -> Carried:
        down = system_down(error) if next_attempt_at is not None else ""
        if down:
            self._down[down] += 1
        write = log.debug if down and self._down[down] > 1 else log.warning
        write(
            "event not carried out",
            connection=item.connection,
            type=item.event.type,
            instance=item.event.instance_id,
            attempts=item.attempts,
            next_attempt_at=next_attempt_at.isoformat() if next_attempt_at else "by hand",
            zh=error.sentence("zh-CN"),
            en=error.sentence("en"),
        )
        await self._database.awrite(
            lambda connection: event_failed(connection, item.id, error=error, next_attempt_at=next_attempt_at)
        )
        if next_attempt_at is None:
            self._troubles.event_failed(item.id, f"{item.connection} {item.event.type} {item.event.instance_id}", error)
        return replace(carried, repeats=next_attempt_at is not None)


def _release_others(in_hand: frozenset[int], connection: Connection) -> None:
    """Events that are called "working" and are not in hand are due again."""
    connection.execute(update(inbox).where(inbox.c.state == "working", inbox.c.id.not_in(in_hand)).values(state="new"))


def _bring_forward(connection: Connection) -> None:
    waiting = (inbox.c.state == "failed") & inbox.c.next_attempt_at.is_not(None)
    connection.execute(update(inbox).where(waiting).values(next_attempt_at=datetime.now(UTC)))


def _depth(connection: Connection) -> tuple[int, int]:
    """How many events are not finished, and how many of them could be taken up now."""
    state, parked = inbox.c.state, inbox.c.next_attempt_at
    due = (state == "new") | ((state == "failed") & (parked <= datetime.now(UTC)))
    unfinished = state.in_(("new", "working")) | ((state == "failed") & parked.is_not(None))
    row = connection.execute(select(func.count(), func.count().filter(due)).select_from(inbox).where(unfinished)).one()
    return row[0], row[1]


def _owner(connection: Connection, item: InboxEvent) -> str:
    """Id of the mapping that created the approval; empty if none is known to have."""
    found = find_instance(connection, item.connection, item.event.instance_id) if item.event.instance_id else None
    return found.mapping if found is not None else ""


def _earlier_waits(connection: Connection, item: InboxEvent) -> bool:
    """Whether an older event of the same approval is still to be tried again."""
    if not item.event.instance_id:
        return False
    query = select(inbox.c.id).where(
        inbox.c.connection == item.connection,
        inbox.c.instance_id == item.event.instance_id,
        inbox.c.id < item.id,
        inbox.c.state == "failed",
        inbox.c.next_attempt_at.is_not(None),
    )
    return connection.execute(query.limit(1)).first() is not None


def _next_attempt(item: InboxEvent, error: IntegrationError) -> datetime | None:
    """When to try again; None = a person has to look first."""
    now = datetime.now(UTC)
    if not isinstance(error, RetryLater | FixSetup) or now - item.received_at > _GIVE_UP_AFTER:
        return None
    # A wrong password or a locked key is usually repaired within the day: the verdict must not be lost over it.
    doubled: timedelta = _FIRST_WAIT * 2 ** min(item.attempts - 1, 20)
    wait = min(doubled, _LONGEST_WAIT)
    asked = error.retry_after if isinstance(error, RetryLater) else None
    return now + max(wait, timedelta(seconds=asked or 0))

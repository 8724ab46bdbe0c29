"""Lost callbacks heal: approvals that stay without a verdict are asked about in the other system."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from runtime.connectors.base import Connector
from runtime.connectors.events import Event
from runtime.engine.pool import Pool
from runtime.errors import FixSetup, IntegrationError, RetryLater
from runtime.service.router import Router
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.inbox import insert_polled
from runtime.store.polls import OpenApproval, due_approvals, plan_polls

__all__ = ["Sweep"]

log = structlog.get_logger(__name__)

#: Mapping → forms that its verdict flows wait for; '' = every form.
Forms = dict[str, set[str]]

#: Approvals that one connection is asked about at the same time: the flows share its rate limit.
_CONCURRENCY = 4
_BATCH = 100
#: Of one connection at most so many are asked about in one sweep; the next one goes on with those that wait longest.
_MOST = 1000
#: An approval is asked about again after this part of its age …
_PART_OF_AGE = 8
#: … but at least so often.
_LONGEST_WAIT = timedelta(hours=12)


class Sweep:
    """Asks about open approvals now and then, and puts the verdicts that never arrived into the inbox.

    From there they take the way of every callback: in order per approval, and with one effect however often and in
    whichever way a verdict arrives.

    :param every: time between two sweeps
    :param age: an approval is asked about from this age on
    :param stored: called after events were committed
    :param clock: the present moment
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        router: Router,
        *,
        every: timedelta,
        age: timedelta,
        stored: Callable[[], None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._pool = pool
        self._router = router
        self._every = every
        self._age = age
        self._stored = stored
        self._clock = clock

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except RetryLater as error:
                log.warning("open approvals cannot be looked up", reason=error.sentence("en"))
            await asyncio.sleep(self._every.total_seconds())

    async def sweep(self) -> int:
        """Ask about every approval that is due; returns how many verdicts were found."""
        forms: defaultdict[str, Forms] = defaultdict(lambda: defaultdict(set))
        for route in self._router.verdict_routes():
            forms[route.connection][route.mapping.id].add(route.form or "")
        found = await asyncio.gather(*(self._connection(name, known) for name, known in forms.items()))
        return sum(found)

    async def _connection(self, name: str, forms: Forms) -> int:
        found = 0
        try:
            async with self._pool.lease() as lease:
                connector = await lease.get(name)
                if not connector.tells_outcomes:
                    return 0
                for _ in range(0, _MOST, _BATCH):
                    due = await self._database.aread(lambda connection: self._due(connection, name, forms))
                    found += await self._ask_all(connector, due, forms)
                    if len(due) < _BATCH:
                        break
        except (RetryLater, FixSetup) as error:
            # Down, or wrongly set up: the others of this connection would meet the same.
            log.warning("open approvals cannot be asked about", connection=name, reason=error.sentence("en"))
        return found

    def _due(self, connection: Connection, name: str, forms: Forms) -> list[OpenApproval]:
        now = self._clock()
        return due_approvals(connection, name, mappings=forms, opened_before=now - self._age, now=now, limit=_BATCH)

    async def _ask_all(self, connector: Connector[Any], due: list[OpenApproval], forms: Forms) -> int:
        waiting = iter(due)
        failures: list[IntegrationError] = []
        found = 0

        async def ask() -> None:
            nonlocal found
            for approval in waiting:
                if failures:
                    return
                try:
                    found += await self._ask(connector, approval, _form(approval, forms[approval.mapping]))
                except (RetryLater, FixSetup) as error:
                    failures.append(error)

        await asyncio.gather(*(ask() for _ in range(_CONCURRENCY)))
        if failures:
            raise failures[0]
        return found

    async def _ask(self, connector: Connector[Any], approval: OpenApproval, form: str) -> bool:
        event: Event | None = None
        try:
            event = await connector.poll_event(approval.instance_id, form)
        except (RetryLater, FixSetup):
            raise
        except IntegrationError as error:
            log.warning(
                "open approval cannot be read",
                connection=connector.name,
                instance=approval.instance_id,
                zh=error.sentence("zh-CN"),
                en=error.sentence("en"),
            )
        now = self._clock()
        wait = min(max((now - approval.opened_at) / _PART_OF_AGE, self._every), _LONGEST_WAIT)

        def work(connection: Connection) -> bool:
            plan_polls(connection, {approval.delivery_id: now + wait})
            return event is not None and insert_polled(connection, connector.name, event)

        new = await self._database.awrite(work)
        if new and event is not None:
            log.warning(
                "a verdict came by no callback and was found by asking",
                connection=connector.name,
                instance=approval.instance_id,
                outcome=event.outcome,
            )
            self._stored()
        return new


def _form(approval: OpenApproval, forms: set[str]) -> str:
    """The form that the verdict belongs to where the other system does not name it; empty where that is not certain."""
    if len(forms) == 1:
        return next(iter(forms))
    return approval.form if approval.form in forms else ""

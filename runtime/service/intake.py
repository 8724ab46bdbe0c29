"""Where every event comes in, whichever way it took: stored and committed first, acknowledged by the caller after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.connectors.events import Event
from runtime.faultpoints import FaultPoint, reach
from runtime.store.database import Database
from runtime.store.inbox import InboxEvent, insert_event
from runtime.store.reports import Turn, earlier_reports, insert_report, replace_earlier, turn_of

__all__ = ["Intake"]


class Intake:
    """Puts verified events into the inbox.

    :param stored: called after new events were committed
    """

    def __init__(self, database: Database, *, stored: Callable[[], None]) -> None:
        self._database = database
        self._stored = stored

    async def store(self, name: str, events: Sequence[Event]) -> int:
        """Commit the events of the connection ``name``; how many of them were not there yet.

        :raises RetryLater: the state database does not take them: they must not be acknowledged
        """
        if not events:
            return 0
        reach(FaultPoint.BEFORE_INBOX_INSERT)
        new = await self._database.awrite(
            lambda connection: sum(insert_event(connection, name, event) for event in events)
        )
        reach(FaultPoint.AFTER_INBOX_INSERT)
        if new:
            self._stored()
        return new

    async def turn_of(self, name: str, event: Event, digest: str, *, key: str | None) -> Turn:
        """What a report about an approval of the connection ``name`` is among the earlier ones.

        :param digest: hash of the request that it came with
        :param key: that the request brings; None = it brings none
        :raises RetryLater: the state database cannot be read
        """
        earlier = await self._database.aread(lambda connection: earlier_reports(connection, name, event))
        return turn_of(earlier, event.outcome, digest, decided_at=event.finished_at, key=key)

    async def store_report(self, name: str, event: Event) -> None:
        """Commit what an HTTP flow was called with, about an approval of the connection ``name``.

        :raises RetryLater: the state database does not take it
        """
        reach(FaultPoint.BEFORE_INBOX_INSERT)
        await self._database.awrite(lambda connection: insert_report(connection, name, event))
        reach(FaultPoint.AFTER_INBOX_INSERT)
        self._stored()

    async def report_stands(self, item: InboxEvent) -> None:
        """A report is about to be carried out: it takes the place of earlier ones that were not.

        :raises RetryLater: the state database does not take it
        """
        await self._database.awrite(lambda connection: replace_earlier(connection, item))

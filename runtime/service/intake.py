"""Where every event comes in, whichever way it took: stored and committed first, acknowledged by the caller after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.connectors.events import Event
from runtime.faultpoints import FaultPoint, reach
from runtime.store.database import Database
from runtime.store.inbox import insert_event, insert_report

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

    async def store_report(self, name: str, event: Event) -> bool:
        """Commit what an HTTP flow was called with, about an approval of the connection ``name``.

        :returns: False if a later report on the same approval stands
        :raises RetryLater: the state database does not take it
        """
        reach(FaultPoint.BEFORE_INBOX_INSERT)
        stands = await self._database.awrite(lambda connection: insert_report(connection, name, event))
        reach(FaultPoint.AFTER_INBOX_INSERT)
        self._stored()
        return stands

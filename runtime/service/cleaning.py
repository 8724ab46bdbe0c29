"""Retention: what is old goes, in small bites, so that nobody who works meanwhile waits for it.

The ledger stays: it is what keeps an effect from happening twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from runtime.config import Settings
from runtime.errors import IntegrationError
from runtime.store.answers import prune_answers
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.inbox import delete_events, old_events
from runtime.store.polls import forget_polls
from runtime.store.runs import prune_payloads, prune_runs

__all__ = ["Cleaning"]

log = structlog.get_logger(__name__)

#: Seconds between two clean-ups.
_EVERY = 3600.0
#: Seconds between two bites: the state database belongs to those who work.
_PAUSE = 0.05


class Cleaning:
    """Removes what is older than the settings say.

    :param clock: the present moment
    """

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        #: Payloads of runs before this moment are gone; None = not known.
        self._stripped: datetime | None = None

    async def run(self) -> None:
        """Clean up now and then until cancelled."""
        while True:
            try:
                await self.clean()
            except IntegrationError as error:
                log.warning("old records could not be removed", reason=error.sentence("en"))
            await asyncio.sleep(_EVERY)

    async def clean(self) -> None:
        """Remove everything that is too old now."""
        keep = self._settings
        payloads_before = self._ago(keep.keep_payloads)
        removed = {
            "runs": await self._in_bites(partial(prune_runs, before=self._ago(keep.keep_runs))),
            "payloads": await self._in_bites(partial(prune_payloads, before=payloads_before, since=self._stripped)),
            "answers": await self._in_bites(partial(prune_answers, before=self._ago(keep.keep_answers))),
            "polls": await self._in_bites(forget_polls),
            "events": await self._events(self._ago(keep.keep_events)),
        }
        self._stripped = payloads_before
        if any(removed.values()):
            log.info("old records removed", **{name: count for name, count in removed.items() if count})

    def _ago(self, age: timedelta) -> datetime:
        return self._clock() - age

    async def _in_bites(self, work: Callable[[Connection], int]) -> int:
        total = 0
        while count := await self._database.awrite(work):
            total += count
            await asyncio.sleep(_PAUSE)
        return total

    async def _events(self, before: datetime) -> int:
        """Looked for while others write, because that takes longer than removing."""
        total, after = 0, 0
        while ids := await self._database.aread(partial(old_events, before=before, after=after)):
            total += await self._database.awrite(partial(delete_events, ids=ids))
            after = ids[-1]
            await asyncio.sleep(_PAUSE)
        return total

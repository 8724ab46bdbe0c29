"""Looking documents up in the ledger, several at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from sqlalchemy import Connection

from runtime.engine.notes import Place
from runtime.store.database import Database
from runtime.store.ledger import Delivery, latest

__all__ = ["Lookup"]

#: Seconds for which a query waits for more to ask.
_GATHER = 0.005


class Lookup:
    """Whoever asks while a query is under way is answered by the next one, together with all others that wait."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[Place, asyncio.Future[Delivery | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, place: Place) -> Delivery | None:
        """The newest generation of a document, or None if the ledger does not know it."""
        future = self._waiting.get(place)
        if future is None:
            future = self._waiting[place] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER)
                asked, self._waiting = self._waiting, {}
                try:
                    found = await self._db.aread(partial(_find, list(asked)))
                except Exception as error:
                    for future in asked.values():
                        future.set_exception(error)
                else:
                    for place, future in asked.items():
                        future.set_result(found.get(place))
        finally:
            self._task = None


def _find(places: list[Place], connection: Connection) -> dict[Place, Delivery]:
    keys: dict[tuple[str, str, str], list[Place]] = defaultdict(list)
    for place in places:
        keys[place.mapping, place.flow, place.source].append(place)
    found = {}
    for (mapping, flow, source), group in keys.items():
        by_key = {place.document_key: place for place in group}
        rows = latest(connection, mapping=mapping, flow=flow, source=source, keys=by_key.keys())
        found.update({by_key[key]: delivery for key, delivery in rows.items()})
    return found

"""What a document has noted for the ledger, and what of that is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from runtime.connectors.actions import Effect
from runtime.engine.inquiry import Flights
from runtime.errors import OutcomeUnknown, RetryLater
from runtime.faultpoints import FaultPoint, reach
from runtime.store.database import Database
from runtime.store.entries import Contradicted, Entry, IfTaken
from runtime.store.ledger import RUN_SOURCES, Delivery, DeliveryState, EffectRecord, EffectState
from runtime.store.overlap import Claim

__all__ = ["Notes", "Place"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a document is called in the ledger, whatever its generation."""

    mapping: str
    flow: str
    source: str
    document_key: str


class Notes:
    """The effects of one generation of one document, in memory and on their way into the ledger.

    Whatever was noted goes into the next commit. Nothing of it counts as committed before the database says so.

    :param key: the document's key with its own type
    :param since: the document was read after this
    :param standing: what the ledger holds of this generation, if anything
    """

    def __init__(
        self,
        db: Database,
        place: Place,
        key: Any,
        *,
        since: datetime,
        standing: Delivery | None,
        generation: int,
        flights: Flights,
    ) -> None:
        self.place = place
        self.generation = standing.generation if standing is not None else generation
        self.state = standing.state if standing is not None else DeliveryState.OPEN
        self.id = standing.id if standing is not None else None
        #: By step.
        self.effects = dict(standing.effects) if standing is not None else {}
        #: Columns of the delivery that go into the next commit.
        self.changes: dict[str, Any] = {}
        self._db = db
        self._key = key
        self._since = since
        #: What is not known to be committed.
        self._unsaved: dict[str, EffectRecord] = {}
        self._saving = asyncio.Lock()
        #: Whether the ledger may hold the delivery although nobody told its id: it is not written to any more.
        self._doubtful = False
        self._soon: asyncio.Handle | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._flights = flights
        #: Calls whose answer is still to come, or to be committed.
        self._aloft: dict[str, EffectRecord] = {}

    def add(self, record: EffectRecord) -> None:
        """Note it for the next commit."""
        self.effects[record.step] = record
        self._unsaved[record.step] = record

    def add_soon(self, record: EffectRecord) -> None:
        """Note it; it is on its way as soon as the document waits for anything, unless a commit takes it along."""
        self.add(record)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._send)

    @property
    def owing(self) -> bool:
        """Whether what a ``create`` came to is not committed yet."""
        return any(one.effect == Effect.CREATE for one in self._unsaved.values())

    async def save(self) -> None:
        """Returns when everything noted before is committed.

        :raises OutcomeUnknown: a person decides about this document
        :raises RetryLater: the state database does not answer, or did not when the delivery was to be recorded
        """
        async with self._saving:
            await self._commit()

    async def save_with(self, record: EffectRecord) -> None:
        """Note it and commit it with everything noted before; if that fails it is not noted either.

        :raises TakenByAnother: what was found by looking is recorded for another document
        :raises SentElsewhere: it is an intent, and another flow has sent the document
        :raises OutcomeUnknown: a person decides about this document
        """
        async with self._saving:
            noted, unsaved = self.effects.get(record.step), self._unsaved.get(record.step)
            self.add(record)
            try:
                await self._commit()
            except BaseException:
                _put_back(self.effects, record.step, noted)
                _put_back(self._unsaved, record.step, unsaved)
                raise

    def last_entry(self, changes: Mapping[str, Any]) -> Entry | None:
        """What ends the document's turn, for the caller to write; None if it never had an effect."""
        self._cancel()
        unsaved = tuple(self._unsaved.values())
        if self.id is None and (self._doubtful or not unsaved):
            return None
        if self.state is DeliveryState.UNKNOWN:
            # That is committed already, and a person may have decided since.
            return Entry(delivery={"id": self.id}, effects=unsaved) if unsaved and self.id is not None else None
        return self._entry(changes, unsaved, IfTaken.LEAVE)

    def take_off(self, intent: EffectRecord) -> None:
        """A call is under way from now on, until what it came to is committed."""
        self._flights.begin(intent)
        self._aloft[intent.step] = intent

    def land(self, step: str) -> None:
        """It is not under way any more."""
        intent = self._aloft.pop(step, None)
        if intent is not None:
            self._flights.end(intent)

    def leave(self) -> None:
        """The document's turn is over; what is on its way gets there all the same."""
        for step in list(self._aloft):
            self.land(step)

    async def _commit(self) -> None:
        self._cancel()
        try:
            await self._begin()
        except Contradicted as reason:
            self.state = DeliveryState.UNKNOWN
            raise OutcomeUnknown(
                "对账采用的内容后来确认属于另一张单据，此单据等待人工处理",
                "What was adopted by reconciliation turned out to be another document's; a person decides",
                where=self.place.document_key,
            ) from reason

    def _begin(self) -> asyncio.Future[int | None]:
        if self._doubtful:
            raise RetryLater(
                "状态数据库没有答复这张单据是否已登记，下次运行再处理",
                "The state database did not say whether this document was recorded; the next run goes on with it",
                where=self.place.document_key,
            )
        unsaved = dict(self._unsaved)
        # Where this document itself says that it is unknown there is nothing to be told by others.
        if_taken = IfTaken.WRITE if self.state is DeliveryState.UNKNOWN else IfTaken.REFUSE
        write = self._db.begin_write(self._entry({}, tuple(unsaved.values()), if_taken))
        write.add_done_callback(partial(self._saved, unsaved))
        return write

    def _saved(self, unsaved: Mapping[str, EffectRecord], write: asyncio.Future[int | None]) -> None:
        if write.cancelled() or write.exception() is not None:
            lost = write.cancelled() or isinstance(write.exception(), RetryLater)
            self._doubtful = self._doubtful or (lost and self.id is None)
            return
        self.id = write.result()
        for step, record in unsaved.items():
            if self._unsaved.get(step) is record:
                del self._unsaved[step]
            if record.effect == Effect.CREATE and record.state is EffectState.DONE:
                self.land(step)
                reach(FaultPoint.AFTER_RESULT)

    def _entry(self, changes: Mapping[str, Any], effects: tuple[EffectRecord, ...], if_taken: IfTaken) -> Entry:
        row = {**self.changes, **changes}
        if self.id is not None:
            row["id"] = self.id
        else:
            row = {
                "mapping": self.place.mapping,
                "flow": self.place.flow,
                "source": self.place.source,
                "document_key": self.place.document_key,
                "generation": self.generation,
                "document": self._key,
                "state": DeliveryState.OPEN,
                **row,
            }
        resumed = self.state is DeliveryState.RESOLVED
        return Entry(delivery=row, effects=effects, if_taken=if_taken, resumed=resumed, claim=self._claim(effects))

    def _claim(self, effects: Sequence[EffectRecord]) -> Claim | None:
        intent = next((one for one in effects if one.state is EffectState.INTENT), None)
        if intent is None or self.place.source.startswith(RUN_SOURCES):
            return None
        sent = {"connection": intent.connection, "action": intent.action, "digest": intent.digest}
        return Claim(**vars(self.place), **sent, since=self._since)

    def _send(self) -> None:
        self._soon = None
        if not self._saving.locked():
            self._begin()
            return
        # Another branch of the document is committing what was noted before.
        task = asyncio.create_task(self.save())
        self._late.add(task)
        task.add_done_callback(self._sent_late)

    def _sent_late(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            # What failed is still noted, and fails again where somebody waits for it.
            task.exception()

    def _cancel(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None


def _put_back(records: dict[str, EffectRecord], step: str, record: EffectRecord | None) -> None:
    if record is not None:
        records[step] = record
    else:
        records.pop(step, None)

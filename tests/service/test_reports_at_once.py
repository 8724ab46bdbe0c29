"""Reports on one approval that come at the same moment, or again after they were forgotten: none is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from runtime.connectors.events import Event
from runtime.errors import CallbackRejected
from runtime.mapping.document import parse_mapping
from runtime.service.idempotency import Idempotency, unnamed_key
from runtime.service.intake import Intake
from runtime.service.reports import Reports
from runtime.service.requests import reported_event
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.inbox import InboxEvent, event_done, event_failed, ledger_key, list_events
from runtime.store.ledger import DeliveryState, save
from runtime.store.tables import inbox

REPORT = {
    "connection": "oa",
    "instance_id": "{{ request.body.id }}",
    "outcome": "{{ {'Y': 'agreed', 'N': 'refused'}[request.body.said] }}",
    "wait": 0,
}
MAPPING = parse_mapping(
    {
        "format": 1,
        "id": "m",
        "connections": {"oa": "weaver"},
        "flows": {"verdict": {"trigger": {"http": {"event": REPORT}}, "steps": [{"respond": {"body": 1}}]}},
    }
)


class Desk:
    """Takes reports in; nobody carries them out but the test."""

    def __init__(self, db: Database) -> None:
        self.db = db
        nobody: Any = None
        idempotency = Idempotency(db, keep=timedelta(days=7))
        self._reports = Reports(nobody, idempotency, Intake(db, stored=lambda: None), nobody)

    async def report(self, said: str, words: str = "") -> None:
        asked = {"method": "POST", "query": {}, "headers": {}, "body": {"id": "1", "said": said, "words": words}}
        event = reported_event(MAPPING, "verdict", asked)
        assert event is not None
        key = unnamed_key(MAPPING, "verdict", asked, prefix=event.key)
        await self._reports.answer(MAPPING, "verdict", asked, event, key, named=False)

    @property
    def events(self) -> list[InboxEvent]:
        return self.db.read(list_events)[::-1]

    def carried_out(self) -> None:
        """Every report, with an effect that the ledger holds."""
        for item in self.events:
            row = {
                "mapping": "m", "flow": "verdict", "source": "event:weaver", "document_key": ledger_key(item.event),
                "generation": 1, "document": "1", "state": DeliveryState.COMPLETE, "completed_at": utc_now(),
            }  # fmt: skip
            if item.state != "done":
                self.db.write(lambda connection, row=row: save(connection, row, ()))
                self.db.write(lambda connection, item=item: event_done(connection, item.id))

    @property
    def turns(self) -> list[tuple[str, int, bool]]:
        found = [(item.event.raw["request"]["body"]["said"], item.event) for item in self.events]
        return [(said, event.raw["turn"], event.raw["changes"]) for said, event in found]


@pytest.fixture
def desk(state_url: str) -> Any:
    database = Database.open(state_url)
    yield Desk(database)
    database.close()


async def test_each_of_two_reports_at_once_knows_of_the_one_before_it(desk: Desk) -> None:
    await desk.report("Y")
    desk.carried_out()
    await asyncio.gather(desk.report("N"), desk.report("Y", "again"))
    assert desk.turns == [("Y", 1, False), ("N", 1, True), ("Y", 2, True)]


async def test_a_report_that_comes_again_is_given_time_anew(desk: Desk) -> None:
    await desk.report("Y")
    error = CallbackRejected("不一致", "It says otherwise")
    [item] = desk.events
    yesterday = utc_now() - timedelta(days=1)

    def held(connection: Any) -> None:
        event_failed(connection, item.id, error=error, next_attempt_at=None)
        connection.execute(inbox.update().values(received_at=yesterday))

    desk.db.write(held)
    await desk.report("Y")
    [again] = desk.events
    assert (again.id, again.state) == (item.id, "new")
    assert again.received_at > yesterday + timedelta(hours=23)


@pytest.mark.parametrize("forgotten", [1, 2])
async def test_a_verdict_that_comes_back_after_the_reports_were_forgotten_is_a_turn_of_its_own(
    desk: Desk, forgotten: int
) -> None:
    for said in "YN":
        await desk.report(said)
        desk.carried_out()
    first: list[Event] = [item.event for item in desk.events]
    ids = [item.id for item in desk.events[:forgotten]]
    desk.db.write(lambda connection: connection.execute(inbox.delete().where(inbox.c.id.in_(ids))))
    # The first one, delivered again after months, or a new verdict: that cannot be told, so it is not simply believed.
    await desk.report("Y")
    *_, back = desk.events
    assert ledger_key(back.event) not in map(ledger_key, first)
    assert back.event.raw["changes"]
    assert back.event.raw["doubtful"]

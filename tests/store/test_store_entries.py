"""What documents commit together: the same as one after the other, whatever gets into each other's way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.entries import Contradicted, Entry, IfTaken
from runtime.store.instances import TakenByAnother
from runtime.store.ledger import Delivery, DeliveryState, EffectRecord, EffectState, get_delivery, save
from runtime.store.listings import list_deliveries
from runtime.store.runs import list_run_documents, start_run


@pytest.fixture
def db(state_url: str) -> Iterator[Database]:
    opened = Database.open(state_url)
    yield opened
    opened.close()


def effect(instance: str = "", **values: Any) -> EffectRecord:
    plain = {
        "step": "approval", "effect": "create", "state": EffectState.DONE if instance else EffectState.INTENT,
        "connection": "oa", "action": "create_approval", "digest": "d", "instance_id": instance,
        "started_at": utc_now(),
    }  # fmt: skip
    return EffectRecord(**{**plain, **values})


def begun(key: str) -> Entry:
    row = {
        "mapping": "m", "flow": "f", "source": "erp/Drafts", "document_key": key, "generation": 1, "document": key,
        "state": DeliveryState.OPEN,
    }  # fmt: skip
    return Entry(delivery=row, effects=(effect(),))


async def together(db: Database, entries: list[Entry]) -> list[Any]:
    """In one transaction: the writer is kept busy until all of them wait."""
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_connection: Any) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)

    first = db.begin_write(hold)
    writes = [db.begin_write(entry) for entry in entries]
    go_on.set()
    await first
    return await asyncio.gather(*writes, return_exceptions=True)


async def deliveries(db: Database, count: int) -> list[int]:
    return await together(db, [begun(f"k{number}") for number in range(count)])


def found(db: Database, delivery_id: int) -> Delivery:
    one = db.read(lambda connection: get_delivery(connection, delivery_id))
    assert one is not None
    return one


async def test_many_begin_go_on_and_end(db: Database) -> None:
    ids = await deliveries(db, 20)
    assert [found(db, one).document for one in ids] == [f"k{number}" for number in range(20)]
    db.write(lambda connection: start_run(connection, "r", mapping="m", flow="f", cause="manual", request={}))
    answered = [
        Entry(delivery={"id": one, "instance_id": f"i{one}"}, effects=(effect(f"i{one}"),), if_taken=IfTaken.REFUSE)
        for one in ids
    ]
    ended = [
        Entry(
            delivery={"id": one, "state": DeliveryState.COMPLETE, "note": str(number)},
            if_taken=IfTaken.LEAVE,
            record={
                "run_id": "r", "position": number, "document": str(one), "state": "done", "started_at": utc_now(),
                "elapsed_ms": 1, "error": None, "note": "",
            },
            steps=lambda: b"[]",
        )
        for number, one in enumerate(ids, 1)
    ]  # fmt: skip
    assert await together(db, [*answered, *ended, begun("late")]) == [*ids, *ids, ids[-1] + 1]
    for number, one in enumerate(ids, 1):
        now = found(db, one)
        assert (now.state, now.instance_id, now.note) == ("complete", f"i{one}", str(number))
        assert now.effects["approval"].state is EffectState.DONE
    records = db.read(lambda connection: list_run_documents(connection, "r"))
    assert [one.document for one in records] == [str(one) for one in ids]


async def test_of_two_that_found_the_same_the_second_is_refused_and_the_others_are_written(db: Database) -> None:
    ids = await deliveries(db, 3)
    entries = [
        Entry(delivery={"id": ids[0]}, effects=(effect("same", adopted=True),)),
        Entry(delivery={"id": ids[1]}, effects=(effect("same", adopted=True),)),
        Entry(delivery={"id": ids[2]}, effects=(effect("other"),)),
    ]
    results = await together(db, entries)
    assert (results[0], type(results[1]), results[2]) == (ids[0], TakenByAnother, ids[2])
    states = [found(db, one).effects["approval"].state for one in ids]
    assert states == [EffectState.DONE, EffectState.INTENT, EffectState.DONE]


async def test_an_answer_takes_what_another_had_adopted_also_within_one_commit(db: Database) -> None:
    ids = await deliveries(db, 2)
    entries = [
        Entry(delivery={"id": ids[0]}, effects=(effect("same", adopted=True),)),
        Entry(delivery={"id": ids[1]}, effects=(effect("same"),)),
    ]
    assert await together(db, entries) == ids
    assert [found(db, one).state for one in ids] == ["unknown", "open"]


@pytest.mark.parametrize(
    ("state", "resumed", "taken"), [("unknown", False, True), ("resolved", False, True), ("resolved", True, False)]
)
async def test_what_a_person_decides_about_is_out_of_the_writers_hands(
    db: Database, state: str, resumed: bool, taken: bool
) -> None:
    ids = await deliveries(db, 3)
    db.write(lambda connection: save(connection, {"id": ids[1], "state": state}, ()))
    more = [
        Entry(delivery={"id": one, "note": "x"}, effects=(effect("", step="more"),), if_taken=IfTaken.REFUSE,
              resumed=resumed)
        for one in ids
    ]  # fmt: skip
    results = await together(db, more)
    assert [isinstance(one, Contradicted) for one in results] == [False, taken, False]
    assert ["more" in found(db, one).effects for one in ids] == [True, not taken, True]
    ended = [
        Entry(delivery={"id": one, "state": DeliveryState.COMPLETE}, if_taken=IfTaken.LEAVE, resumed=resumed)
        for one in ids
    ]
    assert await together(db, ended) == ids
    assert [found(db, one).state for one in ids] == ["complete", state if taken else "complete", "complete"]
    assert len(db.read(list_deliveries)) == 3

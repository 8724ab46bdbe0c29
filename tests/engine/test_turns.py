"""How many calls are made at a time, and what becomes of a document that waits for its turn."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from runtime.connectors.actions import Effect
from runtime.engine import document
from runtime.engine.request import RunRequest
from runtime.errors import FormGone, RetryLater
from runtime.store.columns import utc_now
from runtime.store.entries import Entry
from runtime.store.ledger import EffectState
from runtime.store.listings import list_deliveries
from runtime.store.runs import list_run_documents

MANUAL = RunRequest(cause="manual")


def holds_a_result(work: Any) -> bool:
    effects = work.effects if isinstance(work, Entry) else ()
    return any(one.effect == Effect.CREATE and one.state is EffectState.DONE for one in effects)


async def test_documents_that_wait_for_the_ledger_make_room_for_another(bench, monkeypatch) -> None:
    """Four calls at a time; no result gets into the ledger before a fifth approval was asked for."""
    bench.world.add(*range(1, 21))
    begin_write = bench.db.begin_write
    forwarding: set[asyncio.Task[None]] = set()
    fifth = asyncio.Event()

    def asked(_name: str, _params: Any) -> None:
        if bench.world.count("oa.create_approval") >= 5:
            fifth.set()

    def begin(work: Any) -> asyncio.Future[Any]:
        if not holds_a_result(work):
            return begin_write(work)
        later: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def forward() -> None:
            await fifth.wait()
            later.set_result(await begin_write(work))

        task = asyncio.create_task(forward())
        forwarding.add(task)
        task.add_done_callback(forwarding.discard)
        return later

    bench.world.before = asked
    monkeypatch.setattr(bench.db, "begin_write", begin)
    async with asyncio.timeout(20):
        summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.done, len(bench.world.approvals)) == (20, 20)
    assert 1 < bench.world.most_in_flight <= 4


async def test_a_call_whose_turn_comes_after_the_run_was_stopped_is_not_made(bench, monkeypatch) -> None:
    bench.world.add(*range(1, 31))
    begin_write, real_act = bench.db.begin_write, bench.world.act
    six = asyncio.Event()

    def effects() -> list[EffectState]:
        return [one.state for delivery in bench.db.read(list_deliveries) for one in delivery.effects.values()]

    def begin(work: Any) -> asyncio.Future[Any]:
        write = begin_write(work)
        write.add_done_callback(lambda _: six.set() if len(effects()) == 6 else None)
        return write

    async def act(*given: Any) -> Any:
        await six.wait()
        return await real_act(*given)

    def gone(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            raise FormGone("表单不存在", "The form does not exist", where="PROC-1")

    monkeypatch.setattr(bench.db, "begin_write", begin)
    monkeypatch.setattr(bench.world, "act", act)
    bench.world.before = gone
    async with asyncio.timeout(20):
        summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    documents = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    waited = [one for one in documents if one.state == "stopped"]
    assert len(waited) == 2
    for one in waited:
        assert one.steps[-1]["kind"] == "oa.create_approval"
        assert "before this call was made" in one.steps[-1]["note"]
    assert bench.world.count("oa.create_approval") == 4
    assert effects() == [EffectState.ABSENT] * 6


async def test_an_intent_that_waited_long_for_its_turn_is_committed_anew(bench, monkeypatch) -> None:
    """Whoever looks for a lost answer reckons from the time of the intent: it must not be older than the call."""
    bench.world.add(*range(1, 7))
    monkeypatch.setattr(document, "_FRESH", timedelta(seconds=0.2))
    ages: list[timedelta] = []
    real_act = bench.world.act

    async def act(name: str, *given: Any) -> Any:
        if name == "oa.create_approval":
            begun = [
                one.started_at
                for delivery in bench.db.read(list_deliveries)
                for one in delivery.effects.values()
                if one.state is EffectState.INTENT and delivery.document_key == given[0].values["名称"][1:]
            ]
            ages.append(utc_now() - begun[0])
            await asyncio.sleep(0.5)
        return await real_act(name, *given)

    monkeypatch.setattr(bench.world, "act", act)
    await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert len(ages) == 6
    assert max(ages) < timedelta(seconds=0.4)


async def test_an_intent_that_cannot_be_renewed_was_never_sent(bench, monkeypatch) -> None:
    """The database goes away while the document waits for its turn: nobody has to find out whether it was sent."""
    bench.world.add(1)
    monkeypatch.setattr(document, "_FRESH", timedelta())
    begin_write, intents = bench.db.begin_write, 0

    def begin(work: Any) -> asyncio.Future[Any]:
        nonlocal intents
        intents += isinstance(work, Entry) and any(one.state is EffectState.INTENT for one in work.effects)
        if intents != 2:
            return begin_write(work)
        intents += 1
        lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        lost.set_exception(RetryLater("没有答复", "No answer"))
        return lost

    monkeypatch.setattr(bench.db, "begin_write", begin)
    await bench.engine.run(bench.mapping(), "submit", MANUAL)
    [delivery] = bench.db.read(list_deliveries)
    assert [one.state for one in delivery.effects.values()] == [EffectState.ABSENT]
    assert not bench.world.approvals
    summary = await bench.new_engine().run(bench.mapping(), "submit", MANUAL)
    assert (summary.done, bench.world.count("oa.reconcile")) == (1, 0)


async def test_a_document_whose_first_record_got_no_answer_is_left_to_the_next_run(bench, monkeypatch) -> None:
    """It may stand in the ledger: recorded once more it would be in its own way, and its failure not be recorded."""
    bench.world.add(1)
    rows, each = bench.submit_steps
    begun = {"call": "erp.update", "with": {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": {"Seen": "Y"}}}
    mapping = bench.mapping(submit=[rows, {**each, "steps": [begun, *each["steps"]]}])
    begin_write, lost = bench.db.begin_write, 1

    def begin(work: Any) -> asyncio.Future[Any]:
        nonlocal lost
        write = begin_write(work)
        if not lost or not isinstance(work, Entry):
            return write
        lost -= 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        write.add_done_callback(lambda _: answer.set_exception(RetryLater("没有答复", "No answer")))
        return answer

    monkeypatch.setattr(bench.db, "begin_write", begin)
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.failed, summary.error) == (1, None)
    recorded = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    assert [one.error["type"] for one in recorded if one.document] == ["RetryLater"]
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.done, len(bench.world.approvals), bench.world.drafts[1]["Mark"]) == (1, 1, "Y")

"""A document that comes back: resubmitted, or shown again by a query that does not exclude delivered documents?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import RunRequest
from runtime.errors import RemoteFault, RemoteRefused
from runtime.store.instances import find_instance
from runtime.store.listings import list_deliveries
from runtime.store.runs import get_run, list_run_documents

MANUAL = RunRequest(cause="manual")


async def again(bench: Any, mapping: Any) -> Any:
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    [document] = [one for one in bench.db.read(lambda state: list_run_documents(state, summary.run_id)) if one.document]
    return summary, document


async def write_back_unrecorded(bench: Any, mapping: Any) -> None:
    """The process dies after the write-back, before it is recorded; the verdict closes the delivery."""
    bench.world.add(1)

    def die(called: str, _params: Any) -> None:
        if called == "erp.update":
            raise KeyError("process died here")

    bench.world.after = die
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.after = lambda _name, _params: None
    await bench.engine.finish_pending(mapping, "oa-1", "i1")


async def test_a_query_that_shows_delivered_documents_sends_none_twice(bench) -> None:
    bench.world.add(1)
    bench.world.excludes_marked = False
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    for _ in range(3):
        bench.new_engine()
        summary, document = await again(bench, mapping)
        assert (summary.state, summary.skipped) == ("succeeded", 1)
        assert "查询条件没有排除已送达的单据" in document.note
        assert "the query does not exclude delivered documents" in document.note
        assert "does not exclude" in summary.note
        run = bench.db.read(lambda state, run_id=summary.run_id: get_run(state, run_id))
        assert run is not None
        assert run.note == summary.note
    assert len(bench.world.approvals) == 1


async def test_a_reset_document_is_sent_again_even_so(bench) -> None:
    bench.world.add(1)
    bench.world.excludes_marked = False
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.drafts[1]["Mark"] = "N"
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert (await bench.engine.run(mapping, "submit", MANUAL)).skipped == 1
    assert len(bench.world.approvals) == 2


async def test_a_flow_without_write_back_sends_once(bench) -> None:
    bench.world.add(1)
    each = bench.submit_steps[1]
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": each["steps"][:2]}])
    await bench.engine.run(mapping, "submit", MANUAL)
    summary, document = await again(bench, mapping)
    assert (summary.skipped, len(bench.world.approvals)) == (1, 1)
    assert "没有回写记录" in document.note


async def test_a_query_that_does_not_read_the_written_fields_sends_once_and_says_so(bench) -> None:
    bench.world.add(1)
    each = bench.submit_steps[1]
    rows = {"set": {"rows": [{"DocEntry": 1, "Name": "x", "User": "u"}]}}
    mapping = bench.mapping(submit=[rows, {**each, "each": "rows"}])
    await bench.engine.run(mapping, "submit", MANUAL)
    summary, document = await again(bench, mapping)
    assert (summary.skipped, len(bench.world.approvals)) == (1, 1)
    assert "Mark, Instance" in document.note


async def test_a_document_that_had_left_the_source_was_resubmitted_when_it_comes_back(bench) -> None:
    mapping = bench.mapping()
    await write_back_unrecorded(bench, mapping)
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, bool(delivery.left_source)) == ("complete", True)
    bench.world.drafts[1]["Mark"] = "N"
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert len(bench.world.approvals) == 2


async def test_another_query_that_shows_a_document_that_had_left_proves_no_resubmission(bench) -> None:
    await write_back_unrecorded(bench, bench.mapping())
    bench.world.excludes_marked = False
    rows, each = bench.submit_steps
    changed = bench.mapping(submit=[{**rows, "with": {**rows["with"], "filter": "anything"}}, each])
    summary = await bench.engine.run(changed, "submit", MANUAL)
    assert (summary.skipped, len(bench.world.approvals)) == (1, 1)


async def test_a_connection_pointed_at_another_company_has_other_documents(bench, monkeypatch) -> None:
    """An unfinished delivery of the one company is not taken for the same key's of the other."""
    bench.world.add(1)

    def refuse(called: str, _params: Any) -> None:
        if called == "erp.update":
            raise RemoteRefused("没有这个字段", "There is no such field")

    bench.world.after = refuse
    assert (await bench.engine.run(bench.mapping(), "submit", MANUAL)).failed == 1
    bench.world.after = lambda _name, _params: None
    bench.world.drafts[1]["Mark"] = "N"
    monkeypatch.setattr(type(bench.pool.connectors["erp-1"]), "identity", "COMPANY B")
    assert (await bench.engine.run(bench.mapping(), "submit", MANUAL)).done == 1
    assert len(bench.world.approvals) == 2


async def test_updates_alone_are_repeated_without_a_word(bench) -> None:
    bench.world.add(1)
    bench.world.excludes_marked = False
    each = bench.submit_steps[1]
    touch = {"call": "erp.update", "with": {"entity": "Drafts", "key": 1, "values": {"Mark": "Y"}}}
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": [touch]}])
    for _ in range(3):
        assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert bench.world.count("erp.update") == 3


async def test_a_flow_that_stops_after_its_effect_is_complete(bench) -> None:
    bench.world.add(1)
    each = bench.submit_steps[1]
    steps = [*each["steps"], {"if": "{{ draft.DocEntry }}", "then": [{"stop": "nothing else to do"}]}]
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": steps}])
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert summary.skipped == 1
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, delivery.note) == ("complete", "nothing else to do")


async def test_a_flow_that_stops_before_its_recorded_effects_goes_on_later(bench) -> None:
    bench.world.add(1)
    each = bench.submit_steps[1]
    early = {"if": "{{ settings.closed }}", "then": [{"stop": "closed"}]}
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": [early, *each["steps"]]}])
    opened = mapping.model_copy(update={"settings": {"closed": False}})
    closed = mapping.model_copy(update={"settings": {"closed": True}})
    pending = [RemoteFault("内部错误", "Internal error")]

    def hook(called: str, _params: Any) -> None:
        if called == "erp.update" and pending:
            raise pending.pop()

    bench.world.before = hook
    await bench.engine.run(opened, "submit", MANUAL)
    assert (await bench.engine.run(closed, "submit", MANUAL)).skipped == 1
    [delivery] = bench.db.read(list_deliveries)
    assert delivery.state == "open"
    assert (await bench.engine.run(opened, "submit", MANUAL)).done == 1
    assert (len(bench.world.approvals), bench.world.drafts[1]["Mark"]) == (1, "Y")


VERDICT = Event(key="e1", type="approval.finished", instance_id="i1", outcome=Outcome.AGREED)


def overwriting(bench: Any, **values: Any) -> Any:
    """A mapping whose verdict flow writes these values into the document, too."""
    find, stop, update = bench.verdict_steps
    changed = {**update, "with": {**update["with"], "values": values}}
    return bench.mapping(submit=bench.submit_steps, verdict=[find, stop, changed])


async def judge(bench: Any, mapping: Any) -> Any:
    return await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=VERDICT))


async def test_what_a_verdict_flow_overwrites_is_no_resubmission(bench) -> None:
    bench.world.add(1)
    bench.world.excludes_marked = False
    mapping = overwriting(bench, Mark="A", Instance="over")
    await bench.engine.run(mapping, "submit", MANUAL)
    assert (await judge(bench, mapping)).state == "succeeded"
    for _ in range(2):
        bench.new_engine()
        summary, document = await again(bench, mapping)
        assert (summary.skipped, len(bench.world.approvals)) == (1, 1)
        assert "仍保留着回写的值" in document.note
    bench.world.drafts[1]["Mark"] = "N"
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert len(bench.world.approvals) == 2


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_verdict_that_got_no_answer_is_no_resubmission_either(bench, moment: str) -> None:
    """Its values are in the ledger before they can be seen in the document."""
    bench.world.add(1)
    bench.world.excludes_marked = False
    mapping = overwriting(bench, Mark="A")
    await bench.engine.run(mapping, "submit", MANUAL)

    def lose(called: str, _params: Any) -> None:
        if called == "erp.update":
            raise KeyError("process died here")

    setattr(bench.world, moment, lose)
    await judge(bench, mapping)
    bench.world.before = bench.world.after = lambda _name, _params: None
    bench.new_engine()
    assert (await bench.engine.run(mapping, "submit", MANUAL)).skipped == 1
    assert len(bench.world.approvals) == 1


async def test_a_verdict_that_lands_while_the_document_is_looked_at_is_no_resubmission(bench, monkeypatch) -> None:
    bench.world.add(1)
    bench.world.excludes_marked = False
    mapping = overwriting(bench, Mark="A")
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.drafts[1]["Mark"] = "B"
    erp = bench.pool.connectors["erp-1"]
    reread = erp.actions["query"].reread

    async def slow(params: Any, row: Any) -> Any:
        assert (await judge(bench, mapping)).state == "succeeded"
        return await reread(params, row)

    object.__setattr__(erp.actions["query"], "reread", slow)
    assert (await bench.engine.run(mapping, "submit", MANUAL)).skipped == 1
    assert len(bench.world.approvals) == 1


async def test_a_flow_that_puts_everything_back_has_the_document_sent_again(bench) -> None:
    bench.world.add(1)
    mapping = overwriting(bench, Mark="N", Instance="")
    await bench.engine.run(mapping, "submit", MANUAL)
    await judge(bench, mapping)
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert len(bench.world.approvals) == 2


@pytest.mark.parametrize(("reset", "note"), [({}, "仍保留着回写的值"), ({"Mark": "N"}, "回写是否完成没有记录")])
async def test_a_write_back_that_was_not_recorded_is_recognised_in_the_document(
    bench, reset: dict[str, str], note: str
) -> None:
    """What it was to write is recorded: a document that holds it was not resubmitted, of another nobody can tell."""
    await write_back_unrecorded(bench, bench.mapping())
    bench.world.excludes_marked = False
    bench.world.drafts[1].update(reset)
    rows, each = bench.submit_steps
    changed = bench.mapping(submit=[{**rows, "with": {**rows["with"], "filter": "anything"}}, each])
    summary, document = await again(bench, changed)
    assert (summary.skipped, len(bench.world.approvals)) == (1, 1)
    assert note in document.note


async def test_a_write_back_costs_no_commit_of_its_own(bench, monkeypatch) -> None:
    bench.world.add(1)
    written: list[list[tuple[str, str]]] = []
    begin = bench.db.begin_write

    def begin_write(work: Any) -> Any:
        if found := [(one.effect, str(one.state)) for one in getattr(work, "effects", ())]:
            written.append(found)
        return begin(work)

    monkeypatch.setattr(bench.db, "begin_write", begin_write)
    await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert written == [[("create", "intent")], [("create", "done"), ("update", "sending")], [("update", "done")]]


async def test_what_is_created_is_recorded_while_the_document_waits_for_something_else(bench, monkeypatch) -> None:
    bench.world.add(1)
    find = {"call": "erp.find", "with": {"entity": "Drafts", "key": 1}}
    mapping = bench.mapping(submit=bench.submit_with(find))
    seen: list[str] = []

    async def look(_params: Any) -> None:
        async with asyncio.timeout(20):
            while bench.db.read(lambda state: find_instance(state, "oa-1", "i1")) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        seen.append("recorded")

    object.__setattr__(bench.pool.connectors["erp-1"].actions["find"], "run", look)
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert seen == ["recorded"]

"""The main job: every draft becomes one approval and is marked; whatever happens on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runtime.connectors.actions import Finding
from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import RunRequest
from runtime.errors import (
    FormGone,
    OutcomeUnknown,
    RemoteFault,
    RemoteRefused,
    RetryLater,
    TimedOut,
    Unreachable,
    ValueRefused,
)
from runtime.store.instances import find_instance
from runtime.store.listings import list_deliveries
from runtime.store.runs import get_run, list_run_documents, list_runs

MANUAL = RunRequest(cause="manual")


def fail_once(error: Exception, name: str, key: Any = None) -> Any:
    """A hook that raises once."""
    pending = [error]

    def hook(called: str, params: Any) -> None:
        if called == name and pending and (key is None or getattr(params, "key", None) == key):
            raise pending.pop()

    return hook


async def test_each_draft_becomes_one_approval_and_is_marked(bench) -> None:
    bench.world.add(*range(1, 41))
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.state, summary.total, summary.done) == ("succeeded", 40, 40)
    assert len(bench.world.approvals) == 40
    assert {row["Mark"] for row in bench.world.drafts.values()} == {"Y"}
    assert 1 < bench.world.most_in_flight <= 4
    run = bench.db.read(lambda state: get_run(state, summary.run_id))
    assert run is not None
    assert (run.state, run.total, run.done, run.cause) == ("succeeded", 40, 40, "manual")
    documents = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    assert [one.document for one in documents] == ["", *map(str, range(1, 41))]
    steps = documents[1].steps
    assert [(step["step"], step["kind"]) for step in steps] == [
        ("each.draft/form", "map"),
        ("each.draft/approval", "oa.create_approval"),
        ("each.draft/erp.update", "erp.update"),
    ]
    assert steps[0]["output"] == {"名称": "d1"}
    assert steps[1]["output"]["instance_id"] in bench.world.approvals
    deliveries = bench.db.read(list_deliveries)
    assert {one.state for one in deliveries} == {"complete"}
    assert {one.instance_id for one in deliveries} == set(bench.world.approvals)


async def test_one_bad_document_does_not_stop_the_others(bench) -> None:
    bench.world.add(1, 2, 3)
    del bench.world.drafts[2]["Name"]
    bench.world.before = fail_once(RemoteRefused("余额不足", "No budget", code="-10"), "erp.update", key=3)
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.state, summary.done, summary.failed) == ("partial", 1, 2)
    documents = {one.document: one for one in bench.db.read(lambda state: list_run_documents(state, summary.run_id))}
    assert documents["2"].error["type"] == "MappingFailed"
    assert "Name" in documents["2"].error["en"]
    assert documents["3"].error["code"] == "-10"
    again = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (again.done, again.failed) == (1, 1)
    assert len(bench.world.approvals) == 2


async def test_an_update_that_failed_is_repeated_without_a_second_approval(bench) -> None:
    bench.world.add(1)
    bench.world.before = fail_once(RemoteFault("内部错误", "Internal error"), "erp.update")
    first = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (first.state, first.failed) == ("failed", 1)
    bench.new_engine()
    second = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (second.state, second.done) == ("succeeded", 1)
    assert bench.world.count("oa.create_approval") == 1
    assert bench.world.drafts[1]["Instance"] == "i1"


@pytest.mark.parametrize("lost", [OutcomeUnknown, TimedOut, RemoteFault])
async def test_a_lost_answer_is_found_at_once(bench, lost) -> None:
    bench.world.add(1)
    bench.world.after = fail_once(lost("没有答复", "No answer"), "oa.create_approval")
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.state, summary.done) == ("succeeded", 1)
    assert (bench.world.count("oa.create_approval"), bench.world.count("oa.reconcile")) == (1, 1)
    [delivery] = bench.db.read(list_deliveries)
    assert delivery.effects["each.draft/approval"].adopted


async def test_nothing_is_sent_again_while_the_first_attempt_may_be_under_way(bench) -> None:
    bench.new_engine(settle=timedelta(hours=1))
    bench.world.add(1)
    bench.world.before = fail_once(OutcomeUnknown("没有答复", "No answer"), "oa.create_approval")
    mapping = bench.mapping()
    first = await bench.engine.run(mapping, "submit", MANUAL)
    assert (first.state, first.failed, first.unknown) == ("failed", 1, 0)
    second = await bench.engine.run(mapping, "submit", MANUAL)
    assert second.failed == 1
    assert bench.world.count("oa.create_approval") == 1
    bench.new_engine(settle=timedelta(0))
    third = await bench.engine.run(mapping, "submit", MANUAL)
    assert (third.done, len(bench.world.approvals)) == (1, 1)


async def test_an_unclear_outcome_is_never_sent_again(bench) -> None:
    bench.world.add(1)
    bench.world.finding = Finding.UNCLEAR
    bench.world.before = fail_once(OutcomeUnknown("没有答复", "No answer"), "oa.create_approval")
    mapping = bench.mapping()
    assert (await bench.engine.run(mapping, "submit", MANUAL)).failed == 1
    second = await bench.engine.run(mapping, "submit", MANUAL)
    assert (second.state, second.unknown) == ("failed", 1)
    bench.world.finding = Finding.ABSENT
    bench.new_engine()
    third = await bench.engine.run(mapping, "submit", MANUAL)
    assert third.unknown == 1
    assert bench.world.count("oa.create_approval") == 1
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, delivery.error["zh"].split(" — ")[-1].split("。")[0]) == ("unknown", "查不清")
    [document] = [
        one for one in bench.db.read(lambda state: list_run_documents(state, third.run_id)) if one.document == "1"
    ]
    assert document.state == "unknown"
    assert document.steps == []
    for language, hint in (("zh", OutcomeUnknown.hint_zh), ("en", OutcomeUnknown.hint_en)):
        assert document.error[language].count(hint) == 1


@pytest.mark.parametrize("refusal", [RemoteRefused, Unreachable, ValueRefused])
async def test_a_refused_create_is_sent_again_without_reconciliation(bench, refusal) -> None:
    bench.world.add(1)
    bench.world.before = fail_once(refusal("拒绝", "Refused"), "oa.create_approval")
    mapping = bench.mapping()
    assert (await bench.engine.run(mapping, "submit", MANUAL)).failed == 1
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert (bench.world.count("oa.reconcile"), len(bench.world.approvals)) == (0, 1)


async def test_reconciliation_looks_for_what_was_sent_then_not_for_what_would_be_sent_now(bench) -> None:
    bench.world.add(1)
    bench.world.after = fail_once(KeyError("answer"), "oa.create_approval")
    mapping = bench.mapping()
    assert (await bench.engine.run(mapping, "submit", MANUAL)).failed == 1
    bench.world.drafts[1]["Name"] = "edited meanwhile"
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert [one["values"] for one in bench.world.approvals.values()] == [{"名称": "d1"}]


async def test_a_wrong_setup_stops_the_run_with_one_error(bench) -> None:
    bench.world.add(*range(1, 31))

    def gone(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            raise FormGone("表单不存在", "The form does not exist", where="PROC-1")

    bench.world.before = gone
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert summary.state == "failed"
    assert isinstance(summary.error, FormGone)
    assert bench.world.count("oa.create_approval") <= 4
    assert summary.total <= 6


async def test_a_resubmitted_document_is_a_new_generation(bench) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.drafts[1].update(Mark="N", Name="second")
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert summary.done == 1
    assert bench.world.count("erp.reread") == 1
    assert len(bench.world.approvals) == 2
    assert bench.world.drafts[1]["Instance"] == "i2"
    assert sorted(one.generation for one in bench.db.read(list_deliveries)) == [1, 2]


@pytest.mark.parametrize("query", ["erp.query", "erp.slow_query"])
async def test_a_stale_read_of_a_delivered_document_is_skipped(bench, query) -> None:
    bench.world.add(1, 2)
    steps = [{**bench.submit_steps[0], "call": query}, *bench.submit_steps[1:]]
    mapping = bench.mapping(submit=steps)
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.drafts[1]["Mark"] = "N"

    def marked_meanwhile(name: str, key: Any) -> None:
        if name == "oa.create_approval":
            raise AssertionError("sent again")

    bench.world.before = marked_meanwhile
    stale = dict(bench.world.drafts[1])
    erp = bench.pool.connectors["erp-1"]
    real = erp.query
    answers = [[stale], []]

    async def cached(params: Any) -> Any:
        if not answers:
            return await real(params)
        rows = answers.pop(0)

        async def stream() -> Any:
            for row in rows:
                yield row

        return stream()

    action = erp.actions[query.partition(".")[2]]
    object.__setattr__(action, "run", cached)
    bench.world.drafts[1]["Mark"] = "Y"
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.state, summary.skipped) == ("succeeded", 1)
    assert len(bench.world.approvals) == 2


async def test_a_document_that_appears_twice_is_sent_once(bench) -> None:
    bench.world.add(1)
    doubled = [
        {"set": {"rows": [{"DocEntry": 1, "Name": "x", "User": "u"}] * 5}},
        {**bench.submit_steps[1], "each": "rows"},
    ]
    summary = await bench.engine.run(bench.mapping(submit=doubled), "submit", MANUAL)
    assert summary.done >= 1
    assert summary.total == 5
    assert bench.world.most_in_flight == 1


async def test_a_renamed_step_does_not_create_anew(bench) -> None:
    bench.world.add(1)
    bench.world.before = fail_once(RemoteFault("内部错误", "Internal error"), "erp.update")
    await bench.engine.run(bench.mapping(), "submit", MANUAL)
    each = bench.submit_steps[1]
    renamed = [
        each["steps"][0],
        {**each["steps"][1], "id": "flow_instance"},
        {
            "call": "erp.update",
            "with": {"entity": "Drafts", "key": 1, "values": {"Instance": "{{ flow_instance.instance_id }}"}},
        },
    ]
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": renamed}])
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.unknown, len(bench.world.approvals)) == (1, 1)


async def test_another_connection_does_not_get_the_recorded_result(bench) -> None:
    bench.world.add(1)
    bench.world.before = fail_once(RemoteFault("内部错误", "Internal error"), "erp.update")
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    elsewhere = mapping.model_copy(update={"connections": {"erp": "erp-2", "oa": "oa-1"}})
    bench.world.drafts[1]["Name"] = "of the other company"
    summary = await bench.engine.run(elsewhere, "submit", MANUAL)
    assert summary.done == 1
    assert len(bench.world.approvals) == 2


def finished(instance: str, key: str = "e1") -> Event:
    return Event(key=key, type="approval.finished", instance_id=instance, outcome=Outcome.AGREED)


async def test_the_verdict_finds_its_document(bench) -> None:
    bench.world.add(7)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert summary.state == "succeeded"
    assert bench.world.drafts[7]["Status"] == "agreed"
    delivery = bench.db.read(lambda state: find_instance(state, "oa-1", "i1"))
    assert delivery is not None
    assert (delivery.document, delivery.outcome) == (7, "agreed")


async def test_the_verdict_on_another_mappings_approval_names_no_document_of_ours(bench) -> None:
    """Two companies number their documents alike: the number of one must not be looked up in the other."""
    bench.world.add(7)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    copy = mapping.model_copy(update={"id": "of-the-other-company"})
    bench.world.drafts[7]["Instance"] = "an approval of the other company"
    summary = await bench.engine.run(copy, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert summary.state == "succeeded"
    assert "Status" not in bench.world.drafts[7]


async def test_a_verdict_that_overtakes_its_write_back_finishes_it_first(bench) -> None:
    bench.world.add(7)
    mapping = bench.mapping()
    bench.world.before = fail_once(RemoteFault("内部错误", "Internal error"), "erp.update")
    await bench.engine.run(mapping, "submit", MANUAL)
    assert bench.world.drafts[7]["Mark"] == "N"
    bench.new_engine()
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert summary.state == "succeeded"
    assert (bench.world.drafts[7]["Mark"], bench.world.drafts[7]["Status"]) == ("Y", "agreed")
    assert bench.world.count("oa.create_approval") == 1


async def test_a_write_back_that_got_no_answer_but_happened_is_taken_as_done(bench) -> None:
    bench.world.add(7)
    mapping = bench.mapping()
    bench.world.after = fail_once(TimedOut("超时", "Timed out"), "erp.update")
    await bench.engine.run(mapping, "submit", MANUAL)
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert (summary.state, bench.world.drafts[7]["Status"]) == ("succeeded", "agreed")
    states = {one.flow: one.state for one in bench.db.read(list_deliveries)}
    assert states == {"submit": "complete", "verdict": "complete"}


async def test_a_verdict_waits_while_an_approval_has_no_recorded_id(bench) -> None:
    bench.world.add(7)
    bench.new_engine(settle=timedelta(hours=1))
    mapping = bench.mapping()
    bench.world.after = fail_once(KeyError("process died here"), "oa.create_approval")
    await bench.engine.run(mapping, "submit", MANUAL)
    early = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert isinstance(early.error, RetryLater)
    await bench.engine.run(mapping, "submit", MANUAL)
    late = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=finished("i1")))
    assert (late.state, bench.world.drafts[7]["Status"]) == ("succeeded", "agreed")


async def test_an_event_carried_out_twice_has_one_effect(bench) -> None:
    steps = [{"id": "note", "call": "oa.comment", "with": {"text": "{{ event.instance_id }}"}}]
    mapping = bench.mapping(verdict=steps)
    request = RunRequest(cause="event", event=finished("foreign"))
    for _ in range(3):
        assert (await bench.engine.run(mapping, "verdict", request)).state == "succeeded"
    assert bench.world.comments == ["foreign"]


async def test_a_named_request_has_one_effect(bench) -> None:
    steps = [
        {"id": "note", "call": "oa.comment", "with": {"text": "{{ request.body }}"}},
        {"respond": {"status": 201, "body": "{{ note.number }}"}},
    ]
    mapping = bench.mapping(inbound=steps)
    request = RunRequest(cause="http", request={"body": "hello"}, document_key="key-1")
    answers = [(await bench.engine.run(mapping, "inbound", request)).response for _ in range(2)]
    assert [(one.status, one.body) for one in answers] == [(201, 1), (201, 1)]
    assert bench.world.comments == ["hello"]


async def test_a_verdict_that_the_ledger_did_not_take_down_is_carried_out_again(bench, monkeypatch) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    awrite, lost = bench.db.awrite, 1

    async def lossy(work: Any) -> Any:
        nonlocal lost
        if lost and "_conclude" in getattr(work, "__qualname__", ""):
            lost -= 1
            raise RetryLater("没有答复", "No answer")
        return await awrite(work)

    monkeypatch.setattr(bench.db, "awrite", lossy)
    request = RunRequest(cause="event", event=finished("i1"))
    summary = await bench.engine.run(mapping, "verdict", request)
    assert (summary.state, type(summary.error)) == ("failed", RetryLater)
    assert {run.state for run in bench.db.read(list_runs)} == {"succeeded", "failed"}
    summary = await bench.engine.run(mapping, "verdict", request)
    assert summary.state == "succeeded"
    assert bench.world.count("erp.update") == 2

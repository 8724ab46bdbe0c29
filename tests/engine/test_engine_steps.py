"""The step kinds, streams, stopping, and what errors name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.engine import call
from runtime.engine.engine import Progress, RunRequest
from runtime.errors import BadMapping, MappingFailed, RemoteRefused, Unreachable
from runtime.store.listings import list_deliveries
from runtime.store.runs import get_run, list_run_documents

MANUAL = RunRequest(cause="manual")


async def answer(bench, *steps: dict[str, Any], **flows: list[dict[str, Any]]) -> Any:
    """The body of the flow's answer, which must have gone well."""
    mapping = bench.mapping(main=list(steps), **flows)
    summary = await bench.engine.run(mapping, "main", RunRequest(cause="manual", input={"n": 3}))
    assert summary.error is None, summary.error
    return summary.response.body if summary.response else None


def responding(body: Any) -> dict[str, Any]:
    return {"respond": {"body": body}}


async def test_if_switch_and_while(bench) -> None:
    body = await answer(
        bench,
        {"set": {"x": 0, "seen": []}},
        {"while": "x < input.n", "steps": [{"set": {"x": "{{ x + 1 }}", "seen+": "{{ x }}"}}]},
        {"if": "{{ x == 3 }}", "then": [{"set": {"a": "yes"}}], "else": [{"set": {"a": "no"}}]},
        {
            "switch": "{{ x }}",
            "cases": [
                {"when": 1, "steps": [{"stop": "wrong"}]},
                {"when": ["2", "3"], "steps": [{"set": {"b": "hit"}}]},
            ],
            "default": [{"stop": "wrong"}],
        },
        responding({"seen": "{{ seen }}", "a": "{{ a }}", "b": "{{ b }}"}),
    )
    assert body == {"seen": [1, 2, 3], "a": "yes", "b": "hit"}


async def test_a_loop_without_end_is_an_error(bench) -> None:
    mapping = bench.mapping(main=[{"while": "{{ true }}", "limit": 5, "steps": [{"set": {"x": 1}}]}])
    summary = await bench.engine.run(mapping, "main", MANUAL)
    assert isinstance(summary.error, MappingFailed)
    assert "5" in summary.error.en


async def test_appending_inside_each_is_seen_outside_and_setting_is_not(bench) -> None:
    step = {
        "each": "{{ [1, 2, 3] }}",
        "as": "n",
        "steps": [{"set": {"all+": "{{ n }}", "last": "{{ n }}"}}],
    }
    body = await answer(bench, {"set": {"all": [], "last": 0}}, step, responding("{{ [all, last] }}"))
    assert body == [[1, 2, 3], 0]


async def test_a_list_of_the_mapping_or_of_a_row_is_never_appended_to(bench) -> None:
    mapping = bench.mapping(main=[{"set": {"all": []}}, {"set": {"all+": 1}}, responding("{{ all }}")])
    for _ in range(2):
        summary = await bench.engine.run(mapping, "main", MANUAL)
        assert summary.response.body == [1]


async def test_catch_sees_the_other_systems_words(bench) -> None:
    def refuse(name: str, _params: Any) -> None:
        if name == "erp.find":
            raise RemoteRefused("被拒绝", "Refused", code="-1116", remote="Could not commit")

    bench.world.before = refuse
    body = await answer(
        bench,
        {
            "try": [{"call": "erp.find", "with": {"entity": "Drafts", "key": 1}}],
            "catch": [responding("{{ error.code }} {{ error.remote }}")],
        },
    )
    assert body == "-1116 Could not commit"


async def test_a_sub_flow_has_variables_of_its_own(bench) -> None:
    body = await answer(
        bench,
        {"set": {"x": 1}},
        {"id": "sum", "run": "add", "with": {"a": 1, "b": "{{ input.n }}"}},
        responding({"sum": "{{ sum }}", "x": "{{ x }}"}),
        add=[{"set": {"x": "{{ input.a + input.b }}"}}, responding("{{ x }}"), {"stop": "enough"}, responding(0)],
    )
    assert body == {"sum": 4, "x": 1}


async def test_flows_that_call_each_other_for_ever_are_stopped(bench) -> None:
    mapping = bench.mapping(main=[{"run": "main", "with": {}}])
    summary = await bench.engine.run(mapping, "main", MANUAL)
    assert isinstance(summary.error, BadMapping)


async def test_stop_ends_the_flow_and_inside_each_only_the_element(bench) -> None:
    steps = [
        {
            "each": "{{ [1, 2, 3] }}",
            "as": "n",
            "steps": [{"if": "n == 2", "then": [{"stop": "not {{ n }}"}]}, {"set": {"ok+": "{{ n }}"}}],
        },
        {"stop": "done for today"},
        {"call": "erp.find", "with": {"entity": "never"}},
    ]
    summary = await bench.engine.run(bench.mapping(main=[{"set": {"ok": []}}, *steps]), "main", MANUAL)
    assert (summary.state, summary.note) == ("succeeded", "done for today")
    assert (summary.total, summary.done, summary.skipped) == (3, 2, 1)
    documents = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    assert [(one.document, one.state, one.note) for one in documents[1:]] == [
        ("1", "done", ""),
        ("2", "skipped", "not 2"),
        ("3", "done", ""),
    ]
    assert bench.world.calls == []


async def test_stop_may_say_that_the_element_failed(bench) -> None:
    refuse = {"stop": "{{ n }} is not wanted", "failed": True}
    catch = {"try": [refuse], "catch": [{"stop": "caught: {{ error.message }}"}]}
    steps = [{"if": "n == 2", "then": [refuse]}, {"if": "n == 3", "then": [catch]}]
    mapping = bench.mapping(
        main=[{"each": "{{ [1, 2, 3] }}", "as": "n", "steps": steps}], whole=[{**refuse, "stop": "no"}]
    )
    summary = await bench.engine.run(mapping, "main", MANUAL)
    assert (summary.state, summary.done, summary.failed, summary.skipped) == ("partial", 1, 1, 1)
    assert (summary.problem.en, summary.problem.where) == ("2 is not wanted", "each.n/stop")
    documents = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    assert "caught: " in documents[2].note
    assert "3 is not wanted" in documents[2].note
    assert (await bench.engine.run(mapping, "whole", MANUAL)).error.en == "no"


async def test_errors_name_the_step_and_the_parameter(bench) -> None:
    each = bench.submit_steps[1]
    broken = {**each, "steps": [each["steps"][0], {"call": "oa.create_approval", "with": {"value": "{{ form }}"}}]}
    bench.world.add(1, 2)
    summary = await bench.engine.run(bench.mapping(main=[bench.submit_steps[0], broken]), "main", MANUAL)
    assert isinstance(summary.error, BadMapping)
    assert "'value'" in summary.error.en
    assert "steps[1].steps[1].with.value" in summary.error.where
    wrong_value = {
        **each,
        "steps": [each["steps"][0], {"call": "oa.create_approval", "with": {"values": 1, "originator": 5}}],
    }
    summary = await bench.engine.run(bench.mapping(main=[bench.submit_steps[0], wrong_value]), "main", MANUAL)
    assert (summary.error, summary.failed) == (None, 2)
    assert bench.world.approvals == {}


async def test_unknown_things_are_named(bench) -> None:
    for steps, word in (
        ([{"call": "crm.query"}], "crm"),
        ([{"call": "erp.explode"}], "explode"),
        ([{"run": "nowhere"}], "nowhere"),
    ):
        summary = await bench.engine.run(bench.mapping(main=steps), "main", MANUAL)
        assert isinstance(summary.error, BadMapping)
        assert word in summary.error.en
    summary = await bench.engine.run(bench.mapping(), "submt", MANUAL)
    assert summary.state == "failed"
    assert "submt" in str(summary.error)


async def test_rows_stay_a_stream_only_where_they_are_used_once(bench, monkeypatch) -> None:
    monkeypatch.setattr(call, "COLLECT_LIMIT", 5)
    bench.world.add(*range(1, 21))
    query = {"id": "drafts", "call": "erp.query", "with": {"entity": "Drafts"}}
    each = {"each": "{{ drafts }}", "as": "d", "key": "d.DocEntry", "steps": [{"set": {"x": "{{ d.Name }}"}}]}
    streamed = await bench.engine.run(bench.mapping(main=[query, each]), "main", MANUAL)
    assert (streamed.state, streamed.done) == ("succeeded", 20)
    for steps in ([query, each, each], [query, {"set": {"n": "{{ drafts | length }}"}}, each]):
        collected = await bench.engine.run(bench.mapping(main=steps), "main", MANUAL)
        assert isinstance(collected.error, MappingFailed)
        assert "5" in collected.error.en
    bench.world.drafts = {key: bench.world.drafts[key] for key in (1, 2)}
    small = await bench.engine.run(bench.mapping(main=[query, each, each]), "main", MANUAL)
    assert small.done == 4


async def test_the_source_is_never_read_ahead_of_the_documents(bench) -> None:
    bench.world.add(*range(1, 101))
    seen: list[int] = []
    bench.world.before = lambda name, key: seen.append(key) if name == "erp.query.row" else None
    mapping = bench.mapping()
    summary = await bench.engine.run(mapping, "submit", RunRequest(cause="manual", limit=10))
    assert summary.total == 10
    assert max(seen) == 10


async def test_progress_is_told_after_every_document(bench) -> None:
    bench.world.add(1, 2, 3)
    told: list[Progress] = []
    await bench.engine.run(bench.mapping(), "submit", RunRequest(cause="manual", progress=told.append))
    assert [one.total for one in told] == [1, 2, 3]
    assert told[-1].done == 3


async def test_a_source_that_breaks_off_ends_the_run_and_keeps_what_was_done(bench) -> None:
    bench.world.add(*range(1, 11))

    def breaks(name: str, key: Any) -> None:
        if name == "erp.query.row" and key == 6:
            raise Unreachable("连不上", "Unreachable")

    bench.world.before = breaks
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert isinstance(summary.error, Unreachable)
    assert summary.done == 5
    assert len(bench.world.approvals) == 5


async def test_cancelling_stops_in_good_order(bench) -> None:
    bench.world.add(*range(1, 101))
    reached = asyncio.Event()

    def signal(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            reached.set()

    bench.world.after = signal
    mapping = bench.mapping()
    run = asyncio.create_task(bench.engine.run(mapping, "submit", RunRequest(cause="manual", run_id="r1")))
    await reached.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert bench.world.in_flight == 0
    record = bench.db.read(lambda state: get_run(state, "r1"))
    assert record.state == "stopped"
    assert 0 < len(bench.world.approvals) < 20
    recorded = {one.instance_id for one in bench.db.read(lambda state: list_deliveries(state, limit=1000))}
    assert set(bench.world.approvals) <= recorded
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert summary.state == "succeeded"
    assert len(bench.world.approvals) == 100


async def test_effects_inside_a_nested_each_have_places_of_their_own(bench) -> None:
    bench.world.add(1)
    lines = [{"no": 1}, {"no": 2}, {"no": 3}]
    failing = ["2"]

    def fail(name: str, params: Any) -> None:
        if name == "oa.comment" and params.text in failing:
            raise Unreachable("连不上", "Unreachable")

    bench.world.before = fail
    steps = [
        bench.submit_steps[0],
        {
            "each": "{{ drafts }}",
            "as": "draft",
            "key": "draft.DocEntry",
            "steps": [
                {
                    "each": lines,
                    "as": "line",
                    "key": "line.no",
                    "steps": [{"call": "oa.comment", "with": {"text": "{{ line.no }}{{ '' }}"}}],
                }
            ],
        },
    ]
    steps[1]["steps"][0]["each"] = "{{ input.lines }}"
    mapping = bench.mapping(main=steps)
    request = RunRequest(cause="manual", input={"lines": lines})
    assert (await bench.engine.run(mapping, "main", request)).failed == 1
    failing.clear()
    assert (await bench.engine.run(mapping, "main", request)).done == 1
    assert bench.world.comments == ["1", "2", "3"]
    [delivery] = bench.db.read(list_deliveries)
    assert set(delivery.effects) == {f"each.draft/each.line[{number}]/oa.comment" for number in (1, 2, 3)}


async def test_an_outcome_that_is_not_known_cannot_be_caught(bench) -> None:
    bench.world.add(1)

    def die(name: str, _params: Any) -> None:
        if name == "oa.comment":
            raise TimeoutError("the line is dead")

    def lost(name: str, _params: Any) -> None:
        if name == "oa.comment":
            raise Unreachable("连不上", "Unreachable")

    each = bench.submit_steps[1]
    mark = {"call": "erp.update", "with": {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": {"Mark": "Y"}}}
    attempt = {"try": [{"call": "oa.comment", "with": {"text": "hello"}}], "catch": [mark]}
    mapping = bench.mapping(main=[bench.submit_steps[0], {**each, "steps": [attempt]}])
    bench.world.after = die
    assert (await bench.engine.run(mapping, "main", MANUAL)).failed == 1
    assert (await bench.engine.run(mapping, "main", MANUAL)).unknown == 1
    assert bench.world.drafts[1]["Mark"] == "N"
    bench.world.add(2)
    bench.world.before, bench.world.after = lost, lambda _name, _params: None
    assert (await bench.engine.run(mapping, "main", MANUAL)).done == 1
    assert bench.world.drafts[2]["Mark"] == "Y"

"""A preview shows what would be sent, sends nothing, and shows nothing that would not be sent."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.connectors.actions import Effect
from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import RunRequest
from runtime.engine.preview import PLACEHOLDER, preview
from runtime.errors import FormGone, MappingFailed, ValueRefused
from runtime.store.listings import list_deliveries
from runtime.store.runs import list_runs


async def test_a_preview_shows_every_effect_and_has_none(bench) -> None:
    bench.world.add(*range(1, 31))
    before = {key: dict(row) for key, row in bench.world.drafts.items()}
    seen = await preview(bench.mapping(), "submit", bench.pool, limit=5)
    assert [one.key for one in seen.documents] == ["1", "2", "3", "4", "5"]
    assert seen.error is None
    first = seen.documents[0]
    assert first.row["Name"] == "d1"
    assert [(one.action, one.effect, one.connection) for one in first.sent] == [
        ("create_approval", Effect.CREATE, "oa-1"),
        ("update", Effect.UPDATE, "erp-1"),
    ]
    assert first.sent[0].request.body == {"名称": "d1"}
    assert first.sent[1].request.body == {"Mark": "Y", "Instance": PLACEHOLDER}
    assert first.forms["form"].form == {"名称": "d1"}
    assert [step.kind for step in first.steps] == ["map", "oa.create_approval", "erp.update"]
    assert bench.world.drafts == before
    assert bench.world.approvals == {}
    assert bench.db.read(list_runs) == []
    assert bench.db.read(list_deliveries) == []


async def test_a_preview_of_an_empty_source_is_idle(bench) -> None:
    assert (await preview(bench.mapping(), "submit", bench.pool)).idle
    bench.world.add(1)
    assert not (await preview(bench.mapping(), "submit", bench.pool)).idle


async def test_the_preview_shows_just_what_the_run_sends(bench) -> None:
    bench.world.add(1, 2, 3)
    seen = await preview(bench.mapping(), "submit", bench.pool)
    await bench.engine.run(bench.mapping(), "submit", RunRequest(cause="manual"))
    sent = sorted(one["values"]["名称"] for one in bench.world.approvals.values())
    assert [one.sent[0].request.body["名称"] for one in seen.documents] == sent


async def test_a_row_that_fails_shows_why_and_nothing_after_it(bench) -> None:
    bench.world.add(1, 2)
    del bench.world.drafts[2]["Name"]
    seen = await preview(bench.mapping(), "submit", bench.pool)
    good, bad = seen.documents
    assert (good.state, good.failures) == ("done", [])
    assert bad.state == "failed"
    assert isinstance(bad.error, MappingFailed)
    assert [one.to for one in bad.failures] == ["名称"]
    assert bad.sent == []
    assert bad.forms["form"].fields[0].error is not None


def with_controls(bench, controls: list[dict[str, Any]]) -> Any:
    each = bench.submit_steps[1]
    form = {"id": "form", "map": {**each["steps"][0]["map"], "to": {"controls": controls}}}
    return bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": [form, *each["steps"][1:]]}])


async def test_a_value_that_does_not_fit_its_control_is_refused_in_preview_and_run(bench) -> None:
    bench.world.add(1)
    mapping = with_controls(bench, [{"id": "f1", "label": "名称", "type": "number"}])
    seen = await preview(mapping, "submit", bench.pool)
    [document] = seen.documents
    assert [one.to for one in document.failures] == ["名称"]
    assert isinstance(document.error, ValueRefused)
    assert [(one.request, one.error) for one in document.sent] == [(None, document.error)]
    summary = await bench.engine.run(mapping, "submit", RunRequest(cause="manual"))
    assert (summary.failed, bench.world.approvals) == (1, {})
    assert bench.db.read(list_deliveries) == []


async def test_reading_what_does_not_exist_yet_is_noted_and_not_done(bench) -> None:
    bench.world.add(1)
    each = bench.submit_steps[1]
    look = {"id": "detail", "call": "oa.get_approval", "with": {"instance_id": "{{ approval.instance_id }}"}}
    note = {"call": "oa.comment", "with": {"text": "{{ detail.title }}"}}
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": [*each["steps"], look, note]}])
    [document] = (await preview(mapping, "submit", bench.pool)).documents
    assert document.error is None
    assert "oa.get_approval" not in bench.world.calls
    assert document.steps[3].note
    assert document.sent[-1].request.body == {"text": PLACEHOLDER}


async def test_a_verdict_flow_can_be_previewed(bench) -> None:
    bench.world.add(1)
    steps = [{**bench.verdict_steps[0], "with": {"entity": "Drafts", "key": 1}}, *bench.verdict_steps[1:]]
    event = Event(key="k", type="approval.finished", instance_id="i1", outcome=Outcome.REFUSED)
    seen = await preview(bench.mapping(verdict=steps), "verdict", bench.pool, event=event)
    [document] = seen.documents
    assert document.key == ""
    assert document.sent[0].request.body == {"Status": "refused"}
    assert "Status" not in bench.world.drafts[1]


async def test_a_verdict_is_previewed_with_the_document_that_its_run_finds(bench) -> None:
    bench.world.add(1)
    await bench.engine.run(bench.mapping(), "submit", RunRequest(cause="manual"))
    event = Event(key="k", type="approval.finished", instance_id="i1", outcome=Outcome.AGREED)
    seen = await preview(bench.mapping(), "verdict", bench.pool, event=event, ledger=bench.db)
    [document] = seen.documents
    assert [one.request.url for one in document.sent] == ["http://erp/Drafts(1)"]


@pytest.mark.parametrize("call", ["target.update", "target.create_approval"])
async def test_what_another_system_did_is_not_shown_as_done(bench, call: str) -> None:
    """A mapping that was changed since: the run repeats an update there, and asks a person about a create."""
    bench.world.add(1)
    given = bench.submit_steps[1]["steps"][2 if call == "target.update" else 1]["with"]
    given = {**given, "values": {"名称": "d1"}}
    other = {"target.update": ("erp-1", "erp-2"), "target.create_approval": ("oa-1", "oa-2")}[call]
    failing = {"call": "oa.comment", "with": {"text": "{{ draft.Missing }}"}}
    rows, each = bench.submit_steps
    steps = [rows, {**each, "steps": [{"id": "first", "call": call, "with": given}, failing]}]
    before, after = (
        bench.mapping(submit=steps).model_copy(
            update={"connections": {"erp": "erp-1", "oa": "oa-1", "target": name}},
        )
        for name in other
    )
    bench.pool.connectors["oa-2"] = type(bench.pool.connectors["oa-1"])(bench.world, "oa-2")
    await bench.engine.run(before, "submit", RunRequest(cause="manual"))
    [document] = (await preview(before, "submit", bench.pool, ledger=bench.db)).documents
    assert document.sent == []
    [document] = (await preview(after, "submit", bench.pool, ledger=bench.db)).documents
    await bench.engine.run(after, "submit", RunRequest(cause="manual"))
    if call == "target.update":
        assert [one.connection for one in document.sent] == ["erp-2"]
        assert bench.world.count("erp.update") == 2
    else:
        assert (document.state, document.sent) == ("unknown", [])
        assert bench.world.count("oa.create_approval") == 1


async def test_a_wrong_setup_ends_the_preview_with_one_error(bench) -> None:
    def gone(name: str, _params: Any) -> None:
        if name == "erp.query":
            raise FormGone("不存在", "Gone")

    bench.world.before = gone
    seen = await preview(bench.mapping(), "submit", bench.pool)
    assert isinstance(seen.error, FormGone)
    assert [one.key for one in seen.documents] == [""]

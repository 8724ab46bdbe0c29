"""Two enabled mappings for the same documents, each with a ledger of its own: a document still gets one approval."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.connectors.actions import Finding
from runtime.engine.preview import preview
from runtime.engine.request import RunRequest
from runtime.errors import TimedOut, ValueRefused
from runtime.mapping.models import Mapping
from runtime.store.ledger import DeliveryState, EffectState
from runtime.store.listings import list_deliveries

MANUAL = RunRequest(cause="manual")


def copy_of(mapping: Mapping) -> Mapping:
    return mapping.model_copy(update={"id": "copy"})


def states(bench: Any) -> dict[tuple[str, str], DeliveryState]:
    return {(one.mapping, one.document_key): one.state for one in bench.db.read(list_deliveries)}


async def run_refused(bench: Any, mapping: Mapping, call: str) -> None:
    """A run of which one call is refused."""

    def refused(name: str, _params: Any) -> None:
        if name == call:
            raise ValueRefused("不接受", "It is not accepted")

    bench.world.before = refused
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.before = lambda _name, _params: None


async def test_two_mappings_at_the_same_time_send_a_document_once(bench) -> None:
    bench.world.add(*range(1, 41))
    mapping = bench.mapping()
    runs = await asyncio.gather(
        bench.engine.run(mapping, "submit", MANUAL), bench.engine.run(copy_of(mapping), "submit", MANUAL)
    )
    assert sorted(one["values"]["名称"] for one in bench.world.approvals.values()) == sorted(
        f"d{key}" for key in range(1, 41)
    )
    assert sum(run.done for run in runs) == 40
    assert sum(run.failed + run.unknown for run in runs) == 0
    assert sum(run.skipped for run in runs) > 0


async def test_what_another_mapping_has_not_come_to_its_end_with_is_left_to_it(bench) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await run_refused(bench, mapping, "erp.update")
    summary = await bench.engine.run(copy_of(mapping), "submit", MANUAL)
    assert (summary.skipped, summary.total, len(bench.world.approvals)) == (1, 1, 1)
    assert "mapping 'demo' (flow submit) has sent this document already" in summary.note
    assert "(delivery 1)" in summary.note
    assert states(bench) == {("demo", "1"): DeliveryState.FAILED}
    shown = await preview(copy_of(mapping), "submit", bench.pool, ledger=bench.db)
    [document] = shown.documents
    assert (document.state, document.sent) == ("skipped", [])
    assert "'demo' (flow submit) has sent this document already" in document.note
    # The one that sent it goes on with it.
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.done, bench.world.drafts[1]["Mark"], len(bench.world.approvals)) == (1, "Y", 1)


async def test_what_another_mapping_never_got_through_is_sent(bench) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await run_refused(bench, mapping, "oa.create_approval")
    summary = await bench.engine.run(copy_of(mapping), "submit", MANUAL)
    assert (summary.done, len(bench.world.approvals)) == (1, 1)


@pytest.mark.parametrize("switched", [True, False], ids=["to the copy", "to the same one"])
async def test_a_document_that_is_submitted_again_goes_the_way_that_is_open(bench, switched) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.drafts[1]["Mark"] = "N"
    summary = await bench.engine.run(copy_of(mapping) if switched else mapping, "submit", MANUAL)
    assert (summary.done, len(bench.world.approvals)) == (1, 2)


async def test_an_intent_without_an_answer_keeps_the_other_mapping_away(bench) -> None:
    """The process dies after the call: whoever comes first afterwards must not send it again."""
    bench.world.add(1)

    def dies(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            raise asyncio.CancelledError

    bench.world.after = dies
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    [delivery] = bench.db.read(list_deliveries)
    assert delivery.effects["each.draft/approval"].state is EffectState.INTENT
    bench.world.after = lambda _name, _params: None
    engine = bench.new_engine()
    other = await engine.run(copy_of(mapping), "submit", MANUAL)
    assert (other.skipped, len(bench.world.approvals)) == (1, 1)
    own = await engine.run(mapping, "submit", MANUAL)
    assert (own.done, len(bench.world.approvals), bench.world.drafts[1]["Mark"]) == (1, 1, "Y")


def listed(bench: Any, name: str) -> Mapping:
    """Documents that are rows of a list, as a procedure yields them: nothing tells what they are."""
    each = {
        "each": "{{ input.rows }}", "as": "one", "key": "{{ one.id }}", "steps": [
            {"call": "oa.create_approval", "with": {"values": {"名称": "{{ one.name }}"}, "originator": "u"}},
            {"call": "erp.update", "with": {"entity": "Drafts", "key": "{{ one.id }}", "values": {"Mark": "Y"}}},
        ],
    }  # fmt: skip
    return bench.mapping(submit=[each]).model_copy(update={"id": name})


@pytest.mark.parametrize(("name", "sent"), [("order 7", 1), ("delivery 7", 2)], ids=["the same", "another"])
async def test_the_same_key_in_two_lists_may_be_two_documents(bench, name, sent) -> None:
    """The first one's write-back fails for good: a document that only has the same key is not kept back by that."""
    rows = {"rows": [{"id": 7, "name": "order 7"}]}
    await bench.engine.run(listed(bench, "orders"), "submit", RunRequest(cause="manual", input=rows))
    assert states(bench)["orders", "7"] is not DeliveryState.COMPLETE
    rows = {"rows": [{"id": 7, "name": name}]}
    await bench.engine.run(listed(bench, "others"), "submit", RunRequest(cause="manual", input=rows))
    assert len(bench.world.approvals) == sent


async def test_a_document_may_have_consequences_of_several_kinds(bench) -> None:
    """Two flows comment on the same document, in other words: each of them does."""
    bench.world.add(1)

    rows, each = bench.submit_steps
    comment = {"call": "oa.comment", "with": {"text": "first"}}
    refused = {"call": "erp.update", "with": {"entity": "Drafts", "key": 99, "values": {"Mark": "Y"}}}
    first = bench.mapping(submit=[rows, {**each, "steps": [comment, refused]}])
    second = bench.mapping(submit=[rows, {**each, "steps": [{**comment, "with": {"text": "second"}}]}])
    await bench.engine.run(first, "submit", MANUAL)
    await bench.engine.run(copy_of(second), "submit", MANUAL)
    assert bench.world.comments == ["first", "second"]


async def test_what_is_to_be_done_depends_on_how_the_other_mapping_stands(bench) -> None:
    bench.world.add(1)

    def lost(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            raise TimedOut("超时", "Timed out")

    bench.world.after = lost
    bench.world.finding = Finding.UNCLEAR
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    summary = await bench.engine.run(copy_of(mapping), "submit", MANUAL)
    assert "Let that mapping finish it" in summary.note
    await bench.engine.run(mapping, "submit", MANUAL)
    assert states(bench) == {("demo", "1"): DeliveryState.UNKNOWN}
    summary = await bench.engine.run(copy_of(mapping), "submit", MANUAL)
    assert "decide about delivery 1 on the Deliveries page" in summary.note
    assert len(bench.world.approvals) == 1

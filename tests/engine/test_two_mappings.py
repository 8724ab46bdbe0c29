"""Two enabled mappings for the same documents, each with a ledger of its own: a document still gets one approval."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.engine.preview import preview
from runtime.engine.request import RunRequest
from runtime.errors import ValueRefused
from runtime.mapping.models import Mapping
from runtime.store.ledger import DeliveryState, EffectState
from runtime.store.listings import list_deliveries

MANUAL = RunRequest(cause="manual")


def copy_of(mapping: Mapping) -> Mapping:
    return mapping.model_copy(update={"id": "copy"})


def states(bench: Any) -> dict[tuple[str, str], DeliveryState]:
    return {(one.mapping, one.document_key): one.state for one in bench.db.read(list_deliveries)}


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

    def refused(name: str, _params: Any) -> None:
        if name == "erp.update":
            raise ValueRefused("字段不存在", "No such field")

    bench.world.before = refused
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.before = lambda _name, _params: None
    summary = await bench.engine.run(copy_of(mapping), "submit", MANUAL)
    assert (summary.skipped, summary.total, len(bench.world.approvals)) == (1, 1, 1)
    assert "'demo' (flow submit) has sent this document already (delivery 1)" in summary.note
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

    def refused(name: str, _params: Any) -> None:
        if name == "oa.create_approval":
            raise ValueRefused("表单值不对", "A value does not fit")

    bench.world.before = refused
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.before = lambda _name, _params: None
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

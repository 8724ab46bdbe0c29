"""What an event says about an approval counts only if the approval itself says the same."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import RunRequest
from runtime.errors import CallbackRejected, RetryLater

AGREED = Event(key="e1", type="approval.finished", instance_id="i1", outcome=Outcome.AGREED)


DETAIL = {"id": "detail", "call": "oa.get_approval", "with": {"instance_id": "{{ event.instance_id }}"}}


@pytest.fixture
async def mapping(bench) -> Any:
    """Submitted already; its verdict flow reads the approval before it writes."""
    found = bench.mapping(submit=bench.submit_steps, verdict=[DETAIL, *bench.verdict_steps])
    bench.world.add(1)
    await bench.engine.run(found, "submit", RunRequest(cause="manual"))
    return found


async def verdict(bench: Any, mapping: Any, cause: Any = "event") -> Any:
    return await bench.engine.run(mapping, "verdict", RunRequest(cause=cause, event=AGREED))


async def test_a_verdict_that_the_approval_confirms_is_carried_out(bench, mapping) -> None:
    bench.world.approvals["i1"]["outcome"] = Outcome.AGREED
    assert (await verdict(bench, mapping)).state == "succeeded"
    assert bench.world.drafts[1]["Status"] == "agreed"


@pytest.mark.parametrize(
    ("outcome", "error"),
    [(None, RetryLater), (Outcome.REFUSED, CallbackRejected), (Outcome.WITHDRAWN, CallbackRejected)],
)
async def test_a_verdict_that_the_approval_does_not_confirm_writes_nothing(
    bench, mapping, outcome: Outcome | None, error: type[Exception]
) -> None:
    bench.world.approvals["i1"]["outcome"] = outcome
    summary = await verdict(bench, mapping)
    assert (summary.state, type(summary.error)) == ("failed", error)
    assert "i1" in summary.error.where
    assert "Status" not in bench.world.drafts[1]
    bench.world.approvals["i1"]["outcome"] = Outcome.AGREED
    assert (await verdict(bench, mapping)).state == "succeeded"


async def test_an_approval_that_tells_no_outcome_contradicts_nothing(bench, mapping) -> None:
    assert (await verdict(bench, mapping)).state == "succeeded"


async def test_a_person_who_runs_the_flow_by_hand_has_decided(bench, mapping) -> None:
    bench.world.approvals["i1"]["outcome"] = None
    assert (await verdict(bench, mapping, "manual")).state == "succeeded"


async def test_a_flow_cannot_look_away(bench, mapping) -> None:
    looking = {"try": [DETAIL], "catch": [{"set": {"detail": {}}}]}
    careless = bench.mapping(submit=bench.submit_steps, verdict=[looking, *bench.verdict_steps])
    bench.world.approvals["i1"]["outcome"] = Outcome.REFUSED
    summary = await verdict(bench, careless)
    assert type(summary.error) is CallbackRejected
    assert "Status" not in bench.world.drafts[1]

"""The audit itself: whatever is planted, it finds; and a campaign in which nothing happened does not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.audit import Approval, Audit, Demand, Draft, Tally, audit

DECISIONS = {"agreed": "arsApproved", "refused": "arsNotApproved", "withdrawn": "arsNotApproved"}
DRAFTS = [
    Draft(key=str(number), mark="Y", instance=f"i{number}", status=outcome, decision=DECISIONS[outcome])
    for number, outcome in enumerate(DECISIONS)
]
APPROVALS = [Approval(instance=draft.instance, document=draft.key, outcome=draft.status) for draft in DRAFTS]
DEMAND = Demand(documents=3, kills=2, points=("after_call",))


def tally() -> Tally:
    done = Tally(at_random=1)
    done.at_points["after_call"] += 1
    return done


def judged(drafts: list[Draft], approvals: list[Approval]) -> Audit:
    return audit(drafts, approvals, tally(), DEMAND)


def changed(**values: str) -> list[Draft]:
    return [replace(DRAFTS[0], **values), *DRAFTS[1:]]


def test_a_world_in_order_passes() -> None:
    found = judged(DRAFTS, APPROVALS)
    assert found.passed
    assert (found.documents, found.verdicts, found.violations) == (3, 3, [])


def test_a_second_approval_is_a_duplicate() -> None:
    found = judged(DRAFTS, [*APPROVALS, replace(APPROVALS[0], instance="again")])
    assert len(found.duplicates) == 1
    assert "again" in found.duplicates[0]
    assert not found.passed


def test_an_approval_of_no_draft_is_a_duplicate() -> None:
    assert judged(DRAFTS, [*APPROVALS, Approval(instance="x", document="", outcome="agreed")]).duplicates


@pytest.mark.parametrize(
    "values",
    [
        {"status": ""},
        {"status": "refused"},
        {"decision": "arsPending"},
        {"decision": "arsNotApproved"},
        {"decision": ""},
    ],
)
def test_a_verdict_that_is_not_in_b1_is_lost(values: dict[str, str]) -> None:
    found = judged(changed(**values), APPROVALS)
    assert len(found.lost) == 1
    assert not found.passed


def test_a_verdict_that_nobody_gave_is_found() -> None:
    assert judged(DRAFTS, [replace(APPROVALS[0], outcome=""), *APPROVALS[1:]]).lost


def test_a_document_that_never_arrived_is_lost_and_unmarked() -> None:
    found = judged(changed(mark="N", instance="", status="", decision="arsPending"), APPROVALS[1:])
    assert (len(found.lost), len(found.unmarked)) == (1, 1)


@pytest.mark.parametrize("values", [{"mark": "N"}, {"instance": ""}, {"instance": "i1"}])
def test_a_draft_without_its_own_approval_is_unmarked(values: dict[str, str]) -> None:
    found = judged(changed(**values), APPROVALS)
    assert len(found.unmarked) == 1
    assert not found.passed


def test_an_open_approval_keeps_the_world_from_passing() -> None:
    found = judged(changed(status="", decision="arsPending"), [replace(APPROVALS[0], outcome=""), *APPROVALS[1:]])
    assert found.violations == []
    assert len(found.undecided) == 1
    assert not found.settled


@pytest.mark.parametrize("demand", [DEMAND, Demand(documents=0, kills=0)])
def test_an_empty_run_fails(demand: Demand) -> None:
    found = audit([], [], Tally(), demand)
    assert found.violations == []
    assert not found.passed
    assert len(found.shortfalls) >= 3


def test_a_point_that_never_killed_is_a_shortfall() -> None:
    done = Tally(at_random=5)
    found = audit(DRAFTS, APPROVALS, done, DEMAND)
    assert found.shortfalls == ["never killed at after_call"]

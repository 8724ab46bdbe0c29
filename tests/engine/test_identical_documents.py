"""Documents with the same content never take each other's approval for their own."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from runtime.connectors.actions import Finding, Reconciliation
from runtime.engine.engine import RunRequest
from runtime.errors import OutcomeUnknown
from runtime.store import instances, ledger
from runtime.store.columns import utc_now
from runtime.store.instances import TakenByAnother
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState, save
from runtime.store.listings import list_deliveries

MANUAL = RunRequest(cause="manual")
STEP = "each.draft/approval"


def lose_answers(bench: Any, name: str, moment: str, count: int) -> None:
    left = [count]

    def hook(called: str, _params: Any) -> None:
        if called == name and left[0]:
            left[0] -= 1
            raise OutcomeUnknown("没有答复", "No answer")

    setattr(bench.world, moment, hook)


def held(bench: Any) -> list[str]:
    found = bench.db.read(list_deliveries)
    return sorted(effect.instance_id for one in found for effect in one.effects.values() if effect.instance_id)


async def test_a_lost_request_does_not_adopt_the_twins_approval(bench) -> None:
    bench.world.add(1, 2, Name="the same")
    mapping = bench.mapping()
    lose_answers(bench, "oa.create_approval", "before", 1)
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.new_engine()
    await bench.engine.run(mapping, "submit", MANUAL)
    assert len(bench.world.approvals) == 2
    assert held(bench) == ["i1", "i2"]
    assert sorted(row["Instance"] for row in bench.world.drafts.values()) == ["i1", "i2"]


async def test_two_lost_answers_with_one_approval_are_adopted_once(bench) -> None:
    """Both requests got no answer; only one of them took effect."""
    bench.world.add(1, 2, Name="the same")
    mapping = bench.mapping()
    bench.world.finding = Finding.ABSENT
    answers = iter([False, True])

    def lost(called: str, _params: Any) -> None:
        if called == "oa.create_approval" and next(answers, False):
            raise OutcomeUnknown("没有答复", "No answer")

    bench.world.before = lost
    lose_answers(bench, "oa.create_approval", "after", 2)
    await bench.engine.run(mapping, "submit", MANUAL)
    assert len(bench.world.approvals) == 1
    bench.world.before = bench.world.after = lambda _name, _params: None
    bench.world.finding = None
    for _ in range(4):
        bench.new_engine()
        await bench.engine.run(mapping, "submit", MANUAL)
    assert held(bench) == ["i1", "i2"]
    assert {one.state for one in bench.db.read(list_deliveries)} == {"complete"}
    assert sorted(row["Instance"] for row in bench.world.drafts.values()) == ["i1", "i2"]


async def test_what_a_twin_adopts_at_the_same_moment_is_no_question_for_a_person(bench) -> None:
    bench.world.add(1, Name="the same")
    mapping = bench.mapping()
    lose_answers(bench, "oa.create_approval", "after", 1)
    bench.world.finding = Finding.ABSENT
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.finding = None

    def adopt(called: str, _params: Any) -> None:
        if called == "oa.reconcile" and not held(bench):
            effect = EffectRecord(
                step="approval", effect="create", state=EffectState.DONE, connection="oa-1", action="create_approval",
                digest="", instance_id="i1", adopted=True, started_at=utc_now(),
            )  # fmt: skip
            twin = {
                "mapping": "demo", "flow": "twin", "source": "erp-1/Drafts", "document_key": "2", "generation": 1,
                "document": 2, "state": "complete", "instance_id": "i1", "connection": "oa-1",
            }  # fmt: skip
            bench.db.write(lambda connection: save(connection, twin, [effect]))

    bench.world.before = adopt
    for _ in range(2):
        bench.new_engine()
        await bench.engine.run(mapping, "submit", MANUAL)
    assert held(bench) == ["i1", "i2"]
    assert bench.world.drafts[1]["Instance"] == "i2"


async def test_nothing_is_adopted_while_a_twin_waits_for_its_answer(bench) -> None:
    bench.world.add(1, Name="the same")
    mapping = bench.mapping()
    bench.new_engine(settle=timedelta(hours=1))
    lose_answers(bench, "oa.create_approval", "before", 1)
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.add(2, Name="the same")
    lose_answers(bench, "oa.create_approval", "after", 1)
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.failed, len(bench.world.approvals)) == (2, 1)
    assert held(bench) == []


async def test_a_twin_that_begins_while_it_is_looked_for_is_noticed(bench) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    bench.new_engine(settle=timedelta(hours=1))
    lose_answers(bench, "oa.create_approval", "before", 1)
    await bench.engine.run(mapping, "submit", MANUAL)
    [mine] = bench.db.read(list_deliveries)

    async def begin_meanwhile(_params: Any, _intent: Any) -> Reconciliation:
        twin = effect(state=EffectState.INTENT, instance_id="", result=None, digest=mine.effects[STEP].digest)
        bench.db.write(lambda connection: ledger.save(connection, delivery("99"), [twin]))
        return Reconciliation(finding=Finding.FOUND, result={"instance_id": "i1"})

    object.__setattr__(bench.pool.connectors["oa-1"].actions["create_approval"], "reconcile", begin_meanwhile)
    assert (await bench.engine.run(mapping, "submit", MANUAL)).failed == 1
    assert held(bench) == []


async def test_an_approval_of_another_document_is_never_adopted_even_if_the_connector_insists(bench) -> None:
    bench.world.add(1)
    mapping = bench.mapping()
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.add(2)
    lose_answers(bench, "oa.create_approval", "before", 1)

    async def insist(_params: Any, _intent: Any) -> Reconciliation:
        return Reconciliation(finding=Finding.FOUND, result={"instance_id": "i1"})

    object.__setattr__(bench.pool.connectors["oa-1"].actions["create_approval"], "reconcile", insist)
    await bench.engine.run(mapping, "submit", MANUAL)
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert summary.unknown == 1
    assert held(bench) == ["i1"]


def effect(**values: Any) -> EffectRecord:
    plain = {
        "step": "each.d/approval", "effect": "create", "state": EffectState.DONE, "connection": "oa-1",
        "action": "create_approval", "digest": "d", "instance_id": "i1", "result": {"instance_id": "i1"},
        "started_at": utc_now(), "finished_at": utc_now(),
    }  # fmt: skip
    return EffectRecord(**{**plain, **values})


def delivery(key: str) -> dict[str, Any]:
    return {
        "mapping": "demo", "flow": "submit", "source": "erp-1/Drafts", "document_key": key, "generation": 1,
        "document": key, "state": DeliveryState.OPEN, "connection": "oa-1", "instance_id": "i1",
    }  # fmt: skip


def write(row: dict[str, Any], record: EffectRecord, connection: Any) -> int:
    instances.claim_instance(connection, record, delivery_id=None)
    return ledger.save(connection, row, [record])


def test_of_two_adoptions_at_the_same_time_the_second_is_refused(bench) -> None:
    bench.db.write(partial(write, delivery("1"), effect(adopted=True)))
    with pytest.raises(TakenByAnother):
        bench.db.write(partial(write, delivery("2"), effect(adopted=True)))
    assert [one.document for one in bench.db.read(list_deliveries)] == ["1"]


def test_an_adopted_id_that_is_answered_to_another_document_becomes_unknown(bench) -> None:
    first = bench.db.write(partial(write, delivery("1"), effect(adopted=True)))
    second = bench.db.write(partial(write, delivery("2"), effect()))
    found = {one.id: one for one in bench.db.read(list_deliveries)}
    assert (found[first].state, found[first].effects["each.d/approval"].state) == ("unknown", "unknown")
    assert found[second].effects["each.d/approval"].instance_id == "i1"
    owner = bench.db.read(lambda connection: instances.find_instance(connection, "oa-1", "i1"))
    assert owner is not None
    assert owner.id == second


@pytest.mark.parametrize("place", ["erp.find", "erp.update"])
async def test_an_adoption_that_is_contradicted_while_its_document_is_in_progress_stays_unknown(bench, place) -> None:
    """The late answer of another process' document; a person decides, whatever this one still does."""
    bench.world.add(1)
    find = {"call": "erp.find", "with": {"entity": "Drafts", "key": 1}}
    mapping = bench.mapping(submit=bench.submit_with(find))
    lose_answers(bench, "oa.create_approval", "after", 1)

    def contradict(called: str, _params: Any) -> None:
        if called == place:
            bench.db.write(partial(write, delivery("99"), effect()))

    bench.world.before = contradict
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    mine = next(one for one in bench.db.read(list_deliveries) if one.document == 1)
    assert (mine.state, mine.effects["each.draft/approval"].state, mine.instance_id) == ("unknown", "unknown", "")
    if place == "erp.find":
        # It was noticed in time.
        assert (summary.unknown, bench.world.drafts[1]["Mark"]) == (1, "N")
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 0
    assert len(bench.world.approvals) == 1


async def test_a_comment_does_not_make_the_approval_its_own(bench) -> None:
    """Its result names the approval that it was about; that one still belongs to the document."""
    bench.world.add(1)
    note = {"id": "note", "call": "oa.get_approval", "with": {"instance_id": "{{ event.instance_id }}"}}
    mapping = bench.mapping(submit=bench.submit_steps, verdict=[note])
    await bench.engine.run(mapping, "submit", MANUAL)
    oa = bench.pool.connectors["oa-1"]

    async def answer(params: Any) -> dict[str, str]:
        return {"instance_id": params.instance_id}

    comment = oa.actions["comment"]
    object.__setattr__(comment, "params", oa.actions["get_approval"].params)
    object.__setattr__(comment, "run", answer)
    object.__setattr__(comment, "prepare", answer)
    note["call"] = "oa.comment"
    mapping = bench.mapping(submit=bench.submit_steps, verdict=[note])
    from runtime.connectors.events import Event, Outcome

    event = Event(key="e1", type="approval.finished", instance_id="i1", outcome=Outcome.AGREED)
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=event))
    assert summary.state == "succeeded"
    owner = bench.db.read(lambda connection: instances.find_instance(connection, "oa-1", "i1"))
    assert owner is not None
    assert (owner.flow, owner.document, owner.outcome) == ("submit", 1, "agreed")

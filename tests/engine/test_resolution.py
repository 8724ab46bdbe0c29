"""What a person decides about an unknown delivery, and how the delivery goes on from there."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from runtime.connectors.actions import Finding
from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import Engine, RunRequest
from runtime.engine.preview import preview
from runtime.errors import OutcomeUnknown, Refused, RemoteFault
from runtime.store.inbox import claim_events, event_done, insert_event
from runtime.store.ledger import Delivery
from runtime.store.listings import list_deliveries
from runtime.store.resolution import resolve_created, resolve_resend, unknown_steps
from runtime.store.runs import queued_runs

MANUAL = RunRequest(cause="manual")


def verdict(instance: str) -> Event:
    return Event(key="e1", type="approval.finished", instance_id=instance, outcome=Outcome.AGREED)


def only(bench: Any) -> Delivery:
    [delivery] = [one for one in bench.db.read(list_deliveries) if one.flow == "submit"]
    return delivery


async def unknown(bench: Any, moment: str = "after") -> tuple[Any, Delivery]:
    """A draft of whose approval nobody knows: it was created (``after``) or not (``before``)."""
    bench.world.add(1)
    mapping = bench.mapping()
    pending = [OutcomeUnknown("没有答复", "No answer")]

    def lose(called: str, _params: Any) -> None:
        if called == "oa.create_approval" and pending:
            raise pending.pop()

    setattr(bench.world, moment, lose)
    bench.world.finding = Finding.UNCLEAR
    for _ in range(2):
        await bench.engine.run(mapping, "submit", MANUAL)
    delivery = only(bench)
    assert delivery.state == "unknown"
    return mapping, delivery


async def test_created_goes_on_with_the_remaining_steps(bench) -> None:
    mapping, delivery = await unknown(bench)
    decided = bench.db.write(partial(resolve_created, delivery_id=delivery.id, created="i1", by="li@office"))
    assert (decided.state, decided.instance_id, decided.error) == ("resolved", "i1", None)
    [queued] = bench.db.read(queued_runs)
    assert (queued.mapping, queued.flow, queued.cause, queued.request) == ("demo", "submit", "manual", {"only": "1"})
    summary = await bench.engine.run(mapping, "submit", RunRequest(cause="manual", only=queued.request["only"]))
    assert summary.done == 1
    assert (len(bench.world.approvals), bench.world.drafts[1]["Instance"]) == (1, "i1")
    done = only(bench)
    assert done.state == "complete"
    [decision] = done.decisions
    assert (decision["by"], decision["decision"], decision["step"], decision["result"]) == (
        "li@office", "created", "each.draft/approval", {"instance_id": "i1"},
    )  # fmt: skip
    assert decision["at"].startswith("20")


@pytest.mark.parametrize("how", ["answered", "found", "decided"])
async def test_the_form_of_an_approval_stays_in_the_ledger(bench, how: str) -> None:
    """Whoever asks how it ended must know whose verdict that is; of what was sent nothing else stays."""
    rows, each = bench.submit_steps
    form, create, mark = each["steps"]
    create = {**create, "with": {**create["with"], "form": "PROC-7"}}
    mapping = bench.mapping(submit=[rows, {**each, "steps": [form, create, mark]}])
    bench.world.add(1)
    pending = [OutcomeUnknown("没有答复", "No answer")] if how != "answered" else []

    def lose(called: str, _params: Any) -> None:
        if called == "oa.create_approval" and pending:
            raise pending.pop()

    bench.world.after = lose
    bench.world.finding = Finding.UNCLEAR if how == "decided" else None
    for _ in range(2):
        await bench.engine.run(mapping, "submit", MANUAL)
    if how == "decided":
        bench.db.write(partial(resolve_created, delivery_id=only(bench).id, created="i1", by="li"))
    effect = only(bench).effects["each.draft/approval"]
    assert (effect.state, effect.instance_id, effect.request) == ("done", "i1", {"form": "PROC-7"})


async def test_resend_sends_once_more(bench) -> None:
    mapping, delivery = await unknown(bench, "before")
    decided = bench.db.write(partial(resolve_resend, delivery_id=delivery.id, by="li"))
    assert decided.state == "resolved"
    await bench.engine.run(mapping, "submit", MANUAL)
    assert (len(bench.world.approvals), only(bench).state) == (1, "complete")


async def test_only_what_is_unknown_can_be_decided(bench) -> None:
    mapping, delivery = await unknown(bench)
    for wrong, words in (
        (partial(resolve_created, delivery_id=999, created="i1", by="li"), "no such delivery"),
        (partial(resolve_created, delivery_id=delivery.id, created="  ", by="li"), "missing"),
        (partial(resolve_resend, delivery_id=delivery.id, by="li", step="elsewhere"), "not unknown"),
    ):
        with pytest.raises(Refused, match=words):
            bench.db.write(wrong)
    bench.db.write(partial(resolve_created, delivery_id=delivery.id, created="i1", by="li"))
    with pytest.raises(Refused, match="unknown"):
        bench.db.write(partial(resolve_resend, delivery_id=delivery.id, by="li"))
    await bench.engine.run(mapping, "submit", MANUAL)
    with pytest.raises(Refused, match="complete"):
        bench.db.write(partial(resolve_created, delivery_id=delivery.id, created="i9", by="li"))


async def test_an_approval_of_another_document_is_refused(bench) -> None:
    mapping, delivery = await unknown(bench)
    bench.world.finding = None
    bench.world.add(2)
    await bench.engine.run(mapping, "submit", MANUAL)
    taken = bench.world.drafts[2]["Instance"]
    unknown_one = next(one for one in bench.db.read(list_deliveries) if one.state == "unknown")
    with pytest.raises(Refused, match=f"{taken} is recorded as the result for document 2"):
        bench.db.write(partial(resolve_created, delivery_id=unknown_one.id, created=taken, by="li"))
    assert delivery.id == unknown_one.id


async def test_a_verdict_that_came_before_the_decision_is_carried_out_again(bench) -> None:
    mapping, delivery = await unknown(bench)
    event = verdict("i1")
    bench.db.write(partial(insert_event, name="oa-1", event=event))
    [claimed] = bench.db.write(claim_events)
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=event))
    assert summary.note == "no draft carries this approval"
    bench.db.write(lambda connection: event_done(connection, claimed.id, note=""))
    assert bench.db.write(claim_events) == []
    bench.db.write(partial(resolve_created, delivery_id=delivery.id, created="i1", by="li"))
    [again] = bench.db.write(claim_events)
    assert again.event.key == "e1"
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=again.event))
    assert summary.state == "succeeded"
    draft = bench.world.drafts[1]
    assert (draft["Mark"], draft["Instance"], draft["Status"]) == ("Y", "i1", "agreed")


@pytest.mark.parametrize("decision", ["created", "resend"])
async def test_a_document_that_was_marked_meanwhile_is_complete(bench, decision) -> None:
    mapping, delivery = await unknown(bench)
    bench.world.drafts[1].update(Mark="Y", Instance="i1")
    if decision == "created":
        bench.db.write(partial(resolve_created, delivery_id=delivery.id, created="i1", by="li"))
    else:
        bench.db.write(partial(resolve_resend, delivery_id=delivery.id, by="li"))
    summary = await bench.engine.run(mapping, "submit", RunRequest(cause="manual", only="1"))
    assert summary.total == 0
    assert (only(bench).state, len(bench.world.approvals)) == ("complete", 1)
    assert "no longer waiting" in only(bench).note


async def test_a_moved_step_is_decided_once(bench) -> None:
    """A renamed step may have been done under its old name: a person says which id stands for the new one."""
    bench.world.add(1)
    pending = [RemoteFault("内部错误", "Internal error")]

    def fail(called: str, _params: Any) -> None:
        if called == "erp.update" and pending:
            raise pending.pop()

    bench.world.before = fail
    await bench.engine.run(bench.mapping(), "submit", MANUAL)
    each = bench.submit_steps[1]
    values = {"Mark": "Y", "Instance": "{{ renamed.instance_id }}"}
    steps = [
        each["steps"][0],
        {**each["steps"][1], "id": "renamed"},
        {"call": "erp.update", "with": {"entity": "Drafts", "key": 1, "values": values}},
    ]
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": steps}])
    assert (await bench.engine.run(mapping, "submit", MANUAL)).unknown == 1
    assert unknown_steps(only(bench)) == ["each.draft/renamed"]
    bench.db.write(partial(resolve_created, delivery_id=only(bench).id, created="i1", by="li"))
    assert (await bench.engine.run(mapping, "submit", MANUAL)).done == 1
    assert (len(bench.world.approvals), bench.world.drafts[1]["Instance"]) == (1, "i1")


async def test_a_verdict_settles_an_approval_that_no_tick_comes_by(bench) -> None:
    """The process died between request and record, and somebody deleted the draft: a person must hear of it."""
    bench.world.add(1)
    mapping = bench.mapping()

    def die(called: str, _params: Any) -> None:
        if called == "oa.create_approval":
            raise KeyError("process died here")

    bench.world.after = die
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.after = lambda _name, _params: None
    assert only(bench).state == "open"
    bench.engine = Engine(bench.db, bench.pool, settle=timedelta(0), orphan=timedelta(0))
    summary = await bench.engine.run(mapping, "verdict", RunRequest(cause="event", event=verdict("i1")))
    assert summary.state == "succeeded"
    assert (only(bench).state, bench.world.drafts[1]["Status"]) == ("complete", "agreed")


async def test_a_dry_run_shows_what_the_ledger_knows(bench) -> None:
    mapping, delivery = await unknown(bench)
    bench.world.finding = None
    bench.world.add(2, 3)
    pending = [RemoteFault("内部错误", "Internal error")]

    def fail(called: str, params: Any) -> None:
        if called == "erp.update" and params.key == 3 and pending:
            raise pending.pop()

    bench.world.before = fail
    await bench.engine.run(mapping, "submit", MANUAL)
    bench.world.excludes_marked = False
    bench.world.add(4)
    before = bench.db.read(list_deliveries)
    seen = await preview(mapping, "submit", bench.pool, ledger=bench.db)
    state = {one.key: (one.state, [sent.action for sent in one.sent]) for one in seen.documents}
    assert state == {
        "1": ("unknown", []),
        "2": ("skipped", []),
        "3": ("done", ["update"]),
        "4": ("done", ["create_approval", "update"]),
    }
    third = seen.documents[2].sent[0].request
    assert third is not None
    assert third.body["Instance"] in bench.world.approvals
    assert bench.db.read(list_deliveries) == before
    assert delivery.id == before[-1].id
    pure = await preview(mapping, "submit", bench.pool)
    assert [len(one.sent) for one in pure.documents] == [2, 2, 2, 2]

"""What the ledger shows of a request to an HTTP flow: whether another content may come in its place."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from runtime.connectors.actions import Finding
from runtime.engine.engine import RunRequest
from runtime.errors import OutcomeUnknown, RemoteRefused, TimedOut
from runtime.store.ledger import DeliveryState, EffectState, Trace, end_request, get_delivery, request_trace
from runtime.store.listings import list_deliveries
from runtime.store.resolution import resolve_resend

REQUEST = RunRequest(cause="http", request={"body": "hello"}, document_key="key-1")
APPROVAL = {"call": "oa.create_approval", "with": {"values": {"text": "{{ request.body }}"}, "originator": "u1"}}
REMINDER = {"call": "oa.remind", "with": {"text": "{{ request.body }}"}}

REMINDER_OF_DRAFT = {"call": "oa.remind", "with": {"text": "{{ draft.Name }}"}}


def trace(bench: Any) -> Trace:
    found: Trace = bench.db.read(partial(request_trace, mapping="demo", flow="inbound", key="key-1"))
    return found


def failing(name: str, error: Exception) -> Any:
    def hook(called: str, _params: Any) -> None:
        if called == name:
            raise error

    return hook


async def test_what_only_read_left_nothing_behind(bench: Any) -> None:
    assert trace(bench) is Trace.NONE
    steps = [{"call": "erp.find", "with": {"entity": "Drafts", "key": 1}}]
    await bench.engine.run(bench.mapping(inbound=steps), "inbound", REQUEST)
    assert trace(bench) is Trace.NONE


@pytest.mark.parametrize(("step", "name"), [(APPROVAL, "oa.create_approval"), (REMINDER, "oa.remind")])
async def test_what_is_refused_again_and_again_happened_at_no_time(bench: Any, step: Any, name: str) -> None:
    mapping = bench.mapping(inbound=[step])
    bench.world.before = failing(name, RemoteRefused("拒绝", "Refused"))
    for _ in range(2):
        assert (await bench.engine.run(mapping, "inbound", REQUEST)).state == "failed"
        assert trace(bench) is Trace.REFUSED
    bench.world.before = failing("", RemoteRefused("拒绝", "Refused"))
    await bench.engine.run(mapping, "inbound", REQUEST)
    assert trace(bench) is Trace.DONE


@pytest.mark.parametrize(("step", "name"), [(APPROVAL, "oa.create_approval"), (REMINDER, "oa.remind")])
async def test_what_may_be_under_way_is_no_refusal(bench: Any, step: Any, name: str) -> None:
    seen: list[Trace] = []
    bench.world.before = lambda called, _params: seen.append(trace(bench)) if called == name else None
    bench.world.after = failing(name, TimedOut("没有答复", "No answer"))
    bench.world.finding = Finding.ABSENT
    assert (await bench.engine.run(bench.mapping(inbound=[step]), "inbound", REQUEST)).state == "failed"
    # Before it is sent, so that a process that dies leaves no less.
    assert [*seen, trace(bench)] == [Trace.OPEN] * 2


async def test_a_person_may_say_that_it_did_not_happen(bench: Any) -> None:
    mapping = bench.mapping(inbound=[APPROVAL])
    bench.world.before = failing("oa.create_approval", OutcomeUnknown("没有答复", "No answer"))
    bench.world.finding = Finding.UNCLEAR
    for _ in range(2):
        await bench.engine.run(mapping, "inbound", REQUEST)
        assert trace(bench) is Trace.OPEN
    [delivery] = bench.db.read(list_deliveries)
    bench.db.write(partial(resolve_resend, delivery_id=delivery.id, by="li"))
    assert trace(bench) is Trace.REFUSED


async def test_a_part_that_was_done_counts(bench: Any) -> None:
    bench.world.before = failing("oa.remind", RemoteRefused("拒绝", "Refused"))
    await bench.engine.run(bench.mapping(inbound=[APPROVAL, REMINDER]), "inbound", REQUEST)
    assert trace(bench) is Trace.DONE


async def test_what_is_refused_in_the_middle_may_stand_in_part(bench: Any) -> None:
    refused = RemoteRefused("拒绝", "Refused")
    refused.partly_done = True
    bench.world.before = failing("oa.remind", refused)
    mapping = bench.mapping(inbound=[REMINDER])
    await bench.engine.run(mapping, "inbound", REQUEST)
    assert trace(bench) is Trace.OPEN
    # Refused at its first call: what went through before is still there.
    bench.world.before = failing("oa.remind", RemoteRefused("拒绝", "Refused"))
    await bench.engine.run(mapping, "inbound", REQUEST)
    assert trace(bench) is Trace.OPEN
    bench.world.before = failing("", refused)
    await bench.engine.run(mapping, "inbound", REQUEST)
    assert trace(bench) is Trace.DONE


async def test_a_document_remembers_what_was_refused_in_the_middle(bench: Any) -> None:
    bench.world.add(1)
    each = {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": [REMINDER_OF_DRAFT]}
    mapping = bench.mapping(submit=[{"id": "drafts", "call": "erp.query", "with": {"entity": "Drafts"}}, each])
    for partly_done in (True, False):
        refused = RemoteRefused("拒绝", "Refused")
        refused.partly_done = partly_done
        bench.world.before = failing("oa.remind", refused)
        await bench.engine.run(mapping, "submit", RunRequest(cause="manual"))
        [delivery] = bench.db.read(list_deliveries)
        [effect] = bench.db.read(partial(get_delivery, delivery_id=delivery.id)).effects.values()
        assert effect.state is EffectState.SENDING


async def test_a_corrected_request_leaves_nothing_to_look_after_and_may_come_back(bench: Any) -> None:
    mapping = bench.mapping(inbound=[APPROVAL])
    bench.world.before = failing("oa.create_approval", RemoteRefused("拒绝", "Refused"))
    await bench.engine.run(mapping, "inbound", REQUEST)
    bench.db.write(partial(end_request, mapping="demo", flow="inbound", key="key-1"))
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, delivery.error) == (DeliveryState.COMPLETE, None)
    assert "corrected content" in delivery.note
    # The first content once more, in the place of the corrected one: refused as before, then accepted.
    await bench.engine.run(mapping, "inbound", REQUEST)
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, trace(bench)) == (DeliveryState.FAILED, Trace.REFUSED)
    bench.world.before = failing("", RemoteRefused("拒绝", "Refused"))
    await bench.engine.run(mapping, "inbound", REQUEST)
    [delivery] = bench.db.read(list_deliveries)
    assert (delivery.state, trace(bench)) == (DeliveryState.COMPLETE, Trace.DONE)
    assert len(bench.world.approvals) == 1

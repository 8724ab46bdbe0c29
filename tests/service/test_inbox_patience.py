"""Events that cannot be carried out at once: they wait, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from runtime.connectors.events import Event, Outcome
from runtime.mapping.document import parse_mapping
from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import Envelope
from runtime.service.router import Router
from runtime.store.columns import utc_now
from runtime.store.inbox import InboxEvent, insert_event, list_events
from runtime.store.ledger import EffectRecord, EffectState, save
from runtime.store.runs import list_runs
from runtime.store.tables import inbox

pytestmark = [pytest.mark.acceptance]


def verdict(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A mapping with nothing but a verdict flow."""
    trigger = {"event": {"connection": "oa", "form": "{{ settings.form }}"}}
    return {
        "format": 1,
        "id": "patient",
        "connections": {"erp": demo.B1_CONNECTION, "oa": demo.DINGTALK_CONNECTION},
        "settings": {"form": demo.PROCESS_CODE},
        "flows": {"verdict": {"trigger": trigger, "steps": list(steps) or [{"stop": "carried out"}]}},
        **changes,
    }


@pytest.fixture(autouse=True)
def _connected(desk: Any) -> None:
    """The two connections, to systems that are not there."""
    desk.import_connections(b1_demo={"retries": 0}, dingtalk_demo={"retries": 0})


def push(address: str, instance: str) -> None:
    """DingTalk says that an approval was agreed."""
    envelope = Envelope(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)
    message = {
        "EventType": "bpms_instance_change", "eventId": f"end of {instance}", "processInstanceId": instance,
        "processCode": demo.PROCESS_CODE, "type": "finish", "result": "agree",
    }  # fmt: skip
    query, body = envelope.seal(json.dumps(message).encode())
    url = f"{address}/callbacks/{demo.DINGTALK_CONNECTION}"
    assert httpx.post(url, params=query, json=body, trust_env=False, timeout=30).status_code == 200


def events(desk: Any, *states: str) -> list[InboxEvent]:
    return list(desk.read(lambda connection: list_events(connection, states=states)))


def test_a_verdict_waits_for_a_mapping_that_is_switched_off(desk: Any, eventually: Any) -> None:
    desk.save(verdict(enabled=False))
    push(desk.serve().address(), "instance-1")
    [waiting] = eventually(lambda: events(desk, "failed"), what="the event waits")
    assert waiting.next_attempt_at is not None
    assert "patient" in str(waiting.error)
    desk.save(verdict())
    [done] = eventually(lambda: events(desk, "done"), what="the event is carried out")
    assert done.note == "patient/verdict"


def test_a_verdict_waits_for_a_mapping_that_is_broken(desk: Any, eventually: Any) -> None:
    desk.save(verdict(flowz={}))
    push(desk.serve().address(), "instance-1")
    eventually(lambda: events(desk, "failed"), what="the event waits")
    desk.save(verdict())
    eventually(lambda: events(desk, "done"), what="the event is carried out")


def test_a_transient_fault_is_tried_again(desk: Any, eventually: Any) -> None:
    desk.save(verdict({"call": "erp.get", "with": {"entity": "Drafts", "key": 1}}))
    push(desk.serve().address(), "instance-1")
    [again] = eventually(
        lambda: [item for item in events(desk, "failed") if item.attempts >= 2], what="the second attempt"
    )
    assert again.next_attempt_at is not None
    assert again.error is not None
    assert again.error["type"] == "Unreachable"


def test_a_document_that_is_at_fault_is_left_to_a_person(desk: Any, eventually: Any) -> None:
    desk.save(verdict({"set": {"x": "{{ event.outcome.nothing.there }}"}}))
    process = desk.serve()
    push(process.address(), "instance-1")
    [failed] = eventually(lambda: events(desk, "failed"), what="the event fails")
    assert failed.next_attempt_at is None
    desk.save(verdict())
    eventually(lambda: "mapping changed" in process.output, what="the repair is taken up")
    run_id = desk.command("runs", "list").stdout.splitlines()[1].split()[0]
    assert desk.command("runs", "retry", run_id).returncode == 0
    eventually(lambda: events(desk, "done"), what="it is carried out after all")
    assert desk.command("runs", "retry", run_id).returncode == 2


def test_an_approval_belongs_to_the_mapping_that_created_it_where_several_take_its_event(
    desk: Any, eventually: Any
) -> None:
    """A flow that waits for every form hears of all approvals; another mapping's document is none of its own."""
    tells = {"stop": "document {{ event.document }}"}
    desk.save(verdict(tells))
    desk.save(verdict(tells, id="every-form", settings={"form": None}))
    desk.save(verdict(tells, id="split", settings={"form": "PROC-OF-A-MAPPING-WITHOUT-VERDICTS"}))

    def deliver(connection: Any) -> None:
        for number, mapping in enumerate(("patient", "only-submits"), start=1):
            row = {"mapping": mapping, "flow": "submit", "source": "b1-demo/Drafts", "document_key": str(number)}
            row |= {"generation": 1, "document": number, "state": "complete", "instance_id": f"i{number}"}
            effect = EffectRecord(
                step="approval", effect="create", state=EffectState.DONE, connection=demo.DINGTALK_CONNECTION,
                action="create_approval", digest="", instance_id=f"i{number}", started_at=utc_now(),
            )  # fmt: skip
            save(connection, {**row, "connection": demo.DINGTALK_CONNECTION}, [effect])
            form = demo.PROCESS_CODE if number == 1 else "PROC-OF-A-MAPPING-WITHOUT-VERDICTS"
            event = Event(
                key=f"e{number}", type="approval.finished", instance_id=f"i{number}", form=form, outcome=Outcome.AGREED
            )
            insert_event(connection, demo.DINGTALK_CONNECTION, event)

    desk.write(deliver)
    desk.serve().address()
    eventually(lambda: len(events(desk, "done")) == 2, what="the events are carried out")
    told = {
        (run.mapping, run.request["event"]["instance_id"]): run.note
        for run in desk.read(lambda connection: list_runs(connection, limit=100))
    }
    # Where its own mapping waits for no verdict others get it, but the number may be another document of theirs.
    assert told == {
        ("patient", "i1"): "document 1",
        ("every-form", "i2"): "document ",
        ("split", "i2"): "document ",
    }


def test_what_a_dead_process_had_in_hand_is_taken_up_by_the_next(desk: Any, eventually: Any) -> None:
    desk.save(verdict())
    event = Event(key="e1", type="approval.finished", instance_id="i1", form=demo.PROCESS_CODE, outcome=Outcome.AGREED)
    desk.write(lambda connection: insert_event(connection, demo.DINGTALK_CONNECTION, event))
    desk.write(lambda connection: connection.execute(update(inbox).values(state="working")))
    desk.serve().address()
    [done] = eventually(lambda: events(desk, "done"), what="the event is carried out")
    assert done.note == "patient/verdict"


class Live:
    """Mappings in force, without a folder."""

    def __init__(self, *mappings: dict[str, Any], broken: tuple[str, ...] = ()) -> None:
        self.mappings = [parse_mapping(document) for document in mappings]
        self.without_good_version = list(broken)

    def flows(self, *, enabled: bool = True) -> list[Any]:
        found = [mapping for mapping in self.mappings if mapping.enabled == enabled]
        return [(mapping, name, flow) for mapping in found for name, flow in mapping.flows.items()]

    def on_change(self, _told: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("owner", "changes", "takes", "waits_for"),
    [
        ("", {}, ["one", "two"], ""),
        ("two", {}, ["two"], ""),
        ("two", {"enabled": False}, [], "two"),
        ("gone", {}, ["one", "two"], ""),
        ("broken", {}, [], "broken"),
    ],
)
def test_a_verdict_goes_to_the_mapping_that_sent_the_document(
    owner: str, changes: dict[str, Any], takes: list[str], waits_for: str
) -> None:
    event = Event(key="e", type="approval.finished", form=demo.PROCESS_CODE, instance_id="i1", outcome=Outcome.AGREED)
    router = Router(Live(verdict(id="one"), verdict(id="two", **changes), broken=("broken",)))
    routes = router.flows_for(demo.DINGTALK_CONNECTION, event, owner=owner)
    assert [route.mapping.id for route in routes] == takes
    if not takes:
        reason = router.reason_to_wait(demo.DINGTALK_CONNECTION, event, owner=owner)
        assert reason is not None
        assert reason.where == waits_for


def test_a_mapping_that_fails_does_not_keep_an_event_from_another(desk: Any, eventually: Any) -> None:
    fails = {"call": "erp.get", "with": {"entity": "Drafts", "key": 1}}
    desk.save(verdict(fails, id="a-fails"))
    desk.save(verdict(id="b-works"))
    push(desk.serve().address(), "instance-1")
    [waiting] = eventually(lambda: events(desk, "failed"), what="the event waits for the first one")
    assert waiting.next_attempt_at is not None
    listed = desk.command("runs", "list").stdout
    assert "b-works/verdict" in listed
    desk.save(verdict(id="a-fails"))
    [done] = eventually(lambda: events(desk, "done"), what="both have carried it out")
    assert done.note == "a-fails/verdict, b-works/verdict"

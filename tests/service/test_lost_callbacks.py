"""Verdicts whose callback never arrives are found by asking, and have one effect whichever ways they arrive in."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from runtime.store.inbox import InboxEvent, list_events
from runtime.store.ledger import Delivery
from runtime.store.listings import list_deliveries

pytestmark = [pytest.mark.acceptance]

SWEEPING = {"B1_SWEEP_EVERY": "1s", "B1_SWEEP_AGE": "1s"}


@pytest.fixture(scope="module")
def mapping(purchase_request: dict[str, Any]) -> dict[str, Any]:
    """The verdict flow leaves a comment: an effect that would show if it happened twice."""
    document = copy.deepcopy(purchase_request)
    comment = {
        "call": "oa.comment",
        "with": {"instance_id": "{{ event.instance_id }}", "text": "written back", "user": "user-manager"},
    }
    document["flows"]["verdict"]["steps"].append(comment)
    return document


@pytest.fixture(scope="module")
def runtime(module_desk: Any, mapping: dict[str, Any], sandbox: Any) -> Any:
    """A live runtime, and a DingTalk that loses every callback."""
    module_desk.import_connections()
    module_desk.save(mapping)
    process = module_desk.serve(env=SWEEPING)
    callback = f"{process.address()}/callbacks/dingtalk-demo"
    sandbox.control("PUT", "/dingtalk/callback", {"url": callback, "drop": True})
    return process


def deliveries(desk: Any) -> list[Delivery]:
    found = desk.read(lambda connection: list_deliveries(connection, mapping="purchase-request", limit=1000))
    return [one for one in found if one.flow == "submit" and one.instance_id]


def events(desk: Any, instance: str) -> list[InboxEvent]:
    rows = desk.read(lambda connection: list_events(connection, limit=1000))
    return [row for row in rows if row.event.instance_id == instance and row.event.type == "approval.finished"]


def comments(sandbox: Any, instance: str) -> int:
    [found] = [item for item in sandbox.instances() if item["id"] == instance]
    return str(found).count("written back")


def test_a_verdict_without_a_callback_is_found_and_has_one_effect(
    runtime: Any, module_desk: Any, sandbox: Any, eventually: Any
) -> None:
    eventually(lambda: not sandbox.unsynced(), what="all drafts are sent")
    delivery = eventually(lambda: deliveries(module_desk), what="deliveries")[0]
    instance = delivery.instance_id
    sandbox.control("POST", f"/dingtalk/instances/{instance}/decide", {"result": "agree", "remark": "fine"})

    def outcome() -> str:
        return next(one.outcome for one in deliveries(module_desk) if one.id == delivery.id)

    assert eventually(outcome, what="the verdict is carried out") == "agreed"
    assert sandbox.b1(f"/Drafts({delivery.document_key})")["U_ApprovalStatus"] == "agreed"
    [found] = events(module_desk, instance)
    assert found.event.key.startswith("polled ")

    # The callback arrives after all, and once more.
    sandbox.control("PUT", "/dingtalk/callback", {"drop": False})
    log = sandbox.control("GET", f"/dingtalk/events?instance={instance}")["events"]
    [finished] = [event for event in log if event["change"] == "finish"]

    def done(count: int) -> bool:
        rows = events(module_desk, instance)
        return len(rows) == count and all(row.state == "done" for row in rows)

    for _ in range(2):
        sandbox.control("POST", f"/dingtalk/events/{finished['id']}/redeliver")
        eventually(lambda: done(2), what="the callback is carried out")
    assert comments(sandbox, instance) == 1
    assert sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {delivery.document_key}")["value"][0]["Status"] == (
        "arsApproved"
    )
    runs = module_desk.command("runs", "list", "--limit", "50").stdout
    assert runs.count("purchase-request/verdict") == 2
    assert "失败 failed " not in runs.partition("\n")[2]


def test_the_others_are_not_asked_about_for_ever(module_desk: Any, runtime: Any, sandbox: Any) -> None:
    still_open = [one for one in deliveries(module_desk) if not one.outcome]
    assert still_open
    assert all(not events(module_desk, one.instance_id) for one in still_open)

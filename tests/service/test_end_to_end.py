"""The main job with the real commands: drafts become approvals, verdicts come back into B1."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from runtime.store.inbox import list_events

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.parametrize("state", ["sqlite", "postgresql"], indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def runtime(module_desk: Any, purchase_request: dict[str, Any]) -> Any:
    """A live runtime with the mapping, and the sandbox's DingTalk pushing its events to it."""
    module_desk.import_connections()
    module_desk.save(purchase_request)
    process = module_desk.serve()
    callback = f"{process.address()}/callbacks/dingtalk-demo"
    module_desk.sandbox.control("PUT", "/dingtalk/callback", {"url": callback})
    return process


def instance_of(sandbox: Any, draft: dict[str, Any]) -> dict[str, Any]:
    [found] = [item for item in sandbox.instances() if item["id"] == draft["U_instanceID"]]
    return dict(found)


def all_sent(sandbox: Any, eventually: Any) -> list[dict[str, Any]]:
    """The drafts that were sent, once none is left to be."""
    eventually(lambda: not sandbox.unsynced(), what="all drafts are sent")
    query = "/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'&$top=1000"
    return [draft for draft in sandbox.b1(query)["value"] if draft["U_instanceID"]]


def test_every_draft_becomes_exactly_one_approval(runtime: Any, sandbox: Any, eventually: Any) -> None:
    drafts = all_sent(sandbox, eventually)
    assert drafts
    numbers = Counter(draft["U_instanceID"] for draft in drafts)
    assert set(numbers.values()) == {1}
    assert set(numbers) <= {item["id"] for item in sandbox.instances()}
    assert len(sandbox.instances()) == len(drafts)


@pytest.mark.parametrize("verdict", [("agree", "agreed", "arsApproved"), ("refuse", "refused", "arsNotApproved")])
def test_a_verdict_comes_back_into_b1(
    runtime: Any, sandbox: Any, eventually: Any, verdict: tuple[str, str, str]
) -> None:
    result, outcome, decision = verdict
    pending = [d for d in all_sent(sandbox, eventually) if not d["U_ApprovalStatus"]]
    draft = pending[0]
    entry = draft["DocEntry"]
    path = f"/dingtalk/instances/{draft['U_instanceID']}/decide"
    sandbox.control("POST", path, {"result": result, "remark": "请尽快 as agreed"})

    def written_back() -> Any:
        now = sandbox.b1(f"/Drafts({entry})")
        return now if now["U_ApprovalStatus"] == outcome else None

    after = eventually(written_back, what=f"draft {entry} carries {outcome}")
    assert after["U_Approver"] == "user-manager"
    [request] = sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {entry}")["value"]
    assert request["Status"] == decision
    assert "请尽快" in str(request)


def test_an_event_that_comes_again_changes_nothing(
    runtime: Any, sandbox: Any, eventually: Any, module_desk: Any
) -> None:
    events = sandbox.control("GET", "/dingtalk/events")["events"]
    finished = next(event for event in events if event["change"] == "finish")
    before = inbox_rows(module_desk)
    sandbox.control("POST", f"/dingtalk/events/{finished['id']}/redeliver")

    def accepted_again() -> bool:
        log = sandbox.control("GET", f"/dingtalk/events?instance={finished['instance_id']}")["events"]
        again = next(event for event in log if event["id"] == finished["id"])
        return again["state"] == "delivered" and again["rounds"] > finished["rounds"]

    eventually(accepted_again, what="the event is acknowledged again")
    assert inbox_rows(module_desk) == before


def test_the_runs_are_on_record(runtime: Any, module_desk: Any) -> None:
    listed = module_desk.command("runs", "list")
    assert listed.returncode == 0, listed.stderr
    assert "purchase-request/submit" in listed.stdout
    assert "purchase-request/verdict" in listed.stdout
    run_ids = [line.split()[0] for line in listed.stdout.splitlines() if "/submit" in line]
    # The last ones may have found nothing to do.
    shown = [module_desk.invoke("runs", "show", run_id, "--steps") for run_id in run_ids]
    assert any("oa.create_approval" in text and "计划请购" in text for text in shown)


def test_health_and_metrics_tell_what_happened(runtime: Any) -> None:
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=30) as http:
        assert http.get("/healthz").json() == {"alive": True}
        ready = http.get("/readyz")
        assert ready.status_code == 200, ready.text
        assert "purchase-request/submit" in ready.json()["next_runs"]
        metrics = http.get("/metrics").text
    assert 'b1_runs_total{flow="verdict",mapping="purchase-request",state="succeeded"}' in metrics
    assert 'b1_callbacks_total{connection="dingtalk-demo",verdict="accepted"}' in metrics


def test_run_beside_a_live_runtime_is_handed_over_and_followed(
    runtime: Any, module_desk: Any, sandbox: Any, eventually: Any
) -> None:
    sandbox.control("POST", "/b1/drafts", {"count": 3, "lines": 2})
    done = module_desk.command("run", "purchase-request")
    assert done.returncode == 0, done.stderr
    assert "handed to the live runtime" in done.stderr
    assert "succeeded" in done.stdout
    drafts = all_sent(sandbox, eventually)
    assert len(sandbox.instances()) == len(drafts)


def inbox_rows(desk: Any) -> int:
    return len(desk.read(lambda connection: list_events(connection, limit=1000)))

"""B1 and WeCom with the real commands and the gallery's template: drafts become approvals, verdicts come back once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from runtime.store.inbox import InboxEvent, list_events

pytestmark = [pytest.mark.acceptance]

FIELDS = [
    {"to": "申请人", "from": "RequesterName"},
    {"to": "有效期", "from": "DocDueDate"},
    {"to": "过账日期", "from": "DocDate"},
    {"to": "草稿单号", "from": "DocEntry"},
    {"to": "审批单号", "value": "{{ pending.Code }}"},
    {"to": "备注", "from": "Comments"},
]
COLUMNS = [
    {"to": "物料名", "from": "ItemDescription"},
    {"to": "物料编号", "from": "ItemCode"},
    {"to": "数量", "from": "Quantity"},
]


def instances(sandbox: Any) -> list[dict[str, Any]]:
    return list(sandbox.control("GET", "/wecom/instances?limit=1000")["instances"])


def sent(sandbox: Any) -> list[dict[str, Any]]:
    """The drafts that carry the number of an approval."""
    query = "/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'&$top=1000"
    return [draft for draft in sandbox.b1(query)["value"] if draft["U_SPNO"]]


def verdicts(desk: Any, number: str) -> list[InboxEvent]:
    rows = desk.read(lambda connection: list_events(connection, limit=1000))
    return [row for row in rows if row.event.instance_id == number and row.event.type == "approval.finished"]


def patch_draft(sandbox: Any, entry: int, values: dict[str, Any]) -> None:
    with httpx.Client(base_url=f"{sandbox.url}/b1/b1s/v1", trust_env=False, timeout=20) as client:
        login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        assert client.post("/Login", json=login).is_success
        assert client.patch(f"/Drafts({entry})", json=values).is_success


@pytest.fixture(scope="module")
def runtime(module_desk: Any, sandbox: Any) -> Any:
    """A live runtime with a mapping made from the template, and a WeCom that pushes every event three times."""
    module_desk.import_connections()
    made = module_desk.command(
        "templates", "new", "wecom-approval-odata", "--id", "wecom", "--connection", f"erp={demo.B1_CONNECTION}",
        "--connection", f"oa={demo.WECOM_CONNECTION}", "--set", f"template_id={demo.WECOM_TEMPLATE}",
        "--set", "stage_approver=5", "--set", "key_field=草稿单号", "--set", "period=1s",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    document = json.loads((module_desk.mappings / "wecom.json").read_text("utf-8"))
    each = document["flows"]["submit"]["steps"][1]
    form = next(step for step in each["steps"] if step.get("id") == "form")
    form["map"] |= {"fields": FIELDS, "tables": [{"to": "物料", "from": "DocumentLines", "fields": COLUMNS}]}
    module_desk.save(document)
    # one answer is lost on the way
    sandbox.control("POST", "/faults/next", {"fault": "reset_after", "path": "/oa/applyevent"})
    process = module_desk.serve()
    callback = f"{process.address()}/callbacks/{demo.WECOM_CONNECTION}"
    sandbox.control("PUT", "/wecom/callback", {"url": callback, "copies": 3})
    return process


def test_every_draft_becomes_one_approval_of_its_author(runtime: Any, sandbox: Any, eventually: Any) -> None:
    eventually(lambda: not sandbox.unsynced(), within=90, what="all drafts are sent")
    drafts = sent(sandbox)
    numbers = Counter(draft["U_SPNO"] for draft in drafts)
    assert len(drafts) >= 6
    assert set(numbers.values()) == {1}
    approvals = {item["id"]: item for item in instances(sandbox)}
    assert set(numbers) == set(approvals)
    for draft in drafts:
        approval = approvals[draft["U_SPNO"]]
        assert approval["originator"] == draft["U_UserID"]
        texts = {item["title"][0]["text"]: item["value"].get("text") for item in approval["contents"]}
        assert texts["草稿单号"] == str(draft["DocEntry"])


def test_a_verdict_delivered_three_times_and_paid_later_has_one_effect(
    runtime: Any, sandbox: Any, eventually: Any, module_desk: Any
) -> None:
    draft = sent(sandbox)[0]
    entry, number = draft["DocEntry"], draft["U_SPNO"]
    path = f"/wecom/instances/{number}"
    sandbox.control("POST", f"{path}/decide", {"result": "agree", "remark": "请尽快"})

    def written_back() -> Any:
        return sandbox.b1(f"/Drafts({entry})")["U_ApprovalStatus"] == "同意"

    def done(count: int) -> bool:
        rows = verdicts(module_desk, number)
        return len(rows) == count and all(row.state == "done" for row in rows)

    eventually(written_back, what="the draft carries the verdict")
    after = sandbox.b1(f"/Drafts({entry})")
    assert after["U_Approver"] == "user-manager"
    assert after["U_ApprovalDate"]
    [request] = sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {entry}")["value"]
    assert request["Status"] == "arsApproved"
    assert "user-manager: 请尽快" in str(request)
    eventually(lambda: done(1), what="one event")
    # whatever comes now must not write again
    patch_draft(sandbox, entry, {"U_Approver": "by hand"})
    sandbox.control("POST", f"{path}/comment", {"text": "谢谢"})
    sandbox.control("POST", f"{path}/after", {"event": "pay"})
    eventually(lambda: done(2), what="the second event of the same verdict")
    pushes = sandbox.control("GET", f"/wecom/events?instance={number}")["events"]
    for push in pushes:
        sandbox.control("POST", f"/wecom/events/{push['id']}/redeliver")

    def acknowledged() -> bool:
        log = sandbox.control("GET", f"/wecom/events?instance={number}")["events"]
        return all(push["state"] == "delivered" and push["rounds"] == 2 for push in log)

    eventually(acknowledged, what="everything is acknowledged again")
    assert done(2)
    assert sandbox.b1(f"/Drafts({entry})")["U_Approver"] == "by hand"


def test_a_refusal_that_meets_a_b1_that_is_down_is_carried_out_when_it_is_back(
    runtime: Any, sandbox: Any, eventually: Any
) -> None:
    draft = sent(sandbox)[1]
    entry = draft["DocEntry"]
    fault = {"fault": "error500", "method": "PATCH", "path": "/ApprovalRequests", "times": 4}
    sandbox.control("POST", "/faults/next", fault)
    path = f"/wecom/instances/{draft['U_SPNO']}/decide"
    sandbox.control("POST", path, {"result": "refuse", "remark": "超预算"})
    eventually(
        lambda: sandbox.b1(f"/Drafts({entry})")["U_ApprovalStatus"] == "拒绝", what="the draft carries the refusal"
    )
    [request] = sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {entry}")["value"]
    assert request["Status"] == "arsNotApproved"
    assert "超预算" in str(request)


def test_a_draft_at_another_stage_is_left_alone(runtime: Any, sandbox: Any, module_desk: Any, eventually: Any) -> None:
    document = json.loads((module_desk.mappings / "wecom.json").read_text("utf-8"))

    def scheduled() -> bool:
        with httpx.Client(base_url=runtime.address(), trust_env=False) as http:
            return "wecom/submit" in http.get("/readyz").json()["next_runs"]

    module_desk.save({**document, "enabled": False})
    eventually(lambda: not scheduled(), what="the mapping is switched off")
    before = len(instances(sandbox))
    sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    document["settings"]["stage_approver"] = 4
    module_desk.save({**document, "enabled": True})
    eventually(scheduled, what="the mapping is switched on, with another approver")
    done = module_desk.command("run", "wecom")
    assert done.returncode == 0, done.stderr
    assert (len(instances(sandbox)), len(sandbox.unsynced())) == (before, 1)
    document["settings"]["stage_approver"] = None
    module_desk.save({**document, "enabled": True})
    eventually(lambda: not sandbox.unsynced(), what="without the check it is sent")
    assert len(instances(sandbox)) == before + 1

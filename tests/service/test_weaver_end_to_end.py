"""Weaver with the real commands: registered, drafts become requests, node actions report verdicts, B1 is told once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.connectors.registry import open_connector
from runtime.sandbox import demo
from runtime.store.listings import list_deliveries
from runtime.store.runs import list_runs

pytestmark = [pytest.mark.acceptance]

ID = "purchase-request-weaver"
PATH = f"/flows/{ID}/verdict"
FIELDS = [
    {"to": "djbh", "from": "DocEntry"},
    {"to": "sqr", "from": "U_OAUserID"},
    {"to": "sqrq", "from": "DocDate"},
    {"to": "qgdb", "from": "U_PurReqType"},
    {"to": "bz", "from": "Comments"},
]
LINES = {
    "to": "formtable_main_45_dt1",
    "from": "DocumentLines",
    "fields": [
        {"to": "wlbm", "from": "ItemCode"},
        {"to": "cgsl", "from": "Quantity", "through": [{"round": 2}]},
        {"to": "xqrq", "from": "RequiredDate"},
    ],
}


async def fetched_controls(document: dict[str, Any]) -> list[dict[str, Any]]:
    connector = open_connector("oa", document)
    try:
        form = await connector.fetch_form(str(demo.WEAVER_WORKFLOW))
    finally:
        await connector.aclose()
    return [control.model_dump(mode="json") for control in form.controls]


@pytest.fixture(scope="module")
def runtime(module_desk: Any, sandbox: Any) -> Any:
    """From nothing: connections, registration, a mapping from the template with its fields, a live runtime."""
    module_desk.import_connections(b1_demo={"retries": 0})
    registered = module_desk.command("connections", "register", demo.WEAVER_CONNECTION)
    assert registered.returncode == 0, registered.stderr
    again = module_desk.command("connections", "register", demo.WEAVER_CONNECTION)
    assert again.returncode != 0
    assert "--again" in again.stderr
    assert "token" in module_desk.command("connections", "test", demo.WEAVER_CONNECTION).stdout
    made = module_desk.command(
        *("templates", "new", "weaver-approval-odata", "--id", ID, "--set", f"workflow={demo.WEAVER_WORKFLOW}"),
        *("--set", "key_field=djbh", "--set", "period=1s"),
        *("--connection", f"erp={demo.B1_CONNECTION}", "--connection", f"oa={demo.WEAVER_CONNECTION}"),
    )
    assert made.returncode == 0, made.stderr
    path = Path(module_desk.mappings) / f"{ID}.json"
    mapping = json.loads(path.read_text("utf-8"))
    step = mapping["flows"]["submit"]["steps"][1]["steps"][0]["map"]
    document = module_desk.connections()[demo.WEAVER_CONNECTION] | sandbox.control("GET", "/weaver/registration")
    step["to"]["controls"] = asyncio.run(fetched_controls(document))
    step |= {"fields": FIELDS, "tables": [LINES]}
    module_desk.save(mapping)
    checked = module_desk.command("check", ID)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return module_desk.serve(env={"B1_SWEEP_EVERY": "1s", "B1_SWEEP_AGE": "1s"})


@pytest.fixture(scope="module")
def code(module_desk: Any, runtime: Any, sandbox: Any) -> str:
    """The AppCode of the verdict flow; the OA's node action has it too."""
    listed = module_desk.command("appcodes", "list").stdout
    [row] = [line.split() for line in listed.splitlines() if f"{ID}/verdict" in line]
    assert row[-2].endswith(PATH)
    sandbox.control("PUT", "/weaver/node-action", {"url": runtime.address() + PATH, "app_code": row[-1]})
    return row[-1]


@pytest.fixture
def drafts(code: str, sandbox: Any, eventually: Any) -> list[dict[str, Any]]:
    """Drafts that were sent and have no verdict yet."""
    eventually(lambda: not sandbox.unsynced(), what="all drafts are sent")
    query = "/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'&$top=1000"
    return [one for one in sandbox.b1(query)["value"] if one["U_REQUESTID"] and not one["U_ApprovalStatus"]]


def decide(sandbox: Any, draft: dict[str, Any], result: str, remark: str = "看过了") -> list[dict[str, Any]]:
    number = draft["U_REQUESTID"]
    sandbox.control("POST", f"/weaver/requests/{number}/decide", {"result": result, "remark": remark})
    return list(sandbox.control("GET", f"/weaver/sendings?request={number}")["sendings"])


def approval_of(sandbox: Any, draft: dict[str, Any]) -> dict[str, Any]:
    [request] = sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {draft['DocEntry']}")["value"]
    return dict(request)


def test_every_draft_becomes_exactly_one_request_as_its_applicant(drafts: Any, sandbox: Any) -> None:
    requests = sandbox.control("GET", "/weaver/requests")["requests"]
    assert {str(one["id"]) for one in requests} == {draft["U_REQUESTID"] for draft in drafts}
    assert len(requests) == len(drafts) == 8
    by_number = {str(one["id"]): one for one in requests}
    for draft in drafts:
        request = by_number[draft["U_REQUESTID"]]
        assert str(request["creator"]) == draft["U_OAUserID"]
        assert request["name"] == f"采购申请 {draft['DocEntry']}"
        assert request["values"]["djbh"] == str(draft["DocEntry"])
        rows = request["details"]["formtable_main_45_dt1"]
        assert [row["wlbm"] for row in rows] == [line["ItemCode"] for line in draft["DocumentLines"]]


@pytest.mark.parametrize(("result", "status"), [("agree", "arsApproved"), ("refuse", "arsNotApproved")])
def test_a_verdict_is_written_back_and_answered(drafts: Any, sandbox: Any, result: str, status: str) -> None:
    draft = drafts[0]
    [sending] = decide(sandbox, draft, result)
    assert sending["problem"] == ""
    assert json.loads(sending["answer"])["flag"] == "Y"
    after = sandbox.b1(f"/Drafts({draft['DocEntry']})")
    assert after["U_Approver"] == "陈经理"
    assert after["U_ApprovalStatus"] == ("同意" if result == "agree" else "拒绝")
    request = approval_of(sandbox, draft)
    assert request["Status"] == status
    assert "看过了" in str(request)


def test_a_repeated_call_gets_the_stored_answer_and_has_no_effect(drafts: Any, sandbox: Any, module_desk: Any) -> None:
    [sending] = decide(sandbox, drafts[0], "agree")
    before = runs_of(module_desk, "verdict")
    again = sandbox.control("POST", f"/weaver/sendings/{sending['id']}/repeat")
    assert (again["status"], again["answer"]) == (200, sending["answer"])
    assert runs_of(module_desk, "verdict") == before


def test_a_verdict_that_is_reported_once_more_in_other_words_has_no_effect(
    drafts: Any, sandbox: Any, runtime: Any, code: str
) -> None:
    """The node action runs again: at another time, so under another key."""
    [sending] = decide(sandbox, drafts[0], "agree")
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=20) as http:
        body = sending["body"] | {"time": "2031-01-01 10:00:00", "approver": "别人"}
        answer = http.post(PATH, json=body, headers={"X-Apig-AppCode": code})
    assert (answer.status_code, answer.json()["flag"]) == (200, "Y")
    assert sandbox.b1(f"/Drafts({drafts[0]['DocEntry']})")["U_Approver"] == "陈经理"


def test_what_b1_refuses_is_answered_with_its_reason_and_tried_again_when_it_is_repeated(
    drafts: Any, sandbox: Any, module_desk: Any
) -> None:
    draft = drafts[0]
    sandbox.control(
        "POST", "/faults/next", {"fault": "error500", "method": "PATCH", "path": "/ApprovalRequests", "times": 20}
    )
    [sending] = decide(sandbox, draft, "agree")
    answer = json.loads(sending["answer"])
    assert sending["status"] == 200
    assert answer["flag"] == "N"
    assert "Switch company error" in answer["message"]
    assert approval_of(sandbox, draft)["Status"] == "arsPending"
    sandbox.control("DELETE", "/faults")
    again = sandbox.control("POST", f"/weaver/sendings/{sending['id']}/repeat")
    assert json.loads(again["answer"])["flag"] == "Y"
    assert approval_of(sandbox, draft)["Status"] == "arsApproved"
    states = Counter(run.state for run in runs_of(module_desk, "verdict"))
    assert states["failed"] == 1


def test_a_verdict_that_was_never_sent_is_found_by_asking(drafts: Any, sandbox: Any, eventually: Any) -> None:
    sandbox.control("PUT", "/weaver/node-action", {"drop": True})
    assert decide(sandbox, drafts[0], "refuse") == []
    path = f"/Drafts({drafts[0]['DocEntry']})"
    eventually(lambda: sandbox.b1(path)["U_ApprovalStatus"] == "拒绝", what="the verdict is found")
    sandbox.control("PUT", "/weaver/node-action", {"drop": False})


def test_strangers_and_nonsense_are_refused(runtime: Any, code: str) -> None:
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=20) as http:
        good = {"requestid": "999999", "status": "Y"}
        assert http.post(PATH, json=good).status_code == 401
        headers = {"X-Apig-AppCode": code}
        unknown = http.post(PATH, json=good, headers=headers)
        assert (unknown.status_code, unknown.json()["flag"]) == (200, "N")
        for wrong, status in (({"requestid": "999999", "status": "?"}, 400), ({"requestid": "", "status": "Y"}, 400)):
            answer = http.post(PATH, json=wrong, headers=headers)
            assert answer.status_code == status
            assert answer.json()["error"]["message"]


def test_the_ledger_knows_the_outcomes(drafts: Any, module_desk: Any) -> None:
    found = module_desk.read(lambda connection: list_deliveries(connection, mapping=ID, limit=1000))
    outcomes = Counter(one.outcome for one in found if one.flow == "submit")
    assert outcomes == {"": len(drafts), "agreed": 4, "refused": 2}


def runs_of(desk: Any, flow: str) -> list[Any]:
    return list(desk.read(lambda connection: list_runs(connection, mapping=ID, flow=flow, limit=1000)))

"""Weaver with the real commands: registered, drafts become requests, node actions report verdicts, B1 is told once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.connectors.registry import open_connector
from runtime.sandbox import demo
from runtime.store.inbox import list_events
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
    module_desk.save(mapping | {"enabled": True})
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


@pytest.fixture(autouse=True)
def _no_faults_remain(sandbox: Any) -> Iterator[None]:
    yield
    sandbox.control("DELETE", "/faults")


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


def post(sandbox: Any, body: dict[str, Any]) -> dict[str, Any]:
    """What the OA's node action would post, sent by hand."""
    action = sandbox.control("GET", "/weaver/node-action")
    headers = {"X-Apig-AppCode": action["app_code"]}
    answer = httpx.post(action["url"], json=body, headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def reports(desk: Any, draft: dict[str, Any]) -> list[Any]:
    """What the inbox holds about a draft's request."""
    return list(desk.read(lambda connection: list_events(connection, instance_id=str(draft["U_REQUESTID"]))))


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
    """The node action runs again, or that of another node does: another time, other people, or no time at all."""
    [sending] = decide(sandbox, drafts[0], "agree")
    timeless = {name: value for name, value in sending["body"].items() if name != "time"}
    others = (
        sending["body"] | {"time": "2031-01-01 10:00:00", "approver": "别人"},
        timeless | {"remark": "同意采购"},
        timeless | {"remark": "可以"},
        timeless | {"remark": "同意采购"},
    )
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=20) as http:
        for body in others:
            answer = http.post(PATH, json=body, headers={"X-Apig-AppCode": code})
            assert (answer.status_code, answer.json().get("flag")) == (200, "Y"), answer.text
    assert sandbox.b1(f"/Drafts({drafts[0]['DocEntry']})")["U_Approver"] == "陈经理"
    assert "看过了" in str(approval_of(sandbox, drafts[0]))


def b1_is_down(sandbox: Any) -> None:
    sandbox.control(
        "POST", "/faults/next", {"fault": "error500", "method": "PATCH", "path": "/ApprovalRequests", "times": 1000}
    )


def test_a_verdict_while_b1_is_down_is_answered_with_the_reason_and_written_when_b1_is_back(
    drafts: Any, sandbox: Any, module_desk: Any, eventually: Any
) -> None:
    draft = drafts[0]
    b1_is_down(sandbox)
    [sending] = decide(sandbox, draft, "agree")
    answer = json.loads(sending["answer"])
    assert (sending["status"], answer["flag"]) == (200, "N")
    assert "Switch company error" in answer["message"]
    assert "将自动重试" in answer["message"]
    assert approval_of(sandbox, draft)["Status"] == "arsPending"
    [kept] = reports(module_desk, draft)
    assert (kept.state, kept.next_attempt_at is not None) == ("failed", True)
    sandbox.control("DELETE", "/faults")
    eventually(lambda: [one.state for one in reports(module_desk, draft)] == ["done"], what="it is carried out")
    assert approval_of(sandbox, draft)["Status"] == "arsApproved"
    before = runs_of(module_desk, "verdict")
    again = sandbox.control("POST", f"/weaver/sendings/{sending['id']}/repeat")
    assert json.loads(again["answer"])["flag"] == "Y"
    assert runs_of(module_desk, "verdict") == before


def change_silently(sandbox: Any, draft: dict[str, Any], result: str) -> None:
    """The OA takes its decision back and decides anew, and its node action tells nobody."""
    number = draft["U_REQUESTID"]
    sandbox.control("PUT", "/weaver/node-action", {"drop": True})
    sandbox.control("POST", f"/weaver/requests/{number}/reopen")
    sandbox.control("POST", f"/weaver/requests/{number}/decide", {"result": result})
    sandbox.control("PUT", "/weaver/node-action", {"drop": False})


def test_a_repeated_call_is_tried_at_once_and_the_last_word_of_the_oa_stands(
    drafts: Any, sandbox: Any, module_desk: Any, eventually: Any
) -> None:
    b1_is_down(sandbox)
    draft = drafts[0]
    [sending] = decide(sandbox, draft, "agree")
    assert json.loads(sending["answer"])["flag"] == "N"
    change_silently(sandbox, draft, "refuse")
    changed = {**sending["body"], "status": "N", "time": "2099-01-01 08:00:00"}
    assert post(sandbox, changed)["flag"] == "N"
    sandbox.control("DELETE", "/faults")
    # The runtime may be at it by itself, an attempt that B1 has refused already.
    eventually(lambda: post(sandbox, changed)["flag"] == "Y", what="it is carried out")
    replaced = post(sandbox, sending["body"])
    assert (replaced["flag"], "后一次" in replaced["message"]) == ("N", True)
    assert approval_of(sandbox, draft)["Status"] == "arsNotApproved"
    assert sandbox.b1(f"/Drafts({draft['DocEntry']})")["U_ApprovalStatus"] == "拒绝"
    dropped = next(one for one in reports(module_desk, draft) if one.event.outcome == "agreed")
    assert (dropped.state, "replaced" in dropped.note) == ("done", True)


def test_a_verdict_that_overtakes_the_write_back_waits_for_it(
    drafts: Any, sandbox: Any, module_desk: Any, eventually: Any
) -> None:
    """The request exists, its number is not in B1 yet: the verdict's run writes it there first, each of them once."""
    known = {one["id"] for one in sandbox.control("GET", "/weaver/requests")["requests"]}
    # Enough for every tick until the verdict is there; then B1 takes the mark again.
    sandbox.control("POST", "/faults/next", {"fault": "error500", "method": "PATCH", "path": "/Drafts", "times": 1000})
    [entry] = sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})["entries"]

    def fresh() -> list[dict[str, Any]]:
        return [one for one in sandbox.control("GET", "/weaver/requests")["requests"] if one["id"] not in known]

    [request] = eventually(fresh, what="the request is created")
    assert not sandbox.b1(f"/Drafts({entry})")["U_REQUESTID"]
    [sending] = decide(sandbox, {"U_REQUESTID": request["id"]}, "agree")
    assert json.loads(sending["answer"])["flag"] == "N"
    assert sandbox.b1(f"/Drafts({entry})")["U_ISSYN"] == "N"
    sandbox.control("DELETE", "/faults")
    after = eventually(
        lambda: (row := sandbox.b1(f"/Drafts({entry})"))["U_ApprovalStatus"] and row, what="the verdict is written"
    )
    assert (after["U_ISSYN"], after["U_REQUESTID"], after["U_ApprovalStatus"]) == ("Y", str(request["id"]), "同意")
    assert len(fresh()) == 1
    assert approval_of(sandbox, after)["Status"] == "arsApproved"


def test_a_verdict_for_a_mapping_that_is_switched_off_waits_for_it(
    drafts: Any, sandbox: Any, module_desk: Any, runtime: Any, eventually: Any
) -> None:
    [entry] = sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})["entries"]
    draft = eventually(lambda: (row := sandbox.b1(f"/Drafts({entry})"))["U_REQUESTID"] and row, what="it is sent")

    def runs() -> bool:
        ready = httpx.get(f"{runtime.address()}/readyz", trust_env=False, timeout=30).json()
        return f"{ID}/submit" in ready["next_runs"]

    mapping = json.loads((Path(module_desk.mappings) / f"{ID}.json").read_text("utf-8"))
    module_desk.save(mapping | {"enabled": False})
    eventually(lambda: not runs(), what="the mapping is off")
    report = {"requestid": draft["U_REQUESTID"], "status": "Y"}
    answer = post(sandbox, report)
    assert (answer["flag"], "停用" in answer["message"]) == ("N", True)
    assert [one.state for one in reports(module_desk, draft)] == ["failed"]
    assert approval_of(sandbox, draft)["Status"] == "arsPending"
    module_desk.save(mapping)
    eventually(runs, what="the mapping is on")
    assert post(sandbox, report)["flag"] == "Y"
    assert approval_of(sandbox, draft)["Status"] == "arsApproved"


def test_stored_is_answered_before_anything_is_written(
    drafts: Any, sandbox: Any, module_desk: Any, eventually: Any
) -> None:
    """``answer`` = ``stored``: the OA need not wait for B1."""
    path = Path(module_desk.mappings) / f"{ID}.json"
    mapping = json.loads(path.read_text("utf-8"))
    strangers = count(900001)

    def answers(flag: str) -> bool:
        return post(sandbox, {"requestid": next(strangers), "status": "Y"})["flag"] == flag

    module_desk.save({**mapping, "settings": {**mapping["settings"], "answer": "stored"}})
    eventually(lambda: answers("Y"), what="it is in force")
    b1_is_down(sandbox)
    [sending] = decide(sandbox, drafts[0], "agree")
    assert json.loads(sending["answer"])["flag"] == "Y"
    assert approval_of(sandbox, drafts[0])["Status"] == "arsPending"
    sandbox.control("DELETE", "/faults")
    eventually(lambda: approval_of(sandbox, drafts[0])["Status"] == "arsApproved", what="it is written")
    module_desk.save(mapping)
    eventually(lambda: answers("N"), what="it is as before")


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
        for wrong, field in (
            ({**good, "status": "?"}, "event.outcome"),
            ({**good, "requestid": ""}, "event.instance_id"),
        ):
            answer = http.post(PATH, json=wrong, headers=headers)
            assert (answer.status_code, answer.json()["flag"]) == (400, "N")
            assert field in answer.json()["message"]


def test_the_ledger_knows_the_outcomes(drafts: Any, module_desk: Any) -> None:
    found = module_desk.read(lambda connection: list_deliveries(connection, mapping=ID, limit=1000))
    outcomes = Counter(one.outcome for one in found if one.flow == "submit")
    assert outcomes == Counter({"": len(drafts), "agreed": 7, "refused": 3})


def runs_of(desk: Any, flow: str) -> list[Any]:
    return list(desk.read(lambda connection: list_runs(connection, mapping=ID, flow=flow, limit=1000)))

"""Purchase requests through WeCom where something goes wrong: each has one approval, and each verdict one effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from tests.service.gallery import install
from tests.service.wecom_office import ROLES, WeComOffice, values_of

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
SETTINGS = {"template_id": demo.WECOM_TEMPLATE, "stage_approver": "5", "key_field": "草稿单号", "period": "1s"}


@pytest.fixture(scope="module")
def office(module_desk: Any, eventually: Callable[..., Any]) -> WeComOffice:
    """The mapping made by command, and a live runtime."""
    office = WeComOffice(module_desk, eventually)
    office.connect()
    links = {"fields": FIELDS, "tables": [{"to": "物料", "from": "DocumentLines", "fields": COLUMNS}]}
    install(module_desk, "wecom-approval-odata", "request", ROLES, links, **SETTINGS)
    module_desk.invoke("check", "request")
    office.serve()
    return office


@pytest.fixture
def drafts(office: WeComOffice) -> list[dict[str, Any]]:
    """The demo's drafts that wait to be sent, once all of them are."""
    return office.sent("Drafts", "DocObjectCode eq '1470000113' and DocEntry le 8", demo.WECOM_TEMPLATE, 8)


def test_every_draft_becomes_one_approval_of_its_author(office: WeComOffice, drafts: list[dict[str, Any]]) -> None:
    approvals = {item["id"]: item for item in office.approvals(demo.WECOM_TEMPLATE)}
    for draft in drafts:
        approval = approvals[draft["U_SPNO"]]
        assert approval["originator"] == draft["U_UserID"]
        assert values_of(approval)["草稿单号"]["text"] == str(draft["DocEntry"])


def test_a_verdict_delivered_three_times_and_paid_later_has_one_effect(
    office: WeComOffice, drafts: list[dict[str, Any]]
) -> None:
    entry, number = drafts[0]["DocEntry"], drafts[0]["U_SPNO"]
    office.decide(number, "agree", "请尽快")
    after = office.until("Drafts", entry, U_ApprovalStatus="同意", U_Approver="陈经理")
    assert after["U_ApprovalDate"]
    assert office.decision(entry)[0] == "arsApproved"
    office.done(number)
    # whatever comes now must not write again
    office.change("Drafts", entry, U_Approver="by hand")
    office.sandbox.control("POST", f"/wecom/instances/{number}/comment", {"text": "谢谢"})
    office.sandbox.control("POST", f"/wecom/instances/{number}/after", {"event": "pay"})
    office.done(number, 2)
    for push in office.pushes(number):
        office.push_again(push)
    office.acknowledged(number, 2)
    office.done(number, 2)
    assert office.row("Drafts", entry)["U_Approver"] == "by hand"


def test_verdicts_that_meet_a_b1_that_is_down_are_kept_until_it_is_back(
    office: WeComOffice, drafts: list[dict[str, Any]]
) -> None:
    """One is tried again by hand, the other by itself; what is pushed again meanwhile changes nothing."""
    by_hand, by_itself = drafts[1:3]
    office.sandbox.control("POST", "/faults/next", {"fault": "error500", "path": "/b1/", "times": 100_000})
    office.decide(by_hand["U_SPNO"], "refuse", "超预算")
    office.decide(by_itself["U_SPNO"], "agree")

    def waits(draft: dict[str, Any], attempts: int) -> bool:
        rows = office.verdicts(draft["U_SPNO"])
        return [row.state for row in rows] == ["failed"] and rows[0].attempts >= attempts

    # by then the next attempt is seconds away, and only a person can bring it forward
    office.eventually(lambda: waits(by_hand, 2) and waits(by_itself, 1), what="both verdicts are kept")
    for push in office.pushes(by_hand["U_SPNO"]):
        office.push_again(push)
    [event] = office.verdicts(by_hand["U_SPNO"])
    listed = office.desk.invoke("callbacks", "list", "--state", "failed")
    assert by_hand["U_SPNO"] in listed
    office.sandbox.control("DELETE", "/faults")
    office.desk.invoke("callbacks", "retry", str(event.id))
    office.until("Drafts", by_hand["DocEntry"], U_ApprovalStatus="拒绝")
    office.until("Drafts", by_itself["DocEntry"], U_ApprovalStatus="同意")
    for draft, status in ((by_hand, "arsNotApproved"), (by_itself, "arsApproved")):
        assert office.decision(draft["DocEntry"])[0] == status
        office.done(draft["U_SPNO"])


def test_a_withdrawal_after_b1_approved_is_for_a_person(office: WeComOffice, drafts: list[dict[str, Any]]) -> None:
    entry, number = drafts[3]["DocEntry"], drafts[3]["U_SPNO"]
    office.decide(number, "agree")
    before = office.until("Drafts", entry, U_ApprovalStatus="同意")
    office.done(number)
    office.sandbox.control("POST", f"/wecom/instances/{number}/after", {"event": "revoke"})

    def kept() -> bool:
        rows = office.verdicts(number)
        return len(rows) == 2 and any(row.state == "failed" and row.next_attempt_at is None for row in rows)

    office.eventually(kept, what="the withdrawal waits for a person")
    assert number in office.desk.invoke("callbacks", "list", "--by-hand")
    assert office.decision(entry)[0] == "arsApproved"
    assert office.row("Drafts", entry)["U_ApprovalStatus"] == before["U_ApprovalStatus"]
    # the person decides that B1's approval stands and the draft only says what happened
    document = office.mapping("request")
    office.desk.save(document | {"settings": document["settings"] | {"withdrawn": "status"}})
    [event] = [row for row in office.verdicts(number) if row.state == "failed"]

    def written() -> bool:
        """A retry may still meet the mapping as it was."""
        if [row.state for row in office.verdicts(number)] == ["done", "done"]:
            return True
        if any(row.state == "failed" for row in office.verdicts(number)):
            office.desk.invoke("callbacks", "retry", str(event.id))
        return False

    office.eventually(written, what="the withdrawal is written")
    assert office.row("Drafts", entry)["U_ApprovalStatus"] == "已撤销"
    assert office.decision(entry)[0] == "arsApproved"


def test_a_template_that_no_mapping_knows_is_acknowledged_and_ignored(office: WeComOffice) -> None:
    office.sandbox.control("PUT", "/wecom/forms/TkStranger", {"name": "请假", "controls": [{"label": "事由"}]})
    with httpx.Client(base_url=f"{office.sandbox.url}/wecom/cgi-bin", trust_env=False, timeout=20) as client:
        keys = {"corpid": demo.WECOM_CORP_ID, "corpsecret": demo.WECOM_SECRET}
        token = {"access_token": client.get("/gettoken", params=keys).json()["access_token"]}
        form = {"template_id": "TkStranger"}
        [control] = client.post("/oa/gettemplatedetail", params=token, json=form).json()["template_content"]["controls"]
        reason = {"control": "Text", "id": control["property"]["id"], "value": {"text": "探亲"}}
        asked = {"creator_userid": "user-lisi", "use_template_approver": 1, "apply_data": {"contents": [reason]}}
        asked["summary_list"] = [{"summary_info": [{"text": "探亲", "lang": "zh_CN"}]}]
        number = client.post("/oa/applyevent", params=token, json=form | asked).json()["sp_no"]
    office.decide(number, "agree")
    office.done(number)
    office.acknowledged(number, 1)
    [event] = office.verdicts(number)
    assert event.note == "没有流程等待它，已忽略 | ignored, no flow waits for it: approval.finished TkStranger"


def test_a_draft_at_another_stage_is_left_alone(office: WeComOffice) -> None:
    document = office.mapping("request")

    def scheduled() -> bool:
        with httpx.Client(base_url=office.address, trust_env=False, timeout=30) as http:
            return "request/submit" in http.get("/readyz").json()["next_runs"]

    office.desk.save({**document, "enabled": False})
    office.eventually(lambda: not scheduled(), what="the mapping is switched off")
    before = len(office.approvals())
    office.sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    document["settings"]["stage_approver"] = 4
    office.desk.save(document)
    office.eventually(scheduled, what="the mapping is switched on, with another approver")
    done = office.desk.command("run", "request")
    assert done.returncode == 0, done.stderr
    assert (len(office.approvals()), len(office.sandbox.unsynced())) == (before, 1)
    document["settings"]["stage_approver"] = None
    office.desk.save(document)
    office.eventually(lambda: not office.sandbox.unsynced(), what="without the check it is sent")
    assert len(office.approvals()) == before + 1

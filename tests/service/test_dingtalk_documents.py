"""B1's documents and drafts through DingTalk: made by settings, run for real, and what both systems hold then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runtime.mapping.templates import gallery
from runtime.sandbox import demo
from tests.service.dingtalk_office import ROLES, DingTalkOffice
from tests.service.gallery import create, install

pytestmark = pytest.mark.acceptance

#: A form for every mapping but those of the two companies, which share one.
FORMS = ("RECEIPT", "ISSUE", "TRANSFER", "DRAFT-SQL", "REQUEST-SQL", "OIR-SQL", "ORDER", "OIR", "FILES")
CONTROLS = [
    {"label": "单号"},
    {"label": "备注", "component": "TextareaField"},
    {"label": "附件", "component": "DDAttachment"},
    {"label": "经办人", "component": "InnerContactField"},
    {
        "label": "物料表",
        "component": "TableField",
        "children": [{"label": "品号"}, {"label": "数量", "component": "NumberField"}],
    },
]
#: The template's own statement, for some of the drafts.
HEADER_OF_DRAFTS = next(
    f'{setting.default} AND T0."DocEntry" > 4'
    for template in gallery()
    if template.id == "dingtalk-approval-sql"
    for setting in template.settings
    if setting.name == "header_sql"
)
HEADER_OF_REQUESTS = (
    'SELECT T0."DocEntry", T0."DocNum", T0."Comments", T0."U_UserID", T0."U_BMID" FROM OPRQ T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
)
HEADER_OF_REQUISITIONS = (
    'SELECT T0."DocEntry", T0."DocNum", T0."U_Reason", T0."U_UserID", T0."U_BMID" FROM "@OIR" T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N' AND T0.\"DocEntry\" > 1"
)
LINES_OF_REQUISITIONS = 'SELECT T1."DocEntry", T1."LineId", T1."U_ItemCode", T1."U_Quantity" FROM "@OIR1" T1'
LINES_OF_REQUESTS = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM PRQ1 T1'

#: Mapping → template, connections, settings, the header's field for 单号 and 备注, its table with item and quantity.
#: What has no fields of a form of its own brings withdrawals.
DOCUMENT = ("DocNum", "Comments", "DocumentLines", "ItemCode", "Quantity")
TRANSFER = ("DocNum", "Comments", "StockTransferLines", "ItemCode", "Quantity")
SQL = ("DocNum", "Comments", "Lines", "ItemCode", "Quantity")
USER_OBJECT = ("DocNum", "U_Reason", "OIR1Collection", "U_ItemCode", "U_Quantity")
MAPPINGS: dict[str, tuple[str, dict[str, str], dict[str, str], tuple[str, ...] | None]] = {
    "request": (
        "dingtalk-approval-odata", ROLES,
        {"process_code": demo.PROCESS_CODE, "filter": "DocEntry le 4", "submit": "U_IsSubmit", "withdrawn": "release"},
        ("U_BaseDocNo", "Comments", "DocumentLines", "ItemCode", "Quantity"),
    ),
    "request-second": (
        "dingtalk-approval-odata", ROLES | {"erp": demo.B1_SECOND_CONNECTION}, {"process_code": demo.PROCESS_CODE},
        ("U_BaseDocNo", "Comments", "DocumentLines", "ItemCode", "Quantity"),
    ),
    "receipt": (
        "dingtalk-approval-odata", ROLES, {"process_code": "PROC-RECEIPT", "document_type": "59"}, DOCUMENT,
    ),
    "issue": ("dingtalk-approval-odata", ROLES, {"process_code": "PROC-ISSUE", "document_type": "60"}, DOCUMENT),
    "transfer": (
        "dingtalk-approval-odata", ROLES,
        {"process_code": "PROC-TRANSFER", "object": "StockTransferDrafts", "document_type": "67"},
        TRANSFER,
    ),
    "draft-sql": (
        "dingtalk-approval-sql", {"source": demo.B1_DI_CONNECTION} | ROLES,
        {"process_code": "PROC-DRAFT-SQL", "header_sql": HEADER_OF_DRAFTS, "withdrawn": "release"},
        ("DocNum", "ReqName", "Lines", "ItemCode", "Quantity"),
    ),
    "request-sql": (
        "dingtalk-approval-sql", {"source": demo.B1_CONNECTION} | ROLES,
        {"process_code": "PROC-REQUEST-SQL", "header_sql": HEADER_OF_REQUESTS, "lines_sql": LINES_OF_REQUESTS,
         "object": "PurchaseRequests", "result": "U_SUCCESS"},
        SQL,
    ),
    "order": (
        "dingtalk-document-odata", ROLES,
        {"process_code": "PROC-ORDER", "object": "PurchaseOrders", "withdrawn": "release", "submit": "U_IsSubmit",
         "status": "U_ApprovalStatus", "date": "U_ApprovalDate"},
        DOCUMENT,
    ),
    "requisition": (
        "dingtalk-document-odata", ROLES,
        {"process_code": "PROC-OIR", "object": "OIR", "filter": "DocEntry eq 1"}, USER_OBJECT,
    ),
    "requisition-sql": (
        "dingtalk-approval-sql", {"source": demo.B1_DI_CONNECTION} | ROLES,
        {"process_code": "PROC-OIR-SQL", "header_sql": HEADER_OF_REQUISITIONS, "lines_sql": LINES_OF_REQUISITIONS,
         "object": "OIR", "result": "U_SUCCESS", "approver": "", "status": "", "date": ""},
        ("DocNum", "U_Reason", "Lines", "U_ItemCode", "U_Quantity"),
    ),
    "withdrawal": ("dingtalk-withdraw", ROLES, {"object": "PurchaseOrders"}, None),
}  # fmt: skip

#: The originator is looked up by the employee's mobile number, the draft's files go along.
FILES = {
    "format": 1,
    "id": "files",
    "connections": ROLES,
    "flows": {"submit": {"trigger": {"schedule": {"every": "1s"}}, "steps": [
        {"id": "drafts", "call": "erp.query", "with": {
            "entity": "Drafts", "filter": "DocObjectCode eq '22' and U_ISSYN eq 'N'"}},
        {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": [
            {"id": "employee", "call": "erp.find", "with": {
                "entity": "EmployeesInfo", "filter": "ApplicationUserID eq {{ draft.UserSign | odata }}"}},
            {"id": "person", "call": "oa.find_user", "with": {"mobile": "{{ employee.MobilePhone }}"}},
            {"id": "files", "call": "erp.attachment", "with": {"entry": "{{ draft.AttachmentEntry }}"}},
            {"id": "attached", "call": "oa.upload_attachment", "with": {
                "files": "{{ files }}", "user": "{{ person.user_id }}"}},
            {"id": "form", "map": {
                "from": "{{ draft }}", "to": {"connection": "oa", "form": "PROC-FILES", "controls": [
                    {"id": "单号", "label": "单号", "type": "text"},
                    {"id": "附件", "label": "附件", "type": "attachment"},
                    {"id": "经办人", "label": "经办人", "type": "contact"}]}, "fields": [
                    {"to": "单号", "from": "DocNum"}, {"to": "附件", "value": "{{ attached }}"},
                    {"to": "经办人", "value": "{{ person }}"}]}},
            {"id": "approval", "call": "oa.create_approval", "with": {
                "form": "PROC-FILES", "values": "{{ form }}", "originator": "{{ person }}",
                "department": "{{ person.departments[0] }}"}},
            {"call": "erp.update", "with": {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": {
                "U_ISSYN": "Y", "U_instanceID": "{{ approval.instance_id }}"}}}]}]}},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(module_desk: Any, sandbox: Any) -> None:
    """The mappings, made by ``templates new`` and, where a form is filled, with the fields that the Designer adds."""
    module_desk.import_connections()
    for name in FORMS:
        sandbox.control("PUT", f"/dingtalk/forms/PROC-{name}", {"name": name, "controls": CONTROLS})
    for name, (template, roles, settings, fields) in MAPPINGS.items():
        often = settings | {"period": "1s"}
        if fields is None:
            create(module_desk, template, name, roles, **often)
        else:
            install(module_desk, template, name, roles, links(settings["process_code"], fields), **often)
    module_desk.save(FILES)


def links(form: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """What the Designer puts into the map step."""
    number, remark, table, item, quantity = fields
    purchase = form == demo.PROCESS_CODE
    header = [{"to": "来源单号" if purchase else "单号", "from": number}, {"to": "备注", "from": remark}]
    header += [{"to": "请购单别", "from": "U_PurReqType"}] if purchase else []
    rows = [{"to": "品号", "from": item}, {"to": "需求数量" if purchase else "数量", "from": quantity}]
    return {"fields": header, "tables": [{"to": "物料表", "from": table, "fields": rows}]}


@pytest.fixture(scope="module")
def office(made: None, module_desk: Any, eventually: Callable[..., Any]) -> DingTalkOffice:
    """A live runtime with all of them."""
    office = DingTalkOffice(module_desk, eventually)
    for entry in (1, 2):
        office.change("PurchaseOrders", entry, U_IsSubmit="Y")
    office.change("Drafts", 7, U_ISSYN=None)
    office.serve()
    return office


def test_each_is_made_by_settings_alone_and_fit_to_run(made: None, module_desk: Any) -> None:
    checked = module_desk.command("check", *MAPPINGS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("entity", "condition", "form", "count"),
    [
        ("Drafts", "DocObjectCode eq '59'", "PROC-RECEIPT", 2),
        ("Drafts", "DocObjectCode eq '60'", "PROC-ISSUE", 2),
        ("StockTransferDrafts", "DocObjectCode eq '67'", "PROC-TRANSFER", 2),
        ("Drafts", "DocObjectCode eq '1470000113' and DocEntry gt 4 and DocEntry le 8", "PROC-DRAFT-SQL", 4),
    ],
)
def test_drafts_of_every_kind(office: DingTalkOffice, entity: str, condition: str, form: str, count: int) -> None:
    first, second, *_ = office.sent(entity, condition, form, count)
    assert len(office.approvals(form)) == count
    table = json.loads(office.values(first["U_instanceID"])["物料表"])
    lines = first["StockTransferLines" if entity.startswith("Stock") else "DocumentLines"]
    assert [row[0]["value"] for row in table] == [line["ItemCode"] for line in lines]
    assert [row[1]["value"] for row in table] == [f"{line['Quantity']:g}" for line in lines]
    office.decide(first["U_instanceID"], "agree", "请尽快")
    office.decide(second["U_instanceID"], "refuse", "请尽快")
    after = office.until(entity, first["DocEntry"], U_ApprovalStatus="同意", U_Approver="user-manager")
    assert after["U_ApprovalDate"]
    office.until(entity, second["DocEntry"], U_ApprovalStatus="拒绝")
    for row, status in ((first, "arsApproved"), (second, "arsNotApproved")):
        [request] = office.rows("ApprovalRequests", f"DraftEntry eq {row['DocEntry']}")
        assert request["Status"] == status
        assert "请尽快" in str(request["ApprovalRequestLines"])


def test_two_companies_share_a_form_and_each_gets_its_own_verdicts(office: DingTalkOffice) -> None:
    condition = "DocObjectCode eq '1470000113' and DocEntry le 4"
    first = office.sent("Drafts", condition, demo.PROCESS_CODE, 4)
    second = office.sent(
        "Drafts", "DocObjectCode eq '1470000113'", demo.PROCESS_CODE, 2, company=demo.B1_SECOND_COMPANY
    )
    assert len(office.approvals(demo.PROCESS_CODE)) == 6
    # Both companies have a draft of this number: the verdict belongs to one of them only.
    entry = second[0]["DocEntry"]
    [same] = [draft for draft in first if draft["DocEntry"] == entry]
    office.decide(second[0]["U_instanceID"], "refuse")
    office.until("Drafts", entry, demo.B1_SECOND_COMPANY, U_ApprovalStatus="拒绝")
    office.settled(second[0]["U_instanceID"])
    assert office.row("Drafts", entry).get("U_ApprovalStatus") == same.get("U_ApprovalStatus") is None
    office.decide(same["U_instanceID"], "agree")
    office.until("Drafts", entry, U_ApprovalStatus="同意")
    flows = office.settled(same["U_instanceID"])
    assert office.row("Drafts", entry, demo.B1_SECOND_COMPANY)["U_ApprovalStatus"] == "拒绝"
    assert flows[second[0]["U_instanceID"]] == "request-second/verdict"
    assert flows[same["U_instanceID"]] == "request/verdict"


def test_a_draft_that_is_released_can_be_submitted_again(office: DingTalkOffice) -> None:
    draft = office.sent("Drafts", "DocEntry eq 2", demo.PROCESS_CODE, 1)[0]
    office.withdraw(draft["U_instanceID"])
    released = office.until("Drafts", 2, U_ISSYN="N", U_ApprovalStatus="已撤销", U_IsSubmit="N")
    assert not released["U_instanceID"]
    [request] = office.rows("ApprovalRequests", "DraftEntry eq 2")
    assert request["Status"] == "arsPending"
    office.change("Drafts", 2, U_IsSubmit="Y", Comments="改后再提")
    again = office.sent_again("Drafts", 2, draft["U_instanceID"])
    assert office.values(again["U_instanceID"])["备注"] == "改后再提"
    office.decide(again["U_instanceID"], "agree")
    office.until("Drafts", 2, U_ApprovalStatus="同意")


@pytest.mark.parametrize("entry", [7, 8])
def test_a_draft_read_by_sql_is_sent_again_once_it_is_released(office: DingTalkOffice, entry: int) -> None:
    """The mark of one was ``N`` before, that of the other empty."""
    condition = f"DocEntry eq {entry}"
    [first] = [row["U_instanceID"] for row in office.sent("Drafts", condition, "PROC-DRAFT-SQL", 1)]
    office.withdraw(first)
    assert office.sent_again("Drafts", entry, first)["U_ApprovalStatus"] == "已撤销"


@pytest.mark.parametrize(
    "case",
    [
        ("PurchaseRequests", 2, "PROC-REQUEST-SQL", "agree", "Y"),
        ("OIR", 1, "PROC-OIR", "withdraw", "N"),
        ("OIR", 2, "PROC-OIR-SQL", "refuse", "N"),
    ],
)
def test_documents_carry_the_result(office: DingTalkOffice, case: tuple[str, int, str, str, str]) -> None:
    entity, entry, form, verdict, result = case
    [row] = office.sent(entity, f"DocEntry eq {entry}", form, 1)
    assert len(office.approvals(form)) == 1
    assert not row.get("U_SUCCESS")
    if verdict == "withdraw":
        office.withdraw(row["U_instanceID"])
    else:
        office.decide(row["U_instanceID"], verdict)
    office.until(entity, entry, U_SUCCESS=result)


def test_a_verdict_that_comes_again_has_no_second_effect(office: DingTalkOffice) -> None:
    order = office.sent("PurchaseOrders", "DocEntry eq 1", "PROC-ORDER", 1)[0]
    office.decide(order["U_instanceID"], "agree")
    after = office.until("PurchaseOrders", 1, U_SUCCESS="Y", U_ApprovalStatus="同意")
    assert not after.get("U_Approver")
    office.change("PurchaseOrders", 1, U_ApprovalStatus="later")
    finished = next(push for push in office.pushes(order["U_instanceID"]) if push["change"] == "finish")
    office.push_again(finished)

    def accepted_again() -> bool:
        again = next(push for push in office.pushes(order["U_instanceID"]) if push["id"] == finished["id"])
        return again["state"] == "delivered" and again["rounds"] > finished["rounds"]

    office.eventually(accepted_again, what="the event is acknowledged again")
    office.settled(order["U_instanceID"])
    assert office.row("PurchaseOrders", 1)["U_ApprovalStatus"] == "later"


def test_files_and_people_of_b1_reach_dingtalk(office: DingTalkOffice) -> None:
    drafts = office.sent("Drafts", "DocObjectCode eq '22'", "PROC-FILES", 2)
    instance = office.approval(drafts[0]["U_instanceID"])
    # B1 knows the buyer's mobile number only; DingTalk knows whose it is.
    assert (instance["originator"], instance["department"]) == ("user-lisi", 1002)
    values = office.values(instance["id"])
    assert json.loads(values["经办人"]) == ["user-lisi"]
    files = json.loads(values["附件"])
    assert [file["fileName"] for file in files] == ["采购说明.txt", "quotation.pdf"]
    assert all({"spaceId", "fileId", "fileSize", "fileType"} <= file.keys() for file in files)


def test_what_b1_cancels_is_withdrawn_in_dingtalk(office: DingTalkOffice) -> None:
    order = office.sent("PurchaseOrders", "DocEntry eq 2", "PROC-ORDER", 1)[0]
    office.sandbox.b1("/PurchaseOrders(2)/Cancel", method="POST")
    office.until("PurchaseOrders", 2, U_ApprovalStatus="已撤销")
    assert office.approval(order["U_instanceID"])["status"] == "TERMINATED"


def test_no_document_was_sent_twice(office: DingTalkOffice) -> None:
    office.settled()
    # Nothing but the three drafts that were released and sent again has two approvals.
    assert {form: len(office.approvals(f"PROC-{form}")) for form in FORMS} == {
        "RECEIPT": 2, "ISSUE": 2, "TRANSFER": 2, "DRAFT-SQL": 6, "REQUEST-SQL": 1, "OIR-SQL": 1, "ORDER": 2, "OIR": 1,
        "FILES": 2,
    }  # fmt: skip
    assert len(office.approvals(demo.PROCESS_CODE)) == 7

"""Every kind of document through WeCom: made by settings, run for real, and what B1 and WeCom hold then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from runtime.sandbox import demo
from tests.service.gallery import install
from tests.service.wecom_office import ROLES, WeComOffice, values_of
from tests.wecom_documents import CONTROLS, DRAFTS_BY_SQL, LINES_OF_REQUESTS, REQUESTS_BY_SQL

pytestmark = [pytest.mark.acceptance]

TEMPLATES = ("TkUse", "TkScrap", "TkReceipt", "TkSqlDraft", "TkSqlRequest", "TkRequisition", "TkOrder")
SUBMITTED = f'{DRAFTS_BY_SQL} AND T0."U_IsSubmit" = \'Y\' AND T0."DocEntry" IN (5, 6, 7, 8)'

#: Mapping → template, settings, the document's fields in the order of the form: its header, then table and columns.
BY_SQL = ("ReqName", "DocEntry", "DocDate", "Comments", "Lines", "ItemCode", "Quantity")
INVENTORY = ("U_UserID", "DocEntry", "DocDate", "Comments", "DocumentLines", "ItemCode", "Quantity")
MAPPINGS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "issue-use": (
        "wecom-approval-odata",
        {"template_id": "TkUse", "document_type": "60", "filter": "contains(Comments,'年中')", "stage_approver": "4"},
        INVENTORY,
    ),
    "sql-draft": (
        "wecom-approval-sql",
        {"template_id": "TkSqlDraft", "header_sql": SUBMITTED, "withdrawn": "release", "submit": "U_IsSubmit"},
        BY_SQL,
    ),
    "sql-request": (
        "wecom-approval-sql",
        {"template_id": "TkSqlRequest", "header_sql": REQUESTS_BY_SQL, "lines_sql": LINES_OF_REQUESTS,
         "object": "PurchaseRequests", "result": "U_SUCCESS", "names": "id"},
        BY_SQL,
    ),
    "requisition": (
        "wecom-document-odata", {"template_id": "TkRequisition", "object": "OIR"},
        ("U_ReqName", "DocEntry", "U_ReqDate", "U_Reason", "OIR1Collection", "U_ItemCode", "U_Quantity"),
    ),
    "order": (
        "wecom-document-odata",
        {"template_id": "TkOrder", "object": "PurchaseOrders", "names": "b1", "approver": "U_Approver",
         "status": "U_ApprovalStatus", "date": "U_ApprovalDate", "opinion": "Comments"},
        INVENTORY,
    ),
}  # fmt: skip
SOURCES = {"sql-draft": demo.B1_DI_CONNECTION, "sql-request": demo.B1_CONNECTION}


@pytest.fixture(scope="module")
def office(module_desk: Any, eventually: Callable[..., Any]) -> WeComOffice:
    """Everything made by command, and a live runtime."""
    office = WeComOffice(module_desk, eventually)
    office.connect()
    for code in TEMPLATES:
        office.sandbox.control("PUT", f"/wecom/forms/{code}", {"name": code, "controls": CONTROLS})
    for name, (template, settings, fields) in MAPPINGS.items():
        roles = ROLES | ({"source": SOURCES[name]} if name in SOURCES else {})
        install(module_desk, template, name, roles, links(fields), **settings, period="1s")
    module_desk.invoke("check", *MAPPINGS)
    office.serve()
    return office


def links(fields: tuple[str, ...]) -> dict[str, Any]:
    """What the Designer puts into the map step."""
    *sources, table, item, quantity = fields
    labels = ("申请人", "单号", "单据日期", "备注")
    header = [{"to": label, "from": source} for label, source in zip(labels, sources, strict=True)]
    columns = [{"to": "物料编号", "from": item}, {"to": "数量", "from": quantity}]
    return {"fields": header, "tables": [{"to": "物料", "from": table, "fields": columns}]}


#: Mapping, entity, condition, number of documents.
KINDS = [
    ("issue-use", "Drafts", "DocObjectCode eq '60' and contains(Comments,'年中')", 1),
    ("sql-draft", "Drafts", "DocObjectCode eq '1470000113' and DocEntry ge 5 and DocEntry le 8", 4),
    ("sql-request", "PurchaseRequests", "RequesterName eq '王五'", 1),
    ("requisition", "OIR", "DocEntry gt 0", 2),
    ("order", "PurchaseOrders", "DocEntry gt 0", 2),
]


@pytest.mark.parametrize(("name", "entity", "condition", "count"), KINDS)
def test_every_kind_of_document_there_and_back(
    office: WeComOffice, name: str, entity: str, condition: str, count: int
) -> None:
    template = MAPPINGS[name][1]["template_id"]
    rows = office.sent(entity, condition, template, count)
    approvals = {item["id"]: item for item in office.approvals(template)}
    for row in rows:
        approval = approvals[row["U_SPNO"]]
        creator = office.row("Users", row["UserSign"])["FaxNumber"]
        assert approval["originator"] == (row["U_UserID"] if name.startswith("sql") else creator)
        values = values_of(approval)
        assert values["单号"]["text"] == str(row["DocEntry"])
        lines, column = ("OIR1Collection", "U_ItemCode") if entity == "OIR" else ("DocumentLines", "ItemCode")
        cells = [line["list"][0]["value"]["text"] for line in values["物料"]["children"]]
        assert cells == [line[column] for line in row[lines]]
    for row, result in zip(rows, ("agree", "refuse"), strict=False):
        office.decide(row["U_SPNO"], result, "请尽快")
        agreed = result == "agree"
        if entity == "Drafts":
            after = office.until(entity, row["DocEntry"], U_ApprovalStatus="同意" if agreed else "拒绝")
            assert after["U_Approver"] == "陈经理"
            # B1 asks for a second stage where stock is concerned; the settings name whose stage WeCom decides
            status = "arsNotApproved" if not agreed else "arsPending" if name == "issue-use" else "arsApproved"
            verdict = ("ardApproved", "陈经理 同意: 请尽快") if agreed else ("ardNotApproved", "陈经理 拒绝: 请尽快")
            assert office.decision(row["DocEntry"]) == (status, [verdict])
        else:
            office.until(entity, row["DocEntry"], U_SUCCESS="Y" if agreed else "N")
        office.done(row["U_SPNO"])


def test_names_come_from_where_the_settings_say(office: WeComOffice) -> None:
    by_id = office.sent("PurchaseRequests", "RequesterName eq '王五'", "TkSqlRequest", 1)[0]
    assert by_id["U_Approver"] == "user-manager"
    user = office.rows("Users", "FaxNumber eq 'user-manager'")[0]["UserName"]
    orders = {row["U_SUCCESS"]: row for row in office.sent("PurchaseOrders", "DocEntry gt 0", "TkOrder", 2)}
    assert (orders["Y"]["U_Approver"], orders["Y"]["Comments"]) == (user, f"{user} 同意: 请尽快")
    assert (orders["N"]["U_ApprovalStatus"], orders["N"]["Comments"]) == ("拒绝", f"{user} 拒绝: 请尽快")


def test_further_kinds_by_copying_and_changing_settings_while_it_runs(office: WeComOffice) -> None:
    original = office.mapping("issue-use")
    changes = {
        "issue-scrap": {"template_id": "TkScrap", "filter": "contains(Comments,'报损')"},
        "receipt": {"template_id": "TkReceipt", "document_type": "59", "filter": "", "stage_approver": None},
    }
    for name, settings in changes.items():
        office.desk.save({**original, "id": name, "settings": {**original["settings"], **settings}})
    [scrap] = office.sent("Drafts", "DocObjectCode eq '60' and contains(Comments,'报损')", "TkScrap", 1)
    receipt, other = office.sent("Drafts", "DocObjectCode eq '59'", "TkReceipt", 2)
    office.decide(scrap["U_SPNO"], "refuse")
    office.decide(receipt["U_SPNO"], "agree")
    # one address for all of them: each verdict finds its own mapping
    office.until("Drafts", scrap["DocEntry"], U_ApprovalStatus="拒绝", U_Approver="陈经理")
    office.until("Drafts", receipt["DocEntry"], U_ApprovalStatus="同意", U_Approver="陈经理")
    assert office.decision(scrap["DocEntry"]) == ("arsNotApproved", [("ardNotApproved", "陈经理 拒绝")])
    # with nobody named whose stage it is, the verdict is that of all stages
    approved = ("arsApproved", [("ardApproved", "陈经理 同意")] * 2)
    office.eventually(lambda: office.decision(receipt["DocEntry"]) == approved, what="both stages are decided")
    assert not office.row("Drafts", other["DocEntry"])["U_ApprovalStatus"]
    office.withdraw(other["U_SPNO"])
    office.until("Drafts", other["DocEntry"], U_ApprovalStatus="已撤销")
    assert office.decision(other["DocEntry"]) == ("arsNotApproved", [("ardNotApproved", "已撤销")])
    assert [event.note for event in office.verdicts(scrap["U_SPNO"])] == ["issue-scrap/verdict"]


def test_what_is_withdrawn_can_be_sent_again_where_the_settings_say_so(office: WeComOffice) -> None:
    draft = office.row("Drafts", 8)
    office.withdraw(draft["U_SPNO"])
    released = office.until("Drafts", 8, U_IsSubmit="N", U_ISSYN="N", U_SPNO=None)
    assert released["U_ApprovalStatus"] == "已撤销"
    office.change("Drafts", 8, U_IsSubmit="Y")
    office.sent_again("Drafts", 8, draft["U_SPNO"])
    texts = [values_of(one)["单号"]["text"] for one in office.approvals("TkSqlDraft")]
    assert Counter(texts) == {"5": 1, "6": 1, "7": 1, "8": 2}
    assert office.decision(8) == ("arsPending", [])

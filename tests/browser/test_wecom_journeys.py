"""The WeCom templates from the gallery to the verdict back in B1, by the studio alone, while a runtime runs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from runtime.sandbox.demo import B1_DI_CONNECTION, WECOM_TEMPLATE
from tests.browser.designing import Desk
from tests.browser.journey import Journey
from tests.browser.support import drag, source, target, wait_until
from tests.wecom_documents import CONTROLS, DRAFTS_BY_SQL, LINES_OF_REQUESTS, REQUESTS_BY_SQL

#: Each is the whole work of a consultant, on a machine that may be busy.
pytestmark = pytest.mark.timeout(300)

SUPPLIER = {"label": "供应商", "required": True}


def test_drafts_by_odata(page: Page, office: Desk) -> None:
    journey = Journey(page, office, "requests", "wecom-approval-odata")
    journey.begin(template_id=WECOM_TEMPLATE)
    journey.fetch_rows(8)
    journey.fetch_form("采购申请")
    journey.auto_map()
    journey.set(every="1s", filter="DocEntry le 2", key_field="草稿单号")
    previewed = journey.preview()
    journey.save(enable=True)
    _, refused = there_and_back(journey, previewed, 1, 2)
    told = journey.story(refused["U_SPNO"], "2")
    assert ("登记并发送新建请求", "wecom-demo.create_approval", "") in told
    assert ("对方答复：已创建", "wecom-demo.create_approval", refused["U_SPNO"]) in told
    assert ("收到回调", "wecom-demo", "拒绝") in told
    assert ("已写入", "b1-demo.decide", "") in told
    assert told[-1] == ("审批结论已写回", "", "拒绝")


def test_formal_documents_by_odata(page: Page, office: Desk) -> None:
    office.control("PUT", "/wecom/forms/TkOrder", {"name": "采购订单", "controls": [SUPPLIER, *CONTROLS]})
    journey = Journey(page, office, "orders", "wecom-document-odata")
    journey.begin(template_id="TkOrder", object="PurchaseOrders")
    journey.fetch_form("采购订单")
    journey.auto_map()
    drag(page, source(page, "CardName"), target(page, "供应商"))
    journey.set(
        every="1s", key_field="单号", approver="U_Approver", status="U_ApprovalStatus", opinion="Comments", names="b1"
    )
    previewed = journey.preview()
    journey.save(enable=True)
    agreed, refused = sent(office, "PurchaseOrders", *map(int, previewed))
    arrived(office, previewed, [agreed, refused])

    journey.decide(agreed["U_SPNO"], "approve", "照此采购")
    journey.decide(refused["U_SPNO"], "refuse", "价格过高")
    name = office.b1("/Users?$filter=FaxNumber eq 'user-manager'")["value"][0]["UserName"]
    for order, result, status, words in ((agreed, "Y", "同意", "照此采购"), (refused, "N", "拒绝", "价格过高")):
        values = {"U_SUCCESS": result, "U_ApprovalStatus": status, "U_Approver": name}
        until(office, "PurchaseOrders", order["DocEntry"], **values, Comments=f"{name} {status}: {words}")
    told = journey.story(agreed["U_SPNO"], str(agreed["DocEntry"]))
    assert told[-1] == ("审批结论已写回", "", "同意")


def test_by_sql_and_another_kind_of_document_by_settings_alone(page: Page, office: Desk) -> None:
    for code, name in (("TkDraft", "请购草稿"), ("TkRequest", "请购单")):
        office.control("PUT", f"/wecom/forms/{code}", {"name": name, "controls": CONTROLS})
    drafts = Journey(page, office, "sql-drafts", "wecom-approval-sql")
    some = f'{DRAFTS_BY_SQL} AND T0."DocEntry" IN (5, 6)'
    drafts.begin(connections={"source": B1_DI_CONNECTION}, template_id="TkDraft", header_sql=some)
    drafts.fetch_rows(2)
    drafts.fetch_form("请购草稿")
    drafts.auto_map()
    drag(page, source(page, "DocEntry"), target(page, "单号"))
    drafts.set(every="1s", key_field="单号")
    previewed = drafts.preview()
    drafts.save(enable=True)
    agreed, _ = there_and_back(drafts, previewed, 5, 6)
    assert drafts.story(agreed["U_SPNO"], "5")[-1] == ("审批结论已写回", "", "同意")

    requests = drafts.copy("sql-requests", "请购单审批")
    requests.set(
        template_id="TkRequest",
        header_sql=REQUESTS_BY_SQL,
        lines_sql=LINES_OF_REQUESTS,
        object="PurchaseRequests",
        result="U_SUCCESS",
    )
    requests.fetch_form("请购单")
    previewed = requests.preview()
    requests.save(enable=True)
    rows = sent(office, "PurchaseRequests", *map(int, previewed))
    arrived(office, previewed, rows)
    requests.decide(rows[0]["U_SPNO"], "approve", "同意采购")
    until(office, "PurchaseRequests", rows[0]["DocEntry"], U_SUCCESS="Y", U_Approver="陈经理")
    assert requests.story(rows[0]["U_SPNO"], str(rows[0]["DocEntry"]))[-1] == ("审批结论已写回", "", "同意")
    # the first kind goes on as before
    assert office.mapping("sql-drafts")["settings"]["object"] == "Drafts"


def there_and_back(journey: Journey, previewed: dict[str, list[Any]], *entries: int) -> list[dict[str, Any]]:
    """Two drafts reach WeCom as previewed; an approver agrees to the first and refuses the second, and B1 learns it."""
    desk = journey.desk
    drafts = sent(desk, "Drafts", *entries)
    arrived(desk, previewed, drafts)
    verdicts = (("approve", "同意", "arsApproved", "请尽快"), ("refuse", "拒绝", "arsNotApproved", "超预算"))
    for draft, (button, _, _, words) in zip(drafts, verdicts, strict=True):
        journey.decide(draft["U_SPNO"], button, words)
    for entry, (_, status, request, words) in zip(entries, verdicts, strict=True):
        until(desk, "Drafts", entry, U_ApprovalStatus=status, U_Approver="陈经理")
        assert remarks(desk, entry) == (request, [f"陈经理 {status}: {words}"])
    return drafts


def sent(desk: Desk, entity: str, *keys: int) -> list[dict[str, Any]]:
    """These documents of B1, once all of them carry an approval."""

    def look() -> bool:
        return all(desk.b1(f"/{entity}({key})")["U_SPNO"] for key in keys)

    wait_until(look, f"{entity} {keys} are not sent", 60)
    return [desk.b1(f"/{entity}({key})") for key in keys]


def until(desk: Desk, entity: str, key: int, **values: str) -> None:
    """Wait until B1's document holds these values."""

    def look() -> bool:
        row = desk.b1(f"/{entity}({key})")
        return all(row[name] == value for name, value in values.items())

    wait_until(look, f"{entity}({key}) does not hold {values}", 60)


def remarks(desk: Desk, draft: int) -> tuple[str, list[str]]:
    """Status of B1's approval request, and what was said at its stages."""
    [request] = desk.b1(f"/ApprovalRequests?$filter=DraftEntry eq {draft}")["value"]
    return request["Status"], [line["Remarks"] for line in request["ApprovalRequestLines"] if line["Remarks"]]


def arrived(desk: Desk, previewed: dict[str, list[Any]], documents: list[dict[str, Any]]) -> None:
    """WeCom received what was previewed, all of it and nothing besides."""
    approvals = {approval["id"]: approval for approval in desk.approvals("wecom")}
    assert set(previewed) == {str(document["DocEntry"]) for document in documents}
    for document in documents:
        shown, _ = previewed[str(document["DocEntry"])]
        approval = approvals[document["U_SPNO"]]
        assert (approval["template_id"], approval["originator"]) == (shown["template_id"], shown["creator_userid"])
        assert given(approval["contents"]) == given(shown["apply_data"]["contents"])
        assert approval["summary"] == [line["summary_info"][0]["text"] for line in shown["summary_list"]]


def given(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Id of each control → its value, without what WeCom adds: titles, the texts of options, and empty parts."""
    found = {}
    for content in contents:
        value = {name: part for name, part in content["value"].items() if part}
        if "children" in value:
            value["children"] = [given(row["list"]) for row in value["children"]]
        if "selector" in value:
            value["selector"] = [option["key"] for option in value["selector"]["options"]]
        if value:
            found[content["id"]] = value
    return found

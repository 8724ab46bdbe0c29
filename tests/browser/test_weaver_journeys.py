"""The Weaver templates from the gallery to the verdict back in B1, by the studio alone, while a runtime runs."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from runtime.mapping.templates import gallery
from runtime.sandbox.demo import B1_DI_CONNECTION, WEAVER_CONNECTION, WEAVER_USERS, WEAVER_WORKFLOW
from tests.browser.designing import LINES, Desk, live_form, open_fields, tab
from tests.browser.journey import Journey
from tests.browser.support import choose, drag, idle, line, source, target, wait_until

#: A way of a hundred clicks takes its time where others work on the machine, too.
pytestmark = [pytest.mark.timeout(300)]

FIELD_LIST = """字段名\t显示名\t类型\t必填\t选项\t明细表
djbh\t单据编号\t文本\t是
sqr\t申请人\t人员\t是
sqrq\t申请日期\t日期
qgdb\t请购单别\t选择框\t是\t0=自产请购;1=零星请购;2=计划请购
bz\t备注\t多行文本
wlbm\t物料编码\t文本\t是\t\tformtable_main_45_dt1
cgsl\t采购数量\t浮点数\t是\t\tformtable_main_45_dt1"""
TABLE = "formtable_main_45_dt1"
ITEM_LIST = "字段名\t显示名\t必填\nwlbm\t物料编码\t是\nwlmc\t物料名称\t是\nggxh\t规格型号"
ORDER = {
    "requestid": 501,
    "main": {"kh": "C2001", "jhrq": "2026-12-01"},
    "mx": [{"wl": "R10001", "sl": "5"}, {"wl": "R10002", "sl": "2.5"}],
}


def test_drafts_by_odata(page: Page, office: Desk) -> None:
    """The form comes from the OA, what is not proposed is drawn, and people decide in the OA."""
    journey = Journey(page, office, "oa-requests", "weaver-approval-odata")
    journey.begin(workflow=str(WEAVER_WORKFLOW))
    journey.fetch_rows(8)
    journey.fetch_form("采购申请")
    journey.auto_map()
    drag(page, source(page, "DocEntry"), target(page, "单据编号"))
    link(page, "U_OAUserID", "申请人")
    link(page, "Quantity", "采购数量", LINES, "采购明细")
    journey.set(every="1s", filter="DocEntry le 2", key_field="djbh")
    shown = journey.preview()
    assert requests(office) == []
    journey.save(enable=True)
    agreed, refused = sent(office, 1, 2)
    arrived(office, shown, [agreed, refused])

    point_the_oa_at(page, office, "oa-requests")
    decide(page, office, agreed["U_REQUESTID"], "approve", "请尽快")
    decide(page, office, refused["U_REQUESTID"], "refuse", "超预算")
    written(office, 1, "同意", "arsApproved", "请尽快")
    written(office, 2, "拒绝", "arsNotApproved", "超预算")
    told = journey.story(refused["U_REQUESTID"], "2")
    assert told[-1] == ("审批结论已写回", "", "拒绝")


def test_drafts_by_sql_with_a_form_from_a_list(page: Page, office: Desk) -> None:
    """The OA tells nothing of its form: its fields are pasted; the rows come by SQL. Goods issues are a copy of it."""
    template = next(item for item in gallery() if item.id == "weaver-approval-sql")
    header = next(str(item.default) for item in template.settings if item.name == "header_sql")
    journey = Journey(page, office, "oa-by-sql", "weaver-approval-sql")
    journey.begin(
        connections={"source": B1_DI_CONNECTION},
        workflow=str(WEAVER_WORKFLOW),
        header_sql=f'{header} AND T0."DocEntry" IN (3, 4)',
    )
    journey.fetch_rows(2)
    paste_fields(page, FIELD_LIST, 8, at="导入字段清单")
    journey.auto_map()
    link(page, "U_OAUserID", "申请人")
    link(page, "Quantity", "采购数量", "Lines", TABLE)
    constant(page, "请购单别", "计划请购")
    journey.set(every="1s", key_field="djbh")
    shown = journey.preview()
    journey.save(enable=True)
    agreed, refused = sent(office, 3, 4)
    arrived(office, shown, [agreed, refused])
    point_the_oa_at(page, office, "oa-by-sql")
    decide(page, office, agreed["U_REQUESTID"], "approve", "可以")
    written(office, 3, "同意", "arsApproved", "可以")

    issues = journey.copy("oa-issues", "领料审批")
    issues.set(title="领料单", header_sql=header.replace("1470000113", "60"))
    shown = issues.preview()
    issues.save(enable=True)
    drafts = sent(office, *map(int, shown))
    arrived(office, shown, drafts, title="领料单")
    point_the_oa_at(page, office, "oa-issues")
    decide(page, office, drafts[0]["U_REQUESTID"], "refuse", "库存不足")
    written(office, drafts[0]["DocEntry"], "拒绝", "arsNotApproved", "库存不足")


def test_items_become_mode_data(page: Page, office: Desk) -> None:
    """Nobody tells the columns of a mode interface: they are pasted; B1 marks what the OA has saved."""
    journey = Journey(page, office, "oa-items", "weaver-master-data")
    journey.begin(interface="saveItem", key_fields="wlbm")
    paste_fields(page, ITEM_LIST, 3)
    journey.auto_map()
    journey.set(every="1s", mark="U_SYN")
    shown = [record["mainTable"] for record in json.loads(previewed(page)["datajson"])["data"]]
    assert saved_items(office) == []
    journey.save(enable=True)
    wait_until(lambda: bool(saved_items(office)), "nothing is saved", 60)
    saved = saved_items(office)
    # the OA gives them their numbers
    assert [{name: item[name] for name in row if name != "id"} for item, row in zip(saved, shown, strict=True)] == [
        {name: value for name, value in row.items() if name != "id"} for row in shown
    ]
    wait_until(lambda: not office.b1("/Items?$filter=U_SYN ne 'Y'")["value"], "items are not marked", 60)
    assert {item["ItemCode"] for item in office.b1("/Items")["value"]} == {item["wlbm"] for item in saved}


def test_a_request_of_the_oa_becomes_a_sales_order(page: Page, office: Desk) -> None:
    """What the OA will send is pasted as a sample; a call with the AppCode that is shown makes the order."""
    journey = Journey(page, office, "oa-orders", "weaver-inbound-document")
    journey.begin()
    page.get_by_role("textbox", name="来文样例").fill(json.dumps(ORDER))
    tab(page, "② 目标")
    expect(page.get_by_role("combobox", name="新建哪种记录")).to_have_value("Orders")
    open_fields(page)
    link(page, "main.kh", "CardCode")
    link(page, "main.jhrq", "DocDueDate")
    link(page, "wl", "ItemCode", "mx", LINES)
    link(page, "sl", "Quantity", "mx", LINES)
    order = previewed(page)
    assert order["U_REQUESTID"] == "501"
    answer = json.loads(page.locator(".st-key-preview-answer code").inner_text())
    assert answer["flag"] == "Y"
    journey.save(enable=True)

    address, code = shown_on_callbacks(page, office, "oa-orders", "receive")
    wait_until(lambda: post(address, "none", {}).status_code == 401, "the address is not there", 60)
    made = post(address, code, ORDER).json()
    [kept] = office.b1("/Orders?$filter=U_REQUESTID eq '501'")["value"]
    assert made == {**answer, "key": kept["DocEntry"]}
    assert {name: kept[name] for name in ("CardCode", "DocDueDate")} == {
        name: order[name] for name in ("CardCode", "DocDueDate")
    }
    assert [(row["ItemCode"], float(row["Quantity"])) for row in kept[LINES]] == [
        (row["ItemCode"], float(row["Quantity"])) for row in order[LINES]
    ]
    refused = post(address, code, {**ORDER, "requestid": 502, "main": {**ORDER["main"], "kh": "NO-SUCH"}}).json()
    assert refused["flag"] == "N"
    assert "NO-SUCH" in refused["message"]
    assert post(address, "wrong", ORDER).status_code == 401


def link(page: Page, field: str, to: str, group: str = "", table: str = "") -> None:
    """Find both and draw the line."""
    page.locator('[data-test="search-source"]').fill(field)
    page.locator('[data-test="search-target"]').fill(to)
    drag(page, source(page, field, group), target(page, to, table))
    expect(line(page, to, table)).to_have_count(1)
    for side in ("source", "target"):
        page.locator(f'[data-test="search-{side}"]').fill("")


def constant(page: Page, to: str, option: str) -> None:
    """Choose an option of the form's control, the same for every document."""
    target(page, to).click()
    panel = page.locator(".st-key-link-panel")
    expect(panel).to_contain_text(to)
    idle(page)
    panel.get_by_text("固定值", exact=True).click()
    panel.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name=option).click()
    wait_until(lambda: live_form(page).get(to) == option, "the constant is missing")
    idle(page)


def paste_fields(page: Page, text: str, count: int, *, at: str = "") -> None:
    """Paste a list of fields; behind ``at`` if it is folded."""
    tab(page, "② 目标")
    if at:
        page.get_by_text(at).click()
    page.get_by_role("textbox", name="或在此粘贴").fill(text)
    page.get_by_role("button", name="采用清单").click()
    expect(page.get_by_text(f"共 {count} 个控件")).to_be_visible()
    idle(page)


def previewed(page: Page) -> dict[str, Any]:
    """What the flow as a whole would send first."""
    tab(page, "④ 预览")
    page.locator(".st-key-run-preview button").click()
    expect(page.locator(".st-key-preview-summary")).to_contain_text("，0 行有问题")
    shown: dict[str, Any] = json.loads(page.locator(".st-key-sent-0 code").inner_text())
    return shown


def requests(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{desk.sandbox}/control/weaver/requests").json()["requests"]
    return found


def saved_items(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{desk.sandbox}/control/weaver/mode/saveItem").json()["records"]
    return found


def sent(desk: Desk, *keys: int) -> list[dict[str, Any]]:
    """These drafts of B1, once all of them carry a request."""
    wait_until(lambda: all(desk.b1(f"/Drafts({key})")["U_REQUESTID"] for key in keys), f"{keys} are not sent", 60)
    return [desk.b1(f"/Drafts({key})") for key in keys]


def arrived(
    desk: Desk, previewed: dict[str, list[Any]], drafts: list[dict[str, Any]], *, title: str = "采购申请"
) -> None:
    """The OA received what was previewed, all of it and nothing besides, as the person who applies."""
    received = {str(one["id"]): one for one in requests(desk)}
    assert set(previewed) == {str(draft["DocEntry"]) for draft in drafts}
    for draft in drafts:
        shown = previewed[str(draft["DocEntry"])][0]
        request = received[draft["U_REQUESTID"]]
        assert request["name"] == shown["requestName"] == f"{title} {draft['DocEntry']}"
        assert request["creator"] == int(draft["U_OAUserID"])
        assert (str(request["workflow"]), request["values"]) == (shown["workflowId"], values(shown["mainData"]))
        details = {
            detail["tableDBName"]: [
                values(record["workflowRequestTableFields"]) for record in detail["workflowRequestTableRecords"]
            ]
            for detail in json.loads(shown["detailData"])
        }
        assert request["details"] == details
        assert len(details[TABLE]) == len(draft[LINES])


def values(fields: Any) -> dict[str, Any]:
    """Column → value of a list of fields, or of its JSON."""
    listed = json.loads(fields) if isinstance(fields, str) else fields
    return {field["fieldName"]: field["fieldValue"] for field in listed}


def shown_on_callbacks(page: Page, desk: Desk, name: str, flow: str, *, at: str = "appcode") -> tuple[str, str]:
    """Address and AppCode of a flow, as the Callbacks page shows them."""
    if at == "appcode":
        page.goto(f"{desk.studio}/callbacks")
        page.get_by_role("tab", name="HTTP 流程与 AppCode").click()
    card = page.locator(f".st-key-{at}-{name}-{flow}")
    expect(card).to_be_visible()
    idle(page)
    address = card.locator("code").first.inner_text()
    card.get_by_role("button", name="显示 AppCode").click()
    header, code = card.get_by_text("X-Apig-AppCode: ").inner_text().split(": ")
    assert header == "X-Apig-AppCode"
    return address, code


def point_the_oa_at(page: Page, desk: Desk, name: str) -> None:
    """Carry address and AppCode from the studio into the OA's node action."""
    page.goto(f"{desk.studio}/callbacks")
    choose(page, "连接", WEAVER_CONNECTION)
    card = page.locator(f".st-key-reporting-{name}-verdict")
    expect(card).to_be_visible()
    idle(page)
    sample = json.loads(card.locator("code").nth(1).inner_text())
    assert {"requestid", "status", "approver", "remark"} == set(sample)
    address, code = shown_on_callbacks(page, desk, name, "verdict", at="reporting")
    page.goto(f"{desk.sandbox}/switches")
    page.locator('[data-test="node-action-url"]').fill(address)
    page.locator('[data-test="node-action-code"]').fill(code)
    page.locator('[data-test="save-node-action"]').click()
    expect(page.locator('[data-test="node-action-url"]')).to_have_value(address)


def decide(page: Page, desk: Desk, number: str, button: str, remark: str) -> None:
    """An approver opens the request in the OA's inbox and decides; the OA tells the flow, and is answered."""
    page.goto(f"{desk.sandbox}/inbox/weaver")
    page.locator(f'[data-test="request"][data-id="{number}"] [data-test="open"]').click()
    page.locator('[data-test="remark"]').fill(remark)
    page.locator(f'[data-test="{button}"]').click()
    expect(page.locator('[data-test="sending"]')).to_have_attribute("data-problem", "")


def written(desk: Desk, key: int, status: str, approval: str, remark: str) -> None:
    """The verdict stands in B1: on the draft, and in its approval request. The OA was answered after it was written."""
    draft = desk.b1(f"/Drafts({key})")
    assert (draft["U_ApprovalStatus"], draft["U_Approver"]) == (status, WEAVER_USERS[20])
    [request] = desk.b1(f"/ApprovalRequests?$filter=DraftEntry eq {key}")["value"]
    assert request["Status"] == approval
    assert any(remark in str(row["Remarks"]) for row in request["ApprovalRequestLines"])


def post(address: str, code: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(address, json=body, headers={"X-Apig-AppCode": code}, trust_env=False, timeout=30)

"""WeCom and Weaver from the gallery to a saved mapping, in a real browser, over the real sandbox."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from runtime.sandbox.demo import (
    WEAVER_WORKFLOW,
)
from tests.browser.designing import (
    LINES,
    Desk,
    live_form,
    open_fields,
    step_of,
    tab,
)
from tests.browser.support import drag, idle, line, source, target, wait_until


def test_weaver_from_the_gallery_to_a_saved_mapping(page: Page, desk: Desk) -> None:
    """The OA's columns are pinyin: what matches is proposed, the rest set by hand, and the preview is what is sent."""
    page.goto(f"{desk.studio}/designer")
    page.locator(".st-key-start_template").get_by_role("combobox").click()
    page.get_by_role("option", name="单据审批：B1 → 泛微（OData）").click()
    expect(page.get_by_role("textbox", name="泛微流程")).to_be_visible()
    idle(page)
    page.get_by_role("textbox", name="编号（文件名）").fill("drawn-for-weaver")
    page.get_by_role("textbox", name="泛微流程").fill(str(WEAVER_WORKFLOW))
    page.get_by_role("textbox", name="泛微流程").press("Enter")
    page.get_by_role("button", name="创建并开始设计").click()
    expect(page.locator(".st-key-designer-head").get_by_text("未保存的修改")).to_be_visible()
    idle(page)
    tab(page, "② 目标")
    page.get_by_role("button", name="读取表单").first.click()
    expect(page.get_by_text("已读取“采购申请”")).to_be_visible()
    idle(page)
    open_fields(page)
    page.get_by_role("button", name="自动匹配").click()
    panel = page.locator(".st-key-automap-panel")
    expect(panel).to_contain_text("DocDate")
    panel.locator(".st-key-automap_all button").click()
    expect(line(page, "物料编码", "采购明细")).to_have_count(1)
    idle(page)
    quantity = panel.locator('[class*="-row"]').filter(has_text="Quantity")
    quantity.get_by_role("button", name="check").click()
    expect(panel).to_contain_text("没有更多建议")
    idle(page)
    drag(page, source(page, "DocEntry"), target(page, "单据编号"))
    page.locator('[data-test="search-source"]').fill("U_OAUserID")
    drag(page, source(page, "U_OAUserID"), target(page, "申请人"))
    wait_until(lambda: str(live_form(page).get("申请人")).isdecimal(), "the applicant's number is missing")
    idle(page)
    tab(page, "④ 预览")
    page.locator(".st-key-run-preview button").click()
    expect(page.locator(".st-key-preview-summary")).to_contain_text("0 行有问题")
    sent = json.loads(page.locator(".st-key-sent-0 code").inner_text())
    values = {value["fieldName"]: value["fieldValue"] for value in json.loads(sent["mainData"])}
    assert values["qgdb"] in {"0", "1", "2"}
    assert values["djbh"] == sent["requestName"].split()[-1]
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 drawn-for-weaver.json")).to_be_visible()
    spec = step_of(desk.mapping("drawn-for-weaver"))
    mapped = {field["to"]: field.get("from") for field in spec["fields"]}
    assert (mapped["单据编号"], mapped["申请日期"]) == ("DocEntry", "DocDate")
    [table] = spec["tables"]
    assert (table["from"], {field["to"]: field["from"] for field in table["fields"]}["采购数量"]) == (LINES, "Quantity")
    desk.run("check", "drawn-for-weaver")


WECOM_FORM = {
    "name": "物料请购",
    "controls": [
        {"label": "请购人员", "required": True},
        {"label": "单据日期", "control": "Date"},
        {"label": "有效期", "control": "Date", "unit": "hour"},
        {"label": "请购单别", "control": "Selector", "options": ["计划请购", "零星请购", "自产请购"]},
        {"label": "备注", "control": "Textarea"},
        {
            "label": "物料",
            "control": "Table",
            "children": [
                {"label": "物料编号", "required": True},
                {"label": "需求数量", "control": "Number"},
                {"label": "需求日期", "control": "Date"},
            ],
        },
    ],
}


def test_a_wecom_mapping_from_the_gallery_to_approvals(page: Page, desk: Desk) -> None:
    desk.control("PUT", "/wecom/forms/TkDrawn", WECOM_FORM)
    # other tests may have sent all that was there
    desk.control("POST", "/b1/drafts", {"count": 2, "lines": 2})
    page.goto(f"{desk.studio}/designer")
    page.get_by_role("combobox", name="模板").click()
    page.get_by_role("option", name="草稿审批：B1 → 企业微信（OData）").click()
    # every template asks for an id: only this one's may be filled
    expect(page.get_by_role("textbox", name="企业微信审批模板")).to_be_visible()
    idle(page)
    page.get_by_role("textbox", name="编号（文件名）").fill("drawn-for-wecom")
    page.get_by_role("textbox", name="企业微信审批模板").fill("TkDrawn")
    page.get_by_role("textbox", name="企业微信审批模板").press("Enter")
    page.get_by_role("button", name="创建并开始设计").click()
    expect(page.locator(".st-key-designer-head").get_by_text("未保存的修改")).to_be_visible()
    idle(page)
    page.get_by_role("button", name="取数").click()
    expect(page.get_by_text("行，用时")).to_be_visible()
    tab(page, "② 目标")
    page.get_by_role("button", name="读取表单").click()
    expect(page.get_by_text("已读取“物料请购”，共 9 个控件")).to_be_visible()
    idle(page)
    open_fields(page)

    expect(target(page, "有效期")).to_contain_text("YYYY-MM-DD HH:mm")
    drag(page, source(page, "DocDueDate"), target(page, "有效期"))
    page.get_by_role("button", name="自动匹配").click()
    panel = page.locator(".st-key-automap-panel")
    expect(panel).to_contain_text("B1 字典")
    panel.locator(".st-key-automap_all button").click()
    expect(line(page, "物料编号", "物料")).to_have_count(1)
    idle(page)
    expect(line(page, "请购单别")).to_have_count(1)

    tab(page, "④ 预览")
    page.locator(".st-key-run-preview button").click()
    expect(page.locator(".st-key-preview-summary")).to_contain_text("行，0 行有问题")
    # in the order of the template, with options and dates as the approver reads them
    shown = page.locator(".b1-form")
    assert shown.locator("dt").all_inner_texts() == ["请购人员*", "单据日期", "有效期", "请购单别", "备注"]
    name, day, hour, choice, _ = shown.locator("dd").all_inner_texts()
    assert (name, choice) == ("张三", "计划请购")
    assert hour.endswith(" 00:00")
    assert shown.locator("th").all_inner_texts() == ["物料编号", "需求数量", "需求日期"]
    sent = json.loads(page.locator(".st-key-sent-0 code").inner_text())
    values = {content["id"].split("-")[0]: content["value"] for content in sent["apply_data"]["contents"]}
    assert (sent["template_id"], sent["creator_userid"]) == ("TkDrawn", "user-zhangsan")
    assert values["Selector"]["selector"]["options"][0]["key"].startswith("option-")
    assert len(values["Table"]["children"]) == shown.locator("tr").count() - 1
    assert desk.approvals("wecom") == []

    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 drawn-for-wecom.json")).to_be_visible()
    desk.run("check", "drawn-for-wecom")
    desk.run("run", "drawn-for-wecom", "--flow", "submit", "--limit", "1")
    [approval] = desk.approvals("wecom")
    texts = {content["title"][0]["text"]: content["value"] for content in approval["contents"]}
    assert texts["请购单别"]["selector"]["options"][0]["value"][0]["text"] == choice
    page.goto(f"{desk.sandbox}/inbox/{approval['id']}")
    for text in (day, hour, choice):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()

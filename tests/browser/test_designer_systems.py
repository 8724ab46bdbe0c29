"""WeCom from the gallery to a saved mapping, in a real browser, over the real sandbox."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from tests.browser.designing import (
    Desk,
    open_fields,
    tab,
)
from tests.browser.support import drag, idle, line, source, target

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

"""The designer from a template to a saved mapping, in a real browser, over the real sandbox."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from runtime.sandbox.demo import PRICE_PROCESS_CODE, PROCESS_CODE
from tests.browser.designing import (
    LINES,
    TABLE,
    Desk,
    collapse_header,
    fetch_form,
    live_form,
    new_mapping,
    open_fields,
    previewed,
    step_of,
    tab,
)
from tests.browser.support import drag, idle, line, source, target, wait_until


def test_from_template_to_a_mapping_that_the_runtime_carries_out(page: Page, desk: Desk) -> None:
    new_mapping(page, desk, "drawn-by-hand")
    page.get_by_role("button", name="取数").click()
    expect(page.get_by_text("8 行，用时")).to_be_visible()
    fetch_form(page)
    open_fields(page)

    drag(page, source(page, "DocDate"), target(page, "单据日期"))
    drag(page, source(page, "DocDueDate"), target(page, "有效期"))
    drag(page, source(page, "Comments"), target(page, "备注"))
    wait_until(lambda: live_form(page).get("备注") not in (None, ""), "the live form did not change")

    collapse_header(page)
    drag(page, source(page, "ItemCode", LINES), target(page, "品号", TABLE))
    drag(page, source(page, "Quantity", LINES), target(page, "需求数量", TABLE))
    wait_until(lambda: set(live_form(page).get(TABLE, [{}])[0]) == {"品号", "需求数量"}, "the table did not fill")

    page.locator('[data-test="search-source"]').fill("RequesterName")
    expect(source(page, "RequesterName")).to_be_visible()
    page.locator('[data-test="source-tree"]').focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_until(lambda: live_form(page).get("请购人员") not in (None, ""), "the keyboard's link is missing")

    target(page, "请购单别").click()
    panel = page.locator(".st-key-link-panel")
    expect(panel).to_contain_text("请购单别")
    idle(page)
    panel.get_by_text("固定值", exact=True).click()
    panel.get_by_test_id("stSelectbox").first.click()
    page.get_by_role("option", name="计划请购").click()
    wait_until(lambda: live_form(page).get("请购单别") == "计划请购", "the constant is missing")
    idle(page)

    sent, values = previewed(page)
    assert values["请购单别"] == "计划请购"
    assert sent["processCode"] == PROCESS_CODE
    expect(page.locator(".b1-form")).to_contain_text("计划请购")
    assert desk.approvals() == []

    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 drawn-by-hand.json")).to_be_visible()
    expect(page.get_by_text("尚未启用")).to_be_visible()
    assert desk.mapping("drawn-by-hand")["enabled"] is False
    spec = step_of(desk.mapping("drawn-by-hand"))
    assert {field["to"]: field.get("from") or field.get("value") for field in spec["fields"]} == {
        "单据日期": "DocDate",
        "有效期": "DocDueDate",
        "备注": "Comments",
        "请购人员": "RequesterName",
        "请购单别": "计划请购",
    }
    assert [(table["to"], table["from"]) for table in spec["tables"]] == [(TABLE, LINES)]
    assert {field["to"]: field["from"] for field in spec["tables"][0]["fields"]} == {
        "品号": "ItemCode",
        "需求数量": "Quantity",
    }
    assert not list((desk.folder / "var" / "studio" / "drafts").glob("*.json"))

    desk.run("check", "drawn-by-hand")
    desk.run("run", "drawn-by-hand", "--flow", "submit")
    assert len(desk.approvals()) == 8


def test_pages_tabs_and_reloads_lose_nothing(page: Page, desk: Desk) -> None:
    new_mapping(page, desk, "kept-through-everything")
    fetch_form(page)
    open_fields(page)
    pairs = [
        ("DocDate", "单据日期"),
        ("DocNum", "来源单号"),
        ("DocDueDate", "有效期"),
        ("TaxDate", "备注"),
        ("TaxDate", "单据日期"),
        ("DocEntry", "来源单号"),
        ("DocDate", "有效期"),
        ("CardName", "备注"),
        ("DocCurrency", "请购部门"),
        ("DocTotal", "请购人员"),
    ]
    for start, end in pairs:
        drag(page, source(page, start), target(page, end), settle=False)
        page.wait_for_timeout(40)
    expected = {end: start for start, end in pairs}

    def in_the_page() -> bool:
        expect(source(page, "DocEntry")).to_be_visible()
        idle(page)
        return all(line(page, end).count() == 1 for end in expected)

    page.get_by_role("link", name="连接").click()
    expect(source(page, "DocEntry")).not_to_be_visible()
    page.get_by_role("link", name="设计器").click()
    wait_until(in_the_page, "links were lost with the page")
    drag(page, source(page, "DocRate"), target(page, "来源单号"), settle=False)
    expected["来源单号"] = "DocRate"
    page.reload()
    wait_until(in_the_page, "links were lost with the reload")
    tab(page, "⑤ 流程")
    open_fields(page)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 kept-through-everything.json")).to_be_visible()
    fields = step_of(desk.mapping("kept-through-everything"))["fields"]
    assert {field["to"]: field["from"] for field in fields} == expected


def test_what_is_typed_last_counts_whatever_is_clicked_next(page: Page, desk: Desk) -> None:
    """The text and the click that leaves it may reach the server together."""
    new_mapping(page, desk, "typed-last")
    tab(page, "⑤ 流程")
    condition = page.get_by_role("textbox", name="附加过滤条件")
    condition.fill("DocEntry eq 1")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 typed-last.json")).to_be_visible()
    assert desk.mapping("typed-last")["settings"]["filter"] == "DocEntry eq 1"
    idle(page)
    condition.fill("DocEntry eq 2")
    tab(page, "② 目标")
    page.get_by_role("textbox", name="表单编号").fill(PRICE_PROCESS_CODE)
    page.get_by_role("button", name="读取表单").click()
    expect(page.get_by_text("已读取“")).to_be_visible()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 typed-last.json")).to_be_visible()
    settings = desk.mapping("typed-last")["settings"]
    assert (settings["filter"], settings["process_code"]) == ("DocEntry eq 2", PRICE_PROCESS_CODE)
    idle(page)
    tab(page, "⑤ 流程")
    page.get_by_role("textbox", name="钉钉审批模板").fill(PROCESS_CODE)
    tab(page, "② 目标")
    # of another form nothing is shown before it was read
    expect(page.get_by_text("还没有表单，请点“读取表单”")).to_be_visible()


def test_a_file_changed_by_somebody_else_is_not_overwritten(page: Page, desk: Desk) -> None:
    new_mapping(page, desk, "changed-elsewhere")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 changed-elsewhere.json")).to_be_visible()
    path = desk.folder / "mappings" / "changed-elsewhere.json"
    other = {**desk.mapping("changed-elsewhere"), "title": "改过"}
    path.write_text(json.dumps(other, ensure_ascii=False))
    tab(page, "⑤ 流程")
    page.get_by_role("textbox", name="标题").fill("我的标题")
    page.get_by_role("textbox", name="标题").press("Enter")
    expect(page.locator(".st-key-designer-head").get_by_text("未保存的修改")).to_be_visible()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("文件在打开之后被别人改过")).to_be_visible()
    assert json.loads(path.read_text("utf-8")) == other


def test_auto_map_draws_only_what_is_accepted_and_undo_takes_it_back(page: Page, desk: Desk) -> None:
    new_mapping(page, desk, "mapped-by-proposal")
    fetch_form(page)
    open_fields(page)
    drag(page, source(page, "TaxDate"), target(page, "单据日期"))
    page.get_by_role("button", name="自动匹配").click()
    panel = page.locator(".st-key-automap-panel")
    expect(panel).to_contain_text("B1 字典")
    expect(panel).not_to_contain_text("单据日期")
    assert page.locator('g[data-test="link"]').count() == 1
    row = panel.locator('[class*="-row"]').filter(has_text="RequesterName")
    row.get_by_role("button", name="check").click()
    expect(line(page, "请购人员")).to_have_count(1)
    idle(page)
    panel.locator(".st-key-automap_all button").click()
    expect(line(page, "品号", TABLE)).to_have_count(1)
    idle(page)
    filled = page.locator('g[data-test="link"]').count()
    assert filled > 5
    page.locator('[data-test="source-tree"]').focus()
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(line(page, "请购人员")).to_have_count(0)
    expect(line(page, "单据日期")).to_have_count(1)
    expect(row).to_be_visible()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 mapped-by-proposal.json")).to_be_visible()
    spec = step_of(desk.mapping("mapped-by-proposal"))
    assert [(field["to"], field["from"]) for field in spec["fields"]] == [("单据日期", "TaxDate")]
    assert not spec.get("tables")

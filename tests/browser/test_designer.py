"""The designer from a template to a saved mapping, in a real browser, over the real sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from runtime.sandbox.demo import (
    B1_CONNECTION,
    B1_DI_CONNECTION,
    DINGTALK_CONNECTION,
    PROCESS_CODE,
    WEAVER_CONNECTION,
    WEAVER_WORKFLOW,
    connections,
)
from tests.browser.support import Start, drag, idle, line, source, target, wait_until

BIN = Path(sys.executable).parent
LINES = "DocumentLines"
TABLE = "物料表"
#: As a template of one's own begins: nothing is read yet.
EMPTY_SQL = {
    "format": 1,
    "id": "by-sql",
    "title": "SQL 取数",
    "enabled": False,
    "connections": {"db": B1_DI_CONNECTION, "erp": B1_CONNECTION, "oa": DINGTALK_CONNECTION},
    "settings": {"header_sql": "", "process_code": PROCESS_CODE},
    "flows": {
        "submit": {
            "trigger": {"manual": {}},
            "steps": [
                {"id": "drafts", "call": "db.query", "with": {"statement": "{{ settings.header_sql }}"}},
                {
                    "each": "{{ drafts }}",
                    "as": "draft",
                    "key": "{{ draft.DocEntry }}",
                    "steps": [
                        {
                            "id": "form",
                            "map": {
                                "from": "{{ draft }}",
                                "to": {"connection": "oa", "form": "{{ settings.process_code }}"},
                                "fields": [{"to": "请购单别", "value": "计划请购"}],
                            },
                        },
                        {
                            "id": "approval",
                            "call": "oa.create_approval",
                            "with": {
                                "form": "{{ settings.process_code }}",
                                "values": "{{ form }}",
                                "originator": "{{ draft.U_UserID }}",
                                "department": "{{ draft.U_BMID }}",
                            },
                        },
                        {
                            "call": "erp.update",
                            "with": {
                                "entity": "Drafts",
                                "key": "{{ draft.DocEntry }}",
                                "values": {"U_ISSYN": "Y", "U_instanceID": "{{ approval.instance_id }}"},
                            },
                        },
                    ],
                },
            ],
        }
    },
}
HEADER_SQL = """SELECT T0."DocEntry", T0."ReqName" Person, T0."DocDate", T0."Comments", T0."U_UserID", T0."U_BMID"
FROM ODRF T0 WHERE T0."ObjType" = '1470000113' AND IFNULL(T0."U_ISSYN",'N') = 'N'"""
LINES_SQL = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Dscription", T1."Quantity" FROM DRF1 T1'


@dataclass(frozen=True)
class Desk:
    """A studio over its own workspace, and the sandbox that it works with."""

    studio: str
    sandbox: str
    folder: Path
    environment: dict[str, str]

    def mapping(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "mappings" / f"{name}.json").read_text("utf-8"))
        return loaded

    def approvals(self, system: str = "dingtalk") -> list[Any]:
        with urllib.request.urlopen(f"{self.sandbox}/control/{system}/instances") as answer:
            found: list[Any] = json.load(answer)["instances"]
            return found

    def control(self, method: str, path: str, body: dict[str, Any]) -> None:
        address = f"{self.sandbox}/control{path}"
        urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), method=method)).close()

    def run(self, *arguments: str) -> str:
        command = [str(BIN / "b1-runtime"), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def desk(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "mappings").mkdir()
    environment = {"B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(folder / "mappings")}
    sandbox = start(
        [str(BIN / "b1-runtime"), "sandbox", "--port", "{port}", "--var", str(folder / "sandbox")], "/control/health"
    )
    documents = connections(sandbox)
    with urllib.request.urlopen(f"{sandbox}/control/weaver/registration") as answer:
        documents[WEAVER_CONNECTION] |= json.load(answer)
    (folder / "connections.json").write_text(json.dumps(documents))
    studio = start([str(BIN / "b1-studio"), "--port", "{port}"], "/_stcore/health", **environment)
    desk = Desk(studio=studio, sandbox=sandbox, folder=folder, environment=environment)
    desk.run("connections", "import", str(folder / "connections.json"))
    return desk


def new_mapping(page: Page, desk: Desk, name: str) -> None:
    """From the template, over the demo connections."""
    page.goto(f"{desk.studio}/designer")
    idle(page)
    page.get_by_role("combobox", name="模板").click()
    page.get_by_role("option", name="草稿审批：B1 → 钉钉（OData）").click()
    for label, text in (("钉钉审批模板", PROCESS_CODE), ("编号（文件名）", name)):
        box = page.get_by_role("textbox", name=label)
        expect(box).to_be_visible()
        idle(page)
        box.fill(text)
        box.press("Enter")
        idle(page)
    page.get_by_role("button", name="创建并开始设计").click()
    expect(page.locator(".st-key-designer-head").get_by_text("未保存的修改")).to_be_visible()
    idle(page)


def tab(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(name).click()
    idle(page)


def fetch_form(page: Page) -> None:
    tab(page, "② 目标")
    page.get_by_role("button", name="读取表单").click()
    expect(page.get_by_text("已读取“采购申请”，共 14 个控件")).to_be_visible()
    idle(page)


def open_fields(page: Page) -> None:
    tab(page, "③ 字段")
    expect(source(page, "DocEntry")).to_be_visible()
    idle(page)


def live_form(page: Page) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(page.locator(".st-key-live-form code").inner_text())
    return shown


def collapse_header(page: Page) -> None:
    page.locator('[data-test="source-group"][data-group=""]').click()
    expect(source(page, "ItemCode", LINES)).to_be_visible()


def step_of(mapping: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = mapping["flows"]["submit"]["steps"][1]["steps"][0]["map"]
    return spec


def previewed(page: Page) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the first document would send, and its values by control."""
    tab(page, "④ 预览")
    page.locator(".st-key-run-preview button").click()
    expect(page.locator(".st-key-preview-summary")).to_contain_text("8 行，0 行有问题")
    sent: dict[str, Any] = json.loads(page.locator(".st-key-sent-0 code").inner_text())
    return sent, {value["name"]: value["value"] for value in sent["formComponentValues"]}


def write(page: Page, label: str, text: str) -> None:
    """Type a statement and leave it as a person does."""
    area = page.get_by_role("textbox", name=label)
    area.fill(text)
    area.press("Control+Enter")
    idle(page)


def test_two_statements_become_documents_with_lines(page: Page, desk: Desk) -> None:
    (desk.folder / "mappings" / "by-sql.json").write_text(json.dumps(EMPTY_SQL))
    page.goto(f"{desk.studio}/designer?mapping=by-sql")
    expect(page.get_by_text("表头语句 — 语句是空的")).to_be_visible(timeout=20_000)  # the studio's very first page
    write(page, "表头语句", "DELETE FROM ODRF")
    expect(page.get_by_text("语句只能读取，这里写入数据（DELETE）")).to_be_visible()
    write(page, "表头语句", HEADER_SQL)
    expect(page.get_by_text("保存在设置“header_sql”中")).to_be_visible()
    page.get_by_role("button", name="添加明细语句").click()
    expect(page.get_by_text("明细语句：Lines — 语句是空的")).to_be_visible()
    write(page, "明细语句：Lines", LINES_SQL)
    expect(page.get_by_text("语句是空的")).to_have_count(0)
    page.get_by_role("button", name="取数").click()
    expect(page.get_by_text("8 行，用时")).to_be_visible()
    expect(page.get_by_text("行明细")).to_be_visible()

    fetch_form(page)
    open_fields(page)
    drag(page, source(page, "Person"), target(page, "请购人员"))
    wait_until(lambda: live_form(page).get("请购人员") == "张三", "the live form did not change")
    page.get_by_role("button", name="自动匹配").click()
    panel = page.locator(".st-key-automap-panel")
    expect(panel).to_contain_text("Dscription")
    panel.locator(".st-key-automap_all button").click()
    expect(line(page, "品名", TABLE)).to_have_count(1)
    idle(page)

    _, values = previewed(page)
    assert values["请购人员"] == "张三"
    lines = [{cell["name"]: cell["value"] for cell in row} for row in json.loads(values[TABLE])]
    assert [row["品号"] for row in lines] == ["R10003", "R10004"]
    assert {"品名", "需求数量"} <= lines[0].keys()

    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存 by-sql.json")).to_be_visible()
    saved = desk.mapping("by-sql")
    assert saved["settings"]["header_sql"] == HEADER_SQL
    assert saved["flows"]["submit"]["steps"][0]["with"] == {
        "statement": "{{ settings.header_sql }}",
        "lines": [{"name": "Lines", "statement": LINES_SQL}],
    }
    assert [(table["to"], table["from"]) for table in step_of(saved)["tables"]] == [(TABLE, "Lines")]
    desk.run("check", "by-sql")
    assert desk.approvals() == []


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
    idle(page)
    draft = desk.folder / "var" / "studio" / "drafts" / "kept-through-everything.json"
    fields = step_of(json.loads(draft.read_text("utf-8"))["document"])["fields"]
    assert {field["to"]: field["from"] for field in fields} == expected


def test_a_file_changed_by_somebody_else_is_not_overwritten(page: Page, desk: Desk) -> None:
    new_mapping(page, desk, "changed-elsewhere")
    page.locator(".st-key-designer-head").get_by_text("启用").click()
    idle(page)
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
    idle(page)
    draft = desk.folder / "var" / "studio" / "drafts" / "mapped-by-proposal.json"
    spec = step_of(json.loads(draft.read_text("utf-8"))["document"])
    assert [(field["to"], field["from"]) for field in spec["fields"]] == [("单据日期", "TaxDate")]
    assert not spec.get("tables")


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

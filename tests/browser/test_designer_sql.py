"""A source by SQL, from an empty step to a saved mapping, in a real browser, over the real sandbox."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from runtime.sandbox.demo import (
    B1_CONNECTION,
    B1_DI_CONNECTION,
    DINGTALK_CONNECTION,
    PROCESS_CODE,
)
from tests.browser.designing import (
    TABLE,
    Desk,
    fetch_form,
    live_form,
    open_fields,
    previewed,
    step_of,
)
from tests.browser.support import drag, idle, line, source, target, wait_until

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

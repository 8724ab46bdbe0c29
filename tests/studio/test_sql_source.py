"""A source by SQL on the designer's tabs, over the sandbox's DI gateway, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from runtime.mapping import templates
from runtime.mapping.document import parse_mapping
from runtime.mapping.folder import MappingFolder
from runtime.mapping.templates import Template
from runtime.sandbox import demo
from studio.designer import start
from studio.designer.links import Place
from studio.i18n import catalogue
from tests.studio.pages import VIEW, click, opened, said

HEADER = """SELECT T0."DocEntry", T0."ReqName", T0."DocDate", T0."U_UserID", T0."U_BMID" FROM ODRF T0
WHERE T0."ObjType" = '1470000113' AND IFNULL(T0."U_ISSYN",'N') = 'N'"""
LINES = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Dscription", T1."Quantity" FROM DRF1 T1'
FLOW = {
    "trigger": {"manual": {}},
    "steps": [
        {
            "id": "drafts",
            "call": "db.query",
            "with": {
                "statement": "{{ settings.header_sql }}",
                "lines": [{"name": "Lines", "statement": "{{ settings.lines_sql }}"}],
            },
        },
        {
            "each": "{{ drafts }}",
            "as": "draft",
            "key": "{{ draft.DocEntry }}",
            "steps": [
                {
                    "id": "form",
                    "map": {
                        "from": "{{ draft }}",
                        "to": {"connection": "oa", "form": demo.PROCESS_CODE},
                        "fields": [{"to": "请购人员", "from": "ReqName"}],
                    },
                },
                {
                    "call": "oa.create_approval",
                    "with": {
                        "form": demo.PROCESS_CODE,
                        "values": "{{ form }}",
                        "originator": "{{ draft.U_UserID }}",
                        "department": "{{ draft.U_BMID }}",
                    },
                },
            ],
        },
    ],
}


@pytest.fixture
def by_sql(workspace: Path) -> Path:
    """A mapping whose statements stand in its settings, as a template makes it."""
    document = {
        "format": 1,
        "id": "sql",
        "enabled": False,
        "connections": {"db": demo.B1_DI_CONNECTION, "oa": demo.DINGTALK_CONNECTION},
        "settings": {"header_sql": HEADER, "lines_sql": LINES},
        "flows": {"submit": FLOW},
    }
    MappingFolder(workspace / "mappings").save(parse_mapping(document), expected=None)
    return workspace


def editor(page: AppTest, *path: str) -> Any:
    return next(area for area in page.text_area if str(area.key).endswith("_".join(path)))


def fields(page: AppTest) -> dict[str, list[str]]:
    """Name → label, type, samples, as the field list shows them."""
    frame = next(one.value for one in page.dataframe if "表.列" in one.value)
    return {name: rest for _, name, *rest, _ in frame.to_numpy().tolist()}


@pytest.mark.usefixtures("by_sql")
def test_what_the_guard_refuses_is_said_at_once_and_nothing_typed_is_lost() -> None:
    page = opened("source", "sql")
    assert [error.value for error in page.error] == []
    editor(page, "lines", "0", "statement").set_value("DELETE FROM DRF1").run()
    assert [error.value.replace("\\", "") for error in page.error] == [
        "明细语句：Lines — 语句只能读取，这里写入数据（DELETE）"
    ]
    again = opened("source", "sql")
    design = again.session_state["design"]
    assert design.document["settings"] == {"header_sql": HEADER, "lines_sql": "DELETE FROM DRF1"}
    assert design.document["flows"] == design.saved["flows"]
    page = click(again, "fetch")
    assert "只能读取" in page.error[-1].value
    assert editor(page, "lines", "0", "statement").value == "DELETE FROM DRF1"


@pytest.mark.usefixtures("by_sql")
def test_fields_are_known_before_the_first_row_and_have_samples_after_it() -> None:
    page = opened("source", "sql")
    assert fields(page)["ReqName"] == ["请购人员", "文本", ""]
    page = click(page, "fetch")
    assert "8 行，用时" in said(page)
    assert fields(page)["Quantity"][:2] == ["需求数量", "小数"]
    assert fields(page)["ReqName"][2].startswith("张三")
    heads = [list(one.value) for one in page.dataframe]
    assert "请购人员 ReqName · 文本" in heads[0]
    assert "品号 ItemCode · 文本" in heads[1]


@pytest.mark.usefixtures("by_sql")
def test_the_words_of_the_database_are_shown_and_change_nothing() -> None:
    page = opened("source", "sql")
    wrong = HEADER.replace('T0."ReqName"', 'T0."Nope"')
    page = click(editor(page, "statement").set_value(wrong).run(), "fetch")
    assert len(page.error) == 1
    assert "invalid column name: T0.Nope" in page.error[0].value.replace("\\", "")
    assert editor(page, "statement").value == wrong
    assert page.session_state["design"].desk.board.links[Place("", "请购人员")].source == Place("", "ReqName")


@pytest.mark.usefixtures("by_sql")
def test_a_link_to_a_column_that_left_the_statement_is_named_in_the_fields_tab() -> None:
    page = opened("source", "sql")
    editor(page, "statement").set_value(HEADER.replace('T0."ReqName", ', "")).run()
    page.segmented_control(key="designer_tab").set_value("fields").run()
    assert "没有这些列：ReqName" in said(page)
    page = click(opened("preview", "sql"), "run-preview")
    assert "8 行，8 行有问题" in said(page)


@pytest.mark.usefixtures("by_sql")
def test_parameters_are_found_in_the_statement_and_bound_by_type() -> None:
    page = opened("source", "sql")
    editor(page, "statement").set_value(f'{HEADER} AND T0."DocEntry" <= :last').run()
    assert "没有给出语句的参数 last" in said(page)
    value = next(item for item in page.text_input if str(item.key).endswith("parameters_last"))
    kind = next(item for item in page.selectbox if str(item.key).endswith("parameters_last_type"))
    kind.set_value("number")
    value.set_value("3").run()
    query = page.session_state["design"].document["flows"]["submit"]["steps"][0]["with"]
    assert query["parameters"] == {"last": 3}
    assert "3 行，用时" in said(click(page, "fetch"))


@pytest.mark.usefixtures("by_sql")
def test_the_preview_sends_what_the_statements_yield() -> None:
    page = click(opened("target", "sql"), "fetch-form")
    page.segmented_control(key="designer_tab").set_value("fields").run()
    page = click(click(page, "automap"), "automap_all")
    page.segmented_control(key="designer_tab").set_value("preview").run()
    assert not [item for item in page.text_input if item.key == "preview_filter"]
    page = click(page, "run-preview")
    documents = page.session_state["designer_preview"].result.documents
    assert len(documents) == 8
    sent = {value["name"]: value["value"] for value in documents[0].sent[0].request.body["formComponentValues"]}
    assert sent["请购人员"] == "张三"
    assert [cell["name"] for cell in json.loads(sent["物料表"])[0]] == ["品号", "品名", "需求数量"]


@pytest.mark.usefixtures("workspace")
def test_the_service_layer_can_be_read_in_both_ways_and_other_documents_are_warned_of() -> None:
    page = opened("source")
    way = next(item for item in page.segmented_control if str(item.key).startswith("way_"))
    way.set_value("sql").run()
    assert "语句是空的" in said(page)
    editor(page, "statement").set_value('SELECT "DocEntry", "ReqName" FROM ODRF').run()
    assert "Drafts，现在读取 ODRF" in said(page)
    next(item for item in page.segmented_control if str(item.key).startswith("way_")).set_value("odata").run()
    assert not page.session_state["design"].dirty
    assert not page.warning


def test_a_template_asks_for_its_statements_and_the_guard_judges_them(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = {"label": "表头语句", "label_en": "Header statement", "type": "statement", "required": True}
    template = Template.model_validate(
        {
            "id": "by-sql",
            "version": 1,
            "title": "SQL",
            "title_en": "SQL",
            "connections": {"db": ["sql", "b1.di_api", "b1.service_layer"], "oa": "dingtalk"},
            "settings": [
                {"name": "header_sql", "default": HEADER, **setting},
                {"name": "lines_sql", "default": LINES, **setting},
            ],
            "flows": {"submit": FLOW},
        }
    )
    for module in (start, templates):
        monkeypatch.setattr(module, "gallery", lambda: [template])
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    page.text_input(key="new_by-sql_id").set_value("mine").run()
    choice = page.selectbox(key="new_by-sql_connection_db")
    assert choice.options == [demo.B1_CONNECTION, demo.B1_SECOND_CONNECTION, demo.B1_DI_CONNECTION]
    choice.set_value(demo.B1_DI_CONNECTION).run()
    page.text_area(key="new_by-sql_header_sql").set_value("DROP TABLE ODRF").run()
    assert "删除对象" in said(page)
    page.button(key="new_by-sql_create").click().run()
    assert page.error[-1].value == catalogue("zh-CN")["start.faulty"]
    page.text_area(key="new_by-sql_header_sql").set_value("").run()
    page.button(key="new_by-sql_create").click().run()
    assert page.error[-1].value == "请先填写：表头语句"
    page.text_area(key="new_by-sql_header_sql").set_value(HEADER).run()
    assert not page.error
    page.button(key="new_by-sql_create").click().run()
    document = page.session_state["design"].document
    assert document["connections"]["db"] == demo.B1_DI_CONNECTION
    assert document["settings"] == {"header_sql": HEADER, "lines_sql": LINES}
    assert workspace.joinpath("var", "studio", "drafts", "mine.json").is_file()

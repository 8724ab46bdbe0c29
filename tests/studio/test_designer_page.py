"""The designer's tabs over the real sandbox, without a browser: every tab draws, and says what is wrong in words."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from runtime.engine.engine import Engine, RunRequest
from runtime.mapping.document import parse_mapping
from runtime.mapping.folder import MappingFolder
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from runtime.store.listings import list_deliveries
from studio.designer.document import map_sites, value_at
from studio.designer.links import Place
from studio.i18n import catalogue
from studio.workspace import workspace as studio_workspace
from tests.studio.pages import VIEW, click, opened, said

DEMO = Path(__file__).parents[2] / "mappings" / "purchase-request-dingtalk.json"
TEXT = catalogue("zh-CN")


@pytest.mark.parametrize("tab", ["source", "target", "fields", "preview", "flow"])
@pytest.mark.usefixtures("workspace")
def test_every_tab_draws(tab: str) -> None:
    assert not opened(tab).error


def test_a_mapping_that_chooses_its_connection_is_designed_with_the_default_one(workspace: Path) -> None:
    folder = MappingFolder(workspace / "mappings")
    stored = folder.load("demo")
    choice = {"choose": "{{ settings.object }}", "among": {"Drafts": demo.B1_CONNECTION}}
    document = {**stored.mapping.model_dump(by_alias=True, exclude_defaults=True), "format": 1}
    document["connections"] = {**document["connections"], "erp": {**choice, "default": demo.B1_CONNECTION}}
    folder.save(parse_mapping(document), expected=stored.digest)
    page = click(opened("source"), "fetch")
    assert "在运行时选择" in said(page)
    assert [error.value for error in page.error] == []
    for tab in ("target", "fields", "flow"):
        assert [error.value for error in opened(tab).error] == []
    page = click(opened("preview"), "run-preview")
    assert page.session_state["designer_preview"].result.documents


@pytest.mark.usefixtures("workspace")
def test_without_a_mapping_there_is_a_choice_and_english_is_one_click_away() -> None:
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    assert page.button(key="open_demo").label == TEXT["start.open_button"]
    page.session_state["language"] = "en"
    assert page.run().button(key="open_demo").label == catalogue("en")["start.open_button"]


@pytest.mark.usefixtures("workspace")
def test_rows_are_fetched_with_their_time() -> None:
    assert "8 行，用时" in said(click(opened("source"), "fetch"))


@pytest.mark.usefixtures("workspace")
def test_a_filter_made_of_settings_is_shown_as_b1_will_read_it() -> None:
    page = opened("source")
    assert "{{" in page.text_area[0].value
    shown = next(item.value for item in page.caption if "按现在的设置" in item.value).replace("\\", "")
    assert "DocObjectCode eq '1470000113'" in shown
    assert "{{" not in shown


@pytest.mark.usefixtures("workspace")
def test_a_filter_that_b1_refuses_is_answered_in_its_own_words() -> None:
    page = opened("source")
    page.text_area[0].set_value("NoSuchField eq 1").run()
    page = click(page, "fetch")
    assert "NoSuchField" in said(page)
    assert page.error


def test_a_form_is_fetched_kept_and_saved(workspace: Path) -> None:
    page = click(opened("target"), "fetch-form")
    assert "14 个控件" in said(page)
    page.toggle[0].set_value(False).run()
    page = click(page, "save")
    assert "已保存 demo.json" in said(page).replace("\\", "")
    saved = json.loads((workspace / "mappings" / "demo.json").read_text("utf-8"))
    site = map_sites(saved)[0]
    labels = [control["label"] for control in value_at(saved, site.path)["map"]["to"]["controls"]]
    assert "物料表" in labels
    assert saved["enabled"] is False


def test_what_is_saved_switched_off_says_how_to_begin(workspace: Path) -> None:
    weaver_mapping(workspace)
    page = opened("flow", "weaver")
    next(box for box in page.text_input if box.label == TEXT["start.title"]).set_value("新标题").run()
    page = click(page, "save")
    assert TEXT["designer.saved_off"].format(id="weaver") in said(page).replace("\\", "")


@pytest.mark.usefixtures("workspace")
def test_a_form_that_does_not_exist_is_said_so() -> None:
    page = opened("target")
    next(box for box in page.text_input if box.label == TEXT["target.code"]).set_value("PROC-GONE").run()
    page = click(page, "fetch-form")
    assert page.error
    assert "PROC" in said(page)


@pytest.mark.usefixtures("workspace")
def test_what_the_browser_drew_is_in_the_live_form_and_the_draft() -> None:
    page = opened("fields")
    design = page.session_state["design"]
    board = {
        "doc": design.desk.doc,
        "epoch": design.desk.epoch,
        "seq": 1,
        "links": [{"target": ["", "请购人员"], "source": ["", "RequesterName"]}],
        "commands": [],
    }
    page.session_state[f"mapper-{design.desk.doc}"] = {"board": board}
    page.run()
    assert not page.exception
    assert any('"请购人员": "张三"' in code.value for code in page.code)
    again = opened("fields")
    assert next(iter(again.session_state["design"].desk.board.links)).name == "请购人员"


@pytest.mark.usefixtures("workspace")
def test_the_preview_counts_rows_and_failures() -> None:
    page = click(opened("preview"), "run-preview")
    assert "8 行" in said(page)
    page = page.text_input(key="preview_filter").set_value("DocEntry eq 1").run()
    assert "1 行" in said(click(page, "run-preview"))


@pytest.mark.usefixtures("workspace")
def test_a_raw_document_with_a_misspelt_key_is_refused_by_name() -> None:
    page = opened("flow")
    raw = next(area for area in page.text_area if area.value.startswith("{"))
    raw.set_value(raw.value.replace('"connections"', '"conections"')).run()
    page = click(page, "apply_raw")
    assert "conections" in said(page)
    assert not page.session_state["design"].dirty


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-CN", ["按拒绝处理", "只更新状态", "放回，可再次送审"]),
        ("en", ["Treat as refused", "Update the status only", "Release, to be sent again"]),
    ],
)
def test_a_choice_is_in_words_and_kept_as_its_value(language: str, words: list[str]) -> None:
    page = opened("flow")
    page.session_state["language"] = language
    withdrawn = next(box for box in page.run().selectbox if str(box.key).startswith("setting_withdrawn"))
    assert withdrawn.options == words
    withdrawn.select("release").run()
    assert page.session_state["design"].document["settings"]["withdrawn"] == "release"


def test_the_preview_says_what_a_run_would_find_in_the_ledger(workspace: Path) -> None:
    """It sends a draft of the sandbox: the tests that count them come before it."""
    shutil.copy(DEMO, workspace / "mappings")
    space = studio_workspace()
    engine = Engine(space.database, space.pool)
    mapping = space.mappings.load(DEMO.stem).mapping
    assert space.bridge.run(engine.run(mapping, "submit", RunRequest(cause="manual", limit=1))).done == 1
    [sent] = space.database.read(list_deliveries)
    page = opened("preview", DEMO.stem)
    page = page.text_input(key="preview_filter").set_value(f"DocEntry eq {sent.document_key}").run()
    page = click(page, "run-preview")
    assert "该单据已送达" in said(page)
    assert TEXT["preview.nothing_sent"] in said(page)


@pytest.mark.usefixtures("sandbox")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "var").write_text("a file where a folder should be")
    monkeypatch.setenv("B1_VAR", str(tmp_path / "var"))
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    assert not page.exception
    assert len(page.error) == 1
    st.cache_resource.clear()


def in_hand(page: AppTest, *place: str) -> AppTest:
    page.session_state["design"].selected = Place(*place)
    return page.run()


def spec_in(page: AppTest) -> dict[str, Any]:
    design = page.session_state["design"]
    spec: dict[str, Any] = value_at(design.document, design.site.path)["map"]
    return spec


@pytest.mark.usefixtures("workspace")
def test_the_panel_sets_a_source_an_expression_and_transforms() -> None:
    page = in_hand(click(opened("target"), "fetch-form"), "", "备注")
    page.segmented_control(key="designer_tab").set_value("fields").run()
    kind = next(item for item in page.segmented_control if str(item.key).endswith("-kind"))
    kind.set_value("field").run()
    picker = next(item for item in page.selectbox if str(item.key).endswith("-source"))
    picker.select(Place("", "Comments")).run()
    assert spec_in(page)["fields"] == [{"to": "备注", "from": "Comments"}]
    next(item for item in page.selectbox if str(item.key).endswith("-add")).select("truncate").run()
    assert spec_in(page)["fields"] == [{"to": "备注", "from": "Comments", "through": [{"truncate": 100}]}]
    next(item for item in page.number_input if str(item.key).endswith("-argument")).set_value(5).run()
    assert spec_in(page)["fields"][0]["through"] == [{"truncate": 5}]
    kind = next(item for item in page.segmented_control if str(item.key).endswith("-kind"))
    kind.set_value("expression").run()
    area = next(item for item in page.text_area if str(item.key).endswith("-expression"))
    area.set_value("draft.Comments ~ '!'").run()
    assert spec_in(page)["fields"][0]["value"] == "{{ draft.Comments ~ '!' }}"
    area = next(item for item in page.text_area if str(item.key).endswith("-expression"))
    area.set_value("{{ draft.( }}").run()
    assert page.error
    assert spec_in(page)["fields"][0]["value"] == "{{ draft.Comments ~ '!' }}"
    assert not page.exception


@pytest.mark.usefixtures("workspace")
def test_a_detail_field_chosen_in_the_panel_gets_an_aggregate() -> None:
    page = in_hand(click(opened("target"), "fetch-form"), "", "来源单号")
    page.segmented_control(key="designer_tab").set_value("fields").run()
    next(item for item in page.segmented_control if str(item.key).endswith("-kind")).set_value("field").run()
    picker = next(item for item in page.selectbox if str(item.key).endswith("-source"))
    picker.select(Place("DocumentLines", "ItemCode")).run()
    assert spec_in(page)["fields"] == [{"to": "来源单号", "from": "DocumentLines.ItemCode", "through": ["first"]}]
    next(item for item in page.selectbox if str(item.key).endswith("-aggregate")).select("join").run()
    assert spec_in(page)["fields"][0]["through"] == ["join"]
    assert any("、" in code.value for code in page.code)


@pytest.mark.usefixtures("workspace")
def test_auto_map_proposes_and_the_person_decides() -> None:
    page = click(opened("target"), "fetch-form")
    page.segmented_control(key="designer_tab").set_value("fields").run()
    page = click(page, "automap")
    assert spec_in(page).get("fields", []) == []
    assert any("请购人员" in item.value and "RequesterName" in item.value for item in page.markdown)
    assert any("B1 字典" in item.value for item in page.markdown)
    page = click(page, "automap//备注/refuse")
    page = click(page, "automap/物料表/品号/accept")
    table = spec_in(page)["tables"]
    assert table == [{"to": "物料表", "from": "DocumentLines", "fields": [{"to": "品号", "from": "ItemCode"}]}]
    page = click(page, "automap_all")
    fields = {field["to"]: field["from"] for field in spec_in(page)["fields"]}
    assert fields["请购人员"] == "RequesterName"
    assert fields["单据日期"] == "DocDate"
    assert "备注" not in fields
    page.segmented_control(key="fields_view").set_value("table").run()
    page = click(page, "table_undo")
    assert spec_in(page).get("fields", []) == []
    assert len(spec_in(page)["tables"][0]["fields"]) == 1


def weaver_mapping(workspace: Path) -> None:
    template = next(item for item in gallery() if item.id == "weaver-approval-odata")
    roles = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}
    mapping = instantiate(template, id="weaver", title="泛微", connections=roles, settings={"workflow": "45"})
    MappingFolder(workspace / "mappings").save(mapping, expected=None)


#: e-cology's own tables, as far as they describe a form.
ECOLOGY = """
CREATE TABLE workflow_base (id INTEGER, workflowname TEXT, formid INTEGER);
CREATE TABLE workflow_bill (id INTEGER);
CREATE TABLE workflow_billfield (id INTEGER, billid INTEGER, fieldname TEXT, fieldlabel INTEGER, fieldhtmltype TEXT,
                                 type INTEGER, detailtable TEXT, dsporder INTEGER);
CREATE TABLE HtmlLabelInfo (indexid INTEGER, labelname TEXT, languageid INTEGER);
CREATE TABLE workflow_selectitem (fieldid INTEGER, isbill INTEGER, selectvalue INTEGER, selectname TEXT, listorder INT);
INSERT INTO workflow_base VALUES (45, '采购申请', -45), (46, '库存盘点', -46);
INSERT INTO workflow_bill VALUES (-45), (-46);
INSERT INTO workflow_billfield VALUES
    (1, -45, 'sqr', 901, '3', 1, '', 1), (2, -45, 'qgdb', 902, '5', 1, NULL, 2),
    (3, -45, 'wlbm', 903, '1', 1, 'formtable_main_45_dt1', 1), (4, -46, 'pdr', 904, '3', 1, '', 1);
INSERT INTO HtmlLabelInfo VALUES (901, '申请人', 7), (901, 'Applicant', 8), (902, '请购单别', 7), (903, '物料编码', 7);
INSERT INTO workflow_selectitem VALUES (2, 1, 0, '自产请购', 1), (2, 1, 1, '零星请购', 2);
"""


def test_a_form_that_the_oa_does_not_offer_is_read_from_its_database(workspace: Path, tmp_path: Path) -> None:
    weaver_mapping(workspace)
    page = opened("target", "weaver")
    assert TEXT["target.database_none"] in [item.value for item in page.info]
    with closing(sqlite3.connect(tmp_path / "ecology.db")) as database:
        database.executescript(ECOLOGY)
    studio_workspace().connections.save("oa-database", {"kind": "sql", "url": f"sqlite:///{tmp_path / 'ecology.db'}"})
    page = click(opened("target", "weaver"), "read-database")
    assert "4 个控件" in said(page)
    controls = {one["id"]: one for one in spec_in(page)["to"]["controls"]}
    assert [(one["id"], one["label"], one["type"]) for one in controls.values()] == [
        ("sqr", "申请人", "contact"),
        ("qgdb", "请购单别", "select"),
        ("formtable_main_45_dt1", "formtable_main_45_dt1", "table"),
    ]
    assert [option["label"] for option in controls["qgdb"]["options"]] == ["自产请购", "零星请购"]
    form = next(area for area in page.text_input if area.label == TEXT["target.code"])
    form.set_value("999").run()
    page = click(page, "read-database")
    assert "流程不存在" in said(page)


def test_a_form_that_the_oa_does_not_offer_is_taken_from_a_pasted_list(workspace: Path) -> None:
    weaver_mapping(workspace)
    page = opened("target", "weaver")
    pasted = next(area for area in page.text_area if area.label == TEXT["target.list_text"])
    pasted.set_value("字段名\t类型\nsqr\t没有这种").run()
    page = click(page, "take-list")
    assert "第 2 行" in said(page)
    assert "没有这种" in said(page)
    pasted = next(area for area in page.text_area if area.label == TEXT["target.list_text"])
    pasted.set_value("字段名\t显示名\t类型\t明细表\nsqr\t申请人\t人员\t\nwlbm\t物料\t\tformtable_main_45_dt1").run()
    page = click(page, "take-list")
    assert "3 个控件" in said(page)


@pytest.mark.usefixtures("workspace")
def test_what_is_typed_last_is_kept_by_the_click_that_leaves_the_tab() -> None:
    page = opened("flow")
    title = next(item for item in page.text_input if item.label == TEXT["start.title"])
    title.set_value("领料审批")
    page.segmented_control(key="designer_tab").set_value("target").run()
    assert not page.exception
    assert page.session_state["design"].document["title"] == "领料审批"
    assert [item for item in page.button if item.key == "fetch-form"]
    assert not [item for item in page.text_input if item.label == TEXT["start.title"]]


def test_a_mode_interface_has_no_form_to_read_but_a_list_of_columns(workspace: Path) -> None:
    template = next(item for item in gallery() if item.id == "weaver-master-data")
    roles = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}
    settings = {"interface": "saveItem", "key_fields": "wlbm"}
    mapping = instantiate(template, id="items", title="物料", connections=roles, settings=settings)
    MappingFolder(workspace / "mappings").save(mapping, expected=None)
    page = opened("target", "items")
    assert TEXT["target.interface"] in said(page)
    assert not [item for item in page.button if item.key in ("fetch-form", "read-database")]
    page = click(page, "take-list")
    assert TEXT["target.list_missing"] in said(page)


def test_a_sample_that_is_no_json_keeps_its_text_and_the_sample_before(workspace: Path) -> None:
    template = next(item for item in gallery() if item.id == "weaver-inbound-document")
    mapping = instantiate(template, id="orders", title="订单", connections={"erp": demo.B1_CONNECTION}, settings={})
    MappingFolder(workspace / "mappings").save(mapping, expected=None)
    assert TEXT["preview.no_sample"] in said(opened("preview", "orders"))
    page = opened("source", "orders")
    page.text_area[0].set_value('{"requestid": 7}').run()
    page.text_area[0].set_value('{"requestid": 8').run()
    assert page.text_area[0].value == '{"requestid": 8'
    assert "不是有效的 JSON" in said(page)
    assert TEXT["json.fault"].format(line=1, column=16) in said(page)
    trigger = page.session_state["design"].document["flows"]["receive"]["trigger"]
    assert trigger["http"]["sample"] == {"requestid": 7}
    page.text_area[0].set_value('{"requestid": 8}').run()
    assert not page.error
    assert page.session_state["design"].document["flows"]["receive"]["trigger"]["http"]["sample"] == {"requestid": 8}

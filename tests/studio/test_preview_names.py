"""In a preview everything goes by the name that a person knows it by: rows by their keys, forms by their titles."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from runtime.engine.preview import PreviewDocument
from runtime.mapping.document import parse_mapping
from runtime.mapping.folder import MappingFolder, dump_mapping
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from studio.designer.row_name import row_name
from studio.i18n import catalogue
from tests.studio.pages import click, opened, said

TEXT = catalogue("zh-CN")
INTERFACE = "saveItem"
#: Rows that a preview shows unless it is asked for more.
LIMIT = 20


@pytest.fixture
def items(workspace: Path) -> None:
    """Master data: many records in one call."""
    template = next(item for item in gallery() if item.id == "weaver-master-data")
    roles = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}
    settings = {"interface": INTERFACE, "key_fields": "wlbm", "operator": "1"}
    mapping = instantiate(template, id="items", title="物料主数据", connections=roles, settings=settings)
    document = mapping.model_dump(by_alias=True, exclude_defaults=True, mode="json") | {"format": 1}
    spec = document["flows"]["send"]["steps"][1]["steps"][2]["steps"][1]["map"]
    spec["fields"] = [{"to": "wlbm", "from": "ItemCode"}, {"to": "wlmc", "from": "ItemName"}]
    MappingFolder(workspace / "mappings").save(parse_mapping(document), expected=None)


def previewed(mapping: str = "demo") -> AppTest:
    return click(opened("preview", mapping), "run-preview")


def rows(page: AppTest) -> list[str]:
    """As the list offers them, without their numbers."""
    return [option.partition(" · ")[2] for option in page.selectbox(key="preview_document").options]


def form(page: AppTest) -> str:
    [html] = [block.proto.body for block in page.get("html") if "b1-form" in block.proto.body]
    return str(html).partition("<header>")[2].partition("</header>")[0]


@pytest.mark.usefixtures("items")
def test_a_record_that_is_sent_with_others_goes_by_its_key() -> None:
    page = previewed("items")
    found = page.session_state["designer_preview"].result.documents
    codes = [one.row["ItemCode"] for one in found if one.forms]
    assert codes
    assert all(not code.isdecimal() for code in codes)
    assert rows(page) == [TEXT["preview.whole"], *(codes * 2)[:LIMIT]]
    page.selectbox(key="preview_document").select_index(len(codes) + 1).run()
    assert TEXT["send_one.together"] in said(page)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (PreviewDocument(key="7", keyed=True, row={"DocEntry": 9}), "7"),
        (PreviewDocument(key="1", row={"DocEntry": 9}), "9"),
        (PreviewDocument(key="1", row={"Other": 9}), "1"),
        (PreviewDocument(key="1", row="text"), "1"),
        (PreviewDocument(key="", row=None), ""),
    ],
)
def test_a_key_comes_before_a_key_field_and_that_before_a_number(document: PreviewDocument, name: str) -> None:
    assert row_name(document, {"key": "DocEntry"}) == name


@pytest.mark.usefixtures("workspace")
def test_the_form_goes_by_its_own_title_and_before_it_was_fetched_by_its_code() -> None:
    assert form(previewed()) == demo.PROCESS_CODE
    page = click(opened("target"), "fetch-form")
    page.segmented_control(key="designer_tab").set_value("preview").run()
    page = click(page, "run-preview")
    assert form(page) == "采购申请"
    design = page.session_state["design"]
    assert '"title": "采购申请"' in dump_mapping(parse_mapping(design.document)).decode()
    design.set_form("PROC-OTHER", ())
    assert "采购申请" not in str(design.document["flows"])


@pytest.mark.usefixtures("items")
def test_the_form_of_an_interface_goes_by_the_name_of_the_interface() -> None:
    page = previewed("items")
    page.selectbox(key="preview_document").select_index(1).run()
    assert form(page) == INTERFACE

"""Forms from field lists (JSON, CSV, Excel, database rows), and what is said about lists that are wrong."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from runtime.connectors.weaver.database import FORM_STATEMENT, form_of_rows
from runtime.connectors.weaver.field_list import read_field_list
from runtime.errors import FormGone, IntegrationError, ValueRefused
from runtime.mapping.forms import ControlType, Form
from runtime.sandbox.weaver.workflows import demo_workflows

HEADER = ["字段名", "显示名", "类型", "必填", "选项", "明细表"]
ROWS: list[list[Any]] = [
    ["sqr", "申请人", "人员", "是", "", ""],
    ["qgdb", "请购单别", "选择框", "", "0=自产请购;1=零星请购", ""],
    ["sfjj", "加急", "check框", "否", None, "formtable_main_45"],
    ["", "", "", "", "", ""],
    ["wlbm", "物料编码", "文本", 1, "", "formtable_main_45_dt1"],
    ["xqsj", "需求时间", "时间", None, "", "formtable_main_45_dt1"],
]


def excel(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def text(rows: list[list[Any]], separator: str) -> str:
    return "\n".join(separator.join("" if cell is None else str(cell) for cell in row) for row in rows)


AS_JSON = json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS if row[0]], ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fields.xlsx", excel([HEADER, *ROWS])),
        ("fields.csv", text([HEADER, *ROWS], ",").encode("utf-8-sig")),
        ("fields.csv", text([HEADER, *ROWS], ",").encode("gbk")),
        ("", text([HEADER, *ROWS], "\t").encode()),
        ("fields.json", AS_JSON.encode()),
        ("", json.dumps({"fields": json.loads(AS_JSON)}).encode()),
    ],
)
def test_every_kind_of_list_gives_the_same_form(name: str, content: bytes) -> None:
    form = read_field_list(content, name, code="45")
    assert form.code == "45"
    people, kind, urgent, lines = form.controls
    assert (people.id, people.label, people.type, people.required) == ("sqr", "申请人", ControlType.CONTACT, True)
    assert [(option.key, option.label) for option in kind.options] == [("0", "自产请购"), ("1", "零星请购")]
    assert [option.key for option in urgent.options] == ["1", "0"]
    assert (lines.id, lines.type) == ("formtable_main_45_dt1", ControlType.TABLE)
    assert [(child.id, child.required, child.format) for child in lines.children] == [
        ("wlbm", True, ""),
        ("xqsj", False, "HH:mm"),
    ]


def test_the_oas_own_answer_is_understood_as_a_list_too() -> None:
    purchase, _ = demo_workflows()
    form = read_field_list(json.dumps({"code": "SUCCESS", "data": purchase.definition()}).encode(), "answer.json")
    assert [control.id for control in form.controls[:2]] == ["djbh", "sqr"]
    assert form.controls[-1].id == "formtable_main_45_dt2"


@pytest.mark.parametrize(
    ("rows", "row", "column"),
    [
        ([["sqr", "", "没有这种", "", "", ""]], "第 2 行", "类型 type"),
        ([["sqr", "", "文本", "也许", "", ""]], "第 2 行", "必填 required"),
        ([["a", "", "", "", "", ""], ["", "名", "", "", "", ""]], "第 3 行", "字段名 name"),
        ([["a", "", "", "", "", ""], ["a", "", "", "", "", ""]], "第 3 行", "字段名 name"),
        ([["a", "", "选择框", "", "=", ""]], "第 2 行", "选项 options"),
    ],
)
def test_a_wrong_line_is_named_with_its_column(rows: list[list[Any]], row: str, column: str) -> None:
    for name, content in (("f.csv", text([HEADER, *rows], ",").encode()), ("f.xlsx", excel([HEADER, *rows]))):
        with pytest.raises(ValueRefused) as caught:
            read_field_list(content, name)
        assert row in caught.value.where
        assert column in caught.value.where


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.xlsx", b"PK broken"),
        ("f.xls", b"\xd0\xcf\x11\xe0"),
        ("f.json", b"{"),
        ("f.json", b"[1]"),
        ("f.csv", b"a,b\n1,2"),
        ("f.csv", b""),
        ("f.csv", b"\xff\xff\xff"),
        ("f.csv", b"x" * 5_000_001),
    ],
)
def test_what_is_no_list_is_refused_in_words(name: str, content: bytes) -> None:
    with pytest.raises(ValueRefused) as caught:
        read_field_list(content, name)
    assert caught.value.zh


@given(content=st.binary(max_size=200), name=st.sampled_from(["", "f.csv", "f.json", "f.xlsx"]))
def test_no_content_breaks_the_reader(content: bytes, name: str) -> None:
    with contextlib.suppress(IntegrationError):
        assert isinstance(read_field_list(content, name), Form)


def test_rows_of_the_database_become_the_form() -> None:
    base = {"WORKFLOWNAME": "采购申请", "DETAILTABLE": None, "SELECTVALUE": None, "SELECTNAME": None, "FIELDTYPE": 1}
    rows = [
        base | {"FIELDNAME": "sqr", "LABELNAME": "申请人", "FIELDHTMLTYPE": 3},
        base | {"FIELDNAME": "qgdb", "LABELNAME": "单别", "FIELDHTMLTYPE": 5, "SELECTVALUE": 0, "SELECTNAME": "自产"},
        base | {"FIELDNAME": "qgdb", "LABELNAME": "单别", "FIELDHTMLTYPE": 5, "SELECTVALUE": 1, "SELECTNAME": "零星"},
        base | {"FIELDNAME": "sl", "LABELNAME": None, "FIELDHTMLTYPE": 1, "FIELDTYPE": 3, "DETAILTABLE": "t_dt1"},
    ]
    form = form_of_rows("45", rows)
    assert form.title == "采购申请"
    people, kind, lines = form.controls
    assert people.type is ControlType.CONTACT
    assert [(option.key, option.label) for option in kind.options] == [("0", "自产"), ("1", "零星")]
    assert [(child.id, child.label, child.type) for child in lines.children] == [("sl", "sl", ControlType.NUMBER)]
    with pytest.raises(FormGone):
        form_of_rows("45", [])
    assert ":workflow" in FORM_STATEMENT

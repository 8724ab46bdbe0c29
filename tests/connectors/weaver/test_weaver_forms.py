"""Definitions as the builds answer them, and values as e-cology wants them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runtime.connectors.weaver.forms import encode_form, parse_form
from runtime.connectors.weaver.values import CHECK, Style
from runtime.errors import FormGone, ValueRefused
from runtime.mapping.forms import Control, ControlType, Option
from runtime.mapping.mapper import MappedForm

STYLE = Style(date="yyyy-MM-dd", time="HH:mm", zone=ZoneInfo("Asia/Shanghai"))
#: Labels that look like the keys of others.
RANKS = tuple(Option(key=str(key), label=str(3 - key)) for key in range(3))
KINDS = (Option(key="0", label="自产"), Option(key="1", label="零星"))


def field(name: str, html: Any, kind: Any, **more: Any) -> dict[str, Any]:
    return {"fieldName": name, "fieldHtmlType": html, "fieldType": kind, **more}


def test_the_types_of_e_cology_become_ours() -> None:
    fields = [
        field("a", "1", "1", fieldShowName="文本", isMand=True),
        field("b", 1, 3, isMand="1"),
        field("c", "2", "1", mand="false"),
        field("d", "3", "1"),
        field("e", "3", "4"),
        field("f", "3", "2"),
        field("g", "3", "19"),
        field("h", "4", "1"),
        field("i", "5", "1", selectvalues=["0", "1"], selectnames=["自产", "零星"]),
        field("j", "5", "2", selectvalues=[{"selectvalue": 0, "selectname": "甲"}]),
        field("k", "6", "1"),
        field("l", "7", "1"),
        field("m", "3", "161"),
        field("n", "5", "1", selectvalues="0,1", selectnames="自产,零星"),
        {"noName": True},
    ]
    form = parse_form(
        "45", {"data": {"workflowMainTableInfo": {"requestRecords": [{"workflowRequestTableFields": fields}]}}}
    )
    types = {control.id: control.type.value for control in form.controls}
    assert list(types.values()) == [
        *("text", "number", "textarea", "contact", "department", "date", "date", "other", "select", "multiselect"),
        *("attachment", "note", "relation", "select"),
    ]
    by_id = {control.id: control for control in form.controls}
    assert [control.required for control in form.controls[:3]] == [True, True, False]
    assert (by_id["a"].label, by_id["b"].label) == ("文本", "b")
    assert by_id["g"].format == "HH:mm"
    assert by_id["h"].options == CHECK
    assert by_id["i"].options == by_id["n"].options == KINDS
    assert [(option.key, option.label) for option in by_id["j"].options] == [("0", "甲")]


@pytest.mark.parametrize(
    "answer", [{}, [], None, {"data": {}}, {"data": {"workflowMainTableInfo": {"requestRecords": []}}}]
)
def test_an_answer_without_fields_is_no_form(answer: Any) -> None:
    with pytest.raises(FormGone) as caught:
        parse_form("45", answer)
    assert caught.value.where == "45"


@pytest.mark.parametrize(
    ("control", "value", "written"),
    [
        ({"type": "text"}, Decimal("10.50"), "10.50"),
        ({"type": "text"}, date(2026, 11, 3), "2026-11-03"),
        ({"type": "number"}, "1,200.5", "1200.5"),
        ({"type": "date"}, "2026-11-23T00:00:00Z", "2026-11-23"),
        ({"type": "date"}, 20261123, "2026-11-23"),
        ({"type": "date"}, datetime(2026, 11, 23, 20, tzinfo=UTC), "2026-11-24"),
        ({"type": "date", "format": "HH:mm"}, 930, "09:30"),
        ({"type": "date", "format": "HH:mm"}, "9:05:59", "09:05"),
        ({"type": "date", "format": "HH:mm"}, time(23, 59), "23:59"),
        ({"type": "date", "format": "yyyy-MM-dd HH:mm"}, "2026-11-23 09:30:00", "2026-11-23 09:30"),
        ({"type": "date", "format": "yyyy/MM/dd"}, "2026-11-23", "2026/11/23"),
        ({"type": "select", "options": KINDS}, "零星", "1"),
        ({"type": "select", "options": KINDS}, 0, "0"),
        ({"type": "select", "options": RANKS}, "1", "2"),
        ({"type": "select", "options": RANKS}, 0, "0"),
        ({"type": "multiselect", "options": KINDS}, ["零星", "0"], "1,0"),
        ({"type": "other", "options": CHECK}, "tYES", "1"),
        ({"type": "other", "options": CHECK}, False, "0"),
        ({"type": "contact"}, [15, "16"], "15,16"),
        ({"type": "department"}, "11", "11"),
        ({"type": "relation"}, ["A1", "A2"], "A1,A2"),
        ({"type": "attachment"}, {"filePath": "http://f/a.pdf", "fileName": "a.pdf", "x": 1},
         [{"filePath": "http://f/a.pdf", "fileName": "a.pdf"}]),
    ],
)  # fmt: skip
def test_a_value_is_written_as_e_cology_wants_it(control: dict[str, Any], value: Any, written: Any) -> None:
    form = MappedForm({"a": value}, {"a": Control(id="zd", label="a", **control)})
    assert encode_form(form, STYLE) == ([{"fieldName": "zd", "fieldValue": written}], [])


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ({"type": "number"}, "many"),
        ({"type": "date"}, "soon"),
        ({"type": "date", "format": "HH:mm"}, "25:00"),
        ({"type": "select", "options": KINDS}, "没有"),
        ({"type": "other", "options": CHECK}, "maybe"),
        ({"type": "contact"}, "zhangsan"),
        ({"type": "attachment"}, "a.pdf"),
        ({"type": "note"}, "x"),
        ({"type": "text"}, {"a": 1}),
        ({"type": "text", "required": True}, " "),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(control: dict[str, Any], value: Any) -> None:
    with pytest.raises(ValueRefused) as caught:
        encode_form(MappedForm({"a": value}, {"a": Control(id="zd", label="名称", **control)}), STYLE)
    assert caught.value.where == "名称"


def test_every_fault_of_a_form_is_named_at_once() -> None:
    lines = Control(
        id="t_dt1", label="明细", type=ControlType.TABLE,
        children=(Control(id="sl", label="数量", type=ControlType.NUMBER, required=True),),
    )  # fmt: skip
    controls = {
        "标题": Control(id="requestname", label="标题"),
        "明细": lines,
        "x": Control(id="x", label="人", type=ControlType.CONTACT),
    }
    with pytest.raises(ValueRefused) as caught:
        encode_form(MappedForm({"标题": "t", "x": "li", "明细": [{"sl": "1"}, {"sl": "?"}, {}]}, controls), STYLE)
    for words in ("标题", "人", "明细[2].数量", "明细[3].数量"):
        assert words in caught.value.zh
    with pytest.raises(ValueRefused, match="主表"):
        encode_form({"t_dt1": [{"sl": 1}]}, STYLE)


def test_without_controls_keys_are_columns_and_lists_of_rows_are_details() -> None:
    main, details = encode_form({"sqr": 15, "ids": [1, 2], "t_dt1": [{"sl": Decimal("1.0")}], "bz": None}, STYLE)
    assert main == [{"fieldName": "sqr", "fieldValue": "15"}, {"fieldName": "ids", "fieldValue": "1,2"}]
    assert details == [
        {
            "tableDBName": "t_dt1",
            "workflowRequestTableRecords": [
                {"recordOrder": 0, "workflowRequestTableFields": [{"fieldName": "sl", "fieldValue": "1.0"}]}
            ],
        }
    ]

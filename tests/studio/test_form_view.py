"""The form as the approver sees it never lets a value become markup."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runtime.mapping.forms import Control, ControlType, Option
from studio.designer.control_text import control_text
from studio.designer.form_view import form_html, in_form_order


def test_values_labels_and_tables_are_escaped() -> None:
    table = Control(id="t", label="<物料表>", type=ControlType.TABLE, children=(Control(id="c", label="<品号>"),))
    controls = {"a": Control(id="a", label="<备注>", required=True), "t": table}
    form = {"a": "<script>alert(1)</script>", "t": [{"c": '<img src=x onerror="x">'}, {"c": Decimal("10.50")}]}
    html = form_html("<标题>", form, controls, ["a"], "未填")
    for hostile in ("<script", "<img", "<备注>", "<物料表>", "<品号>", "<标题>"):
        assert hostile not in html
    assert "10.50" in html
    assert "class=bad" in html


def test_an_empty_value_is_said_to_be_empty() -> None:
    assert "<i>未填</i>" in form_html("t", {"a": None}, {}, [], "未填")


OPTIONS = (Option(key="普通", label="普通", id="option_0"), Option(key="2", label="加急"))


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (ControlType.SELECT, "2", "加急"),
        (ControlType.SELECT, "option_0", "普通"),
        (ControlType.SELECT, "特急", "特急"),
        (ControlType.MULTISELECT, '["2","普通"]', "加急、普通"),
        (ControlType.MULTISELECT, ["2"], "加急"),
        (ControlType.MONEY, Decimal("1234567.50"), "1,234,567.50 元"),
        (ControlType.MONEY, "十元", "十元"),
        (ControlType.NUMBER, Decimal("12345"), "12345 元"),
        (ControlType.DATE, "2026-11-23T00:00:00Z", "2026-11-23"),
        (ControlType.DATE, "2026-11-22T17:00:00Z", "2026-11-23"),
        (ControlType.DATERANGE, ["20261123", "2026-11-25"], "2026-11-23 – 2026-11-25"),
        (ControlType.CONTACT, {"user_id": "u1", "name": "李四"}, "李四"),
        (ControlType.CONTACT, ["u1", {"user_id": "u2"}], "u1、u2"),
        (ControlType.DEPARTMENT, {"department_id": 7, "name": "采购部"}, "采购部"),
        (ControlType.ATTACHMENT, [{"fileName": "a.pdf", "fileId": "1"}, {"fileName": "b.pdf"}], "a.pdf、b.pdf"),
        (ControlType.PHOTO, ["https://a/1.jpg"], "https://a/1.jpg"),
        (ControlType.TEXT, Decimal("10.50"), "10.50"),
        (ControlType.TEXT, None, ""),
    ],
)
def test_every_control_shows_what_the_approver_will_read(kind: ControlType, value: Any, shown: str) -> None:
    control = Control(id="c", label="控件", type=kind, options=OPTIONS, unit="元")
    assert control_text(value, control) == shown
    table = Control(id="t", label="表", type=ControlType.TABLE, children=(control,))
    assert f"<td>{shown}</td>" in form_html("t", {"t": [{"控件": value}]}, {"t": table}, [], "未填")


def test_a_date_range_has_two_labels() -> None:
    control = Control(id="r", label='["开始","结束"]', type=ControlType.DATERANGE)
    assert "开始 – 结束" in form_html("t", {"r": ["2026-01-01", "2026-01-02"]}, {"r": control}, [], "未填")


def test_controls_and_columns_stand_where_the_form_has_them_and_hours_are_shown() -> None:
    children = (Control(id="item", label="物料编号"), Control(id="due", label="需求日期", type=ControlType.DATE))
    due = Control(id="due", label="有效期", type=ControlType.DATE, format="hour")
    lines = Control(id="lines", label="物料", type=ControlType.TABLE, children=children)
    order = (Control(id="who", label="申请人"), due, lines)
    form = {
        "物料": [{"需求日期": "2026-12-06", "物料编号": "R1"}],
        "备注": "急",
        "有效期": "2026-12-22T00:00:00Z",
        "who": "张三",
    }
    ordered = {name: form[name] for name in in_form_order(form, order)}
    html = form_html("t", ordered, {"有效期": due, "物料": lines, "who": order[0]}, [], "未填")
    shown = ("申请人", "张三", "2026-12-22 00:00", "备注", "物料编号", "需求日期", "R1", "2026-12-06")
    places = [html.index(text) for text in shown]
    assert places == sorted(places)

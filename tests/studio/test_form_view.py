"""The form as the approver sees it never lets a value become markup."""

from __future__ import annotations

from decimal import Decimal

from runtime.mapping.forms import Control, ControlType
from studio.designer.form_view import form_html


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

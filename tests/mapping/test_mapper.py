"""The mapper: values, provenance, and errors that name field and row."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import jsontext
from runtime.errors import BadMapping, MappingFailed
from runtime.mapping.forms import Control, ControlType, Option
from runtime.mapping.mapper import MappedForm, Mapper, compile_map
from runtime.mapping.models import MapSpec
from runtime.mapping.paths import compile_path, parse_path
from runtime.mapping.validation import check_form

CONTROLS = [
    {"id": "C1", "label": "请购人员", "required": True},
    {"id": "C2", "label": "单据日期", "type": "date"},
    {"id": "C3", "label": "请购单别", "type": "select", "options": [{"key": "k1", "label": "计划请购"}]},
    {"id": "C4", "label": "说明", "type": "note"},
    {"id": "C5", "label": "金额", "type": "money"},
    {"id": "C6", "label": "备注"},
    {"id": "C7", "label": "备注"},
    {
        "id": "T1",
        "label": "物料表",
        "type": "table",
        "required": True,
        "children": [
            {"id": "T1-1", "label": "品号", "required": True},
            {"id": "T1-2", "label": "需求数量", "type": "number"},
        ],
    },
]

DRAFT: dict[str, Any] = {
    "RequesterName": "王芳",
    "DocDate": "2026-11-20T00:00:00Z",
    "Comments": None,
    "DocTotal": Decimal("12.345"),
    "Address": {"City": "深圳"},
    "Empty": None,
    "DocumentLines": [
        {"ItemCode": "A1", "Quantity": Decimal("1.005")},
        {"ItemCode": "B2", "Quantity": 2},
    ],
}


def mapper(fields: list[Any] | None = None, tables: list[Any] | None = None, controls: Any = None) -> Mapper:
    to = {"connection": "oa", "form": "PROC", **({"controls": controls} if controls is not None else {})}
    spec = MapSpec.model_validate({"from": "{{ draft }}", "to": to, "fields": fields or [], "tables": tables or []})
    return compile_map(spec, timezone="Asia/Shanghai", where="form")


def scope(**more: Any) -> dict[str, Any]:
    return {"draft": DRAFT, "settings": {"unit": "个"}, **more}


LINES = {
    "to": "物料表",
    "from": "DocumentLines",
    "fields": [
        {"to": "品号", "from": "ItemCode"},
        {"to": "需求数量", "from": "Quantity", "through": [{"round": 2}, "text", {"suffix": "个"}]},
        {"to": "行号", "value": "{{ row_number }}/{{ draft.DocumentLines | count }} {{ row.ItemCode }}"},
    ],
}


def test_fields_and_tables_in_the_order_of_the_mapping() -> None:
    form = mapper(
        [
            {"to": "请购人员", "from": "RequesterName"},
            {"to": "单据日期", "from": "DocDate", "through": [{"date": "YYYY-MM-DD"}]},
            {"to": "城市", "from": "Address.City"},
            {"to": "首行", "from": "DocumentLines[0].ItemCode"},
            {"to": "合计", "from": "DocumentLines.Quantity", "through": ["sum", {"round": 1}]},
            {"to": "类别", "value": "计划请购"},
            {"to": "空", "value": None},
            {"to": "备注", "value": "{{ draft.Comments or '无' }}"},
        ],
        [LINES],
    )(scope())
    assert form == {
        "请购人员": "王芳",
        "单据日期": "2026-11-20",
        "城市": "深圳",
        "首行": "A1",
        "合计": Decimal("3.0"),
        "类别": "计划请购",
        "空": None,
        "备注": "无",
        "物料表": [
            {"品号": "A1", "需求数量": "1.01个", "行号": "1/2 A1"},
            {"品号": "B2", "需求数量": "2.00个", "行号": "2/2 B2"},
        ],
    }
    assert list(form) == ["请购人员", "单据日期", "城市", "首行", "合计", "类别", "空", "备注", "物料表"]


def test_targets_are_ids_or_labels_and_controls_are_shared() -> None:
    filled = mapper(
        [{"to": "C1", "from": "RequesterName"}, {"to": "单据日期", "from": "DocDate", "through": ["date"]}],
        [{"to": "T1", "from": "DocumentLines", "fields": [{"to": "T1-1", "from": "ItemCode"}]}],
        CONTROLS,
    )
    one, two = filled(scope()), filled(scope())
    assert one.controls["C1"].label == "请购人员"
    assert one.controls["单据日期"].type is ControlType.DATE
    assert [column.id for column in one.controls["T1"].children] == ["T1-1", "T1-2"]
    assert one.controls is two.controls is filled.controls


def test_without_a_snapshot_controls_are_text_named_by_their_label() -> None:
    controls = mapper([{"to": "请购人员", "from": "RequesterName"}], [LINES])(scope()).controls
    assert controls["请购人员"] == Control(id="请购人员", label="请购人员")
    assert controls["物料表"].type is ControlType.TABLE
    assert [column.label for column in controls["物料表"].children] == ["品号", "需求数量", "行号"]


@pytest.mark.parametrize(
    ("fields", "tables", "text"),
    [
        ([{"to": "请购人", "from": "X"}], [], "请购人员"),
        ([{"to": "说明", "from": "X"}], [], "说明"),
        ([{"to": "备注", "from": "X"}], [], "id"),
        ([{"to": "物料表", "from": "X"}], [], "tables"),
        ([], [{"to": "单据日期", "from": "DocumentLines", "fields": []}], "单据日期"),
        ([], [{"to": "物料表", "from": "DocumentLines", "fields": [{"to": "品名", "from": "X"}]}], "品名"),
        ([{"to": "C1", "from": "X"}, {"to": "C1", "from": "Y"}], [], "C1"),
    ],
)
def test_a_wrong_target_is_named(fields: Any, tables: Any, text: str) -> None:
    with pytest.raises(BadMapping) as caught:
        mapper(fields, tables, CONTROLS)
    assert text in caught.value.zh
    assert caught.value.where.startswith("form")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"from": "Vanished"}, "Vanished"),
        ({"from": "Address.Street"}, "Street"),
        ({"from": "DocumentLines[9].ItemCode"}, "[9]"),
        ({"from": "DocumentLines.Vanished", "through": ["sum"]}, "Vanished"),
        ({"from": "RequesterName.Length"}, "Length"),
        ({"from": "RequesterName", "through": ["number"]}, "王芳"),
        ({"from": "Empty", "through": ["required"]}, "必填"),
        ({"value": "{{ draft.Vanished }}"}, "Vanished"),
        ({"value": "{{ 1 / 0 }}"}, "1 / 0"),
    ],
)
def test_a_failing_field_is_named(field: Any, text: str) -> None:
    with pytest.raises(MappingFailed) as caught:
        mapper([{"to": "好", "from": "RequesterName"}, {"to": "坏", **field}])(scope())
    assert caught.value.where == "form: 坏"
    assert "坏" in caught.value.zh
    assert text in caught.value.zh


def test_a_failing_row_is_named() -> None:
    rows = [{"ItemCode": f"A{number}", "Quantity": 1} for number in range(8)]
    rows[6]["Quantity"] = "seven"
    with pytest.raises(MappingFailed) as caught:
        mapper([], [LINES])(scope(draft={"DocumentLines": rows}))
    assert caught.value.where == "form: 物料表[7].需求数量"
    assert "第 7 行" in caught.value.zh
    assert "row 7" in caught.value.en


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ({"DocumentLines": {"a": 1}}, "不是列表"),
        ({"DocumentLines": "abc"}, "不是列表"),
        ({"DocumentLines": ["abc"]}, "不是一条记录"),
        ({}, "DocumentLines"),
        ([1], "DocumentLines"),
        (5, "DocumentLines"),
    ],
)
def test_records_of_the_wrong_shape(draft: Any, text: str) -> None:
    with pytest.raises(MappingFailed, match=text):
        mapper([], [LINES])(scope(draft=draft))


def test_null_and_no_lines_are_an_empty_table() -> None:
    for lines in (None, []):
        assert mapper([], [LINES])(scope(draft={"DocumentLines": lines})) == {"物料表": []}


def test_null_passes_through_a_path() -> None:
    assert mapper([{"to": "x", "from": "Empty.Deeper[0].Still"}])(scope()) == {"x": None}


def test_trace_shows_where_every_value_came_from() -> None:
    traced = mapper(
        [
            {"to": "日期", "from": "DocDate", "through": [{"date": "MM-DD"}, {"prefix": "~"}]},
            {"to": "坏", "from": "RequesterName", "through": ["trim", "number", "text"]},
            {"to": "丢", "from": "Vanished"},
        ],
        [LINES, {"to": "无", "from": "Vanished", "fields": []}],
    ).trace(scope())
    assert traced.form == {"日期": "~11-20", "物料表": traced.form["物料表"]}
    day, bad, lost = traced.fields[:3]
    assert (day.source, day.raw, day.value, day.error) == ("DocDate", "2026-11-20T00:00:00Z", "~11-20", None)
    assert day.steps == (("date", "11-20"), ("prefix", "~11-20"))
    assert bad.raw == "王芳"
    assert bad.steps == (("trim", "王芳"),)
    assert bad.error is not None
    assert lost.error is not None
    assert [failure.to for failure in traced.failures] == ["坏", "丢", "无"]
    second = next(trace for trace in traced.fields if (trace.row, trace.to) == (2, "行号"))
    assert (second.table, second.value) == ("物料表", "2/2 B2")


def test_trace_and_call_agree() -> None:
    filled = mapper([{"to": "请购人员", "from": "RequesterName"}], [LINES])
    assert filled.trace(scope()).form == filled(scope())
    assert filled.trace(scope()).failures == []


record = st.fixed_dictionaries(
    {},
    optional={
        "A": st.one_of(st.none(), st.text(), st.integers(), st.decimals(), st.floats(), st.lists(st.integers())),
        "L": st.one_of(
            st.none(), st.lists(st.dictionaries(st.sampled_from(["A", "B"]), st.one_of(st.text(), st.integers())))
        ),
    },
)


@given(record)
def test_whatever_comes_in_only_mapping_errors_come_out(draft: dict[str, Any]) -> None:
    filled = mapper(
        [{"to": "a", "from": "A", "through": ["trim", "number", {"round": 1}]}],
        [{"to": "l", "from": "L", "fields": [{"to": "b", "from": "B", "through": ["number"]}]}],
    )
    traced = filled.trace(scope(draft=draft))
    try:
        form = filled(scope(draft=draft))
    except MappingFailed:
        assert traced.failures
    else:
        assert not traced.failures
        assert traced.form == form


def test_a_mapped_form_is_plain_json() -> None:
    form = MappedForm({"a": Decimal("1.50"), "t": [{"b": None}]}, {})
    assert jsontext.dumps(form) == b'{"a":1.50,"t":[{"b":null}]}'


def test_constants_keep_their_type() -> None:
    assert mapper([{"to": "n", "value": 5}, {"to": "l", "value": ["a"]}])(scope()) == {"n": 5, "l": ["a"]}


@pytest.mark.parametrize("path", ["", ".", "A.", ".A", "A..B", "A[", "A[x]", "A]", "[]", "A[1]B"])
def test_not_a_path(path: str) -> None:
    with pytest.raises(BadMapping):
        parse_path(path)


def test_names_with_dots_are_quoted() -> None:
    assert parse_path("['a.b'].c[\"d]\"][-1]") == ("a.b", "c", "d]", -1)
    assert compile_path("['a.b'].c[-1]")({"a.b": {"c": [1, 2]}}) == 2


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    parts: tuple[str | int, ...] = ()
    with contextlib.suppress(BadMapping):
        parts = parse_path(text)
        assert parts
    assert "" not in parts


def form_of(values: dict[str, Any]) -> MappedForm:
    controls = {item["label"]: Control.model_validate(item) for item in CONTROLS}
    return MappedForm(values, {name: controls[name] for name in values})


def failures_of(values: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(failure.to, failure.row) for failure in check_form(form_of(values))]


def test_a_form_that_fits_has_no_failures() -> None:
    assert not failures_of(
        {
            "请购人员": "王芳",
            "单据日期": "2026-11-20",
            "请购单别": "计划请购",
            "金额": "1,234.50",
            "物料表": [{"品号": "A1", "需求数量": Decimal(2)}, {"T1-1": "B", "T1-2": None}],
        }
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"请购人员": " "}, [("请购人员", None)]),
        ({"请购人员": None}, [("请购人员", None)]),
        ({"请购人员": ["a"]}, [("请购人员", None)]),
        ({"单据日期": "soon"}, [("单据日期", None)]),
        ({"请购单别": "零星"}, [("请购单别", None)]),
        ({"请购单别": "k1"}, []),
        ({"金额": "x"}, [("金额", None)]),
        ({"金额": None}, []),
        ({"物料表": []}, [("物料表", None)]),
        ({"物料表": [{"品号": "A", "需求数量": 1}, {"品号": "", "需求数量": "x"}]}, [("品号", 2), ("需求数量", 2)]),
    ],
)
def test_values_that_do_not_fit_their_control(values: Any, expected: Any) -> None:
    assert failures_of(values) == expected


def test_multiselect_and_date_range() -> None:
    several = Control(
        id="m",
        label="m",
        type=ControlType.MULTISELECT,
        options=(Option(key="a", label="甲"), Option(key="b", label="乙")),
    )
    span = Control(id="r", label="r", type=ControlType.DATERANGE)
    good = MappedForm({"m": ["a", "乙"], "r": ["2026-01-01", "2026-01-02"]}, {"m": several, "r": span})
    assert check_form(good) == []
    bad = MappedForm({"m": ["a", "丙"], "r": "2026-01-01"}, {"m": several, "r": span})
    assert [failure.to for failure in check_form(bad)] == ["m", "r"]

"""Forms: the schema as controls, and every control type's value as DingTalk wants it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.dingtalk.forms import encode_form, parse_form
from runtime.errors import FormGone, ValueRefused
from runtime.mapping.forms import Control, ControlType, Option
from runtime.mapping.mapper import MappedForm


def filled(values: dict[str, Any], *controls: Control) -> MappedForm:
    """A mapped form: values that bring their controls with them, by id or by label."""
    return MappedForm(
        values,
        {control.label: control for control in controls}
        | {control.id: control for control in controls if control.id in values},
    )


def control(kind: ControlType, *, required: bool = False, children: tuple[Control, ...] = ()) -> Control:
    options = tuple(Option(key=text, label=text) for text in ("选项1", "选项2"))
    selects = kind in (ControlType.SELECT, ControlType.MULTISELECT)
    return Control(
        id=f"{kind}-1",
        label="控件",
        type=kind,
        required=required,
        options=options if selects else (),
        children=children,
    )


def written(kind: ControlType, value: Any) -> str:
    (component,) = encode_form(filled({"控件": value}, control(kind)))
    assert component["name"] == "控件"
    return component["value"]


ATTACHMENT = {"spaceId": "163", "fileName": "a.jpg", "fileSize": "333", "fileType": "jpg", "fileId": "643"}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (ControlType.TEXT, "文本", "文本"),
        (ControlType.TEXT, 42, "42"),
        (ControlType.TEXT, Decimal("1.50"), "1.50"),
        (ControlType.TEXT, date(2026, 11, 23), "2026-11-23"),
        (ControlType.TEXT, datetime(2026, 11, 23, 8, 5, tzinfo=UTC), "2026-11-23 08:05:00"),
        (ControlType.TEXT, True, "true"),
        (ControlType.TEXTAREA, "一\n二\r\n三\r四", "一\r\n二\r\n三\r\n四"),
        (ControlType.NUMBER, "100", "100"),
        (ControlType.NUMBER, Decimal("1E+3"), "1000"),
        (ControlType.NUMBER, Decimal("0.00000001"), "0.00000001"),
        (ControlType.NUMBER, " -3.50 ", "-3.50"),
        (ControlType.NUMBER, 1e-7, "0.0000001"),
        (ControlType.MONEY, Decimal("19.99"), "19.99"),
        (ControlType.RATING, 4, "4"),
        (ControlType.SELECT, "选项1", "选项1"),
        (ControlType.MULTISELECT, ["选项1", "选项2"], '["选项1","选项2"]'),
        (ControlType.MULTISELECT, '["选项2"]', '["选项2"]'),
        (ControlType.MULTISELECT, "选项1", '["选项1"]'),
        (ControlType.DATE, date(2021, 8, 17), "2021-08-17"),
        (ControlType.DATE, datetime(2021, 8, 17, 23, 59, tzinfo=UTC), "2021-08-17"),
        (ControlType.DATE, "2021-08-17T00:00:00Z", "2021-08-17"),
        (ControlType.DATE, "20210817", "2021-08-17"),
        (ControlType.DATE, "2021/8/7", "2021-08-07"),
        (ControlType.DATE, "2021-08-17 12:30:00", "2021-08-17"),
        (ControlType.DATERANGE, ["2019-02-19", date(2019, 2, 25)], '["2019-02-19","2019-02-25"]'),
        (ControlType.PHOTO, "http://url1", '["http://url1"]'),
        (
            ControlType.ATTACHMENT,
            [ATTACHMENT | {"fileSize": 333}],
            f"[{json.dumps(ATTACHMENT, separators=(',', ':'))}]",
        ),
        (ControlType.CONTACT, "userId1", '["userId1"]'),
        (ControlType.CONTACT, ["u1", 2], '["u1","2"]'),
        (ControlType.DEPARTMENT, 1001, "1001"),
        (ControlType.DEPARTMENT, ["1001"], '["1001"]'),
        (ControlType.RELATION, ["instanceId"], '["instanceId"]'),
        (ControlType.PHONE, "15700000000", "15700000000"),
        (ControlType.ADDRESS, "浙江省,杭州市,余杭区", "浙江省,杭州市,余杭区"),
        (ControlType.OTHER, "x", "x"),
    ],
)
def test_every_control_type(kind: ControlType, value: Any, expected: str) -> None:
    assert written(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ControlType.TEXT, ["a"]),
        (ControlType.TEXT, {"a": 1}),
        (ControlType.NUMBER, "1,234.50"),
        (ControlType.NUMBER, "12 件"),
        (ControlType.NUMBER, True),
        (ControlType.NUMBER, Decimal("NaN")),
        (ControlType.NUMBER, float("inf")),
        (ControlType.MONEY, "１２"),
        (ControlType.SELECT, "选项3"),
        (ControlType.MULTISELECT, ["选项1", "选项3"]),
        (ControlType.DATE, "2021-02-30"),
        (ControlType.DATE, "明天"),
        (ControlType.DATE, 20210817),
        (ControlType.DATERANGE, ["2019-02-19"]),
        (ControlType.DATERANGE, ["2019-02-25", "2019-02-19"]),
        (ControlType.PHOTO, "C:\\photo.jpg"),
        (ControlType.ATTACHMENT, {"fileName": "a.jpg"}),
        (ControlType.CONTACT, ["u1", ""]),
        (ControlType.NOTE, "text"),
        (ControlType.TABLE, "text"),
        (ControlType.TABLE, [1]),
        (ControlType.TEXT, "字" * 65_536),
    ],
)
def test_a_value_that_does_not_fit_names_its_control(kind: ControlType, value: Any) -> None:
    with pytest.raises(ValueRefused) as caught:
        written(kind, value)
    assert caught.value.where == "控件"


MATERIALS = Control(
    id="TableField-1",
    label="物料表",
    type=ControlType.TABLE,
    required=True,
    children=(
        Control(id="TextField-2", label="品号", required=True),
        Control(id="NumberField-3", label="需求数量", type=ControlType.NUMBER, required=True),
        Control(id="DDDateField-4", label="需求日期", type=ControlType.DATE),
    ),
)
REASON = Control(id="TextField-9", label="请购单别", required=True)


def test_a_table_is_rows_of_named_cells_in_one_string() -> None:
    rows = [
        {"品号": "A1", "NumberField-3": Decimal("10.0"), "需求日期": "2026-12-01T00:00:00Z"},
        {"TextField-2": "A2", "需求数量": 2, "需求日期": None},
    ]
    first, second = encode_form(filled({"TextField-9": "计划请购", "物料表": rows}, REASON, MATERIALS))
    assert first == {"name": "请购单别", "value": "计划请购"}
    assert second["name"] == "物料表"
    assert json.loads(second["value"]) == [
        [
            {"name": "品号", "value": "A1"},
            {"name": "需求数量", "value": "10.0"},
            {"name": "需求日期", "value": "2026-12-01"},
        ],
        [{"name": "品号", "value": "A2"}, {"name": "需求数量", "value": "2"}],
    ]


def test_everything_wrong_is_named_at_once_with_its_row() -> None:
    rows = [{"品号": "A1", "需求数量": "many"}, {"品号": "", "需求数量": 1, "颜色": "red"}]
    with pytest.raises(ValueRefused) as caught:
        encode_form(filled({"请购单别": " ", "物料表": rows, "幽灵": "x"}, REASON, MATERIALS))
    for place in ("请购单别", "物料表[1].需求数量", "物料表[2].品号", "物料表[2].颜色", "幽灵"):
        assert place in caught.value.zh
        assert place in caught.value.en


def test_a_required_control_that_was_never_mapped_is_named() -> None:
    with pytest.raises(ValueRefused) as caught:
        encode_form(filled({"请购单别": "x"}, REASON, MATERIALS))
    assert caught.value.where == "物料表"


@pytest.mark.parametrize("rows", [[], None, "", ()])
def test_an_empty_required_table_is_named(rows: Any) -> None:
    with pytest.raises(ValueRefused) as caught:
        encode_form(filled({"请购单别": "x", "物料表": rows}, REASON, MATERIALS))
    assert caught.value.where == "物料表"


def test_a_table_longer_than_the_platform_takes_is_refused() -> None:
    rows = [{"品号": "A" * 100, "需求数量": 1} for _ in range(500)]
    with pytest.raises(ValueRefused, match="65535"):
        encode_form(filled({"请购单别": "x", "物料表": rows}, REASON, MATERIALS))


def test_the_same_control_by_id_and_by_label_is_refused() -> None:
    with pytest.raises(ValueRefused, match="请购单别"):
        encode_form(filled({"请购单别": "a", "TextField-9": "b"}, REASON))


def test_more_controls_than_the_platform_takes_are_refused() -> None:
    assert len(encode_form({f"控件{number}": "x" for number in range(150)})) == 150
    with pytest.raises(ValueRefused, match="150"):
        encode_form({f"控件{number}": "x" for number in range(151)})


def test_a_form_without_any_value_is_refused() -> None:
    with pytest.raises(ValueRefused):
        encode_form({"备注": ""})


def test_a_plain_dict_needs_no_controls() -> None:
    values = {
        "请购单别": "计划请购",
        "数量": Decimal("3.0"),
        "标签": ["a", "b"],
        "空": None,
        "物料表": [{"品号": "A1", "数量": 1, "备注": ""}, {"备注": ""}],
    }
    assert encode_form(values) == [
        {"name": "请购单别", "value": "计划请购"},
        {"name": "数量", "value": "3.0"},
        {"name": "标签", "value": '["a","b"]'},
        {
            "name": "物料表",
            "value": '[[{"name":"品号","value":"A1"},{"name":"数量","value":"1"}],[{"name":"备注","value":""}]]',
        },
    ]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18))
def test_no_number_changes_its_value_or_gets_an_exponent(number: Decimal) -> None:
    text = written(ControlType.NUMBER, number)
    assert Decimal(text) == number
    assert "E" not in text.upper()


@given(st.lists(st.dictionaries(st.sampled_from(["品号", "品名"]), st.text(max_size=20), min_size=1), min_size=1))
def test_a_table_keeps_every_row_in_order(rows: list[dict[str, str]]) -> None:
    (table,) = encode_form({"物料表": rows})
    decoded = json.loads(table["value"])
    assert len(decoded) == len(rows)
    for cells, row in zip(decoded, rows, strict=True):
        kept = {name: text for name, text in row.items() if text.strip()}
        assert [cell["name"] for cell in cells if cell["value"]] == list(kept)


SCHEMA = {
    "result": {
        "formCode": "PROC-1",
        "name": "采购申请",
        "status": "PUBLISHED",
        "schemaContent": {
            "title": "采购申请",
            "items": [
                {"componentName": "TextField", "props": {"id": "TextField-1", "label": "请购人员", "required": True}},
                {
                    "componentName": "DDSelectField",
                    "props": {
                        "id": "DDSelectField-2",
                        "label": "单别",
                        "required": "false",
                        "options": [
                            "零星",
                            '{"value":"计划","key":"option_1"}',
                            {"value": "自产", "key": "option_2"},
                            "",
                        ],
                    },
                },
                {
                    "componentName": "DDDateRangeField",
                    "props": {"id": "DDDateRangeField-3", "label": ["开始时间", "结束时间"], "format": "yyyy-MM-dd"},
                },
                {"componentName": "NumberField", "props": {"id": "NumberField-4", "label": "天数", "unit": "天"}},
                {"componentName": "TextNote", "props": {"id": "TextNote-5", "content": "请如实填写"}},
                {"componentName": "SignatureField", "props": {"id": "SignatureField-6", "label": "签名"}},
                {
                    "componentName": "TableField",
                    "props": {"id": "TableField-7", "label": "物料表"},
                    "children": [
                        {
                            "componentName": "TextField",
                            "props": {"id": "TextField-8", "label": "品号", "required": True},
                        }
                    ],
                },
            ],
        },
    },
    "success": "true",
}


@pytest.mark.parametrize("as_string", [False, True])
def test_the_schema_as_controls(as_string: bool) -> None:
    answer: dict[str, Any] = json.loads(json.dumps(SCHEMA))
    if as_string:
        answer["result"]["schemaContent"] = json.dumps(answer["result"]["schemaContent"])
    form = parse_form("PROC-1", answer)
    assert (form.code, form.title) == ("PROC-1", "采购申请")
    assert [each.type for each in form.controls] == [
        ControlType.TEXT,
        ControlType.SELECT,
        ControlType.DATERANGE,
        ControlType.NUMBER,
        ControlType.NOTE,
        ControlType.OTHER,
        ControlType.TABLE,
    ]
    assert [each.required for each in form.controls] == [True, False, False, False, False, False, False]
    assert [option.label for option in form.controls[1].options] == ["零星", "计划", "自产"]
    assert form.controls[2].label == '["开始时间","结束时间"]'
    assert (form.controls[2].format, form.controls[3].unit) == ("yyyy-MM-dd", "天")
    assert form.controls[4].label == "请如实填写"
    assert form.controls[6].children == (Control(id="TextField-8", label="品号", required=True),)


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": {"schemaContent": "no json {"}}])
def test_an_answer_without_controls_means_that_the_form_is_gone(answer: dict[str, Any]) -> None:
    with pytest.raises(FormGone) as caught:
        parse_form("PROC-1", answer)
    assert caught.value.where == "PROC-1"

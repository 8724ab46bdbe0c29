"""Every transform: what it does, and that it either yields a value or says why not, whatever comes in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadMapping, MappingFailed
from runtime.mapping.transforms import TRANSFORMS, compile_transform

#: One usable spec for every transform.
SPECS: dict[str, Any] = {
    "round": {"round": 2},
    "truncate": {"truncate": 3},
    "prefix": {"prefix": "No."},
    "suffix": {"suffix": "元"},
    "replace": {"replace": {"a": "b"}},
    "default": {"default": "无"},
    "lookup": {"lookup": {"Y": "是", "*": "否"}},
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.dates(),
    st.datetimes(timezones=st.one_of(st.none(), st.just(UTC))),
    st.from_regex(r"\d{4}-?\d{2}-?\d{2}(T\d{2}:\d{2}:\d{2}(Z|\+08:00)?)?", fullmatch=True),
    st.from_regex(r"[+-]?[\d,]{1,12}(\.\d{1,8})?(e[+-]?\d{1,4})?", fullmatch=True),
    st.binary(max_size=5),
)
hostile = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def apply(spec: Any, value: Any, timezone: str = "Asia/Shanghai") -> Any:
    return compile_transform(spec, timezone=timezone)(value)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(value=hostile)
def test_a_value_or_a_reason(name: str, value: Any) -> None:
    refused: MappingFailed | None = None
    found: Any = None
    try:
        found = apply(SPECS.get(name, name), value)
    except MappingFailed as error:
        refused = error
    assert refused is None or (refused.zh and refused.en and len(refused.zh) < 400)
    if name in ("number", "round", "sum"):
        assert found is None or type(found) in (int, Decimal)
    if name == "round":
        assert found is None or found.as_tuple().exponent == -2
    if name in ("text", "trim", "truncate", "upper", "lower", "prefix", "suffix", "replace", "date", "join"):
        assert found is None or type(found) is str


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_explains_itself_in_both_languages(name: str) -> None:
    transform = TRANSFORMS[name]
    assert transform.zh != transform.en
    assert bool(transform.argument is not None) == bool(transform.argument_zh) == bool(transform.argument_en)


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"default", "required", "count", "sum"}))
def test_null_passes_through(name: str) -> None:
    spec = {"lookup": {"Y": "是"}} if name == "lookup" else SPECS.get(name, name)
    assert apply(spec, None) is None


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("2022-08-23T00:00:00Z", "YYYY-MM-DD", "2022-08-23"),
        ("2022-08-23", "YYYY/MM/DD", "2022/08/23"),
        ("20220823", "YYYY-MM-DD", "2022-08-23"),
        (20220823, "YYYY-MM-DD", "2022-08-23"),
        (Decimal("20220823"), "YYYY-MM-DD", "2022-08-23"),
        ("2022-08-23T18:30:00Z", "YYYY-MM-DD HH:mm:ss", "2022-08-24 02:30:00"),
        ("2022-08-23T18:30:00", "YYYY-MM-DD HH:mm", "2022-08-23 18:30"),
        ("2022-08-23 18:30", "HH:mm", "18:30"),
        ("2022-08-23T00:00:00+00:00", "HH:mm", "08:00"),
        (1661212800, "YYYY-MM-DD HH:mm:ss", "2022-08-23 08:00:00"),
        (1661212800123, "YYYY-MM-DD HH:mm:ss", "2022-08-23 08:00:00"),
        ("1661212800", "YYYY-MM-DD", "2022-08-23"),
        (date(2022, 8, 23), "YYYY年MM月DD日", "2022年08月23日"),
        (datetime(2022, 8, 23, 1, tzinfo=timezone(timedelta(hours=9))), "DD HH", "23 00"),
        ("2022-08-23", "{YYYY}", "{2022}"),
        ("0999-01-02", "YYYY", "0999"),
        ("", "YYYY", None),
    ],
)
def test_date(value: Any, pattern: str, expected: str | None) -> None:
    assert apply({"date": pattern}, value) == expected


@pytest.mark.parametrize(
    "value", ["2022-13-01", "2022-W34-2", "2022-0823", "23.08.2022", "now", True, [], 12, 10**30, "2022-08-23T25:00:00"]
)
def test_not_a_date(value: Any) -> None:
    spec = "date"
    if value == []:
        assert apply(spec, value) is None
        return
    with pytest.raises(MappingFailed):
        apply(spec, value)


@given(st.dates())
def test_a_date_survives_every_notation(day: date) -> None:
    text = day.isoformat()
    for notation in (day, text, f"{text}T00:00:00Z", text.replace("-", ""), f"{text}T00:00:00"):
        assert apply("date", notation) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6))
def test_round_is_half_up_and_exact(number: Decimal) -> None:
    expected = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert apply({"round": 2}, number) == expected == apply({"round": 2}, str(number))
    assert abs(expected - number) <= Decimal("0.005")


def test_round_keeps_its_places() -> None:
    assert str(apply({"round": 2}, 5)) == "5.00"
    assert str(apply({"round": -2}, 1250)) == "1300"
    assert str(apply({"round": 2}, Decimal("-2.675"))) == "-2.68"
    assert str(apply({"round": 2}, 2.675)) == "2.68"


@given(st.integers(min_value=-(10**99), max_value=10**99))
def test_whole_numbers_are_exact(number: int) -> None:
    assert apply("number", str(number)) == number == apply("number", number)
    assert apply("text", number) == str(number)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1,234.50", "1234.50"), (" 12 ", "12"), (".5", "0.5"), ("1E+3", "1000"), ("-0.10", "-0.10"), (1.1, "1.1")],
)
def test_number(value: Any, expected: str) -> None:
    assert str(apply("number", value)) == expected


@pytest.mark.parametrize(
    "value", ["1,23", "1_000", "١٢", "0x10", "1e999999", "nan", "inf", True, "12a", ".", "+", "1 2"]
)
def test_not_a_number(value: Any) -> None:
    with pytest.raises(MappingFailed):
        apply("number", value)


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ("text", Decimal("1E+2"), "100"),
        ("text", True, "true"),
        ("trim", "　x ", "x"),
        ("upper", "aß", "ASS"),
        ("lower", "AB", "ab"),
        ({"truncate": 2}, "中文字", "中文"),
        ({"truncate": 0}, "x", ""),
        ({"prefix": "No."}, 7, "No.7"),
        ({"suffix": "元"}, Decimal("1.50"), "1.50元"),
        ({"replace": {"-": "", "/": "."}}, "1-2/3", "12.3"),
        ("split", "a, b,,c ", ["a", "b", "c"]),
        ({"split": "|"}, "a|b", ["a", "b"]),
        ({"default": 0}, "  ", 0),
        ({"default": "x"}, 0, 0),
        ({"default": "x"}, False, False),
        ("required", 0, 0),
        ({"lookup": {"1": "工程", "2": "正式"}}, 1, "工程"),
        ({"lookup": {"1": "工程", "2": "正式"}}, Decimal("2.0"), "正式"),
        ({"lookup": {"true": "是"}}, True, "是"),
        ({"lookup": {"Y": 1, "*": 0}}, "N", 0),
        ({"lookup": {"": "空", "*": "x"}}, None, "空"),
        ({"lookup": {"Y": 1, "*": 0}}, None, 0),
        ("yes_no", "tYES", True),
        ("yes_no", "N", False),
        ({"yes_no": {"yes": "是", "no": "否"}}, 0, "否"),
        ("join", ["a", None, "", 2], "a、2"),
        ({"join": ","}, [], ""),
        ("first", [3, 4], 3),
        ("first", [], None),
        ("last", [3, 4], 4),
        ("sum", [Decimal("0.10"), None, "0.20", 1], Decimal("1.30")),
        ("sum", [1, 2], 3),
        ("sum", None, 0),
        ("count", [1, None], 2),
        ("count", None, 0),
    ],
)
def test_transform(spec: Any, value: Any, expected: Any) -> None:
    found = apply(spec, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("required", " "),
        ("required", []),
        ({"lookup": {"Y": 1}}, "N"),
        ("yes_no", "maybe"),
        ("sum", ["x"]),
        ("first", "text"),
        ("join", {"a": 1}),
        ("upper", ["a"]),
        ("text", {}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(spec: Any, value: Any) -> None:
    with pytest.raises(MappingFailed):
        apply(spec, value)


@pytest.mark.parametrize(
    "spec",
    [
        "rond",
        {"round": "2"},
        {"round": True},
        {"round": 99},
        "round",
        {"trim": 1},
        {"date": "no tokens"},
        {"date": 5},
        {"truncate": -1},
        {"lookup": {}},
        {"lookup": [1]},
        {"replace": {"": "x"}},
        {"replace": {"a": 1}},
        {"yes_no": {"yes": 1}},
        {"split": ""},
        {"join": 5},
    ],
)
def test_a_wrong_spec_is_named(spec: Any) -> None:
    with pytest.raises(BadMapping) as caught:
        compile_transform(spec, where="fields[2].through[0]")
    assert caught.value.where == "fields[2].through[0]"


def test_a_misspelt_transform_gets_a_proposal() -> None:
    with pytest.raises(BadMapping, match="did you mean 'truncate'"):
        compile_transform({"trunkate": 3})


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(BadMapping, match="Mars/Olympus"):
        compile_transform("date", timezone="Mars/Olympus")

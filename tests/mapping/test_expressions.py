"""The expression language: what it yields, what it refuses, and that numbers stay exact."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadExpression, MappingFailed
from runtime.mapping.expressions import compile_expression, compile_operand, compile_value

SCOPE: dict[str, Any] = {
    "draft": {
        "DocEntry": 7,
        "Comments": None,
        "values": {"单号": "A-1"},
        "items": 3,
        "DocumentLines": [{"Quantity": Decimal("1.10")}, {"Quantity": 2}],
        "Address": None,
    },
    "settings": {"key": "DocEntry"},
    "now": datetime(2026, 11, 23, 8, 30, tzinfo=ZoneInfo("Asia/Shanghai")),
}


def value_of(source: str) -> Any:
    return compile_expression(source)(SCOPE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("draft.DocEntry", 7),
        ("draft[settings.key]", 7),
        ("draft.Comments or '无'", "无"),
        ("draft.Missing or '无'", "无"),
        ("draft.Missing is defined", False),
        ("draft.Missing | default('d')", "d"),
        ("draft.Address.City or 'x'", "x"),
        ("not draft.Missing", True),
        ("nothing or 1", 1),
        ("draft.values.单号", "A-1"),
        ("draft.items", 3),
        ("draft.DocumentLines | sum('Quantity')", Decimal("3.10")),
        ("draft.DocumentLines | map(attribute='Quantity')", [Decimal("1.10"), 2]),
        ("draft.DocumentLines[0].Quantity * 3", Decimal("3.30")),
        ("0.1 + 0.2", Decimal("0.3")),
        ("1.005 | round(2)", Decimal("1.01")),
        ("2.5 | round", 3),
        ("5 / 2", Decimal("2.5")),
        ("4 / 2", 2),
        ("7 // 2", 3),
        ("2 ** 10", 1024),
        ("9 ** 9", 387420489),
        ("2 ** -1", Decimal("0.5")),
        ("'a' ~ none ~ 1.50 ~ true", "a1.50true"),
        ("now | date('YYYY/MM/DD HH:mm')", "2026/11/23 08:30"),
        ("'2026-11-23T01:00:00Z' | date('HH:mm')", "09:00"),
        ("now.year", 2026),
        ("'Y' | yes_no", True),
        ("'1' | lookup({'1': '正式'})", "正式"),
        ("'{\"a\": 1.50}' | from_json", {"a": Decimal("1.50")}),
        ("{'a': [1, 2.50]} | json", '{"a":[1,2.50]}'),
        ("['a', none, 'b'] | join('-')", "a-b"),
        ("' x ' | trim | upper", "X"),
        ("draft.keys() | first", "DocEntry"),
        ("'a-b'.replace('-', '+')", "a+b"),
        ("', '.join(['a', 1, none])", "a, 1"),
        ("'x' in draft", False),
        ("range(3) | list", [0, 1, 2]),
        ("(1, 2)", [1, 2]),
    ],
)
def test_value(source: str, expected: Any) -> None:
    found = value_of(source)
    assert found == expected
    assert not isinstance(found, float)
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("draft.Missing", "Missing"),
        ("draft.Missing == 1", "Missing"),
        ("draft.Missing.Deeper or 1", "Missing"),
        ("draft.Missing | odata", "Missing"),
        ("draft.Missing | date", "Missing"),
        ("draft.Missing | upper", "Missing"),
        ("'a' ~ draft.Missing", "Missing"),
        ("draft.Missing + 1", "Missing"),
        ("1 - draft.Missing", "Missing"),
        ("nothing", "nothing"),
        ("draft['Missing']", "Missing"),
        ("draft.Missing in [1]", "Missing"),
    ],
)
def test_a_missing_name_is_named_when_it_is_used(source: str, name: str) -> None:
    with pytest.raises(MappingFailed) as caught:
        value_of(source)
    assert f"“{name}”" in caught.value.zh
    assert repr(name) in caught.value.en


@pytest.mark.parametrize(
    "source",
    [
        "''.__class__",
        "draft.__init__",
        "_private",
        "draft|nofilter",
        "draft is nosuchtest",
        "a b",
        "",
        "1 +",
        "(" * 2000,
        "'" + "x" * 30_000 + "'",
    ],
)
def test_does_not_compile(source: str) -> None:
    with pytest.raises(BadExpression) as caught:
        compile_expression(source, where="flows.a.steps[0]")
    assert caught.value.where == "flows.a.steps[0]"


@pytest.mark.parametrize(
    "source",
    [
        "''['__class__']",
        "draft['__class__']",
        "('' | attr('__class__'))",
        "'{0.__class__}'.format(1)",
        "''.format_map(draft)",
        "'%s' % draft",
        "'a' * 10**9",
        "[0] * 10**8",
        "'a'.ljust(10**9)",
        "('a' * 10**6).replace('a', 'b' * 10**6)",
        "('a' * 10**6) | replace('a', 'b' * 10**6)",
        "('a' * 10**6).join(range(10**5))",
        "range(10**5) | join('a' * 10**6)",
        "draft.keys",
        "draft.get",
        "9 ** 9 ** 9 ** 9",
        "(10 ** 300) * (10 ** 300)",
        "1.5 ** 100000",
        "range(10**9) | list",
        "draft.update({'a': 1})",
        "draft.pop('DocEntry')",
        "draft.DocumentLines.append(1)",
        "draft.clear()",
        "cycler(1)",
        "lipsum()",
        "1 / 0",
        "1 // 0",
        "draft + 1",
        "draft.DocEntry()",
        "now.__reduce__()",
        "'x'.encode()",
    ],
)
def test_what_the_sandbox_refuses(source: str) -> None:
    before = repr(SCOPE["draft"])
    with pytest.raises((BadExpression, MappingFailed)):
        value_of(source)
    assert repr(SCOPE["draft"]) == before


def test_moments_are_in_the_zone_of_the_mapping() -> None:
    expression = compile_expression("moment | date('YYYY-MM-DD HH:mm')")
    scope = {"moment": "2026-11-23T01:00:00Z", "now": datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))}
    assert expression(scope) == "2026-11-23 02:00"


def test_one_expression_is_native_and_mixed_text_is_text() -> None:
    assert compile_value("{{ draft }}")(SCOPE) is SCOPE["draft"]
    assert compile_value("No. {{ draft.DocEntry }}: {{ draft.Comments }}.")(SCOPE) == "No. 7: ."
    assert compile_value("{% if %} {# c #} }} {{ 1 }}")(SCOPE) == "{% if %} {# c #} }} 1"
    assert compile_value("{{ {'a': {'b': 1}} }}")(SCOPE) == {"a": {"b": 1}}
    assert compile_value("{{ '{{' }}x")(SCOPE) == "{{x"
    assert compile_value(Decimal("1.50"))(SCOPE) == Decimal("1.50")


def test_keys_of_objects_are_rendered() -> None:
    compiled = compile_value({"{{ settings.key }}": ["{{ draft.DocEntry }}", {"x": "{{ 1 }}"}], "plain": None})
    assert compiled(SCOPE) == {"DocEntry": [7, {"x": 1}], "plain": None}
    assert compiled.names == {"settings", "draft"}
    assert not compiled.constant


@pytest.mark.parametrize("key", ["{{ '' }}", "{{ draft.Comments }}"])
def test_an_empty_key_is_an_error(key: str) -> None:
    with pytest.raises(MappingFailed):
        compile_value({key: 1})(SCOPE)


def test_two_keys_that_become_one_are_an_error() -> None:
    with pytest.raises(MappingFailed, match="DocEntry"):
        compile_value({"{{ settings.key }}": 1, "DocEntry": 2})(SCOPE)


def test_a_list_does_not_become_text_by_accident() -> None:
    with pytest.raises(MappingFailed, match="join"):
        compile_value("lines: {{ draft.DocumentLines }}")(SCOPE)


def test_an_unclosed_expression_is_named() -> None:
    with pytest.raises(BadExpression):
        compile_value("a {{ draft ")


def test_names_and_references() -> None:
    expression = compile_expression("settings.key ~ draft['U_x'] ~ settings['mark'] ~ range(2)")
    assert expression.names == {"settings", "draft"}
    assert {("settings", "key"), ("settings", "mark"), ("draft", "U_x")} <= expression.references


def test_an_operand_needs_no_braces() -> None:
    assert compile_operand("draft.DocEntry")(SCOPE) == compile_operand("{{ draft.DocEntry }}")(SCOPE) == 7


@given(st.text())
def test_odata_text_cannot_leave_its_quotes(text: str) -> None:
    expression = compile_expression("x | odata")
    try:
        literal = expression({"x": text})
    except MappingFailed:
        assert any(ord(sign) < 32 for sign in text)
        return
    assert literal[0] == literal[-1] == "'"
    inner = literal[1:-1]
    assert inner.replace("''", "").count("'") == 0
    assert inner.replace("''", "'") == text


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 2), "'2026-01-02'"),
        (datetime(2026, 1, 2, 3, 4), "'2026-01-02'"),
        ("O'Neill", "'O''Neill'"),
    ],
)
def test_odata_literals(value: Any, literal: str) -> None:
    assert compile_expression("x | odata")({"x": value}) == literal


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", Decimal("NaN"), float("inf")])
def test_odata_has_no_literal_for(value: Any) -> None:
    with pytest.raises(MappingFailed):
        compile_expression("x | odata")({"x": value})


@pytest.mark.parametrize(
    ("source", "zh", "en"),
    [
        ("1 / (7 - n)", "除数为 0", "division by zero"),
        ("1.5 // (7 - n)", "除数为 0", "division by zero"),
        ("1 % (7 - n)", "除数为 0", "division by zero"),
        ("0 / (7 - n)", "除数为 0", "division by zero"),
        ("n + 'a'", "值的类型不合适", "the types of the values do not fit"),
    ],
)
def test_what_cannot_be_computed_is_said_in_plain_words(source: str, zh: str, en: str) -> None:
    with pytest.raises(MappingFailed) as caught:
        compile_expression(source)({"n": 7})
    assert zh in caught.value.zh
    assert en in caught.value.en
    assert "decimal" not in str(caught.value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_arithmetic_is_exact(number: Decimal) -> None:
    assert compile_expression("a + a - a")({"a": number}) == number
    assert compile_expression("a * 100")({"a": number}) == number * 100


@given(st.text(max_size=40))
def test_any_text_compiles_or_is_refused_in_our_words(text: str) -> None:
    for source in (text, f"{{{{ {text} }}}}"):
        refused: BadExpression | MappingFailed | None = None
        try:
            compile_value(source)({})
        except (BadExpression, MappingFailed) as error:
            refused = error
        assert refused is None or (refused.zh and refused.en)

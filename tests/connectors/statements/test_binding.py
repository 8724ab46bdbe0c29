"""Parameters: bound by the driver, or literals in the tree; never text that is pasted."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.statements.binding import bind, literal_text, require_parameters
from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.examining import examine_call, examine_query
from runtime.connectors.statements.parsing import parse_statement
from runtime.connectors.statements.values import plain
from runtime.errors import ValueRefused

VALUES = st.one_of(
    st.text(alphabet=st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"])),
    st.integers(-(2**60), 2**60),
)


@given(VALUES)
def test_a_literal_means_the_value_and_nothing_else(value: Any) -> None:
    statement = parse_statement("SELECT :v AS v, 'x' AS x", DIALECTS["sqlite"])
    text = literal_text(statement.sent(), statement.dialect, {"v": value})
    with sqlite3.connect(":memory:") as memory:
        assert memory.execute(text).fetchall() == [(value, "x")]
    memory.close()


@given(VALUES, st.sampled_from(["hana", "tsql"]))
def test_a_literal_is_one_value_in_the_dialects_that_know_no_binding(value: Any, dialect: str) -> None:
    statement = parse_statement("SELECT a FROM t WHERE b = :v AND c = 1", DIALECTS[dialect])
    text = literal_text(statement.sent(), statement.dialect, {"v": value})
    again = parse_statement(text, DIALECTS[dialect])
    where = again.tree.args["where"].this
    assert where.expression.expression.name == "1"
    literal = where.this.expression
    found = literal.name if isinstance(value, str) else int(literal.sql())
    assert found == value


@pytest.mark.parametrize(
    ("dialect", "value", "text"),
    [
        ("hana", None, "NULL"),
        ("hana", True, "TRUE"),
        ("tsql", True, "1"),
        ("hana", Decimal("-1.50"), "-1.50"),
        ("hana", 1e21, "1000000000000000000000"),
        ("hana", date(2026, 1, 31), "'2026-01-31'"),
        ("tsql", date(2026, 1, 31), "'20260131'"),
        ("tsql", datetime(2026, 1, 31, 8, 5), "'2026-01-31T08:05:00'"),
        ("tsql", "物料", "N'物料'"),
        ("hana", "it's \\", "'it''s \\'"),
    ],
)
def test_values_have_the_literal_of_their_type(dialect: str, value: Any, text: str) -> None:
    statement = parse_statement("SELECT '{0}' AS a", DIALECTS[dialect])
    assert literal_text(statement.sent(), statement.dialect, {"0": value}) == f"SELECT {text} AS {'a'}"


def test_only_parameters_are_bound_whatever_the_statement_holds() -> None:
    statement = parse_statement("SELECT 'a :b' AS x FROM t WHERE c = :c AND d = :c", DIALECTS["sqlite"])
    assert bind(statement.sent(), statement.dialect, {"c": 1}) == (
        "SELECT 'a \\:b' AS x FROM t WHERE c = :p0 AND d = :p1",
        {"p0": 1, "p1": 1},
    )


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("SELECT :a AS a", {}, "is not given"),
        ("SELECT 1 AS a", {"b": 1}, "has no parameter b"),
        ("SELECT :a AS a", {"a": [1]}, "not list"),
        ("SELECT :b1_from AS a", {"b1_from": 1}, "may not begin with b1_"),
    ],
)
def test_parameters_that_do_not_fit_are_named(text: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueRefused, match=said):
        require_parameters([parse_statement(text, DIALECTS["sqlite"])], values)


def test_the_check_of_a_mapping_finds_what_a_run_would() -> None:
    hana = DIALECTS["hana"]
    good = 'SELECT "DocEntry" FROM ODRF'
    assert examine_query({"statement": good, "lines": {"statement": good}}, hana) == []
    assert examine_query({"statement": "{{ request.body.sql }}"}, hana) == []
    assert examine_call({"sql": "{{ request.body.sql }}"}, hana, ()) == []
    for values, said in (
        ({"statement": f"{good} WHERE a = '{{{{ draft.x }}}}'"}, "cannot be pasted"),
        ({"statement": "DELETE FROM ODRF"}, "may only read"),
        ({"statement": good, "lines": {"statement": 'SELECT "ItemCode" FROM DRF1'}}, "no key column"),
        ({"statement": good, "lines": {"statement": f"{good} {{{{ x }}}}"}}, "cannot be pasted"),
        ({"statement": good, "lines": [{"name": "x"}]}, "required"),
        ({"statement": good, "parameters": {"a": 1}}, "has no parameter a"),
    ):
        [problem] = examine_query(values, hana)
        assert said in problem.en
    [problem] = examine_call({"sql": "CALL TMDK(1)"}, hana, ())
    assert "procedures" in problem.en


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (1.5, Decimal("1.5")),
        (float("nan"), "nan"),
        (datetime(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 8), "2026-01-31T08:00:00"),
        (b"\x00\xff", "AP8="),
        ([date(2026, 1, 31)], ["2026-01-31"]),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_values_become_what_the_service_layer_would_answer(value: Any, row: Any) -> None:
    assert plain(value) == row

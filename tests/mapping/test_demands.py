"""What a filter demands of single fields: two that exclude each other never hold of one record."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.mapping.demands import Demand, either, exclusive, odata_demands

REQUESTS: Final = "DocObjectCode eq '1470000113' and (U_ISSYN eq 'N' or U_ISSYN eq null)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (REQUESTS, "DocObjectCode eq '22' and U_ISSYN eq 'N'"),
        (REQUESTS, "U_ISSYN eq 'N' and (('22' eq DocObjectCode))"),
        ("U_Dept eq 'A'", "U_Dept ne 'A'"),
        ("U_Dept eq 'A' or U_Dept eq 'B'", "U_Dept eq 'C' or U_Dept eq 'D'"),
        ("(U_Dept eq 'A' and X eq 1) or U_Dept eq 'B'", "U_Dept eq 'C'"),
        ("DocTotal gt 1000", "DocTotal le 1000"),
        ("DocTotal ge 1000.50", "1000.5 gt DocTotal"),
        ("DocDate lt '2026-01-01'", "DocDate ge '2026-01-01'"),
        ("DocDate ge datetime'2026-02-01T00:00:00'", "DocDate eq datetime'2026-01-01T00:00:00'"),
        ("U_Note eq 'it''s (1)'", "U_Note eq 'its' and startswith(CardCode, 'C')"),
        ("U_X eq null", "U_X eq 'Y'"),
        ("U_X eq 0", "U_X eq 1"),
    ],
)
def test_filters_that_exclude_each_other(one: str, other: str) -> None:
    assert exclusive(odata_demands(one), odata_demands(other))
    assert exclusive(odata_demands(other), odata_demands(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        (REQUESTS, REQUESTS),
        (REQUESTS, f"({REQUESTS}) and U_Dept eq 'A'"),
        ("U_Dept eq 'A'", "U_Urgent eq 'Y'"),
        ("DocTotal ge 1000", "DocTotal le 1000"),
        # One system or another takes these for the same.
        ("U_Dept eq 'a'", "U_Dept eq 'A '"),
        ("DocObjectCode eq '22'", "DocObjectCode eq 22"),
        ("U_Dept eq 'a'", "U_Dept ne 'A'"),
        ("U_Dept gt 'b'", "U_Dept lt 'C'"),
        ("U_No gt '10'", "U_No lt '9'"),
        # Not understood: it may hold.
        ("not (U_Dept eq 'A')", "U_Dept eq 'A'"),
        ("not (U_Dept eq 'B')", "U_Dept eq 'A'"),
        ("U_Dept eq 'A' or X eq 1", "U_Dept eq 'B'"),
        ("(DocTotal sub 5) eq 1", "DocTotal eq 2"),
        ("DocTotal sub 5 eq 1", "DocTotal eq 2"),
        ("length(U_Dept) eq 1", "U_Dept eq 'AB'"),
        ("U_Dept eq U_Other", "U_Dept eq 'A'"),
        ("U_Dept eq 'A' and (", "U_Dept eq 'B'"),
        ("U_Dept eq 'A' nonsense", "U_Dept eq 'B'"),
        ("(" * 5000 + "U_Dept eq 'A'" + ")" * 5000, "U_Dept eq 'B'"),
    ],
)
def test_filters_that_may_hold_together(one: str, other: str) -> None:
    assert not exclusive(odata_demands(one), odata_demands(other))
    assert not exclusive(odata_demands(other), odata_demands(one))


COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda one, two: one == two,
    "ne": lambda one, two: one != two,
    "lt": lambda one, two: one < two,
    "le": lambda one, two: one <= two,
    "gt": lambda one, two: one > two,
    "ge": lambda one, two: one >= two,
}
fields = st.sampled_from("AB")
numbers = st.integers(0, 3)
#: A filter and whether a record fulfils it.
comparisons = st.builds(
    lambda field, operator, number: (
        f"{field} {operator} {number}",
        lambda record: COMPARED[operator](record[field], number),
    ),
    fields,
    st.sampled_from(sorted(COMPARED)),
    numbers,
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda a, b: (f"({a[0]} and {b[0]})", lambda r: a[1](r) and b[1](r)), inner, inner),
        st.builds(lambda a, b: (f"({a[0]} or {b[0]})", lambda r: a[1](r) or b[1](r)), inner, inner),
        st.builds(lambda a: (f"not ({a[0]})", lambda r: not a[1](r)), inner),
    ),
    max_leaves=6,
)


@given(filters, filters, st.fixed_dictionaries({"A": numbers, "B": numbers}))
def test_no_record_fulfils_filters_that_exclude_each_other(one: Any, other: Any, record: dict[str, int]) -> None:
    if one[1](record) and other[1](record):
        assert not exclusive(odata_demands(one[0]), odata_demands(other[0]))


def test_what_either_side_demands() -> None:
    one = (Demand("a", "in", frozenset(("x",))), Demand("b", ">", frozenset((Decimal(1),))))
    other = (Demand("a", "in", frozenset(("y", "z"))), Demand("b", ">", frozenset((Decimal(2),))))
    assert either(one, other) == (Demand("a", "in", frozenset(("x", "y", "z"))),)

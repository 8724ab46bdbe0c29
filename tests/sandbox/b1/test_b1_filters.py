"""Filters against an independent evaluation of the same condition."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.b1.filters import compile_filter, parse_date, parse_time
from runtime.sandbox.b1.query import page_size, read_options, read_page
from runtime.sandbox.b1.rows import RowSet
from runtime.sandbox.b1.schema import build_schema

SCHEMA = build_schema([], [], [])
DRAFTS = SCHEMA.type_of("Drafts")
OPERATORS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}

ROWS = st.fixed_dictionaries(
    {}, optional={"DocEntry": st.integers(0, 5), "Comments": st.sampled_from(["", "a", "b", "it's", "ab"])}
)
COMPARISON = st.one_of(
    st.tuples(st.just("DocEntry"), st.sampled_from(sorted(OPERATORS)), st.integers(0, 5)),
    st.tuples(st.just("Comments"), st.sampled_from(sorted(OPERATORS)), st.sampled_from(["", "a", "it's", "ab"])),
)
CONDITION = st.recursive(
    COMPARISON,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=8,
)


def written(condition: Any) -> str:
    match condition:
        case ("not", inner):
            return f"not ({written(inner)})"
        case ("and" | "or" as word, left, right):
            return f"({written(left)}) {word} ({written(right)})"
        case (name, word, int(value)):
            return f"{name} {word} {value}"
        case (name, word, value):
            quoted = value.replace("'", "''")
            return f"{name} {word} '{quoted}'"
    raise AssertionError(condition)


def evaluated(condition: Any, row: dict[str, Any]) -> bool | None:
    """SQL's three-valued logic, written down once more."""
    match condition:
        case ("not", inner):
            value = evaluated(inner, row)
            return None if value is None else not value
        case ("and" | "or" as word, left, right):
            values = {evaluated(left, row), evaluated(right, row)}
            decisive = word == "or"
            if decisive in values:
                return decisive
            return None if None in values else not decisive
        case (name, word, value):
            return None if row.get(name) is None else bool(OPERATORS[word](row[name], value))
    raise AssertionError(condition)


@given(CONDITION, ROWS)
def test_conditions_mean_what_they_say(condition: Any, row: dict[str, Any]) -> None:
    assert compile_filter(written(condition), DRAFTS).test(row) is evaluated(condition, row)


@given(CONDITION, st.integers(1, 4), st.booleans())
def test_pages_are_the_matching_rows_in_key_order(condition: Any, size: int, descending: bool) -> None:
    rows = RowSet(SCHEMA.sets["Drafts"])
    for entry in range(12):
        rows.replace(entry, {"DocEntry": entry % 6, "Comments": "ab"[: entry % 3]})
    text = written(condition).replace("+", "%2B").replace("&", "%26").replace("#", "%23")
    expected = [key for key in range(12) if evaluated(condition, rows.rows[key])]
    seen: list[Any] = []
    query: str | None = f"$filter={text}"
    while query is not None:
        page = read_page(rows, DRAFTS, read_options(query, DRAFTS, SCHEMA), size)
        assert len(page.rows) <= size
        seen += [id(row) for row in page.rows]
        query = page.next_query
    if "DocEntry" not in text:
        assert seen == [id(rows.rows[key]) for key in expected]
    ordered = read_options(f"$filter={text}&$orderby=DocEntry {'desc' if descending else 'asc'}", DRAFTS, SCHEMA)
    matching = read_page(rows, DRAFTS, ordered, 0).rows
    if "DocEntry" not in text:
        keys = reversed(expected) if descending else expected
        assert [id(row) for row in matching] == [id(rows.rows[key]) for key in keys]


@given(CONDITION, st.integers(0, 5))
def test_key_ranges_never_lose_a_match(condition: Any, bound: int) -> None:
    rows = RowSet(SCHEMA.sets["Drafts"])
    for entry in range(6):
        rows.replace(entry, {"DocEntry": entry, "Comments": "it's"[:entry]})
    both = ("and", condition, ("DocEntry", "gt", bound))
    page = read_page(rows, DRAFTS, read_options(f"$filter={written(both)}", DRAFTS, SCHEMA), 0)
    assert [row["DocEntry"] for row in page.rows] == [key for key in range(6) if evaluated(both, rows.rows[key])]


def test_indexed_lookups_find_the_same_rows() -> None:
    requests = SCHEMA.type_of("ApprovalRequests")
    rows = RowSet(SCHEMA.sets["ApprovalRequests"])
    for code in range(10):
        rows.replace(code, {"Code": code, "DraftEntry": code % 3, "Status": "arsPending"})
    rows.replace(4, {"Code": 4, "DraftEntry": 2, "Status": "arsApproved"})
    rows.replace(7, None)
    options = read_options("$filter=DraftEntry eq 1 and Status eq 'arsPending'", requests, SCHEMA)
    assert [row["Code"] for row in read_page(rows, requests, options, 20).rows] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23", "2026-11-23"),
        ("20261123", "2026-11-23"),
        ("2026-11-23T08:00:00Z", "2026-11-23"),
        ("2026-11-23T08:00:00.000+08:00", "2026-11-23"),
        ("2026-11-23 08:00:00", "2026-11-23"),
        ("2026-13-01", None),
        ("20261301", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("13:14:45", "13:14:45"), ("13:14", "13:14:00"), ("PT13H14M45S", "13:14:45"), ("25:00", None), ("noon", None)],
)
def test_times(text: str, expected: str | None) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("", 20),
        ("odata.maxpagesize=100", 100),
        ("odata.maxpagesize=0", 0),
        ("return-no-content, odata.maxpagesize=7", 7),
        ("maxpagesize=3", 3),
        ("odata.maxpagesize=many", 20),
    ],
)
def test_page_sizes(header: str, size: int) -> None:
    assert page_size(header) == size


def test_decimals_compare_exactly() -> None:
    test = compile_filter("DocTotal eq 0.1", DRAFTS).test
    assert test({"DocTotal": Decimal("0.1")}) is True
    assert test({"DocTotal": Decimal("0.10000001")}) is False

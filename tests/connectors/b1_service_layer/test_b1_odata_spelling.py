"""Literals, keys and links as OData spells them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.connectors.b1_service_layer.odata import conjunction, key_path, literal, next_url, parse_key, query_string
from runtime.errors import BadConnection, ValueRefused

_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
_VALUE = st.one_of(st.integers(-(10**9), 10**9), _TEXT)
_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)


@settings(deadline=None)
@given(_TEXT)
def test_quoted_text_reads_back(text: str) -> None:
    quoted = literal(text)
    assert quoted[0] == quoted[-1] == "'"
    assert "'" not in quoted[1:-1].replace("''", "")
    assert quoted[1:-1].replace("''", "'") == text


@settings(deadline=None)
@given(_VALUE)
def test_single_key_reads_back(key: int | str) -> None:
    path = key_path("Items", key)
    assert set("/?# ").isdisjoint(path)
    assert parse_key(f"https://b1:50000/b1s/v1/{path}") == key


@settings(deadline=None)
@given(st.dictionaries(_NAME, _VALUE, min_size=1, max_size=3))
def test_composite_key_reads_back(key: dict[str, int | str]) -> None:
    assert parse_key(key_path("SpecialPrices", dict(key))) == key


@settings(deadline=None)
@given(_TEXT)
def test_query_option_reads_back(text: str) -> None:
    condition = f"U_x eq {literal(text)} and 1 eq 1"
    query = urlsplit(f"http://h/x{query_string({'$filter': condition, '$top': 5, '$select': None})}").query
    assert parse_qs(query, keep_blank_values=True) == {"$filter": [condition], "$top": ["5"]}


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        (5, "5"),
        ("123", "'123'"),
        (True, "true"),
        (None, "null"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (date(2026, 11, 3), "'2026-11-03'"),
        (datetime(2026, 11, 3, 8, 5), "'2026-11-03T08:05:00'"),
    ],
)
def test_literals(value: object, spelt: str) -> None:
    assert literal(value) == spelt


@pytest.mark.parametrize("value", [["a"], {"a": 1}, 1.5, Decimal("NaN"), b"x"])
def test_what_has_no_spelling_is_refused(value: object) -> None:
    with pytest.raises(ValueRefused):
        literal(value)


def test_key_spelling_is_the_documented_one() -> None:
    assert unquote(key_path("Items", "a'b/c")) == "Items('a''b/c')"
    assert "/" not in key_path("Items", "a'b/c")[5:]
    assert unquote(key_path("UserFieldsMD", {"TableName": "@U", "FieldID": 0})) == (
        "UserFieldsMD(TableName='@U',FieldID=0)"
    )


@pytest.mark.parametrize("resource", ["", "https://h/b1s/v1/Orders", "Orders()", "Orders('a)", "x/Orders(5)/Close"])
def test_no_key_where_there_is_none(resource: str) -> None:
    assert parse_key(resource) is None


def test_conditions_keep_their_meaning_when_joined() -> None:
    assert conjunction("a eq 1 or b eq 2", "c gt 5") == "(a eq 1 or b eq 2) and (c gt 5)"
    assert conjunction("a eq 1 or b eq 2", None) == "a eq 1 or b eq 2"
    assert conjunction(None, " ") is None


@pytest.mark.parametrize(
    "link",
    ["Orders?$skip=20", "/b1s/v1/Orders?$skip=20", "https://h:50000/b1s/v1/Orders?$skip=20"],
)
def test_next_links_of_every_form(link: str) -> None:
    assert next_url("https://h:50000/b1s/v1", link) == "https://h:50000/b1s/v1/Orders?$skip=20"


def test_the_default_port_may_be_spelt_out() -> None:
    assert next_url("https://h/b1s/v2", "https://h:443/b1s/v2/Orders") == "https://h:443/b1s/v2/Orders"


@pytest.mark.parametrize(
    "link", ["https://evil/b1s/v1/Orders", "http://h:50000/b1s/v1/Orders", "https://h/b1s/v1/Orders", "//evil/x"]
)
def test_next_links_to_other_hosts_are_refused(link: str) -> None:
    with pytest.raises(BadConnection):
        next_url("https://h:50000/b1s/v1", link)

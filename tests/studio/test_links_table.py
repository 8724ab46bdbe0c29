"""Edited cells become the same changes as drawn lines."""

from __future__ import annotations

from studio.designer.links import Board, Link, Place, link
from studio.designer.links_table import edited_board

DATE, ITEM = Place("", "DocDate"), Place("DocumentLines", "ItemCode")
ON_FORM, COLUMN = Place("", "单据日期"), Place("物料表", "品号")
SOURCES = {"单据日期（DocDate）": DATE, "单据行 · 品号（ItemCode）": ITEM}


def test_a_source_a_value_and_an_emptied_cell() -> None:
    board = link(Board(), Link(target=ON_FORM, source=DATE, through=("trim",)))
    after, refused = edited_board(board, {COLUMN: {"source": "单据行 · 品号（ItemCode）"}}, SOURCES)
    assert not refused
    assert after.structure == {ON_FORM: DATE, COLUMN: ITEM}
    after, _ = edited_board(after, {ON_FORM: {"value": "{{ now }}"}}, SOURCES)
    assert after.links[ON_FORM] == Link(target=ON_FORM, value="{{ now }}", through=("trim",))
    after, _ = edited_board(after, {ON_FORM: {"value": None}, COLUMN: {"source": None}}, SOURCES)
    assert after.structure == {}


def test_a_detail_field_in_the_header_takes_the_first_row() -> None:
    after, _ = edited_board(Board(), {ON_FORM: {"source": "单据行 · 品号（ItemCode）"}}, SOURCES)
    assert after.links[ON_FORM].through == ("first",)


def test_what_breaks_a_rule_is_refused_and_the_rest_applied() -> None:
    changes = {COLUMN: {"source": "单据日期（DocDate）"}, ON_FORM: {"source": "单据日期（DocDate）"}}
    after, refused = edited_board(Board(), changes, SOURCES)
    assert refused == ((COLUMN, "no_rows"),)
    assert after.structure == {ON_FORM: DATE}

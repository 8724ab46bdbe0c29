"""Every change of a board is pure, keeps the rules, and can be undone and redone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.designer.links import (
    Board,
    Link,
    LinkRefused,
    Place,
    link,
    redo,
    set_through,
    set_value,
    undo,
    unlink,
)

DATE = Place("", "DocDate")
ITEM = Place("DocumentLines", "ItemCode")
BATCH = Place("BatchNumbers", "BatchNumber")
ON_FORM = Place("", "单据日期")
COLUMN = Place("物料表", "品号")
OTHER_COLUMN = Place("物料表", "描述")


def test_a_new_link_replaces_the_one_on_its_target() -> None:
    board = link(Board(), Link(target=ON_FORM, source=DATE))
    board = link(board, Link(target=ON_FORM, source=Place("", "DocDueDate")))
    assert board.structure == {ON_FORM: Place("", "DocDueDate")}


def test_the_first_detail_field_says_where_the_rows_come_from() -> None:
    board = link(Board(), Link(target=COLUMN, source=ITEM))
    assert board.rows == {"物料表": "DocumentLines"}
    assert unlink(board, COLUMN).rows == {}


def test_a_detail_field_in_the_header_needs_an_aggregate() -> None:
    with pytest.raises(LinkRefused, match="aggregate"):
        link(Board(), Link(target=ON_FORM, source=ITEM))
    board = link(Board(), Link(target=ON_FORM, source=ITEM, through=("first", "trim")))
    assert board.links[ON_FORM].aggregated
    with pytest.raises(LinkRefused, match="aggregate"):
        set_through(board, ON_FORM, ("trim",))


def test_a_table_has_one_collection() -> None:
    board = link(Board(), Link(target=COLUMN, source=ITEM))
    with pytest.raises(LinkRefused, match="other_collection"):
        link(board, Link(target=OTHER_COLUMN, source=BATCH))
    assert link(board, Link(target=COLUMN, source=BATCH)).rows == {"物料表": "BatchNumbers"}


def test_a_header_field_in_a_table_needs_rows() -> None:
    with pytest.raises(LinkRefused, match="no_rows"):
        link(Board(), Link(target=OTHER_COLUMN, source=DATE))
    board = link(link(Board(), Link(target=COLUMN, source=ITEM)), Link(target=OTHER_COLUMN, source=DATE))
    assert board.links[OTHER_COLUMN].each_row


def test_a_constant_keeps_the_transforms_but_not_the_aggregate() -> None:
    board = link(Board(), Link(target=ON_FORM, source=ITEM, through=("first", "trim")))
    assert set_value(board, ON_FORM, "x").links[ON_FORM] == Link(target=ON_FORM, value="x", through=("trim",))


def test_undo_and_redo_at_the_ends_change_nothing() -> None:
    board = Board()
    assert undo(board) is board
    assert redo(board) is board
    assert unlink(board, ON_FORM) is board


_places = st.sampled_from([DATE, Place("", "Comments"), ITEM, Place("DocumentLines", "Quantity"), BATCH])
_targets = st.sampled_from([ON_FORM, Place("", "备注"), COLUMN, OTHER_COLUMN, Place("第二表", "列")])
_through = st.lists(st.sampled_from(["first", "trim", "sum"]), max_size=2).map(tuple)
_actions = st.one_of(
    st.tuples(st.just("link"), _targets, _places, _through),
    st.tuples(st.just("unlink"), _targets),
    st.tuples(st.just("value"), _targets, st.sampled_from(["", "计划请购", 7])),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def _do(board: Board, action: tuple) -> Board:  # type: ignore[type-arg]
    name, *args = action
    try:
        if name == "link":
            return link(board, Link(target=args[0], source=args[1], through=args[2]))
        if name == "unlink":
            return unlink(board, args[0])
        if name == "value":
            return set_value(board, args[0], args[1])
    except LinkRefused:
        return board
    return {"undo": undo, "redo": redo}[name](board)


@given(st.lists(_actions, max_size=30))
def test_undoing_everything_restores_the_start_and_redoing_the_end(actions: list[tuple]) -> None:  # type: ignore[type-arg]
    board = Board()
    for action in actions:
        board = _do(board, action)
    end = board
    for _ in range(len(end.past)):
        board = undo(board)
    assert (board.links, board.rows) == ({}, {})
    for _ in range(len(end.past)):
        board = redo(board)
    assert (board.links, board.rows) == (end.links, end.rows)
    assert board.past == end.past


@given(st.lists(_actions, max_size=30))
def test_the_rules_hold_after_every_change(actions: list[tuple]) -> None:  # type: ignore[type-arg]
    board = Board()
    for action in actions:
        before, kept = board, (dict(board.links), dict(board.rows))
        board = _do(board, action)
        assert (dict(before.links), dict(before.rows)) == kept
        for target, item in board.links.items():
            assert item.target == target
            assert not item.aggregated or item.through
            if target.group:
                assert target.group in board.rows
                assert item.source is None or item.source.group in ("", board.rows[target.group])
        assert {target.group for target in board.links if target.group} == set(board.rows)

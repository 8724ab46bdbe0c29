"""What auto-map proposes on a board, and that accepting it is one step that can be undone."""

from __future__ import annotations

import pytest

from runtime.mapping.forms import Control, ControlType
from studio.designer.fields import Field, Group
from studio.designer.links import Board, Link, Place, link, undo
from studio.designer.suggestions import accept, open_suggestions, suggest

LINES = "DocumentLines"
SOURCES = [
    Group(
        name="",
        label="表头",
        fields=(
            Field(name="DocDate", type="date"),
            Field(name="RequesterName"),
            Field(name="Comments"),
            Field(name="Gone", label="附加说明项", missing=True),
        ),
    ),
    Group(name=LINES, label="单据行", fields=(Field(name="ItemCode"), Field(name="Quantity", type="decimal"))),
]
CONTROLS = [
    Control(id="a", label="申请日期", type=ControlType.DATE),
    Control(id="b", label="申请人", type=ControlType.CONTACT),
    Control(id="sl", label="数量", type=ControlType.NUMBER),
    Control(id="d", label="附加说明项"),
    Control(
        id="t",
        label="物料表",
        type=ControlType.TABLE,
        children=(
            Control(id="e", label="品号"),
            Control(id="f", label="需求数量", type=ControlType.NUMBER),
            Control(id="g", label="备注"),
        ),
    ),
]
DATE, PERSON, TABLE = Place("", "申请日期"), Place("", "申请人"), "物料表"
ITEM = Place(TABLE, "品号")


def pairs(board: Board, entity: str = "Drafts") -> dict[Place, Place]:
    return {item.target: item.source for item in suggest(entity, SOURCES, CONTROLS, board)}


@pytest.mark.parametrize("entity", ["Drafts", ""])
def test_header_and_lines_are_proposed_apart_and_nothing_for_what_has_no_field(entity: str) -> None:
    assert pairs(Board(), entity) == {
        DATE: Place("", "DocDate"),
        PERSON: Place("", "RequesterName"),
        ITEM: Place(LINES, "ItemCode"),
        Place(TABLE, "需求数量"): Place(LINES, "Quantity"),
    }


def test_drafts_are_read_as_the_documents_that_the_filter_names() -> None:
    header = [Group(name="", label="表头", fields=(Field(name="CardName"), Field(name="DocDueDate", type="date")))]
    form = [Control(id="s", label="供应商名称"), Control(id="d", label="到货日期", type=ControlType.DATE)]

    def proposed(selection: str) -> dict[str, str]:
        found = suggest("Drafts", header, form, Board(), selection=selection)
        return {item.target.name: item.source.name for item in found}

    assert proposed("DocObjectCode eq '22' and U_ISSYN eq 'N'") == {"供应商名称": "CardName", "到货日期": "DocDueDate"}
    assert "到货日期" not in proposed("U_ISSYN eq 'N'")


def test_what_is_linked_is_left_alone() -> None:
    board = link(Board(), Link(target=DATE, value="2026-01-01"))
    board = link(board, Link(target=Place("", "备注"), source=Place("", "RequesterName")))
    assert set(pairs(board)) == {ITEM, Place(TABLE, "需求数量")}


def test_a_table_that_has_its_rows_keeps_them() -> None:
    board = link(Board(), Link(target=Place(TABLE, "备注"), source=Place("Others", "Note")))
    assert not [target for target in pairs(board) if target.group]


def test_accepting_all_is_one_step_and_undo_takes_it_back() -> None:
    before = link(Board(), Link(target=Place("", "d"), value="x"))
    found = suggest("Drafts", SOURCES, CONTROLS, before)
    board, refused = accept(before, found)
    assert not refused
    assert board.rows == {TABLE: LINES}
    assert len(board.past) == len(before.past) + 1
    assert open_suggestions(found, board) == ()
    back = undo(board)
    assert (back.links, back.rows) == (before.links, before.rows)
    assert open_suggestions(found, back) == found


def test_a_link_drawn_meanwhile_wins() -> None:
    found = suggest("Drafts", SOURCES, CONTROLS, Board())
    board = link(Board(), Link(target=PERSON, source=Place("", "Comments")))
    assert PERSON not in {item.target for item in open_suggestions(found, board)}
    after, _ = accept(board, found)
    assert after.links[PERSON].source == Place("", "Comments")
    other = link(Board(), Link(target=ITEM, source=Place("Others", "Code")))
    after, refused = accept(other, found)
    assert refused == ((Place(TABLE, "需求数量"), "other_collection"),)
    assert after.rows == {TABLE: "Others"}

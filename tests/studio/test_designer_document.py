"""Editing links, query and form changes just that part of the document."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.mapping.cases import check_cases
from runtime.mapping.document import parse_mapping
from runtime.mapping.forms import Control, ControlType
from studio.designer.document import (
    controls_of,
    form_code,
    map_sites,
    query_of,
    read_board,
    resolve,
    value_at,
    with_board,
    with_case,
    with_controls,
    with_form_code,
    with_query,
)
from studio.designer.links import Board, Link, Place, link, set_through, unlink

CONTROLS = [
    {"id": "TextField-1", "label": "请购人员", "required": True},
    {"id": "DDDateField-2", "label": "单据日期", "type": "date"},
    {"id": "TextField-3", "label": "备注"},
    {"id": "TextField-4", "label": "备注"},
    {
        "id": "TableField-5",
        "label": "物料表",
        "type": "table",
        "children": [
            {"id": "TextField-6", "label": "品号"},
            {"id": "NumberField-7", "label": "需求数量", "type": "number"},
        ],
    },
]


def document() -> dict[str, Any]:
    spec = {
        "from": "{{ draft }}",
        "to": {"connection": "oa", "form": "{{ settings.process_code }}", "controls": copy.deepcopy(CONTROLS)},
        "fields": [
            {"to": "TextField-1", "from": "RequesterName"},
            {"to": "单据日期", "from": "DocDate", "through": [{"date": "YYYY-MM-DD"}]},
            {"to": "TextField-4", "value": "{{ draft.Comments or '无' }}"},
        ],
        "tables": [
            {
                "to": "物料表",
                "from": "DocumentLines",
                "fields": [{"to": "品号", "from": "ItemCode"}, {"to": "NumberField-7", "value": "{{ draft.DocNum }}"}],
            }
        ],
    }
    query = {
        "entity": "{{ settings.object }}",
        "filter": "DocObjectCode eq '1470000113' and {{ settings.mark }} eq 'N'",
        "page_size": 20,
    }
    return {
        "format": 1,
        "id": "purchase-request-dingtalk",
        "settings": {"process_code": "PROC-DEMO-PR", "object": "Drafts", "mark": "U_ISSYN"},
        "flows": {
            "submit": {
                "trigger": {"schedule": {"every": "1m"}},
                "steps": [
                    {"id": "drafts", "call": "erp.query", "with": query},
                    {
                        "each": "{{ drafts }}",
                        "as": "draft",
                        "key": "{{ draft.DocEntry }}",
                        "steps": [
                            {
                                "if": "{{ draft.DocTotal }}",
                                "then": [{"id": "form", "map": spec}],
                                "else": [{"stop": "free"}],
                            },
                            {"id": "approval", "call": "oa.create_approval", "with": {"values": "{{ form }}"}},
                        ],
                    },
                ],
            },
            "other": {"trigger": {"manual": {}}, "steps": [{"map": {"from": "{{ input.row | first }}"}}]},
        },
        "cases": [{"name": "kept", "flow": "submit"}],
    }


def test_map_steps_are_found_wherever_they_are_nested() -> None:
    sites = map_sites(document())
    assert [(site.flow, site.id, site.variable, site.role) for site in sites] == [
        ("submit", "form", "draft", "oa"),
        ("other", "", "", ""),
    ]
    assert value_at(document(), sites[0].path)["id"] == "form"


def test_the_query_behind_a_map_step_is_that_of_the_each_around_it() -> None:
    whole = document()
    first, second = map_sites(whole)
    query = query_of(whole, first)
    assert query is not None
    assert query.role == "erp"
    assert value_at(whole, query.path)["id"] == "drafts"
    assert query_of(whole, second) is None


def test_links_are_read_by_label_and_constants_of_the_header_as_links() -> None:
    whole = document()
    board = read_board(whole, map_sites(whole)[0])
    assert board.structure == {
        Place("", "请购人员"): Place("", "RequesterName"),
        Place("", "单据日期"): Place("", "DocDate"),
        Place("", "TextField-4"): None,
        Place("物料表", "品号"): Place("DocumentLines", "ItemCode"),
        Place("物料表", "需求数量"): Place("", "DocNum"),
    }
    assert board.rows == {"物料表": "DocumentLines"}


def test_writing_what_was_read_changes_nothing() -> None:
    whole = document()
    site = map_sites(whole)[0]
    assert with_board(whole, site, read_board(whole, site)) == document()


def test_an_edit_keeps_everything_else_as_it_was() -> None:
    whole = document()
    site = map_sites(whole)[0]
    board = read_board(whole, site)
    board = set_through(board, Place("", "单据日期"), ("date",))
    board = link(
        board, Link(target=Place("", "TextField-3"), source=Place("DocumentLines", "FreeText"), through=("first",))
    )
    after = with_board(whole, site, board)
    assert whole == document()
    expected = document()
    spec = value_at(expected, site.path)["map"]
    spec["fields"][1]["through"] = ["date"]
    spec["fields"].append({"to": "TextField-3", "from": "DocumentLines.FreeText", "through": ["first"]})
    assert after == expected
    assert read_board(after, site).links == board.links


def test_a_table_without_links_disappears_and_a_new_one_appears() -> None:
    whole = document()
    site = map_sites(whole)[0]
    board = read_board(whole, site)
    for target in [target for target in board.links if target.group]:
        board = unlink(board, target)
    without = with_board(whole, site, board)
    assert value_at(without, site.path)["map"]["tables"] == []
    board = link(board, Link(target=Place("物料表", "品号"), source=Place("StockTransferLines", "ItemCode")))
    tables = value_at(with_board(without, site, board), site.path)["map"]["tables"]
    assert tables == [{"to": "物料表", "from": "StockTransferLines", "fields": [{"to": "品号", "from": "ItemCode"}]}]


def test_a_parameter_that_names_a_setting_changes_the_setting() -> None:
    whole = document()
    query = query_of(whole, map_sites(whole)[0])
    assert query is not None
    after = with_query(whole, query, {"entity": "PurchaseRequests", "page_size": None, "filter": "DocEntry gt 5"})
    assert after["settings"]["object"] == "PurchaseRequests"
    params = value_at(after, query.path)["with"]
    assert params == {"entity": "{{ settings.object }}", "filter": "DocEntry gt 5"}
    assert resolve(after, params["entity"]) == "PurchaseRequests"
    assert whole == document()


def test_form_code_and_snapshot() -> None:
    whole = document()
    site = map_sites(whole)[0]
    assert form_code(whole, site) == "PROC-DEMO-PR"
    after = with_form_code(whole, site, "PROC-OTHER")
    assert (after["settings"]["process_code"], form_code(after, site)) == ("PROC-OTHER", "PROC-OTHER")
    control = Control(id="x", label="金额", type=ControlType.MONEY, required=True)
    assert controls_of(with_controls(after, site, [control]), site) == (control,)


_headers = st.sampled_from(["DocDate", "DocNum", "U_X.y", "odd name", "Comments"])
_columns = st.sampled_from(["ItemCode", "Quantity"])
_through = st.lists(st.sampled_from(["trim", {"round": 2}]), max_size=2).map(tuple)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    links: dict[Place, Link] = {}
    for name in draw(st.lists(st.sampled_from(["请购人员", "单据日期", "TextField-3", "未知"]), unique=True)):
        target, kind = Place("", name), draw(st.sampled_from(["header", "detail", "value"]))
        through = draw(_through)
        if kind == "header":
            links[target] = Link(target=target, source=Place("", draw(_headers)), through=through)
        elif kind == "detail":
            source = Place("DocumentLines", draw(_columns))
            links[target] = Link(target=target, source=source, through=({"join": ","}, *through))
        else:
            value = draw(st.sampled_from([None, "", "计划请购", 7, "{{ draft.Comments or '无' }}"]))
            links[target] = Link(target=target, value=value, through=through)
    rows = {}
    for name in draw(st.lists(st.sampled_from(["品号", "需求数量"]), unique=True)):
        rows["物料表"] = "DocumentLines"
        target = Place("物料表", name)
        header = draw(st.booleans())
        source = Place("", draw(_headers)) if header else Place("DocumentLines", draw(_columns))
        links[target] = Link(target=target, source=source, through=draw(_through))
    return Board(links=links, rows=rows)


@given(boards())
def test_any_board_comes_back_from_the_document(board: Board) -> None:
    whole = document()
    site = map_sites(whole)[0]
    after = with_board(whole, site, board)
    read = read_board(after, site)
    assert dict(read.links) == dict(board.links)
    assert dict(read.rows) == dict(board.rows)
    assert with_board(after, site, read) == after


def test_a_row_kept_as_a_case_replaces_its_namesake_and_is_checked() -> None:
    whole = document()
    site = map_sites(whole)[0]
    row = {"RequesterName": "王芳", "DocDate": "2026-11-20", "Comments": None, "DocNum": 7, "DocumentLines": []}
    form = {"TextField-1": "王芳", "单据日期": "2026-11-20", "TextField-4": "无", "物料表": []}
    wrong = with_case(whole, site, name="draft 7", row=row, form={**form, "TextField-1": "别人"})
    right = with_case(wrong, site, name="draft 7", row=row, form=form)
    assert [case["name"] for case in right["cases"]] == ["kept", "draft 7"]
    assert [case["name"] for case in whole["cases"]] == ["kept"]
    complaints = {
        name: len(list(check_cases(parse_mapping(one)))) for name, one in (("right", right), ("wrong", wrong))
    }
    assert complaints["wrong"] == complaints["right"] + 1

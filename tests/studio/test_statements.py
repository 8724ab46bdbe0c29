"""A query by SQL as the designer sees it: where a change is written, what is wrong, what fields there are."""

from __future__ import annotations

from typing import Any

import pytest

from studio.designer.design import Design
from studio.designer.links import Board, Link, Place, link
from studio.designer.statement_groups import gone, statement_groups
from studio.designer.statements import (
    columns,
    placeholders,
    problems,
    role_of_setting,
    selection_of,
    source_of,
    sql_text,
    with_lines_added,
    with_lines_removed,
)
from studio.designer.suggestions import suggest
from tests.studio.test_suggestions import CONTROLS

HEADER = 'SELECT T0."DocEntry", T0."ReqName" AS Person, T0."DocDate" FROM ODRF T0 WHERE T0."U_ISSYN" = :open'
LINES = 'SELECT T1."DocEntry", T1."ItemCode", T1."Quantity" * 1 Amount FROM DRF1 T1'
ROWS = [
    {"DocEntry": 1, "Person": "张三", "DocDate": "2026-01-02", "Lines": [{"ItemCode": "A1", "Amount": 2}]},
    {"DocEntry": 2, "Person": "李四", "DocDate": None, "Lines": []},
]


def design(**params: Any) -> Design:
    read = {"statement": "{{ settings.header_sql }}", "lines": [{"statement": "{{ settings.lines_sql }}"}], **params}
    steps = [
        {"id": "drafts", "call": "db.query", "with": {k: v for k, v in read.items() if v is not None}},
        {"each": "{{ drafts }}", "as": "draft", "steps": [{"id": "form", "map": {"from": "{{ draft }}"}}]},
    ]
    settings = {"header_sql": HEADER, "lines_sql": LINES, "mark": "N"}
    document = {"id": "x", "connections": {"db": "b1-di"}, "settings": settings, "flows": {"submit": {"steps": steps}}}
    return Design(document=document, digest=None)


def read(made: Design) -> Any:
    return made.document["flows"]["submit"]["steps"][0]["with"]


def test_a_statement_that_a_setting_holds_is_shown_and_changed_there() -> None:
    made = design(parameters={"open": "{{ settings.mark }}"})
    assert made.query is not None
    now = sql_text(made.document, made.query)
    assert (now.statement, now.lines[0].statement, now.parameters) == (HEADER, LINES, {"open": "N"})
    before = read(made)
    made.set_param(("statement",), "SELECT 1")
    made.set_param((*now.lines[0].place, "statement"), "SELECT 2")
    made.set_param(("parameters", "open"), "Y")
    assert made.document["settings"] == {"header_sql": "SELECT 1", "lines_sql": "SELECT 2", "mark": "Y"}
    assert read(made) == before
    made.set_param(("parameters", "more"), 5)
    made.set_param((*now.lines[0].place, "key"), "DocEntry")
    assert read(made)["parameters"] == {"open": "{{ settings.mark }}", "more": 5}
    assert read(made)["lines"] == [{"statement": "{{ settings.lines_sql }}", "key": "DocEntry"}]
    made.set_param((*now.lines[0].place, "key"), None)
    made.set_param(("parameters", "more"), None)
    assert read(made) == before


def test_lines_come_and_go_however_they_are_written() -> None:
    made = design(lines={"statement": LINES})
    assert made.query is not None
    made.set_param(("lines", "statement"), "SELECT 3")
    assert read(made)["lines"] == {"statement": "SELECT 3"}
    made.set_param(("lines",), with_lines_added(made.document, made.query))
    assert [one.name for one in sql_text(made.document, made.query).lines] == ["Lines", "Lines2"]
    made.set_param(("lines",), with_lines_removed(made.document, made.query, 0))
    assert read(made)["lines"] == [{"name": "Lines2", "statement": ""}]
    made.set_param(("lines",), with_lines_removed(made.document, made.query, 0))
    assert "lines" not in read(made)


def test_the_other_way_of_reading_keeps_what_was_written_for_this_one() -> None:
    made = design(page_size=50)
    before = read(made)
    made.read_by("odata")
    assert read(made) == {"page_size": 50}
    made.set_query({"entity": "Drafts"})
    made.read_by("sql")
    assert read(made) == before
    made.read_by("odata")
    assert read(made) == {"entity": "Drafts", "page_size": 50}


@pytest.mark.parametrize(
    ("changes", "place", "said"),
    [
        ({"statement": "DELETE FROM ODRF"}, "statement", "只能读取"),
        ({"statement": ""}, "statement", "空的"),
        ({"statement": "{{ settings.header_sql }} OR {{ draft.x }}"}, "statement", "不能拼接"),
        ({"key": "DocNum", "lines": None}, "statement", "DocNum"),
        (
            {"lines": [{"statement": LINES}, {"name": "B", "statement": "SELECT 1;SELECT 2"}]},
            "lines[1].statement",
            "一条",
        ),
        ({"lines": [{"statement": LINES}, {"statement": LINES}]}, "lines[1].name", "Lines"),
        ({}, "parameters", "没有给出语句的参数 open"),
    ],
)
def test_what_is_wrong_is_known_by_its_place_before_anything_ran(changes: Any, place: str, said: str) -> None:
    made = design(**changes)
    assert made.query is not None
    found = problems(made.document, made.query, "hana")
    assert list(found) == [place]
    assert said in found[place][0].zh


def test_a_filter_selects_with_the_settings_filled_in() -> None:
    kind = {"entity": "Drafts", "filter": "DocObjectCode eq '22' and U_ISSYN eq {{ settings.mark | odata }}"}
    made = design(statement=None, lines=None, **kind)
    assert made.query is not None
    assert selection_of(made.document, made.query) == "DocObjectCode eq '22' and U_ISSYN eq 'N'"


def test_fields_come_from_the_statements_first_and_from_the_rows_then() -> None:
    made = design(parameters={"open": "N"})
    assert made.query is not None
    assert problems(made.document, made.query, "hana") == {}
    assert placeholders(made.document, made.query, "hana") == ["open"]
    assert source_of(made.document, made.query) == "ODRF"
    assert selection_of(made.document, made.query) == HEADER
    groups = statement_groups(columns(made.document, made.query, "hana", []), Board(), header_label="表头")
    assert [(group.name, group.label) for group in groups] == [("", "表头"), ("Lines", "Lines")]
    shown = {field.name: (field.label, field.type, field.sample) for group in groups for field in group.fields}
    assert shown["DocDate"] == ("单据日期", "date", "")
    assert shown["Person"][1:] == ("unknown", "")
    assert shown["ItemCode"] == ("品号", "text", "")
    groups = statement_groups(columns(made.document, made.query, "hana", ROWS), Board(), header_label="表头")
    shown = {field.name: (field.label, field.type, field.sample) for group in groups for field in group.fields}
    assert shown["DocDate"] == ("单据日期", "date", "2026-01-02")
    assert shown["Person"][1:] == ("text", "张三")
    assert shown["Amount"][1:] == ("integer", "2")


def test_auto_map_knows_a_field_by_the_column_behind_it_whatever_it_is_called() -> None:
    made = design(parameters={"open": "N"})
    assert made.query is not None
    groups = statement_groups(columns(made.document, made.query, "hana", []), Board(), header_label="")
    found = {item.target: item.source for item in suggest("", groups, CONTROLS, Board())}
    assert found[Place("", "申请人")] == Place("", "Person")
    assert found[Place("物料表", "品号")] == Place("Lines", "ItemCode")


def test_a_link_to_a_column_that_is_gone_is_broken_unless_nobody_can_tell() -> None:
    made = design(parameters={"open": "N"})
    assert made.query is not None
    board = link(Board(), Link(target=Place("", "备注"), source=Place("", "Comments")))
    for header, rows, lost in (
        (HEADER, [], [Place("", "Comments")]),
        (HEADER, ROWS, [Place("", "Comments")]),
        ("SELECT * FROM ODRF WHERE a = :open", [], []),
        ("SELECT * FROM ODRF WHERE a = :open", ROWS, [Place("", "Comments")]),
        ("SELEC nonsense (", [], []),
    ):
        made.set_param(("statement",), header)
        groups = statement_groups(columns(made.document, made.query, "hana", rows), board, header_label="")
        assert gone(groups) == lost


def test_a_setting_belongs_to_the_connection_whose_call_names_it() -> None:
    flows = design().document["flows"]
    assert role_of_setting(flows, "lines_sql") == "db"
    assert role_of_setting(flows, "lines") == ""

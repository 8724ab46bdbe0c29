"""The statements that are really sent, as the databases that no test can reach would get them."""

from __future__ import annotations

import pytest

from runtime.connectors.statements.binding import literal_text
from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.fields import field_list
from runtime.connectors.statements.parsing import Statement, parse_statement
from runtime.connectors.statements.shaping import (
    AFTER,
    key_field,
    key_parameter,
    limited,
    lines_of,
    page,
    with_filter_columns,
)
from runtime.errors import BadMapping


def parsed(dialect: str, text: str) -> Statement:
    return parse_statement(text, DIALECTS[dialect])


@pytest.mark.parametrize(
    ("dialect", "header", "sent"),
    [
        (
            "hana",
            'SELECT T0."DocEntry" K, T0."Name" FROM ODRF T0 ORDER BY T0."Name"',
            'SELECT TOP 3 * FROM (SELECT T0."DocEntry" AS K, T0."Name" FROM ODRF AS T0) AS b1_rows '
            'WHERE "K" >= 5 ORDER BY "K"',
        ),
        (
            "tsql",
            "WITH w AS (SELECT T.[DocEntry] AS d FROM ODRF T) SELECT TOP 9 w.d AS K FROM w ORDER BY w.d",
            "WITH w AS (SELECT T.[DocEntry] AS d FROM ODRF AS T) SELECT TOP 3 * FROM "
            "(SELECT TOP 9 w.d AS K FROM w ORDER BY w.d) AS b1_rows WHERE [K] >= 5 ORDER BY [K]",
        ),
        (
            "tsql",
            "SELECT a AS K FROM t UNION ALL SELECT b FROM u ORDER BY 1",
            "SELECT TOP 3 * FROM (SELECT a AS K FROM t UNION ALL SELECT b FROM u) AS b1_rows "
            "WHERE [K] >= 5 ORDER BY [K]",
        ),
        (
            "postgres",
            'SELECT k AS "K" FROM t LIMIT 9',
            'SELECT * FROM (SELECT k AS "K" FROM t LIMIT 9) AS b1_rows WHERE "K" >= 5 ORDER BY "K" NULLS FIRST LIMIT 3',
        ),
    ],
)
def test_a_page_is_the_statement_as_it_stands_between_two_limits(dialect: str, header: str, sent: str) -> None:
    statement = parsed(dialect, header)
    key = key_field(field_list(statement), "K", "")
    tree = page(statement, key, following=True, limit=3)
    assert literal_text(tree, statement.dialect, {AFTER: 5}) == sent


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        ("", "[K], [LineNum]"),
        ("ORDER BY T1.[VisOrder] DESC, T1.[K]", "[K], [V] DESC"),
        ("ORDER BY 3, V", "[K], [V]"),
        ("ORDER BY LineNum", "[K], [LineNum]"),
    ],
)
def test_lines_keep_their_order_and_no_column_is_named_twice(order: str, sent: str) -> None:
    statement = parsed("tsql", f"SELECT T1.[K], T1.[LineNum], T1.[VisOrder] AS V FROM DRF1 T1 {order}")
    fields = field_list(statement)
    tree = lines_of(statement, fields, key_field(fields, "K", ""), 2, "")
    text = literal_text(tree, statement.dialect, {key_parameter(0): 1, key_parameter(1): 2})
    assert text.endswith(f"AS b1_rows WHERE [K] IN (1, 2) ORDER BY {sent}")


def test_an_order_by_what_is_not_selected_is_refused() -> None:
    statement = parsed("hana", 'SELECT "K" FROM DRF1 ORDER BY "VisOrder"')
    fields = field_list(statement)
    with pytest.raises(BadMapping, match="select it too"):
        lines_of(statement, fields, key_field(fields, "K", ""), 1, "lines")


@pytest.mark.parametrize(
    ("header", "added"),
    [
        ('SELECT "K" FROM ODRF WHERE IFNULL("M", 1) = 1 AND "K" > 0', 'SELECT "K", "M" AS "M" FROM'),
        ('SELECT "K", "M" FROM ODRF WHERE "M" = 1', 'SELECT "K", "M" FROM'),
        ('SELECT * FROM ODRF WHERE "M" = 1', "SELECT * FROM"),
        ('SELECT "K" FROM ODRF WHERE "M" = 1 GROUP BY "K"', 'SELECT "K" FROM'),
        ('SELECT "K" FROM ODRF WHERE EXISTS (SELECT 1 FROM U WHERE U."M" = 1)', 'SELECT "K" FROM'),
    ],
)
def test_what_the_filter_compares_is_read_too_where_that_changes_no_row(header: str, added: str) -> None:
    assert with_filter_columns(parsed("hana", header)).text().startswith(added)


def test_a_single_statement_is_limited_unless_it_limits_itself() -> None:
    hana = DIALECTS["hana"]
    assert literal_text(limited(parsed("hana", "SELECT a FROM t")), hana, {}) == "SELECT TOP 100001 a FROM t"
    assert literal_text(limited(parsed("hana", "SELECT TOP 5 a FROM t")), hana, {}) == "SELECT TOP 5 a FROM t"
    call = parse_statement("CALL p(1)", hana, procedures=("p",))
    assert literal_text(limited(call), hana, {}) == "CALL p(1)"

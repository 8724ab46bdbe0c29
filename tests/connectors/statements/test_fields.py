"""Field lists from the statement itself, and the names that rows have."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runtime.connectors.statements.dialects import DIALECTS
from runtime.connectors.statements.fields import (
    field_list,
    main_table,
    name_rows,
    observed,
    statement_fields,
    statement_table,
)
from runtime.connectors.statements.params import StatementQuery
from runtime.connectors.statements.parsing import parse_statement
from runtime.errors import BadMapping

#: As the customer's guide has them.
ITEMS = """Select "ItemCode", "ItemName", "CstGrpCode", "FrgnName", "BuyUnitMsr", "CardCode",
       TO_VARCHAR(TO_DATE("UpdateDate"), 'YYYY-MM-DD') UpdateDate,
       TO_VARCHAR(TO_DATE("CreateDate"), 'YYYY-MM-DD') CreateDate,
       "InvntryUom", "U_SFJY", "U_CX", "U_CC" from OITM WHERE ifnull("U_SYN", 'N') = 'N'"""
BATCHES = 'select "ItemCode" from oBTN'
COMPONENTS = """Select T0."DocEntry", T1."LineNum", T1."ItemCode", T2."ItemName", T1."BaseQty", T1."wareHouse"
From OWOR T0 Left Join WOR1 T1 On T0."DocEntry" = T1."DocEntry"
Left Join OITM T2 On T1."ItemCode" = T2."ItemCode" Where T2."ManBtchNum" = 'Y'"""
CALL = "call TMDK('{0}','{1}','{2}')"
DRAFTS = """SELECT T0."DocEntry", T0."DocNum", T0."ReqName", T0."DocDate", T0."U_UserID", T0."U_BMID" FROM ODRF T0
WHERE T0."ObjType" = '1470000113' AND IFNULL(T0."U_ISSYN",'N') = 'N'"""


def test_the_statements_of_the_guide_are_understood_as_they_stand() -> None:
    items = statement_fields(ITEMS, "hana")
    assert items.names[:2] == ("ItemCode", "ItemName")
    [updated] = [field for field in items.fields if field.name == "UpdateDate"]
    assert (updated.answer, updated.table, updated.column) == ("UPDATEDATE", "OITM", "UpdateDate")
    assert [(field.table, field.name) for field in statement_fields(COMPONENTS, "hana").fields] == [
        ("OWOR", "DocEntry"), ("WOR1", "LineNum"), ("WOR1", "ItemCode"), ("OITM", "ItemName"), ("WOR1", "BaseQty"),
        ("WOR1", "wareHouse"),
    ]  # fmt: skip
    assert statement_fields(CALL, "hana", procedures=["TMDK"]).more
    assert [statement_table(text, "hana") for text in (ITEMS, BATCHES, COMPONENTS, DRAFTS)] == [
        "OITM", "OBTN", "OWOR", "ODRF",
    ]  # fmt: skip
    assert statement_fields(DRAFTS, "hana").fields[0].label == "单据内部号"


@pytest.mark.parametrize(
    ("dialect", "answer"), [("hana", "DOCENTRY"), ("postgres", "docentry"), ("tsql", "DocEntry"), ("mysql", "DocEntry")]
)
def test_a_row_is_called_as_the_statement_writes_it_whatever_the_database_answers(dialect: str, answer: str) -> None:
    fields = statement_fields("SELECT T0.x AS DocEntry, T0.y FROM ODRF T0", dialect)
    assert fields.names == ("DocEntry", "y")
    assert fields.fields[0].answer == answer
    for key in ("DOCENTRY", "docentry", "DocEntry"):
        assert name_rows(fields, [{key: 1, "Y": 2}]) == [{"DocEntry": 1, "y": 2}]


def test_names_that_differ_in_case_only_are_kept_apart() -> None:
    fields = statement_fields('SELECT "DocEntry", a AS DocEntry2, b AS "DOCENTRY" FROM ODRF', "hana")
    row = {"DocEntry": 1, "DOCENTRY2": 2, "DOCENTRY": 3}
    assert name_rows(fields, [row]) == [{"DocEntry": 1, "DocEntry2": 2, "DOCENTRY": 3}]
    assert fields.find("docentry") is None
    assert fields.find("docentry2") is not None


def test_stars_and_nameless_columns_are_known_once_it_ran() -> None:
    fields = statement_fields("SELECT *, 1 + 1, COUNT(*) FROM ODRF", "sqlite")
    assert (fields.names, fields.more, fields.unnamed) == ((), True, (2, 3))
    seen = observed(
        fields, [{"DocEntry": 1, "DocDate": "2026-01-31", "Lines": [{}]}, {"DocEntry": 2, "T": Decimal("1.5")}]
    )
    assert {field.name: (field.type, field.samples) for field in seen.fields} == {
        "DocEntry": ("integer", ("1", "2")),
        "DocDate": ("date", ("2026-01-31",)),
        "T": ("decimal", ("1.5",)),
    }
    assert not seen.more
    with pytest.raises(BadMapping, match="are called a"):
        statement_fields("SELECT a, b AS a FROM t", "sqlite")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ('SELECT a FROM "SBO"."ODRF" T0 JOIN DRF1 T1 ON T0.a = T1.a', "ODRF"),
        ("SELECT a FROM dbo.[@UDT]", "@UDT"),
        ("SELECT a FROM `ODRF`", "ODRF"),
        ("WITH w AS (SELECT a FROM odrf) SELECT a FROM w", "ODRF"),
        ("SELECT x.a FROM (SELECT a FROM ODRF) x", "ODRF"),
        ("SELECT a FROM ODRF UNION SELECT a FROM OPRQ", "ODRF"),
        ("SELECT 1 AS a", ""),
        ("not a statement", ""),
    ],
)
def test_the_main_table_names_whose_documents_the_rows_are(text: str, table: str) -> None:
    assert StatementQuery(statement=text).source == table


def test_columns_behind_subqueries_are_traced_to_their_table() -> None:
    text = "WITH w AS (SELECT T0.Comments AS note FROM ODRF T0) SELECT w.note AS remark FROM w"
    [field] = field_list(parse_statement(text, DIALECTS["sqlite"])).fields
    assert (field.table, field.column, field.label) == ("ODRF", "Comments", "备注")
    recursive = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
    assert main_table(parse_statement(recursive, DIALECTS["sqlite"])) == ""

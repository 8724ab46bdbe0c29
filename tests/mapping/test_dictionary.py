"""The dictionary: every line of its data is whole, and can be found from each of its three sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest

from runtime.mapping.dictionary import field_names, find_column, find_property, known_fields, place_of

TYPES = {"text", "integer", "decimal", "date", "time", "boolean", "enum", "table"}


def sections() -> Iterator[tuple[list[str], list[str], str, list[list[str]]]]:
    """(entity sets, tables, collection, lines) as the data has them."""
    for file in files("runtime.mapping.dictionary").joinpath("data").iterdir():
        section: tuple[list[str], list[str], str, list[list[str]]] | None = None
        for line in file.read_text("utf-8").splitlines():
            cells = [cell.strip() for cell in line.lstrip("=").split("|")]
            if line.startswith("="):
                if section:
                    yield section
                tables = [] if cells[1] == "-" else cells[1].split()
                section = (cells[0].split(), tables, "" if cells[2] == "-" else cells[2], [])
            elif line and not line.startswith("#"):
                assert section is not None, line
                section[3].append(cells)
        assert section is not None
        yield section


def test_every_line_is_whole() -> None:
    lines = [line for *_, found in sections() for line in found]
    assert len(lines) > 700
    for name, column, kind, names in lines:
        assert re.fullmatch(r"[A-Za-z]\w*", name)
        assert re.fullmatch(r"[A-Za-z]\w*|=|-", column)
        assert kind in TYPES
        listed = names.split(", ")
        assert len(set(listed)) == len(listed)
        assert all(one and one == one.strip() for one in listed)


def test_a_section_names_a_field_and_a_column_once() -> None:
    for entities, _, _, lines in sections():
        names = [name for name, *_ in lines]
        columns = [name if column == "=" else column for name, column, *_ in lines if column != "-"]
        assert len(set(names)) == len(names), entities
        assert len(set(columns)) == len(columns), entities


def test_every_field_is_found_by_its_property_and_by_its_column_in_any_case() -> None:
    for entities, tables, group, lines in sections():
        for name, column, _, names in lines:
            usual = names.split(", ")[0]
            for entity in entities:
                assert usual in field_names(entity if entity != "*" else "Orders", group, name)
            for table in tables:
                if column != "-":
                    found = find_column(table.lower(), (name if column == "=" else column).upper())
                    assert found is not None
                    assert (found.property, found.group) == (name, group)
                    assert usual in found.names


@pytest.mark.parametrize(
    ("table", "column", "name", "usual"),
    [
        ("ODRF", "DocDate", "DocDate", "单据日期"),
        ("ORDR", "CARDCODE", "CardCode", "客户代码"),
        ("opor", "CardCode", "CardCode", "供应商代码"),
        ("DRF1", "Dscription", "ItemDescription", "品名"),
        ("PRQ1", "PQTReqDate", "RequiredDate", "需求日期"),
        ("OITM", "ManBtchNum", "ManageBatchNumbers", "是否启用批次管理"),
        ("WOR1", "wareHouse", "Warehouse", "发货仓库"),
        ("OWTR", "Filler", "FromWarehouse", "从仓库"),
        ("SPP1", "ToDate", "Dateto", "结束日期"),
        ("OBTN", "DistNumber", "BatchNumber", "批次号"),
        ("ODRF", "U_ISSYN", "U_ISSYN", "同步状态"),
        ("PRQ1", "u_specifications", "U_Specifications", "规格型号"),
        ("@MYTABLE", "U_SYN", "U_SYN", "同步状态"),
    ],
)
def test_columns_of_statements_are_known(table: str, column: str, name: str, usual: str) -> None:
    found = find_column(table, column)
    assert found is not None
    assert (found.property, found.names[0]) == (name, usual)


@pytest.mark.parametrize(
    ("entity", "group", "name", "label"),
    [
        ("Drafts", "", "RequesterName", "请购人员"),
        ("PurchaseRequests", "", "DocDueDate", "有效期"),
        ("Drafts", "DocumentLines", "ItemCode", "品号"),
        ("Drafts", "DocumentLines", "FreeText", "请购原因"),
        ("Items", "", "ItemCode", "物料编号"),
        ("ProductionOrders", "ProductionOrderLines", "ItemNo", "组件编号"),
        ("Drafts", "", "DocumentLines", "单据行"),
    ],
)
def test_the_usual_name_comes_first(entity: str, group: str, name: str, label: str) -> None:
    assert field_names(entity, group, name)[0] == label


def test_what_is_not_there_is_not_known() -> None:
    assert find_column("ODRF", "NoSuchColumn") is None
    assert find_column("NOSUCH", "DocDate") is None
    assert find_property("Orders", "DocumentLines", "CardCode") is None
    assert known_fields("NoSuchSet", "NoSuchLines") == ()
    assert field_names("Drafts", "", "U_Nobody") == ()


def test_a_document_s_own_names_come_before_those_of_every_document() -> None:
    assert field_names("Orders", "", "CardCode") == ("客户代码", "客户编号", "业务伙伴代码")
    assert field_names("PurchaseOrders", "", "CardCode")[0] == "供应商代码"
    assert field_names("Drafts", "", "CardCode") == ("业务伙伴代码",)


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("ODRF", ("Drafts", "")),
        ("opor", ("PurchaseOrders", "")),
        ("RDR1", ("Orders", "DocumentLines")),
        ("OCPR", ("BusinessPartners", "ContactEmployees")),
        ("NOSUCH", ("", "")),
    ],
)
def test_a_table_has_its_place(table: str, place: tuple[str, str]) -> None:
    assert place_of(table) == place


def test_a_section_s_tables_are_those_of_its_entity_sets() -> None:
    for entities, tables, group, _ in sections():
        if "*" not in entities:
            assert len(tables) in (0, len(entities), len(entities) - 1), (entities, group)

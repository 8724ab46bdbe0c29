"""User fields, tables, objects, and the ``$metadata`` that shows them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from lxml import etree

EDM = {"v1": "http://schemas.microsoft.com/ado/2009/11/edm", "v2": "http://docs.oasis-open.org/odata/ns/edm"}


async def metadata(client: httpx.AsyncClient, version: str) -> Any:
    answer = await client.get("$metadata")
    assert answer.headers["content-type"].startswith("application/xml")
    root = etree.fromstring(answer.content)
    return root, {"e": EDM[version]}


def properties(root: Any, space: dict[str, str], type_name: str) -> dict[str, str]:
    found = root.xpath(
        f"//e:*[@Name='{type_name}'][self::e:EntityType or self::e:ComplexType]/e:Property", namespaces=space
    )
    return {node.get("Name"): node.get("Type") for node in found}


async def test_a_new_field_is_accepted_by_every_document(v1: httpx.AsyncClient) -> None:
    assert (await v1.patch("Orders(1)", json={"U_Priority": "A"})).status_code == 400
    field = {
        "TableName": "OPRQ",
        "Name": "Priority",
        "Description": "优先级",
        "Type": "db_Alpha",
        "Size": 2,
        "DefaultValue": "B",
        "ValidValuesMD": [{"Value": "A", "Description": "急"}, {"Value": "B", "Description": "一般"}],
    }
    query, everything = {"$filter": "TableName eq 'OPRQ'"}, {"Prefer": "odata.maxpagesize=0"}
    there = (await v1.get("UserFieldsMD", params=query, headers=everything)).json()["value"]
    created = await v1.post("UserFieldsMD", json=field)
    assert created.status_code == 201
    number = created.json()["FieldID"]
    assert number == max(row["FieldID"] for row in there) + 1
    assert (await v1.patch("Orders(1)", json={"U_Priority": "A"})).status_code == 204
    assert (await v1.get("Orders(1)")).json()["U_Priority"] == "A"
    assert (await v1.get("StockTransferDrafts(13)")).json()["U_Priority"] is None
    for table in ("ODRF", "ORDR", "OIGN"):
        query = {"$filter": f"TableName eq '{table}' and Name eq 'Priority'"}
        assert len((await v1.get("UserFieldsMD", params=query)).json()["value"]) == 1
    draft = {"DocObjectCode": "oPurchaseRequest", "DocumentLines": [{"ItemCode": "R10001"}]}
    assert (await v1.post("Drafts", json=draft)).json()["U_Priority"] == "B"
    assert (await v1.delete(f"UserFieldsMD(TableName='OPRQ',FieldID={number})")).status_code == 204
    assert "U_Priority" not in (await v1.get("Orders(1)")).json()
    assert (await v1.patch("Orders(1)", json={"U_Priority": "A"})).status_code == 400


@pytest.mark.parametrize(
    ("kind", "sub_type", "sent", "shown"),
    [
        ("db_Numeric", "st_None", 7, 7),
        ("db_Float", "st_Price", 12.345, 12.345),
        ("db_Date", "st_None", "2026-11-23", "2026-11-23"),
        ("db_Date", "st_Time", "13:14:45", "13:14:45"),
        ("db_Memo", "st_None", "长" * 500, "长" * 500),
    ],
)
async def test_field_types(v1: httpx.AsyncClient, kind: str, sub_type: str, sent: Any, shown: Any) -> None:
    field = {"TableName": "OITM", "Name": "Probe", "Type": kind, "SubType": sub_type}
    assert (await v1.post("UserFieldsMD", json=field)).status_code == 201
    assert (await v1.patch("Items('R10001')", json={"U_Probe": sent})).status_code == 204
    assert (await v1.get("Items('R10001')")).json()["U_Probe"] == shown


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Type": "db_Numeric", "Size": 12}, "Field size deviates from legal range [1..11]"),
        ({"Size": 255}, "Field size deviates from legal range [1..254]"),
        ({"Name": "issyn"}, "This entry already exists in the following tables (ODBC -2035)"),
        ({"Name": "U_Extra"}, "Invalid field name"),
        ({"Name": "two words"}, "Invalid field name"),
        ({"TableName": "@NONE"}, "Table definition not found for '@NONE'."),
    ],
)
async def test_bad_fields_are_refused(v1: httpx.AsyncClient, change: dict[str, Any], text: str) -> None:
    answer = await v1.post("UserFieldsMD", json={"TableName": "OPRQ", "Name": "Extra", "Type": "db_Alpha"} | change)
    assert (answer.status_code, answer.json()["error"]["message"]["value"]) == (400, text)


async def test_a_user_table_is_an_entity_set(v1: httpx.AsyncClient) -> None:
    table = {"TableName": "MES_LOG", "TableDescription": "MES log", "TableType": "bott_NoObject"}
    assert (await v1.post("UserTablesMD", json=table)).status_code == 201
    field = {"TableName": "@MES_LOG", "Name": "Result", "Type": "db_Alpha", "Size": 20}
    assert (await v1.post("UserFieldsMD", json=field)).json()["FieldID"] == 0
    row = {"Code": "1", "Name": "first", "U_Result": "合格"}
    assert (await v1.post("U_MES_LOG", json=row)).status_code == 201
    assert (await v1.get("U_MES_LOG('1')")).json()["U_Result"] == "合格"
    assert (await v1.post("UserTablesMD", json=table)).status_code == 400
    assert (await v1.delete("UserTablesMD('MES_LOG')")).status_code == 204
    assert (await v1.get("U_MES_LOG('1')")).status_code == 404


async def test_the_demo_object_is_a_document(v1: httpx.AsyncClient) -> None:
    row = (await v1.get("OIR(2)")).json()
    assert (row["Object"], row["Status"], row["U_ISSYN"]) == ("OIR", "O", "N")
    assert [line["LineId"] for line in row["OIR1Collection"]] == [1, 2]
    await v1.patch("OIR(2)", json={"U_SUCCESS": "Y", "OIR1Collection": [{"LineId": 2, "U_Quantity": 9}]})
    row = (await v1.get("OIR(2)")).json()
    assert (row["U_SUCCESS"], [line["U_Quantity"] for line in row["OIR1Collection"]]) == ("Y", [6.0, 9.0])
    assert (await v1.post("OIR(2)/Close")).status_code == 204
    assert (await v1.post("OIR(2)/Close")).status_code == 400
    assert (await v1.delete("OIR(2)")).status_code == 400


async def test_a_new_object(v1: httpx.AsyncClient) -> None:
    body = {"Code": "TOOL", "Name": "工装", "TableName": "TOOL", "ObjectType": "boud_MasterData", "CanDelete": "tYES"}
    assert (await v1.post("UserObjectsMD", json=body)).status_code == 400
    await v1.post("UserTablesMD", json={"TableName": "TOOL", "TableType": "bott_MasterData"})
    assert (await v1.post("UserObjectsMD", json=body)).status_code == 201
    assert (await v1.post("UserObjectsMD", json=body)).status_code == 400
    assert (await v1.post("TOOL", json={"Code": "T1", "Name": "夹具"})).status_code == 201
    assert (await v1.get("TOOL('T1')")).json()["Canceled"] == "N"
    assert (await v1.delete("TOOL('T1')")).status_code == 204


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_metadata_describes_what_is_answered(version: str, v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    client = v1 if version == "v1" else v2
    root, space = await metadata(client, version)
    sets = root.xpath("//e:EntitySet", namespaces=space)
    assert {"Drafts", "Orders", "OIR", "UserFieldsMD"} <= {node.get("Name") for node in sets}
    for node in sets:
        shown = properties(root, space, node.get("EntityType").removeprefix("SAPB1."))
        rows = (await client.get(node.get("Name"), headers={"Prefer": "odata.maxpagesize=0"})).json()["value"]
        for row in rows[:1]:
            assert {name for name in row if "odata." not in name} == set(shown)
    document = properties(root, space, "Document")
    assert document["DocumentLines"] == "Collection(SAPB1.DocumentLine)"
    assert document["U_ISSYN"] == "Edm.String"
    assert document["DocDate"] == ("Edm.DateTime" if version == "v1" else "Edm.DateTimeOffset")
    assert document["UpdateTime"] == ("Edm.Time" if version == "v1" else "Edm.TimeOfDay")
    keys = root.xpath("//e:EntityType[@Name='SpecialPrice']/e:Key/e:PropertyRef/@Name", namespaces=space)
    assert keys == ["ItemCode", "CardCode"]
    known = set(root.xpath("//e:EnumType/@Name | //e:ComplexType/@Name | //e:EntityType/@Name", namespaces=space))
    used = {text.removeprefix("Collection(").rstrip(")") for text in root.xpath("//e:Property/@Type", namespaces=space)}
    assert {name.removeprefix("SAPB1.") for name in used if name.startswith("SAPB1.")} <= known
    members = root.xpath("//e:EnumType[@Name='BoYesNoEnum']/e:Member", namespaces=space)
    assert [node.get("Value") for node in members] == ([None, None] if version == "v1" else ["0", "1"])


async def test_navigation_is_described_in_both_versions(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    root, space = await metadata(v1, "v1")
    path = "//e:EntityType[@Name='Document']/e:NavigationProperty[@Name='BusinessPartner']"
    relation = root.xpath(path, namespaces=space)[0].get("Relationship").removeprefix("SAPB1.")
    assert root.xpath(f"//e:Association[@Name='{relation}']", namespaces=space)
    assert root.xpath(f"//e:AssociationSet[@Name='{relation}']", namespaces=space)
    root, space = await metadata(v2, "v2")
    assert root.xpath(path, namespaces=space)[0].get("Type") == "SAPB1.BusinessPartner"


async def test_service_document_lists_the_sets(v1: httpx.AsyncClient) -> None:
    names = [entry["name"] for entry in (await v1.get("")).json()["value"]]
    assert "Drafts" in names
    assert "OIR" in names

"""``$metadata`` of both versions, and the user fields on top of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.b1_service_layer.metadata import parse_metadata
from runtime.connectors.catalog import Entity, SourceField
from runtime.errors import NotFound, RemoteFault

PROPERTIES = """
  <EnumType Name="YesNo"><Member Name="tNO"/><Member Name="tYES"/></EnumType>
  <EnumType Name="Kind"><Member Name="k_One" Value="1"/></EnumType>
  <ComplexType Name="Line" OpenType="true">
    <Property Name="LineNum" Type="Edm.Int32"/><Property Name="Quantity" Type="Edm.Double"/>
    <Property Name="BatchNumbers" Type="Collection(X1.Batch)"/><Property Name="U_Spec" Type="Edm.String"/>
  </ComplexType>
  <ComplexType Name="Batch"><Property Name="BatchNumber" Type="Edm.String"/></ComplexType>
  <EntityType Name="Document" OpenType="true">
    <Key><PropertyRef Name="DocEntry"/></Key>
    <Property Name="DocEntry" Nullable="false" Type="Edm.Int32"/><Property Name="DocDate" Type="{date}"/>
    <Property Name="DocTime" Type="{time}"/><Property Name="Printed" Type="X1.YesNo"/>
    <Property Name="Address" Type="X1.Batch"/><Property Name="U_Old" Type="Edm.String"/>
    <Property Name="DocumentLines" Type="Collection(X1.Line)"/>
    <NavigationProperty Name="BusinessPartner" {navigation}/>
  </EntityType>
  <EntityType Name="Price">
    <Key><PropertyRef Name="ItemCode"/><PropertyRef Name="CardCode"/></Key>
    <Property Name="ItemCode" Type="Edm.String"/><Property Name="CardCode" Type="Edm.String"/>
    <Property Name="Price" Type="Edm.Decimal"/>
  </EntityType>
  <EntityType Name="Udt">
    <Key><PropertyRef Name="Code"/></Key><Property Name="Code" Type="Edm.String"/>
  </EntityType>
  <EntityType Name="Special" BaseType="X1.Udt"><Property Name="Note" Type="Edm.Boolean"/></EntityType>
  <EntityContainer Name="ServiceLayer">
    <EntitySet EntityType="X1.Document" Name="Drafts"/><EntitySet EntityType="X1.Document" Name="Odd"/>
    <EntitySet EntityType="X1.Price" Name="Prices"/><EntitySet EntityType="X1.Udt" Name="U_CAR"/>
    <EntitySet EntityType="X1.Special" Name="CarObject"/>
  </EntityContainer>
"""

V1 = f"""<?xml version="1.0" encoding="UTF-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">
 <edmx:DataServices m:DataServiceVersion="3.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">
  <Schema Namespace="X1" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">
{PROPERTIES.format(date="Edm.DateTime", time="Edm.Time", navigation='Relationship="X1.FK" FromRole="a" ToRole="b"')}
  </Schema></edmx:DataServices></edmx:Edmx>""".encode()

V2 = f"""<?xml version="1.0" encoding="UTF-8"?><!-- note --><?pi x?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
  <Schema Namespace="X1" xmlns="http://docs.oasis-open.org/odata/ns/edm">
{PROPERTIES.format(date="Edm.DateTimeOffset", time="Edm.TimeOfDay", navigation='Type="X1.Udt" Partner="x"')}
  </Schema></edmx:DataServices></edmx:Edmx>""".encode()

USER_FIELDS = [
    {"TableName": "OPRQ", "FieldID": 0, "Name": "ISSYN", "Description": "同步状态", "Type": "db_Alpha",
     "ValidValuesMD": [{"Value": "N", "Description": "未同步"}, {"Value": "Y", "Description": "已同步"}]},
    {"TableName": "ODRF", "FieldID": 0, "Name": "ISSYN", "Description": "同步状态", "Type": "db_Alpha",
     "ValidValuesMD": [{"Value": "N"}, {"Value": "Y"}]},
    {"TableName": "ODRF", "FieldID": 1, "Name": "When", "Description": "时刻", "Type": "db_Date", "SubType": "st_Time"},
    {"TableName": "PRQ1", "FieldID": 0, "Name": "Spec", "Description": "规格", "Type": "db_Memo"},
    {"TableName": "OITM", "FieldID": 0, "Name": "Other", "Description": "别处", "Type": "db_Alpha"},
    {"TableName": "@CAR", "FieldID": 0, "Name": "Doors", "Description": "门数", "Type": "db_Numeric"},
]  # fmt: skip


@pytest.mark.parametrize("document", [V1, V2], ids=["v1", "v2"])
def test_sets_keys_and_properties_of_both_versions(document: bytes) -> None:
    found = parse_metadata(document)
    assert found.entities() == [
        Entity(name="CarObject", key=("Code",)),
        Entity(name="Drafts", key=("DocEntry",)),
        Entity(name="Odd", key=("DocEntry",)),
        Entity(name="Prices", key=("ItemCode", "CardCode")),
        Entity(name="U_CAR", key=("Code",)),
    ]
    assert found.key("Odd") == (("DocEntry", "integer"),)
    assert found.key("Prices") == (("ItemCode", "text"), ("CardCode", "text"))
    assert [(each.name, found.kind(each)) for each in found.of_set("Odd")] == [
        ("DocEntry", "integer"),
        ("DocDate", "date"),
        ("DocTime", "time"),
        ("Printed", "enum"),
        ("Address", "object"),
        ("U_Old", "text"),
        ("DocumentLines", "object"),
    ]
    assert [each.name for each in found.of_set("CarObject")] == ["Code", "Note"]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>Proxy Error</body></html>",
        V1[: len(V1) // 2],
        V1.replace(b"<edmx:Edmx ", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><edmx:Edmx ', 1),
        V1.replace(b"<edmx:Edmx ", b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><edmx:Edmx ', 1),
    ],
    ids=["empty", "html", "truncated", "entities", "external"],
)
def test_documents_that_are_not_metadata_are_refused(document: bytes) -> None:
    with pytest.raises(RemoteFault):
        parse_metadata(document)


def test_memory_grows_with_what_is_kept_not_with_the_document() -> None:
    """Twenty megabytes of annotations leave nothing behind; as a tree they would take a hundred."""
    program = """
import resource, sys
from runtime.connectors.b1_service_layer.metadata import parse_metadata
document = sys.stdin.buffer.read()
padded = document.replace(b"</EntityType>", b'<Annotation Term="x" String="yyyy"/>' * 150_000 + b"</EntityType>")
parse_metadata(document)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
parse_metadata(padded)
print(len(padded) // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], input=V2, capture_output=True, check=True)
    size, growth = (int(number) for number in done.stdout.split())
    assert size > 20_000
    assert growth < 8_000


@pytest.fixture
def documented(stub: Any) -> Any:
    """The stub with metadata and user fields."""
    stub.metadata = V1
    stub.sets |= {"UserFieldsMD": USER_FIELDS, "UserObjectsMD": [{"Code": "CarObject", "TableName": "CAR"}]}
    stub.keys |= {"UserFieldsMD": ("TableName", "FieldID"), "UserObjectsMD": ("Code",)}
    return stub


async def test_fields_with_user_fields_and_their_descriptions(documented: Any, connect: Any) -> None:
    fields = await (await connect()).catalog().fields("Drafts")
    assert [(each.group, each.name) for each in fields] == [
        ("", "DocEntry"),
        ("", "DocDate"),
        ("", "DocTime"),
        ("", "Printed"),
        ("", "Address"),
        ("", "U_Old"),
        ("", "U_ISSYN"),
        ("", "U_When"),
        ("DocumentLines", "LineNum"),
        ("DocumentLines", "Quantity"),
        ("DocumentLines", "BatchNumbers"),
        ("DocumentLines", "U_Spec"),
    ]
    by_name = {each.name: each for each in fields}
    assert by_name["Printed"].members == ("tNO", "tYES")
    assert by_name["U_Old"] == SourceField(name="U_Old", type="text", custom=True)
    assert by_name["U_ISSYN"] == SourceField(
        name="U_ISSYN", type="enum", label="同步状态", custom=True, members=("N", "Y")
    )
    assert by_name["U_When"].type == "time"
    assert by_name["U_Spec"] == SourceField(
        name="U_Spec", type="text", group="DocumentLines", label="规格", custom=True
    )


@pytest.mark.parametrize("entity", ["U_CAR", "CarObject"])
async def test_user_fields_of_user_tables_and_objects(documented: Any, connect: Any, entity: str) -> None:
    fields = await (await connect()).catalog().fields(entity)
    assert fields[-1] == SourceField(name="U_Doors", type="integer", label="门数", custom=True)


async def test_without_the_right_to_user_fields_the_metadata_still_serves(documented: Any, connect: Any) -> None:
    async def forbid(request: web.Request) -> web.Response | None:
        return documented.refuse(403, -1, "no right") if request.path.endswith("UserFieldsMD") else None

    documented.before = forbid
    names = [each.name for each in await (await connect()).catalog().fields("Drafts")]
    assert "U_Old" in names
    assert "U_ISSYN" not in names


async def test_metadata_is_fetched_once_for_everybody(documented: Any, connect: Any, call: Any) -> None:
    documented.sets["Odd"] = [{"DocEntry": 3}]
    documented.keys["Odd"] = ("DocEntry",)
    connection = await connect()
    catalog = connection.catalog()
    assert [each.name for each in await catalog.entities()] == ["CarObject", "Drafts", "Odd", "Prices", "U_CAR"]
    assert await call(connection, "get", entity="Odd", key="3") == {"DocEntry": 3}
    assert await call(connection, "query", entity="Odd") == [{"DocEntry": 3}]
    with pytest.raises(NotFound):
        await catalog.fields("Nothing")
    assert [path for _, path in documented.log].count("$metadata") == 1


async def test_known_sets_need_no_metadata(stub: Any, connect: Any, call: Any) -> None:
    await call(await connect(), "query", entity="Drafts")
    assert "$metadata" not in [path for _, path in stub.log]


async def test_a_server_without_metadata_can_still_be_read(stub: Any, connect: Any, call: Any) -> None:
    async def missing(request: web.Request) -> web.Response | None:
        return stub.refuse(404, -1, "Unrecognized") if request.path.endswith("$metadata") else None

    stub.before, stub.page_cap = missing, 2
    stub.sets["Odd"] = [{"Code": str(number)} for number in range(5)]
    stub.keys["Odd"] = ("Code",)
    connection = await connect()
    assert await call(connection, "query", entity="Odd") == stub.sets["Odd"]
    assert await call(connection, "get", entity="Odd", key="3") == {"Code": "3"}

"""Queries over HTTP: filters, order, selection, expansion, paging and counts."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from runtime.sandbox.b1 import B1Simulator


async def codes(client: httpx.AsyncClient, entity_set: str, key: str, **options: str) -> list[Any]:
    answer = await client.get(
        entity_set,
        params={f"${name}": text for name, text in options.items()},
        headers={"Prefer": "odata.maxpagesize=0"},
    )
    assert answer.status_code == 200, answer.text
    return [row[key] for row in answer.json()["value"]]


ITEM_FILTERS = [
    ("ItemCode eq 'R10001'", ["R10001"]),
    ("ItemCode gt 'R10008' and ItemCode lt 'S20001'", ["R10009"]),
    ("ItemCode ge 'S20001' and ItemCode le 'S20002'", ["S20001", "S20002"]),
    ("startswith(ItemCode,'F')", ["F30001", "F30002"]),
    ("endswith(ItemCode,'0009')", ["R10009"]),
    ("contains(ItemName,'电动机')", ["F30001"]),
    ("substringof('电动机',ItemName)", ["F30001"]),
    ("substringof('电动机',ItemName) eq true", ["F30001"]),
    ("startswith(ItemCode,'F') and not endswith(ItemCode,'2')", ["F30001"]),
    ("startswith(ItemCode,'F') and (ItemName eq '三相异步电动机' or QuantityOnStock lt 30)", ["F30001", "F30002"]),
    ("ManageBatchNumbers eq 'Y'", ["R10003", "R10004", "R10009"]),
    ("ManageBatchNumbers eq 'tYES' and QuantityOnStock gt 100.5", ["R10003", "R10004"]),
    ("Mainsupplier eq null and SalesItem eq 'tYES'", ["F30001", "F30002"]),
    ("SalesItem eq 'tYES' and Mainsupplier ne null", []),
    ("Mainsupplier ne 'V1001' and startswith(ItemCode,'S')", []),
    ("not (Mainsupplier eq 'V1001') and startswith(ItemCode,'S')", []),
    ("'F30001' eq ItemCode", ["F30001"]),
    ("QuantityOnStock lt MinInventory and startswith(ItemCode,'R')", ["R10002", "R10003", "R10007", "R10008"]),
]


@pytest.mark.parametrize(("text", "expected"), ITEM_FILTERS)
async def test_filters(v1: httpx.AsyncClient, text: str, expected: list[str]) -> None:
    assert await codes(v1, "Items", "ItemCode", filter=text) == expected


async def test_filters_mean_the_same_in_v2(v2: httpx.AsyncClient) -> None:
    for text, expected in ITEM_FILTERS:
        assert await codes(v2, "Items", "ItemCode", filter=text) == expected


@pytest.mark.parametrize(
    "literal", ["'2026-11-20'", "datetime'2026-11-20T00:00:00'", "2026-11-20", "2026-11-20T00:00:00Z", "'20261120'"]
)
async def test_dates_in_every_spelling(v1: httpx.AsyncClient, literal: str) -> None:
    assert await codes(v1, "Drafts", "DocEntry", filter=f"DocDate eq {literal} and DocObjectCode eq '1470000113'") == [
        1,
        2,
    ]
    assert await codes(v1, "Drafts", "DocEntry", filter=f"DocDate le {literal}") == [1, 2, 15]


async def test_increments_by_date_and_time(v1: httpx.AsyncClient, clock: Any) -> None:
    clock.advance(minutes=5)
    await v1.patch("Items('R10001')", json={"User_Text": "checked"})
    changed = "UpdateDate gt '2026-11-23' or (UpdateDate eq '2026-11-23' and UpdateTime ge '11:15:00')"
    assert await codes(v1, "Items", "ItemCode", filter=changed) == ["R10001"]
    row = (await v1.get("Items('R10001')")).json()
    assert (row["UpdateDate"], row["UpdateTime"]) == ("2026-11-23", "11:19:45")


async def test_enums_by_name_and_value_come_back_as_names(v1: httpx.AsyncClient) -> None:
    for literal in ("'1470000113'", "'oPurchaseRequest'", "SAPB1.BoObjectTypes'oPurchaseRequest'"):
        answer = await v1.get("Drafts", params={"$filter": f"DocObjectCode eq {literal} and U_ISSYN eq 'N'"})
        rows = answer.json()["value"]
        assert len(rows) == 8
        assert {row["DocObjectCode"] for row in rows} == {"oPurchaseRequest"}
        assert {row["AuthorizationStatus"] for row in rows} == {"dasPending"}
    assert await codes(v1, "ProductionOrders", "AbsoluteEntry", filter="ProductionOrderStatus eq 'R'") == [1, 2]
    requests = "ObjectType eq '1470000113' and Status eq 'arsPending'"
    assert len(await codes(v1, "ApprovalRequests", "Code", filter=requests)) == 8


async def test_case_can_be_ignored(v1: httpx.AsyncClient) -> None:
    query = {"$filter": "UserCode eq 'MANAGER'"}
    assert (await v1.get("Users", params=query)).json()["value"] == []
    found = await v1.get("Users", params=query, headers={"B1S-CaseInsensitive": "true"})
    assert [row["InternalKey"] for row in found.json()["value"]] == [1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$filter=Nonsense eq 1", -1000),
        ("$filter=ItemCode eq", -1000),
        ("$filter=ItemCode like 'a'", -1000),
        ("$filter=(ItemCode eq 'a'", -1000),
        ("$filter=ItemCode eq 'a' 'b'", -1000),
        ("$filter=QuantityOnStock gt 'much'", -1000),
        ("$filter=ManageBatchNumbers eq 'maybe'", -1000),
        ("$filter=ItemPrices eq 1", -1000),
        ("$filter=" + "(" * 5000, -1000),
        ("$orderby=Nonsense", -1000),
        ("$orderby=ItemCode sideways", -1000),
        ("$select=ItemCode,Nonsense", -1000),
        ("$select=ItemPrices/Price", -1000),
        ("$top=many", -1000),
        ("$top=²", -1000),
        ("$filter=QuantityOnStock gt 1e", -1000),
        ("$expand=ItemPrices", 201),
    ],
)
async def test_bad_options_are_refused(v1: httpx.AsyncClient, query: str, code: int) -> None:
    answer = await v1.get(f"Items?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_every_property_is_shown_nulls_included(v1: httpx.AsyncClient) -> None:
    row = (await v1.get("Drafts(1)")).json()
    assert row["U_instanceID"] is None
    assert row["CardCode"] is None
    assert (row["DocTotal"], row["VatSum"]) == (35979.2, 4139.2)
    assert [line["LineNum"] for line in row["DocumentLines"]] == [0, 1]
    assert row["DocumentLines"][0]["BatchNumbers"] == []
    assert row["DocumentLines"][0]["U_CardShortName"] == "申力电工"
    assert re.fullmatch(r'W/"[0-9A-F]{40}"', row["odata.etag"])
    assert row["odata.metadata"].endswith("$metadata#Drafts/@Element")


async def test_dates_by_version(v1: httpx.AsyncClient, v2: httpx.AsyncClient, simulator: B1Simulator) -> None:
    assert (await v1.get("Drafts(1)")).json()["DocDate"] == "2026-11-20"
    second = (await v2.get("Drafts(1)")).json()
    assert second["DocDate"] == "2026-11-20T00:00:00Z"
    assert second["DocumentLines"][0]["RequiredDate"] == "2026-12-04T00:00:00Z"
    assert second["DocTime"] == "11:14:45"
    assert "odata.etag" not in second
    assert "@odata.etag" in second
    simulator.show_long_dates_in_v1(True)
    assert (await v1.get("Drafts(1)")).json()["DocDate"] == "2026-11-20T00:00:00Z"


async def test_select_limits_the_header_but_never_the_lines(v1: httpx.AsyncClient) -> None:
    rows = (await v1.get("Drafts", params={"$select": "DocEntry,DocumentLines", "$top": "2"})).json()["value"]
    assert [set(row) for row in rows] == [{"odata.etag", "DocEntry", "DocumentLines"}] * 2
    assert "Quantity" in rows[0]["DocumentLines"][0]
    single = (await v1.get("Drafts(1)", params={"$select": "RequesterName"})).json()
    assert single["RequesterName"] == "张三"
    assert "DocEntry" not in single


async def test_order(v1: httpx.AsyncClient) -> None:
    assert (await codes(v1, "Drafts", "DocEntry", orderby="DocEntry desc"))[:2] == [17, 16]
    by_price = await codes(v1, "Items", "ItemCode", orderby="AvgStdPrice desc,ItemCode")
    assert by_price[:3] == ["F30002", "F30001", "R10009"]
    assert (await codes(v1, "Items", "ItemCode", orderby="Mainsupplier,ItemCode desc"))[0] == "S20002"
    assert (await codes(v1, "Items", "ItemCode", orderby="Mainsupplier desc"))[0] == "R10007"


async def test_expand_shows_the_partner(v1: httpx.AsyncClient) -> None:
    query = "Orders(1)?$expand=BusinessPartner($select=CardName)&$select=DocEntry,BusinessPartner"
    row = (await v1.get(query)).json()
    assert row["BusinessPartner"]["CardName"] == "南京中远输送设备有限公司"
    assert set(row["BusinessPartner"]) == {"odata.etag", "CardName"}
    request = (await v1.get("ApprovalRequests(1)?$expand=User")).json()
    assert request["User"]["UserCode"] == "zhangsan"
    refused = await v1.get("Orders?$expand=DocumentLines")
    text = "Cannot expand invalid navigation property 'DocumentLines' for entity type 'Document'"
    assert refused.json()["error"]["message"]["value"] == text


async def test_paging_follows_relative_links(v1: httpx.AsyncClient) -> None:
    query = "Items?$filter=QuantityOnStock%20gt%201&$select=ItemCode"
    answer = (await v1.get(query, headers={"Prefer": "odata.maxpagesize=5"})).json()
    assert answer["odata.nextLink"] == f"{query}&$skip=5"
    seen = [row["ItemCode"] for row in answer["value"]]
    while "odata.nextLink" in answer:
        answer = (await v1.get(answer["odata.nextLink"], headers={"Prefer": "odata.maxpagesize=5"})).json()
        seen += [row["ItemCode"] for row in answer["value"]]
    assert seen == await codes(v1, "Items", "ItemCode")
    assert len(seen) == 14


async def test_pages_hold_twenty_unless_told_otherwise(v2: httpx.AsyncClient) -> None:
    answer = (await v2.get("UserFieldsMD")).json()
    assert len(answer["value"]) == 20
    assert answer["@odata.nextLink"] == "UserFieldsMD?$skip=20"
    assert len((await v2.get("UserFieldsMD?$maxpagesize=50")).json()["value"]) == 20
    everything = (await v2.get("UserFieldsMD", headers={"Prefer": "odata.maxpagesize=0"})).json()
    assert len(everything["value"]) > 400
    assert "@odata.nextLink" not in everything


async def test_top_is_honoured_across_pages(v1: httpx.AsyncClient) -> None:
    headers = {"Prefer": "odata.maxpagesize=4"}
    first = (await v1.get("Items?$top=6&$select=ItemCode", headers=headers)).json()
    assert first["odata.nextLink"] == "Items?$top=2&$select=ItemCode&$skip=4"
    second = (await v1.get(first["odata.nextLink"], headers=headers)).json()
    assert len(second["value"]) == 2
    assert "odata.nextLink" not in second
    whole = (await v1.get("Items?$top=4", headers=headers)).json()
    assert "odata.nextLink" not in whole
    exact = (await v1.get("Items?$skip=10", headers=headers)).json()
    assert len(exact["value"]) == 4
    assert "odata.nextLink" not in exact


async def test_counts_in_both_spellings(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    for option in ("$inlinecount=allpages", "$count=true"):
        assert (await v1.get(f"Items?{option}&$top=1")).json()["odata.count"] == "14"
        assert (await v2.get(f"Items?{option}&$top=1")).json()["@odata.count"] == 14
    plain = await v1.get("Items/$count", params={"$filter": "startswith(ItemCode,'F')"})
    assert (plain.text, plain.headers["content-type"].split(";")[0]) == ("2", "text/plain")
    assert (await v1.get("Items/$count")).text == "14"


async def test_count_with_an_unknown_field_breaks_the_proxy(v1: httpx.AsyncClient) -> None:
    answer = await v1.get("Items/$count?$filter=Nonsense eq 1")
    assert answer.status_code == 502
    assert "Proxy Error" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_content_types(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    expected = "application/json;odata.metadata=minimal;charset=utf-8"
    assert (await v2.get("Items")).headers["content-type"] == expected
    assert (await v1.get("Items")).headers["content-type"].startswith("application/json;odata=minimalmetadata")

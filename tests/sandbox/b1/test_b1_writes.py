"""Creating, changing, deleting: the measured rules for lines, entity tags, refusals, actions."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.b1.merging import merge
from runtime.sandbox.b1.schema import build_schema

REPLACE = {"B1S-ReplaceCollectionsOnPatch": "true"}
DOCUMENT = build_schema([], [], []).types["Document"]


async def lines(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    return list((await client.get(path)).json()["DocumentLines"])


async def new_order(client: httpx.AsyncClient) -> str:
    body = {
        "CardCode": "C2001",
        "DocumentLines": [
            {"ItemCode": "F30001", "Quantity": 2, "UnitPrice": 680, "FreeText": "first"},
            {"ItemCode": "F30002", "Quantity": 1, "UnitPrice": 835.5},
            {"ItemCode": "F30001", "Quantity": 3, "UnitPrice": 680},
        ],
    }
    answer = await client.post("Orders", json=body)
    assert answer.status_code == 201, answer.text
    return f"Orders({answer.json()['DocEntry']})"


async def test_a_new_document_is_completed(v1: httpx.AsyncClient) -> None:
    order = (await v1.get(await new_order(v1))).json()
    assert (order["DocNum"], order["DocEntry"], order["UserSign"]) == (4, 4, 1)
    assert order["CardName"] == "南京中远输送设备有限公司"
    assert (order["DocDate"], order["DocumentStatus"], order["U_ISSYN"]) == ("2026-11-23", "bost_Open", "N")
    assert (order["DocTotal"], order["VatSum"]) == (4786.12, 550.62)
    assert [(line["LineNum"], line["VisualOrder"], line["DocEntry"]) for line in order["DocumentLines"]] == [
        (0, 0, 4),
        (1, 1, 4),
        (2, 2, 4),
    ]
    assert order["DocumentLines"][1]["ItemDescription"] == "蜗轮蜗杆减速机"


async def test_post_without_content(v1: httpx.AsyncClient) -> None:
    body = {"ItemCode": "R90001", "ItemName": "垫片"}
    answer = await v1.post("Items", json=body, headers={"Prefer": "return-no-content"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["location"].endswith("/b1/b1s/v1/Items('R90001')")


@pytest.mark.parametrize("replace", [False, True])
async def test_a_known_line_number_updates_that_line(v1: httpx.AsyncClient, replace: bool) -> None:
    path = await new_order(v1)
    body = {"DocumentLines": [{"LineNum": 0, "Quantity": 9}]}
    answer = await v1.patch(path, json=body, headers=REPLACE if replace else {})
    assert (answer.status_code, answer.content) == (204, b"")
    after = await lines(v1, path)
    assert (after[0]["Quantity"], after[0]["FreeText"]) == (9.0, "first")
    assert [line["LineNum"] for line in after] == ([0] if replace else [0, 1, 2])


@pytest.mark.parametrize("replace", [False, True])
async def test_a_new_line_number_is_appended(v1: httpx.AsyncClient, replace: bool) -> None:
    path = await new_order(v1)
    body = {"DocumentLines": [{"LineNum": 7, "ItemCode": "F30002", "Quantity": 4}]}
    await v1.patch(path, json=body, headers=REPLACE if replace else {})
    after = await lines(v1, path)
    assert [line["LineNum"] for line in after] == ([7] if replace else [0, 1, 2, 7])
    assert after[-1]["ItemDescription"] == "蜗轮蜗杆减速机"
    assert after[-1]["U_ItemType"] == "2"


async def test_line_numbers_keep_gaps_and_the_visual_order_does_not(v1: httpx.AsyncClient) -> None:
    path = await new_order(v1)
    await v1.patch(path, json={"DocumentLines": [{"LineNum": 0}, {"LineNum": 2}]}, headers=REPLACE)
    assert [(line["LineNum"], line["VisualOrder"]) for line in await lines(v1, path)] == [(0, 0), (2, 1)]
    assert (await v1.get(path)).json()["DocTotal"] == 3842.0


async def test_an_entry_without_a_number_overwrites_by_position(v1: httpx.AsyncClient) -> None:
    path = await new_order(v1)
    await v1.patch(path, json={"DocumentLines": [{"ItemCode": "F30002", "Quantity": 5}]})
    after = await lines(v1, path)
    assert [line["LineNum"] for line in after] == [0, 1, 2]
    assert (after[0]["ItemCode"], after[0]["Quantity"], after[0]["FreeText"]) == ("F30002", 5.0, "first")


async def test_an_absent_collection_is_untouched(v1: httpx.AsyncClient) -> None:
    path = await new_order(v1)
    before = await lines(v1, path)
    await v1.patch(path, json={"Comments": "改期"}, headers=REPLACE)
    assert await lines(v1, path) == before


async def test_other_collections_append(v1: httpx.AsyncClient) -> None:
    path = "BusinessPartners('C2001')"
    await v1.patch(path, json={"ContactEmployees": [{"Name": "王工"}]})
    people = (await v1.get(path)).json()["ContactEmployees"]
    assert [(person["Name"], person["InternalCode"]) for person in people] == [("郑涛", 1), ("王工", 2)]
    await v1.patch(path, json={"ContactEmployees": [{"InternalCode": 2, "Name": "王工程师"}]}, headers=REPLACE)
    people = (await v1.get(path)).json()["ContactEmployees"]
    assert [person["Name"] for person in people] == ["王工程师"]


async def test_components_are_known_by_child_number(v1: httpx.AsyncClient) -> None:
    await v1.patch("ProductTrees('F30002')", json={"ProductTreeLines": [{"ChildNum": 2, "Quantity": 5}]})
    tree = (await v1.get("ProductTrees('F30002')")).json()
    assert [line["Quantity"] for line in tree["ProductTreeLines"]] == [1.0, 1.0, 5.0, 2.0]


async def test_validity_areas_of_special_prices(v1: httpx.AsyncClient) -> None:
    path = "SpecialPrices(ItemCode='F30001',CardCode='C2001')"
    area = {"DateFrom": "2027-09-01", "Dateto": "20271231", "SpecialPrice": "650.25", "PriceCurrency": "RMB"}
    assert (await v1.patch(path, json={"SpecialPriceDataAreas": [area]})).status_code == 204
    areas = (await v1.get(path)).json()["SpecialPriceDataAreas"]
    assert [(area["RowNumber"], area["SpecialPrice"], area["BPCode"]) for area in areas] == [
        (0, 665.0, "C2001"),
        (1, 650.25, "C2001"),
    ]
    assert areas[1]["Dateto"] == "2027-12-31"


async def test_entity_tags(v1: httpx.AsyncClient) -> None:
    tag = (await v1.get("Items('R10001')")).json()["odata.etag"]
    first = await v1.patch("Items('R10001')", json={"User_Text": "a"}, headers={"If-Match": tag})
    assert first.status_code == 204
    stale = await v1.patch("Items('R10001')", json={"User_Text": "b"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, -2039)
    assert (await v1.get("Items('R10001')")).json()["User_Text"] == "a"
    assert (await v1.patch("Items('R10001')", json={"User_Text": "c"}, headers={"If-Match": "*"})).status_code == 204
    assert (await v1.patch("Items('R10001')", json={"User_Text": "d"})).status_code == 204
    stale_delete = await v1.delete("Items('R10001')", headers={"If-Match": tag})
    assert stale_delete.status_code == 412


@pytest.mark.parametrize(
    ("verb", "path", "body", "code"),
    [
        ("PATCH", "Drafts(1)", {"Nonsense": 1}, -1000),
        ("PATCH", "Drafts(1)", {"U_ISSYNC": "Y"}, -1000),
        ("PATCH", "Drafts(1)", {"DocumentLines": [{"LineNum": 0, "U_None": "x"}]}, -1000),
        ("PATCH", "Drafts(1)", {"U_UserID": "x" * 65}, -5002),
        ("PATCH", "Drafts(1)", {"Comments": "长" * 255}, -5002),
        ("PATCH", "Drafts(1)", {"U_ISSYN": "X"}, -5002),
        ("PATCH", "Drafts(1)", {"DocDate": "not a date"}, -1000),
        ("PATCH", "Drafts(1)", {"DocDate": "2026-02-30"}, -1000),
        ("PATCH", "Drafts(1)", {"RequesterDepartment": "many"}, -1000),
        ("PATCH", "Drafts(1)", {"Confirmed": "perhaps"}, -1000),
        ("PATCH", "Drafts(1)", {"DocumentLines": {"LineNum": 0}}, -1000),
        ("PATCH", "Drafts(1)", {"Comments": ["list"]}, -1000),
        ("PATCH", "Drafts(1)", {"DocumentLines": [{"ItemCode": "NOSUCH"}]}, -5002),
        ("PATCH", "Drafts(1)", [], 206),
        ("POST", "Drafts", {"DocumentLines": []}, -5002),
        ("POST", "Orders", {"CardCode": "NOSUCH"}, -5002),
        ("POST", "Items", {"ItemName": "without code"}, -1000),
        ("POST", "Items", {"ItemCode": "R10001"}, -2035),
        ("POST", "BusinessPartners", {"CardCode": "C2001"}, -10),
        ("POST", "Items", [], -1000),
        ("POST", "ApprovalRequests", {}, -5006),
        ("DELETE", "Orders(1)", None, -5006),
        ("POST", "ProductionOrders", {"ItemNo": "F30001", "PlannedQuantity": 0}, -5002),
        ("POST", "ProductTrees", {"TreeCode": "NOSUCH"}, -5002),
    ],
)
async def test_refused_writes_change_nothing(v1: httpx.AsyncClient, verb: str, path: str, body: Any, code: int) -> None:
    entity_set = path.split("(", maxsplit=1)[0]
    before = (await v1.get(entity_set)).json()
    answer = await v1.request(verb, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), answer.text
    assert (await v1.get(entity_set)).json() == before


async def test_malformed_json_and_missing_records(v1: httpx.AsyncClient) -> None:
    bad = await v1.patch("Drafts(1)", content=b"{oops", headers={"Content-Type": "application/json"})
    assert bad.json()["error"] == {"code": 206, "message": {"lang": "en-us", "value": "Bad patch content."}}
    for verb in ("GET", "PATCH", "DELETE"):
        answer = await v1.request(verb, "Drafts(4711)", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, -2028)
    assert (await v1.put("Items('R10001')", json={})).status_code == 405


async def test_values_are_cleared_with_null_and_read_only_ones_are_ignored(v1: httpx.AsyncClient) -> None:
    await v1.patch("Drafts(1)", json={"Comments": None, "DocTotal": 1, "DocEntry": 77, "U_ApprovalDate": "20261123"})
    draft = (await v1.get("Drafts(1)")).json()
    assert (draft["Comments"], draft["DocEntry"], draft["U_ApprovalDate"]) == (None, 1, "2026-11-23")


async def test_deleting_a_draft_takes_its_approval_request_along(v1: httpx.AsyncClient) -> None:
    assert (await v1.delete("Drafts(2)")).status_code == 204
    assert (await v1.get("Drafts(2)")).status_code == 404
    assert (await v1.get("ApprovalRequests?$filter=DraftEntry eq 2")).json()["value"] == []


async def test_orders_close_and_cancel_once(v1: httpx.AsyncClient) -> None:
    assert (await v1.post("Orders(1)/Close")).status_code == 204
    order = (await v1.get("Orders(1)")).json()
    assert (order["DocumentStatus"], order["Cancelled"]) == ("bost_Close", "tNO")
    assert {line["LineStatus"] for line in order["DocumentLines"]} == {"bost_Close"}
    again = await v1.post("Orders(1)/Cancel")
    assert (again.status_code, again.json()["error"]["message"]["value"]) == (400, "Document is already closed")
    assert (await v1.post("Orders(1)/Reopen")).status_code == 204
    assert (await v1.post("Orders(1)/Cancel")).status_code == 204
    assert (await v1.get("Orders(1)")).json()["CancelStatus"] == "csYes"
    assert (await v1.post("Orders(99)/Close")).status_code == 404
    assert (await v1.post("Orders(2)/Explode")).status_code == 404


async def test_production_orders_walk_their_states(v1: httpx.AsyncClient) -> None:
    created = (await v1.post("ProductionOrders", json={"ItemNo": "S20001", "PlannedQuantity": 4})).json()
    path = f"ProductionOrders({created['AbsoluteEntry']})"
    assert [(line["ItemNo"], line["PlannedQuantity"]) for line in created["ProductionOrderLines"]] == [
        ("R10004", 38.0),
        ("R10003", 7.4),
    ]
    assert (await v1.patch(path, json={"ProductionOrderStatus": "boposClosed"})).status_code == 400
    assert (await v1.patch(path, json={"ProductionOrderStatus": "R"})).status_code == 204
    assert (await v1.get(path)).json()["ProductionOrderStatus"] == "boposReleased"
    assert (await v1.post(f"{path}/Cancel")).status_code == 204
    assert (await v1.post(f"{path}/Cancel")).status_code == 400


async def test_receipts_from_production_need_no_item_code(v1: httpx.AsyncClient) -> None:
    line = {"BaseType": 202, "BaseEntry": 1, "Quantity": 5, "WarehouseCode": "02"}
    receipt = await v1.post("InventoryGenEntries", json={"DocumentLines": [line]})
    assert receipt.json()["DocumentLines"][0]["ItemCode"] == "F30001"
    issue = await v1.post("InventoryGenExits", json={"DocumentLines": [{**line, "BaseLine": 0}]})
    assert issue.json()["DocumentLines"][0]["ItemCode"] == "S20001"
    order = (await v1.get("ProductionOrders(1)")).json()
    assert (order["CompletedQuantity"], order["ProductionOrderLines"][0]["IssuedQuantity"]) == (15.0, 17.0)
    planned = await v1.post("InventoryGenEntries", json={"DocumentLines": [{**line, "BaseEntry": 3}]})
    assert planned.status_code == 400


async def test_batch_managed_items_need_complete_batches(v1: httpx.AsyncClient) -> None:
    line: dict[str, Any] = {"ItemCode": "R10003", "Quantity": 10}
    refused = await v1.post("InventoryGenEntries", json={"DocumentLines": [line]})
    text = "Cannot add row without complete selection of batch/serial numbers"
    assert refused.json()["error"]["message"]["value"] == text
    line["BatchNumbers"] = [{"BatchNumber": "20261123-01", "Quantity": 10, "AddmisionDate": "20261123"}]
    created = await v1.post("InventoryGenEntries", json={"DocumentLines": [line]})
    assert created.json()["DocumentLines"][0]["BatchNumbers"][0]["AddmisionDate"] == "2026-11-23"


async def test_amounts_keep_their_cents(v1: httpx.AsyncClient) -> None:
    body = {"CardCode": "C2001", "DocumentLines": [{"ItemCode": "F30001", "Quantity": 3, "UnitPrice": 0.105}]}
    answer = await v1.post("Orders", json=body)
    assert b'"UnitPrice":0.105' in answer.content
    assert b'"LineTotal":0.32' in answer.content
    assert b'"Quantity":3.0' in answer.content


NUMBERED = st.lists(st.integers(0, 9), unique=True, max_size=6)


@given(there=NUMBERED, sent=NUMBERED, replace=st.booleans())
def test_numbered_lines_meet_by_number(there: list[int], sent: list[int], replace: bool) -> None:
    row = {"DocumentLines": [{"LineNum": number, "FreeText": "old"} for number in there]}
    changes = {"DocumentLines": [{"LineNum": number, "ItemCode": "new"} for number in sent]}
    after = merge(row, changes, DOCUMENT, replace=replace)["DocumentLines"]
    kept = [number for number in there if not replace or number in sent]
    assert [line["LineNum"] for line in after] == kept + [number for number in sent if number not in there]
    assert {line["LineNum"] for line in after if line.get("ItemCode") == "new"} == set(sent)
    assert all(line.get("FreeText") == "old" for line in after if line["LineNum"] in there)
    assert [line["VisualOrder"] for line in after] == list(range(len(after)))
    assert row["DocumentLines"] == [{"LineNum": number, "FreeText": "old"} for number in there]


@given(there=st.integers(0, 5), sent=st.integers(0, 8))
def test_unnumbered_lines_meet_by_position(there: int, sent: int) -> None:
    row = {"DocumentLines": [{"LineNum": number, "ItemCode": "old"} for number in range(there)]}
    changes = {"DocumentLines": [{"ItemCode": "new"} for _ in range(sent)]}
    after = merge(row, changes, DOCUMENT, replace=False)["DocumentLines"]
    assert [line["LineNum"] for line in after] == list(range(max(there, sent)))
    assert [line["ItemCode"] for line in after] == ["new"] * sent + ["old"] * max(0, there - sent)

"""Two companies in one sandbox that know nothing of each other; attachments; and the sets that the OA flows use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.demo import B1_SECOND_COMPANY, USERS
from runtime.sandbox.storage import Storage

LOGIN = {"CompanyDB": "SBODEMOCN", "UserName": "manager", "Password": "manager"}
SECOND = LOGIN | {"CompanyDB": B1_SECOND_COMPANY}


async def test_a_login_chooses_the_company_and_the_session_keeps_it(
    v1: httpx.AsyncClient, connect: Callable[..., httpx.AsyncClient], address: str, simulator: B1Simulator
) -> None:
    second = connect("v1")
    assert (await second.post("Login", json=SECOND)).status_code == 200
    drafts = (await second.get("Drafts")).json()["value"]
    assert [draft["Comments"] for draft in drafts] == ["二厂：轴承备料", "二厂：纸箱补库"]
    first_before = simulator.rows("Drafts")
    assert (await second.patch("Drafts(1)", json={"U_ISSYN": "Y"})).status_code == 204
    assert (await second.patch("ApprovalRequests(1)", json={"Remarks": "二厂"})).status_code == 204
    assert simulator.rows("Drafts") == first_before
    assert simulator.find("ApprovalRequests", 1) != simulator.find("ApprovalRequests", 1, B1_SECOND_COMPANY)
    assert (await v1.get("Drafts(1)")).json()["U_ISSYN"] == "N"
    assert (await v1.get("BusinessPartners('C9001')")).status_code == 404
    field = {"TableName": "OITM", "Name": "OnlyHere", "Type": "db_Alpha", "Size": 5}
    assert (await second.post("UserFieldsMD", json=field)).status_code == 201
    assert (await second.patch("Items('R10001')", json={"U_OnlyHere": "x"})).status_code == 204
    assert (await v1.patch("Items('R10001')", json={"U_OnlyHere": "x"})).status_code == 400
    assert (await second.post("Login", json=LOGIN | {"CompanyDB": "SBODEMO3"})).json()["error"]["code"] == -306
    async with httpx.AsyncClient(base_url=f"{address}/b1/b1dis/v1/", trust_env=False, timeout=30) as gateway:
        statement = {"Sql": 'select "DocEntry" from ODRF where "U_ISSYN" = \'Y\' and "CANCELED" = \'N\''}
        assert (await gateway.post("Login", json=SECOND)).status_code == 200
        assert (await gateway.post("exec-sql", json=statement)).json()["data"]["value"] == [{"DocEntry": 1}]
        qualified = {"Sql": f'select count(*) n from "{B1_SECOND_COMPANY}".ODRF'}
        assert (await gateway.post("exec-sql", json=qualified)).json()["data"]["value"] == [{"N": 2}]
        elsewhere = {"Sql": 'select count(*) n from "SBODEMOCN".ODRF'}
        assert (await gateway.post("exec-sql", json=elsewhere)).status_code == 400
        assert (await gateway.post("Login", json=LOGIN)).status_code == 200
        assert {"DocEntry": 1} not in (await gateway.post("exec-sql", json=statement)).json()["data"]["value"]
    simulator.expire_sessions()
    assert (await second.get("Drafts")).status_code == (await v1.get("Drafts")).status_code == 401


def test_a_restart_finds_both_companies(tmp_path: Path, clock: Any) -> None:
    def everything(simulator: B1Simulator) -> dict[str, Any]:
        companies = simulator.companies()
        return {f"{c}.{name}": simulator.rows(name, c) for c in companies for name in simulator.entity_sets()}

    with Storage(tmp_path / "sandbox.db") as storage:
        first = B1Simulator(storage, clock=clock)
        first.seed()
        first.generate_drafts(2, company=B1_SECOND_COMPANY)
        before = everything(first)
    with Storage(tmp_path / "sandbox.db") as storage:
        second = B1Simulator(storage, clock=clock)
        second.seed()
        assert everything(second) == before
        assert len(second.rows("Drafts", B1_SECOND_COMPANY)) == 4
        assert second.service.sql.run("select count(*) N from ODRF").rows == [{"N": 18}]


async def test_files_are_kept_and_read_back_by_name(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    entry = (await v1.get("Drafts(1)")).json()["AttachmentEntry"]
    lines = (await v1.get(f"Attachments2({entry})")).json()["Attachments2_Lines"]
    assert [f"{line['FileName']}.{line['FileExtension']}" for line in lines] == ["采购说明.txt", "quotation.pdf"]
    text = await v1.get(f"Attachments2({entry})/$value")
    assert text.content.decode().startswith("采购说明\r\n")
    pdf = await v1.get(f"Attachments2({entry})/$value?filename='quotation.pdf'")
    assert (pdf.content[:8], pdf.headers["content-type"]) == (b"%PDF-1.4", "application/pdf")
    content = b"\x89PNG\r\n\r\n--x\r\n\x00\x00" + bytes(range(256))
    files = [("files", ("图纸 1.png", content, "image/png")), ("files", ("it's.txt", b"", "text/plain"))]
    created = await v2.post("Attachments2", files=files)
    assert created.status_code == 201, created.text
    number = created.json()["AbsoluteEntry"]
    assert [line["LineNum"] for line in created.json()["Attachments2_Lines"]] == [1, 2]
    assert (await v1.get(f"Attachments2({number})/$value", params={"filename": "'图纸 1.png'"})).content == content
    assert (await v1.get(f"Attachments2({number})/$value", params={"filename": "'it''s.txt'"})).content == b""
    assert (await v1.get(f"Attachments2({number})/$value?filename='other.pdf'")).status_code == 404
    assert (await v1.get("Attachments2(99)/$value")).status_code == 404
    assert (await v1.post("Attachments2", files=[("files", ("nameless", b"x", "text/plain"))])).status_code == 400
    made = await v1.post("Attachments2", json={"Attachments2_Lines": [{"FileName": "a", "FileExtension": "pdf"}]})
    lost = await v1.get(f"Attachments2({made.json()['AbsoluteEntry']})/$value")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, 404)


async def test_what_the_flows_of_the_oas_start_from(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    kinds = {row["DocObjectCode"] for row in simulator.rows("Drafts") if row["U_ISSYN"] == "N"}
    assert kinds == {"oPurchaseRequest", "oInventoryGenEntry", "oInventoryGenExit", "oPurchaseOrders"}
    assert {row["DocObjectCode"] for row in simulator.rows("StockTransferDrafts")} == {"67", "1250000001"}
    pending = {row["DraftEntry"] for row in simulator.rows("ApprovalRequests")}
    drafts = simulator.rows("Drafts") + simulator.rows("StockTransferDrafts")
    assert {row["DocEntry"] for row in drafts if row["U_ISSYN"] == "N"} == pending
    marks = {"U_ISSYN": "Y", "U_instanceID": "i", "U_SPNO": "s", "U_REQUESTID": "r", "U_SUCCESS": "Y"}
    for address in ("PurchaseOrders(1)", "Orders(1)", "PurchaseRequests(1)", "OIR(1)", "StockTransferDrafts(13)"):
        assert (await v1.get(address)).json()["U_UserID"] in USERS
        assert (await v1.patch(address, json=marks)).status_code == 204
    more = {"U_SyncStatus": "Y", "U_SyncFlag": "Y"}
    for address in ("PurchaseOrders(1)", "ProductionOrders(1)"):
        assert (await v1.patch(address, json=more)).status_code == 204
    for address in ("BusinessPartners('C2001')", "Items('R10003')"):
        assert (await v1.patch(address, json={"U_ISSYN": "Y"})).status_code == 204
    query = {"$filter": "MobilePhone eq '13800000002'"}
    employee = (await v1.get("EmployeesInfo", params=query)).json()["value"][0]
    assert (employee["LastName"], employee["FirstName"], employee["U_UserID"]) == ("李", "四", "user-lisi")
    assert (await v1.get("Users(3)")).json()["FaxNumber"] == employee["U_WxUserID"]


async def test_a_transfer_request_and_an_order_become_documents(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    decided = {"ApprovalRequestDecisions": [{"Status": "ardApproved"}]}
    for entry, entity_set in ((16, "PurchaseOrders"), (18, "InventoryTransferRequests")):
        code = next(row["Code"] for row in simulator.rows("ApprovalRequests") if row["DraftEntry"] == entry)
        assert (await v1.patch(f"ApprovalRequests({code})", json=decided)).status_code == 204
        count = len(simulator.rows(entity_set))
        added = await v1.post("DraftsService_SaveDraftToDocument", json={"Document": {"DocEntry": entry}})
        assert added.status_code == 204, added.text
        assert len(simulator.rows(entity_set)) == count + 1
    assert simulator.rows("PurchaseOrders")[-1]["AttachmentEntry"] == 1
    assert simulator.rows("InventoryTransferRequests")[-1]["StockTransferLines"][0]["ItemCode"] == "R10008"


async def test_areas_of_a_special_price_are_told_apart_by_their_number(v1: httpx.AsyncClient) -> None:
    address = "SpecialPrices(CardCode='C2001',ItemCode='F30001')"
    area = {"DateFrom": "2027-09-01", "Dateto": "2027-12-31", "SpecialPrice": 650, "PriceCurrency": "RMB"}
    assert (await v1.patch(address, json={"SpecialPriceDataAreas": [area]})).status_code == 204
    changed = {"SpecialPriceDataAreas": [{"RowNumber": 0, "SpecialPrice": 660}]}
    assert (await v1.patch(address, json=changed)).status_code == 204
    areas = (await v1.get(address)).json()["SpecialPriceDataAreas"]
    assert [(row["RowNumber"], row["SpecialPrice"]) for row in areas] == [(0, 660.0), (1, 650.0)]
    new = {"CardCode": "C2003", "ItemCode": "F30002", "Price": 800, "SpecialPriceDataAreas": [area]}
    assert (await v1.post("SpecialPrices", json=new)).status_code == 201
    assert (await v1.post("SpecialPrices", json=new)).json()["error"]["code"] == -2035


async def test_what_the_barcode_application_saves(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    def batch(number: str, quantity: int) -> dict[str, Any]:
        return {"BatchNumbers": [{"BatchNumber": number, "Quantity": quantity, "AddmisionDate": "20261123"}]}

    async def post(entity_set: str, line: dict[str, Any], expected: int = 201, **header: Any) -> Any:
        answer = await v1.post(entity_set, json={"DocumentLines": [line], **header})
        assert answer.status_code == expected, answer.text
        return answer.json()

    receipt = {"BaseType": "202", "BaseEntry": "1", "U_SCRKLX": "合格入库", "U_BGR1": "SF0006"}
    made = await post("InventoryGenEntries", receipt, U_CZR="CS01", U_CZSJ="2026-11-23 21:04:44", U_InboundType="1")
    assert (made["DocumentLines"][0]["ItemCode"], made["DocumentLines"][0]["Quantity"]) == ("F30001", 30.0)
    order = {"BaseType": 22, "BaseEntry": 2, "BaseLine": 0}
    refused = await post("PurchaseDeliveryNotes", order, 400, CardCode="V1002")
    assert "batch" in refused["error"]["message"]["value"]
    note = await post("PurchaseDeliveryNotes", order | batch("N1", 200), CardCode="V1002")
    line = {"BaseType": 20, "BaseEntry": note["DocEntry"], "BaseLine": 0, "Quantity": 20}
    await post("PurchaseReturns", line | batch("N1", 20), CardCode="V1002")
    issue = simulator.service.sql.run("call TMDK(3, 1, 400)").rows[-1]
    assert (issue["BatchNumber"], issue["Quantity"]) == ("N1", 180)
    sold = await post("DeliveryNotes", {"BaseType": 17, "BaseEntry": 1, "BaseLine": 0, "Quantity": 5}, CardCode="C2001")
    back = {"BaseType": 15, "BaseEntry": sold["DocEntry"], "BaseLine": 0, "Quantity": 1}
    assert (await post("Returns", back, CardCode="C2001"))["DocumentLines"][0]["ItemCode"] == "F30001"
    moved = {"ItemCode": "R10003", "Quantity": 5, "FromWarehouseCode": "01", "WarehouseCode": "03"}
    assert (await v1.post("StockTransfers", json={"StockTransferLines": [moved]})).status_code == 400
    transfer = {"FromWarehouse": "01", "StockTransferLines": [moved | batch("N1", 5)]}
    assert (await v1.post("StockTransfers", json=transfer)).status_code == 201

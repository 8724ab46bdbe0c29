"""The DI gateway: statements of the field as they stand, HANA's names, nothing but reading, a session of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from runtime.sandbox.b1 import B1Simulator

LOGIN = {"CompanyDB": "SBODEMOCN", "UserName": "manager", "Password": "manager"}

ITEMS = """Select "ItemCode", "ItemName", "CstGrpCode", "FrgnName", "BuyUnitMsr", "CardCode",
       TO_VARCHAR(TO_DATE("UpdateDate"), 'YYYY-MM-DD') UpdateDate, TO_VARCHAR(TO_DATE("CreateDate"), 'YYYY-MM-DD') CreateDate,
       "InvntryUom", "U_SFJY", "U_CX", "U_CC" from OITM WHERE ifnull("U_SYN", 'N') = 'N'"""  # noqa: E501
COMPONENTS = """Select T0."DocEntry", T1."LineNum", T1."ItemCode", T2."ItemName", T1."BaseQty", T1."wareHouse"
From OWOR T0 Left Join WOR1 T1 On T0."DocEntry" = T1."DocEntry" Left Join OITM T2 On T1."ItemCode" = T2."ItemCode" Where T2."ManBtchNum" = 'Y'"""  # noqa: E501
HEADERS = """SELECT T0."DocEntry", T0."DocNum", T0."ReqName", T0."DocDate", T0."U_UserID", T0."U_BMID" FROM ODRF T0 WHERE T0."ObjType" = '1470000113' AND IFNULL(T0."U_ISSYN",'N') = 'N'"""  # noqa: E501
LINES = """SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Dscription", T1."Quantity", T1."PQTReqDate" FROM DRF1 T1"""  # noqa: E501


@pytest.fixture
async def gateway(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{address}/b1/b1dis/v1/", trust_env=False, timeout=30) as client:
        assert (await client.post("Login", json=LOGIN)).status_code == 200
        yield client


async def rows(client: httpx.AsyncClient, statement: str) -> list[dict[str, Any]]:
    answer = await client.post("exec-sql", json={"Sql": statement})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["code"], answer.json()["message"]) == ("RIS.10000000", "OK")
    found: list[dict[str, Any]] = answer.json()["data"]["value"]
    return found


async def refusal(client: httpx.AsyncClient, statement: str) -> str:
    answer = await client.post("exec-sql", json={"Sql": statement})
    assert (answer.status_code, set(answer.json())) == (400, {"code", "message"})
    assert answer.json()["code"].startswith("RIS.2")
    return str(answer.json()["message"])


async def test_the_statements_of_the_field_work_as_they_stand(
    gateway: httpx.AsyncClient, simulator: B1Simulator
) -> None:
    items = await rows(gateway, ITEMS)
    keys = ["ItemCode", "ItemName", "CstGrpCode", "FrgnName", "BuyUnitMsr", "CardCode", "UPDATEDATE", "CREATEDATE"]
    assert [list(row) for row in items] == [[*keys, "InvntryUom", "U_SFJY", "U_CX", "U_CC"]] * 14
    assert {row["UPDATEDATE"] for row in items} == {"2026-11-23"}
    batches = await rows(gateway, 'select "ItemCode" from oBTN')
    assert [row["ItemCode"] for row in batches] == [row["ItemCode"] for row in simulator.rows("BatchNumberDetails")]
    assert {"DocEntry": 3, "LineNum": 1, "ItemCode": "R10003", "ItemName": "漆包圆铜线", "BaseQty": 1.85} | {
        "wareHouse": "01"
    } in await rows(gateway, COMPONENTS)


async def test_header_and_lines_say_what_the_service_layer_says(
    gateway: httpx.AsyncClient, v1: httpx.AsyncClient
) -> None:
    await v1.patch("Drafts(2)", json={"U_ISSYN": "Y"})
    await v1.patch("Drafts(3)", json={"DocumentLines": [{"LineNum": 0, "Quantity": 7}]})
    query = {"$filter": "DocObjectCode eq 'oPurchaseRequest' and U_ISSYN eq 'N'"}
    drafts = (await v1.get("Drafts", params=query)).json()["value"]
    names = {"DocEntry": "DocEntry", "DocNum": "DocNum", "ReqName": "RequesterName", "DocDate": "DocDate"}
    names |= {"U_UserID": "U_UserID", "U_BMID": "U_BMID"}
    headers = await rows(gateway, HEADERS)
    by_entry = sorted(headers, key=lambda row: row["DocEntry"])
    assert by_entry == [{column: draft[name] for column, name in names.items()} for draft in drafts]
    lines = await rows(gateway, f'{LINES} WHERE T1."DocEntry" IN ({", ".join(str(d["DocEntry"]) for d in drafts)})')
    shown = ("LineNum", "ItemCode", "ItemDescription", "Quantity", "RequiredDate")
    wanted = [
        (draft["DocEntry"], *(line[name] for name in shown)) for draft in drafts for line in draft["DocumentLines"]
    ]
    assert sorted(tuple(line.values()) for line in lines) == wanted
    assert (3, 0, 7.0) in {(line["DocEntry"], line["LineNum"], line["Quantity"]) for line in lines}


#: Columns of a purchase request that the field lists name, in the header and in the lines.
HEADER_COLUMNS = (
    "Requester ReqName Department DocDate DocDueDate U_PurReqType Comments U_Origin U_BaseDocNo U_Approver"
    " U_ApprovalStatus U_ApprovalDate U_ProjectCode U_IsSubmit U_ISSYN U_SyncStatus U_SYN U_instanceID U_REQUESTID"
    " U_SPNO U_UserID U_BMID U_SUCCESS ObjType DocStatus Canceled CardCode DocEntry"
)
LINE_COLUMNS = (
    "ItemCode ItemName U_Specifications unitMsr U_IsBoM U_SafetyStock U_Onhand U_MinRepQty Quantity PQTReqDate FreeTxt"
    " LineVendor U_CardShortName U_ItemType U_IsUrgentItem PriceAfterVAT Gtotal Dscription LineNum WhsCode"
)


@pytest.mark.parametrize("table", ["ODRF", "OPRQ", "OPOR", "ORDR", "OIGN", "OIGE", "OWTR"])
async def test_documents_have_the_columns_of_the_field_lists(gateway: httpx.AsyncClient, table: str) -> None:
    for name, columns in ((table, HEADER_COLUMNS), (f"{table[1:]}1", LINE_COLUMNS)):
        wanted = columns.split()
        if table == "OWTR":  # a transfer has no requester, vendor or tax
            missing = {"Requester", "ReqName", "Department", "Canceled", "ItemName", "PQTReqDate", "FreeTxt"}
            wanted = [column for column in wanted if column not in missing | {"LineVendor", "PriceAfterVAT", "Gtotal"}]
        shown = ", ".join(f'"{column}"' for column in wanted)
        found = await rows(gateway, f"select {shown} from {name}")
        assert found
        assert all(list(row) == wanted for row in found)


async def test_dates_may_carry_a_time(gateway: httpx.AsyncClient, simulator: B1Simulator) -> None:
    simulator.gateway.long_dates = True
    statement = (
        'select "DocDate", max("UpdateDate") X, min("Comments") Y, max("CancelDate") Z from ODRF group by "DocDate"'
    )
    for row in await rows(gateway, statement):
        assert (row["DocDate"][10:], row["X"], row["Z"]) == (
            " 00:00:00.000000000",
            "2026-11-23 00:00:00.000000000",
            None,
        )
        assert " 00:00" not in (row["Y"] or "")


async def test_a_replica_shows_a_write_late(
    gateway: httpx.AsyncClient, v1: httpx.AsyncClient, simulator: B1Simulator
) -> None:
    mark = 'select "U_ISSYN" from ODRF where "DocEntry" = 1'
    before = await rows(gateway, mark)
    simulator.gateway.lag_s = 3600
    await v1.patch("Drafts(1)", json={"U_ISSYN": "Y"})
    assert await rows(gateway, mark) == before != [{"U_ISSYN": "Y"}]
    simulator.gateway.lag_s = 0
    assert await rows(gateway, mark) == [{"U_ISSYN": "Y"}]


async def test_every_write_is_seen_at_once(gateway: httpx.AsyncClient, v1: httpx.AsyncClient) -> None:
    status = 'select "Status" from OWDD where "DraftEntry" = 1'
    assert await rows(gateway, status) == [{"Status": "W"}]
    await v1.patch("ApprovalRequests(1)", json={"ApprovalRequestDecisions": [{"Status": "ardApproved"}]})
    assert await rows(gateway, status) == [{"Status": "Y"}]
    assert await rows(gateway, 'select "Status" from WDD1 where "WddCode" = 1 and "UserID" = 1') == [{"Status": "Y"}]
    assert await rows(gateway, 'select "WddStatus", "DocStatus" from ODRF where "DocEntry" = 1') == [
        {"WddStatus": "Y", "DocStatus": "O"}
    ]
    await v1.post("DraftsService_SaveDraftToDocument", json={"Document": {"DocEntry": 1}})
    assert await rows(gateway, status) == []
    assert len(await rows(gateway, "select * from OPRQ where \"U_BaseDocNo\" = 'MRP-2026-0412'")) == 1
    field = {"TableName": "@OIR", "Name": "Colour", "Type": "db_Alpha", "Size": 10}
    assert (await v1.post("UserFieldsMD", json=field)).status_code == 201
    await v1.patch("OIR(1)", json={"U_Colour": "红"})
    assert await rows(gateway, 'select "U_Colour" from "@OIR" where "DocEntry" = 1') == [{"U_Colour": "红"}]
    assert (await v1.delete("Items('P10001')")).status_code == 204
    assert await rows(gateway, "select 1 from OITM where \"ItemCode\" = 'P10001'") == []


@pytest.mark.parametrize(
    ("expression", "key", "value"),
    [
        ("to_varchar(\"DocDate\", 'YYYY/MM/DD') a", "A", "2026/11/20"),
        ('to_dats("DocDate") "a"', "a", "20261120"),
        ("to_date('20261130') d", "D", "2026-11-30"),
        ('add_days("DocDate", 20) x', "X", "2026-12-10"),
        ("add_months('2026-01-31', 1) x", "X", "2026-02-28"),
        ("days_between('20261101', current_date) x", "X", 22),
        ("to_varchar(now(), 'HH24:MI:SS') x", "X", "11:14:45"),
        ("current_timestamp as Moment", "MOMENT", "2026-11-23 11:14:45"),
        ("left(\"ReqName\", 1) || right('abc', 2) x", "X", "张bc"),
        ("lpad(\"DocEntry\", 5, '0') x", "X", "00001"),
        ("concat('a', 'b') x", "X", "ab"),
        ("cast(\"DocEntry\" as nvarchar(10)) || '号' x", "X", "1号"),
        ("to_varchar(to_decimal(2.005, 10, 2)) x", "X", "2.01"),
        ("to_integer('7') + 1 x", "X", 8),
        ("map(\"DocStatus\", 'O', '未清', 'C', '已清') x", "X", "未清"),
        ("coalesce(null, substring('abcd', 2, 2)) x", "X", "bc"),
        ("case when \"CANCELED\" = 'N' then length('abc') end x", "X", 3),
        ("round(2.567, 2) x", "X", 2.57),
        ("1 / 2 x", "X", 0.5),
        ("ceil(1.2) + floor(1.8) + mod(7, 4) x", "X", 6.0),
        ("greatest(1, 3) - least(4, 2) x", "X", 1),
        ('to_varchar("DocEntry" * 1.5) x', "X", "1.500000"),
        ("ifnull(\"ReqName\", '')", "IFNULL(\"ReqName\", '')", "张三"),
        ("reqname", "REQNAME", "张三"),
    ],
)
async def test_functions_of_hana(gateway: httpx.AsyncClient, expression: str, key: str, value: Any) -> None:
    assert await rows(gateway, f'select {expression} from ODRF where "DocEntry" = 1') == [{key: value}]


@pytest.mark.parametrize(
    "statement",
    [
        *("", "drop table OITM", "delete from OITM", "insert into OITM values (1)", 'update OITM set "OnHand" = 0'),
        *("select 1 from DUMMY; drop table OITM", "select * into X from OITM", "call NOSUCH(1)", "call TMDK(1, 2)"),
        *("call TMDK('{0}','{1}','{2}')", "call TMDK((select 1 from DUMMY), 0, 1)", "explain select 1 from DUMMY"),
        *("select * from NOSUCH", 'select "NoSuch" from OITM', "select nosuch(1) from DUMMY"),
        *("select * from sqlite_master", "select randomblob(9) from DUMMY"),
        *("select load_extension('x') from DUMMY", "select * from pragma_table_info('OITM')", "select ? from DUMMY"),
        *('select 1 from "OTHER"."OITM"', "select (", "select * from OITM where \"UpdateDate\" > 'soon'"),
        *("select count(*) from OITM a, OITM b, OITM c, OITM d, OITM e, OITM f, OITM g, OITM h, OITM i, OITM j",),
        *("select a.\"ItemCode\" from OITM a, OITM b, OITM c, OITM d, OITM e",),
    ],
)  # fmt: skip
async def test_whatever_else_is_refused_and_changes_nothing(
    gateway: httpx.AsyncClient, simulator: B1Simulator, statement: str
) -> None:
    simulator.service.sql.seconds = 0.2
    before = {name: simulator.rows(name) for name in simulator.entity_sets()}
    assert await refusal(gateway, statement)
    assert {name: simulator.rows(name) for name in simulator.entity_sets()} == before
    assert len(await rows(gateway, "select 1 from OITM")) == 14


async def test_back_flush_names_batches_the_oldest_first(gateway: httpx.AsyncClient, v1: httpx.AsyncClient) -> None:
    issues = await rows(gateway, "call TMDK('3','1','100')")
    line = {"DocEntry": 3, "LineNum": 1, "ItemCode": "R10003", "wareHouse": "01"}
    assert issues == [
        {**line, "BatchNumber": "R10003|20261002", "Quantity": 180.0},
        {**line, "BatchNumber": "R10003|20261105", "Quantity": 5.0},
    ]
    await v1.patch("ProductionOrders(3)", json={"ProductionOrderStatus": "R"})
    sent = [
        {"BaseType": 202, "BaseEntry": row["DocEntry"], "BaseLine": row["LineNum"], "Quantity": row["Quantity"]}
        | {"BatchNumbers": [{"BatchNumber": row["BatchNumber"], "Quantity": row["Quantity"]}]}
        for row in issues
    ]
    assert (await v1.post("InventoryGenExits", json={"DocumentLines": sent})).status_code == 201
    assert (await rows(gateway, "CALL TMDK('3', '1', '1');"))[0]["BatchNumber"] == "R10003|20261105"
    assert {row["LineNum"] for row in await rows(gateway, "call TMDK(1, '', 2)")} == {0, 1, 2, 3}
    received = {
        "BaseType": 202,
        "BaseEntry": 3,
        "Quantity": 1,
        "BatchNumbers": [{"BatchNumber": "S1", "Quantity": 1, "AddmisionDate": "20261123"}],
    }
    assert (await v1.post("InventoryGenEntries", json={"DocumentLines": [received]})).status_code == 201
    batch = await rows(gateway, 'select "ItemCode", "InDate" from OBTN where "DistNumber" = \'S1\'')
    assert batch == [{"ItemCode": "S20001", "InDate": "2026-11-23"}]


async def test_the_gateway_has_sessions_of_its_own(
    address: str, gateway: httpx.AsyncClient, v1: httpx.AsyncClient, simulator: B1Simulator
) -> None:
    assert "B1DISESSION" in gateway.cookies
    statement = {"Sql": "select 1 from DUMMY"}
    other = {"Cookie": f"B1SESSION={v1.cookies['B1SESSION']}; B1DISESSION={v1.cookies['B1SESSION']}"}
    async with httpx.AsyncClient(base_url=f"{address}/b1/b1dis/v1/", trust_env=False, timeout=30) as stranger:
        for headers in ({}, other):
            answer = await stranger.post("exec-sql", json=statement, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "RIS.20000301")
        answer = await stranger.post("Login", json=LOGIN | {"Password": "wrong"})
        assert (answer.status_code, answer.json()["code"][:4], "Set-Cookie" in answer.headers) == (401, "RIS.", False)
        assert (await stranger.get("exec-sql")).status_code == 404
    simulator.gateway.error_status = 200
    answer = await gateway.post("exec-sql", json={"Sql": "select"})
    assert (answer.status_code, answer.json()["code"][:5]) == (200, "RIS.2")
    assert (await gateway.post("exec-sql", content=b"[")).status_code == 400
    simulator.expire_sessions()
    assert (await gateway.post("exec-sql", json=statement)).status_code == 401
    assert (await gateway.post("Login", json=LOGIN)).status_code == 200
    assert (await gateway.post("Logout")).status_code == 204
    assert (await gateway.post("exec-sql", json=statement)).status_code == 401

"""The life of a draft: approval request, decisions stage by stage, the document, the end of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.sandbox.b1 import B1Simulator

Connect = Callable[..., httpx.AsyncClient]


async def request_of(client: httpx.AsyncClient, draft: int) -> dict[str, Any]:
    query = {"$filter": f"DraftEntry eq {draft}"}
    found = (await client.get("ApprovalRequests", params=query)).json()["value"]
    assert len(found) == 1
    return dict(found[0])


async def decide(client: httpx.AsyncClient, code: int, **decision: str) -> httpx.Response:
    return await client.patch(f"ApprovalRequests({code})", json={"ApprovalRequestDecisions": [decision]})


async def status(client: httpx.AsyncClient, draft: int, entity_set: str = "Drafts") -> str:
    return str((await client.get(f"{entity_set}({draft})")).json()["AuthorizationStatus"])


async def test_requests_look_like_the_real_ones(v1: httpx.AsyncClient) -> None:
    request = await request_of(v1, 1)
    assert (request["ObjectType"], request["DraftType"], request["IsDraft"]) == ("1470000113", "112", "Y")
    assert (request["Status"], request["CurrentStage"], request["OriginatorID"]) == ("arsPending", 1, 2)
    assert request["ObjectEntry"] is None
    assert request["ApprovalRequestDecisions"] == []
    assert [(line["UserID"], line["Status"]) for line in request["ApprovalRequestLines"]] == [
        (1, "ardPending"),
        (5, "ardPending"),
    ]


@pytest.mark.parametrize(
    ("decision", "header", "draft"),
    [("ardApproved", "arsApproved", "dasApproved"), ("ardNotApproved", "arsNotApproved", "dasRejected")],
)
async def test_the_session_user_decides(v1: httpx.AsyncClient, decision: str, header: str, draft: str) -> None:
    answer = await decide(v1, 1, Status=decision, Remarks="已核对")
    assert (answer.status_code, answer.content) == (204, b"")
    request = await request_of(v1, 1)
    assert request["Status"] == header
    assert request["ApprovalRequestDecisions"] == []
    mine = request["ApprovalRequestLines"][0]
    assert (mine["Status"], mine["Remarks"], mine["UpdateDate"]) == (decision, "已核对", "2026-11-23")
    assert await status(v1, 1) == draft
    again = await decide(v1, 1, Status="ardApproved")
    assert again.status_code == 400


async def test_a_named_approver_needs_the_password(v1: httpx.AsyncClient) -> None:
    for password in ({}, {"ApproverPassword": "wrong"}):
        refused = await decide(v1, 1, Status="ardApproved", ApproverUserName="chenjl", **password)
        assert refused.status_code == 400
        text = "User code or password is incorrect [Message 131-93]"
        assert refused.json()["error"]["message"]["value"] == text
        assert (await request_of(v1, 1))["Status"] == "arsPending"
    named = await decide(v1, 1, Status="ardApproved", ApproverUserName="chenjl", ApproverPassword="1234")
    assert named.status_code == 204
    lines = (await request_of(v1, 1))["ApprovalRequestLines"]
    assert [(line["UserID"], line["Status"]) for line in lines] == [(1, "ardPending"), (5, "ardApproved")]


async def test_only_approvers_of_the_current_stage_decide(connect: Connect) -> None:
    client = connect("v1")
    login = {"CompanyDB": "SBODEMOCN", "UserName": "zhangsan", "Password": "1234"}
    assert (await client.post("Login", json=login)).status_code == 200
    assert (await decide(client, 1, Status="ardApproved")).status_code == 400
    assert (await request_of(client, 1))["Status"] == "arsPending"


async def test_long_remarks_are_refused_as_a_whole(v1: httpx.AsyncClient) -> None:
    assert (await decide(v1, 1, Status="ardApproved", Remarks="长" * 201)).status_code == 400
    assert (await request_of(v1, 1))["Status"] == "arsPending"
    assert (await decide(v1, 1, Status="ardApproved", Remarks="长" * 200)).status_code == 204


@pytest.mark.parametrize("text", ["arsApproved", "ardPending", "Y"])
async def test_other_decisions_are_refused(v1: httpx.AsyncClient, text: str) -> None:
    assert (await decide(v1, 1, Status=text)).status_code == 400
    assert (await request_of(v1, 1))["Status"] == "arsPending"
    assert await status(v1, 1) == "dasPending"


async def test_two_stages_follow_each_other(v1: httpx.AsyncClient) -> None:
    request = await request_of(v1, 9)
    assert request["CurrentStage"] == 2
    assert (await decide(v1, request["Code"], Status="ardApproved")).status_code == 204
    request = await request_of(v1, 9)
    assert (request["Status"], request["CurrentStage"]) == ("arsPending", 3)
    assert await status(v1, 9) == "dasPending"
    late = {"Status": "ardApproved", "ApproverUserName": "wangwu", "ApproverPassword": "1234"}
    assert (await decide(v1, request["Code"], **late)).status_code == 400
    finance = {"Status": "ardApproved", "ApproverUserName": "zhoumin", "ApproverPassword": "1234"}
    assert (await decide(v1, request["Code"], **finance)).status_code == 204
    assert (await request_of(v1, 9))["Status"] == "arsApproved"
    assert await status(v1, 9) == "dasApproved"


async def test_a_refusal_at_any_stage_ends_it(v1: httpx.AsyncClient) -> None:
    code = (await request_of(v1, 10))["Code"]
    await decide(v1, code, Status="ardApproved")
    await decide(v1, code, Status="ardNotApproved")
    assert (await request_of(v1, 10))["Status"] == "arsNotApproved"
    assert await status(v1, 10) == "dasRejected"


async def test_an_approved_draft_becomes_a_document(v1: httpx.AsyncClient) -> None:
    await v1.patch("Drafts(4)", json={"U_instanceID": "proc-4"})
    refused = await v1.post("DraftsService_SaveDraftToDocument", json={"Document": {"DocEntry": 4}})
    assert refused.status_code == 400
    await decide(v1, 4, Status="ardApproved")
    body = {"Document": {"DocEntry": "4", "DocDueDate": "2027-01-31"}}
    saved = await v1.post("DraftsService_SaveDraftToDocument", json=body)
    assert (saved.status_code, saved.content) == (204, b"")
    assert (await v1.get("ApprovalRequests(4)")).status_code == 404
    draft = (await v1.get("Drafts(4)")).json()
    assert (draft["DocumentStatus"], draft["AuthorizationStatus"]) == ("bost_Close", "dasWithout")
    found = (await v1.get("PurchaseRequests", params={"$filter": "U_instanceID eq 'proc-4'"})).json()["value"]
    assert len(found) == 1
    assert (found[0]["DocDueDate"], found[0]["RequesterName"]) == ("2027-01-31", "张三")
    assert [line["ItemCode"] for line in found[0]["DocumentLines"]] == [
        "R10007",
        "R10005",
        "R10006",
        "R10008",
        "P10001",
    ]
    again = await v1.post("DraftsService_SaveDraftToDocument", json=body)
    assert again.status_code == 400
    assert (await v1.post("DraftsService_SaveDraftToDocument", json={"Document": {"DocEntry": 999}})).status_code == 404


async def test_a_refused_draft_cannot_be_added(v1: httpx.AsyncClient) -> None:
    await decide(v1, 5, Status="ardNotApproved")
    body = {"Document": {"DocEntry": 5}}
    assert (await v1.post("DraftsService_SaveDraftToDocument", json=body)).status_code == 400
    assert (await v1.get("Drafts(5)")).json()["DocumentStatus"] == "bost_Open"


async def newest_transfer(v1: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await v1.get("StockTransfers?$orderby=DocEntry desc&$top=1")).json()["value"][0])


async def test_transfer_drafts_have_their_own_set(v1: httpx.AsyncClient) -> None:
    draft = (await v1.get("StockTransferDrafts(13)")).json()
    assert (draft["DocObjectCode"], draft["ToWarehouse"], draft["U_ISSYN"]) == ("67", "09", "N")
    assert await status(v1, 13, "StockTransferDrafts") == "sasPending"
    code = (await request_of(v1, 13))["Code"]
    await decide(v1, code, Status="ardApproved")
    assert await status(v1, 13, "StockTransferDrafts") == "sasApproved"
    assert (await v1.post("StockTransferDrafts(13)/SaveDraftToDocument")).status_code == 204
    [line] = (await newest_transfer(v1))["StockTransferLines"]
    assert line["ItemCode"] == "R10001"


async def test_a_transfer_among_the_other_drafts_becomes_a_transfer_too(v1: httpx.AsyncClient) -> None:
    body = {"DocObjectCode": "67", "DocumentLines": [{"ItemCode": "R10001", "Quantity": 3, "WarehouseCode": "09"}]}
    created = (await v1.post("Drafts", json=body)).json()
    assert created["DocObjectCode"] == "oStockTransfer"
    assert (await v1.post(f"Drafts({created['DocEntry']})/SaveDraftToDocument")).status_code == 204
    [line] = (await newest_transfer(v1))["StockTransferLines"]
    assert (line["ItemCode"], line["Quantity"], line["WarehouseCode"]) == ("R10001", 3.0, "09")


async def test_a_draft_of_ones_own_can_be_submitted(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    body = {"DocObjectCode": "1470000113", "DocumentLines": [{"ItemCode": "R10001", "Quantity": 1}]}
    created = (await v1.post("Drafts", json=body)).json()
    assert (created["AuthorizationStatus"], created["Requester"]) == ("dasWithout", "manager")
    code = simulator.submit_draft(created["DocEntry"], remarks="急用")
    assert (await request_of(v1, created["DocEntry"]))["Code"] == code
    assert await status(v1, created["DocEntry"]) == "dasPending"

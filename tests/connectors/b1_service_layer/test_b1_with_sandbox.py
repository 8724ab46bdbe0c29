"""The connector against the sandbox's Service Layer, over HTTP, in both versions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from runtime.connectors.actions import Finding, Intent
from runtime.connectors.b1_service_layer.connector import ServiceLayerConnector
from runtime.connectors.b1_service_layer.settings import B1Settings
from runtime.errors import Conflict, LoginRefused, NotFound, RemoteRefused
from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.storage import Storage

UNSYNCED = "DocObjectCode eq '1470000113' and U_ISSYN eq 'N'"
INTENT = Intent(started_at=datetime(2026, 11, 3, tzinfo=UTC), document_key="5")


@dataclass
class Company:
    simulator: B1Simulator
    settings: dict[str, Any]


@pytest.fixture(params=["v1", "v2"])
async def company(request: pytest.FixtureRequest) -> AsyncIterator[Company]:
    """A seeded company on a free port."""
    simulator = B1Simulator(Storage(None))
    simulator.seed()
    app = Starlette(routes=[Mount("/b1", routes=simulator.routes())])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        settings = {
            "base_url": f"http://127.0.0.1:{listener.getsockname()[1]}/b1",
            "company": "SBODEMOCN",
            "user": "manager",
            "password": "manager",
            "version": request.param,
            "rate": 10_000,
        }
        yield Company(simulator, settings)
        server.should_exit = True
        await serving


@pytest.fixture
async def erp(company: Company) -> AsyncIterator[ServiceLayerConnector]:
    connection = ServiceLayerConnector("erp", B1Settings.model_validate(company.settings))
    yield connection
    await connection.aclose()


async def test_connection_and_wrong_password(company: Company, erp: ServiceLayerConnector) -> None:
    assert len((await erp.test()).lines) == 4
    for wrong, code in (({"password": "x"}, "-304"), ({"company": "NOWHERE"}, "-306")):
        stranger = ServiceLayerConnector("erp", B1Settings.model_validate(company.settings | wrong))
        with pytest.raises(LoginRefused) as refused:
            await stranger.test()
        assert refused.value.code == code
        await stranger.aclose()


async def test_drafts_stream_by_key_while_they_are_being_marked(
    company: Company, erp: ServiceLayerConnector, call: Any
) -> None:
    wanted = company.simulator.generate_drafts(60, lines=2)
    query = erp.actions["query"]
    stream = await query.run(query.params(entity="Drafts", filter=UNSYNCED, page_size=7))
    seen = []
    async for draft in stream:
        seen.append(draft["DocEntry"])
        await call(erp, "update", entity="Drafts", key=draft["DocEntry"], values={"U_ISSYN": "Y"})
    assert seen == sorted(set(seen))
    assert set(wanted) <= set(seen)
    assert await call(erp, "count", entity="Drafts", filter=UNSYNCED) == 0


async def test_a_row_read_again_is_there_only_while_the_filter_holds(erp: ServiceLayerConnector, call: Any) -> None:
    query = erp.actions["query"]
    params = query.params.model_validate({"entity": "Drafts", "filter": UNSYNCED})
    assert query.reread is not None
    row = await anext(await query.run(params))
    again = await query.reread(params, row)
    assert again is not None
    assert again["DocEntry"] == row["DocEntry"]
    await call(erp, "update", entity="Drafts", key=row["DocEntry"], values={"U_ISSYN": "Y"})
    assert await query.reread(params, row) is None


async def test_amounts_are_decimals_and_dates_text(erp: ServiceLayerConnector, call: Any) -> None:
    draft = await call(erp, "find", entity="Drafts", filter=UNSYNCED)
    line = draft["DocumentLines"][0]
    assert isinstance(line["Quantity"], Decimal | int)
    assert draft["DocDate"].startswith("20")


async def test_a_session_that_expires_under_many_calls(company: Company, erp: ServiceLayerConnector, call: Any) -> None:
    await call(erp, "count", entity="Items")
    company.simulator.expire_sessions()
    found = await asyncio.gather(*(call(erp, "count", entity="Items") for _ in range(32)))
    assert len(set(found)) == 1
    company.simulator.refuse_next(500, 305, "Switch company error: -1102", times=2)
    assert await call(erp, "count", entity="Items") == found[0]


async def test_create_read_update_delete_lines(erp: ServiceLayerConnector, call: Any) -> None:
    code = "试'制 1/2"
    made = await call(erp, "create", entity="Items", values={"ItemCode": code, "ItemName": "样品"})
    assert made["ItemCode"] == code
    await call(erp, "update", entity="Items", key=code, values={"ItemName": "样品二"})
    row = await call(erp, "get", entity="Items", key=code)
    assert row["ItemName"] == "样品二"
    etag = row.get("odata.etag") or row["@odata.etag"]
    await call(erp, "update", entity="Items", key=code, values={"ItemName": "样品三"}, etag=etag)
    with pytest.raises(Conflict):
        await call(erp, "update", entity="Items", key=code, values={"ItemName": "样品四"}, etag=etag)
    assert await call(erp, "find", entity="Items", key="no such") is None
    with pytest.raises(NotFound):
        await call(erp, "get", entity="Items", key="no such")
    with pytest.raises(RemoteRefused):
        await call(erp, "update", entity="Items", key=code, values={"NoSuchProperty": 1})


async def test_what_an_update_wrote_is_read_back_as_it_stands_now(erp: ServiceLayerConnector, call: Any) -> None:
    update = erp.actions["update"]
    assert update.read_back is not None
    draft = (await call(erp, "query", entity="Drafts", filter=UNSYNCED, top=1))[0]["DocEntry"]
    values = {"U_ISSYN": "Y", "U_instanceID": "i1", "U_ApprovalDate": "2026-01-31"}
    params = update.params.model_validate({"entity": "Drafts", "key": draft, "values": values})
    before = await update.read_back(params)
    assert before is not None
    assert (before["U_ISSYN"], before.keys() >= values.keys()) == ("N", True)
    await update.run(params)
    assert dict(await update.read_back(params) or {}).items() >= {"U_ISSYN": "Y", "U_instanceID": "i1"}.items()
    assert await update.read_back(params.model_copy(update={"key": 999_999})) is None


async def test_special_prices_have_composite_keys(erp: ServiceLayerConnector, call: Any) -> None:
    rows = await call(erp, "query", entity="SpecialPrices", page_size=1)
    assert rows
    key = {"CardCode": rows[0]["CardCode"], "ItemCode": rows[0]["ItemCode"]}
    assert (await call(erp, "get", entity="SpecialPrices", key=key))["Price"] == rows[0]["Price"]


async def test_a_lost_create_is_found_again(erp: ServiceLayerConnector, call: Any) -> None:
    values = {"ItemCode": "LOST-1", "ItemName": "失而复得"}
    create = erp.actions["create"]
    params = create.params.model_validate({"entity": "Items", "values": values, "match": "ItemCode eq 'LOST-1'"})
    assert create.reconcile is not None
    assert (await create.reconcile(params, INTENT)).finding is Finding.ABSENT
    await create.run(params)
    found = await create.reconcile(params, INTENT)
    assert (found.finding, found.result["ItemName"]) == (Finding.FOUND, "失而复得")


@pytest.mark.parametrize(("approved", "status"), [(True, "arsApproved"), (False, "arsNotApproved")])
async def test_decide_and_convert(erp: ServiceLayerConnector, call: Any, approved: bool, status: str) -> None:
    draft = (await call(erp, "find", entity="Drafts", filter=UNSYNCED))["DocEntry"]
    done = await call(erp, "decide", draft=draft, approved=approved, remarks="好" * 300)
    assert done["changed"]
    request = await call(erp, "find", entity="ApprovalRequests", filter=f"DraftEntry eq {draft}")
    assert request["Status"] == status
    again = await call(erp, "decide", draft=draft, approved=approved, remarks="再次")
    assert not again["changed"]
    with pytest.raises(Conflict):
        await call(erp, "decide", draft=draft, approved=not approved)
    if not approved:
        return
    save = erp.actions["save_draft"]
    assert save.reconcile is not None
    assert (await save.reconcile(save.params(draft=draft), INTENT)).finding is Finding.ABSENT
    await call(erp, "save_draft", draft=draft)
    assert (await save.reconcile(save.params(draft=draft), INTENT)).finding is Finding.FOUND
    assert not (await call(erp, "decide", draft=draft, approved=True))["changed"]
    with pytest.raises(RemoteRefused):
        await call(erp, "save_draft", draft=draft)


async def test_field_picker(erp: ServiceLayerConnector) -> None:
    catalog = erp.catalog()
    entities = {entity.name: entity.key for entity in await catalog.entities()}
    assert entities["Drafts"] == ("DocEntry",)
    assert set(entities["SpecialPrices"]) == {"ItemCode", "CardCode"}
    fields = {(field.group, field.name): field for field in await catalog.fields("Drafts")}
    assert fields["", "DocDate"].type == "date"
    assert fields["", "DocumentStatus"].members[0] == "bost_Open"
    assert fields["DocumentLines", "Quantity"].type == "decimal"
    mark, spec = fields["", "U_ISSYN"], fields["DocumentLines", "U_Specifications"]
    assert mark.custom
    assert spec.custom
    assert mark.label
    assert spec.label


async def test_all_stages_of_an_approval_are_decided_or_just_the_current_one(
    erp: ServiceLayerConnector, call: Any
) -> None:
    drafts = await call(erp, "query", entity="Drafts", filter="DocObjectCode eq '59' or DocObjectCode eq '60'")
    [one, other, refused, *_] = [draft["DocEntry"] for draft in drafts]

    async def status(draft: int) -> Any:
        [request] = await call(erp, "query", entity="ApprovalRequests", filter=f"DraftEntry eq {draft}")
        return request["Status"], request["CurrentStage"]

    first = await status(one)
    await call(erp, "decide", draft=one, approved=True)
    assert (await status(one))[0] == "arsPending"
    assert (await status(one))[1] != first[1]
    for _ in range(2):  # the second time there is nothing left to decide
        done = await call(erp, "decide", draft=other, approved=True, all_stages=True)
        assert (await status(other))[0] == "arsApproved"
    assert done == {"draft": other, "status": "ardApproved", "changed": False}
    await call(erp, "decide", draft=refused, approved=False, all_stages=True)
    assert (await status(refused))[0] == "arsNotApproved"


async def test_a_transfer_that_was_approved_and_added_needs_no_decision(erp: ServiceLayerConnector, call: Any) -> None:
    [draft, *_] = await call(erp, "query", entity="StockTransferDrafts", filter="DocObjectCode eq '67'")
    await call(erp, "decide", draft=draft["DocEntry"], approved=True)
    await call(erp, "save_draft", draft=draft["DocEntry"])
    assert (await call(erp, "decide", draft=draft["DocEntry"], approved=True))["changed"] is False


async def test_a_row_is_changed_or_made(erp: ServiceLayerConnector, call: Any) -> None:
    key = {"CardCode": "C2003", "ItemCode": "F30001"}
    given = {"entity": "SpecialPrices", "key": key, "create": {"PriceListNum": 1, "Valid": "tYES"}}
    prepare = erp.actions["upsert"].prepare
    assert prepare is not None

    def params(price: int) -> Any:
        return erp.actions["upsert"].params.model_validate({**given, "values": {"Price": price}})

    assert (await prepare(params(700))).method == "POST"
    assert await call(erp, "upsert", **given, values={"Price": 700}) == {"created": True}
    assert (await prepare(params(690))).method == "PATCH"
    assert await call(erp, "upsert", **given, values={"Price": 690}) == {"created": False}
    row = await call(erp, "get", entity="SpecialPrices", key=key)
    assert (row["Price"], row["PriceListNum"]) == (690, 1)
    assert await call(erp, "upsert", entity="Items", key="NEW-1", values={"ItemName": "新物料"}) == {"created": True}
    assert (await call(erp, "get", entity="Items", key="NEW-1"))["ItemName"] == "新物料"
    with pytest.raises(RemoteRefused):
        await call(erp, "upsert", entity="Items", key="NEW-2", values={"NoSuchField": 1})

"""The demo company, the load generator, and what a restart finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.demo import DEPARTMENTS, USERS
from runtime.sandbox.storage import Storage

PROMISED = (
    *("Items", "BusinessPartners", "Users", "Departments", "Warehouses", "SpecialPrices", "ProductTrees"),
    *("Drafts", "StockTransferDrafts", "ApprovalRequests", "ApprovalStages", "ApprovalTemplates"),
    *("PurchaseRequests", "PurchaseOrders", "Orders", "ProductionOrders", "InventoryGenEntries", "InventoryGenExits"),
    *("UserFieldsMD", "UserTablesMD", "UserObjectsMD", "OIR", "EmployeesInfo", "BatchNumberDetails", "Attachments2"),
)


async def test_every_promised_set_has_demo_rows(v1: httpx.AsyncClient) -> None:
    for entity_set in PROMISED:
        assert int((await v1.get(f"{entity_set}/$count")).text) > 0, entity_set


def test_unsynced_drafts_name_people_that_the_oa_knows(simulator: B1Simulator) -> None:
    drafts = [row for row in simulator.rows("Drafts") if row["U_ISSYN"] == "N"]
    requests = [row for row in drafts if row["DocObjectCode"] == "oPurchaseRequest"]
    assert (len(drafts), len(requests)) == (14, 8)
    pending = {row["DraftEntry"] for row in simulator.rows("ApprovalRequests") if row["Status"] == "arsPending"}
    for draft in drafts:
        assert draft["U_UserID"] in USERS
        assert int(draft["U_BMID"]) in DEPARTMENTS
        assert draft["DocEntry"] in pending
    for request in requests:
        assert request["RequesterName"] == USERS[request["U_UserID"]].name
        assert 2 <= len(request["DocumentLines"]) <= 5
        assert all(line["U_Specifications"] and line["RequiredDate"] for line in request["DocumentLines"])


def test_passwords_are_never_shown(simulator: B1Simulator) -> None:
    user_type = simulator.service.schema.types["User"]
    stored = simulator.service.company.sets["Users"].rows[1]
    assert stored["UserPassword"] == "manager"
    assert user_type.render(stored, etag="", long_dates=False)["UserPassword"] is None
    assert "UserPassword" not in simulator.rows("Users")[0]
    assert "UserPassword" not in (simulator.find("Users", 1) or {"UserPassword": ""})


async def test_generated_drafts_page_by_key(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    entries = simulator.generate_drafts(250, lines=3)
    assert len(entries) == 250
    seen: list[int] = []
    last = entries[0] - 1
    while True:
        query = {"$filter": f"U_ISSYN eq 'N' and DocEntry gt {last}", "$orderby": "DocEntry"}
        rows = (await v1.get("Drafts", params=query, headers={"Prefer": "odata.maxpagesize=100"})).json()["value"]
        if not rows:
            break
        seen += [row["DocEntry"] for row in rows]
        last = seen[-1]
    assert seen == entries
    draft = (await v1.get(f"Drafts({entries[7]})")).json()
    own = {"DocumentLines", "DocEntry"}
    filled = [name for name, value in draft.items() if value is not None and name not in own and "odata" not in name]
    assert len(filled) >= 20
    assert [line["DocEntry"] for line in draft["DocumentLines"]] == [entries[7]] * 3
    query = {"$filter": f"DraftEntry eq {entries[7]} and Status eq 'arsPending'"}
    assert len((await v1.get("ApprovalRequests", params=query)).json()["value"]) == 1


def test_a_restart_finds_everything(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "sandbox.db"
    with Storage(path) as storage:
        first = B1Simulator(storage, clock=clock)
        first.seed()
        first.generate_drafts(3)
        before = {name: first.rows(name) for name in first.entity_sets()}
    with Storage(path) as storage:
        second = B1Simulator(storage, clock=clock)
        second.seed()
        assert {name: second.rows(name) for name in second.entity_sets()} == before
        assert second.find("SpecialPrices", ("F30001", "C2001")) == first.find("SpecialPrices", ("F30001", "C2001"))
        assert second.generate_drafts(1) == [before["Drafts"][-1]["DocEntry"] + 1]


def test_a_failed_unit_of_work_leaves_no_trace(simulator: B1Simulator) -> None:
    before = {name: simulator.rows(name) for name in simulator.entity_sets()}
    company = simulator.service.company
    try:
        with company.transaction():
            simulator.generate_drafts(2)
            company.delete("Items", "R10001")
            raise LookupError("stop")
    except LookupError:
        pass
    assert {name: simulator.rows(name) for name in simulator.entity_sets()} == before
    assert (
        simulator.service.context(1).matching(
            "ApprovalRequests", "DraftEntry", before["StockTransferDrafts"][-1]["DocEntry"] + 1
        )
        == []
    )

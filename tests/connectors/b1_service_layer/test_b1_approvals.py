"""Deciding a draft's approval request, and adding the approved draft."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.actions import Finding, Intent
from runtime.errors import BadConnection, Conflict, NotFound, RemoteRefused, TimedOut

INTENT = Intent(started_at=datetime(2026, 11, 3, tzinfo=UTC), document_key="5")


def pending(stub: Any, *statuses: str, draft: int = 5) -> None:
    stub.sets["Drafts"] = [{"DocEntry": draft, "DocumentStatus": "bost_Open"}]
    stub.sets["ApprovalRequests"] = [
        {"Code": 10 + number, "DraftEntry": draft, "Status": status, "CurrentStage": 1}
        for number, status in enumerate(statuses)
    ]


def decisions(stub: Any) -> list[tuple[str, Any]]:
    paths = [path for method, path in stub.log if method == "PATCH"]
    bodies = [body for body in stub.bodies if body and "ApprovalRequestDecisions" in body]
    return list(zip(paths, (body["ApprovalRequestDecisions"] for body in bodies), strict=True))


async def prepared(connection: Any, **params: Any) -> Any:
    action = connection.actions["decide"]
    return await action.prepare(action.params.model_validate(params))


@pytest.mark.parametrize(("approved", "status"), [(True, "ardApproved"), (False, "ardNotApproved")])
async def test_the_pending_request_is_decided(stub: Any, connect: Any, call: Any, approved: bool, status: str) -> None:
    pending(stub, "arsNotApproved", "arsPending")
    connection = await connect()
    shown = await prepared(connection, draft=5, approved=approved, remarks="同意")
    done = await call(connection, "decide", draft=5, approved=approved, remarks="同意")
    assert done == {"draft": 5, "status": status, "changed": True}
    assert decisions(stub) == [("ApprovalRequests(11)", [{"Status": status, "Remarks": "同意"}])]
    assert (shown.method, shown.url) == ("PATCH", f"{stub.url}/b1s/v1/ApprovalRequests(11)")
    assert shown.body == {"ApprovalRequestDecisions": decisions(stub)[0][1]}


@pytest.mark.parametrize(("remarks", "units"), [("好" * 201, 200), ("好" * 200, 200), ("a" * 199 + "😀", 199)])
async def test_remarks_fit_into_200_characters(stub: Any, connect: Any, call: Any, remarks: str, units: int) -> None:
    pending(stub, "arsPending")
    await call(await connect(), "decide", draft=5, approved=True, remarks=remarks)
    sent = decisions(stub)[0][1][0]["Remarks"]
    assert len(sent) == units
    assert remarks.startswith(sent)


async def test_the_deciding_user_has_a_password_that_nobody_sees(stub: Any, connect: Any, call: Any) -> None:
    pending(stub, "arsPending")
    connection = await connect(approver_user="boss", approver_password="geheim")
    shown = await prepared(connection, draft=5, approved=True)
    assert "geheim" not in repr(shown)
    assert shown.body["ApprovalRequestDecisions"][0]["ApproverUserName"] == "boss"
    await call(connection, "decide", draft=5, approved=True, approver="boss")
    assert decisions(stub)[0][1] == [
        {"Status": "ardApproved", "ApproverUserName": "boss", "ApproverPassword": "geheim"}
    ]
    await call(connection, "decide", draft=5, approved=True, approver="manager")
    assert decisions(stub)[1][1] == [{"Status": "ardApproved"}]
    with pytest.raises(BadConnection, match="somebody"):
        await call(connection, "decide", draft=5, approved=True, approver="somebody")


@pytest.mark.parametrize("half", [{"approver_user": "boss"}, {"approver_password": "x"}])
async def test_approver_and_password_go_together(connect: Any, half: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="both or none"):
        await connect(**half)


@pytest.mark.parametrize(
    ("status", "approved"),
    [("arsApproved", True), ("arsGenerated", True), ("arsGeneratedByAuthorizer", True), ("arsNotApproved", False)],
)
async def test_deciding_again_the_same_way_changes_nothing(
    stub: Any, connect: Any, call: Any, status: str, approved: bool
) -> None:
    pending(stub, status)
    connection = await connect()
    shown = await prepared(connection, draft=5, approved=approved)
    done = await call(connection, "decide", draft=5, approved=approved)
    assert done["changed"] is False
    assert decisions(stub) == []
    assert shown.method == "GET"


@pytest.mark.parametrize(
    ("status", "approved"), [("arsApproved", False), ("arsNotApproved", True), ("arsCancelled", True)]
)
async def test_deciding_the_other_way_is_a_conflict(
    stub: Any, connect: Any, call: Any, status: str, approved: bool
) -> None:
    pending(stub, status)
    with pytest.raises(Conflict) as conflict:
        await call(await connect(), "decide", draft=5, approved=approved)
    assert conflict.value.remote == status


async def test_without_request_the_draft_tells(stub: Any, connect: Any, call: Any) -> None:
    pending(stub)
    connection = await connect()
    with pytest.raises(NotFound, match="no approval request"):
        await call(connection, "decide", draft=5, approved=True)
    stub.sets["Drafts"][0]["DocumentStatus"] = "bost_Close"
    assert (await call(connection, "decide", draft=5, approved=True))["changed"] is False
    with pytest.raises(Conflict):
        await call(connection, "decide", draft=5, approved=False)
    with pytest.raises(NotFound):
        await call(connection, "decide", draft=6, approved=True)


def deciding(stub: Any, status: int, *, effect: dict[str, Any] | None, times: int = 1) -> None:
    """The next decisions take effect or not, and are answered with a failure."""
    left = times

    async def answer(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "PATCH" or left == 0:
            return None
        left -= 1
        stub.bodies.append(await request.json())
        stub.sets["ApprovalRequests"][0].update(effect or {})
        return stub.refuse(status, -1, "oops")

    stub.before = answer


@pytest.mark.parametrize("status", [500, 400])
@pytest.mark.parametrize("effect", [{"Status": "arsApproved"}, {"CurrentStage": 2}])
async def test_a_decision_that_took_effect_without_answer_is_not_sent_again(
    stub: Any, connect: Any, call: Any, status: int, effect: dict[str, Any]
) -> None:
    pending(stub, "arsPending")
    deciding(stub, status, effect=effect)
    assert (await call(await connect(), "decide", draft=5, approved=True))["status"] == "ardApproved"
    assert len(decisions(stub)) == 1


async def test_a_decision_that_was_lost_is_sent_again(stub: Any, connect: Any, call: Any) -> None:
    pending(stub, "arsPending")
    deciding(stub, 500, effect=None)
    await call(await connect(), "decide", draft=5, approved=True)
    assert len(decisions(stub)) == 2


async def test_a_decision_that_never_gets_through_is_left_for_later(stub: Any, connect: Any, call: Any) -> None:
    pending(stub, "arsPending")
    deciding(stub, 500, effect=None, times=99)
    with pytest.raises(TimedOut, match="still waits"):
        await call(await connect(), "decide", draft=5, approved=True)


async def test_a_refused_decision_says_why(stub: Any, connect: Any, call: Any) -> None:
    pending(stub, "arsPending")
    deciding(stub, 400, effect=None, times=99)
    with pytest.raises(RemoteRefused) as refused:
        await call(await connect(), "decide", draft=5, approved=True)
    assert refused.value.remote == "oops"


@pytest.mark.parametrize("first", [1, 0])
async def test_what_ends_between_two_stages_says_that_one_is_decided(
    stub: Any, connect: Any, call: Any, first: int
) -> None:
    pending(stub, "arsPending")
    left = first

    async def answer(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "PATCH":
            return None
        if left:
            left -= 1
            stub.sets["ApprovalRequests"][0]["CurrentStage"] += 1
            return web.Response(status=204)
        return stub.refuse(400, -1, "oops")

    stub.before = answer
    with pytest.raises(RemoteRefused) as refused:
        await call(await connect(), "decide", draft=5, approved=True, all_stages=True)
    assert refused.value.partly_done is bool(first)


async def test_reconcile_of_a_conversion_asks_the_draft(stub: Any, connect: Any) -> None:
    pending(stub)
    action = (await connect()).actions["save_draft"]
    params = action.params(draft=5)
    assert (await action.reconcile(params, INTENT)).finding is Finding.ABSENT
    stub.sets["Drafts"][0]["DocumentStatus"] = "bost_Close"
    found = await action.reconcile(params, INTENT)
    assert (found.finding, found.result) == (Finding.FOUND, {"draft": 5})
    stub.sets["Drafts"].clear()
    assert (await action.reconcile(params, INTENT)).finding is Finding.UNCLEAR

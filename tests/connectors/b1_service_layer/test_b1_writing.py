"""Creating and changing: what is shown is what is sent, and what an unanswered attempt came to."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from runtime import jsontext
from runtime.connectors.actions import Finding, Intent
from runtime.errors import Conflict, NotFound, OutcomeUnknown, RemoteRefused, TimedOut

INTENT = Intent(started_at=datetime(2026, 11, 3, tzinfo=UTC), document_key="5")


async def prepared(connection: Any, name: str, /, **params: Any) -> Any:
    action = connection.actions[name]
    return await action.prepare(action.params.model_validate(params))


async def reconciled(connection: Any, name: str, intent: Intent = INTENT, /, **params: Any) -> Any:
    action = connection.actions[name]
    return await action.reconcile(action.params.model_validate(params), intent)


@pytest.mark.parametrize(
    ("shape", "name", "params"),
    [
        ("POST Items", "create", {"entity": "Items", "values": {"ItemCode": "a", "P": Decimal("1.10")}}),
        ("PATCH Users(2)", "update", {"entity": "Users", "key": "2", "values": {"eMail": "甲"}}),
        ("POST Users(2)/Close", "action", {"entity": "Users", "key": 2, "name": "Close"}),
        ("POST DraftsService_SaveDraftToDocument", "save_draft", {"draft": 9}),
    ],
)
async def test_prepare_shows_exactly_what_run_sends(
    stub: Any, connect: Any, shape: str, name: str, params: dict[str, Any]
) -> None:
    sent: list[tuple[str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response | None:
        if request.path.endswith(("/Login", "/Logout")):
            return None
        sent.append((request.method, str(request.url), await request.read()))
        return web.Response(status=204)

    connection = await connect()
    shown = await prepared(connection, name, **params)
    assert stub.log == []
    stub.before = take
    action = connection.actions[name]
    await action.run(action.params.model_validate(params))
    body = b"" if shown.body is None else jsontext.dumps(shown.body)
    method, path = shape.split()
    assert sent == [(shown.method, shown.url, body)] == [(method, f"{stub.url}/b1s/v1/{path}", body)]


async def test_headers_of_an_update(stub: Any, connect: Any, call: Any) -> None:
    headers: list[Any] = []

    async def take(request: web.Request) -> None:
        headers.append(request.headers)

    stub.before = take
    connection = await connect()
    await call(connection, "update", entity="Users", key=2, values={"a": 1}, replace_collections=True, etag='W/"1"')
    await call(connection, "update", entity="Users", key=2, values={"a": 1})
    assert headers[1]["B1S-ReplaceCollectionsOnPatch"] == "true"
    assert headers[1]["If-Match"] == 'W/"1"'
    assert not {"B1S-ReplaceCollectionsOnPatch", "If-Match"} & set(headers[2])
    with pytest.raises(Conflict):
        await call(connection, "update", entity="Users", key=2, values={"a": 2}, etag='W/"2"')
    with pytest.raises(NotFound):
        await call(connection, "update", entity="Users", key=99, values={"a": 2})
    assert stub.sets["Users"][1]["a"] == 1


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_create_yields_the_row_or_at_least_its_key(stub: Any, connect: Any, call: Any, status: int) -> None:
    stub.created = status
    assert await call(await connect(), "create", entity="Items", values={"ItemCode": "a'b"}) == {"ItemCode": "a'b"}


async def test_a_row_whose_key_cannot_be_told_counts_as_created_perhaps(stub: Any, connect: Any, call: Any) -> None:
    stub.created, stub.sets["REQUESTS"], stub.keys["REQUESTS"] = 204, [], ("Code",)

    async def without_metadata(request: web.Request) -> web.Response | None:
        if request.path.endswith("$metadata"):
            return web.Response(status=429)
        return None

    stub.before = without_metadata
    with pytest.raises(OutcomeUnknown):
        await call(await connect(retries=0), "create", entity="REQUESTS", values={"Code": "a"})
    assert stub.sets["REQUESTS"] == [{"Code": "a"}]


@pytest.mark.parametrize("status", [500, 502, 200])
async def test_a_create_is_never_sent_again_after_a_senseless_answer(
    stub: Any, connect: Any, call: Any, status: int
) -> None:
    async def senseless(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/Items"):
            return None
        stub.sets["Items"].append(await request.json())
        return web.Response(status=status, text="<html>oops</html>", content_type="text/html")

    stub.before = senseless
    with pytest.raises(OutcomeUnknown):
        await call(await connect(), "create", entity="Items", values={"ItemCode": "a"})
    assert stub.sets["Items"] == [{"ItemCode": "a"}]


async def test_reconcile_looks_with_the_match_filter(stub: Any, connect: Any) -> None:
    connection = await connect()
    params = {"entity": "Drafts", "values": {"U_No": "x"}, "match": "U_No eq 'x'"}
    assert (await reconciled(connection, "create", **params)).finding is Finding.ABSENT
    stub.sets["Drafts"] = [{"DocEntry": 1, "U_No": "y"}, {"DocEntry": 2, "U_No": "x"}]
    found = await reconciled(connection, "create", **params)
    assert (found.finding, found.result) == (Finding.FOUND, {"DocEntry": 2, "U_No": "x"})
    stub.sets["Drafts"].append({"DocEntry": 3, "U_No": "x"})
    several = await reconciled(connection, "create", **params)
    assert several.finding is Finding.UNCLEAR
    assert several.reason_zh
    assert several.reason_en
    assert (await reconciled(connection, "create", **(params | {"match": " "}))).finding is Finding.UNCLEAR


async def test_reconcile_of_an_action_asks_about_this_row_only(stub: Any, connect: Any) -> None:
    stub.sets["Drafts"] = [{"DocEntry": 1, "Cancelled": "tYES"}, {"DocEntry": 2, "Cancelled": "tNO"}]
    connection = await connect()
    params = {"entity": "Drafts", "name": "Cancel", "match": "Cancelled eq 'tYES'"}
    assert (await reconciled(connection, "action", key="1", **params)).finding is Finding.FOUND
    assert (await reconciled(connection, "action", key="2", **params)).finding is Finding.ABSENT
    unmatched = {"entity": "Drafts", "name": "Cancel", "key": 1}
    assert (await reconciled(connection, "action", **unmatched)).finding is Finding.UNCLEAR


async def test_reconcile_of_a_composite_key(stub: Any, connect: Any) -> None:
    stub.sets["SpecialPrices"] = [{"ItemCode": "i'1", "CardCode": "c", "Valid": "tNO"}]
    params = {"entity": "SpecialPrices", "name": "Close", "match": "Valid eq 'tNO'"}
    found = await reconciled(await connect(), "action", key={"CardCode": "c", "ItemCode": "i'1"}, **params)
    assert found.finding is Finding.FOUND


async def test_refusals_keep_the_other_sides_words(stub: Any, connect: Any, call: Any) -> None:
    async def refuse(request: web.Request) -> web.Response | None:
        return stub.refuse(400, -1116, "库存不足") if request.path.endswith("/Items") else None

    stub.before = refuse
    with pytest.raises(RemoteRefused) as refused:
        await call(await connect(), "create", entity="Items", values={"ItemCode": "a"})
    assert (refused.value.code, refused.value.remote) == ("-1116", "库存不足")
    assert "erp POST" in refused.value.where


@pytest.mark.parametrize("entity", ["Items('x')", "../Login", "Items?x", "", "a b", "Items/1"])
async def test_entity_names_cannot_smuggle_a_path(connect: Any, entity: str) -> None:
    with pytest.raises(ValueError, match="entity"):
        (await connect()).actions["create"].params(entity=entity, values={})


async def test_a_misspelt_parameter_is_an_error(connect: Any) -> None:
    with pytest.raises(ValueError, match="page_sise"):
        (await connect()).actions["query"].params(entity="Drafts", page_sise=5)


@pytest.mark.parametrize("made", [True, False])
async def test_an_upsert_without_an_answer_is_left_for_the_next_look(
    stub: Any, connect: Any, call: Any, made: bool
) -> None:
    posts = 0

    async def lost(request: web.Request) -> web.Response | None:
        nonlocal posts
        if request.method != "POST" or not request.path.endswith("/Items"):
            return None
        posts += 1
        if made:
            stub.sets["Items"].append(await request.json())
        return stub.refuse(500, -1, "oops")

    connection = await connect()
    stub.before = lost
    with pytest.raises(TimedOut):
        await call(connection, "upsert", entity="Items", key="N1", values={"ItemName": "x"})
    assert posts == 1
    stub.before = None
    again = await call(connection, "upsert", entity="Items", key="N1", values={"ItemName": "y"})
    assert again == {"created": not made}
    assert [row["ItemName"] for row in stub.sets["Items"] if row["ItemCode"] == "N1"] == ["y"]


async def test_an_upsert_that_comes_second_is_left_for_the_next_look(stub: Any, connect: Any, call: Any) -> None:
    async def quicker(request: web.Request) -> web.Response | None:
        if request.method != "POST" or not request.path.endswith("/Items"):
            return None
        stub.sets["Items"].append({"ItemCode": "N1", "ItemName": "of somebody else"})
        return stub.refuse(400, -2035, "This entry already exists")

    connection = await connect()
    stub.before = quicker
    with pytest.raises(TimedOut):
        await call(connection, "upsert", entity="Items", key="N1", values={"ItemName": "x"})

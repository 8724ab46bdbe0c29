"""Streams of rows: complete, in constant memory, whatever the server does about pages."""

from __future__ import annotations

import asyncio
import gc
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.paging import PageReader, Selection
from runtime.connectors.b1_service_layer.settings import B1Settings
from runtime.errors import BadConnection, NotFound, RemoteFault, ValueRefused


def drafts(count: int) -> list[dict[str, Any]]:
    return [{"DocEntry": 7 * number, "U_ISSYN": "N"} for number in range(1, count + 1)]


def gets(stub: Any) -> list[str]:
    return [unquote(path) for method, path in stub.log if method == "GET"]


@pytest.mark.parametrize("links", ["relative", "rooted", "absolute", "none", "foreign"])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_pages_by_key_whatever_the_links_are(
    stub: Any, connect: Any, call: Any, links: str, version: str
) -> None:
    stub.links, stub.version, stub.sets["Drafts"] = links, version, drafts(45)
    found = await call(await connect(), "query", entity="Drafts", filter="U_ISSYN eq 'N'", page_size=20)
    assert found == drafts(45)
    assert gets(stub) == [
        "Drafts?$filter=U_ISSYN eq 'N'&$orderby=DocEntry",
        "Drafts?$filter=(U_ISSYN eq 'N') and (DocEntry gt 140)&$orderby=DocEntry",
        "Drafts?$filter=(U_ISSYN eq 'N') and (DocEntry gt 280)&$orderby=DocEntry",
    ]


async def test_a_server_that_caps_the_page_is_still_read_to_the_end(stub: Any, connect: Any, call: Any) -> None:
    stub.page_cap, stub.sets["Drafts"] = 3, drafts(10)
    assert await call(await connect(), "query", entity="Drafts", page_size=100) == drafts(10)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10])
async def test_last_pages_of_every_size(stub: Any, connect: Any, call: Any, count: int) -> None:
    stub.links, stub.sets["Drafts"] = "none", drafts(count)
    assert await call(await connect(), "query", entity="Drafts", page_size=5) == drafts(count)


@pytest.mark.parametrize("top", [0, 1, 5, 7, 10, 99])
@pytest.mark.parametrize("orderby", [None, "DocEntry"])
async def test_top_is_honoured_across_pages(stub: Any, connect: Any, call: Any, top: int, orderby: str | None) -> None:
    stub.sets["Drafts"] = drafts(12)
    found = await call(await connect(), "query", entity="Drafts", page_size=5, top=top, orderby=orderby)
    assert found == drafts(12)[:top]


async def test_text_keys_with_quotes_and_signs(stub: Any, connect: Any, call: Any) -> None:
    codes = sorted(["a'b", "a''", "x&y=z", "50%", "a+b", "#1", "物料/甲", "q?", "0123", "a b"])
    stub.sets["Items"] = [{"ItemCode": code} for code in codes]
    connection = await connect()
    assert [row["ItemCode"] for row in await call(connection, "query", entity="Items", page_size=1)] == codes
    for code in codes:
        assert await call(connection, "get", entity="Items", key=code) == {"ItemCode": code}
        assert await call(connection, "find", entity="Items", key=code) == {"ItemCode": code}


@pytest.mark.parametrize("links", ["relative", "rooted", "absolute"])
async def test_composite_keys_follow_the_links(stub: Any, connect: Any, call: Any, links: str) -> None:
    rows = [{"ItemCode": f"i{number}", "CardCode": "c1"} for number in range(9)]
    stub.links, stub.sets["SpecialPrices"] = links, rows
    assert await call(await connect(), "query", entity="SpecialPrices", page_size=2) == rows
    assert gets(stub)[0] == "SpecialPrices?$orderby=ItemCode,CardCode"
    assert len(gets(stub)) == 5


async def test_links_to_another_host_are_never_followed(stub: Any, connect: Any, call: Any) -> None:
    stub.links = "foreign"
    stub.sets["SpecialPrices"] = [{"ItemCode": f"i{number}", "CardCode": "c1"} for number in range(9)]
    with pytest.raises(BadConnection, match="another host"):
        await call(await connect(), "query", entity="SpecialPrices", page_size=2)


async def test_the_key_is_selected_even_if_nobody_asked(stub: Any, connect: Any, call: Any) -> None:
    stub.sets["Drafts"] = drafts(1)
    await call(await connect(), "query", entity="Drafts", select="U_ISSYN, DocNum", expand="BusinessPartner")
    assert gets(stub) == ["Drafts?$select=DocEntry,U_ISSYN,DocNum&$orderby=DocEntry&$expand=BusinessPartner"]


async def test_a_server_that_ignores_the_key_condition_does_not_loop(stub: Any, connect: Any, call: Any) -> None:
    stub.honours_filter, stub.sets["Drafts"] = False, drafts(50)
    with pytest.raises(RemoteFault, match="ignores"):
        await call(await connect(), "query", entity="Drafts")


async def test_a_link_to_the_same_page_does_not_loop(stub: Any, connect: Any, call: Any) -> None:
    async def again(request: web.Request) -> web.Response | None:
        if request.path.endswith("/Login"):
            return None
        return web.json_response({"value": [{"ItemCode": "i"}], "odata.nextLink": "SpecialPrices?$skip=1"})

    stub.before = again
    with pytest.raises(RemoteFault, match="same page"):
        await call(await connect(), "query", entity="SpecialPrices")


@pytest.mark.parametrize("answer", ['{"DocEntry": 1}', '{"value": 1}', "[]", "null"])
async def test_what_is_no_list_of_rows_is_said(stub: Any, connect: Any, call: Any, answer: str) -> None:
    async def odd(request: web.Request) -> web.Response | None:
        return None if request.path.endswith("/Login") else web.Response(text=answer)

    stub.before = odd
    with pytest.raises(RemoteFault, match="not a list of rows"):
        await call(await connect(), "query", entity="Drafts")


async def test_html_with_a_good_status_is_asked_again(stub: Any, connect: Any, call: Any) -> None:
    pages = ["<html>throttled</html>", "<html>throttled</html>"]

    async def throttled(request: web.Request) -> web.Response | None:
        if request.path.endswith("/Login") or not pages:
            return None
        return web.Response(text=pages.pop(), content_type="text/html")

    stub.before, stub.sets["Drafts"] = throttled, drafts(3)
    assert await call(await connect(), "query", entity="Drafts") == drafts(3)


async def test_only_one_page_is_fetched_ahead_and_leaving_early_is_clean(stub: Any, connect: Any) -> None:
    stub.sets["Drafts"] = drafts(100)
    ahead = asyncio.Event()

    async def notice(request: web.Request) -> None:
        if "gt" in request.query.get("$filter", ""):
            ahead.set()

    stub.before = notice
    connection = await connect()
    action = connection.actions["query"]
    stream = await action.run(action.params(entity="Drafts", page_size=10))
    for _ in range(8):
        await anext(stream)
    await asyncio.wait_for(ahead.wait(), 5)
    await stream.aclose()
    gc.collect()
    assert len(gets(stub)) == 2


async def test_memory_holds_two_pages_at_most() -> None:
    class Row(dict[str, Any]):
        alive = 0

        def __init__(self, entry: int) -> None:
            super().__init__(DocEntry=entry)
            Row.alive += 1

        def __del__(self) -> None:
            Row.alive -= 1

    client = ServiceLayer("erp", B1Settings(base_url="http://h", company="c", user="u", password="p"))

    async def read(url: str, *, headers: Any = None) -> dict[str, Any]:
        beyond = int((re.search(r"gt (\d+)", unquote(url)) or ["0", "0"])[1])
        return {"value": [Row(beyond + number) for number in range(1, 11)], "odata.nextLink": "x"}

    client.read = read  # type: ignore[method-assign]
    most = seen = 0
    async for _ in PageReader(client, Selection(entity="Drafts", page_size=10, top=2000), key="DocEntry").rows():
        most, seen = max(most, Row.alive), seen + 1
    assert seen == 2000
    assert most <= 31
    await client.aclose()


async def test_find_needs_something_to_find_by(stub: Any, connect: Any, call: Any) -> None:
    stub.sets["Drafts"] = drafts(2)
    connection = await connect()
    assert await call(connection, "find", entity="Drafts", key="14", filter="DocEntry eq 7") == drafts(2)[1]
    assert await call(connection, "find", entity="Drafts", filter="DocEntry eq 7") == drafts(1)[0]
    assert await call(connection, "find", entity="Drafts", filter="DocEntry eq 8") is None
    assert await call(connection, "find", entity="Drafts", key=8) is None
    for nothing in ({}, {"filter": " "}):
        with pytest.raises(ValueRefused):
            await call(connection, "find", entity="Drafts", **nothing)


async def test_find_does_not_mistake_a_wrong_entity_for_a_missing_row(stub: Any, connect: Any, call: Any) -> None:
    async def unknown(request: web.Request) -> web.Response | None:
        return None if request.path.endswith("/Login") else stub.refuse(404, -1, "Unrecognized resource path")

    stub.before = unknown
    with pytest.raises(NotFound):
        await call(await connect(), "find", entity="Drafts", key=8)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("5", "Drafts(5)"),
        (5, "Drafts(5)"),
        (5, "Items('5')"),
        ("0005", "Items('0005')"),
        ({"CardCode": "c", "ItemCode": 1}, "SpecialPrices(CardCode='c',ItemCode='1')"),
    ],
)
async def test_keys_take_the_type_of_their_property(stub: Any, connect: Any, call: Any, key: Any, path: str) -> None:
    await call(await connect(), "find", entity=path.partition("(")[0], key=key)
    assert gets(stub) == [path]


@pytest.mark.parametrize(
    ("entity", "key"),
    [("Drafts", "abc"), ("Drafts", ""), ("SpecialPrices", "i1"), ("SpecialPrices", {"ItemCode": "i1"}), ("Items", {})],
)
async def test_keys_that_cannot_be_right_are_not_sent(
    stub: Any, connect: Any, call: Any, entity: str, key: Any
) -> None:
    with pytest.raises(ValueRefused):
        await call(await connect(), "get", entity=entity, key=key)
    assert gets(stub) == []


async def test_count_reads_a_bare_number(stub: Any, connect: Any, call: Any) -> None:
    connection = await connect()
    assert await call(connection, "count", entity="Users") == 3
    assert await call(connection, "count", entity="Users", filter="InternalKey gt 1") == 2


async def test_count_of_something_else_is_said(stub: Any, connect: Any, call: Any) -> None:
    async def odd(request: web.Request) -> web.Response | None:
        return web.Response(text="many") if request.path.endswith("$count") else None

    stub.before = odd
    with pytest.raises(RemoteFault):
        await call(await connect(), "count", entity="Users")


class ChangingServer:
    """Pages over a set that other people change between any two requests; stands in for the client."""

    name, root = "erp", "http://b1/b1s/v1"

    def __init__(self, rows: set[int], changes: list[tuple[str, int]], cap: int) -> None:
        self.rows, self.changes, self.cap = set(rows), list(changes), cap
        self.steady = set(rows)

    def url(self, path: str, options: dict[str, Any]) -> str:
        return ServiceLayer.url(self, path, options)  # type: ignore[arg-type]

    async def read(self, url: str, *, headers: dict[str, str]) -> dict[str, Any]:
        query = parse_qs(urlsplit(url).query)
        beyond = int(query.get("$filter", ["Key gt -1"])[0].rpartition(" gt ")[2])
        found = sorted(row for row in self.rows if row > beyond)
        page = found[: min(self.cap, int(headers["Prefer"].rpartition("=")[2]))]
        answer: dict[str, Any] = {"value": [{"Key": row} for row in page]}
        if len(page) < len(found):
            answer["odata.nextLink"] = f"Things?$skip={len(page)}"
        for _ in range(min(3, len(self.changes))):
            kind, row = self.changes.pop()
            if kind == "leave":
                self.rows.discard(row)
                self.steady.discard(row)
            else:
                self.rows.add(row)
        return answer


@settings(max_examples=150, deadline=None)
@given(
    rows=st.sets(st.integers(0, 60), max_size=40),
    changes=st.lists(st.tuples(st.sampled_from(["leave", "join"]), st.integers(0, 60)), max_size=60),
    page_size=st.integers(1, 12),
    cap=st.integers(1, 12),
)
def test_rows_that_stay_are_read_exactly_once_while_others_come_and_go(
    rows: set[int], changes: list[tuple[str, int]], page_size: int, cap: int
) -> None:
    async def read() -> list[int]:
        reader = PageReader(server, Selection(entity="Things", page_size=page_size), key="Key")  # type: ignore[arg-type]
        return [row["Key"] async for row in reader.rows()]

    server = ChangingServer(rows, changes, cap)
    seen = asyncio.run(read())
    assert seen == sorted(set(seen))
    assert server.steady <= set(seen)

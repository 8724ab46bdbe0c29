"""One session for all calls: who logs in, when, and what a refused login leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.b1_service_layer import session as session_module
from runtime.errors import BadConnection, LoginRefused, Throttled, Unreachable

# The stub and its fixtures live in conftest.py.


async def test_many_calls_share_one_login_with_all_its_cookies(stub: Any, connect: Any, call: Any) -> None:
    stub.needs_route = True
    connection = await connect()
    found = await asyncio.gather(*(call(connection, "get", entity="Users", key=1) for _ in range(32)))
    assert [row["UserCode"] for row in found] == ["user1"] * 32
    assert stub.logins == 1


async def test_no_login_storm_when_the_session_dies_under_32_calls(stub: Any, connect: Any, call: Any) -> None:
    connection = await connect()
    await call(connection, "get", entity="Users", key=1)
    stub.sessions.clear()
    await asyncio.gather(*(call(connection, "get", entity="Users", key=1) for _ in range(32)))
    assert stub.logins == 2


@pytest.mark.parametrize("style", ["v1", "v2", "mixed"])
async def test_create_is_repeated_once_after_a_dead_session(stub: Any, connect: Any, call: Any, style: str) -> None:
    stub.error_style = style
    connection = await connect()
    await call(connection, "get", entity="Users", key=1)
    stub.sessions.clear()
    await call(connection, "create", entity="Items", values={"ItemCode": "A1"})
    assert stub.sets["Items"] == [{"ItemCode": "A1"}]
    assert stub.logins == 2
    assert [path for method, path in stub.log if method == "POST"] == ["Login", "Items", "Login", "Items"]


async def test_a_session_that_never_works_is_tried_once_more_and_no_further(stub: Any, connect: Any, call: Any) -> None:
    stub.needs_route, stub.route_cookie = True, False
    connection = await connect()
    with pytest.raises(LoginRefused) as refused:
        await call(connection, "create", entity="Items", values={"ItemCode": "A1"})
    assert refused.value.code == "301"
    assert stub.logins == 2
    assert stub.sets["Items"] == []


async def test_two_dead_sessions_in_one_call_are_a_passing_fault(stub: Any, connect: Any, call: Any) -> None:
    connection = await connect()
    await call(connection, "get", entity="Users", key=1)
    deaths = iter(range(2))

    async def end_all(request: web.Request) -> web.Response | None:
        if request.path.endswith("/Items") and next(deaths, None) is not None:
            stub.sessions.clear()
        return None

    stub.before = end_all
    await call(connection, "create", entity="Items", values={"ItemCode": "A1"})
    assert (stub.sets["Items"], stub.logins) == ([{"ItemCode": "A1"}], 3)


async def test_wrong_password_is_said_once_and_not_tried_by_every_call(stub: Any, connect: Any, call: Any) -> None:
    connection = await connect(password="wrong")
    failures = await asyncio.gather(
        *(call(connection, "get", entity="Users", key=1) for _ in range(8)), return_exceptions=True
    )
    assert all(isinstance(failure, LoginRefused) for failure in failures)
    assert {(failure.code, failure.remote) for failure in failures} == {("-304", "Fail to NONE-SSO login from SLD.")}
    assert stub.logins == 1
    with pytest.raises(LoginRefused):
        await connection.test()
    assert stub.logins == 2


@pytest.mark.parametrize(("status", "code"), [(401, -306), (401, 100000027), (500, 100000027), (400, -1)])
async def test_every_refusal_of_a_login_concerns_the_connection(
    stub: Any, connect: Any, call: Any, status: int, code: int
) -> None:
    async def refuse(request: web.Request) -> web.Response | None:
        return stub.refuse(status, code, "Login failed")

    stub.before = refuse
    with pytest.raises(LoginRefused) as refused:
        await call(await connect(), "get", entity="Users", key=1)
    assert (refused.value.code, refused.value.remote) == (str(code), "Login failed")
    assert len(stub.log) == 1


def failing(stub: Any, times: int, answer: Callable[[], web.Response], path: str) -> None:
    """The first calls to a path get this answer."""
    left = times

    async def fail(request: web.Request) -> web.Response | None:
        nonlocal left
        if not request.path.endswith(path) or left == 0:
            return None
        left -= 1
        return answer()

    stub.before = fail


async def test_company_switch_contention_is_waited_out(stub: Any, connect: Any, call: Any) -> None:
    failing(stub, 2, lambda: stub.refuse(500, 305, "Switch company error: -1102"), "/Login")
    connection = await connect()
    await call(connection, "create", entity="Items", values={"ItemCode": "A1"})
    assert (stub.logins, stub.sets["Items"]) == (1, [{"ItemCode": "A1"}])


async def test_contention_on_a_create_is_waited_out_too(stub: Any, connect: Any, call: Any) -> None:
    failing(stub, 2, lambda: stub.refuse(500, 305, "Switch company error: -1102"), "/Items")
    await call(await connect(), "create", entity="Items", values={"ItemCode": "A1"})
    assert stub.sets["Items"] == [{"ItemCode": "A1"}]


async def test_lasting_contention_is_reported_and_not_hammered(stub: Any, connect: Any, call: Any) -> None:
    failing(stub, 1000, lambda: stub.refuse(500, 305, "Switch company error: -1102"), "/Login")
    connection = await connect()
    failures = await asyncio.gather(
        *(call(connection, "get", entity="Users", key=1) for _ in range(8)), return_exceptions=True
    )
    assert all(isinstance(failure, Throttled) for failure in failures)
    assert len(stub.log) == 3


async def test_a_login_without_answer_leaves_no_doubt_about_the_create(stub: Any, connect: Any, call: Any) -> None:
    page = "<html><title>502 Proxy Error</title></html>"
    failing(stub, 1000, lambda: web.Response(status=502, text=page, content_type="text/html"), "/Login")
    with pytest.raises(Unreachable):
        await call(await connect(), "create", entity="Items", values={"ItemCode": "A1"})
    assert stub.sets["Items"] == []


async def test_a_pause_ends_by_itself(stub: Any, connect: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "REFUSED_PAUSE", 0.0)
    failing(stub, 1, lambda: stub.refuse(401, -304, "Fail to NONE-SSO login from SLD."), "/Login")
    connection = await connect()
    with pytest.raises(LoginRefused):
        await call(connection, "get", entity="Users", key=1)
    assert (await call(connection, "get", entity="Users", key=1))["UserCode"] == "user1"


async def test_a_cancelled_login_does_not_block_the_others(stub: Any, connect: Any, call: Any) -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> None:
        if request.path.endswith("/Login") and not release.is_set():
            reached.set()
            await release.wait()

    stub.before = hold
    connection = await connect()
    first = asyncio.create_task(call(connection, "get", entity="Users", key=1))
    await reached.wait()
    second = asyncio.create_task(call(connection, "get", entity="Users", key=2))
    first.cancel()
    release.set()
    assert (await second)["UserCode"] == "user2"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_session_id_stands_in_for_a_swallowed_cookie(stub: Any, connect: Any, call: Any) -> None:
    stub.session_cookie = stub.route_cookie = False
    assert (await call(await connect(), "get", entity="Users", key=2))["UserCode"] == "user2"


async def test_something_else_that_answers_200_is_not_taken_for_b1(serve: Any, connect: Any, stub: Any) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    stub.url = (await serve(hello)).url
    with pytest.raises(LoginRefused, match="Service Layer"):
        await (await connect()).test()


async def test_closing_logs_out_once(stub: Any, connect: Any, call: Any) -> None:
    connection = await connect()
    await call(connection, "get", entity="Users", key=1)
    await connection.aclose()
    await connection.aclose()
    assert (stub.logouts, stub.sessions) == (1, set())


async def test_closing_an_unused_connection_says_nothing(stub: Any, connect: Any) -> None:
    await (await connect()).aclose()
    assert stub.log == []


@pytest.mark.parametrize("base", ["{}", "{}/", "{}/b1s/v1", "{}//b1s/v1/", "{}/b1"])
async def test_base_url_may_be_written_in_several_ways(stub: Any, connect: Any, call: Any, base: str) -> None:
    await connect()
    assert await call(await connect(base_url=base.format(stub.url)), "count", entity="Users") == 3


async def test_language_and_company_are_sent_as_documented(stub: Any, connect: Any, call: Any) -> None:
    await call(await connect(), "get", entity="Users", key=1)
    assert stub.bodies[0] == {
        "CompanyDB": "SBODEMOCN",
        "UserName": "manager",
        "Password": "manager",
        "Language": 15,
    }


async def test_a_redirect_names_the_final_address(serve: Any, connect: Any, stub: Any) -> None:
    async def moved(_: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "https://other.example.com/"})

    stub.url = (await serve(moved)).url
    with pytest.raises(BadConnection) as wrong:
        await (await connect()).test()
    assert wrong.value.remote == "https://other.example.com/"

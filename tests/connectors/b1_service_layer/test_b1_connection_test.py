"""What "test connection" says."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from runtime.errors import BadConnection, LoginRefused, NotPermitted, Unreachable


async def test_everything_that_was_established_is_said(stub: Any, connect: Any) -> None:
    report = await (await connect(approver_user="boss", approver_password="manager")).test()
    english = [en for _, en in report.lines]
    assert english == [
        f"Reached {stub.url.removeprefix('http://')}, not encrypted",
        "Logged in: company SBODEMOCN, user manager",
        "Service Layer version 1000280",
        "May read users (Users)",
        "The approver boss can log in",
    ]
    assert all(zh and zh != en for zh, en in report.lines)
    assert (stub.logins, stub.logouts) == (2, 1)


async def test_testing_twice_leaves_one_session(stub: Any, connect: Any) -> None:
    connection = await connect()
    await connection.test()
    await connection.test()
    assert stub.sessions == {"session-2"}


async def test_a_version_that_is_not_served(stub: Any, connect: Any) -> None:
    async def missing(request: web.Request) -> web.Response:
        return stub.refuse(404, -1, "Unrecognized resource path")

    stub.before = missing
    with pytest.raises(BadConnection, match="version"):
        await (await connect()).test()


async def test_another_set_proves_the_rights_as_well(stub: Any, connect: Any) -> None:
    async def forbid(request: web.Request) -> web.Response | None:
        return stub.refuse(403, -1, "no") if request.path.endswith("/Users") else None

    stub.before = forbid
    assert ("可以读取物料（Items）", "May read items (Items)") in (await (await connect()).test()).lines


async def test_a_user_without_any_right_is_told(stub: Any, connect: Any) -> None:
    async def forbid(request: web.Request) -> web.Response | None:
        return None if request.path.endswith(("/Login", "/Logout")) else stub.refuse(403, -1, "no")

    stub.before = forbid
    with pytest.raises(NotPermitted):
        await (await connect()).test()


async def test_the_approvers_password_is_tested_too(connect: Any) -> None:
    with pytest.raises(LoginRefused):
        await (await connect(approver_user="boss", approver_password="wrong")).test()


async def test_nobody_there(connect: Any, free_port: int) -> None:
    with pytest.raises(Unreachable):
        await (await connect(base_url=f"http://127.0.0.1:{free_port}", retries=0)).test()


async def test_a_web_server_that_is_no_service_layer(serve: Any, connect: Any, stub: Any) -> None:
    async def not_found(_: web.Request) -> web.Response:
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")

    stub.url = (await serve(not_found)).url
    with pytest.raises(BadConnection, match="no Service Layer"):
        await (await connect()).test()


@pytest.mark.parametrize("trusted", ["own", "off", "no"])
async def test_certificates(serve: Any, connect: Any, stub: Any, certificates: Any, trusted: str) -> None:
    context, ca_file = certificates
    stub.url = (await serve(stub.handle, tls=context)).url
    settings = {"own": {"ca_file": ca_file}, "off": {"verify_tls": False}, "no": {}}[trusted]
    connection = await connect(**settings)
    if trusted == "no":
        with pytest.raises(BadConnection, match="certificate is not trusted"):
            await connection.test()
        return
    words = {"own": "certificate valid", "off": "certificate not verified"}[trusted]
    assert words in (await connection.test()).lines[0][1]

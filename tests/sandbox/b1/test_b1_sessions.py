"""Login, logout, timeout, the load balancer, and the error bodies of both versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.sandbox.b1 import B1Simulator

LOGIN = {"CompanyDB": "SBODEMOCN", "UserName": "manager", "Password": "manager"}
Connect = Callable[..., httpx.AsyncClient]


async def test_login_sets_two_cookies_and_reports_the_session(connect: Connect) -> None:
    answer = await connect("v1").post("Login", json={**LOGIN, "Language": 15})
    body = answer.json()
    assert answer.status_code == 200
    assert body["odata.metadata"].endswith("/b1/b1s/v1/$metadata#B1Sessions/@Element")
    assert (body["Version"], body["SessionTimeout"]) == ("1000280", 30)
    cookies = [header.split(";")[0] for header in answer.headers.get_list("set-cookie")]
    assert cookies[0] == f"B1SESSION={body['SessionId']}"
    assert cookies[1].startswith("ROUTEID=.node")
    assert len(cookies) == 2
    assert answer.headers["server"].startswith("Apache/2.4")
    assert answer.headers["dataserviceversion"] == "3.0"


async def test_login_v2_uses_the_odata_4_context(connect: Connect) -> None:
    body = (await connect("v2").post("Login", json=LOGIN)).json()
    assert body["@odata.context"].endswith("/b1s/v2/$metadata#B1Sessions/$entity")


@pytest.mark.parametrize(
    ("change", "code"), [({"Password": "wrong"}, -304), ({"UserName": "nobody"}, -304), ({"CompanyDB": "NOSUCH"}, -306)]
)
async def test_refused_logins(connect: Connect, change: dict[str, Any], code: int) -> None:
    one = await connect("v1").post("Login", json=LOGIN | change)
    two = await connect("v2").post("Login", json=LOGIN | change)
    text = "Fail to NONE-SSO login from SLD."
    assert (one.status_code, two.status_code) == (401, 401)
    assert one.json() == {"error": {"code": code, "message": {"lang": "en-us", "value": text}}}
    assert two.json() == {"error": {"code": str(code), "details": [{"code": "", "message": ""}], "message": text}}


@pytest.mark.parametrize("cookie", [None, "B1SESSION=garbage; ROUTEID=.node1"])
async def test_without_a_live_session_everything_is_401_301(connect: Connect, cookie: str | None) -> None:
    headers = {"Cookie": cookie} if cookie else {}
    for path in ("Items", "Drafts(1)", "$metadata", "Logout"):
        verb = "POST" if path == "Logout" else "GET"
        answer = await connect("v1").request(verb, path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == 301
        assert answer.json()["error"]["message"]["value"] == "Invalid session or session already timeout."


async def test_error_language_follows_the_session(connect: Connect) -> None:
    client = connect("v1")
    await client.post("Login", json={**LOGIN, "Language": 15})
    answer = await client.get("Drafts(99999)")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == -2028
    assert answer.json()["error"]["message"]["lang"] == "zh-cn"


async def test_idle_time_slides(v1: httpx.AsyncClient, clock: Any) -> None:
    for _ in range(5):
        clock.advance(minutes=10)
        assert (await v1.get("Items")).status_code == 200
    clock.advance(minutes=31)
    assert (await v1.get("Items")).status_code == 401
    assert (await v1.get("Items")).json()["error"]["code"] == 301


async def test_logout_ends_the_session(v1: httpx.AsyncClient) -> None:
    answer = await v1.post("Logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await v1.get("Items")).status_code == 401


async def test_all_sessions_can_be_expired(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    simulator.expire_sessions()
    assert (await v1.get("Items")).status_code == 401


async def test_without_its_route_a_session_meets_the_wrong_node(v1: httpx.AsyncClient, connect: Connect) -> None:
    alone = {"Cookie": f"B1SESSION={v1.cookies['B1SESSION']}"}
    stranger = connect("v1")
    statuses = {(await stranger.get("Items", headers=alone)).status_code for _ in range(4)}
    assert statuses == {200, 401}
    routed = {"SessionId": v1.cookies["B1SESSION"], "Cookie": f"ROUTEID={v1.cookies['ROUTEID']}"}
    assert (await stranger.get("Items", headers=routed)).status_code == 200


async def test_injected_refusals_come_once_each(v1: httpx.AsyncClient, simulator: B1Simulator) -> None:
    simulator.refuse_next(500, 305, "Switch company error: -1102", times=2)
    answers = [await v1.get("Items") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 500, 200]
    assert answers[0].json()["error"]["code"] == 305


async def test_a_doubled_slash_means_the_same(v1: httpx.AsyncClient, address: str) -> None:
    answer = await v1.get(f"{address}/b1//b1s/v1/Items('F30001')")
    assert answer.json()["ItemName"] == "三相异步电动机"


async def test_addresses_outside_the_service_layer_are_not_found(v1: httpx.AsyncClient, address: str) -> None:
    assert (await v1.get(f"{address}/b1/elsewhere")).status_code == 404
    unknown = await v1.get("Elephants")
    assert (unknown.status_code, unknown.json()["error"]["message"]["value"]) == (404, "Unrecognized resource path.")

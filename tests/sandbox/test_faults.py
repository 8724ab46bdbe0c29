"""Faults between a client and the simulators: what the client sees, and what took effect."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox import demo
from runtime.sandbox.faults import KINDS, FaultKind, Faults, FaultSettings, parse_faults

START = "/v1.0/workflow/processInstances"
LOGIN = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}


async def plan(sandbox: Any, fault: str, **options: Any) -> None:
    await sandbox.control("POST", "/faults/next", {"fault": fault, "method": "POST", "path": START, **options})


def started(sandbox: Any) -> int:
    return len(sandbox.world.dingtalk.instances)


@pytest.fixture
async def ready(sandbox: Any, start_body: Any) -> Any:
    """A sandbox whose client holds a token already; one approval exists."""
    await sandbox.start()
    return sandbox


async def test_reset_after_the_effect(ready: Any, start_body: Any) -> None:
    await plan(ready, "reset_after")
    with pytest.raises(httpx.TransportError):
        await ready.dingtalk("POST", START, start_body())
    assert started(ready) == 2
    assert (await ready.dingtalk("POST", START, start_body())).status_code == 200
    assert (await ready.control("GET", "/faults"))["met"] == {"reset_after": 1}


async def test_answer_withheld_after_the_effect(ready: Any, start_body: Any) -> None:
    await plan(ready, "timeout_after")
    ready.client.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        await ready.dingtalk("POST", START, start_body())
    assert started(ready) == 2


async def test_withheld_answer_ends_in_a_broken_connection(ready: Any, start_body: Any) -> None:
    await ready.control("PUT", "/faults", {"timeout_s": 0.1})
    await plan(ready, "timeout_after")
    with pytest.raises(httpx.TransportError) as caught:
        await ready.dingtalk("POST", START, start_body())
    assert not isinstance(caught.value, httpx.TimeoutException)
    assert started(ready) == 2


async def test_damaged_answer_after_the_effect(ready: Any, start_body: Any) -> None:
    await plan(ready, "malformed_after")
    answer = await ready.dingtalk("POST", START, start_body())
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert started(ready) == 2


async def test_errors_before_the_effect(ready: Any, start_body: Any) -> None:
    await plan(ready, "error500")
    answer = await ready.dingtalk("POST", START, start_body())
    assert (answer.status_code, answer.json()["code"]) == (500, "systemError")
    await plan(ready, "error429")
    answer = await ready.dingtalk("POST", START, start_body())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    await plan(ready, "throttled_html")
    answer = await ready.dingtalk("POST", START, start_body())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    await plan(ready, "session_expiry")
    answer = await ready.dingtalk("POST", START, start_body())
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidAuthentication")
    assert started(ready) == 1


async def test_b1_answers_faults_in_its_own_words(sandbox: Any) -> None:
    client = sandbox.client
    await sandbox.control("POST", "/faults/next", {"fault": "error500", "times": 2})
    v1, v2 = [await client.post(f"/b1/b1s/{version}/Login", json=LOGIN) for version in ("v1", "v2")]
    assert (v1.status_code, v1.json()["error"]["code"]) == (500, 305)
    assert (v2.status_code, v2.json()["error"]["code"]) == (500, "305")
    await sandbox.control("POST", "/faults/next", {"fault": "throttled_html"})
    page = await client.get("/b1/b1s/v1/Drafts")
    assert (page.status_code, "Proxy Error" in page.text) == (502, True)
    assert (await client.post("/b1/b1s/v1/Login", json=LOGIN)).status_code == 200
    assert (await client.get("/b1/b1s/v1/Drafts?$top=1")).status_code == 200
    await sandbox.control("POST", "/faults/next", {"fault": "session_expiry"})
    dead = await client.get("/b1/b1s/v1/Drafts?$top=1")
    assert (dead.status_code, dead.json()["error"]["code"]) == (401, 301)
    await client.post("/b1/b1s/v1/Login", json=LOGIN)
    await sandbox.control("POST", "/b1/expire-sessions")
    assert (await client.get("/b1/b1s/v1/Drafts?$top=1")).status_code == 401


async def test_pages_and_control_never_meet_faults(sandbox: Any) -> None:
    await sandbox.control("PUT", "/faults", {"rates": {"error500": 1}})
    for path in ("/", "/inbox", "/documents/Drafts", "/switches", "/control/health", "/control/faults"):
        assert (await sandbox.client.get(path)).status_code == 200
    assert (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json={})).status_code == 500
    await sandbox.control("DELETE", "/faults")
    assert (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json={})).status_code == 400


async def test_wrong_settings_are_refused_and_change_nothing(sandbox: Any) -> None:
    for wrong in (
        {"rates": {"nonsense": 0.1}},
        {"rates": {"error500": 1.5}},
        {"rates": {"error500": 0.6, "error429": 0.6}},
        {"latency_ms": -1},
        {"latencyms": 1},
        [],
    ):
        await sandbox.control("PUT", "/faults", wrong, expected=400)
    await sandbox.control("POST", "/faults/next", {"fault": "nonsense"}, expected=400)
    assert (await sandbox.control("GET", "/faults"))["settings"]["rates"] == {}


async def test_latency_stands_before_the_effect(ready: Any, start_body: Any) -> None:
    await ready.control("PUT", "/faults", {"latency_ms": 60_000})
    ready.client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        await ready.dingtalk("POST", START, start_body())
    assert started(ready) == 1


rates = st.dictionaries(st.sampled_from(KINDS), st.floats(0, 1 / len(KINDS)))


@given(rates, st.integers())
def test_same_seed_same_faults(chosen: dict[FaultKind, float], seed: int) -> None:
    settings = FaultSettings(rates=chosen, seed=seed)
    first, second = Faults(settings), Faults(settings)
    drawn = [first.draw("POST", "/b1/x") for _ in range(50)]
    assert drawn == [second.draw("POST", "/b1/x") for _ in range(50)]
    assert {kind for kind in drawn if kind} <= {kind for kind, rate in chosen.items() if rate > 0}


def test_rates_are_met_about_as_often_as_asked() -> None:
    faults = Faults(FaultSettings(rates={"reset_after": 0.02, "error500": 0.1}))
    drawn = [faults.draw("POST", "/b1/x") for _ in range(10_000)]
    assert 120 < drawn.count("reset_after") < 280
    assert 850 < drawn.count("error500") < 1150
    assert faults.met == {"reset_after": drawn.count("reset_after"), "error500": drawn.count("error500")}


def test_command_line_words() -> None:
    assert parse_faults(["reset_after=0.02", "error500 = 0.1"]) == {"reset_after": 0.02, "error500": 0.1}
    for wrong in ("reset_after", "nonsense=0.1", "error500=2", "error500=x"):
        with pytest.raises(ValueError):
            parse_faults([wrong])


async def test_the_gateway_fails_like_the_others(sandbox: Any) -> None:
    root = "/b1/b1dis/v1"
    statement = {"Sql": "select 1 from DUMMY"}
    assert (await sandbox.client.post(f"{root}/Login", json=LOGIN)).status_code == 200

    async def met(fault: str) -> httpx.Response:
        await sandbox.control("POST", "/faults/next", {"fault": fault, "path": "exec-sql"})
        answer: httpx.Response = await sandbox.client.post(f"{root}/exec-sql", json=statement)
        return answer

    answer = await met("error500")
    assert (answer.status_code, answer.json()["code"][:4]) == (500, "RIS.")
    assert (await met("error429")).status_code == 429
    assert (await met("session_expiry")).status_code == 401
    assert (await sandbox.client.post(f"{root}/Login", json=LOGIN)).status_code == 200
    with pytest.raises(httpx.TransportError):
        await met("reset_after")
    await sandbox.control("PUT", "/b1/gateway", {"error_status": 500}, 400)
    assert await sandbox.control("PUT", "/b1/gateway", {"error_status": 200}) == {
        "error_status": 200,
        "long_dates": False,
        "lag_s": 0.0,
    }
    answer = await sandbox.client.post(f"{root}/exec-sql", json={"Sql": "select"})
    assert (answer.status_code, answer.json()["code"] != "RIS.10000000") == (200, True)
    await sandbox.control("POST", "/b1/expire-sessions")
    assert (await sandbox.client.post(f"{root}/exec-sql", json=statement)).status_code == 401

"""Access tokens of the DingTalk double: both calls, one token within its life, expiry."""

from __future__ import annotations

from typing import Any

from runtime.sandbox import demo

APP = {"appKey": demo.DINGTALK_APP_KEY, "appSecret": demo.DINGTALK_APP_SECRET}
LEGACY = {"appkey": demo.DINGTALK_APP_KEY, "appsecret": demo.DINGTALK_APP_SECRET}


async def test_same_token_within_its_life_from_both_calls(sandbox: Any) -> None:
    first = (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json=APP)).json()
    again = (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json=APP)).json()
    legacy = (await sandbox.client.get("/dingtalk/gettoken", params=LEGACY)).json()
    assert first == again
    assert first["expireIn"] == 7200
    assert legacy == {"errcode": 0, "errmsg": "ok", "access_token": first["accessToken"], "expires_in": 7200}


async def test_token_is_renewed_by_asking_and_ends_without(run_sandbox: Any) -> None:
    now = [1_800_000_000.0]
    async with run_sandbox(clock=lambda: now[0]) as sandbox:
        first = (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json=APP)).json()["accessToken"]
        now[0] += 7000
        assert (await sandbox.client.get("/dingtalk/gettoken", params=LEGACY)).json()["access_token"] == first
        now[0] += 7000
        assert sandbox.world.dingtalk.tokens.valid(first)
        now[0] += 300
        answer = await sandbox.client.get(
            "/dingtalk/v1.0/workflow/forms/schemas/processCodes", headers={"x-acs-dingtalk-access-token": first}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidAuthentication")
        second = (await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json=APP)).json()["accessToken"]
        assert second != first


async def test_wrong_secret(sandbox: Any) -> None:
    answer = await sandbox.client.post("/dingtalk/v1.0/oauth2/accessToken", json={**APP, "appSecret": "x"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalidClientIdOrSecret"
    assert answer.json()["requestid"]
    legacy = await sandbox.client.get("/dingtalk/gettoken", params={**LEGACY, "appsecret": "x"})
    assert legacy.status_code == 200
    assert legacy.json()["errcode"] == 40089


async def test_missing_or_expired_token_is_named_as_such(sandbox: Any) -> None:
    answer = await sandbox.client.post("/dingtalk/v1.0/workflow/processInstances", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidAuthentication")
    await sandbox.start()
    await sandbox.control("POST", "/dingtalk/expire-tokens")
    answer = await sandbox.dingtalk("POST", "/v1.0/workflow/processInstances", {})
    assert answer.json()["code"] == "InvalidAuthentication"
    legacy = await sandbox.client.get("/dingtalk/call_back/get_call_back_failed_result", params={"access_token": "x"})
    assert legacy.json()["errcode"] == 88

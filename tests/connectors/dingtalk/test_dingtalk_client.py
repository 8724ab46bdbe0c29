"""The token's life, and DingTalk's error answers as ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.actions import Effect
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.connectors.dingtalk.connector import DingTalkConnector
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.errors import (
    BadConnection,
    FormGone,
    IntegrationError,
    LoginRefused,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RemoteFault,
    RemoteRefused,
    Throttled,
)

Connect = Callable[..., DingTalkConnector]
Run = Callable[..., Awaitable[Any]]

INSTANCES = "/v1.0/workflow/processInstances"
FORM = {"form": "PROC-1", "values": {"单别": "计划"}, "originator": "u1", "department": -1}


def refusal(code: str, message: str = "不行") -> dict[str, Any]:
    return {"code": code, "requestid": "A1-B2", "message": message}


async def test_the_token_is_fetched_once_for_all(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[INSTANCES] = [(200, {"result": {"status": "RUNNING"}, "success": "true"})]
    connector = connect()
    await asyncio.gather(*(run(connector, "get_approval", instance_id="i") for _ in range(10)))
    assert dingtalk.tokens_issued == 1
    assert {headers["x-acs-dingtalk-access-token"] for _, headers, _ in dingtalk.calls} == {"token-1"}


async def test_the_token_is_renewed_before_it_expires(
    dingtalk: Any, connect: Connect, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dingtalk.answers[INSTANCES] = [(200, {"result": {"status": "RUNNING"}})]
    connector = connect()
    await run(connector, "get_approval", instance_id="i")
    start = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: start + 6800)
    await run(connector, "get_approval", instance_id="i")
    assert dingtalk.tokens_issued == 1
    monkeypatch.setattr(time, "monotonic", lambda: start + 6950)
    await run(connector, "get_approval", instance_id="i")
    assert dingtalk.tokens_issued == 2


@pytest.mark.parametrize("code", ["InvalidAuthentication", "invalidAccessToken"])
async def test_a_refused_token_is_renewed_once_also_for_a_create(
    dingtalk: Any, connect: Connect, run: Run, code: str
) -> None:
    dingtalk.answers[INSTANCES] = [(400, refusal(code)), (200, {"instanceId": "i-1"})]
    assert await run(connect(), "create_approval", **FORM) == {"instance_id": "i-1"}
    assert dingtalk.tokens_issued == 2
    assert len(dingtalk.bodies(INSTANCES)) == 2


async def test_a_token_that_stays_refused_is_a_refused_login(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[INSTANCES] = [(400, refusal("InvalidAuthentication", "不合法的access_token"))]
    with pytest.raises(LoginRefused) as caught:
        await run(connect(), "create_approval", **FORM)
    assert (caught.value.code, caught.value.remote) == (
        "InvalidAuthentication",
        "不合法的access_token (requestid A1-B2)",
    )
    assert len(dingtalk.bodies(INSTANCES)) == 2


async def test_callers_that_lose_the_same_token_share_the_next(dingtalk: Any, connect: Connect, run: Run) -> None:
    def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if dingtalk.calls[-1][1]["x-acs-dingtalk-access-token"] == "token-1":
            return 400, refusal("InvalidAuthentication")
        return 200, {"result": {"list": [], "nextToken": ""}}

    dingtalk.answers["/v1.0/workflow/processes/instanceIds/query"] = answer
    connector = connect()
    await asyncio.gather(
        *(run(connector, "list_approvals", form="PROC-1", start="2026-11-23T00:00:00Z") for _ in range(8))
    )
    assert dingtalk.tokens_issued == 2


@pytest.mark.parametrize(
    "case",
    [
        (400, refusal("processCodeError"), FormGone),
        (400, refusal("formNotExist"), FormGone),
        (403, refusal("Forbidden.AccessDenied.AccessTokenPermissionDenied"), NotPermitted),
        (400, refusal("noPermission"), NotPermitted),
        (400, refusal("processInstanceNotExist"), NotFound),
        (500, refusal("systemError"), RemoteFault),
        (400, refusal("sysErrror"), RemoteFault),
        (400, refusal("internalError"), RemoteFault),
        (503, "<html>bad gateway</html>", RemoteFault),
        (429, refusal("tooMany"), Throttled),
        (429, "<html>slow down</html>", Throttled),
        (200, {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "u"}, Throttled),
        (200, "<html>punish</html>", Throttled),
        (403, "<html>punish</html>", Throttled),
        (200, {"errcode": 90002, "errmsg": "too fast"}, Throttled),
        (400, refusal("formConverterError", "表单数据校验失败，失败控件：数量"), RemoteRefused),
        (200, {"success": "false", "code": "odd", "message": "no"}, RemoteRefused),
        (200, {"success": False, "message": "no"}, RemoteRefused),
        (200, {"errcode": 88, "sub_code": "820008", "sub_msg": "不允许"}, RemoteRefused),
        (404, "<html>nginx</html>", BadConnection),
        (404, {"detail": "Not Found"}, BadConnection),
    ],
)
async def test_error_answers_to_a_read(
    dingtalk: Any, connect: Connect, run: Run, case: tuple[int, Any, type[IntegrationError]]
) -> None:
    status, answer, kind = case
    dingtalk.answers[INSTANCES] = [(status, answer)]
    with pytest.raises(IntegrationError) as caught:
        await run(connect(retries=0), "get_approval", instance_id="i")
    assert type(caught.value) is kind
    if isinstance(answer, dict) and "code" in answer:
        assert caught.value.code == answer["code"]
        assert answer["message"] in caught.value.remote


@pytest.mark.parametrize(
    "case",
    [
        (400, refusal("formConverterError"), RemoteRefused, 1),
        (400, refusal("processCodeError"), FormGone, 1),
        (429, "<html>slow down</html>", Throttled, 2),
        (200, {"status": 1111, "wait": 5}, Throttled, 2),
        (200, {"errcode": 90002}, Throttled, 2),
        (200, "<html>punish</html>", OutcomeUnknown, 1),
        (403, "<html>punish</html>", OutcomeUnknown, 1),
        (404, {"detail": "Not Found"}, OutcomeUnknown, 1),
        (200, {}, OutcomeUnknown, 1),
        (200, {"success": True}, OutcomeUnknown, 1),
        (200, '{"instanceId": "i-', OutcomeUnknown, 1),
        (500, refusal("systemError"), OutcomeUnknown, 1),
        (400, refusal("sysErrror"), OutcomeUnknown, 1),
        (502, "<html>bad gateway</html>", OutcomeUnknown, 1),
    ],
)
async def test_error_answers_to_a_create(
    dingtalk: Any, connect: Connect, run: Run, case: tuple[int, Any, type[IntegrationError], int]
) -> None:
    status, answer, kind, sent = case
    dingtalk.answers[INSTANCES] = [(status, answer)]
    with pytest.raises(IntegrationError) as caught:
        await run(connect(), "create_approval", **FORM)
    assert type(caught.value) is kind
    assert len(dingtalk.bodies(INSTANCES)) == sent


async def test_a_throttled_create_goes_through_in_the_end(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[INSTANCES] = [(200, {"status": 1111, "wait": 5}), (200, {"instanceId": "i-1"})]
    assert await run(connect(), "create_approval", **FORM) == {"instance_id": "i-1"}


async def test_the_legacy_token_call(serve: Callable[..., Awaitable[Any]]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/gettoken":
            if request.query["appsecret"] != "right-secret":
                return web.json_response({"errcode": 40089, "errmsg": f"不合法 {request.query['appsecret']}"})
            return web.json_response({"errcode": 0, "errmsg": "ok", "access_token": "old-token", "expires_in": 7200})
        return web.json_response({"token": request.headers["x-acs-dingtalk-access-token"]})

    server = await serve(handler)
    common = {"base_url": server.url, "oapi_url": server.url, "token_api": "legacy", "app_key": "k", "retries": 0}
    good = DingTalkClient("oa", DingTalkSettings(**common, app_secret="right-secret"))
    bad = DingTalkClient("oa", DingTalkSettings(**common, app_secret="wrong-secret"))
    try:
        assert await good.call("GET", "/v1.0/echo", effect=Effect.READ) == {"token": "old-token"}
        assert dict(server.requests[0].query) == {"appkey": "k", "appsecret": "right-secret"}
        with pytest.raises(LoginRefused) as caught:
            await bad.token()
        assert caught.value.code == "40089"
        assert "wrong-secret" not in str(caught.value)
    finally:
        await good.aclose()
        await bad.aclose()


async def test_callers_without_a_token_share_one_failure(
    serve: Callable[..., Awaitable[Any]], connect: Connect, run: Run
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.json_response(refusal("invalidClientIdOrSecret"), status=400)

    server = await serve(handler)
    connector = connect(base_url=server.url)
    outcomes = await asyncio.gather(
        *(run(connector, "get_approval", instance_id="i") for _ in range(8)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LoginRefused] * 8
    assert len(server.requests) == 1


async def test_a_caller_that_gives_up_takes_no_token_from_the_others(
    serve: Callable[..., Awaitable[Any]], connect: Connect, run: Run
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1.0/oauth2/accessToken":
            asked.set()
            await go.wait()
            return web.json_response({"accessToken": "t", "expireIn": 7200})
        return web.json_response({"result": {"status": "RUNNING"}})

    connector = connect(base_url=(await serve(handler)).url)
    first = asyncio.create_task(run(connector, "get_approval", instance_id="i"))
    await asked.wait()
    second = asyncio.create_task(run(connector, "get_approval", instance_id="i"))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert (await second)["status"] == "RUNNING"
    assert first.cancelled() or first.cancelling()


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, refusal("invalidClientIdOrSecret", "无效的clientId或者clientSecret"), LoginRefused),
        (400, refusal("anything"), LoginRefused),
        (200, {"expireIn": 7200}, RemoteFault),
        (500, "oops", RemoteFault),
        (404, "<html>", BadConnection),
    ],
)
async def test_token_refusals(
    serve: Callable[..., Awaitable[Any]], connect: Connect, status: int, answer: Any, kind: type[IntegrationError]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if isinstance(answer, str):
            return web.Response(status=status, text=answer)
        return web.json_response(answer, status=status)

    server = await serve(handler)
    with pytest.raises(IntegrationError) as caught:
        await connect(base_url=server.url, retries=0).test()
    assert type(caught.value) is kind


async def test_test_connection_tells_about_rights_and_callbacks(dingtalk: Any, connect: Connect) -> None:
    schema = "/v1.0/workflow/forms/schemas/processCodes"
    dingtalk.answers[schema] = [(400, refusal("formNotExist"))]
    report = await connect().test()
    assert [english for _, english in report.lines] == [
        "AppKey and AppSecret are right, got a token",
        "the app may read approval forms",
        "verdicts are to come over HTTP, but aes_key and token are not set: none can be received",
    ]
    ready = await connect(aes_key="a" * 43, token="t0ken").test()
    assert ready.lines[-1][1].startswith("aes_key and token for HTTP callbacks are set; the self-test")
    assert "Stream" not in str([*report.lines, *ready.lines]), "nothing was asked of it"
    dingtalk.answers[schema] = [(403, refusal("Forbidden.AccessDenied.AccessTokenPermissionDenied"))]
    with pytest.raises(NotPermitted):
        await connect().test()


async def test_fetch_form_names_the_form_that_is_gone(dingtalk: Any, connect: Connect) -> None:
    dingtalk.answers["/v1.0/workflow/forms/schemas/processCodes"] = [(400, refusal("formNotExist"))]
    with pytest.raises(FormGone) as caught:
        await connect().fetch_form("PROC-GONE")
    assert caught.value.where == "PROC-GONE"

"""Token, user and cookies of the e-cology connection, and what its answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from runtime.errors import (
    BadConnection,
    IntegrationError,
    LoginRefused,
    OutcomeUnknown,
    RemoteFault,
    RemoteRefused,
)

Connect = Callable[..., Any]
Run = Callable[..., Awaitable[Any]]

CREATE: dict[str, Any] = {"form": "45", "values": {"bz": "x"}, "title": "x", "originator": "15"}
CREATED = {"code": "SUCCESS", "data": {"requestid": 8888}, "errMsg": {}, "reqFailMsg": {}}
EXPIRED = {"msg": "token不存在或者超时：token-1", "code": -1, "msgShowType": "none", "status": False}
NO_SESSION = {"msg": "登录信息超时", "errorCode": "002", "status": False}


async def test_the_token_is_fetched_once_and_every_call_names_its_user(weaver: Any, connect: Connect, run: Run) -> None:
    weaver.answers["doCreateRequest"] = [CREATED]
    connector = connect(skip_session=True, token_seconds=3600)
    await asyncio.gather(*(run(connector, "create_approval", **CREATE) for _ in range(5)))
    assert weaver.tokens == 1
    asked = weaver.token_headers[0]
    assert (asked["appid"], asked["time"]) == ("A-1", "3600")
    assert weaver.opened(asked["secret"]) == "0f5b9d0e-0d4a-4d0c-8a5f-000000000001"
    for _, headers, _ in weaver.calls:
        assert (headers["appid"], headers["token"], headers["skipsession"]) == ("A-1", "token-1", "1")
        assert weaver.opened(headers["userid"]) == "15"
        assert headers["content-type"].startswith("application/x-www-form-urlencoded")
        assert "cookie" not in headers


async def test_what_is_sent_is_what_was_prepared(weaver: Any, connect: Connect, run: Run) -> None:
    weaver.answers["doCreateRequest"] = [CREATED]
    values = {"sqr": 15, "t_dt1": [{"wlbm": "A1", "sl": "2"}, {"wlbm": "中文&=+"}]}
    connector = connect(submit=False)
    action = connector.actions["create_approval"]
    params = action.params.model_validate(CREATE | {"values": values, "level": 1, "remark": "请批"})
    prepared = await action.prepare(params)
    await action.run(params)
    assert weaver.calls[0][2] == prepared.body
    [sent] = weaver.fields("doCreateRequest")
    assert (sent["workflowId"], sent["requestName"], sent["requestLevel"], sent["remark"]) == ("45", "x", "1", "请批")
    assert sent["otherParams"] == {"isnextflow": 0, "delReqFlowFaild": 1}
    assert sent["mainData"] == [{"fieldName": "sqr", "fieldValue": "15"}]
    [table] = sent["detailData"]
    assert table["tableDBName"] == "t_dt1"
    assert [row["recordOrder"] for row in table["workflowRequestTableRecords"]] == [0, 0]
    last = table["workflowRequestTableRecords"][1]["workflowRequestTableFields"]
    assert last == [{"fieldName": "wlbm", "fieldValue": "中文&=+"}]
    await run(connector, "create_approval", **CREATE, submit=True, delete_failed=False)
    assert weaver.fields("doCreateRequest")[1]["otherParams"] == {"isnextflow": 1, "delReqFlowFaild": 0}
    assert weaver.fields("doCreateRequest")[1]["detailData"] == []


@pytest.mark.parametrize("refusal", [EXPIRED, NO_SESSION])
async def test_a_refused_token_is_renewed_once_and_never_shown(
    weaver: Any, connect: Connect, run: Run, refusal: dict[str, Any]
) -> None:
    weaver.answers["doCreateRequest"] = [refusal, CREATED]
    assert await run(connect(), "create_approval", **CREATE) == {"instance_id": "8888"}
    assert weaver.tokens == 2
    weaver.answers["doCreateRequest"] = [refusal]
    with pytest.raises(LoginRefused) as caught:
        await run(connect(), "create_approval", **CREATE)
    assert len(weaver.fields("doCreateRequest")) == 4
    assert "token-1" not in str(caught.value)


async def test_an_account_in_trouble_is_named_and_asked_about_once(weaver: Any, connect: Connect, run: Run) -> None:
    weaver.answers["doCreateRequest"] = [{"msg": "该账号存在异常,单点登录失败", "code": -1, "status": False}]
    with pytest.raises(RemoteRefused, match="OA 用户 15"):
        await run(connect(), "create_approval", **CREATE)
    assert len(weaver.calls) == 1


@pytest.mark.parametrize("words", ["secret解密失败,请检查加密内容.", "认证信息错误"])
async def test_a_stale_registration_is_explained(weaver: Any, connect: Connect, words: str) -> None:
    weaver.answers["applytoken"] = {"msg": words, "code": -1, "msgShowType": "none", "status": False}
    with pytest.raises(LoginRefused, match="重新注册") as caught:
        await connect().test()
    assert caught.value.remote == words


async def test_a_connection_that_lacks_something_says_what(weaver: Any, connect: Connect, run: Run) -> None:
    for lacking in ({"secret": ""}, {"spk": ""}):
        with pytest.raises(BadConnection, match="connections register"):
            await connect(**lacking).test()
    with pytest.raises(BadConnection, match="user_id"):
        await run(connect(user_id=""), "get_approval", instance_id="1")
    with pytest.raises(BadConnection, match="user_id"):
        connect(user_id="zhangsan")
    assert weaver.calls == []


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (CREATED, "8888"),
        ({"code": {"name": "SUCCESS"}, "data": {"requestid": "8888"}}, "8888"),
        ({"code": {"statusCode": "1"}, "data": {"requestId": 8888}}, "8888"),
        ({"code": "SUCCESS", "requestid": 8888, "data": {}}, "8888"),
        ({"code": "SUCCESS", "data": 8888}, "8888"),
    ],
)
async def test_every_shape_of_success_is_understood(
    weaver: Any, connect: Connect, run: Run, answer: dict[str, Any], number: str
) -> None:
    weaver.answers["doCreateRequest"] = [answer]
    assert await run(connect(), "create_approval", **CREATE) == {"instance_id": number}


NOT_DELETED = {"code": "SYSTEM_INNER_ERROR", "data": {"requestid": 9}, "errMsg": {}, "reqFailMsg": {"msgType": "X"}}


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"code": "PARAM_ERROR", "data": {}, "errMsg": {"workflowId": "0"}}, (RemoteRefused, "workflowId")),
        ({"code": "NO_PERMISSION", "errMsg": {}, "reqFailMsg": {"msgType": "NO_RIGHT"}}, (RemoteRefused, "NO_RIGHT")),
        (
            {"code": "SYSTEM_INNER_ERROR", "errMsg": {}, "reqFailMsg": {"msgType": "X"}},
            (OutcomeUnknown, "SYSTEM_INNER"),
        ),
        (NOT_DELETED, (OutcomeUnknown, "9")),
        ({"code": "SUCCESS", "data": {"requestid": 0}}, (OutcomeUnknown, "SUCCESS")),
        ({"code": "SUCCESS", "data": {}}, (OutcomeUnknown, "SUCCESS")),
        ({"code": "SUCCESS", "data": {"requestid": -1}}, (OutcomeUnknown, "SUCCESS")),
        ({"api_status": False, "api_errormsg": "boom"}, (OutcomeUnknown, "boom")),
        ({"status": False, "code": -1, "msg": "流程提交失败"}, (OutcomeUnknown, "流程提交失败")),
        ({"status": False, "code": -1, "msg": ""}, (OutcomeUnknown, "-1")),
        ({"status": False, "code": -1, "msg": "secret解密失败,请检查加密内容."}, (RemoteRefused, "secret解密失败")),
        ({"status": False, "code": -1, "msg": "认证信息错误：x"}, (RemoteRefused, "认证信息错误")),
        ({"status": False, "code": "PARAM_ERROR", "errMsg": {"a": "b"}}, (RemoteRefused, "PARAM_ERROR")),
        # words of the login filter, said by something that the new request set off
        ({"code": "SYSTEM_INNER_ERROR", "errMsg": {}, "reqFailMsg": {"a": "登录信息超时"}}, (OutcomeUnknown, "超时")),
        ({"code": "SYSTEM_INNER_ERROR", "errMsg": "节点附加操作：认证信息错误"}, (OutcomeUnknown, "认证信息错误")),
        ({"code": "SYSTEM_INNER_ERROR", "errMsg": {"a": "该账号存在异常"}}, (OutcomeUnknown, "该账号存在异常")),
        ({"status": False, "code": -1, "msg": "节点附加操作：登录信息超时"}, (OutcomeUnknown, "登录信息超时")),
        ([], (OutcomeUnknown, "")),
    ],
)
async def test_only_a_refusal_proves_that_nothing_was_created(
    weaver: Any, connect: Connect, run: Run, answer: Any, wanted: tuple[type[IntegrationError], str]
) -> None:
    error, words = wanted
    weaver.answers["doCreateRequest"] = [answer]
    with pytest.raises(error) as caught:
        await run(connect(), "create_approval", **CREATE, delete_failed=answer is not NOT_DELETED)
    assert words in str(caught.value)
    assert len(weaver.calls) == 1


async def test_pages_in_place_of_answers_are_told_apart(weaver: Any, connect: Connect, run: Run) -> None:
    cases = [
        (lambda _: web.Response(status=404, text="<html/>"), BadConnection),
        (lambda _: web.Response(status=302, headers={"Location": "/login"}), BadConnection),
        (lambda _: web.Response(text="<html>login</html>"), RemoteFault),
        (lambda _: web.Response(status=500, text="oops"), RemoteFault),
    ]
    for answer, error in cases:
        weaver.answers["getWorkflowRequest"] = answer
        with pytest.raises(error):
            await run(connect(retries=0), "get_approval", instance_id="1")

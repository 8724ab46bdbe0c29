"""The e-cology double: its inbox, its node action, its sessions and what it keeps over a restart."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.sandbox import demo

SERVICE = "/weaver/api/workflow/paService/"


class Client:
    """An e-cology client whose RSA nobody here wrote."""

    def __init__(self, sandbox: Any, registration: dict[str, str]) -> None:
        self._http = sandbox.client
        self._key: Any = load_der_public_key(base64.b64decode(registration["spk"]))
        self._secret = registration["secret"]
        self.headers = {"appid": demo.WEAVER_APP_ID}

    def sealed(self, text: str) -> str:
        return base64.b64encode(self._key.encrypt(text.encode(), padding.PKCS1v15())).decode()

    async def login(self, user: str = "15") -> Any:
        headers = {**self.headers, "secret": self.sealed(self._secret), "time": "60"}
        answer = (await self._http.post("/weaver/api/ec/dev/auth/applytoken", headers=headers)).json()
        self.headers |= {"token": answer.get("token", ""), "userid": self.sealed(user)}
        return answer

    async def post(self, name: str, fields: dict[str, str], **headers: str) -> Any:
        self._http.cookies.clear()
        return (await self._http.post(SERVICE + name, data=fields, headers=self.headers | headers)).json()

    async def create(self, **changes: Any) -> Any:
        main = {"djbh": "7", "sqr": "15", "sqrq": "2026-11-23", "qgdb": "2"} | changes
        fields = [{"fieldName": name, "fieldValue": value} for name, value in main.items()]
        return await self.post(
            "doCreateRequest",
            {
                "workflowId": str(demo.WEAVER_WORKFLOW),
                "requestName": "<b>采购</b>",
                "mainData": json.dumps(fields),
                "detailData": "[]",
                "otherParams": '{"isnextflow":1}',
            },
        )


async def client_of(sandbox: Any) -> Client:
    client = Client(sandbox, await sandbox.control("GET", "/weaver/registration"))
    assert (await client.login())["code"] == 0
    return client


async def test_the_login_filter_answers_as_e_cology_does(sandbox: Any) -> None:
    client = await client_of(sandbox)
    assert (await client.create())["data"] == {"requestid": 8888}
    assert (await client.post("doCreateRequest", {}, token="t"))["msg"] == "token不存在或者超时：t"
    assert (await client.post("doCreateRequest", {}, userid=client.sealed("99")))["msg"].startswith("该账号存在异常")
    del client.headers["token"]
    assert (await client.post("doCreateRequest", {}))["errorCode"] == "002"


async def test_a_session_cookie_wins_over_the_user(sandbox: Any) -> None:
    client = await client_of(sandbox)
    await client.create()
    cookie = dict(sandbox.client.cookies)
    await client.login("16")
    assert cookie
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookie.items())}
    assert len(await client.post("getMyWorkflowRequestList", {}, **headers)) == 1
    assert await client.post("getMyWorkflowRequestList", {}) == []


async def test_refusals_name_the_field(sandbox: Any) -> None:
    client = await client_of(sandbox)
    for wrong in ({"sqr": "zhangsan"}, {"sqrq": "2026/11/23"}, {"qgdb": "3"}, {"nosuch": "1"}, {"requestname": "x"}):
        answer = await client.create(**wrong)
        assert answer["code"] == "PARAM_ERROR"
        assert next(iter(wrong)) in answer["errMsg"]["mainData"]
    empty = await client.post("doCreateRequest", {"workflowId": "45", "requestName": "x", "mainData": "[]"})
    assert empty["errMsg"] == {"mainData": "新建流程主表数据不允许为空"}
    assert (await sandbox.control("GET", "/weaver/requests"))["total"] == 0


async def test_a_person_decides_in_the_inbox_and_the_node_action_tells_of_it(sandbox: Any, listen: Any) -> None:
    got: list[tuple[str, Any]] = []

    async def receive(request: Request) -> JSONResponse:
        got.append((request.headers["x-apig-appcode"], await request.json()))
        return JSONResponse({"flag": "Y" if len(got) > 1 else "N"})

    client = await client_of(sandbox)
    await client.create(sfjj="1")
    page = await sandbox.client.get("/inbox/weaver/8888")
    assert "&lt;b&gt;采购&lt;/b&gt;" in page.text
    for words in ("张三", "计划请购", "采购明细", "审批"):
        assert words in page.text
    assert "8888" in (await sandbox.client.get("/inbox/weaver")).text
    async with listen(Starlette(routes=[Route("/verdict", receive, methods=["POST"])])) as address:
        settings = {"url": f"{address}/verdict", "app_code": "code-1", "blocking": True}
        await sandbox.control("PUT", "/weaver/node-action", settings)
        form = {"action": "approve", "remark": "同意采购"}
        held = await sandbox.client.post("/inbox/weaver/8888", data=form)
        assert held.status_code == 409
        assert "flag = N" in held.text
        assert "&#34;remark&#34;:&#34;同意采购&#34;" in held.text
        [failed] = (await sandbox.control("GET", "/weaver/sendings?request=8888"))["sendings"]
        assert held.text.count('data-test="repeat"') == 1
        again = {"action": "repeat", "sending": str(failed["id"])}
        assert (await sandbox.client.post("/inbox/weaver/8888", data=again)).status_code == 303
        assert got[0] == got[1]
        assert 'data-test="repeat"' not in (await sandbox.client.get("/inbox/weaver/8888")).text
        assert (await sandbox.client.post("/inbox/weaver/8888", data=form)).status_code == 303
    code, body = got[-1]
    assert code == "code-1"
    assert {"requestid": "8888", "status": "Y", "approver": "陈经理", "remark": "同意采购"}.items() <= body.items()
    done = await sandbox.client.get("/inbox/weaver/8888")
    assert "归档" in done.text
    assert 'data-test="approve"' not in done.text
    assert len((await sandbox.control("GET", "/weaver/sendings?request=8888"))["sendings"]) == 2
    assert (await sandbox.client.post("/inbox/weaver/8888", data=form)).status_code == 409
    assert (await sandbox.client.get("/inbox/weaver/1")).status_code == 404


async def test_what_was_done_survives_a_restart(run_sandbox: Any, tmp_path: Path) -> None:
    async with run_sandbox(var=tmp_path) as first:
        client = await client_of(first)
        await client.create()
        before = await first.control("GET", "/weaver/requests")
        registration = await first.control("GET", "/weaver/registration")
    async with run_sandbox(var=tmp_path) as second:
        assert await second.control("GET", "/weaver/requests") == before
        assert await second.control("GET", "/weaver/registration") == registration
        again = Client(second, registration)
        again.headers = client.headers
        assert (await again.create())["data"] == {"requestid": 8889}

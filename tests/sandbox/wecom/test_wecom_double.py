"""The WeCom double on the wire: what it takes, what it refuses and how, what it pushes, and what a person may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import xmltodict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from wechatpy.enterprise.crypto import WeChatCrypto

from runtime.sandbox import demo
from runtime.sandbox.wecom.forms import demo_forms

FORM = demo_forms()[0]
ID = {control.label: control.id for control in FORM.controls}
COLUMN = {child.label: child.id for control in FORM.controls for child in control.children}


@dataclass
class Subscriber:
    """A callback address that opens every push with ``wechatpy``."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    #: HTTP statuses to answer with, one after the other; then 200.
    statuses: list[int] = field(default_factory=list)
    #: What is put behind the answer to the address check.
    suffix: str = ""
    crypto: WeChatCrypto = field(
        default_factory=lambda: WeChatCrypto(demo.WECOM_TOKEN, demo.WECOM_AES_KEY, demo.WECOM_CORP_ID)
    )

    async def receive(self, request: Request) -> PlainTextResponse:
        query = request.query_params
        signed = (query["msg_signature"], query["timestamp"], query["nonce"])
        if request.method == "GET":
            echo = self.crypto.check_signature(*signed, query["echostr"])
            return PlainTextResponse(f"{echo}{self.suffix}")
        self.events.append(xmltodict.parse(self.crypto.decrypt_message(await request.body(), *signed))["xml"])
        return PlainTextResponse("", self.statuses.pop(0) if self.statuses else 200)

    def changes(self) -> list[tuple[str, str]]:
        """``StatuChangeEvent`` and ``SpStatus`` of every push."""
        found = [event["ApprovalInfo"] for event in self.events]
        return [(info["StatuChangeEvent"], info["SpStatus"]) for info in found]


@pytest.fixture
async def listener(listening: Any) -> Any:
    listener = Subscriber()
    app = Starlette(routes=[Route("/callbacks/oa", listener.receive, methods=["GET", "POST"])])
    async with listening(app) as address:
        listener.address = f"{address}/callbacks/oa"
        yield listener


async def call(sandbox: Any, path: str, body: Any = None, **query: str) -> dict[str, Any]:
    if path != "gettoken" and "access_token" not in query:
        query["access_token"] = (await token(sandbox))["access_token"]
    method = "GET" if body is None else "POST"
    answer = await sandbox.client.request(method, f"/wecom/cgi-bin/{path}", json=body, params=query)
    assert answer.status_code == 200
    return dict(answer.json())


async def token(sandbox: Any, **change: str) -> dict[str, Any]:
    return await call(sandbox, "gettoken", **{"corpid": demo.WECOM_CORP_ID, "corpsecret": demo.WECOM_SECRET} | change)


def text(name: str, value: str, kind: str = "Text") -> dict[str, Any]:
    return {"control": kind, "id": ID[name], "value": {"text": value}}


def row(**cells: str) -> dict[str, Any]:
    return {
        "list": [
            {"control": "Text", "id": COLUMN["物料名"], "value": {"text": cells.get("name", "")}},
            {"control": "Text", "id": COLUMN["物料编号"], "value": {"text": cells.get("code", "")}},
            {"control": "Number", "id": COLUMN["数量"], "value": {"new_number": cells.get("quantity", "")}},
            {
                "control": "Date",
                "id": COLUMN["需求日期"],
                "value": {"date": {"type": "day", "s_timestamp": cells.get("due", "")}},
            },
        ]
    }


def table(*rows: Any) -> dict[str, Any]:
    return {"control": "Table", "id": ID["物料"], "value": {"children": list(rows)}}


def application(*more: dict[str, Any], **change: Any) -> dict[str, Any]:
    contents = [text("申请人", "张三"), text("草稿单号", "73918"), *more]
    return {
        "creator_userid": "user-zhangsan",
        "template_id": demo.WECOM_TEMPLATE,
        "use_template_approver": 1,
        "apply_data": {"contents": contents},
        "summary_list": [{"summary_info": [{"text": "采购申请 73918", "lang": "zh_CN"}]}],
    } | change


def due(**date: Any) -> dict[str, Any]:
    return {"control": "Date", "id": ID["有效期"], "value": {"date": date}}


def nodes(apv_rel: int, *users: str) -> dict[str, Any]:
    return {"node_list": [{"type": 1, "apv_rel": apv_rel, "userid": list(users or ("user-lisi",))}]}


async def test_tokens(sandbox: Any) -> None:
    first = await token(sandbox)
    again = await token(sandbox)
    assert (first["errcode"], first["access_token"]) == (0, again["access_token"])
    assert (await token(sandbox, corpsecret="x"))["errcode"] == 40001
    assert (await token(sandbox, corpid="x"))["errcode"] == 40013
    bad = await call(sandbox, "oa/gettemplatedetail", {}, access_token="x")
    assert bad["errcode"] == 40014
    assert "more info at https://open.work.weixin.qq.com" in bad["errmsg"]
    await sandbox.control("POST", "/wecom/expire-tokens")
    assert (await token(sandbox))["access_token"] != first["access_token"]


async def test_an_application_and_its_detail(sandbox: Any) -> None:
    rows = table(row(name="<b>轴承</b>", code="R1", quantity="10.5", due="1796054400"), row(code="R2"))
    number = (await call(sandbox, "oa/applyevent", application(rows)))["sp_no"]
    assert number.isdecimal()
    info = (await call(sandbox, "oa/getapprovaldetail", {"sp_no": number}))["info"]
    assert (info["sp_status"], info["template_id"], info["applyer"]["userid"]) == (
        1, demo.WECOM_TEMPLATE, "user-zhangsan",
    )  # fmt: skip
    assert [content["title"][0]["text"] for content in info["apply_data"]["contents"]] == ["申请人", "草稿单号", "物料"]
    # as in the real one, a value carries empty keys of other kinds of control
    assert {"tips", "members", "files", "children"} <= info["apply_data"]["contents"][0]["value"].keys()
    shown = (await sandbox.client.get(f"/inbox/{number}")).text
    assert "企业微信 WeCom" in shown
    assert "&lt;b&gt;轴承" in shown
    assert "2026-12-01" in shown
    listed = (await sandbox.client.get("/inbox")).text
    assert number in listed
    assert number not in (await sandbox.client.get("/inbox?system=dingtalk")).text


@pytest.mark.parametrize(
    "body",
    [
        application(template_id="gone"),
        application(creator_userid="nobody"),
        application(choose_department=4711),
        application(use_template_approver=0),
        application(
            use_template_approver=0, process={"node_list": [{"type": 1, "apv_rel": 9, "userid": ["user-lisi"]}]}
        ),
        application(process={"node_list": [{"type": 1, "apv_rel": 1, "userid": ["user-lisi"]}]}),
        application(apply_data={"contents": [text("申请人", "张三")]}),
        application(apply_data={"contents": [text("申请人", "张三"), text("草稿单号", "")]}),
        application(apply_data=None),
        application(text("备注", "x")),
        application(text("申请人", "again")),
        application({"control": "Text", "id": "Text-0", "value": {"text": "x"}}),
        application(text("审批单号", "two\nlines")),
        application({"control": "Date", "id": ID["有效期"], "value": {"date": {"type": "hour", "s_timestamp": "1"}}}),
        application(
            {"control": "Date", "id": ID["有效期"], "value": {"date": {"type": "day", "s_timestamp": 1796054400}}}
        ),
        application(table()),
        application(table(row(name="without a code"))),
        application(table({"list": row(code="R1")["list"][:2]})),
        application(table(row(code="R1", quantity="many"))),
        application(summary_list=[]),
        application(summary_list=[{"summary_info": [{"text": "x" * 21, "lang": "zh_CN"}]}]),
        application(summary_list=[{"summary_info": [{"text": "x", "lang": "zh-CN"}]}]),
    ],
)
async def test_what_does_not_fit_is_refused_and_starts_nothing(sandbox: Any, body: dict[str, Any]) -> None:
    refused = await call(sandbox, "oa/applyevent", body)
    assert refused["errcode"] in (301025, 301055)
    assert len(sandbox.world.wecom.instances) == 0


async def test_the_list_knows_its_limits(sandbox: Any) -> None:
    now = int(sandbox.world.wecom.clock())
    filters = [{"key": "template_id", "value": demo.WECOM_TEMPLATE}]

    async def listed(start: int, end: int, **change: Any) -> dict[str, Any]:
        body = {"starttime": str(start), "endtime": str(end), "new_cursor": "", "size": 1, "filters": filters}
        return await call(sandbox, "oa/getapprovalinfo", body | change)

    numbers = [(await call(sandbox, "oa/applyevent", application()))["sp_no"] for _ in range(2)]
    page = await listed(now - 60, now + 60)
    assert page["sp_no_list"] == numbers[:1]
    last = await listed(now - 60, now + 60, new_cursor=page["new_next_cursor"])
    assert last["sp_no_list"] == numbers[1:]
    assert "new_next_cursor" not in last
    assert (await listed(now - 32 * 86_400, now))["errcode"] == 301025
    assert (await listed(now - 60, now + 60, size=101))["errcode"] == 301025
    status = [*filters, {"key": "sp_status", "value": "2"}]
    assert (await listed(now - 60, now + 60, filters=status))["sp_no_list"] == []


async def test_the_address_must_return_the_plain_echo(sandbox: Any, listener: Any) -> None:
    listener.suffix = "\n"
    problem = await sandbox.control("PUT", "/wecom/callback", {"url": listener.address}, expected=422)
    assert "echostr" in problem["error"]
    listener.suffix = ""
    assert (await sandbox.control("PUT", "/wecom/callback", {"url": listener.address}))["verified"] is True


async def test_one_application_fires_many_events_and_a_failed_one_is_tried_three_times(
    sandbox: Any, listener: Any
) -> None:
    await sandbox.control("PUT", "/wecom/callback", {"url": listener.address, "backoff": [0.01, 0.01]})
    body = application(use_template_approver=0, process=nodes(3, "user-lisi", "user-manager"))
    number = (await call(sandbox, "oa/applyevent", body))["sp_no"]
    path = f"/wecom/instances/{number}"
    await sandbox.eventually(lambda: len(listener.events) == 1)
    await sandbox.control("POST", f"{path}/decide", {"result": "agree", "remark": "]]> & 好", "user": "user-lisi"})
    await sandbox.eventually(lambda: len(listener.events) == 2)
    # the approver presses the button on the page
    pressed = {"action": "refuse", "user": "user-manager", "remark": "贵"}
    assert (await sandbox.client.post(f"/inbox/{number}", data=pressed)).status_code == 303
    await sandbox.eventually(lambda: len(listener.events) == 3)
    assert listener.changes() == [("1", "1"), ("2", "1"), ("3", "3")]
    info = listener.events[-1]["ApprovalInfo"]
    details = [record["Details"] for record in info["SpRecord"]]
    assert [(one["Approver"]["UserId"], one["Speech"], one["SpStatus"]) for one in details] == [
        ("user-lisi", "]]> & 好", "2"), ("user-manager", "贵", "3"),
    ]  # fmt: skip
    assert listener.events[-1]["AgentID"] == "3010040"
    await sandbox.control("POST", f"{path}/decide", {"result": "agree"}, expected=422)
    listener.statuses = [500, 500, 500]
    await sandbox.control("POST", f"{path}/comment", {"text": "为什么"})

    def failed() -> bool:
        return [push.state for push in sandbox.world.wecom.push.log(number)][-1] == "failed"

    await sandbox.eventually(failed)
    assert len(listener.events) == 6
    assert listener.changes()[3:] == [("10", "3")] * 3


async def test_state_and_pending_pushes_survive_a_restart(run_sandbox: Any, tmp_path: Any, listener: Any) -> None:
    async with run_sandbox(var=tmp_path) as sandbox:
        await sandbox.control("PUT", "/wecom/callback", {"url": listener.address, "drop": True})
        number = (await call(sandbox, "oa/applyevent", application()))["sp_no"]
        await sandbox.control("POST", f"/wecom/instances/{number}/withdraw", {})
    async with run_sandbox(var=tmp_path) as sandbox:
        info = (await call(sandbox, "oa/getapprovaldetail", {"sp_no": number}))["info"]
        assert info["sp_status"] == 4
        log = (await sandbox.control("GET", f"/wecom/events?instance={number}"))["events"]
        assert [push["state"] for push in log] == ["dropped", "dropped"]
        await sandbox.control("POST", f"/wecom/events/{log[-1]['id']}/redeliver")
        await sandbox.eventually(lambda: listener.changes() == [("6", "4")])


async def test_forms_can_be_changed(sandbox: Any) -> None:
    form = await sandbox.control("GET", f"/wecom/forms/{demo.WECOM_TEMPLATE}")
    await sandbox.control("PUT", "/wecom/forms/own", {"name": "领料", "controls": form["controls"][:1]})
    found = await call(sandbox, "oa/gettemplatedetail", {"template_id": "own"})
    assert found["template_names"][0]["text"] == "领料"
    for wrong in ({"name": "x", "controls": [{"label": "x", "control": "Nothing"}]}, {"name": "x"}):
        await sandbox.control("PUT", "/wecom/forms/own", wrong, expected=400)

"""The WeCom connection against the WeCom double, over HTTP; the double's code is written independently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from runtime.connectors.actions import Finding, Intent
from runtime.connectors.events import CallbackRequest, Event, Outcome
from runtime.connectors.files import File
from runtime.connectors.wecom.connector import WeComConnector
from runtime.errors import FormGone, LoginRefused, NotFound, OutcomeUnknown, RemoteRefused, Throttled, ValueRefused
from runtime.mapping.forms import ControlType
from runtime.sandbox import demo

Run = Callable[..., Awaitable[Any]]
Link = Callable[..., WeComConnector]

SHANGHAI = ZoneInfo("Asia/Shanghai")
VALUES: dict[str, Any] = {
    "申请人": "张三",
    "有效期": "2026-12-23T00:00:00Z",
    "草稿单号": "73918",
    "备注": "第一行\n第二行",
    "物料": [
        {"物料名": "轴承", "物料编号": "R10001", "数量": Decimal("10.50"), "需求日期": date(2026, 12, 1)},
        {"物料编号": "R10002", "数量": 200},
    ],
}


def start_of(values: Any = None, **change: Any) -> dict[str, Any]:
    filled = VALUES if values is None else values
    return {"form": demo.WECOM_TEMPLATE, "values": filled, "originator": "user-zhangsan"} | change


async def reconcile(connector: WeComConnector, params: dict[str, Any], **intent: Any) -> Any:
    action = connector.actions["create_approval"]
    assert action.reconcile is not None
    started = Intent(**{"started_at": datetime.now(UTC) - timedelta(seconds=5), "document_key": "1"} | intent)
    return await action.reconcile(action.params.model_validate(params), started)


async def test_the_connection_proves_itself(link: Link) -> None:
    report = await link().test()
    assert len(report.lines) == 3
    with pytest.raises(LoginRefused, match="40001"):
        await link(secret="wrong-secret").test()
    with pytest.raises(LoginRefused, match="40013"):
        await link(corp_id="somebody").test()


async def test_both_demo_templates_are_read(link: Link, sandbox: Any) -> None:
    connector = link()
    form = await connector.fetch_form(demo.WECOM_TEMPLATE)
    assert form.title == "采购申请"
    assert [control.label for control in form.controls[:4]] == ["申请人", "有效期", "过账日期", "草稿单号"]
    assert [control.required for control in form.controls[:4]] == [True, False, False, True]
    (table,) = (control for control in form.controls if control.type is ControlType.TABLE)
    assert [child.label for child in table.children] == ["物料名", "物料编号", "数量", "需求日期"]
    everything = {control.label: control for control in (await connector.fetch_form(demo.WECOM_ALL_TEMPLATE)).controls}
    assert (everything["日期"].format, everything["日期时间"].format) == ("day", "hour")
    assert [option.label for option in everything["单选"].options] == ["普通", "加急"]
    assert everything["单选"].options[0].key.startswith("option-")
    assert (everything["单选"].type, everything["多选"].type) == (ControlType.SELECT, ControlType.MULTISELECT)
    assert (everything["成员"].type, everything["部门"].type) == (ControlType.CONTACT, ControlType.DEPARTMENT)
    assert (everything["公式"].type, everything["请假"].vendor) == (ControlType.NOTE, "Vacation")
    await sandbox.control("DELETE", f"/wecom/forms/{demo.WECOM_TEMPLATE}")
    with pytest.raises(FormGone) as caught:
        await connector.fetch_form(demo.WECOM_TEMPLATE)
    assert demo.WECOM_TEMPLATE in caught.value.where


async def test_an_approval_from_start_to_verdict(link: Link, sandbox: Any, run: Run, fill: Any) -> None:
    connector = link()
    form = await connector.fetch_form(demo.WECOM_TEMPLATE)
    instance = (await run(connector, "create_approval", **start_of(fill(VALUES, form))))["instance_id"]
    approval = await run(connector, "get_approval", instance_id=instance)
    assert (approval["status"], approval["outcome"], approval["finished_at"]) == ("RUNNING", None, None)
    assert (approval["form"], approval["originator"]) == (demo.WECOM_TEMPLATE, "user-zhangsan")
    assert approval["values"] == {
        "申请人": "张三", "有效期": "2026-12-23", "草稿单号": "73918", "备注": "第一行\n第二行",
    }  # fmt: skip
    assert approval["tables"]["物料"] == [
        {"物料名": "轴承", "物料编号": "R10001", "数量": "10.50", "需求日期": "2026-12-01"},
        {"物料名": "", "物料编号": "R10002", "数量": "200", "需求日期": ""},
    ]
    await sandbox.control("POST", f"/wecom/instances/{instance}/decide", {"result": "refuse", "remark": "太贵"})
    await sandbox.control("POST", f"/wecom/instances/{instance}/comment", {"user": "user-lisi", "text": "再议"})
    verdict = await run(connector, "get_approval", instance_id=instance)
    assert verdict["outcome"] is Outcome.REFUSED
    assert (verdict["approver"], verdict["pass"], verdict["fail"]) == (demo.APPROVER, "", demo.APPROVER)
    assert verdict["marks"] == f"{demo.APPROVER}:太贵;user-lisi:再议"
    assert verdict["remarks"] == f"{demo.APPROVER}: 太贵; user-lisi: 再议"
    assert abs(verdict["decided_at"] - datetime.now(UTC)) < timedelta(minutes=2)
    event = await connector.poll_event(instance, demo.WECOM_TEMPLATE)
    assert event is not None
    assert (event.outcome, event.approver) == (Outcome.REFUSED, demo.APPROVER)
    await sandbox.control("POST", f"/wecom/instances/{instance}/after", {"event": "delete"})
    with pytest.raises(NotFound):
        await connector.poll_event(instance, demo.WECOM_TEMPLATE)


async def test_every_control_type_is_accepted_and_comes_back(link: Link, sandbox: Any, run: Run, fill: Any) -> None:
    connector = link()
    form = await connector.fetch_form(demo.WECOM_ALL_TEMPLATE)
    related = (await run(connector, "create_approval", **start_of()))["instance_id"]

    async def content() -> bytes:
        return "报价单".encode()

    [uploaded] = await run(connector, "upload_attachment", files=[File("报价单.pdf", content)])
    file = uploaded["file_id"]
    place = {"latitude": "31.2", "longitude": "120.6", "title": "演示工厂", "address": "苏州", "time": 1605690460}
    leave = {"vacation": {"selector": {"type": "single", "options": [{"key": "1"}]}, "attendance": {"type": 1}}}
    values: dict[str, Any] = {
        "文本": "一\n二",
        "多行文本": "一\n二",
        "数字": Decimal("1E+2"),
        "金额": "19.90",
        "日期": datetime(2026, 11, 22, 17, tzinfo=UTC),
        "日期时间": datetime(2026, 11, 22, 17, 30, tzinfo=UTC),
        "单选": "加急",
        "多选": ["质检", "财务"],
        "成员": "user-lisi",
        "多个成员": ["user-lisi", "user-wangwu"],
        "部门": [1002, "1003"],
        "附件": [uploaded],
        "时长": ["2026-11-23", "2026-11-24"],
        "时段": ["2026-11-23T08:00:00+08:00", "2026-11-23T12:00:00+08:00"],
        "位置": place,
        "关联审批单": related,
        "请假": leave,
        "出差": {"attendance": {"type": 3}},
        "收款账户": {"bank_account": {"account_type": 1}},
        "明细": [{"物料": "A1", "数量": "3", "单价": Decimal("0.10"), "交期": "20261201", "类别": "普通"}],
    }
    filled = fill(values, form)
    started = await run(connector, "create_approval", **start_of(filled, form=demo.WECOM_ALL_TEMPLATE))
    approval = await run(connector, "get_approval", instance_id=started["instance_id"])
    assert set(approval["values"]) | set(approval["tables"]) == set(values)
    assert approval["values"] | {"请假": "", "出差": "", "收款账户": ""} == {
        "文本": "一 二", "多行文本": "一\n二", "数字": "100", "金额": "19.90", "日期": "2026-11-23",
        "日期时间": "2026-11-23 01:30", "单选": "加急", "多选": "质检、财务", "成员": "李四", "多个成员": "李四、王五",
        "部门": "采购部、仓储部", "附件": file, "时长": "2026-11-23 ~ 2026-11-24",
        "时段": "2026-11-23 08:00 ~ 2026-11-23 12:00", "位置": "演示工厂 苏州", "关联审批单": related,
        "请假": "", "出差": "", "收款账户": "",
    }  # fmt: skip
    [kept] = [item for item in await sandbox.instances() if item["id"] == started["instance_id"]]
    by_label = {content["title"][0]["text"]: content["value"] for content in kept["contents"]}
    midnight = str(int(datetime(2026, 11, 23, tzinfo=SHANGHAI).timestamp()))
    assert by_label["日期"]["date"] == {"type": "day", "s_timestamp": midnight}
    assert by_label["时长"]["date_range"]["new_duration"] == 2 * 86_400
    assert by_label["时段"]["date_range"]["new_duration"] == 4 * 3_600
    # every row carries all columns but the computed one
    assert len(by_label["明细"]["children"][0]["list"]) == 6
    assert kept["summary"] == ["文本：一 二", "多行文本：一 二", "数字：100"]
    found = await reconcile(connector, start_of(filled, form=demo.WECOM_ALL_TEMPLATE))
    assert found.result == started


async def test_dates_are_meant_in_the_connections_zone(link: Link, sandbox: Any, run: Run) -> None:
    connector = link(timezone="America/New_York")
    instance = (await run(connector, "create_approval", **start_of()))["instance_id"]
    approval = await run(connector, "get_approval", instance_id=instance)
    assert approval["values"]["有效期"] == "2026-12-23"
    (kept,) = await sandbox.instances()
    (due,) = (item["value"]["date"] for item in kept["contents"] if item["title"][0]["text"] == "有效期")
    assert int(due["s_timestamp"]) == datetime(2026, 12, 23, tzinfo=ZoneInfo("America/New_York")).timestamp()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"申请人": ""}, "申请人"),
        ({"没有的": "x"}, "没有的"),
        ({"物料": [{"物料名": "x"}]}, r"物料\[1\].物料编号"),
        ({"物料": [{"物料编号": "x", "数量": "many"}]}, r"物料\[1\].数量"),
        ({"物料": [{"物料编号": "x", "列": "1"}]}, r"物料\[1\].列"),
        ({"物料": "x"}, "物料"),
        ({"有效期": "soon"}, "有效期"),
    ],
)
async def test_a_value_that_does_not_fit_is_named_and_nothing_is_sent(
    link: Link, sandbox: Any, run: Run, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueRefused, match=words):
        await run(link(), "create_approval", **start_of(VALUES | change))
    assert await sandbox.instances() == []


async def test_a_refusal_carries_wecoms_own_words(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    with pytest.raises(RemoteRefused, match="creator_userid") as caught:
        await run(connector, "create_approval", **start_of(originator="nobody"))
    assert caught.value.code == "301055"
    assert "可见范围" in caught.value.zh
    with pytest.raises(FormGone):
        await run(connector, "create_approval", **start_of(form="gone"))
    with pytest.raises(NotFound):
        await run(connector, "get_approval", instance_id="202001010001")
    assert await sandbox.instances() == []


@pytest.mark.parametrize("summary", [(), ("", " ")])
async def test_a_template_of_nothing_but_a_table_has_a_summary_too(
    link: Link, sandbox: Any, run: Run, summary: tuple[str, ...]
) -> None:
    children = [{"label": "物料编号"}, {"label": "数量", "control": "Number"}]
    form = {"name": "领料", "controls": [{"label": "物料", "control": "Table", "children": children}]}
    await sandbox.control("PUT", "/wecom/forms/TkLines", form)
    values = {"物料": [{"物料编号": "R1", "数量": 1}, {"物料编号": "R2", "数量": 2}]}
    connector, start = link(), start_of(values, form="TkLines", summary=summary)
    await run(connector, "create_approval", **start)
    action = connector.actions["create_approval"]
    assert action.prepare is not None
    sent = await action.prepare(action.params.model_validate(start))
    assert sent.body["summary_list"] == [{"summary_info": [{"text": "物料：2 行", "lang": "zh_CN"}]}]


async def test_chosen_approvers(link: Link, sandbox: Any, run: Run) -> None:
    chosen: dict[str, Any] = {"approvers": [{"rule": "all", "users": ["user-lisi", "user-wangwu"]}, "user-manager"]}
    for parameters in ("process", "approver"):
        connector = link(flow_parameters=parameters)
        instance = (await run(connector, "create_approval", **start_of(**chosen, cc="user-lisi")))["instance_id"]
        for user in ("user-lisi", "user-wangwu", "user-manager"):
            assert (await run(connector, "get_approval", instance_id=instance))["outcome"] is None
            path = f"/wecom/instances/{instance}/decide"
            await sandbox.control("POST", path, {"result": "agree", "user": user, "remark": "可"})
        verdict = await run(connector, "get_approval", instance_id=instance)
        assert (verdict["outcome"], verdict["pass"]) == (Outcome.AGREED, "user-lisi,user-wangwu,user-manager")
        assert verdict["raw"]["notifyer"] == [{"userid": "user-lisi"}]
    with pytest.raises(ValueRefused, match="cc"):
        await run(connector, "create_approval", **start_of(cc="user-lisi"))


async def test_tokens_limits_and_a_busy_system(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    instance = (await run(connector, "create_approval", **start_of()))["instance_id"]
    await sandbox.control("POST", "/wecom/expire-tokens")
    for fault in ("error500", "error429", "session_expiry", "throttled_html", "reset_after"):
        await sandbox.next_fault(fault, "/oa/getapprovaldetail")
        assert (await run(connector, "get_approval", instance_id=instance))["instance_id"] == instance
    await sandbox.next_fault("error429", times=3)
    with pytest.raises(Throttled, match="45009"):
        await run(link(retries=0), "create_approval", **start_of())
    assert len(await sandbox.instances()) == 1


@pytest.mark.parametrize("fault", ["reset_after", "malformed_after", "timeout_after"])
async def test_a_start_that_took_place_without_an_answer_is_found_and_not_repeated(
    link: Link, sandbox: Any, run: Run, fault: str
) -> None:
    connector = link(timeout=1.0)
    await run(connector, "create_approval", **start_of(VALUES | {"申请人": "李四"}))
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **start_of())
    newest, _ = await sandbox.instances()
    found = await reconcile(connector, start_of())
    assert (found.finding, found.result) == (Finding.FOUND, {"instance_id": newest["id"]})


@pytest.mark.parametrize("fault", ["error500", "throttled_html"])
async def test_a_busy_system_proves_nothing_until_it_is_asked(link: Link, sandbox: Any, run: Run, fault: str) -> None:
    connector = link()
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **start_of())
    assert (await reconcile(connector, start_of())).finding is Finding.ABSENT


async def test_documents_with_the_same_values_are_told_apart(link: Link, run: Run) -> None:
    connector = link()
    first = (await run(connector, "create_approval", **start_of()))["instance_id"]
    second = (await run(connector, "create_approval", **start_of()))["instance_id"]
    unclear = await reconcile(connector, start_of())
    assert unclear.finding is Finding.UNCLEAR
    assert first in unclear.reason_zh
    taken = await reconcile(connector, start_of(), taken=frozenset({first}))
    assert taken.result == {"instance_id": second}
    other = start_of(VALUES | {"草稿单号": "9"}, key_field="草稿单号")
    assert (await reconcile(connector, other)).finding is Finding.ABSENT
    third = await run(connector, "create_approval", **other)
    assert (await reconcile(connector, other)).result == third
    assert (await reconcile(connector, start_of(originator="user-lisi"))).finding is Finding.ABSENT
    old = datetime.now(UTC) - timedelta(days=200)
    assert (await reconcile(connector, start_of(), started_at=old)).finding is Finding.UNCLEAR
    with pytest.raises(ValueRefused, match="审批单号"):
        await run(connector, "create_approval", **start_of(key_field="审批单号"))


async def test_listing_goes_over_pages_and_windows(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    first = (await run(connector, "create_approval", **start_of()))["instance_id"]
    params = connector.actions["create_approval"].params
    prepare = connector.actions["create_approval"].prepare
    assert prepare is not None
    body = (await prepare(params.model_validate(start_of(originator="user-lisi")))).body
    ids = [(await connector._client.call("oa/applyevent", body))["sp_no"] for _ in range(105)]
    since = datetime.now(UTC) - timedelta(days=70)
    wanted = {"form": demo.WECOM_TEMPLATE, "start": since}
    assert await run(connector, "list_approvals", **wanted) == [first, *ids]
    assert await run(connector, "list_approvals", **wanted, originator="user-zhangsan") == [first]
    await sandbox.control("POST", f"/wecom/instances/{first}/withdraw", {})
    assert await run(connector, "list_approvals", **wanted, status=4) == [first]


async def test_members_are_found(link: Link, run: Run) -> None:
    connector = link()
    assert await run(connector, "find_user", mobile="+86 138-0000-0001") == {"user_id": "user-zhangsan", "name": ""}
    assert await run(connector, "find_user", user="user-lisi") == {"user_id": "user-lisi", "name": "李四"}
    for wrong in ({"mobile": "1"}, {"user": "nobody"}):
        with pytest.raises(NotFound):
            await run(connector, "find_user", **wrong)


async def test_events_arrive_verified_and_are_acknowledged(
    link: Link, sandbox: Any, run: Run, serve: Callable[..., Awaitable[Any]]
) -> None:
    connector = link()
    events: asyncio.Queue[Event] = asyncio.Queue()

    async def receive(request: web.Request) -> web.StreamResponse:
        received = connector.receive(
            CallbackRequest(method=request.method, query=dict(request.query), headers={}, body=await request.read())
        )
        for event in received.events:
            events.put_nowait(event)
        return web.Response(body=received.reply.body, content_type=received.reply.content_type)

    address = (await serve(receive)).url + "/callbacks/oa"
    saved = await sandbox.control("PUT", "/wecom/callback", {"url": address, "copies": 3})
    assert saved["verified"] is True
    instance = (await run(connector, "create_approval", **start_of()))["instance_id"]
    path = f"/wecom/instances/{instance}"
    await sandbox.control("POST", f"{path}/after", {"event": "urge"})
    await sandbox.control("POST", f"{path}/decide", {"result": "agree", "remark": "同意 ]]> <b>"})
    await sandbox.control("POST", f"{path}/comment", {"text": "谢谢"})
    await sandbox.control("POST", f"{path}/after", {"event": "pay"})
    async with asyncio.timeout(20):
        got = [await events.get() for _ in range(5 * 3)]
    assert {event.instance_id for event in got} == {instance}
    assert {event.form for event in got} == {demo.WECOM_TEMPLATE}
    by_key = {event.key: event for event in got}
    assert sorted((event.type, event.outcome or "") for event in by_key.values()) == [
        ("approval.finished", Outcome.AGREED),
        ("approval.finished", Outcome.AGREED),
        ("approval.started", ""),
        ("wecom.sys_approval_change", ""),
        ("wecom.sys_approval_change", ""),
    ]
    assert {event.approver for event in by_key.values() if event.outcome} == {demo.APPROVER}

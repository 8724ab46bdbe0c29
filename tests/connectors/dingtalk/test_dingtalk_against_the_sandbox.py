"""The DingTalk connection against the DingTalk double, over HTTP; the double's code is written independently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.actions import Finding, Intent
from runtime.connectors.dingtalk.connector import DingTalkConnector
from runtime.connectors.events import CallbackRequest, Event, Outcome
from runtime.errors import FormGone, LoginRefused, NotFound, OutcomeUnknown, RemoteRefused, ValueRefused
from runtime.mapping.forms import ControlType, Form
from runtime.mapping.mapper import MappedForm
from runtime.sandbox import demo

Link = Callable[..., DingTalkConnector]
Run = Callable[..., Awaitable[Any]]


def fill(values: dict[str, Any], form: Form) -> MappedForm:
    """A mapped form: values that bring the fetched form's controls with them."""
    return MappedForm(values, {control.label: control for control in form.controls})


VALUES: dict[str, Any] = {
    "请购单别": "计划请购",
    "请购人员": "张三",
    "单据日期": "2026-11-23",
    "备注": "第一行\n第二行",
    "物料表": [
        {"品号": "A00001", "品名": "轴承", "需求数量": Decimal("10.50"), "需求日期": date(2026, 12, 1)},
        {"品号": "A00002", "品名": "螺栓", "需求数量": 200, "需求日期": None},
    ],
}


def start_of(values: Any = None, **change: Any) -> dict[str, Any]:
    return {
        "form": demo.PROCESS_CODE,
        "values": VALUES if values is None else values,
        "originator": "user-zhangsan",
        "department": 1001,
    } | change


async def test_the_connection_proves_itself(link: Link) -> None:
    report = await link().test()
    assert len(report.lines) == 3
    legacy = await link(token_api="legacy").test()
    assert legacy.lines == report.lines
    with pytest.raises(LoginRefused, match="invalidClientIdOrSecret"):
        await link(app_secret="wrong-secret").test()
    with pytest.raises(LoginRefused, match="40089"):
        await link(app_secret="wrong-secret", token_api="legacy").test()


async def test_both_demo_forms_are_read(link: Link, sandbox: Any) -> None:
    connector = link()
    form = await connector.fetch_form(demo.PROCESS_CODE)
    assert form.title == "采购申请"
    (table,) = (control for control in form.controls if control.type is ControlType.TABLE)
    assert [child.label for child in table.children] == ["品名", "品号", "规格", "需求数量", "需求日期", "描述"]
    everything = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    assert {control.type for control in everything.controls} == set(ControlType) - {ControlType.OTHER}
    await sandbox.control("DELETE", f"/dingtalk/forms/{demo.PROCESS_CODE}")
    with pytest.raises(FormGone) as caught:
        await connector.fetch_form(demo.PROCESS_CODE)
    assert demo.PROCESS_CODE in caught.value.where


async def test_an_approval_from_start_to_verdict(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    form = await connector.fetch_form(demo.PROCESS_CODE)
    started = await run(
        connector, "create_approval", **start_of(fill(VALUES | {"单据日期": "2026-11-23T00:00:00Z"}, form))
    )
    instance = started["instance_id"]
    approval = await run(connector, "get_approval", instance_id=instance)
    assert (approval["status"], approval["outcome"], approval["finished_at"]) == ("RUNNING", None, None)
    assert approval["originator"] == "user-zhangsan"
    assert approval["values"]["单据日期"] == "2026-11-23"
    assert approval["tables"]["物料表"] == [
        {"品号": "A00001", "品名": "轴承", "需求数量": "10.50", "需求日期": "2026-12-01"},
        {"品号": "A00002", "品名": "螺栓", "需求数量": "200"},
    ]
    await run(connector, "comment", instance_id=instance, text="请尽快", user="user-lisi")
    await sandbox.control("POST", f"/dingtalk/instances/{instance}/decide", {"result": "refuse", "remark": "太贵"})
    verdict = await run(connector, "get_approval", instance_id=instance)
    assert verdict["outcome"] is Outcome.REFUSED
    assert verdict["approver"] == demo.APPROVER
    assert verdict["remarks"] == f"user-lisi: 请尽快; {demo.APPROVER}: 太贵"
    assert abs(verdict["finished_at"] - datetime.now(UTC)) < timedelta(minutes=2)


async def test_every_control_type_is_accepted_and_comes_back(link: Link, run: Run) -> None:
    connector = link()
    form = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    related = (await run(connector, "create_approval", **start_of()))["instance_id"]
    file = {"spaceId": "163", "fileName": "a.jpg", "fileSize": 333, "fileType": "jpg", "fileId": "643"}
    by_type: dict[ControlType, Any] = {
        ControlType.TEXT: "文本",
        ControlType.TEXTAREA: "一\n二",
        ControlType.NUMBER: Decimal("1E+2"),
        ControlType.MONEY: "19.90",
        ControlType.SELECT: form.controls[4].options[0].label,
        ControlType.MULTISELECT: ["质检", "财务"],
        ControlType.DATE: datetime(2026, 11, 23, 8, tzinfo=UTC),
        ControlType.DATERANGE: ["2026-11-23", "2026-11-30"],
        ControlType.PHOTO: "https://example.com/a.jpg",
        ControlType.TABLE: [{"物料": "A1", "数量": "3", "单价": Decimal("0.10"), "交期": "20261201", "类别": "原料"}],
        ControlType.ATTACHMENT: [file],
        ControlType.CONTACT: "user-lisi",
        ControlType.DEPARTMENT: 1002,
        ControlType.RELATION: related,
        ControlType.PHONE: "15700000000",
        ControlType.ADDRESS: "浙江省,杭州市,余杭区",
        ControlType.RATING: 4,
    }
    values = {control.label: by_type[control.type] for control in form.controls if control.type in by_type}
    filled = fill(values, form)
    started = await run(connector, "create_approval", **start_of(filled, form=demo.ALL_PROCESS_CODE))
    approval = await run(connector, "get_approval", instance_id=started["instance_id"])
    assert set(approval["values"]) | set(approval["tables"]) == set(values)
    found = await reconcile(connector, start_of(filled, form=demo.ALL_PROCESS_CODE))
    assert found.result == started
    wrong = fill(values | {"请如实填写": "x"}, form)
    with pytest.raises(ValueRefused, match="请如实填写"):
        await run(connector, "create_approval", **start_of(wrong, form=demo.ALL_PROCESS_CODE))


async def test_a_refused_value_carries_dingtalks_own_words(link: Link, sandbox: Any, run: Run) -> None:
    with pytest.raises(RemoteRefused) as caught:
        await run(link(), "create_approval", **start_of({"请购单别": "没有这种"}))
    assert caught.value.code == "illegalComponent"
    assert "requestid" in caught.value.remote
    with pytest.raises(NotFound):
        await run(link(), "get_approval", instance_id="no-such-instance")
    assert await sandbox.instances() == []


async def test_an_expired_token_is_renewed_unnoticed(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    await run(connector, "create_approval", **start_of())
    await sandbox.control("POST", "/dingtalk/expire-tokens")
    await run(connector, "create_approval", **start_of())
    assert len(await sandbox.instances()) == 2


async def reconcile(connector: DingTalkConnector, params: dict[str, Any]) -> Any:
    action = connector.actions["create_approval"]
    assert action.reconcile is not None
    intent = Intent(started_at=datetime.now(UTC) - timedelta(seconds=5), document_key="1")
    return await action.reconcile(action.params.model_validate(params), intent)


@pytest.mark.parametrize("fault", ["reset_after", "malformed_after", "timeout_after"])
async def test_a_start_that_took_place_without_an_answer_is_found_and_not_repeated(
    link: Link, sandbox: Any, run: Run, fault: str
) -> None:
    connector = link(timeout=1.0)
    await run(connector, "create_approval", **start_of(VALUES | {"请购人员": "李四"}))
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **start_of())
    instances = await sandbox.instances()
    assert len(instances) == 2
    found = await reconcile(connector, start_of())
    assert found.finding is Finding.FOUND
    approval = await run(connector, "get_approval", **found.result)
    assert approval["values"]["请购人员"] == "张三"


@pytest.mark.parametrize("fault", ["error500", "throttled_html"])
async def test_a_start_that_never_took_place_is_provably_absent(link: Link, sandbox: Any, run: Run, fault: str) -> None:
    connector = link()
    await run(connector, "create_approval", **start_of(VALUES | {"请购人员": "李四"}))
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **start_of())
    assert (await reconcile(connector, start_of())).finding is Finding.ABSENT
    assert len(await sandbox.instances()) == 1


async def test_a_start_that_was_told_to_slow_down_goes_through_once(link: Link, sandbox: Any, run: Run) -> None:
    await sandbox.next_fault("error429")
    await run(link(), "create_approval", **start_of())
    assert len(await sandbox.instances()) == 1


async def test_two_equal_approvals_are_for_a_person_unless_the_key_tells_them_apart(link: Link, run: Run) -> None:
    connector = link()
    for number in ("8", "9"):
        await run(connector, "create_approval", **start_of(VALUES | {"来源单号": number}))
    wanted = start_of(VALUES | {"来源单号": "9"}, key_field="来源单号")
    assert (await reconcile(connector, wanted)).finding is Finding.FOUND
    assert (await reconcile(connector, start_of())).finding is Finding.UNCLEAR
    assert (await reconcile(connector, wanted | start_of(VALUES | {"来源单号": "10"}))).finding is Finding.ABSENT


async def test_listing_and_withdrawing(link: Link, run: Run) -> None:
    connector = link()
    ids = [(await run(connector, "create_approval", **start_of()))["instance_id"] for _ in range(25)]
    since = datetime.now(UTC) - timedelta(minutes=5)
    assert set(await run(connector, "list_approvals", form=demo.PROCESS_CODE, start=since)) == set(ids)
    for _ in range(2):
        await run(connector, "terminate_approval", instance_id=ids[0], remark="重复")
    assert (await run(connector, "get_approval", instance_id=ids[0]))["outcome"] is Outcome.WITHDRAWN
    ended = await run(connector, "list_approvals", form=demo.PROCESS_CODE, start=since, statuses="TERMINATED")
    assert ended == ids[:1]


async def test_events_arrive_verified_and_are_acknowledged(
    link: Link, sandbox: Any, run: Run, serve: Callable[..., Awaitable[Any]]
) -> None:
    connector = link()
    events: asyncio.Queue[Event] = asyncio.Queue()

    async def receive(request: web.Request) -> web.StreamResponse:
        received = connector.receive(
            CallbackRequest(
                method=request.method,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
            )
        )
        for event in received.events:
            events.put_nowait(event)
        return web.Response(body=received.reply.body, content_type=received.reply.content_type)

    address = (await serve(receive)).url + "/callbacks/oa"
    saved = await sandbox.control("PUT", "/dingtalk/callback", {"url": address, "copies": 2})
    assert saved["verified"] is True
    assert events.empty()
    instance = (await run(connector, "create_approval", **start_of()))["instance_id"]
    await sandbox.control("POST", f"/dingtalk/instances/{instance}/decide", {"result": "agree", "remark": "同意"})
    async with asyncio.timeout(20):
        got = [await events.get() for _ in range(4)]
    assert {event.instance_id for event in got} == {instance}
    assert {event.form for event in got} == {demo.PROCESS_CODE}
    assert (
        sorted((event.type, event.outcome) for event in got if event.outcome)
        == [("approval.finished", Outcome.AGREED)] * 2
    )
    assert len({event.key for event in got}) == 2

"""The e-cology connection against the e-cology double, over HTTP; the double's code is written independently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from runtime.connectors.actions import Finding, Intent
from runtime.connectors.events import Outcome
from runtime.connectors.weaver.connector import WeaverConnector
from runtime.errors import FormGone, LoginRefused, OutcomeUnknown, RemoteRefused, ValueRefused
from runtime.mapping.forms import ControlType, Form
from runtime.mapping.mapper import MappedForm
from runtime.sandbox import demo

Link = Callable[..., WeaverConnector]
Run = Callable[..., Awaitable[Any]]

FORM = str(demo.WEAVER_WORKFLOW)
VALUES: dict[str, Any] = {
    "单据编号": 73918,
    "申请人": 15,
    "申请部门": "11",
    "申请日期": "2026-11-23T00:00:00Z",
    "请购单别": "计划请购",
    "是否加急": True,
    "采购明细": [
        {"物料编码": "R10003", "物料名称": "轴承", "采购数量": Decimal("260.50"), "需求日期": date(2026, 12, 1)},
        {"物料编码": "R10004", "采购数量": 1800, "需求日期": None},
    ],
    "供应商报价": [{"供应商": "V1001", "单价": "3.20", "报价时间": "930"}],
}


def fill(values: dict[str, Any], form: Form) -> MappedForm:
    """A mapped form: values that bring the fetched form's controls with them."""
    return MappedForm(values, {control.label: control for control in form.controls})


async def start_of(connector: WeaverConnector, **change: Any) -> dict[str, Any]:
    form = await connector.fetch_form(FORM)
    values = fill(VALUES | change.pop("values", {}), form)
    return {"form": FORM, "values": values, "title": "采购申请 73918", "originator": 15, "key_field": "djbh"} | change


async def reconcile(connector: WeaverConnector, params: dict[str, Any], *, taken: frozenset[str] = frozenset()) -> Any:
    action = connector.actions["create_approval"]
    assert action.reconcile is not None
    intent = Intent(started_at=datetime.now(UTC) - timedelta(seconds=5), document_key="1", taken=taken)
    return await action.reconcile(action.params.model_validate(params), intent)


async def test_the_connection_proves_itself_and_registers_only_when_asked(link: Link) -> None:
    connector = link()
    assert any("2 个流程" in zh for zh, _ in (await connector.test()).lines)
    again = await connector.register()
    with pytest.raises(LoginRefused, match="secret解密失败"):
        await link().test()
    assert (await link(**again).test()).lines
    with pytest.raises(LoginRefused, match="认证信息错误"):
        await link(**again | {"secret": "another-secret"}).test()
    with pytest.raises(LoginRefused, match="appid"):
        await link(app_id="no-licence").register()


async def test_the_form_is_read_with_its_details(link: Link) -> None:
    form = await link().fetch_form(FORM)
    assert form.title == "采购申请"
    controls = {control.id: control for control in form.controls}
    assert controls["sqr"].type is ControlType.CONTACT
    assert controls["sqr"].required
    assert controls["sqrq"].type is ControlType.DATE
    assert [(option.key, option.label) for option in controls["qgdb"].options] == [
        ("0", "自产请购"),
        ("1", "零星请购"),
        ("2", "计划请购"),
    ]
    detail = controls["formtable_main_45_dt1"]
    assert (detail.label, detail.type) == ("采购明细", ControlType.TABLE)
    assert [child.id for child in detail.children] == ["wlbm", "wlmc", "ggxh", "cgsl", "xqrq", "bz"]
    assert controls["formtable_main_45_dt2"].children[2].format == "HH:mm"
    with pytest.raises((FormGone, RemoteRefused)):
        await link().fetch_form("999")


@pytest.mark.parametrize("shape", ["word", "object", "top"])
async def test_a_request_from_start_to_verdict(link: Link, sandbox: Any, run: Run, shape: str) -> None:
    await sandbox.control("PUT", "/weaver/answers", {"create": shape})
    connector = link()
    started = await run(connector, "create_approval", **await start_of(connector))
    assert started == {"instance_id": "8888"}
    approval = await run(connector, "get_approval", **started)
    assert approval["outcome"] is None
    assert (approval["originator"], approval["title"], approval["form"]) == ("15", "采购申请 73918", FORM)
    expected = {"djbh": "73918", "sqr": "15", "sqrq": "2026-11-23", "qgdb": "2", "sfjj": "1"}
    assert expected.items() <= approval["values"].items()
    assert approval["shown"]["qgdb"] == "计划请购"
    first, second = approval["tables"]["formtable_main_45_dt1"]
    assert (first["wlbm"], first["cgsl"], first["xqrq"]) == ("R10003", "260.50", "2026-12-01")
    assert (second["cgsl"], second["xqrq"]) == ("1800", "")
    assert approval["tables"]["formtable_main_45_dt2"][0]["bjsj"] == "09:30"
    assert await connector.poll_event("8888", FORM) is None
    await sandbox.control("POST", "/weaver/requests/8888/decide", {"result": "refuse", "remark": "太贵"})
    event = await connector.poll_event("8888", FORM)
    assert event is not None
    assert (event.outcome, event.approver) == (Outcome.REFUSED, str(demo.WEAVER_APPROVER))


async def test_what_the_oa_refuses_names_the_reason_or_the_user(link: Link, sandbox: Any, run: Run) -> None:
    connector = link()
    with pytest.raises(RemoteRefused, match="OA 用户 99") as caught:
        await run(connector, "create_approval", **await start_of(connector, originator=99))
    assert "单点登录失败" in caught.value.remote
    with pytest.raises(RemoteRefused, match="不是选择项的值") as caught:
        await run(connector, "create_approval", form=FORM, values={"qgdb": "9"}, title="x", originator="15")
    assert caught.value.code == "PARAM_ERROR"
    with pytest.raises(ValueRefused, match="申请人"):
        await run(connector, "create_approval", **await start_of(connector, values={"申请人": "user-zhangsan"}))
    assert await sandbox.instances() == []


async def test_a_request_that_cannot_be_submitted_is_deleted_or_known(link: Link, sandbox: Any, run: Run) -> None:
    incomplete = {"form": FORM, "values": {"djbh": "7"}, "title": "x", "originator": "15", "key_field": "djbh"}
    with pytest.raises(OutcomeUnknown):
        await run(link(), "create_approval", **incomplete)
    assert await sandbox.instances() == []
    assert (await reconcile(link(), incomplete)).finding is Finding.ABSENT
    with pytest.raises(OutcomeUnknown, match="8889"):
        await run(link(), "create_approval", **incomplete, delete_failed=False)
    assert (await reconcile(link(), incomplete)).result == {"instance_id": "8889"}


async def test_an_expired_token_is_renewed_unnoticed_and_nobody_else_is_impersonated(
    link: Link, sandbox: Any, run: Run
) -> None:
    connector = link()
    for originator in (15, 16):
        await run(connector, "create_approval", **await start_of(connector, originator=originator))
        await sandbox.control("POST", "/weaver/expire-tokens")
    assert [request["creator"] for request in await sandbox.instances()] == [16, 15]


@pytest.mark.parametrize("fault", ["reset_after", "malformed_after", "timeout_after"])
async def test_a_start_that_took_place_without_an_answer_is_found_and_not_repeated(
    link: Link, sandbox: Any, run: Run, fault: str
) -> None:
    connector = link(timeout=1.0)
    for number in range(60):  # more than a page of the OA holds
        await run(connector, "create_approval", **await start_of(connector, values={"单据编号": number}))
    wanted = await start_of(connector)
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **wanted)
    assert len(await sandbox.instances()) == 61
    found = await reconcile(connector, wanted)
    assert found.result == {"instance_id": "8948"}
    assert (await reconcile(connector, wanted, taken=frozenset(["8948"]))).finding is Finding.ABSENT


@pytest.mark.parametrize("fault", ["error500", "throttled_html"])
async def test_a_start_that_never_took_place_is_absent_only_where_the_list_is_trusted(
    link: Link, sandbox: Any, run: Run, fault: str
) -> None:
    connector = link()
    wanted = await start_of(connector)
    await sandbox.next_fault(fault)
    with pytest.raises(OutcomeUnknown):
        await run(connector, "create_approval", **wanted)
    assert await sandbox.instances() == []
    assert (await reconcile(connector, wanted)).finding is Finding.ABSENT
    for doubtful in ({"absent": "person"}, {"search_list": ""}, {"search_list": "getNoSuchList"}):
        assert (await reconcile(link(**doubtful), wanted)).finding is Finding.UNCLEAR


async def test_two_equal_requests_are_for_a_person_unless_the_key_tells_them_apart(link: Link, run: Run) -> None:
    connector = link()
    for number in (8, 9):
        await run(connector, "create_approval", **await start_of(connector, values={"单据编号": number}))
    padded = await reconcile(connector, await start_of(connector, values={"单据编号": "08"}))
    assert padded.finding is Finding.UNCLEAR
    nine = await start_of(connector, values={"单据编号": 9})
    assert (await reconcile(connector, nine)).result == {"instance_id": "8889"}
    assert (await reconcile(connector, nine | {"key_field": ""})).result == {"instance_id": "8889"}
    await run(connector, "create_approval", **nine)
    assert (await reconcile(connector, nine)).finding is Finding.UNCLEAR
    assert (await reconcile(connector, await start_of(connector, values={"单据编号": 10}))).finding is Finding.ABSENT


async def test_a_key_that_begins_like_a_date_is_compared_to_its_end(link: Link, run: Run) -> None:
    connector = link()
    await run(connector, "create_approval", **await start_of(connector, values={"单据编号": "2026-11-23-001"}))
    other = await start_of(connector, values={"单据编号": "2026-11-23-002"})
    assert (await reconcile(connector, other)).finding is Finding.ABSENT


@pytest.mark.parametrize("shape", ["text", "object", "datas", "plain"])
async def test_mode_data_is_saved_once_however_often_it_is_sent(link: Link, sandbox: Any, run: Run, shape: str) -> None:
    await sandbox.control("PUT", "/weaver/answers", {"mode": shape})
    records = [{"wlbm": f"A{number}", "wlmc": f"物料{number}"} for number in range(5)]
    for _ in range(2):
        saved = await run(link(), "save_mode_data", interface="saveItem", records=records, key_fields="wlbm", batch=2)
        assert [record["values"]["wlbm"] for record in saved["accepted"]] == ["A0", "A1", "A2", "A3", "A4"]
    kept = (await sandbox.control("GET", "/weaver/mode/saveItem"))["records"]
    assert [record["wlbm"] for record in kept] == ["A0", "A1", "A2", "A3", "A4"]
    rows = [row async for row in await run(link(), "list_mode_data", interface="saveItem", page_size=2)]
    assert [row["wlmc"] for row in rows] == ["物料0", "物料1", "物料2", "物料3", "物料4"]
    only = [row async for row in await run(link(), "list_mode_data", interface="saveItem", filter={"wlbm": "A3"})]
    assert [row["id"] for row in only] == ["4"]


@pytest.mark.parametrize("all_or_nothing", [False, True])
@pytest.mark.parametrize("shape", ["text", "object", "datas", "plain"])
async def test_one_bad_record_does_not_hold_up_the_others(
    link: Link, sandbox: Any, run: Run, shape: str, all_or_nothing: bool
) -> None:
    await sandbox.control("PUT", "/weaver/answers", {"mode": shape, "all_or_nothing": all_or_nothing})
    records = [{"wlbm": "A1", "wlmc": "一"}, {"wlbm": "A2", "wlmc": ""}, {"wlbm": "A3", "wlmc": "三"}]
    saved = await run(link(), "save_mode_data", interface="saveItem", records=records, key_fields=["wlbm"])
    assert [record["accepted"] for record in saved["records"]] == [True, False, True]
    assert "wlmc" in saved["refused"][0]["message"]
    kept = (await sandbox.control("GET", "/weaver/mode/saveItem"))["records"]
    assert [record["wlbm"] for record in kept] == ["A1", "A3"]


async def test_details_of_mode_data_go_along(link: Link, sandbox: Any, run: Run) -> None:
    record = {"khbm": "C1", "khmc": "海岳机械", "detail1": [{"lxr": "王工", "sl": Decimal("1.50")}]}
    await run(link(mode_token=True), "save_mode_data", interface="saveCustomer", records=record, key_fields="khbm")
    (kept,) = (await sandbox.control("GET", "/weaver/mode/saveCustomer"))["records"]
    assert kept["detail1"] == [{"id": "", "lxr": "王工", "sl": "1.50"}]
    wrong = link(mode_password="wrong-password")
    refused = await run(wrong, "save_mode_data", interface="saveCustomer", records=record, key_fields="khbm")
    assert refused["refused"][0]["message"] == "Md5校验失败"

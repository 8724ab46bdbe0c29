"""Starting, listing, withdrawing and commenting; and finding an approval whose answer was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.connectors.actions import Finding, Intent, Reconciliation
from runtime.connectors.dingtalk.connector import DingTalkConnector
from runtime.errors import RemoteFault, RemoteRefused, ValueRefused

Connect = Callable[..., DingTalkConnector]
Run = Callable[..., Awaitable[Any]]

INSTANCES = "/v1.0/workflow/processInstances"
LIST = "/v1.0/workflow/processes/instanceIds/query"
FORM: dict[str, Any] = {"form": "PROC-1", "values": {"单号": "8", "单别": "计划"}, "originator": "u1", "department": 7}


async def test_the_request_that_is_shown_is_the_request_that_is_sent(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[INSTANCES] = [(200, {"instanceId": "i-1"})]
    connector = connect(agent_id=99)
    action = connector.actions["create_approval"]
    asked = FORM | {
        "originator": 4711,
        "approvers": ["m1", {"actionType": "OR", "userIds": ["m2", "m3"]}],
        "cc": "c1",
        "cc_position": "START",
        "chosen": {"manual_1": "m4"},
    }
    assert action.prepare is not None
    shown = await action.prepare(action.params.model_validate(asked))
    assert dingtalk.calls == []
    assert await run(connector, "create_approval", **asked) == {"instance_id": "i-1"}
    assert (shown.method, shown.url) == ("POST", dingtalk.url + INSTANCES)
    assert dingtalk.bodies(INSTANCES) == [shown.body]
    assert shown.body == {
        "originatorUserId": "4711",
        "processCode": "PROC-1",
        "deptId": 7,
        "microappAgentId": 99,
        "approvers": [
            {"actionType": "NONE", "userIds": ["m1"]},
            {"actionType": "OR", "userIds": ["m2", "m3"]},
        ],
        "ccList": ["c1"],
        "ccPosition": "START",
        "targetSelectActioners": [{"actionerKey": "manual_1", "actionerUserIds": ["m4"]}],
        "formComponentValues": [{"name": "单号", "value": "8"}, {"name": "单别", "value": "计划"}],
    }


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"department": None}, "department"),
        ({"department": ""}, "department"),
        ({"values": {"单号": ""}}, ""),
        ({"values": {"单号": {"a": 1}}}, "单号"),
        ({"key_field": "草稿单号"}, "草稿单号"),
    ],
)
async def test_nothing_is_sent_when_something_is_missing(
    dingtalk: Any, connect: Connect, run: Run, change: dict[str, Any], where: str
) -> None:
    with pytest.raises(ValueRefused) as caught:
        await run(connect(), "create_approval", **FORM | change)
    assert caught.value.where == where
    assert dingtalk.calls == []
    assert dingtalk.tokens_issued == 0


@pytest.mark.parametrize("change", [{"originator": None}, {"originator": ""}, {"values": "text"}, {"orignator": "x"}])
async def test_parameters_are_checked(connect: Connect, run: Run, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        await run(connect(), "create_approval", **FORM | change)


async def test_an_int_like_department_is_taken_and_root_too(connect: Connect) -> None:
    action = connect().actions["create_approval"]
    for given, expected in (("1001", 1001), (-1, -1), ("-1", -1)):
        assert action.params.model_validate(FORM | {"department": given}).department == expected  # type: ignore[attr-defined]


def detail(values: dict[str, str], originator: str = "u1") -> dict[str, Any]:
    return {
        "originatorUserId": originator,
        "status": "RUNNING",
        "formComponentValues": [{"name": n, "value": v, "componentType": "TextField"} for n, v in values.items()],
    }


async def reconcile(
    connector: DingTalkConnector, *, age: timedelta = timedelta(0), taken: frozenset[str] = frozenset(), **change: Any
) -> Reconciliation:
    action = connector.actions["create_approval"]
    assert action.reconcile is not None
    intent = Intent(started_at=datetime.now(UTC) - age, document_key="8", taken=taken)
    return await action.reconcile(action.params.model_validate(FORM | change), intent)


def stock(dingtalk: Any, approvals: dict[str, dict[str, Any] | None], page: int = 2) -> None:
    """Approvals that the list call finds; None = deleted before its detail is read."""
    ids = list(approvals)

    def listed(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        start = body["nextToken"]
        more = str(start + page) if start + page < len(ids) else ""
        return 200, {"result": {"list": ids[start : start + page], "nextToken": more}, "success": True}

    def one(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = approvals[body["processInstanceId"]]
        if found is None:
            return 400, {"code": "processInstanceNotExist", "message": "gone"}
        return 200, {"result": found, "success": "true"}

    dingtalk.answers[LIST] = listed
    dingtalk.answers[INSTANCES] = one


SAME = detail({"单号": "8", "单别": "计划"})
OTHER = detail({"单号": "9", "单别": "计划"})


async def test_exactly_one_is_found_on_any_page(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {"i-1": OTHER, "i-2": OTHER, "i-3": SAME, "i-4": detail({"单号": "8"}, originator="u2")})
    found = await reconcile(connect())
    assert (found.finding, found.result) == (Finding.FOUND, {"instance_id": "i-3"})
    first = dingtalk.bodies(LIST)[0]
    assert first["userIds"] == ["u1"]
    assert "statuses" not in first
    assert first["endTime"] - first["startTime"] >= 600_000


async def test_none_is_a_proof_of_absence(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {"i-1": OTHER, "i-2": detail({"单号": "8", "单别": "零星"})})
    assert (await reconcile(connect())).finding is Finding.ABSENT
    stock(dingtalk, {})
    assert (await reconcile(connect())).finding is Finding.ABSENT


@pytest.mark.parametrize(
    "approvals",
    [
        {"i-1": SAME, "i-2": SAME},
        {"i-1": None},
        {"i-1": SAME, "i-2": None},
        {"i-1": detail({"幽灵": "x"})},
        {"i-1": SAME | {"originatorUserId": None}},
    ],
)
async def test_doubt_goes_to_a_person(dingtalk: Any, connect: Connect, approvals: dict[str, Any]) -> None:
    stock(dingtalk, approvals)
    found = await reconcile(connect())
    assert found.finding is Finding.UNCLEAR
    assert "i-1" in found.reason_zh
    assert "i-1" in found.reason_en


async def test_what_belongs_to_another_document_is_left_out(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {"i-1": SAME, "i-2": SAME})
    assert (await reconcile(connect(), taken=frozenset({"i-1"}))).result == {"instance_id": "i-2"}
    assert (await reconcile(connect(), taken=frozenset({"i-1", "i-2"}))).finding is Finding.ABSENT


async def test_the_key_field_decides_between_equals(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {"i-1": detail({"单号": "9", "单别": "计划"}), "i-2": detail({"单号": "8", "单别": "改过"})})
    found = await reconcile(connect(), key_field="单号")
    assert (found.finding, found.result) == (Finding.FOUND, {"instance_id": "i-2"})


async def test_an_attempt_too_long_ago_cannot_be_searched_for(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {})
    assert (await reconcile(connect(), age=timedelta(days=121))).finding is Finding.UNCLEAR
    assert dingtalk.calls == []


async def test_too_many_candidates_are_not_compared(dingtalk: Any, connect: Connect) -> None:
    stock(dingtalk, {f"i-{number}": OTHER for number in range(505)}, page=250)
    assert (await reconcile(connect())).finding is Finding.UNCLEAR
    assert dingtalk.bodies(INSTANCES) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"list": None}},
        {"result": {"list": ["i"], "nextToken": "abc"}},
        {"result": {"list": ["i"], "nextToken": "-5"}},
        {"result": []},
        {"success": True},
    ],
)
async def test_a_list_that_cannot_be_trusted_proves_nothing(
    dingtalk: Any, connect: Connect, answer: dict[str, Any]
) -> None:
    dingtalk.answers[LIST] = [(200, answer)]
    with pytest.raises(RemoteFault):
        await reconcile(connect(retries=0))


async def test_list_approvals_reads_all_pages(dingtalk: Any, connect: Connect, run: Run) -> None:
    stock(dingtalk, {f"i-{number}": None for number in range(5)})
    ids = await run(
        connect(),
        "list_approvals",
        form="PROC-1",
        start="2026-11-23T00:00:00",
        end="2026-11-23T08:00:00+08:00",
        statuses=["RUNNING"],
        originators="u1",
    )
    assert ids == [f"i-{number}" for number in range(5)]
    body = dingtalk.bodies(LIST)[0]
    assert body["startTime"] == body["endTime"] == int(datetime(2026, 11, 23, tzinfo=UTC).timestamp() * 1000)
    assert (body["statuses"], body["userIds"], body["maxResults"]) == (["RUNNING"], ["u1"], 20)


TERMINATE = f"{INSTANCES}/terminate"
ENDED = {"code": "aflowProcessInstStatusException", "message": "流程已结束"}


async def test_withdrawing_twice_is_one_withdrawal(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[TERMINATE] = [(200, {"result": True, "success": True}), (400, ENDED)]
    dingtalk.answers[INSTANCES] = [(200, {"result": {"status": "TERMINATED"}})]
    connector = connect()
    for _ in range(2):
        result = await run(connector, "terminate_approval", instance_id="i-1", remark="重复", operator="u1")
        assert result == {"instance_id": "i-1"}
    assert dingtalk.bodies(TERMINATE)[0] == {
        "processInstanceId": "i-1",
        "isSystem": False,
        "remark": "重复",
        "operatingUserId": "u1",
    }


async def test_withdrawing_what_ended_otherwise_is_refused(dingtalk: Any, connect: Connect, run: Run) -> None:
    dingtalk.answers[TERMINATE] = [(400, ENDED)]
    dingtalk.answers[INSTANCES] = [(200, {"result": {"status": "COMPLETED", "result": "agree"}})]
    with pytest.raises(RemoteRefused, match="aflowProcessInstStatusException"):
        await run(connect(), "terminate_approval", instance_id="i-1")
    assert dingtalk.bodies(TERMINATE) == [{"processInstanceId": "i-1", "isSystem": True}]


def record(**changes: Any) -> dict[str, Any]:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"
    return {"userId": "u1", "type": "ADD_REMARK", "remark": "已入库", "date": now} | changes


@pytest.mark.parametrize(
    ("records", "finding"),
    [
        ([{}], Finding.FOUND),
        ([{"remark": "别的"}, {"userId": "u2"}], Finding.ABSENT),
        ([{"date": "2020-01-01T00:00Z"}], Finding.ABSENT),
        ([{"date": ""}], Finding.UNCLEAR),
        (None, Finding.UNCLEAR),
        ([], Finding.ABSENT),
    ],
)
async def test_a_comment_whose_answer_was_lost(
    dingtalk: Any, connect: Connect, run: Run, records: Any, finding: Finding
) -> None:
    dingtalk.answers[f"{INSTANCES}/comments"] = [(200, {"result": True, "success": True})]
    # Made only now: tests are collected minutes before they run.
    made = None if records is None else [record(**changes) for changes in records]
    dingtalk.answers[INSTANCES] = [(200, {"result": {"status": "RUNNING", "operationRecords": made}})]
    connector = connect()
    params = {"instance_id": "i-1", "text": "已入库", "user": "u1"}
    assert await run(connector, "comment", **params) == {"instance_id": "i-1"}
    action = connector.actions["comment"]
    assert action.reconcile is not None
    intent = Intent(started_at=datetime.now(UTC), document_key="8")
    assert (await action.reconcile(action.params.model_validate(params), intent)).finding is finding

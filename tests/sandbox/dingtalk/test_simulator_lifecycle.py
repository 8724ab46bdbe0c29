"""The life of an approval in the DingTalk double: deciding, withdrawing, reading, listing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtime.sandbox import demo

PATH = "/v1.0/workflow/processInstances"
LIST = "/v1.0/workflow/processes/instanceIds/query"


async def detail(sandbox: Any, instance: str) -> dict[str, Any]:
    return dict((await sandbox.dingtalk("GET", PATH, processInstanceId=instance)).json()["result"])


async def test_running_approval(sandbox: Any) -> None:
    instance = await detail(sandbox, await sandbox.start())
    assert (instance["status"], instance["result"]) == ("RUNNING", "")
    assert "finishTime" not in instance
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", instance["createTime"])
    assert instance["originatorDeptId"] == "1001"
    assert instance["title"] == "张三提交的采购申请"
    assert [task["status"] for task in instance["tasks"]] == ["RUNNING"]
    assert instance["operationRecords"][0]["type"] == "START_PROCESS_INSTANCE"


@pytest.mark.parametrize("result", ["agree", "refuse"])
async def test_deciding_by_api(sandbox: Any, result: str) -> None:
    instance_id = await sandbox.start()
    task = (await detail(sandbox, instance_id))["tasks"][0]
    body = {
        "processInstanceId": instance_id,
        "taskId": task["taskId"],
        "result": result,
        "actionerUserId": demo.APPROVER,
        "remark": "同意或不同意",
    }
    wrong = await sandbox.dingtalk("POST", f"{PATH}/execute", {**body, "actionerUserId": "user-lisi"})
    assert wrong.json()["code"] == "processInstanceInvalidParameter"
    answer = await sandbox.dingtalk("POST", f"{PATH}/execute", body)
    assert answer.json() == {"result": True, "success": True}
    instance = await detail(sandbox, instance_id)
    assert (instance["status"], instance["result"]) == ("COMPLETED", result)
    assert instance["approverUserIds"] == [demo.APPROVER]
    record = instance["operationRecords"][-1]
    assert (record["userId"], record["result"], record["remark"]) == (demo.APPROVER, result.upper(), "同意或不同意")
    again = await sandbox.dingtalk("POST", f"{PATH}/execute", body)
    assert (again.status_code, again.json()["code"]) == (400, "aflowProcessInstStatusException")


async def test_nodes_one_after_the_other(sandbox: Any, start_body: Any) -> None:
    approvers = [
        {"actionType": "OR", "userIds": ["user-lisi", "user-wangwu"]},
        {"actionType": "AND", "userIds": ["user-lisi", "user-manager"]},
    ]
    instance_id = await sandbox.start({**start_body(), "deptId": None, "approvers": approvers})
    decide = f"/dingtalk/instances/{instance_id}/decide"
    await sandbox.control("POST", decide, {"result": "agree", "user": "user-manager"}, expected=422)
    await sandbox.control("POST", decide, {"result": "agree", "user": "user-wangwu"})
    tasks = (await detail(sandbox, instance_id))["tasks"]
    assert [task["status"] for task in tasks] == ["CANCELED", "COMPLETED", "RUNNING", "RUNNING"]
    await sandbox.control("POST", decide, {"result": "agree", "user": "user-lisi"})
    assert (await detail(sandbox, instance_id))["status"] == "RUNNING"
    await sandbox.control("POST", decide, {"result": "agree"})
    done = await detail(sandbox, instance_id)
    assert (done["status"], done["result"]) == ("COMPLETED", "agree")


async def test_one_refusal_ends_a_node_of_many(sandbox: Any, start_body: Any) -> None:
    approvers = [{"actionType": "AND", "userIds": ["user-lisi", "user-manager"]}]
    instance_id = await sandbox.start({**start_body(), "approvers": approvers})
    await sandbox.control("POST", f"/dingtalk/instances/{instance_id}/decide", {"result": "refuse"})
    done = await detail(sandbox, instance_id)
    assert (done["status"], done["result"]) == ("COMPLETED", "refuse")
    assert [task["status"] for task in done["tasks"]] == ["COMPLETED", "CANCELED"]


async def test_terminate_not_within_15_seconds_nor_after_the_end(run_sandbox: Any) -> None:
    now = [1_800_000_000.0]
    async with run_sandbox(clock=lambda: now[0]) as sandbox:
        instance_id = await sandbox.start()
        body = {"processInstanceId": instance_id, "isSystem": True, "remark": "重复"}
        now[0] += 14
        early = await sandbox.dingtalk("POST", f"{PATH}/terminate", body)
        assert (early.status_code, early.json()["code"]) == (400, "aflowProcessInstStatusException")
        now[0] += 2
        assert (await sandbox.dingtalk("POST", f"{PATH}/terminate", body)).json() == {"result": True, "success": True}
        instance = await detail(sandbox, instance_id)
        assert (instance["status"], instance["result"]) == ("TERMINATED", "")
        assert instance["operationRecords"][-1]["type"] == "TERMINATE_PROCESS_INSTANCE"
        late = await sandbox.dingtalk("POST", f"{PATH}/terminate", body)
        assert late.json()["code"] == "aflowProcessInstStatusException"


async def test_who_may_terminate(run_sandbox: Any) -> None:
    async with run_sandbox(terminate_after=0) as sandbox:
        instance_id = await sandbox.start()
        for user, code in (("user-nobody", "userNotExist"), ("user-lisi", "processInstanceInvalidParameter")):
            body = {"processInstanceId": instance_id, "isSystem": False, "operatingUserId": user}
            assert (await sandbox.dingtalk("POST", f"{PATH}/terminate", body)).json()["code"] == code
        body = {"processInstanceId": instance_id, "operatingUserId": "user-zhangsan"}
        assert (await sandbox.dingtalk("POST", f"{PATH}/terminate", body)).status_code == 200
        missing = await sandbox.dingtalk("POST", f"{PATH}/terminate", {"processInstanceId": "x", "isSystem": True})
        assert missing.json()["code"] == "aflowProcessInstNotExist"


async def test_template_that_forbids_withdrawal(run_sandbox: Any) -> None:
    async with run_sandbox(terminate_after=0) as sandbox:
        form = {"name": "不可撤销", "withdrawable": False, "controls": [{"label": "说明"}]}
        await sandbox.control("PUT", "/dingtalk/forms/PROC-FIRM", form)
        instance_id = await sandbox.start(
            {
                "originatorUserId": "user-lisi",
                "processCode": "PROC-FIRM",
                "deptId": 1002,
                "formComponentValues": [{"name": "说明", "value": "x"}],
            }
        )
        body = {"processInstanceId": instance_id, "isSystem": True}
        assert (await sandbox.dingtalk("POST", f"{PATH}/terminate", body)).json()["code"] == "820008"


async def test_comments(sandbox: Any) -> None:
    instance_id = await sandbox.start()
    body = {"processInstanceId": instance_id, "text": "草稿 12", "commentUserId": "user-lisi"}
    assert (await sandbox.dingtalk("POST", f"{PATH}/comments", body)).status_code == 200
    record = (await detail(sandbox, instance_id))["operationRecords"][-1]
    assert (record["type"], record["remark"], record["userId"]) == ("ADD_REMARK", "草稿 12", "user-lisi")
    for wrong in ({"text": ""}, {"text": "长" * 1025}, {"commentUserId": "x"}, {"processInstanceId": "x"}):
        assert (await sandbox.dingtalk("POST", f"{PATH}/comments", {**body, **wrong})).status_code == 400


async def test_detail_of_what_does_not_exist(sandbox: Any) -> None:
    answer = await sandbox.dingtalk("GET", PATH, processInstanceId="nope")
    assert (answer.status_code, answer.json()["code"]) == (400, "processInstanceNotExist")
    assert (await sandbox.dingtalk("GET", PATH)).json()["code"] == "processInstanceIdError"


async def test_listing_by_pages_and_filters(run_sandbox: Any, start_body: Any) -> None:
    now = [1_800_000_000.0]
    async with run_sandbox(clock=lambda: now[0]) as sandbox:
        ids = []
        for number in range(45):
            now[0] += 1
            user = "user-lisi" if number % 3 == 0 else "user-zhangsan"
            ids.append(await sandbox.start({**start_body(), "originatorUserId": user}))
        for instance_id in ids[:5]:
            await sandbox.control("POST", f"/dingtalk/instances/{instance_id}/decide", {"result": "agree"})
        start = 1_800_000_001_000

        async def read(**changes: Any) -> list[str]:
            found: list[str] = []
            token = 0
            while True:
                body = {
                    "processCode": demo.PROCESS_CODE,
                    "startTime": start,
                    "nextToken": token,
                    "maxResults": 20,
                    **changes,
                }
                result = (await sandbox.dingtalk("POST", LIST, body)).json()["result"]
                assert len(result["list"]) <= 20
                found += result["list"]
                assert isinstance(result["nextToken"], str)
                if not result["nextToken"]:
                    return found
                token = int(result["nextToken"])

        assert await read() == ids
        assert await read(maxResults=7) == ids
        assert await read(statuses=["COMPLETED"]) == ids[:5]
        assert await read(userIds=["user-lisi"]) == ids[::3]
        assert await read(startTime=start + 10_000, endTime=start + 12_000) == ids[10:13]


BAD_LISTS: list[tuple[dict[str, Any], str]] = [
    ({"processCode": "PROC-GONE"}, "invalidProcessCode"),
    ({"startTime": None}, "invalidInstanceListIdsStartTime"),
    ({"startTime": 5, "endTime": 4}, "invalidInstanceListIdsStartTime"),
    ({"nextToken": None}, "invalidNextToken"),
    ({"nextToken": "0"}, "invalidNextToken"),
    ({"maxResults": 21}, "invalidMaxResults"),
    ({"maxResults": 0}, "invalidMaxResults"),
    ({"statuses": ["DONE"]}, "invalidParameter"),
    ({"userIds": ["u"] * 11}, "invalidParameter"),
]


async def test_listing_refuses(sandbox: Any) -> None:
    good = {"processCode": demo.PROCESS_CODE, "startTime": 0, "nextToken": 0, "maxResults": 20}
    for changes, code in BAD_LISTS:
        answer = await sandbox.dingtalk("POST", LIST, {**good, **changes})
        assert (changes, answer.status_code, answer.json()["code"]) == (changes, 400, code)


async def test_restart_keeps_approvals_forms_and_tokens(run_sandbox: Any, tmp_path: Any) -> None:
    async with run_sandbox(var=tmp_path) as sandbox:
        instance_id = await sandbox.start()
        await sandbox.control("POST", f"/dingtalk/instances/{instance_id}/decide", {"result": "agree", "remark": "好"})
        before = await detail(sandbox, instance_id)
        await sandbox.control("DELETE", f"/dingtalk/forms/{demo.ALL_PROCESS_CODE}")
        token = sandbox.token
    async with run_sandbox(var=tmp_path) as sandbox:
        sandbox.token = token
        assert await detail(sandbox, instance_id) == before
        assert demo.ALL_PROCESS_CODE not in sandbox.world.dingtalk.forms
        second = await detail(sandbox, await sandbox.start())
        assert second["tasks"][0]["taskId"] > before["tasks"][0]["taskId"]

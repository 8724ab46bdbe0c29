"""Event pushes: sealed, signed, judged, repeated, lost, doubled, and kept over a restart."""

from __future__ import annotations

import json
from typing import Any

FAILED = "/call_back/get_call_back_failed_result"


async def subscribe(sandbox: Any, subscriber: Any, **settings: Any) -> None:
    await sandbox.control("PUT", "/dingtalk/callback", {"url": subscriber.address, **settings})
    subscriber.events.clear()


async def decide(sandbox: Any, instance: str, result: str = "agree") -> None:
    await sandbox.control("POST", f"/dingtalk/instances/{instance}/decide", {"result": result, "remark": "好"})


async def pushes(sandbox: Any, state: str) -> list[dict[str, Any]]:
    return list((await sandbox.control("GET", f"/dingtalk/events?state={state}"))["events"])


async def until(sandbox: Any, state: str, count: int) -> list[dict[str, Any]]:
    """Waits until this many pushes are in a state."""
    log = sandbox.world.dingtalk.push.log
    await sandbox.eventually(lambda: sum(1 for push in log() if push.state == state) == count)
    return await pushes(sandbox, state)


async def test_saving_the_address_sends_check_url(sandbox: Any, subscriber: Any) -> None:
    saved = await sandbox.control("PUT", "/dingtalk/callback", {"url": subscriber.address})
    assert (saved["url"], saved["verified"]) == (subscriber.address, True)
    assert subscriber.events == [{"EventType": "check_url"}]


async def test_address_that_answers_wrongly_is_not_saved(sandbox: Any, subscriber: Any, free_port: int) -> None:
    subscriber.answer = "ok"
    problem = await sandbox.control("PUT", "/dingtalk/callback", {"url": subscriber.address}, expected=422)
    assert "HTTP请求结果校验返回字段值失败" in problem["error"]
    subscriber.wrong = 1
    await sandbox.control("PUT", "/dingtalk/callback", {"url": subscriber.address}, expected=422)
    nobody = {"url": f"http://127.0.0.1:{free_port}/callbacks/x"}
    assert "无法连接" in (await sandbox.control("PUT", "/dingtalk/callback", nobody, expected=422))["error"]
    await sandbox.control("PUT", "/dingtalk/callback", {"url": "file:///etc/passwd"}, expected=400)
    await sandbox.control("PUT", "/dingtalk/callback", {"verified": True}, expected=400)
    await sandbox.control("PUT", "/dingtalk/callback", {"copies": 0}, expected=400)
    assert (await sandbox.control("GET", "/dingtalk/callback"))["url"] == ""


async def test_start_and_finish_carry_the_documented_fields(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber)
    instance = await sandbox.start()
    await until(sandbox, "delivered", 1)
    await decide(sandbox, instance)
    await until(sandbox, "delivered", 2)
    start, finish = subscriber.events
    common = {
        "EventType", "EventTime", "CorpId", "BizId", "eventId", "processInstanceId", "createTime", "processCode",
        "bizCategoryId", "businessId", "businessType", "type", "title", "url", "staffId",
    }  # fmt: skip
    assert set(start) == common
    assert set(finish) == common | {"finishTime", "result"}
    assert (start["type"], finish["type"], finish["result"]) == ("start", "finish", "agree")
    assert start["eventId"] != finish["eventId"]
    assert {event["processInstanceId"] for event in subscriber.events} == {instance}


async def test_refusal_and_withdrawal(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber)
    refused, withdrawn = await sandbox.start(), await sandbox.start()
    await decide(sandbox, refused, "refuse")
    await sandbox.control("POST", f"/dingtalk/instances/{withdrawn}/withdraw", {})
    await until(sandbox, "delivered", 4)
    last = {event["processInstanceId"]: event for event in subscriber.events if event["type"] != "start"}
    assert (last[refused]["type"], last[refused]["result"]) == ("finish", "refuse")
    assert last[withdrawn]["type"] == "terminate"
    assert "result" not in last[withdrawn]


async def test_task_events_come_only_when_subscribed(sandbox: Any, subscriber: Any, start_body: Any) -> None:
    await subscribe(sandbox, subscriber, events=["bpms_task_change"])
    approvers = [{"actionType": "OR", "userIds": ["user-lisi", "user-manager"]}]
    instance = await sandbox.start({**start_body(), "approvers": approvers})
    await decide(sandbox, instance)
    await until(sandbox, "delivered", 4)
    assert {event["EventType"] for event in subscriber.events} == {"bpms_task_change"}
    assert sorted(subscriber.of(instance)) == ["cancel", "finish", "start", "start"]
    finish = next(event for event in subscriber.events if event["type"] == "finish")
    assert (finish["result"], finish["remark"], finish["staffId"]) == ("agree", "好", "user-lisi")


async def test_wrong_answer_is_repeated_until_right(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber, backoff=[0.01, 0.01, 0.01])
    subscriber.wrong = 2
    await sandbox.start()
    (push,) = await until(sandbox, "delivered", 1)
    assert [bool(attempt["problem"]) for attempt in push["tries"]] == [True, True, False]
    assert len({event["eventId"] for event in subscriber.events}) == 1
    assert len(subscriber.events) == 3


async def test_late_answer_is_a_failed_push(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber, backoff=[0.01], judge_ms=100)
    subscriber.delay = 0.4
    await sandbox.start()
    (push,) = await until(sandbox, "failed", 1)
    assert len(push["tries"]) == 2
    assert "100 毫秒" in push["tries"][0]["problem"]


async def test_failed_list_is_cleared_by_the_next_call(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber, backoff=[])
    subscriber.answer = "fail"
    instance = await sandbox.start()
    await until(sandbox, "failed", 1)
    token = {"access_token": sandbox.token}
    first = (await sandbox.client.get(f"/dingtalk{FAILED}", params=token)).json()
    (entry,) = first["failed_list"]
    assert (first["errcode"], entry["call_back_tag"]) == (0, "bpms_instance_change")
    assert entry["bpms_instance_change"]["processInstanceId"] == instance
    await decide(sandbox, instance)
    await until(sandbox, "failed", 2)
    second = (await sandbox.client.get(f"/dingtalk{FAILED}", params=token)).json()
    assert [entry["bpms_instance_change"]["type"] for entry in second["failed_list"]] == ["finish"]
    assert (await sandbox.client.get(f"/dingtalk{FAILED}", params=token)).json()["failed_list"] == []


async def test_redelivery_copies_and_lost_callbacks(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber)
    instance = await sandbox.start()
    (push,) = await until(sandbox, "delivered", 1)
    await sandbox.control("POST", f"/dingtalk/events/{push['id']}/redeliver")
    await sandbox.eventually(lambda: len(subscriber.events) == 2)
    assert subscriber.events[0] == subscriber.events[1]
    await sandbox.control("PUT", "/dingtalk/callback", {"copies": 3})
    second = await sandbox.start()
    await sandbox.eventually(lambda: subscriber.of(second) == ["start"] * 3)
    await sandbox.control("PUT", "/dingtalk/callback", {"copies": 1, "drop": True})
    await decide(sandbox, instance)
    (dropped,) = await pushes(sandbox, "dropped")
    assert json.loads(dropped["payload"])["type"] == "finish"
    assert "finish" not in subscriber.of(instance)
    await sandbox.control("POST", f"/dingtalk/events/{dropped['id']}/redeliver")
    await sandbox.eventually(lambda: "finish" in subscriber.of(instance))
    await sandbox.control("POST", "/dingtalk/events/nope/redeliver", expected=404)


async def test_scattered_copies_overtake_each_other(sandbox: Any, subscriber: Any) -> None:
    await subscribe(sandbox, subscriber)
    await sandbox.control("PUT", "/dingtalk/callback", {"scatter_s": -1}, expected=400)
    await sandbox.control("PUT", "/dingtalk/callback", {"copies": 3, "scatter_s": 0.2})
    instances = [await sandbox.start() for _ in range(8)]
    await sandbox.eventually(lambda: all(subscriber.of(one) == ["start"] * 3 for one in instances))
    arrived = [event["processInstanceId"] for event in subscriber.events]
    assert arrived != sorted(arrived, key=instances.index)


async def test_undelivered_pushes_survive_a_restart(run_sandbox: Any, subscriber: Any, tmp_path: Any) -> None:
    async with run_sandbox(var=tmp_path) as sandbox:
        await subscribe(sandbox, subscriber, backoff=[3600])
        subscriber.answer = "fail"
        instance = await sandbox.start()
        await sandbox.eventually(lambda: subscriber.of(instance) == ["start"])
    subscriber.answer = "success"
    async with run_sandbox(var=tmp_path) as sandbox:
        await until(sandbox, "delivered", 1)
        assert subscriber.of(instance) == ["start", "start"]


async def test_address_given_at_the_start_is_checked_once_it_answers(run_sandbox: Any, subscriber: Any) -> None:
    subscriber.wrong = 1
    async with run_sandbox(callback_url=subscriber.address) as sandbox:
        await sandbox.eventually(lambda: sandbox.world.dingtalk.push.subscription.problem)
        await sandbox.eventually(lambda: sandbox.world.dingtalk.push.subscription.verified)
        assert subscriber.events == [{"EventType": "check_url"}] * 2
        instance = await sandbox.start()
        await sandbox.eventually(lambda: subscriber.of(instance) == ["start"])


async def test_nobody_subscribed_means_no_events(sandbox: Any) -> None:
    await sandbox.start()
    assert (await sandbox.control("GET", "/dingtalk/events"))["events"] == []

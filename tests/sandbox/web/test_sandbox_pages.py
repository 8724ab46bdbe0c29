"""The sandbox's pages over HTTP: inbox and its buttons, documents, switches."""

from __future__ import annotations

import re
from typing import Any

from runtime.sandbox import demo


def texts(page: str, name: str) -> list[str]:
    """Contents of the elements marked ``data-test=name``, tags removed."""
    found = re.findall(rf'<(\w+)[^>]*data-test="{re.escape(name)}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", content).split()) for _, content in found]


async def page(sandbox: Any, path: str, status: int = 200) -> str:
    answer = await sandbox.client.get(path)
    assert answer.status_code == status, answer.text
    return str(answer.text)


async def press(sandbox: Any, instance: str, **fields: str) -> Any:
    return await sandbox.client.post(f"/inbox/{instance}", data=fields)


async def test_first_page_shows_where_to_connect_and_what_is_switched_on(sandbox: Any) -> None:
    shown = await page(sandbox, "/")
    assert f"{sandbox.address}/b1" in shown
    assert f"{sandbox.address}/dingtalk" in shown
    assert "没有故障" in shown
    await sandbox.control("PUT", "/faults", {"rates": {"reset_after": 0.02}, "latency_ms": 20})
    shown = await page(sandbox, "/")
    assert "2%" in shown
    assert texts(shown, "callback-state") == ["未设置 not set"] * 2


async def test_inbox_lists_by_state(sandbox: Any) -> None:
    assert "还没有审批" in await page(sandbox, "/inbox")
    first, second = await sandbox.start(), await sandbox.start()
    await press(sandbox, first, action="approve", user=demo.APPROVER)
    shown = await page(sandbox, "/inbox")
    assert re.findall(r'data-id="([^"]+)"', shown) == [second, first]
    assert re.findall(r'data-id="([^"]+)"', await page(sandbox, "/inbox?state=agree")) == [first]
    assert re.findall(r'data-id="([^"]+)"', await page(sandbox, "/inbox?state=RUNNING")) == [second]


async def test_inbox_is_paged(sandbox: Any) -> None:
    for _ in range(51):
        await sandbox.start()
    seen = [re.findall(r'data-id="([^"]+)"', await page(sandbox, f"/inbox?page={number}")) for number in (1, 2)]
    assert [len(ids) for ids in seen] == [50, 1]
    assert len(set(seen[0] + seen[1])) == 51
    await page(sandbox, "/inbox?page=nonsense")


async def test_approval_shows_every_control_escaped(sandbox: Any) -> None:
    shown = await page(sandbox, f"/inbox/{await sandbox.start()}")
    fields = dict(re.findall(r'data-test="field" data-label="([^"]+)">(.*?)</dd>', shown, re.DOTALL))
    assert list(fields) == ["请购单别", "请购人员", "单据日期", "备注", "物料表"]
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in fields["备注"]
    assert re.findall(r"<th>(.*?)</th>", fields["物料表"]) == ["#", "品名", "品号", "需求数量", "需求日期"]
    assert "&lt;b&gt;螺母&lt;/b&gt;" in fields["物料表"]
    assert (texts(shown, "originator"), texts(shown, "department")) == (["张三"], ["生产部"])


async def test_every_type_of_control_is_readable(sandbox: Any) -> None:
    values = {
        "单行输入框": "文本",
        "多选框": '["质检","财务"]',
        '["开始时间","结束时间"]': '["2026-11-23","2026-11-25"]',
        "附件": '[{"spaceId":"163","fileName":"图纸.pdf","fileSize":"333","fileType":"pdf","fileId":"643"}]',
        "联系人": '["user-lisi"]',
        "部门": "[1002]",
        "金额": "1234567.5",
        "明细": '[[{"name":"物料","value":"A1"},{"name":"单价","value":"1500"}]]',
    }
    body = {
        "originatorUserId": "user-zhangsan",
        "processCode": demo.ALL_PROCESS_CODE,
        "deptId": -1,
        "formComponentValues": [{"name": name, "value": value} for name, value in values.items()],
    }
    *shown, table = texts(await page(sandbox, f"/inbox/{await sandbox.start(body)}"), "field")
    assert shown == [
        "文本", "质检、财务", "2026-11-23 至 2026-11-25", "图纸.pdf（333 B）", "李四", "采购部", "1,234,567.50"
    ]  # fmt: skip
    assert "1,500.00" in table


async def test_buttons(sandbox: Any) -> None:
    agreed, refused, withdrawn = [await sandbox.start() for _ in range(3)]
    await press(sandbox, agreed, action="approve", user=demo.APPROVER, remark=" 同意，尽快 ")
    await press(sandbox, refused, action="refuse", user=demo.APPROVER, remark="太贵")
    await press(sandbox, withdrawn, action="withdraw")
    find = sandbox.world.dingtalk.instances.find
    assert [(find(one).status, find(one).result) for one in (agreed, refused, withdrawn)] == [
        ("COMPLETED", "agree"),
        ("COMPLETED", "refuse"),
        ("TERMINATED", ""),
    ]
    shown = await page(sandbox, f"/inbox/{agreed}")
    assert texts(shown, "status") == ["已同意 Approved"]
    assert "同意，尽快" in texts(shown, "timeline")[0]
    assert 'data-test="approve"' not in shown


async def test_button_that_cannot_be_pressed(sandbox: Any) -> None:
    instance = await sandbox.start()
    for fields, status in (
        ({"action": "approve", "user": "user-lisi"}, 409),
        ({"action": "approve"}, 409),
        ({"action": "explode"}, 400),
        ({}, 400),
    ):
        answer = await press(sandbox, instance, **fields)
        assert answer.status_code == status
        assert texts(answer.text, "problem")
    await press(sandbox, instance, action="approve", user=demo.APPROVER)
    assert (await press(sandbox, instance, action="refuse", user=demo.APPROVER)).status_code == 409
    assert sandbox.world.dingtalk.instances.find(instance).result == "agree"
    assert (await press(sandbox, "nope", action="approve")).status_code == 404
    await page(sandbox, "/inbox/nope", 404)


async def test_other_sites_cannot_press_buttons(sandbox: Any) -> None:
    instance = await sandbox.start()
    fields = {"action": "approve", "user": demo.APPROVER}
    for origin in ("http://evil.example", "null"):
        answer = await sandbox.client.post(f"/inbox/{instance}", data=fields, headers={"Origin": origin})
        assert answer.status_code == 403
    assert sandbox.world.dingtalk.instances.find(instance).status == "RUNNING"
    answer = await sandbox.client.post(f"/inbox/{instance}", data=fields, headers={"Origin": sandbox.address})
    assert answer.status_code == 303


async def test_push_log_of_an_approval(sandbox: Any, subscriber: Any) -> None:
    await sandbox.client.post("/switches/callback-dingtalk", data={"url": subscriber.address})
    instance = await sandbox.start()
    await sandbox.eventually(lambda: subscriber.of(instance) == ["start"])
    log = sandbox.world.dingtalk.push.log
    await sandbox.eventually(lambda: [push.state for push in log(instance)] == ["delivered"])
    shown = await page(sandbox, f"/inbox/{instance}")
    assert 'data-test="push" data-state="delivered" data-change="start"' in shown
    assert texts(shown, "callback-state") == ["已验证 verified"]


async def test_documents_of_every_set(sandbox: Any) -> None:
    shown = await page(sandbox, "/documents/Drafts")
    sets = re.findall(r'data-test="set-([^"]+)"', shown)
    assert {"Drafts", "Items", "ApprovalRequests", "SpecialPrices"} <= set(sets)
    for name in sets:
        listed = await page(sandbox, f"/documents/{name}")
        links = re.findall(r'<a href="(/documents/[^"]+key=[^"]+)" data-test="open"', listed)
        assert bool(links) == bool(sandbox.world.b1.rows(name))
        for link in links[:1]:
            assert texts(await page(sandbox, link), "json")


async def test_each_company_has_its_documents(sandbox: Any) -> None:
    second = demo.B1_SECOND_COMPANY
    await sandbox.control("POST", "/b1/drafts", {"count": 1, "company": second})
    await sandbox.control("POST", "/b1/drafts", {"count": 1, "company": "NOSUCH"}, 400)
    first_page, second_page = [await page(sandbox, f"/documents/Drafts{query}") for query in ("", f"?company={second}")]
    assert f'data-test="company-{second}"' in first_page
    assert ("二厂：轴承备料" in first_page, "二厂：轴承备料" in second_page) == (False, True)
    assert second_page.count('data-test="record"') == 3
    record = await page(sandbox, f"/documents/Drafts?key=1&company={second}")
    assert "MRP2-2026-0007" in record


async def test_draft_stands_beside_its_approval_request(sandbox: Any) -> None:
    requests = sandbox.world.b1.rows("ApprovalRequests")
    entry = requests[0]["DraftEntry"]
    shown = await page(sandbox, f"/documents/Drafts?key={entry}")
    assert f'"DocEntry": {entry}' in shown.replace("&#34;", '"')
    assert 'data-test="approval-request" data-status="arsPending"' in shown


async def test_document_that_does_not_exist(sandbox: Any) -> None:
    for path in (
        "/documents/Nope",
        "/documents/Drafts?key=999999",
        "/documents/Drafts?key={",
        "/documents/Items?key=[[]]",
    ):
        await page(sandbox, path, 404)
    assert (await sandbox.client.get("/documents")).status_code == 303


async def test_more_drafts_are_made_by_a_button(sandbox: Any) -> None:
    known = {draft["DocEntry"] for draft in sandbox.world.b1.rows("Drafts")}
    assert (await sandbox.client.post("/documents/Drafts?company=SBODEMOCN")).status_code == 303
    made = [draft for draft in sandbox.world.b1.rows("Drafts") if draft["DocEntry"] not in known]
    assert [draft["U_ISSYN"] for draft in made] == ["N"] * 5


async def test_switches(sandbox: Any, subscriber: Any) -> None:
    world, post = sandbox.world, sandbox.client.post
    await post("/switches/faults", data={"latency_ms": "5", "reset_after": "2", "error500": "0", "error429": ""})
    assert (world.faults.settings.latency_ms, world.faults.settings.rates) == (5, {"reset_after": 0.02})
    assert 'id="reset_after" type="number" min="0" max="100" step="any" value="2"' in await page(sandbox, "/switches")
    wrong = await post("/switches/faults", data={"error500": "200"})
    assert (wrong.status_code, bool(texts(wrong.text, "problem"))) == (422, True)
    await post("/switches/faults-off")
    assert (world.faults.settings.latency_ms, world.faults.settings.rates) == (0, {})
    await sandbox.start()
    await post("/switches/expire-dingtalk")
    assert not world.dingtalk.tokens.valid(sandbox.token)
    assert (await post("/switches/expire-b1")).status_code == 303
    subscriber.answer = "no"
    refused = await post("/switches/callback-dingtalk", data={"url": subscriber.address})
    assert refused.status_code == 422
    assert "success" in texts(refused.text, "problem")[0]
    await post("/switches/push-dingtalk", data={"drop": "on", "copies": "2"})
    assert (world.dingtalk.push.subscription.drop, world.dingtalk.push.subscription.copies) == (True, 2)
    assert world.dingtalk.push.subscription.mode == "http"
    await post("/switches/push-dingtalk", data={"mode": "stream"})
    assert (world.dingtalk.push.subscription.mode, world.dingtalk.push.subscription.drop) == ("stream", False)
    assert '<option value="stream" selected>' in await page(sandbox, "/switches")
    assert (await post("/switches/push-dingtalk", data={"mode": "pigeon"})).status_code == 422
    assert {(await post(f"/switches/stream-{end}")).status_code for end in ("disconnect", "cut")} == {303}
    await post("/switches/node-action", data={"url": f" {subscriber.address} ", "app_code": "code-1"})
    action = world.weaver.node_action.settings
    assert (action.url, action.app_code) == (subscriber.address, "code-1")
    assert 'value="code-1"' in await page(sandbox, "/switches")
    assert (await post("/switches/nonsense")).status_code == 404

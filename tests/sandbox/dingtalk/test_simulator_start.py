"""Starting approvals in the DingTalk double: what is accepted, and which code names what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.forms import demo_forms
from runtime.sandbox.dingtalk.values import check_values, table_answer

PATH = "/v1.0/workflow/processInstances"
GOOD_VALUES = {
    "单行输入框": "文本",
    "多行输入框": "第一行\r\n第二行",
    "数字": "-12.50",
    "金额": "100",
    "单选框": "加急",
    "多选框": '["质检","财务"]',
    "日期": "2026-11-23",
    '["开始时间","结束时间"]': '["2026-11-23","2026-11-25"]',
    "图片": '["http://example.com/1.jpg"]',
    "明细": '[[{"name":"物料","value":"A1"},{"name":"数量","value":"3"},{"name":"类别","value":"原料"}]]',
    "附件": '[{"spaceId":"163","fileName":"a.jpg","fileSize":"333","fileType":"jpg","fileId":"643"}]',
    "联系人": '["user-lisi"]',
    "部门": "1002",
    "关联审批单": "[]",
    "电话": "13800138000",
    "省市区": "浙江省,杭州市,余杭区",
    "评分": "4",
}
BAD_VALUES = {
    "数字": ["12a", "1,000", "", " 1"],
    "金额": ["¥5"],
    "单选框": ["特急", "option_0"],
    "多选框": ['["采购"]', "质检", '{"a":1}', "[1]"],
    "日期": ["2026/11/23", "2026-11-31", "20261123", "2026-11-23 10:00"],
    '["开始时间","结束时间"]': ['["2026-11-23"]', "2026-11-23", '["2026-11-25","2026-11-23"]'],
    "图片": ['["ftp://x"]', "http://x"],
    "明细": ["A1", '{"name":"物料"}', '[{"name":"物料","value":"A1"}]', "[" * 5000],
    "附件": ['[{"spaceId":"163"}]', "a.jpg"],
    "联系人": ['["user-nobody"]', "user-lisi"],
    "部门": ["9999", "[9999]"],
    "关联审批单": ['["no-such-instance"]'],
    "电话": ["abc"],
    "省市区": ["浙江省"],
    "评分": ["9", "good"],
    "文字说明": [],
    "请如实填写": ["x"],
}


def all_controls(**changes: str) -> dict[str, Any]:
    values = [{"name": name, "value": value} for name, value in {**GOOD_VALUES, **changes}.items()]
    return {
        "originatorUserId": "user-zhangsan",
        "processCode": demo.ALL_PROCESS_CODE,
        "deptId": -1,
        "formComponentValues": values,
    }


async def refused(sandbox: Any, body: Any) -> tuple[str, str]:
    """Code and message of a refused start; nothing was started."""
    before = len(sandbox.world.dingtalk.instances)
    answer = await sandbox.dingtalk("POST", PATH, body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"code", "requestid", "message"}
    assert len(sandbox.world.dingtalk.instances) == before
    return answer.json()["code"], answer.json()["message"]


async def test_every_type_of_control_is_accepted_and_given_back(sandbox: Any) -> None:
    related = await sandbox.start()
    body = all_controls(关联审批单=json.dumps([related]))
    instance = await sandbox.start(body)
    detail = (await sandbox.dingtalk("GET", PATH, processInstanceId=instance)).json()
    assert detail["success"] == "true"
    given = {value["name"]: value["value"] for value in detail["result"]["formComponentValues"]}
    sent = {value["name"]: value["value"] for value in body["formComponentValues"]}
    table = json.loads(given.pop("明细"))
    del sent["明细"]
    assert given == sent
    assert {cell["label"]: cell["value"] for cell in table[0]["rowValue"]} == {
        "物料": "A1",
        "数量": "3",
        "类别": "原料",
    }
    assert all(cell["key"] for cell in table[0]["rowValue"])


@pytest.mark.parametrize(
    ("label", "value"), [(label, value) for label, values in BAD_VALUES.items() for value in values if value]
)
def test_malformed_value_names_its_control(label: str, value: str) -> None:
    form = next(form for form in demo_forms() if form.code == demo.ALL_PROCESS_CODE)
    with pytest.raises(DingTalkError) as caught:
        check_values(form, all_controls(**{label: value})["formComponentValues"], ())
    assert caught.value.code == "illegalComponent"
    assert label in caught.value.message


cells = st.dictionaries(st.sampled_from(["品名", "品号", "规格", "描述"]), st.text(max_size=20))


@given(st.lists(cells, max_size=5))
def test_a_table_comes_back_as_it_was_sent(rows: list[dict[str, str]]) -> None:
    form = next(form for form in demo_forms() if form.code == demo.PROCESS_CODE)
    value = json.dumps([[{"name": name, "value": cell} for name, cell in row.items()] for row in rows])
    given_values = [{"name": "请购单别", "value": "计划请购"}, {"name": "物料表", "value": value}]
    kept = check_values(form, given_values, ())[1]
    back = json.loads(table_answer(form.controls[-1], kept.value))
    assert [{cell["label"]: cell["value"] for cell in row["rowValue"]} for row in back] == rows


async def test_values_are_strings(sandbox: Any, start_body: Any) -> None:
    body = start_body()
    body["formComponentValues"][1]["value"] = 5
    assert (await refused(sandbox, body))[0] == "illegalComponent"


async def test_missing_unknown_and_repeated_controls_are_named(sandbox: Any, start_body: Any) -> None:
    assert await refused(sandbox, start_body(请购单别="")) == (
        "formConverterError",
        "表单数据校验失败，失败控件：请购单别",
    )
    assert "神秘控件" in (await refused(sandbox, start_body(神秘控件="1")))[1]
    body = start_body()
    body["formComponentValues"].append({"name": "备注", "value": "again"})
    assert await refused(sandbox, body) == ("formConverterError", "表单数据校验失败，失败控件：备注")


async def test_table_cells_are_checked_with_their_row(sandbox: Any, start_body: Any) -> None:
    rows = [[{"name": "品名", "value": "螺丝"}], [{"name": "需求数量", "value": "many"}]]
    code, message = await refused(sandbox, start_body(物料表=json.dumps(rows)))
    assert code == "illegalComponent"
    assert "第 2 行" in message
    assert "需求数量" in message
    code, message = await refused(sandbox, start_body(物料表='[[{"name":"颜色","value":"red"}]]'))
    assert (code, "颜色" in message) == ("formConverterError", True)
    code, message = await refused(sandbox, all_controls(明细='[[{"name":"数量","value":"1"}]]'))
    assert (code, "物料" in message) == ("formConverterError", True)


BAD_PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"processCode": "PROC-GONE"}, "processCodeError"),
    ({"processCode": None}, "processCodeError"),
    ({"originatorUserId": "user-nobody"}, "invalidParameter"),
    ({"originatorUserId": None}, "invalidParameter"),
    ({"deptId": 4711}, "invalidParameter"),
    ({"deptId": "1001"}, "invalidParameter"),
    ({"deptId": None}, "invalidParameter"),
    ({"formComponentValues": None}, "invalidParameter"),
    ({"formComponentValues": ["x"]}, "invalidParameter"),
    ({"formComponentValues": [{"name": "备注", "value": "x"}] * 151}, "invalidParameter"),
    ({"approvers": [{"actionType": "XOR", "userIds": ["user-lisi"]}]}, "invalidParameter"),
    ({"approvers": [{"actionType": "NONE", "userIds": ["user-nobody"]}]}, "invalidParameter"),
    ({"approvers": [{"actionType": "NONE", "userIds": ["user-lisi"]}] * 21}, "invalidParameter"),
    ({"ccList": ["user-lisi"] * 51}, "invalidParameter"),
]


async def test_bad_parameters(sandbox: Any, start_body: Any) -> None:
    for changes, code in BAD_PARAMETERS:
        assert (changes, (await refused(sandbox, {**start_body(), **changes}))[0]) == (changes, code)


async def test_limits_of_a_value(sandbox: Any, start_body: Any) -> None:
    await sandbox.start(start_body(备注="长" * 65535))
    code, message = await refused(sandbox, start_body(备注="长" * 65536))
    assert (code, "备注" in message) == ("invalidParameter", True)


async def test_body_that_is_no_json_object(sandbox: Any) -> None:
    await sandbox.start()
    headers = {"x-acs-dingtalk-access-token": sandbox.token}
    for content in (b"", b"{", b"[1]", b"\xff", b"[" * 100_000):
        answer = await sandbox.client.post(f"/dingtalk{PATH}", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalidParameter")


async def test_two_identical_starts_make_two_instances(sandbox: Any) -> None:
    assert await sandbox.start() != await sandbox.start()
    assert len(sandbox.world.dingtalk.instances) == 2


async def test_deleted_form_is_gone_for_starts_and_schema(sandbox: Any, start_body: Any) -> None:
    kept = await sandbox.start()
    await sandbox.control("DELETE", f"/dingtalk/forms/{demo.PROCESS_CODE}")
    await sandbox.control("DELETE", f"/dingtalk/forms/{demo.PROCESS_CODE}", expected=404)
    assert (await refused(sandbox, start_body()))[0] == "processCodeError"
    schema = "/v1.0/workflow/forms/schemas/processCodes"
    answer = await sandbox.dingtalk("GET", schema, processCode=demo.PROCESS_CODE)
    assert (answer.status_code, answer.json()["code"]) == (400, "formNotExist")
    assert (await sandbox.dingtalk("GET", PATH, processInstanceId=kept)).status_code == 200


async def test_schema_of_the_demo_form(sandbox: Any) -> None:
    schema = "/v1.0/workflow/forms/schemas/processCodes"
    result = (await sandbox.dingtalk("GET", schema, processCode=demo.PROCESS_CODE)).json()["result"]
    assert (result["formCode"], result["status"]) == (demo.PROCESS_CODE, "PUBLISHED")
    items = {item["props"]["label"]: item for item in result["schemaContent"]["items"]}
    assert list(items) == ["请购单别", "请购部门", "请购人员", "单据日期", "有效期", "来源单号", "备注", "物料表"]
    assert items["请购单别"]["props"]["required"] is True
    assert items["请购单别"]["props"]["options"] == ["自产请购", "零星请购", "计划请购"]
    columns = [child["props"]["label"] for child in items["物料表"]["children"]]
    assert columns == ["品名", "品号", "规格", "需求数量", "需求日期", "描述"]
    answer = await sandbox.dingtalk("GET", "/v1.0/workflow/processCentres/schemaNames/processCodes", name="采购申请")
    assert answer.json()["result"]["processCode"] == demo.PROCESS_CODE


async def test_schema_of_the_form_with_every_control(sandbox: Any) -> None:
    schema = "/v1.0/workflow/forms/schemas/processCodes"
    items = (await sandbox.dingtalk("GET", schema, processCode=demo.ALL_PROCESS_CODE)).json()["result"][
        "schemaContent"
    ]["items"]
    assert len({item["componentName"] for item in items}) == 18
    select = next(item for item in items if item["componentName"] == "DDSelectField")
    assert [json.loads(option)["value"] for option in select["props"]["options"]] == ["普通", "加急"]


async def test_form_can_be_added(sandbox: Any) -> None:
    form = {"name": "报废", "controls": [{"label": "数量", "component": "NumberField", "required": True}]}
    await sandbox.control("PUT", "/dingtalk/forms/PROC-SCRAP", form)
    body = {
        "originatorUserId": "user-lisi",
        "processCode": "PROC-SCRAP",
        "deptId": 1002,
        "formComponentValues": [{"name": "数量", "value": "3"}],
    }
    assert await sandbox.start(body)
    for wrong in (
        {"name": "x"},
        {"name": "x", "controls": [{"label": "a", "component": "Nope"}]},
        {"name": "x", "controls": [{"label": "a"}, {"label": "a"}]},
    ):
        await sandbox.control("PUT", "/dingtalk/forms/PROC-WRONG", wrong, expected=400)

"""Reading an approval, whatever shape its tables come back in; and telling whether it is the one we asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.connectors.dingtalk.approvals import read_approval, read_time, same_approval
from runtime.connectors.events import Outcome


def detail(**changes: Any) -> dict[str, Any]:
    return {
        "title": "张三提交的采购申请",
        "createTime": "2022-08-31T11:40Z",
        "finishTime": "2022-08-31T11:52Z",
        "originatorUserId": "user-zhangsan",
        "status": "COMPLETED",
        "result": "agree",
        "operationRecords": [
            {"userId": "user-zhangsan", "type": "START_PROCESS_INSTANCE", "result": "NONE"},
            {"userId": "m1", "type": "EXECUTE_TASK_NORMAL", "result": "AGREE", "remark": "同意"},
            {"userId": "u9", "type": "ADD_REMARK", "result": "NONE", "remark": " 请尽快 "},
            {"userId": "m2", "userName": "李四", "type": "EXECUTE_TASK_NORMAL", "result": "AGREE", "remark": "可以"},
        ],
        "tasks": [],
        "formComponentValues": [
            {"name": "请购单别", "value": "计划请购", "componentType": "DDSelectField"},
            {"name": "备注", "value": None, "componentType": "TextField"},
        ],
    } | changes


def test_a_finished_approval() -> None:
    raw = detail()
    assert read_approval("i-1", raw) == {
        "instance_id": "i-1",
        "form": "",
        "title": "张三提交的采购申请",
        "status": "COMPLETED",
        "outcome": Outcome.AGREED,
        "originator": "user-zhangsan",
        "approver": "m2",
        "approvers": ["m1", "m2"],
        "remarks": "m1: 同意; u9: 请尽快; 李四: 可以",
        "created_at": datetime(2022, 8, 31, 11, 40, tzinfo=UTC),
        "finished_at": datetime(2022, 8, 31, 11, 52, tzinfo=UTC),
        "values": {"请购单别": "计划请购", "备注": ""},
        "tables": {},
        "raw": raw,
    }


@pytest.mark.parametrize(
    ("status", "result", "outcome"),
    [
        ("COMPLETED", "agree", Outcome.AGREED),
        ("COMPLETED", "refuse", Outcome.REFUSED),
        ("completed", "REFUSE", Outcome.REFUSED),
        ("TERMINATED", "", Outcome.WITHDRAWN),
        ("TERMINATED", "agree", Outcome.WITHDRAWN),
        ("RUNNING", "agree", None),
        ("RUNNING", "", None),
        ("COMPLETED", None, None),
    ],
)
def test_the_outcome(status: str, result: str | None, outcome: Outcome | None) -> None:
    assert read_approval("i", detail(status=status, result=result))["outcome"] is outcome


def test_without_records_the_tasks_tell_who_decided_last() -> None:
    tasks = [
        {"userId": "late", "status": "COMPLETED", "result": "AGREE", "finishTime": "2022-08-31T12:00Z"},
        {"userId": "early", "status": "COMPLETED", "result": "AGREE", "finishTime": "2022-08-31T11:00Z"},
        {"userId": "open", "status": "RUNNING", "result": "NONE"},
    ]
    approval = read_approval("i", detail(operationRecords=None, tasks=tasks))
    assert (approval["approver"], approval["approvers"]) == ("late", ["early", "late"])
    assert read_approval("i", detail(operationRecords=[], tasks=None))["approver"] == ""


ROWS = [{"品号": "A1", "数量": "10"}, {"品号": "A2", "数量": "20.5"}]
CELLS = [[{"name": name, "value": value} for name, value in row.items()] for row in ROWS]
LABELLED = [
    {"rowNumber": f"TableField-1_{number}", "rowValue": [{"label": n, "value": v, "key": "k"} for n, v in row.items()]}
    for number, row in enumerate(ROWS)
]


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(CELLS, ensure_ascii=False),
        CELLS,
        json.dumps(LABELLED, ensure_ascii=False),
        LABELLED,
        [{"rowValue": json.dumps(row["rowValue"])} for row in LABELLED],
        [{"rowValue": [{"label": n, "extendValue": v} for n, v in row.items()]} for row in ROWS],
        [{"details": cells} for cells in CELLS],
        [json.dumps(cells) for cells in CELLS],
        json.dumps(ROWS),
        [row | {"rowNumber": "1"} for row in ROWS],
        {"rows": CELLS},
    ],
)
def test_tables_in_every_known_shape(value: Any) -> None:
    component = {"name": "物料表", "value": value, "componentType": "TableField"}
    approval = read_approval("i", detail(formComponentValues=[component]))
    assert approval["tables"] == {"物料表": ROWS}
    assert approval["values"] == {}


def test_nested_details_are_a_table_too() -> None:
    component = {"name": "物料表", "value": None, "componentType": "TableField", "details": CELLS[0]}
    assert read_approval("i", detail(formComponentValues=[component]))["tables"] == {"物料表": ROWS[:1]}


def test_what_only_looks_like_a_table_is_not_one() -> None:
    components = [
        {"name": "标签", "value": '["a","b"]', "componentType": "DDMultiSelectField"},
        {"name": "附件", "value": '[{"fileName":"a.jpg"}]', "componentType": "DDAttachment"},
        {"name": "备注", "value": "[见附件", "componentType": "TextField"},
        {"name": "数量", "value": 5, "componentType": "NumberField"},
        "odd",
    ]
    approval = read_approval("i", detail(formComponentValues=components))
    assert approval["tables"] == {}
    assert approval["values"] == {
        "标签": '["a","b"]',
        "附件": '[{"fileName":"a.jpg"}]',
        "备注": "[见附件",
        "数量": "5",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2022-08-31T11:52Z", datetime(2022, 8, 31, 11, 52, tzinfo=UTC)),
        ("2022-08-31T19:52:10+08:00", datetime(2022, 8, 31, 11, 52, 10, tzinfo=UTC)),
        (1495592272000, datetime(2017, 5, 24, 2, 17, 52, tzinfo=UTC)),
        ("1495592272000", datetime(2017, 5, 24, 2, 17, 52, tzinfo=UTC)),
        (None, None),
        (0, None),
        ("soon", None),
        (10**30, None),
    ],
)
def test_times(value: Any, expected: datetime | None) -> None:
    assert read_time(value) == expected


def component(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def returned(*components: tuple[str, Any, str]) -> dict[str, Any]:
    values = [{"name": name, "value": value, "componentType": kind} for name, value, kind in components]
    return read_approval("i", detail(formComponentValues=values))


@pytest.mark.parametrize(
    ("submitted", "there", "same"),
    [
        ("计划请购", "计划请购", True),
        ("计划请购", "自产请购", False),
        ("一\r\n二", "一\n二 ", True),
        ("A & B", "A &amp; B", True),
        ("10.0", "10", True),
        ("10.0", "10.5", False),
        ("2026-11-23", "2026-11-23 00:00", True),
        ("2026-11-23", "2026-11-24", False),
        ("2026-11-23", "1763856000000", None),
        ("2026-11-23-001", "2026-11-23-001", True),
        ("2026-11-23-001", "2026-11-23-002", False),
        ("10", "10 件", None),
        ('["a","b"]', '["a","b"]', True),
        ('["u1"]', '["张三"]', None),
        ("选项1", '{"value":"选项1"}', None),
        ("x", None, None),
        ("x", "", None),
    ],
)
def test_comparing_values(submitted: str, there: str | None, same: bool | None) -> None:
    assert same_approval([component("控件", submitted)], returned(("控件", there, "TextField"))) is same


def test_comparing_tables() -> None:
    table = [component("物料表", json.dumps(CELLS))]
    assert same_approval(table, returned(("物料表", json.dumps(LABELLED), "TableField"))) is True
    assert same_approval(table, returned(("物料表", json.dumps(LABELLED[:1]), "TableField"))) is False
    changed = json.dumps(LABELLED).replace("20.5", "20.6")
    assert same_approval(table, returned(("物料表", changed, "TableField"))) is False
    assert same_approval(table, returned(("物料表", "2 rows", "TableField"))) is None
    assert same_approval(table, returned()) is None


def test_one_certain_difference_decides_and_doubt_alone_does_not() -> None:
    two = [component("甲", "a"), component("乙", "b")]
    assert same_approval(two, returned(("甲", "a", "TextField"), ("乙", "c", "TextField"))) is False
    assert same_approval(two, returned(("甲", "a", "TextField"))) is True
    assert same_approval(two, returned(("丙", "a", "TextField"))) is None


@pytest.mark.parametrize(
    ("there", "same"), [("8", True), ("9", False), ("08", None), ("8.0", None), ("", None), (None, None)]
)
def test_the_key_of_the_document_decides_alone(there: str | None, same: bool | None) -> None:
    submitted = [component("单号", "8"), component("备注", "different")]
    approval = returned(("单号", there, "TextField"), ("备注", "note", "TextField"))
    assert same_approval(submitted, approval, key="单号") is same

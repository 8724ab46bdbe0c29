"""Workflow definitions: the fields of a form, what each accepts, and the two demo workflows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.weaver.errors import WeaverError

__all__ = ["Detail", "Field", "Workflow", "demo_workflows", "parse_workflow"]

_SYSTEM = {"requestname", "requestlevel", "messagetype"}
_DATE, _TIME = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d\d:\d\d(:\d\d)?")
_NUMBER, _NUMBERS = re.compile(r"-?\d+(\.\d+)?"), re.compile(r"\d+(,\d+)*")


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column; ``html`` and ``type`` are e-cology's fieldHtmlType and fieldType."""

    name: str
    label: str
    html: str = "1"
    type: str = "1"
    required: bool = False
    #: Names of a selection's options; what is stored is the index.
    options: tuple[str, ...] = ()

    def problem(self, value: Any) -> str:
        """What is wrong with a value, or nothing."""
        if self.html == "6":
            files = value if isinstance(value, list) else None
            good = files is not None and all(isinstance(item, dict) and item.get("filePath") for item in files)
            return "" if good else "附件格式错误"
        if not isinstance(value, str):
            return "fieldValue 应为字符串"
        rule = _RULES.get((self.html, self.type), _RULES.get((self.html, "")))
        if value and rule is not None and not rule.fullmatch(value):
            return f"值不合法：{value}"
        if value and self.html == "5" and any(part not in self.indexes() for part in value.split(",")):
            return f"不是选择项的值：{value}"
        return ""

    def indexes(self) -> list[str]:
        """What a selection may hold."""
        return [str(number) for number in range(len(self.options))]

    def shown(self, value: Any) -> str:
        """The value as people read it."""
        if not isinstance(value, str):
            return "、".join(str(item.get("fileName", "")) for item in value)
        parts = value.split(",") if value else []
        match self.html, self.type:
            case ("5", _):
                return "、".join(self.options[int(part)] for part in parts if part in self.indexes())
            case ("4", _):
                return "是" if value == "1" else "否"
            case ("3", "1" | "17"):
                return "、".join(_name(demo.WEAVER_USERS, part) for part in parts)
            case ("3", "4" | "57"):
                return "、".join(_name(demo.WEAVER_DEPARTMENTS, part) for part in parts)
        return value


_RULES: dict[tuple[str, str], re.Pattern[str]] = {
    ("1", "2"): re.compile(r"-?\d+"),
    ("1", "3"): _NUMBER,
    ("1", "4"): _NUMBER,
    ("3", "1"): re.compile(r"\d+"),
    ("3", "17"): _NUMBERS,
    ("3", "4"): re.compile(r"\d+"),
    ("3", "57"): _NUMBERS,
    ("3", "2"): _DATE,
    ("3", "19"): _TIME,
    ("4", ""): re.compile(r"[01]"),
}


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One detail table."""

    table: str
    title: str
    fields: tuple[Field, ...]


class Workflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One workflow: 创建 → 审批 → 归档."""

    id: int
    name: str
    table: str
    fields: tuple[Field, ...]
    details: tuple[Detail, ...] = ()
    approver: int = demo.WEAVER_APPROVER
    #: Columns that the approval writes: Y or N, and what the approver said.
    outcome_field: str = ""
    remark_field: str = ""

    def check_main(self, given: Any) -> dict[str, Any]:
        """``mainData`` as column → value.

        :raises WeaverError: ``PARAM_ERROR``
        """
        if not isinstance(given, list) or not given:
            raise WeaverError("PARAM_ERROR", {"mainData": "新建流程主表数据不允许为空"})
        return _values(given, self.fields, "mainData")

    def check_details(self, given: Any) -> dict[str, list[dict[str, Any]]]:
        """``detailData`` as table → rows of column → value.

        :raises WeaverError: ``PARAM_ERROR``
        """
        tables = {detail.table: detail for detail in self.details}
        rows: dict[str, list[dict[str, Any]]] = {}
        for table in given if isinstance(given, list) else _bad("detailData", "应为数组"):
            detail = tables.get(str(table.get("tableDBName"))) if isinstance(table, dict) else None
            if detail is None:
                raise WeaverError("PARAM_ERROR", {"detailData": f"明细表不存在：{table}"})
            records = table.get("workflowRequestTableRecords")
            for record in records if isinstance(records, list) else _bad("detailData", "缺少明细行"):
                if not isinstance(record, dict) or record.get("recordOrder") != 0:
                    _bad("detailData", "新增行的 recordOrder 应为 0")
                values = _values(record.get("workflowRequestTableFields"), detail.fields, "detailData")
                rows.setdefault(detail.table, []).append(values)
        return rows

    def missing(self, values: Mapping[str, Any], details: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
        """Labels of required fields that are empty."""
        empty = [field.label for field in self.fields if field.required and not values.get(field.name)]
        for detail in self.details:
            for row in details.get(detail.table, ()):
                empty += [field.label for field in detail.fields if field.required and not row.get(field.name)]
        return empty

    def readable(
        self, values: Mapping[str, Any], details: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> list[tuple[str, Any]]:
        """(label, text) of the main table, then (title, (columns, rows)) of each detail."""
        form: list[tuple[str, Any]] = [(field.label, field.shown(values.get(field.name, ""))) for field in self.fields]
        for detail in self.details:
            rows = [
                [field.shown(row.get(field.name, "")) for field in detail.fields]
                for row in details.get(detail.table, ())
            ]
            form.append((detail.title, ([field.label for field in detail.fields], rows)))
        return form

    def definition(
        self, values: Mapping[str, Any] | None = None, details: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
    ) -> dict[str, Any]:
        """The form as getCreateWorkflowRequestInfo (empty) and getWorkflowRequest (filled) answer it."""
        tables = []
        for number, detail in enumerate(self.details, start=1):
            rows = (details or {}).get(detail.table, ()) if details is not None else ({},)
            records = [
                {"recordOrder": order, "workflowRequestTableFields": [_field(field, row) for field in detail.fields]}
                for order, row in enumerate(rows, start=1)
            ]
            tables.append(
                {
                    "tableDBName": detail.table,
                    "tableTitle": detail.title,
                    "tableFieldName": f"dt{number}",
                    "workflowRequestTableRecords": records,
                }
            )
        fields = [_field(field, values or {}) for field in self.fields]
        return {
            "workflowBaseInfo": {"workflowId": str(self.id), "workflowName": self.name, "formId": f"-{self.id}"},
            "workflowMainTableInfo": {
                "tableDBName": self.table,
                "requestRecords": [{"recordOrder": 0, "workflowRequestTableFields": fields}],
            },
            "workflowDetailTableInfos": tables,
        }


def _field(field: Field, values: Mapping[str, Any]) -> dict[str, Any]:
    value = values.get(field.name, "")
    return {
        "fieldId": str(7000 + sum(map(ord, field.name))),
        "fieldName": field.name,
        "fieldShowName": field.label,
        "fieldHtmlType": field.html,
        "fieldType": field.type,
        "isMand": field.required,
        "selectvalues": field.indexes(),
        "selectnames": list(field.options),
        "fieldValue": value,
        "fieldShowValue": field.shown(value),
    }


def _values(given: Any, fields: Sequence[Field], where: str) -> dict[str, Any]:
    known = {field.name: field for field in fields}
    values: dict[str, Any] = {}
    for entry in given if isinstance(given, list) else _bad(where, "应为数组"):
        name = str(entry.get("fieldName") if isinstance(entry, dict) else None)
        if name.lower() in _SYSTEM:
            _bad(where, f"系统字段不能作为表单字段：{name}")
        if name not in known:
            _bad(where, f"字段不存在：{name}")
        problem = known[name].problem(entry.get("fieldValue"))
        if problem:
            _bad(where, f"{name} {problem}")
        values[name] = entry["fieldValue"]
    return values


def _bad(where: str, what: str) -> Any:
    raise WeaverError("PARAM_ERROR", {where: what})


def _name(people: Mapping[int, str], number: str) -> str:
    return people.get(int(number), number) if number.isdecimal() else number


def parse_workflow(document: Any) -> Workflow:
    """A workflow from its JSON.

    :raises ValueError: the document is not a workflow
    """
    return msgspec.convert(document, Workflow)


def demo_workflows() -> tuple[Workflow, ...]:
    """The purchase request, and a stock count with a form of its own."""
    purchase = Workflow(
        id=demo.WEAVER_WORKFLOW,
        name="采购申请",
        table="formtable_main_45",
        outcome_field="spjg",
        remark_field="spyj",
        fields=(
            Field("djbh", "单据编号", required=True),
            Field("sqr", "申请人", "3", "1", required=True),
            Field("sqbm", "申请部门", "3", "4"),
            Field("sqrq", "申请日期", "3", "2", required=True),
            Field("yxq", "有效期", "3", "2"),
            Field("qgdb", "请购单别", "5", "1", required=True, options=("自产请购", "零星请购", "计划请购")),
            Field("sfjj", "是否加急", "4", "1"),
            Field("xmbh", "项目编号"),
            Field("lydh", "来源单号"),
            Field("bz", "备注", "2"),
            Field("spjg", "审批结果"),
            Field("spyj", "审批意见", "2"),
        ),
        details=(
            Detail(
                "formtable_main_45_dt1",
                "采购明细",
                (
                    Field("wlbm", "物料编码", required=True),
                    Field("wlmc", "物料名称"),
                    Field("ggxh", "规格型号"),
                    Field("cgsl", "采购数量", "1", "3", required=True),
                    Field("xqrq", "需求日期", "3", "2"),
                    Field("bz", "备注"),
                ),
            ),
            Detail(
                "formtable_main_45_dt2",
                "供应商报价",
                (Field("gys", "供应商"), Field("dj", "单价", "1", "3"), Field("bjsj", "报价时间", "3", "19")),
            ),
        ),
    )
    count = Workflow(
        id=46,
        name="库存盘点",
        table="formtable_main_46",
        outcome_field="spjg",
        fields=(
            Field("djbh", "单据编号", required=True),
            Field("pdr", "盘点人", "3", "1"),
            Field("pdrq", "盘点日期", "3", "2"),
            Field("sm", "说明", "2"),
            Field("spjg", "审批结果"),
        ),
        details=(
            Detail(
                "formtable_main_46_dt1",
                "盘点明细",
                (Field("wlbm", "物料编码", required=True), Field("sl", "数量", "1", "3", required=True)),
            ),
        ),
    )
    return purchase, count

"""Approval forms: controls, the schema that DingTalk publishes for them, and the demo forms."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.oa.simulator import OaForm

__all__ = ["COMPONENTS", "Control", "Form", "demo_forms", "parse_form", "schema_of"]

#: Component name -> Chinese name ("DingTalk open platform, 表单控件").
COMPONENTS = {
    "TextField": "单行输入框",
    "TextareaField": "多行输入框",
    "NumberField": "数字",
    "MoneyField": "金额",
    "DDSelectField": "单选框",
    "DDMultiSelectField": "多选框",
    "DDDateField": "日期",
    "DDDateRangeField": "日期区间",
    "DDPhotoField": "图片",
    "TableField": "明细",
    "DDAttachment": "附件",
    "InnerContactField": "联系人",
    "DepartmentField": "部门",
    "RelateField": "关联审批单",
    "PhoneField": "电话",
    "AddressField": "省市区",
    "StarRatingField": "评分",
    "TextNote": "文字说明",
}


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One control; ``label`` of a date range is a JSON list of its two labels."""

    label: str
    component: str = "TextField"
    id: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    #: Publish each option as a JSON string ``{"key", "value"}`` instead of its plain text; both occur in the field.
    keyed_options: bool = False
    #: Columns of a table.
    children: tuple[Control, ...] = ()
    unit: str = ""


class Form(OaForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One approval template."""

    controls: tuple[Control, ...]
    #: User who decides where a start names no approvers.
    approver: str = demo.APPROVER
    #: Whether the originator may withdraw a running approval.
    withdrawable: bool = True


def parse_form(document: Any) -> Form:
    """A form from its JSON; controls without an id get one like DingTalk's (``TextField-K2AD4O5B``).

    :raises ValueError: the document is not a form
    """
    form = msgspec.convert(document, Form)
    if not re.fullmatch(r"PROC-[A-Za-z0-9_-]+", form.code):
        raise ValueError("a process code looks like PROC-XXXX")
    return msgspec.structs.replace(form, controls=_with_ids(form.code, form.controls))


def _with_ids(prefix: str, controls: tuple[Control, ...]) -> tuple[Control, ...]:
    named = []
    for number, control in enumerate(controls, 1):
        if control.component not in COMPONENTS:
            raise ValueError(f"unknown component {control.component}")
        tail = f"{prefix.removeprefix('PROC-').replace('-', '')}{number:02d}"
        children = _with_ids(tail, control.children)
        named.append(
            msgspec.structs.replace(control, id=control.id or f"{control.component}-{tail}", children=children)
        )
    labels = [control.label for control in named]
    if len(set(labels)) != len(labels):
        raise ValueError("two controls carry the same label")
    return tuple(named)


def schema_of(form: Form) -> dict[str, Any]:
    """``result`` of "DingTalk open platform, 获取表单 schema"."""
    return {
        "formCode": form.code,
        "formUuid": f"FORM-{form.code.removeprefix('PROC-')}",
        "name": form.name,
        "ownerIdType": "corp",
        "status": "PUBLISHED",
        "appType": 0,
        "visibleRange": "PUBLIC",
        "gmtModified": str(form.modified),
        "schemaContent": {
            "title": form.name,
            "icon": "common",
            "items": [_item(control) for control in form.controls],
        },
    }


def _item(control: Control) -> dict[str, Any]:
    props: dict[str, Any] = {"id": control.id, "bizAlias": "", "required": control.required}
    if control.component == "TextNote":
        props["content"] = control.label
    props["label"] = control.label
    if control.options:
        props["options"] = [
            json.dumps({"key": f"option_{number}", "value": option}, ensure_ascii=False)
            if control.keyed_options
            else option
            for number, option in enumerate(control.options)
        ]
    if control.component in ("DDDateField", "DDDateRangeField"):
        props["format"] = "yyyy-MM-dd"
    if control.unit:
        props["unit"] = control.unit
    item: dict[str, Any] = {"componentName": control.component, "props": props}
    if control.component == "TableField":
        item["children"] = [_item(child) for child in control.children]
    return item


def demo_forms() -> tuple[Form, ...]:
    """The purchase request, a quotation, and a form that holds every type of control."""
    purchase_request = {
        "code": demo.PROCESS_CODE,
        "name": "采购申请",
        "modified": 1767240000000,
        "controls": [
            {
                "label": "请购单别",
                "component": "DDSelectField",
                "required": True,
                "options": ["自产请购", "零星请购", "计划请购"],
            },
            {"label": "请购部门"},
            {"label": "请购人员"},
            {"label": "单据日期", "component": "DDDateField"},
            {"label": "有效期", "component": "DDDateField"},
            {"label": "来源单号"},
            {"label": "备注", "component": "TextareaField"},
            {
                "label": "物料表",
                "component": "TableField",
                "children": [
                    {"label": "品名"},
                    {"label": "品号"},
                    {"label": "规格"},
                    {"label": "需求数量", "component": "NumberField"},
                    {"label": "需求日期", "component": "DDDateField"},
                    {"label": "描述"},
                ],
            },
        ],
    }
    quotation = {
        "code": demo.PRICE_PROCESS_CODE,
        "name": "销售报价",
        "modified": 1767240000000,
        "controls": [
            {"label": "客户编号", "required": True},
            {"label": "货币", "component": "DDSelectField", "options": ["RMB", "USD"]},
            {"label": "备注", "component": "TextareaField"},
            {
                "label": "价格明细",
                "component": "TableField",
                "required": True,
                "children": [
                    {"label": "物料编号", "required": True},
                    {"label": "单价", "component": "MoneyField", "required": True},
                    {"label": "开始日期", "component": "DDDateField"},
                    {"label": "结束日期", "component": "DDDateField"},
                ],
            },
        ],
    }
    special: dict[str, dict[str, Any]] = {
        "TextField": {"required": True},
        "NumberField": {"unit": "天"},
        "DDSelectField": {"options": ["普通", "加急"], "keyed_options": True},
        "DDMultiSelectField": {"options": ["质检", "仓储", "财务"]},
        "DDDateRangeField": {"label": '["开始时间","结束时间"]'},
        "TableField": {
            "children": [
                {"label": "物料", "required": True},
                {"label": "数量", "component": "NumberField"},
                {"label": "单价", "component": "MoneyField"},
                {"label": "交期", "component": "DDDateField"},
                {"label": "类别", "component": "DDSelectField", "options": ["原料", "辅料"]},
            ]
        },
        "TextNote": {"label": "请如实填写"},
    }
    every_control = {
        "code": demo.ALL_PROCESS_CODE,
        "name": "全部控件",
        "modified": 1767240000000,
        "controls": [
            {"label": label, "component": component, **special.get(component, {})}
            for component, label in COMPONENTS.items()
        ],
    }
    return parse_form(purchase_request), parse_form(quotation), parse_form(every_control)

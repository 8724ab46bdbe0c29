"""Approval templates: controls, the detail that WeCom publishes of them, and the two demo templates."""

from __future__ import annotations

import re
import zlib
from typing import Any, Literal

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.oa.simulator import OaForm

__all__ = ["CONTROLS", "Control", "Form", "demo_forms", "parse_form", "template_of"]

#: Control -> Chinese name ("WeCom developer centre, 获取审批模板详情").
CONTROLS = {
    "Text": "文本",
    "Textarea": "多行文本",
    "Number": "数字",
    "Money": "金额",
    "Date": "日期",
    "Selector": "单选/多选",
    "Contact": "成员/部门",
    "Tips": "说明文字",
    "File": "附件",
    "Table": "明细",
    "Attendance": "假勤组件-出差/外出/加班",
    "Vacation": "假勤组件-请假",
    "Location": "位置",
    "RelatedApproval": "关联审批单",
    "Formula": "公式",
    "DateRange": "时长",
    "BankAccount": "收款账户",
}


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One control."""

    label: str
    control: str = "Text"
    id: str = ""
    required: bool = False
    #: Choices of a selector.
    options: tuple[str, ...] = ()
    #: Whether a selector or a contact takes several.
    multi: bool = False
    #: Of a contact.
    mode: Literal["user", "department"] = "user"
    #: Of a date (``day``, ``hour``) or a range (``halfday``, ``hour``).
    unit: str = "day"
    #: Columns of a table.
    children: tuple[Control, ...] = ()

    def option_keys(self) -> dict[str, str]:
        """Key of each choice -> its text."""
        digits = self.id.partition("-")[2]
        return {f"option-{digits}{number}": text for number, text in enumerate(self.options)}


class Form(OaForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One approval template."""

    controls: tuple[Control, ...]
    #: User who decides where the template's flow is followed.
    approver: str = demo.APPROVER


def parse_form(document: Any) -> Form:
    """A template from its JSON; controls without an id get one like WeCom's (``Text-1511111111101``).

    :raises ValueError: the document is not a template
    """
    form = msgspec.convert(document, Form)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", form.code):
        raise ValueError("a template id has letters and digits")
    return msgspec.structs.replace(form, controls=_with_ids(str(zlib.crc32(form.code.encode())), form.controls))


def _with_ids(prefix: str, controls: tuple[Control, ...]) -> tuple[Control, ...]:
    named = []
    for number, control in enumerate(controls, 1):
        if control.control not in CONTROLS:
            raise ValueError(f"unknown control {control.control}")
        tail = f"{prefix}{number:02d}"
        children = _with_ids(tail, control.children)
        named.append(msgspec.structs.replace(control, id=control.id or f"{control.control}-{tail}", children=children))
    return tuple(named)


def template_of(form: Form) -> dict[str, Any]:
    """The answer of "WeCom developer centre, 获取审批模板详情"."""
    return {
        "errcode": 0,
        "errmsg": "ok",
        "template_names": [{"text": form.name, "lang": "zh_CN"}, {"text": "Template", "lang": "en"}],
        "template_content": {"controls": [_item(control) for control in form.controls]},
    }


def _item(control: Control) -> dict[str, Any]:
    shown = {
        "control": control.control,
        "id": control.id,
        "title": [{"text": "", "lang": "en"}, {"text": control.label, "lang": "zh_CN"}],
        "placeholder": [{"text": "", "lang": "zh_CN"}],
        "require": int(control.required),
        "un_print": 0,
    }
    return {"property": shown, "config": _config(control)}


def _config(control: Control) -> dict[str, Any]:
    several = "multi" if control.multi else "single"
    match control.control:
        case "Date":
            return {"date": {"type": control.unit}}
        case "DateRange":
            return {"date_range": {"type": control.unit}}
        case "Selector":
            options = [
                {"key": key, "value": [{"text": text, "lang": "zh_CN"}]} for key, text in control.option_keys().items()
            ]
            return {"selector": {"type": several, "options": options}}
        case "Contact":
            return {"contact": {"type": several, "mode": control.mode}}
        case "Table":
            return {"table": {"children": [_item(child) for child in control.children], "stat_field": []}}
    return {}


def demo_forms() -> tuple[Form, ...]:
    """The purchase request, and a template that holds every type of control."""
    purchase_request = {
        "code": demo.WECOM_TEMPLATE,
        "name": "采购申请",
        "modified": 1767240000000,
        "controls": [
            {"label": "申请人", "required": True},
            {"label": "有效期", "control": "Date"},
            {"label": "过账日期", "control": "Date"},
            {"label": "草稿单号", "required": True},
            {"label": "审批单号"},
            {"label": "备注", "control": "Textarea"},
            {
                "label": "物料",
                "control": "Table",
                "children": [
                    {"label": "物料名"},
                    {"label": "物料编号", "required": True},
                    {"label": "数量", "control": "Number"},
                    {"label": "需求日期", "control": "Date"},
                ],
            },
        ],
    }
    choices = {"control": "Selector", "options": ["普通", "加急"]}
    every_control = {
        "code": demo.WECOM_ALL_TEMPLATE,
        "name": "全部控件",
        "modified": 1767240000000,
        "controls": [
            {"label": "文本", "required": True},
            {"label": "多行文本", "control": "Textarea"},
            {"label": "数字", "control": "Number"},
            {"label": "金额", "control": "Money"},
            {"label": "日期", "control": "Date"},
            {"label": "日期时间", "control": "Date", "unit": "hour"},
            {"label": "单选", **choices},
            {"label": "多选", "control": "Selector", "options": ["质检", "仓储", "财务"], "multi": True},
            {"label": "成员", "control": "Contact"},
            {"label": "多个成员", "control": "Contact", "multi": True},
            {"label": "部门", "control": "Contact", "mode": "department", "multi": True},
            {"label": "请如实填写", "control": "Tips"},
            {"label": "附件", "control": "File"},
            {"label": "时长", "control": "DateRange", "unit": "halfday"},
            {"label": "时段", "control": "DateRange", "unit": "hour"},
            {"label": "位置", "control": "Location"},
            {"label": "关联审批单", "control": "RelatedApproval"},
            {"label": "公式", "control": "Formula"},
            {"label": "请假", "control": "Vacation"},
            {"label": "出差", "control": "Attendance"},
            {"label": "收款账户", "control": "BankAccount"},
            {
                "label": "明细",
                "control": "Table",
                "children": [
                    {"label": "物料", "required": True},
                    {"label": "数量", "control": "Number"},
                    {"label": "单价", "control": "Money"},
                    {"label": "交期", "control": "Date"},
                    {"label": "类别", **choices},
                    {"label": "经办人", "control": "Contact"},
                    {"label": "小计", "control": "Formula"},
                ],
            },
        ],
    }
    return parse_form(purchase_request), parse_form(every_control)

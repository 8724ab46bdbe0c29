"""Form values at a start: does each fit the control it is meant for?

Formats follow "DingTalk open platform, 发起审批实例" and its table of control values: every value is a string, anything
structured is a JSON string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.forms import Control, Form

__all__ = ["MAX_CONTROLS", "MAX_VALUE", "FormValue", "check_values", "table_answer"]

MAX_CONTROLS = 150
MAX_VALUE = 65535
_ATTACHMENT_KEYS = ("spaceId", "fileName", "fileSize", "fileType", "fileId")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_PHONE = re.compile(r"\+?[\d-]{3,20}")
_decode = msgspec.json.Decoder().decode


class FormValue(msgspec.Struct, gc=False, omit_defaults=True):
    """What one control of an instance holds."""

    id: str
    name: str
    component: str
    value: str
    ext_value: str = ""


def check_values(form: Form, given: Any, instances: Collection[str]) -> list[FormValue]:
    """The values of a start, each resolved to its control.

    :param given: ``formComponentValues`` as it came in
    :param instances: ids of the existing instances, which values may refer to
    :raises DingTalkError: ``formConverterError`` for a control that is missing, unknown or given twice,
        ``illegalComponent`` for a malformed value, ``invalidParameter`` for a broken limit
    """
    if not isinstance(given, list):
        raise DingTalkError("invalidParameter", "参数错误：formComponentValues 不能为空")
    if len(given) > MAX_CONTROLS:
        raise DingTalkError("invalidParameter", f"参数错误：formComponentValues 最多 {MAX_CONTROLS} 个")
    cells = _cells(given, form.controls, "")
    result = []
    for control, value, ext_value in cells:
        if len(value) > MAX_VALUE:
            raise DingTalkError("invalidParameter", f"参数错误：控件 {control.label} 的值超过 {MAX_VALUE} 个字符")
        if value:
            _CHECKS[control.component](control, value, instances)
        result.append(FormValue(control.id, control.label, control.component, value, ext_value))
    return result


def table_answer(control: Control | None, value: str) -> str:
    """A table as the detail gives it back: rows of ``{"rowValue": [{"label", "value", "key"}], "rowNumber"}``."""
    keys = {child.label: child.id for child in control.children} if control else {}
    prefix = control.id if control else "TableField"
    rows = [
        {
            "rowValue": [
                {"label": cell["name"], "value": cell["value"], "key": keys.get(cell["name"], "")} for cell in row
            ],
            "rowNumber": f"{prefix}_{number}",
        }
        for number, row in enumerate(_decode(value) if value else [])
    ]
    return msgspec.json.encode(rows).decode()


def _cells(given: Sequence[Any], controls: Sequence[Control], path: str) -> list[tuple[Control, str, str]]:
    """Pairs each given ``{name, value}`` with its control, and misses none that is required."""
    by_label = {control.label: control for control in controls}
    found: dict[str, tuple[Control, str, str]] = {}
    for entry in given:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            raise DingTalkError("invalidParameter", f"参数错误：{path}控件缺少 name")
        control = by_label.get(name)
        if control is None or name in found or entry.get("id") not in (None, "", control.id):
            raise _converter(path + name)
        value = entry.get("value")
        if not isinstance(value, str):
            raise _illegal(path + name, "值必须是字符串")
        found[name] = (control, value, entry.get("extValue") or "")
    for control in controls:
        if control.required and not (control.label in found and found[control.label][1].strip() not in ("", "[]")):
            raise _converter(path + control.label)
    return list(found.values())


def _converter(name: str) -> DingTalkError:
    return DingTalkError("formConverterError", f"表单数据校验失败，失败控件：{name}")


def _illegal(name: str, reason: str) -> DingTalkError:
    return DingTalkError("illegalComponent", f"控件 {name} 的值格式错误：{reason}")


def _any_text(control: Control, value: str, instances: Collection[str]) -> None:
    """Any text fits."""


def _number(control: Control, value: str, instances: Collection[str]) -> None:
    if not _NUMBER.fullmatch(value):
        raise _illegal(control.label, "不是数字")


def _rating(control: Control, value: str, instances: Collection[str]) -> None:
    if not (_NUMBER.fullmatch(value) and 0 <= float(value) <= 5):
        raise _illegal(control.label, "评分是 0 到 5 的数字")


def _select(control: Control, value: str, instances: Collection[str]) -> None:
    if value not in control.options:
        raise _illegal(control.label, f"“{value}”不是可选项")


def _multi_select(control: Control, value: str, instances: Collection[str]) -> None:
    for option in _texts(control, value):
        if option not in control.options:
            raise _illegal(control.label, f"“{option}”不是可选项")


def _date(control: Control, value: str, instances: Collection[str]) -> None:
    if not _is_date(value):
        raise _illegal(control.label, "日期格式应为 yyyy-MM-dd")


def _date_range(control: Control, value: str, instances: Collection[str]) -> None:
    days = _texts(control, value)
    if len(days) != 2 or not all(map(_is_date, days)) or days[0] > days[1]:
        raise _illegal(control.label, "日期区间应为两个 yyyy-MM-dd，且开始不晚于结束")


def _photo(control: Control, value: str, instances: Collection[str]) -> None:
    if not all(url.startswith(("http://", "https://", "@")) for url in _texts(control, value)):
        raise _illegal(control.label, "图片应为地址列表")


def _attachment(control: Control, value: str, instances: Collection[str]) -> None:
    files = _json_list(control, value)
    if not all(isinstance(file, dict) and all(file.get(key) for key in _ATTACHMENT_KEYS) for file in files):
        raise _illegal(control.label, f"附件需要 {'、'.join(_ATTACHMENT_KEYS)}")


def _contact(control: Control, value: str, instances: Collection[str]) -> None:
    for user in _texts(control, value):
        if user not in demo.USERS:
            raise _illegal(control.label, f"用户 {user} 不存在")


def _department(control: Control, value: str, instances: Collection[str]) -> None:
    ids = _json_list(control, value) if value.startswith("[") else [value]
    for department in ids:
        if str(department) not in map(str, demo.DEPARTMENTS):
            raise _illegal(control.label, f"部门 {department} 不存在")


def _relation(control: Control, value: str, instances: Collection[str]) -> None:
    for instance in _texts(control, value):
        if instance not in instances:
            raise _illegal(control.label, f"审批实例 {instance} 不存在")


def _phone(control: Control, value: str, instances: Collection[str]) -> None:
    if not _PHONE.fullmatch(value):
        raise _illegal(control.label, "不是电话号码")


def _address(control: Control, value: str, instances: Collection[str]) -> None:
    if not all(part.strip() for part in value.split(",")[:2]) or "," not in value:
        raise _illegal(control.label, "省市区应以逗号分隔")


def _note(control: Control, value: str, instances: Collection[str]) -> None:
    raise _illegal(control.label, "文字说明不能赋值")


def _table(control: Control, value: str, instances: Collection[str]) -> None:
    for number, row in enumerate(_json_list(control, value), 1):
        path = f"{control.label}[{number}]."
        if not isinstance(row, list):
            raise _illegal(control.label, "每一行应为列表")
        for column, cell, _ in _cells(row, control.children, path):
            if cell:
                try:
                    _CHECKS[column.component](column, cell, instances)
                except DingTalkError as error:
                    raise DingTalkError(error.code, f"{control.label} 第 {number} 行：{error.message}") from error


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _json_list(control: Control, value: str) -> list[Any]:
    try:
        items = _decode(value)
    except (ValueError, RecursionError) as error:
        raise _illegal(control.label, "应为 JSON 列表") from error
    if not isinstance(items, list):
        raise _illegal(control.label, "应为 JSON 列表")
    return items


def _texts(control: Control, value: str) -> list[str]:
    items = _json_list(control, value)
    if not all(isinstance(item, str) for item in items):
        raise _illegal(control.label, "应为文本的 JSON 列表")
    return items


_CHECKS: Mapping[str, Callable[[Control, str, Collection[str]], None]] = {
    "TextField": _any_text,
    "TextareaField": _any_text,
    "NumberField": _number,
    "MoneyField": _number,
    "DDSelectField": _select,
    "DDMultiSelectField": _multi_select,
    "DDDateField": _date,
    "DDDateRangeField": _date_range,
    "DDPhotoField": _photo,
    "TableField": _table,
    "DDAttachment": _attachment,
    "InnerContactField": _contact,
    "DepartmentField": _department,
    "RelateField": _relation,
    "PhoneField": _phone,
    "AddressField": _address,
    "StarRatingField": _rating,
    "TextNote": _note,
}

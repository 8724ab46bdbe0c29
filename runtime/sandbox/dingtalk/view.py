"""A filled DingTalk form as the approver reads it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.forms import Form
from runtime.sandbox.dingtalk.instances import Instance
from runtime.sandbox.dingtalk.values import FormValue
from runtime.sandbox.oa.view import ShownField, shown_table

__all__ = ["shown_fields"]

#: Components whose values read well in the list.
_BRIEF = ("TextField", "TextareaField", "NumberField", "MoneyField", "DDSelectField", "DDDateField")


def shown_fields(instance: Instance, form: Form | None) -> list[ShownField]:
    """The controls that were filled, in order.

    :param form: None where it was deleted since
    """
    components = {
        (control.label, child.label): child.component
        for control in (form.controls if form is not None else ())
        for child in control.children
    }
    return [_field(value, components) for value in instance.values]


def _field(value: FormValue, columns: Mapping[tuple[str, str], str]) -> ShownField:
    """What a control shows.

    :param columns: (table, column) → component
    """
    label = value.name
    if value.component == "DDDateRangeField":
        label = " – ".join(_items(label)) or label
    if value.component == "TableField":
        return _table(label, value.value, columns)
    return ShownField(label, _text(value.component, value.value), brief=value.component in _BRIEF)


def _text(component: str, value: str) -> str:  # noqa: PLR0911 - one line per component reads best
    items = _items(value)
    match component:
        case "DDDateRangeField":
            return " 至 ".join(items)
        case "DDMultiSelectField" | "DDPhotoField" | "RelateField":
            return "、".join(items)
        case "InnerContactField":
            return "、".join(demo.USERS[user].name for user in items if user in demo.USERS)
        case "DepartmentField":
            names = {str(number): name for number, name in demo.DEPARTMENTS.items()}
            return "、".join(names.get(number, number) for number in items or [value])
        case "DDAttachment":
            return "、".join(_file(file) for file in _decoded(value) if isinstance(file, dict))
        case "MoneyField":
            return _money(value)
    return value


def _file(file: dict[str, Any]) -> str:
    size = str(file.get("fileSize", ""))
    return f"{file.get('fileName', '')}（{int(size):,} B）" if size.isdecimal() else str(file.get("fileName", ""))


def _money(value: str) -> str:
    """With thousands separators, and with two decimals at least."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return value
    exponent = amount.as_tuple().exponent
    return f"{amount:,.{max(2, -exponent)}f}" if isinstance(exponent, int) else value


def _table(label: str, value: str, components: Mapping[tuple[str, str], str]) -> ShownField:
    given: list[dict[str, str]] = [
        {
            str(cell["name"]): _text(components.get((label, str(cell["name"])), ""), str(cell["value"]))
            for cell in row
            if isinstance(cell, dict)
        }
        for row in _decoded(value)
    ]
    return shown_table(label, given)


def _items(value: str) -> list[str]:
    return [str(item) for item in _decoded(value)]


def _decoded(value: str) -> list[Any]:
    try:
        items = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return []
    return items if isinstance(items, list) else []

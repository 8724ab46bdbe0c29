"""The value of one control as the approver will read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import IntegrationError
from runtime.mapping.forms import Control, ControlType
from runtime.mapping.values import members, open_zone, to_date, to_number

__all__ = ["control_label", "control_text"]

#: Where a control holds objects: the keys under which their names stand, the best one first.
_NAMES = {
    ControlType.CONTACT: ("name", "user_id"),
    ControlType.DEPARTMENT: ("name", "department_id"),
    ControlType.ATTACHMENT: ("fileName", "name"),
    ControlType.RELATION: ("title", "instance_id"),
    ControlType.PHOTO: (),
}
#: Format of a date control that shows the time too (WeCom).
_TIMED = "hour"


def control_label(control: Control | None, name: str) -> str:
    """What stands beside the control; a date range has two labels."""
    label = control.label if control is not None and control.label else name
    ends = members(label) if control is not None and control.type is ControlType.DATERANGE else ()
    return " – ".join(map(str, ends)) if len(ends) == 2 else label


def control_text(value: Any, control: Control | None) -> str:  # noqa: PLR0911 - one line per type reads best
    """The value in words; what does not fit the control is shown as it is."""
    if value is None:
        return ""
    kind = control.type if control is not None else ControlType.OTHER
    try:
        if control is not None and kind in (ControlType.SELECT, ControlType.MULTISELECT):
            items = members(value) if kind is ControlType.MULTISELECT else (value,)
            return "、".join(_option(item, control) for item in items)
        if kind in _NAMES:
            return "、".join(_name(item, _NAMES[kind]) for item in members(value))
        if control is not None and kind is ControlType.DATE:
            return _date(value, control)
        if control is not None and kind is ControlType.DATERANGE:
            return " – ".join(_date(end, control) for end in members(value))
        if control is not None and kind in (ControlType.MONEY, ControlType.NUMBER):
            amount = f"{Decimal(to_number(value)):,f}" if kind is ControlType.MONEY else _plain(value)
            return f"{amount} {control.unit}".strip()
    except IntegrationError:
        pass  # the failures say what is wrong with it
    return _plain(value)


def _option(value: Any, control: Control) -> str:
    text = _plain(value)
    return next((option.label for option in control.options if text in option.names), text)


def _name(value: Any, keys: Sequence[str]) -> str:
    if isinstance(value, Mapping):
        return next((str(value[key]) for key in keys if value.get(key)), _plain(value))
    return _plain(value)


def _date(value: Any, control: Control) -> str:
    if value in ("", None):
        return ""
    moment = to_date(value, open_zone(DEFAULT_TIMEZONE))
    return f"{moment:%Y-%m-%d %H:%M}" if control.format == _TIMED else f"{moment:%Y-%m-%d}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value).decode()

"""Does a filled form fit its controls? What the approval system would refuse, said beforehand and in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import MappingFailed
from runtime.mapping.forms import Control, ControlType
from runtime.mapping.mapper import MappedForm
from runtime.mapping.problems import Failure
from runtime.mapping.values import is_blank, members, open_zone, shown, to_date, to_number, to_text

__all__ = ["check_form"]

_Reason = tuple[str, str]
_TEXT: Final = frozenset({ControlType.TEXT, ControlType.TEXTAREA, ControlType.PHONE, ControlType.ADDRESS})


def check_form(form: MappedForm) -> list[Failure]:
    """Required but empty, not an option, not a number, not a date … for every control that the form has.

    Controls of the form that no target names are the business of
    :func:`runtime.mapping.check.check_mapping`, before anything runs.
    """
    failures: list[Failure] = []
    for to, control in form.controls.items():
        value = form.get(to)
        if _is_plain_text(control, value):
            continue
        if control.type is not ControlType.TABLE:
            failures += (Failure(to, "", None, zh, en) for zh, en in _check(control, value))
            continue
        if control.required and not value:
            failures.append(Failure(to, to, None, "必填的明细表没有行", "The required table has no rows"))
        for number, row in enumerate(value or (), 1):
            for column in control.children:
                name = column.id if column.id in row else column.label
                # A column that the mapping leaves out is reported once, by check_mapping, not for every row.
                if name in row and not _is_plain_text(column, row[name]):
                    failures += (Failure(name, to, number, zh, en) for zh, en in _check(column, row[name]))
    return failures


def _is_plain_text(control: Control, value: Any) -> bool:
    """Text in a control for text: most values are, and there is nothing to check about them."""
    return type(value) is str and control.type in _TEXT and value != "" and not value.isspace()


def _check(control: Control, value: Any) -> Iterator[_Reason]:
    if is_blank(value):
        if control.required:
            yield "必填，但值是空的", "A value is required, but it is empty"
        return
    try:
        yield from _CHECKS.get(control.type, _no_rule)(control, value)
    except MappingFailed as error:
        yield error.zh, error.en


def _no_rule(_control: Control, _value: Any) -> Iterator[_Reason]:
    return iter(())


def _text(_control: Control, value: Any) -> Iterator[_Reason]:
    to_text(value)
    return iter(())


def _number(_control: Control, value: Any) -> Iterator[_Reason]:
    to_number(value)
    return iter(())


def _date(control: Control, value: Any) -> Iterator[_Reason]:
    if not control.format or any(letter in control.format for letter in "yd"):  # else it is a time of day
        to_date(value, open_zone(DEFAULT_TIMEZONE))
    return iter(())


def _date_range(control: Control, value: Any) -> Iterator[_Reason]:
    ends = members(value)
    if len(ends) != 2:
        yield f"{shown(value)} 不是起止两个日期", f"{shown(value)} is not a pair of dates"
        return
    zone = open_zone(DEFAULT_TIMEZONE)
    start, end = (f"{to_date(end, zone):%Y-%m-%d}" for end in ends)
    if start > end:
        yield f"开始日期 {start} 晚于结束日期 {end}", f"The start {start} is after the end {end}"


def _option(control: Control, value: Any) -> Iterator[_Reason]:
    text = to_text(value)
    if control.options and not any(text in option.names for option in control.options):
        labels = [option.label for option in control.options[:8]]
        yield (
            f"{shown(text)} 不是选项（可选：{'、'.join(labels)}）",
            f"{shown(text)} is not an option (there are: {', '.join(labels)})",
        )


def _options(control: Control, value: Any) -> Iterator[_Reason]:
    for item in members(value):
        yield from _option(control, item)


_CHECKS: Final[dict[ControlType, Callable[[Control, Any], Iterator[_Reason]]]] = {
    **dict.fromkeys(_TEXT, _text),
    ControlType.NUMBER: _number,
    ControlType.MONEY: _number,
    ControlType.RATING: _number,
    ControlType.DATE: _date,
    ControlType.DATERANGE: _date_range,
    ControlType.SELECT: _option,
    ControlType.MULTISELECT: _options,
}

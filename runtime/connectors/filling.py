"""Filling a control: the rules that every approval system shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from runtime.errors import ValueRefused
from runtime.mapping.forms import Control, Option

__all__ = ["MISSING", "is_empty", "number_text", "option_of", "plain_text", "refuse"]

#: What is said of a required control without a value.
MISSING = ("必填但没有值", "is required but has no value")

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


def is_empty(value: Any) -> bool:
    """Nothing to send: None, blank text, an empty list or object."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or value in ([], (), {})


def plain_text(value: Any) -> str:
    """A scalar as text: decimals without exponent, dates as ``yyyy-MM-dd``.

    :raises ValueRefused: the value is not a scalar
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal) and Decimal(value).is_finite():
        return format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
    if isinstance(value, date):
        return str(value) if type(value) is date else value.strftime("%Y-%m-%d %H:%M:%S")
    raise ValueRefused("不是单个文本、数字或日期", "is not a single text, number or date")


def number_text(value: Any) -> str:
    """A number without exponent.

    :raises ValueRefused: the value is not a number
    """
    if not isinstance(value, bool):
        text = plain_text(value).strip()
        if _NUMBER.fullmatch(text):
            return format(Decimal(text), "f")
    raise ValueRefused(f"不是数字：{value!r}", f"is not a number: {value!r}")


def option_of(control: Control, value: Any) -> Option:
    """The choice that a value names by label or by key; any choice where the control's are not known.

    :raises ValueRefused: there is no such choice
    """
    text = plain_text(value)
    for option in control.options:
        if text in option.names:
            return option
    if not control.options:
        return Option(key=text, label=text)
    choices = "、".join(option.label for option in control.options[:20])
    raise ValueRefused(f"“{text}”不是可选项（{choices}）", f"'{text}' is not an option ({choices})")


def refuse(problems: Sequence[ValueRefused]) -> None:
    """Raise all problems of a form as one; nothing happens if there are none.

    :raises ValueRefused: names every control
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ValueRefused(
            "；".join(f"{problem.where}：{problem.zh}" if problem.where else problem.zh for problem in problems),
            "; ".join(f"{problem.where}: {problem.en}" if problem.where else problem.en for problem in problems),
        )

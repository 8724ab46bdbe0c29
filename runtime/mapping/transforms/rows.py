"""Aggregates: one value of a list, for a header control filled from detail rows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.mapping.transforms.base import TEXT, Change, Transform, a_list, text_argument
from runtime.mapping.values import NUMBERS, is_blank, to_number, to_text

__all__ = ["TRANSFORMS", "total"]


def total(values: list[Any]) -> int | Decimal:
    """The sum of numbers; empty ones are skipped.

    :raises MappingFailed: one of them is not a number
    """
    result: int | Decimal = 0
    for value in values:
        if is_blank(value):
            continue
        number = to_number(value)
        if isinstance(result, int) and isinstance(number, int):
            result += number
        else:
            result = NUMBERS.add(Decimal(result), Decimal(number))
    return result


def _aggregate(function: Callable[[list[Any]], Any], of_null: Any = None) -> Callable[[Any, ZoneInfo], Change]:
    return lambda _argument, _zone: lambda value: of_null if value is None else function(a_list(value))


def _join(argument: Any, _zone: ZoneInfo) -> Change:
    separator = text_argument(argument, "、")

    def change(value: Any) -> str | None:
        return None if value is None else separator.join(to_text(item) for item in a_list(value) if not is_blank(item))

    return change


TRANSFORMS: Final = (
    Transform(
        name="join",
        zh="合并成文本",
        en="Join",
        function=_join,
        argument=TEXT,
        argument_zh="分隔符，默认顿号；空值跳过",
        argument_en="Separator, 、 unless given; empty values are skipped",
        aggregate=True,
    ),
    Transform(
        name="first",
        zh="第一个",
        en="First",
        function=_aggregate(lambda items: items[0] if items else None),
        aggregate=True,
    ),
    Transform(
        name="last",
        zh="最后一个",
        en="Last",
        function=_aggregate(lambda items: items[-1] if items else None),
        aggregate=True,
    ),
    Transform(name="sum", zh="求和", en="Sum", function=_aggregate(total, 0), aggregate=True),
    Transform(name="count", zh="行数", en="Count", function=_aggregate(len, 0), aggregate=True),
)

"""Numbers: always decimal, rounded half up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.mapping.transforms.base import Change, Transform, integer_argument
from runtime.mapping.values import NUMBERS, is_blank, to_number

__all__ = ["TRANSFORMS", "round_half_up"]


#: Powers of ten below which a number needs no further look.
_ORDINARY: Final = 30


def round_half_up(number: int | Decimal, places: int) -> Decimal:
    """Rounded half up to so many decimal places; negative places round to tens, hundreds …"""
    rounded = NUMBERS.quantize(Decimal(number), Decimal(1).scaleb(-places))
    return rounded if places >= 0 else NUMBERS.quantize(rounded, Decimal(1))


def _number(_argument: Any, _zone: ZoneInfo) -> Change:
    return lambda value: None if is_blank(value) else to_number(value)


def _round(argument: Any, _zone: ZoneInfo) -> Change:
    places = integer_argument(argument, -12, 12)
    unit = Decimal(1).scaleb(-places)
    quantize = NUMBERS.quantize

    def change(value: Any) -> Decimal | None:
        # What nearly all values are, without the checks that text and huge numbers need.
        if type(value) is Decimal and places >= 0 and value.is_finite() and value.adjusted() < _ORDINARY:
            return quantize(value, unit)
        return None if is_blank(value) else round_half_up(to_number(value), places)

    return change


TRANSFORMS: Final = (
    Transform(name="number", zh="转为数字", en="Number", function=_number),
    Transform(
        name="round",
        zh="四舍五入",
        en="Round half up",
        function=_round,
        argument={"type": "integer", "minimum": -12, "maximum": 12},
        argument_required=True,
        argument_zh="保留的小数位数，-12 到 12",
        argument_en="Number of decimal places, from -12 to 12",
    ),
)

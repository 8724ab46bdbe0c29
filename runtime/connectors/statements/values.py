"""Values of a database as rows hold them: the same types that the Service Layer's JSON yields."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from runtime.mapping.values import short_number

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Numbers with a fraction as ``Decimal`` without zeros behind it, dates and times as ISO text, bytes as base64,
    anything else as text.

    A date and time at midnight is a date: B1 keeps its dates that way.
    """
    if value is None or isinstance(value, int | str):
        return value
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _number(value: Decimal | float) -> Decimal | str:
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    return short_number(f"{number:f}") if number.is_finite() else str(value)


def _moment(value: datetime) -> str:
    midnight = value.time() == time() and value.tzinfo is None
    return value.date().isoformat() if midnight else value.isoformat()


def _time_of_day(value: timedelta) -> str:
    """How MariaDB gives a column of type TIME."""
    seconds = int(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _base64(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(bytes(value)).decode("ascii")


#: First match wins.
_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((Decimal, float), _number),
    (datetime, _moment),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _time_of_day),
    ((bytes, bytearray, memoryview), _base64),
    ((list, tuple), lambda value: [plain(item) for item in value]),
    (Mapping, lambda value: {str(name): plain(item) for name, item in value.items()}),
)

"""Values of a database as rows hold them: the same types that the Service Layer's JSON yields."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Numbers with a fraction as ``Decimal``, dates and times as ISO text, bytes as base64, anything else as text.

    A date and time at midnight is a date: B1 keeps its dates that way.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return value if value.is_finite() else str(value)
        case float():
            number = Decimal(repr(value))
            return number if number.is_finite() else str(value)
        case datetime():
            midnight = value.time() == time() and value.tzinfo is None
            return value.date().isoformat() if midnight else value.isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():  # how MariaDB gives a time of day
            seconds = int(value.total_seconds())
            sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
            return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode("ascii")
        case list() | tuple():
            return [plain(item) for item in value]
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
    return str(value)

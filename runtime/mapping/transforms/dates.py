"""Dates and moments."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.mapping.transforms.base import TEXT, Change, Transform, text_argument
from runtime.mapping.values import is_blank, to_date

__all__ = ["TRANSFORMS", "compile_format"]

_TOKEN = re.compile(r"YYYY|MM|DD|HH|mm|ss")
_FIELDS = {
    "YYYY": "{0.year:04d}",
    "MM": "{0.month:02d}",
    "DD": "{0.day:02d}",
    "HH": "{0.hour:02d}",
    "mm": "{0.minute:02d}",
    "ss": "{0.second:02d}",
}
_ISO = "YYYY-MM-DD"


def compile_format(pattern: str) -> str:
    """The ``str.format`` pattern for ``YYYY MM DD HH mm ss``; everything else stands for itself.

    :raises ValueError: none of these tokens is in it
    """
    if not _TOKEN.search(pattern):
        raise ValueError("a date format without a date")
    escaped = pattern.replace("{", "{{").replace("}", "}}")
    return _TOKEN.sub(lambda found: _FIELDS[found[0]], escaped)


def _date(argument: Any, zone: ZoneInfo) -> Change:
    pattern = text_argument(argument, _ISO)
    template = compile_format(pattern)

    def change(value: Any) -> str | None:
        if is_blank(value):
            return None
        moment = to_date(value, zone)
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=zone)
        return template.format(moment)

    return _plain_days_first(change) if pattern == _ISO else change


def _plain_days_first(otherwise: Change) -> Change:
    """The shortest way for what nearly all values are: a date as the Service Layer writes it."""
    read = date.fromisoformat

    def change(value: Any) -> Any:
        if value is None:
            return None
        try:
            day = value[:10]
            # fromisoformat also reads week dates; only YYYY-MM-DD comes back as it was.
            if read(day).isoformat() == day and (len(value) == 10 or value[10:] == "T00:00:00Z"):
                return day
        except (TypeError, ValueError):
            pass
        return otherwise(value)

    return change


TRANSFORMS: Final = (
    Transform(
        name="date",
        zh="日期格式",
        en="Date format",
        function=_date,
        argument=TEXT,
        argument_zh="输出格式，用 YYYY MM DD HH mm ss 组成，默认 YYYY-MM-DD",
        argument_en="Output format made of YYYY MM DD HH mm ss; YYYY-MM-DD unless given",
    ),
)

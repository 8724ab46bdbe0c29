"""Is a schedule one that a clock can follow? Zone, first moment and crontab fields."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from runtime.errors import BadMapping
from runtime.mapping.models import Schedule
from runtime.mapping.problems import Problem
from runtime.mapping.values import open_zone, shown

__all__ = ["check_schedule"]

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: crontab(5): name, lowest and highest number, names from the lowest on.
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)


def check_schedule(schedule: Schedule, timezone: str, where: str) -> Iterator[Problem]:
    """What keeps a schedule from running.

    :param timezone: the mapping's zone, unless the schedule names its own
    """
    try:
        open_zone(schedule.timezone or timezone, f"{where}.timezone")
    except BadMapping as error:
        yield Problem("error", error.where, error.zh, error.en)
    if schedule.start is not None:
        try:
            datetime.fromisoformat(schedule.start)
        except ValueError:
            yield Problem(
                "error",
                f"{where}.start",
                f"{shown(schedule.start)} 不是 ISO 8601 时间，例如 2026-01-31T08:00",
                f"{shown(schedule.start)} is not an ISO 8601 time such as 2026-01-31T08:00",
            )
    if schedule.cron is not None:
        wrong = _wrong_cron(schedule.cron)
        if wrong:
            yield Problem(
                "error",
                f"{where}.cron",
                f"{shown(schedule.cron)} 不是五段的 cron 表达式（分 时 日 月 周）；不对的是：{wrong}",
                f"{shown(schedule.cron)} is not a cron expression of five fields (minute hour day month weekday); "
                f"wrong is: {wrong}",
            )


def _wrong_cron(text: str) -> str:
    """The first part that is wrong, or an empty text."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return text
    for part, (_, low, high, names) in zip(parts, _FIELDS, strict=True):
        for item in part.lower().split(","):
            if not _good(item, low, high, names):
                return part
    return ""


def _good(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and step.isascii() and int(step) > 0):
        return False
    if span == "*":
        return True
    begin, dash, end = span.partition("-")
    numbers = [_number(text, low, names) for text in ((begin, end) if dash else (begin,))]
    if any(number is None or not low <= number <= high for number in numbers):
        return False
    # A span of weekdays may run over the end of the week (fri-mon).
    return len(numbers) == 1 or names == _WEEKDAYS or (numbers[0] or 0) <= (numbers[1] or 0)


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + low
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 2 else None

"""When a schedule fires: ``every`` and ``cron`` of the mapping format as APScheduler triggers.

APScheduler is a clock only: when something is due is decided here, what then happens in
:mod:`runtime.service.dispatcher`.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from runtime.errors import BadMapping
from runtime.mapping.models import Schedule

__all__ = ["CronTicks", "EveryTicks", "compile_schedule"]

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
#: Longest period in days of each calendar unit, to guess how many periods have passed.
_LONGEST = {"d": 1, "w": 7, "M": 31}
#: crontab(5): both 0 and 7 are Sunday.
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


class EveryTicks(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 carries no types
    """Every so often from a first moment on.

    Seconds, minutes and hours are exact distances; days, weeks and months keep the wall clock's time of the first
    moment's zone (a month's 31st falls on the last day of a shorter month).

    :param every: ``30s 5m 2h 1d 1w 1M``
    :param first: first moment, with its zone
    :param at_once: the first moment counts even if it has just passed
    :param offset: delay behind each moment
    """

    __slots__ = ("_at_once", "_first", "_number", "_offset", "_unit")

    def __init__(self, every: str, *, first: datetime, at_once: bool, offset: timedelta) -> None:
        self._number = int(every[:-1])
        self._unit = every[-1]
        self._first = first
        self._at_once = at_once
        self._offset = offset

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first moment not before ``now`` and behind ``previous_fire_time``.

        A clock that was away (a laptop asleep) sees one late moment, not all those that it missed.
        """
        if previous_fire_time is None and self._at_once:
            return self._first + self._offset
        earliest = now - self._offset
        if previous_fire_time is not None:
            earliest = max(earliest, previous_fire_time - self._offset + timedelta(microseconds=1))
        count = self._surely_passed(earliest)
        while (moment := self._nth(count)) < earliest:
            count += 1
        return moment + self._offset

    def _surely_passed(self, moment: datetime) -> int:
        elapsed = (moment - self._first).total_seconds()
        if self._unit in _SECONDS:
            return max(0, int(elapsed // (self._number * _SECONDS[self._unit])))
        return max(0, int(elapsed // (self._number * _LONGEST[self._unit] * 86_400)) - 1)

    def _nth(self, count: int) -> datetime:
        steps = count * self._number
        if self._unit in _SECONDS:
            moment = self._first.astimezone(UTC) + timedelta(seconds=steps * _SECONDS[self._unit])
            return moment.astimezone(self._first.tzinfo)
        if self._unit in _DAYS:
            return self._first + timedelta(days=steps * _DAYS[self._unit])
        months = self._first.year * 12 + self._first.month - 1 + steps
        year, month = months // 12, months % 12 + 1
        day = min(self._first.day, calendar.monthrange(year, month)[1])
        return self._first.replace(year=year, month=month, day=day)


class CronTicks(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 carries no types
    """The moments of a crontab(5) expression, not before ``first``, each delayed by ``offset``."""

    __slots__ = ("_cron", "_first", "_offset")

    def __init__(self, cron: BaseTrigger, *, first: datetime | None, offset: timedelta) -> None:
        self._cron = cron
        self._first = first
        self._offset = offset

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first moment not before ``now`` and behind ``previous_fire_time``."""
        earliest = now - self._offset
        if previous_fire_time is not None:
            earliest = max(earliest, previous_fire_time - self._offset + timedelta(microseconds=1))
        if self._first is not None:
            earliest = max(earliest, self._first)
        found: datetime | None = self._cron.get_next_fire_time(None, earliest)
        return None if found is None else found + self._offset


def compile_schedule(schedule: Schedule, *, timezone: str, now: datetime, where: str) -> EveryTicks | CronTicks:
    """The trigger of a schedule.

    ``every`` without ``start`` fires at once and from then on; with ``start`` not before it.

    :param timezone: the mapping's zone, unless the schedule names its own
    :param now: aware; the present moment
    :raises BadMapping: unknown zone, ``start`` is not ISO 8601, or ``cron`` is not a crontab expression
    """
    zone = _zone(schedule.timezone or timezone, where)
    first = _start(schedule.start, zone, where) if schedule.start else None
    offset = _seconds(schedule.offset) if schedule.offset else timedelta()
    if schedule.cron is not None:
        return CronTicks(_crontab(schedule.cron, zone, where), first=first, offset=offset)
    return EveryTicks(schedule.every or "1d", first=first or now.astimezone(zone), at_once=first is None, offset=offset)


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadMapping(
            f"没有“{name}”这个时区；请用 Asia/Shanghai 这样的名称",
            f"There is no time zone {name!r}; use a name like Asia/Shanghai",
            where=f"{where}.timezone",
        ) from error


def _start(text: str, zone: ZoneInfo, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMapping(
            f"“{text}”不是 ISO 8601 时间，例如 2026-01-31T08:00",
            f"{text!r} is not an ISO 8601 time such as 2026-01-31T08:00",
            where=f"{where}.start",
        ) from error
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]])


def _crontab(text: str, zone: ZoneInfo, where: str) -> BaseTrigger:
    try:
        minute, hour, day, month, weekday = text.split()
        clock = {"minute": minute, "hour": hour, "month": month, "timezone": zone}
        if weekday.startswith("*"):
            return CronTrigger(**clock, day=day)
        named = _weekdays(weekday)
        if day.startswith("*"):
            return CronTrigger(**clock, day_of_week=named)
        # crontab(5): with both days restricted, either of them is enough.
        return OrTrigger([CronTrigger(**clock, day=day), CronTrigger(**clock, day_of_week=named)])
    except ValueError as error:
        raise BadMapping(
            f"“{text}”不是五段的 cron 表达式（分 时 日 月 周）",
            f"{text!r} is not a cron expression of five fields (minute hour day month weekday)",
            where=f"{where}.cron",
            remote=str(error),
        ) from error


def _weekdays(field: str) -> str:
    """crontab's weekdays (0 and 7 are Sunday) as names: APScheduler 3 counts from Monday."""
    names: list[str] = []
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        begin, _, end = span.partition("-")
        low = _weekday(begin)
        high = _weekday(end) if end else (6 if step else low)
        if high < low:
            high += 7
        names += [_WEEKDAYS[number % 7] for number in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(names))


def _weekday(text: str) -> int:
    number = int(text) if text.isdecimal() else _WEEKDAYS.index(text)
    if number > 7:
        raise ValueError(f"weekday {text}")
    return number

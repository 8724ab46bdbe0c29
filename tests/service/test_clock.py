"""Schedules: exact distances, calendar months, crontab's own weekdays, start and offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadMapping
from runtime.mapping.models import Schedule
from runtime.service.clock import compile_schedule

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 10, 9, 30, tzinfo=SHANGHAI)


def moments(schedule: Schedule, count: int, *, now: datetime = NOW, timezone: str = "Asia/Shanghai") -> list[datetime]:
    trigger = compile_schedule(schedule, timezone=timezone, now=now, where="test")
    found: list[datetime] = []
    previous = None
    for _ in range(count):
        moment = trigger.get_next_fire_time(previous, now)
        assert moment is not None
        found.append(moment)
        previous, now = moment, moment
    return found


def test_every_without_start_fires_at_once_and_then_in_exact_steps() -> None:
    assert moments(Schedule(every="30s"), 3) == [NOW, NOW + timedelta(seconds=30), NOW + timedelta(seconds=60)]


def test_every_with_start_waits_for_it_and_keeps_its_rhythm() -> None:
    first = moments(Schedule(every="2h", start="2026-03-10T08:00"), 2)
    assert first == [datetime(2026, 3, 10, 10, tzinfo=SHANGHAI), datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)]
    later = moments(Schedule(every="5m", start="2026-04-01T00:00:00+08:00"), 1)
    assert later == [datetime(2026, 4, 1, tzinfo=SHANGHAI)]


def test_a_month_is_a_calendar_month_and_the_31st_never_gets_lost() -> None:
    days = [m.date().isoformat() for m in moments(Schedule(every="1M", start="2026-03-31T06:00"), 4)]
    assert days == ["2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]


def test_days_keep_the_wall_clock_across_summer_time_and_hours_do_not() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 3, 28, 12, tzinfo=berlin)
    daily = moments(Schedule(every="1d", start="2026-03-28T12:00"), 2, now=before, timezone="Europe/Berlin")
    assert [m.hour for m in daily] == [12, 12]
    assert daily[1].astimezone(UTC) - daily[0].astimezone(UTC) == timedelta(hours=23)
    exact = moments(Schedule(every="24h", start="2026-03-28T12:00"), 2, now=before, timezone="Europe/Berlin")
    assert exact[1].astimezone(UTC) - exact[0].astimezone(UTC) == timedelta(hours=24)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 8 * * 0", "2026-03-15"),  # Sunday, as crontab(5) counts
        ("0 8 * * 7", "2026-03-15"),
        ("0 8 * * 1-5", "2026-03-11"),
        ("0 8 * * fri-sun", "2026-03-13"),
        ("0 8 * * 5-7", "2026-03-13"),
        ("0 8 1 * *", "2026-04-01"),
        ("0 8 20 * 6", "2026-03-14"),  # both days restricted: either is enough
    ],
)
def test_cron_counts_weekdays_as_crontab_does(cron: str, expected: str) -> None:
    assert moments(Schedule(cron=cron), 1)[0].isoformat() == f"{expected}T08:00:00+08:00"


def test_offset_delays_each_moment() -> None:
    late = moments(Schedule(cron="*/15 * * * *", offset="10s"), 2)
    assert [m.isoformat() for m in late] == ["2026-03-10T09:30:10+08:00", "2026-03-10T09:45:10+08:00"]


def test_the_schedule_may_name_its_own_zone() -> None:
    tokyo = moments(Schedule(cron="0 9 * * *", timezone="Asia/Tokyo"), 1)[0]
    assert tokyo.astimezone(UTC).hour == 0


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(every="1m", timezone="Mars/Olympus"),
        Schedule(every="1m", start="tomorrow"),
        Schedule(cron="61 * * * *"),
        Schedule(cron="* * * *"),
        Schedule(cron="* * * * 9"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_named(schedule: Schedule) -> None:
    with pytest.raises(BadMapping) as caught:
        compile_schedule(schedule, timezone="Asia/Shanghai", now=NOW, where="flows.submit")
    assert caught.value.where.startswith("flows.submit.")


@given(
    every=st.sampled_from(["1s", "45s", "7m", "3h", "1d", "2w", "1M", "5M"]),
    asleep=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)),
)
def test_a_clock_that_was_away_fires_once_and_stays_on_the_grid(every: str, asleep: timedelta) -> None:
    trigger = compile_schedule(Schedule(every=every), timezone="Asia/Shanghai", now=NOW, where="x")
    first = trigger.get_next_fire_time(None, NOW)
    assert first == NOW
    woken = trigger.get_next_fire_time(first, NOW + asleep)
    assert woken is not None
    assert woken > NOW
    assert woken >= NOW + asleep
    fresh = trigger.get_next_fire_time(woken, woken)
    assert fresh is not None
    assert fresh > woken

"""The clock of the service: every flow with a schedule is a job that ticks the dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from runtime.errors import BadMapping
from runtime.mapping.models import Schedule
from runtime.service.clock import compile_schedule
from runtime.service.dispatcher import Dispatcher
from runtime.service.live import LiveMappings
from runtime.store.columns import utc_now

__all__ = ["Schedules"]

log = structlog.get_logger(__name__)

#: (mapping, flow) → moment and state of a run.
Ticks = Mapping[tuple[str, str], tuple[datetime, str]]


class Schedules:
    """Keeps the jobs in step with the mappings; a flow whose schedule did not change keeps its rhythm."""

    def __init__(self, live: LiveMappings, dispatcher: Dispatcher, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._live = live
        self._dispatcher = dispatcher
        self._now = clock
        self._clock: Any = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        )
        self._known: dict[str, tuple[Schedule, str]] = {}
        #: Flows whose schedule makes no sense: job → the error.
        self.problems: dict[str, BadMapping] = {}

    @property
    def running(self) -> bool:
        """Whether the clock ticks."""
        return bool(self._clock.running)

    def start(self, last: Ticks | None = None) -> None:
        """Start the clock with the mappings as they are, and follow their changes.

        :param last: the last run on schedule of each flow. Moments that passed while no runtime was there, however
            many, become one tick now; so does a run that was broken off
        """
        self.update()
        self._live.on_change(self.update)
        self._clock.start()
        for key, (moment, state) in (last or {}).items():
            if self._missed("/".join(key), moment, state):
                log.info("schedule is made up for", mapping=key[0], flow=key[1], last=moment.isoformat())
                self._dispatcher.spawn(self._dispatcher.tick(*key), name="/".join(key))

    def _missed(self, job: str, moment: datetime, state: str) -> bool:
        schedule, timezone = self._known.get(job, (None, ""))
        if schedule is None or (schedule.cron is None and schedule.start is None):
            # Without a fixed moment it is due at once anyway.
            return False
        now = self._now()
        trigger = compile_schedule(schedule, timezone=timezone, now=now, where=job)
        due = trigger.get_next_fire_time(moment, moment)
        return state == "stopped" or (due is not None and due <= now)

    def update(self) -> None:
        """Add, replace and remove jobs so that they match the mappings in force."""
        wanted = {
            f"{mapping.id}/{name}": (mapping.id, name, flow.trigger.schedule, mapping.timezone)
            for mapping, name, flow in self._live.flows()
            if flow.trigger.schedule is not None
        }
        for job in self._known.keys() - wanted.keys():
            self._remove(job)
        self.problems = {job: error for job, error in self.problems.items() if job in wanted}
        for job, (mapping_id, flow_name, schedule, timezone) in wanted.items():
            if self._known.get(job) == (schedule, timezone):
                continue
            try:
                trigger = compile_schedule(
                    schedule, timezone=timezone, now=self._now(), where=f"{job}.trigger.schedule"
                )
            except BadMapping as error:
                self.problems[job] = error
                log.error("schedule is wrong", flow=job, zh=error.sentence("zh-CN"), en=error.sentence("en"))
                if job in self._known:
                    self._remove(job)
                continue
            self.problems.pop(job, None)
            self._clock.add_job(
                self._dispatcher.tick, trigger, args=(mapping_id, flow_name), id=job, replace_existing=True
            )
            self._known[job] = (schedule, timezone)

    def _remove(self, job: str) -> None:
        self._clock.remove_job(job)
        del self._known[job]

    def next_runs(self) -> dict[str, datetime]:
        """When each flow is due next (UTC)."""
        due = {job.id: getattr(job, "next_run_time", None) for job in self._clock.get_jobs()}
        return {job: moment.astimezone(UTC) for job, moment in due.items() if moment is not None}

    def stop(self) -> None:
        """Stop the clock; runs in progress are not touched."""
        if self._clock.running:
            self._clock.shutdown(wait=False)

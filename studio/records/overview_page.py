"""The Overview page: what runs, what failed, what waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import IntegrationError
from runtime.mapping.folder import StoredMapping
from runtime.mapping.models import Flow, Mapping
from runtime.service.clock import compile_schedule
from runtime.store.database import RuntimeInfo
from runtime.store.inbox import count_events
from runtime.store.ledger import DeliveryState
from runtime.store.listings import count_deliveries, count_open_approvals, list_deliveries
from runtime.store.runs import RunInfo, list_runs
from studio.deliveries.story import document_of, one_language
from studio.i18n import known, language, plain, t
from studio.records.tables import error_text, local, outcome_by_hour
from studio.text import named, problem_text
from studio.workspace import Workspace, explained, workspace

__all__ = ["show"]

_HOURS = 24
_MANY = 5000
#: Deliveries that wait for a person, listed here; the Deliveries page has all of them.
_SHOWN = 20


def show() -> None:
    """Draw the page."""
    st.header(t("overview.title"))
    with explained():
        space = workspace()
        alive = space.database.runtime_alive()
        _runtime(space, alive)
        mappings, problems = space.mappings.load_all()
        for problem in problems:
            st.error(f"{plain(problem.where)} · {plain(problem_text(problem))}", icon=":material/broken_image:")
        for overlap in space.overlaps([stored.mapping for stored in mappings]):
            if overlap.mapping <= overlap.other:  # the other way round it says the same
                st.warning(plain(problem_text(overlap.problem)), icon=":material/content_copy:")
        now = datetime.now(UTC)
        runs = space.database.read(
            lambda connection: list_runs(connection, since=now - timedelta(hours=_HOURS), with_empty=False, limit=_MANY)
        )
        _numbers(space, runs, {stored.mapping.id: stored.mapping.title for stored in mappings})
        _flows(space, mappings, alive, now)
        _chart(runs, now)


def _runtime(space: Workspace, alive: RuntimeInfo | None) -> None:
    status, refresh = st.columns([5, 1], vertical_alignment="center")
    if alive is None:
        status.warning(t("overview.no_runtime"), icon=":material/pause_circle:")
    else:
        since = local(alive.started_at, DEFAULT_TIMEZONE)
        status.success(
            t("overview.runtime", host=plain(alive.host), url=alive.url.replace("`", ""), since=since),
            icon=":material/play_circle:",
        )
    refresh.button(t("overview.refresh"), icon=":material/refresh:", width="stretch")
    st.caption(t("overview.folder", folder=plain(space.settings.mappings.resolve())))


def _numbers(space: Workspace, runs: list[RunInfo], titles: dict[str, str]) -> None:
    unknown, failed, open_approvals, unfinished, waiting = space.database.read(
        lambda connection: (
            count_deliveries(connection, states=[DeliveryState.UNKNOWN]),
            count_deliveries(connection, states=[DeliveryState.FAILED]),
            count_open_approvals(connection),
            count_events(connection, states=["new", "working", "failed"]),
            list_deliveries(connection, states=[DeliveryState.UNKNOWN, DeliveryState.FAILED], limit=_SHOWN),
        )
    )
    columns = st.columns(5)
    columns[0].metric(t("overview.done"), sum(run.done for run in runs))
    columns[1].metric(t("overview.failed"), failed)
    columns[2].metric(t("overview.unknown"), unknown, help=t("overview.unknown_help"))
    columns[3].metric(t("overview.open"), open_approvals)
    columns[4].metric(t("overview.events"), unfinished, help=t("overview.events_help"))
    if waiting:
        with st.expander(t("overview.waiting", count=unknown + failed), expanded=True):
            st.dataframe(
                [
                    {
                        t("overview.document"): document_of(item),
                        t("overview.mapping"): named(titles.get(item.mapping, ""), item.mapping),
                        t("overview.state"): t(f"delivery.state.{item.state}"),
                        t("overview.reason"): error_text(item.error, language()) or one_language(item.note, language()),
                    }
                    for item in waiting
                ],
                hide_index=True,
                width="stretch",
            )


def _flows(space: Workspace, mappings: list[StoredMapping], alive: RuntimeInfo | None, now: datetime) -> None:
    st.subheader(t("overview.flows"))
    rows = [
        _flow_row(space, stored.mapping, name, ticking=alive is not None and stored.mapping.enabled, now=now)
        for stored in mappings
        for name in stored.mapping.flows
    ]
    if rows:
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.info(t("overview.no_flows"))


def _flow_row(space: Workspace, mapping: Mapping, name: str, *, ticking: bool, now: datetime) -> dict[str, Any]:
    flow = mapping.flows[name]
    last = space.database.read(lambda connection: list_runs(connection, mapping=mapping.id, flow=name, limit=1))
    run = last[0] if last else None
    return {
        t("overview.mapping"): named(mapping.title, mapping.id),
        t("overview.flow"): flow.title or name,
        t("overview.trigger"): _trigger(mapping, name),
        t("overview.on"): mapping.enabled,
        t("overview.last"): local(run.started_at or run.queued_at, mapping.timezone) if run else "",
        t("overview.state"): t(f"state.{run.state}") if run else "",
        t("overview.next"): _next(mapping, flow, run, now) if ticking else "",
    }


def _trigger(mapping: Mapping, name: str) -> str:
    trigger = mapping.flows[name].trigger
    if trigger.schedule is not None:
        if trigger.schedule.every:
            return t("overview.schedule", when=trigger.schedule.every)
        return t("overview.cron", when=trigger.schedule.cron)
    if trigger.event is not None:
        return known(f"overview.event.{trigger.event.type}", t("overview.event", type=trigger.event.type))
    if trigger.http is not None:
        return f"HTTP /flows/{mapping.http_path(name)}"
    return t("runs.cause.manual")


def _next(mapping: Mapping, flow: Flow, last: RunInfo | None, now: datetime) -> str:
    schedule = flow.trigger.schedule
    if schedule is None:
        return ""
    if schedule.start is None and last is not None:
        # Without a fixed start the rhythm counts from the runs themselves.
        schedule = schedule.model_copy(update={"start": (last.started_at or last.queued_at).isoformat()})
    try:
        trigger = compile_schedule(schedule, timezone=mapping.timezone, now=now, where=mapping.id)
    except IntegrationError as error:
        return error.sentence(language())
    return local(trigger.get_next_fire_time(None, now), mapping.timezone)


def _chart(runs: list[RunInfo], now: datetime) -> None:
    st.subheader(t("overview.chart", hours=_HOURS))
    rows = outcome_by_hour(runs, now=now, hours=_HOURS, timezone=DEFAULT_TIMEZONE)
    frame = pd.DataFrame(rows).set_index("hour")
    frame.columns = pd.Index([t("overview.done"), t("overview.failed")])
    st.bar_chart(frame, color=["#2da44e", "#cf222e"], stack=True, height=240)

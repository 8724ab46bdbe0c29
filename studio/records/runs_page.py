"""The Runs page: runs by mapping, state, time and text; a run opens into its documents and their steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import streamlit as st

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.store.runs import ACTIVE, RunDocument, RunInfo, get_run, list_run_documents, list_runs, queue_run
from studio.i18n import language, plain, t
from studio.records.tables import GOOD, duration, error_text, local, run_export
from studio.text import headed, named
from studio.workspace import Workspace, explained, workspace

__all__ = ["show"]

_STATES = ("queued", "running", "succeeded", "partial", "failed", "stopped")
#: Key of the label → hours back; None = from the beginning.
_PERIODS: dict[str, int | None] = {"hour": 1, "day": 24, "week": 168, "month": 720, "all": None}
_LIMIT = 200
#: Query parameter that opens one run, so that it can be linked to.
_RUN = "run"


def show() -> None:
    """Draw the page."""
    st.header(t("runs.title"))
    with explained():
        space = workspace()
        titles = space.titles()
        runs = _filtered(space, titles)
        chosen = _table(runs, titles)
        if chosen is not None:
            st.query_params[_RUN] = chosen
        if run_id := st.query_params.get(_RUN):
            run = space.database.read(lambda connection: get_run(connection, run_id))
            if run is None:
                st.info(t("runs.gone", id=plain(run_id)))
            else:
                _run(space, run, titles.get(run.mapping, ""))


def _filtered(space: Workspace, titles: Mapping[str, str]) -> list[RunInfo]:
    mapping_column, state_column, period_column, text_column = st.columns([2, 2, 1, 2])
    mapping = mapping_column.selectbox(
        t("runs.mapping"),
        [None, *space.mappings.ids()],
        format_func=lambda name: named(titles.get(name, ""), name) if name else t("runs.any"),
        key="runs.mapping",
    )
    states = state_column.multiselect(
        t("runs.state"), _STATES, format_func=_state, placeholder=t("runs.any"), key="runs.states"
    )
    period = period_column.selectbox(
        t("runs.period"), list(_PERIODS), index=1, format_func=lambda name: t(f"runs.period.{name}"), key="runs.period"
    )
    text = text_column.text_input(t("runs.text"), placeholder=t("runs.text_hint"), key="runs.text").strip()
    shown_column, refresh_column = st.columns([5, 1])
    with_empty = shown_column.toggle(t("runs.with_empty"), key="runs.with_empty")
    refresh_column.button(t("runs.refresh"), icon=":material/refresh:", width="stretch")
    hours = _PERIODS[period]
    since = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    return space.database.read(
        lambda connection: list_runs(
            connection, mapping=mapping, states=states, since=since, text=text, with_empty=with_empty, limit=_LIMIT
        )
    )


def _table(runs: list[RunInfo], titles: Mapping[str, str]) -> str | None:
    if not runs:
        st.info(t("runs.none"))
        return None
    rows = [
        {
            t("runs.started"): local(run.started_at or run.queued_at, DEFAULT_TIMEZONE),
            t("runs.mapping"): named(titles.get(run.mapping, ""), run.mapping),
            t("runs.flow"): run.flow,
            t("runs.cause"): t(f"runs.cause.{run.cause}"),
            t("runs.state"): _state(run.state),
            t("runs.documents"): run.total,
            t("runs.done"): run.done,
            t("runs.failed"): run.failed,
            t("runs.unknown"): run.unknown,
            t("runs.duration"): duration(run),
            t("runs.error"): error_text(run.error, language()) or run.note,
        }
        for run in runs
    ]
    st.caption(t("runs.choose", count=len(rows)))
    picked: Any = st.dataframe(
        rows, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key="runs.table"
    )
    selected = picked.selection.rows
    return runs[selected[0]].id if selected and selected[0] < len(runs) else None


def _run(space: Workspace, run: RunInfo, title: str) -> None:
    st.subheader(f"{headed(title, run.mapping)} / {plain(run.flow)} · {_state(run.state)}")
    st.caption(f"{run.id} · {local(run.started_at or run.queued_at, DEFAULT_TIMEZONE)} · {duration(run)}")
    if run.error:
        st.error(plain(error_text(run.error, language())))
    if run.note:
        st.info(plain(run.note))
    states = None
    failed_only = st.toggle(t("runs.failed_only"), key="runs.failed_only") if run.failed or run.unknown else False
    if failed_only:
        states = ("failed", "unknown", "stopped")
    documents = space.database.read(
        lambda connection: list_run_documents(connection, run.id, states=states or (), limit=_LIMIT)
    )
    retry_column, download_column, _ = st.columns([1, 1, 3])
    with retry_column:
        _retry(space, run)
    download_column.download_button(
        t("runs.download"),
        data=jsontext.dumps(run_export(run, documents)),
        file_name=f"{run.id}.json",
        mime="application/json",
        icon=":material/download:",
    )
    if run.total > len(documents):
        st.caption(t("runs.shortened", shown=len(documents), total=run.total))
    for item in documents:
        _document(item)


def _retry(space: Workspace, run: RunInfo) -> None:
    alive = space.database.runtime_alive() is not None
    again = st.button(
        t("runs.retry"),
        icon=":material/replay:",
        disabled=not alive or run.state in ACTIVE,
        help=t("runs.retry_help") if alive else t("runs.no_runtime"),
    )
    if again:
        run_id = space.database.write(
            lambda connection: queue_run(
                connection, mapping=run.mapping, flow=run.flow, cause="manual", request=run.request
            )
        )
        st.query_params[_RUN] = run_id
        st.rerun()


def _document(item: RunDocument) -> None:
    good = item.state in GOOD
    title = plain(item.document) if item.document else t("runs.outside")
    label = f"{'✓' if good else '✗'} {title} · {_state(item.state)} · {item.elapsed_ms} ms"
    with st.expander(label, expanded=not good):
        if item.error:
            st.error(plain(error_text(item.error, language())))
        if item.note:
            st.caption(plain(item.note))
        for step in item.steps:
            _step(step)


def _step(step: Any) -> None:
    st.markdown(f"**{plain(step['step'])}** · {plain(step['kind'])} · {step['ms']} ms")
    if "note" in step:
        st.caption(plain(step["note"]))
    if "error" in step:
        st.error(plain(error_text(step["error"], language())))
    shown = [name for name in ("input", "output") if name in step]
    for name, column in zip(shown, st.columns(len(shown)) if shown else [], strict=True):
        column.caption(t(f"runs.{name}"))
        column.code(_pretty(step[name]), language="json", height=240)


def _pretty(value: Any) -> str:
    return msgspec.json.format(jsontext.dumps(value), indent=2).decode()


def _state(name: str) -> str:
    return t(f"state.{name}")

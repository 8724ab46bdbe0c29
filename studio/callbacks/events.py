"""What arrived: the inbox, newest first, and failed events tried again by hand."""

from __future__ import annotations

from typing import Any

import streamlit as st

from runtime.config import DEFAULT_TIMEZONE
from runtime.store.inbox import InboxEvent, connections_with_events, count_events, list_events, retry_event
from studio.deliveries.story import one_language
from studio.i18n import language, plain, t
from studio.records.tables import error_text, local
from studio.text import event_title
from studio.workspace import Workspace

__all__ = ["show_events"]

_LIMIT = 100
#: Failed events shown with their error and a button each.
_OFFERED = 20
_STATES = ("new", "working", "done", "failed")
_DONE = "callbacks.retried"


def show_events(space: Workspace) -> None:
    """Draw the inbox."""
    names = space.database.read(connections_with_events)
    if done := st.session_state.pop(_DONE, None):
        st.success(done, icon=":material/replay:")
    _failed(space)
    name_column, state_column, refresh_column = st.columns([2, 3, 1], vertical_alignment="bottom")
    name = name_column.selectbox(
        t("callbacks.connection"), [None, *names], format_func=lambda name: name or t("runs.any"),
        key="callbacks.events.connection",
    )  # fmt: skip
    states = state_column.multiselect(
        t("runs.state"), _STATES, format_func=lambda state: t(f"event.state.{state}"), placeholder=t("runs.any"),
        key="callbacks.events.states",
    )  # fmt: skip
    refresh_column.button(t("runs.refresh"), icon=":material/refresh:", width="stretch", key="callbacks.refresh")
    found = space.database.read(lambda connection: list_events(connection, name=name, states=states, limit=_LIMIT))
    if found:
        st.dataframe([_row(item) for item in found], hide_index=True, width="stretch")
    else:
        st.info(t("callbacks.no_events"))


def _failed(space: Workspace) -> None:
    count, failed = space.database.read(
        lambda connection: (
            count_events(connection, states=["failed"]),
            list_events(connection, states=["failed"], limit=_OFFERED),
        )
    )
    if not count:
        return
    st.error(t("callbacks.failed", count=count), icon=":material/report:")
    for item in failed:
        text, button = st.columns([5, 1], vertical_alignment="center")
        when = local(item.next_attempt_at, DEFAULT_TIMEZONE)
        later = t("callbacks.again_at", when=plain(when)) if when else t("callbacks.by_hand")
        event = item.event
        text.markdown(
            f"**{plain(event_title(event))}** · {plain(event.instance_id)}"
            f" · {plain(local(item.received_at, DEFAULT_TIMEZONE))} · {later}"
        )
        text.caption(plain(error_text(item.error, language())))
        button.button(
            t("callbacks.retry"), icon=":material/replay:", on_click=_retry, args=(space, item),
            key=f"callbacks.retry.{item.id}", width="stretch",
        )  # fmt: skip


def _retry(space: Workspace, item: InboxEvent) -> None:
    if space.database.write(lambda connection: retry_event(connection, item.id)):
        st.session_state[_DONE] = t("callbacks.retried", instance=plain(item.event.instance_id or item.event.key))


def _row(item: InboxEvent) -> dict[str, Any]:
    outcome = item.event.outcome
    return {
        t("deliveries.received_at"): local(item.received_at, DEFAULT_TIMEZONE),
        t("callbacks.connection"): item.connection,
        t("deliveries.event_type"): event_title(item.event),
        t("deliveries.approval"): item.event.instance_id,
        t("deliveries.verdict"): t(f"verdict.{outcome}") if outcome else "",
        t("deliveries.state"): t(f"event.state.{item.state}"),
        t("deliveries.attempts"): item.attempts,
        t("callbacks.finished"): local(item.finished_at, DEFAULT_TIMEZONE),
        t("deliveries.remark"): error_text(item.error, language()) or one_language(item.note, language()),
    }

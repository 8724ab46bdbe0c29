"""The Deliveries page: which document became which approval, in what state, with which verdict, written back when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from runtime.config import DEFAULT_TIMEZONE
from runtime.store.history import history
from runtime.store.ledger import Delivery, DeliveryState
from runtime.store.listings import count_deliveries, list_deliveries, mappings_with_deliveries
from studio.deliveries.detail import show_delivery
from studio.deliveries.story import document_of, one_language, verdict
from studio.i18n import language, plain, t
from studio.records.tables import error_text, local
from studio.text import named
from studio.workspace import Workspace, explained, workspace

__all__ = ["show"]

#: Key of the label → hours back; None = from the beginning.
_PERIODS: dict[str, int | None] = {"day": 24, "week": 168, "month": 720, "all": None}
_PAGE = 50
#: Query parameter that opens one delivery, so that it can be linked to.
_OPEN = "delivery"
_NUMBER = re.compile("[0-9]{1,9}")
_DONE = "deliveries.done"
_STATES = "deliveries.states"
_PERIOD = "deliveries.period"


def show() -> None:
    """Draw the page."""
    st.header(t("deliveries.title"))
    with explained():
        space = workspace()
        if done := st.session_state.pop(_DONE, None):
            st.success(done, icon=":material/check_circle:")
        _waiting(space)
        titles = space.titles()
        _table(_found(space, titles), titles)
        if asked := st.query_params.get(_OPEN):
            number = int(asked) if _NUMBER.fullmatch(asked) else 0
            told = space.database.read(lambda connection: history(connection, number))
            if told is None:
                st.info(t("deliveries.gone", id=plain(asked)))
            else:
                show_delivery(space, told, titles.get(told.delivery.mapping, ""), done=_DONE)


def _waiting(space: Workspace) -> None:
    count = space.database.read(lambda connection: count_deliveries(connection, states=[DeliveryState.UNKNOWN]))
    if not count:
        return
    text, only = st.columns([5, 1], vertical_alignment="center")
    text.warning(t("deliveries.waiting", count=count), icon=":material/help:")
    only.button(t("deliveries.waiting_only"), on_click=_only_unknown, width="stretch", key="deliveries.only_unknown")


def _only_unknown() -> None:
    st.session_state[_STATES] = [str(DeliveryState.UNKNOWN)]
    st.session_state[_PERIOD] = "all"
    st.session_state["deliveries.text"] = ""
    st.session_state["deliveries.mapping"] = None


def _found(space: Workspace, titles: Mapping[str, str]) -> list[Delivery]:
    mapping_column, state_column, period_column, text_column = st.columns([2, 2, 1, 2])
    known = set(space.mappings.ids()) | set(space.database.read(mappings_with_deliveries))
    mapping = mapping_column.selectbox(
        t("runs.mapping"),
        [None, *sorted(known)],
        format_func=lambda name: named(titles.get(name, ""), name) if name else t("runs.any"),
        key="deliveries.mapping",
    )
    states = state_column.multiselect(
        t("runs.state"), [str(state) for state in DeliveryState], format_func=_state, placeholder=t("runs.any"),
        key=_STATES,
    )  # fmt: skip
    st.session_state.setdefault(_PERIOD, "month")
    period = period_column.selectbox(
        t("runs.period"), list(_PERIODS), format_func=lambda name: t(f"runs.period.{name}"), key=_PERIOD
    )
    text = text_column.text_input(t("runs.text"), placeholder=t("deliveries.text_hint"), key="deliveries.text").strip()
    whole_column, page_column, refresh_column = st.columns([4, 1, 1], vertical_alignment="bottom")
    whole_runs = whole_column.toggle(
        t("deliveries.whole_runs"), help=t("deliveries.whole_runs_help"), key="deliveries.whole"
    )
    refresh_column.button(t("runs.refresh"), icon=":material/refresh:", width="stretch")
    hours = _PERIODS[period]
    wanted: dict[str, Any] = {
        "mapping": mapping,
        "states": states,
        "since": None if hours is None else datetime.now(UTC) - timedelta(hours=hours),
        "text": text,
        "whole_runs": whole_runs,
    }
    count = space.database.read(lambda connection: count_deliveries(connection, **wanted))
    pages = max(1, -(-count // _PAGE))
    number = 1
    if pages > 1:
        number = page_column.number_input(
            t("deliveries.page", pages=pages), min_value=1, max_value=pages, key=f"deliveries.page.{pages}"
        )
    if count:
        st.caption(t("deliveries.choose", count=count))
    return space.database.read(
        lambda connection: list_deliveries(connection, **wanted, limit=_PAGE, offset=(number - 1) * _PAGE)
    )


def _table(found: list[Delivery], titles: Mapping[str, str]) -> None:
    if not found:
        st.info(t("deliveries.none"))
        return
    ids = [one.id for one in found]
    # Another order of rows is another table: a selection must never move on to a different document.
    key = f"deliveries.table.{hash(tuple(ids))}"

    def opened() -> None:
        if selected := st.session_state[key].selection.rows:
            st.query_params[_OPEN] = str(ids[selected[0]])

    st.dataframe(
        [_row(one, titles) for one in found],
        hide_index=True,
        width="stretch",
        on_select=opened,
        selection_mode="single-row",
        key=key,
    )


def _row(one: Delivery, titles: Mapping[str, str]) -> dict[str, Any]:
    ended = verdict(one)
    return {
        t("deliveries.document"): document_of(one),
        t("deliveries.generation"): one.generation,
        t("deliveries.approval"): one.instance_id,
        t("deliveries.state"): _state(one.state),
        t("deliveries.verdict"): t(f"verdict.{ended}") if ended else "",
        t("deliveries.sent_at"): local(one.completed_at, DEFAULT_TIMEZONE),
        t("deliveries.written_back_at"): local(one.outcome_at, DEFAULT_TIMEZONE),
        t("deliveries.remark"): error_text(one.error, language()) or one_language(one.note, language()),
        t("deliveries.mapping"): named(titles.get(one.mapping, ""), one.mapping),
    }


def _state(name: str) -> str:
    return t(f"delivery.state.{name}")

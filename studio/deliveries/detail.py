"""One delivery: where it stands, what happened when, and what surrounds it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from runtime.config import DEFAULT_TIMEZONE
from runtime.store.history import History
from runtime.store.ledger import Delivery, DeliveryState, EffectRecord, EffectState
from studio.deliveries.decide import ask
from studio.deliveries.story import Moment, document_of, one_language, step_note, timeline, verdict
from studio.i18n import LANGUAGES, language, plain, t
from studio.records.tables import error_text, local
from studio.text import event_title, named, pretty
from studio.workspace import Workspace

__all__ = ["show_delivery"]

_MARK = {
    EffectState.DONE: "✓",
    EffectState.INTENT: "…",
    EffectState.SENDING: "…",
    EffectState.ABSENT: "–",
    EffectState.UNKNOWN: "?",
}


def show_delivery(space: Workspace, told: History, title: str, *, done: str) -> None:
    """Draw a delivery with its history; an unknown outcome is decided here.

    :param title: of its mapping; empty where that is gone
    :param done: session key under which a decision leaves its sentence for the next drawing
    """
    one = told.delivery
    st.subheader(t("deliveries.one", document=plain(document_of(one)), state=t(f"delivery.state.{one.state}")))
    _facts(one, title)
    if one.error:
        st.error(plain(error_text(one.error, language())))
    if one.note:
        st.caption(plain(one_language(one.note, language())))
    if one.state is DeliveryState.UNKNOWN:
        ask(space, one, done=done)
    st.markdown(f"**{t('deliveries.history')}**")
    st.dataframe([_moment(moment) for moment in timeline(told)], hide_index=True, width="stretch")
    effects = [effect for run in (one, *told.verdicts) for effect in run.effects.values()]
    if effects:
        with st.expander(t("deliveries.effects", count=len(effects))):
            for effect in sorted(effects, key=lambda effect: effect.started_at):
                _effect(effect)
    _generations(told)
    _events(told)
    _runs(told)


def _facts(one: Delivery, title: str) -> None:
    ended = verdict(one)
    facts = {
        "deliveries.approval": one.instance_id or t("deliveries.no_approval"),
        "deliveries.verdict": t(f"verdict.{ended}") if ended else "—",
        "deliveries.sent_at": local(one.completed_at, DEFAULT_TIMEZONE) or "—",
        "deliveries.written_back_at": local(one.outcome_at, DEFAULT_TIMEZONE) or "—",
    }
    for column, (key, value) in zip(st.columns([3, 1, 2, 2]), facts.items(), strict=True):
        column.caption(t(key))
        column.markdown(f"**{plain(value)}**")
    st.caption(
        t(
            "deliveries.place",
            mapping=plain(named(title, one.mapping)),
            flow=plain(one.flow),
            source=plain(one.source),
            generation=one.generation,
            id=one.id,
        )
    )


def _moment(moment: Moment) -> dict[str, str]:
    detail = moment.detail
    if moment.kind in ("event", "verdict"):
        detail = t(f"verdict.{detail}") if detail else ""
    return {
        t("deliveries.when"): local(moment.at, DEFAULT_TIMEZONE),
        t("deliveries.happened"): t(f"deliveries.moment.{moment.kind}"),
        t("deliveries.step"): moment.what,
        t("deliveries.where"): moment.where,
        t("deliveries.detail"): detail,
    }


def _effect(effect: EffectRecord) -> None:
    adopted = f" · {t('deliveries.adopted')}" if effect.adopted else ""
    state = t(f"effect.state.{effect.state}")
    st.markdown(f"{_MARK[effect.state]} **{plain(effect.step)}** · {plain(step_note(effect))} · {state}{adopted}")
    times = [local(moment, DEFAULT_TIMEZONE) for moment in (effect.started_at, effect.finished_at)]
    st.caption(" → ".join(filter(None, times)))
    shown = {"deliveries.request": effect.request, "deliveries.result": effect.result}
    given = {key: value for key, value in shown.items() if value is not None}
    for column, (key, value) in zip(st.columns(len(given)) if given else [], given.items(), strict=True):
        column.caption(t(key))
        column.code(pretty(value), language="json", height=240 if len(pretty(value)) > 400 else "content")


def _generations(told: History) -> None:
    if len(told.generations) < 2:
        return
    st.markdown(f"**{t('deliveries.generations', count=len(told.generations))}**")
    rows = []
    for one in told.generations:
        ended = verdict(one)
        rows.append(
            {
                t("deliveries.generation"): one.generation,
                t("deliveries.approval"): one.instance_id,
                t("deliveries.state"): t(f"delivery.state.{one.state}"),
                t("deliveries.verdict"): t(f"verdict.{ended}") if ended else "",
                t("deliveries.opened_at"): local(one.opened_at, DEFAULT_TIMEZONE),
                t("deliveries.written_back_at"): local(one.outcome_at, DEFAULT_TIMEZONE),
                t("deliveries.open"): _address("deliveries", delivery=one.id),
            }
        )
    _linked(rows, shows=t("deliveries.open"))


def _events(told: History) -> None:
    if not told.events:
        return
    st.markdown(f"**{t('deliveries.events', count=len(told.events))}**")
    st.dataframe(
        [
            {
                t("deliveries.received_at"): local(item.received_at, DEFAULT_TIMEZONE),
                t("deliveries.event_type"): event_title(item.event),
                t("deliveries.verdict"): t(f"verdict.{item.event.outcome}") if item.event.outcome else "",
                t("deliveries.state"): t(f"event.state.{item.state}"),
                t("deliveries.attempts"): item.attempts,
                t("deliveries.remark"): error_text(item.error, language()) or one_language(item.note, language()),
            }
            for item in told.events
        ],
        hide_index=True,
        width="stretch",
    )


def _runs(told: History) -> None:
    if not told.runs:
        return
    st.markdown(f"**{t('deliveries.runs', count=len(told.runs))}**")
    rows = [
        {
            t("runs.started"): local(run.started_at or run.queued_at, DEFAULT_TIMEZONE),
            t("runs.flow"): run.flow,
            t("runs.cause"): t(f"runs.cause.{run.cause}"),
            t("runs.state"): t(f"state.{run.state}"),
            t("deliveries.open"): _address("runs", run=run.id),
        }
        for run in told.runs
    ]
    _linked(rows, shows=r"run=([^&]+)")


def _linked(rows: list[dict[str, Any]], *, shows: str) -> None:
    link = st.column_config.LinkColumn(display_text=shows)
    st.dataframe(rows, hide_index=True, width="stretch", column_config={t("deliveries.open"): link})


def _address(page: str, **query: Any) -> str:
    chosen = "" if language() == next(iter(LANGUAGES)) else f"&lang={language()}"
    return f"/{page}?" + "&".join(f"{name}={value}" for name, value in query.items()) + chosen

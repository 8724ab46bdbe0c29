"""An unknown outcome is decided by a person: it was created, or it was not and is sent again."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Connection

from runtime.config import DEFAULT_TIMEZONE
from runtime.engine.confirming import confirm_created
from runtime.errors import Unconfirmed
from runtime.store.ledger import Delivery, EffectRecord
from runtime.store.resolution import resolve_created, resolve_resend, unknown_steps
from studio.deliveries.story import document_of, step_note
from studio.i18n import plain, t
from studio.records.tables import local
from studio.text import pretty
from studio.workspace import Workspace, explain, explained

__all__ = ["ask"]

_CHOICES = ("created", "resend")
#: Who decides, remembered for the session.
_BY = "deliveries.by"


def ask(space: Workspace, delivery: Delivery, *, done: str) -> None:
    """Draw the question and carry the answer out.

    :param done: session key under which the answer leaves its sentence for the next drawing
    """
    steps = unknown_steps(delivery)
    if not steps:
        st.info(t("decide.nothing"))
        return
    with st.container(border=True):
        st.markdown(f"**{t('decide.question', document=plain(document_of(delivery)))}**")
        step = steps[0]
        if len(steps) > 1:
            step = st.selectbox(t("decide.step"), steps, key=f"decide.step.{delivery.id}")
        effect = delivery.effects[step]
        _where_to_look(delivery, effect)
        # Every answer is given anew: what was typed for another document must not be confirmed for this one.
        token = f"{delivery.id}.{step}"
        choice = st.radio(
            t("decide.choice"), _CHOICES, index=None, format_func=lambda name: t(f"decide.{name}"),
            key=f"decide.choice.{token}",
        )  # fmt: skip
        if choice is None:
            return
        created = ""
        if choice == "created":
            created = st.text_input(t("decide.instance"), key=f"decide.instance.{token}").strip()
        by = st.text_input(t("decide.by"), value=st.session_state.get(_BY, ""), key=f"decide.by.{token}").strip()
        if choice == "created" and not created:
            st.caption(t("decide.instance_missing"))
            return
        _confirm(space, delivery, effect, choice=choice, created=created, by=by, done=done)


def _where_to_look(delivery: Delivery, effect: EffectRecord) -> None:
    st.caption(
        t(
            "decide.look",
            connection=plain(effect.connection),
            action=plain(effect.action),
            started=plain(local(effect.started_at, DEFAULT_TIMEZONE)),
        )
    )
    if effect.request is not None:
        with st.expander(t("decide.sent", place=plain(step_note(effect)))):
            st.code(pretty(effect.request), language="json", height=280)


def _confirm(
    space: Workspace, delivery: Delivery, effect: EffectRecord, *, choice: str, created: str, by: str, done: str
) -> None:
    words = {
        "document": plain(document_of(delivery)),
        "connection": plain(effect.connection),
        "instance": plain(created),
        "mapping": plain(delivery.mapping),
    }
    announce = st.info if choice == "created" else st.warning
    announce(t(f"decide.{choice}_means", **words))
    # The box belongs to just this answer: with another id it has to be ticked again.
    token = f"{delivery.id}.{effect.step}.{choice}.{created}"
    sure = st.checkbox(t(f"decide.{choice}_sure", **words), key=f"decide.sure.{token}")
    # What the approval system said about just this id, until it is asked again.
    doubt = f"decide.doubt.{token}"
    unchecked = False
    if doubt in st.session_state:
        explain(st.session_state[doubt])
        unchecked = st.checkbox(t("decide.unchecked", **words), key=f"decide.unchecked.{token}")
    pressed = st.button(
        t(f"decide.{choice}_do", **words),
        type="primary",
        disabled=not (sure and by),
        help=None if by else t("decide.by_missing"),
        key=f"decide.do.{token}",
    )
    if not pressed:
        return

    def carry_out(connection: Connection) -> Delivery:
        if choice == "created":
            return resolve_created(connection, delivery.id, created, by=by, step=effect.step)
        return resolve_resend(connection, delivery.id, by=by, step=effect.step)

    with explained():
        if choice == "created" and not unchecked:
            try:
                with st.spinner(t("decide.asking", **words)):
                    space.bridge.run(
                        confirm_created(space.database, space.pool, delivery.id, created, step=effect.step)
                    )
            except Unconfirmed as error:
                st.session_state[doubt] = error
                st.rerun()
        space.database.write(carry_out)
        st.session_state.pop(doubt, None)
        st.session_state[_BY] = by
        running = space.database.runtime_alive() is not None
        later = "" if running else t("decide.no_runtime")
        st.session_state[done] = t(f"decide.{choice}_done", **words) + later
        st.rerun()

"""Verdicts of a system that sends no callbacks of its own: it calls an HTTP flow, and is asked as well."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from runtime.connectors.registry import connector_kinds
from runtime.mapping.choosing import names_of
from runtime.mapping.models import Mapping
from runtime.store.connections import ConnectionInfo
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import http_flows, subscriptions
from studio.callbacks.filters import show_filters
from studio.i18n import plain, t
from studio.workspace import Workspace

__all__ = ["reports_to_us", "show_reporting"]


def reports_to_us(info: ConnectionInfo) -> bool:
    """Whether a connection is to an approval system without callbacks of its own."""
    kind = connector_kinds().get(info.kind)
    return kind is not None and kind.has_forms and not kind.has_callback


def show_reporting(
    space: Workspace, info: ConnectionInfo, mappings: Sequence[Mapping], alive: RuntimeInfo | None
) -> None:
    """Draw the set-up: the addresses to call, what to send there, and which flows take verdicts that never came."""
    by_id = {mapping.id: mapping for mapping in mappings}
    base = space.settings.public_url or (alive.url if alive else "")
    st.markdown(f"**{t('callbacks.reporting.step.address')}**")
    found = [
        flow
        for flow in http_flows(mappings)
        if flow.trigger.event is not None and info.name in names_of(by_id[flow.mapping], flow.trigger.event.connection)
    ]
    if not found:
        st.info(t("callbacks.reporting.no_flow"))
    for flow in found:
        title = f"{plain(flow.mapping)} · {plain(flow.flow)}"
        st.caption(title if by_id[flow.mapping].enabled else f"{title} · {t('callbacks.switched_off')}")
        st.code(flow.address(base), language=None)
    st.markdown(f"**{t('callbacks.reporting.step.send')}**")
    st.markdown(t("callbacks.reporting.send"))
    st.markdown(f"**{t('callbacks.reporting.step.missed')}**")
    st.caption(t("callbacks.reporting.missed"))
    show_filters(subscriptions(mappings, info.name))

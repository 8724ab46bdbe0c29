"""Verdicts of a system that sends no callbacks of its own: it calls an HTTP flow, and may be asked as well."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from runtime.connectors.registry import connector_kind
from runtime.mapping.models import Mapping
from runtime.store.connections import ConnectionInfo
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import http_flows, subscriptions
from studio.callbacks.filters import show_filters
from studio.callbacks.flows import draw_flows
from studio.i18n import t
from studio.workspace import Workspace

__all__ = ["reports_to_us", "show_reporting"]


def reports_to_us(info: ConnectionInfo) -> bool:
    """Whether a connection is to an approval system without callbacks of its own."""
    kind = connector_kind(info.kind)
    return kind is not None and kind.has_forms and not kind.has_callback


def show_reporting(
    space: Workspace, info: ConnectionInfo, mappings: Sequence[Mapping], alive: RuntimeInfo | None
) -> None:
    """Draw the set-up: the addresses to call, what to send there, and which flows take verdicts that never came."""
    st.markdown(f"**{t('callbacks.reporting.step.address')}**")
    flows = [flow for flow in http_flows(mappings) if flow.about == info.name]
    if flows:
        draw_flows(space, flows, alive, place="reporting")
    else:
        st.info(t("callbacks.reporting.no_flow"))
    st.markdown(f"**{t('callbacks.reporting.step.send')}**")
    st.markdown(t("callbacks.reporting.send"))
    st.markdown(f"**{t('callbacks.reporting.step.missed')}**")
    st.caption(t("callbacks.reporting.missed"))
    show_filters(subscriptions(mappings, info.name))

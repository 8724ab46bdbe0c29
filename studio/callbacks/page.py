"""The Callbacks page: where events are to be sent and with which keys, what arrived, who may call the HTTP flows."""

from __future__ import annotations

import streamlit as st

from runtime.connectors.registry import connector_kinds
from studio.callbacks.addresses import http_flows
from studio.callbacks.events import show_events
from studio.callbacks.flows import show_flows
from studio.callbacks.receiving import show_receiving
from studio.callbacks.reporting import reports_to_us
from studio.callbacks.stream import way_of
from studio.i18n import plain, t
from studio.workspace import Workspace, explained, workspace

__all__ = ["show"]


def show() -> None:
    """Draw the page."""
    st.header(t("callbacks.title"))
    with explained():
        space = workspace()
        alive = space.database.runtime_alive()
        mappings = [stored.mapping for stored in space.mappings.load_all()[0]]
        kinds = connector_kinds()
        sending = [info for info in space.connections.list() if info.kind in kinds and kinds[info.kind].has_callback]
        approving = [info for info in space.connections.list() if info in sending or reports_to_us(info)]
        streaming = bool(sending) and all(way_of(info) == "stream" for info in sending)
        if not streaming or http_flows(mappings):
            _address_hint(space)
        receiving, arrived, calls = st.tabs(
            [t("callbacks.tab.receiving"), t("callbacks.tab.events"), t("callbacks.tab.flows")]
        )
        with receiving, explained():
            show_receiving(space, approving, mappings, alive)
        with arrived, explained():
            show_events(space)
        with calls, explained():
            show_flows(space, mappings, alive)


def _address_hint(space: Workspace) -> None:
    public = space.settings.public_url
    if not public:
        st.warning(t("callbacks.no_public_url"), icon=":material/public_off:")
    elif not public.startswith("https://"):
        st.warning(t("callbacks.not_https", url=plain(public)), icon=":material/lock_open:")

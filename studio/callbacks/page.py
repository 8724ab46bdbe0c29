"""The Callbacks page: where events are to be sent and with which keys, what arrived, who may call the HTTP flows."""

from __future__ import annotations

import streamlit as st

from runtime.connectors.registry import connector_kinds
from studio.callbacks.addresses import http_flows
from studio.callbacks.events import show_events
from studio.callbacks.flows import show_flows
from studio.callbacks.receiving import show_receiving
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
        # An approval system without callbacks of its own reports over HTTP flows.
        sending = [info for info in space.connections.list() if info.kind in kinds and kinds[info.kind].has_forms]
        pushing = not sending or any(kinds[info.kind].has_callback and way_of(info) == "http" for info in sending)
        if pushing or http_flows(mappings):
            _address_hint(space, pushing=pushing)
        receiving, arrived, calls = st.tabs(
            [t("callbacks.tab.receiving"), t("callbacks.tab.events"), t("callbacks.tab.flows")]
        )
        with receiving, explained():
            show_receiving(space, sending, mappings, alive)
        with arrived, explained():
            show_events(space)
        with calls, explained():
            show_flows(space, mappings, alive)


def _address_hint(space: Workspace, *, pushing: bool) -> None:
    """What is missing where others have to reach the runtime.

    :param pushing: from the internet; otherwise from the company's own network
    """
    public = space.settings.public_url
    if not public:
        st.warning(t(f"callbacks.no_{'public' if pushing else 'local'}_url"), icon=":material/public_off:")
    elif not public.startswith("https://"):
        st.warning(t("callbacks.not_https", url=plain(public)), icon=":material/lock_open:")

"""HTTP flows: their addresses and AppCodes, shown when asked for, and changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from runtime.mapping.models import Mapping
from runtime.store.appcodes import AppCodes
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import HttpFlow, http_flows
from studio.i18n import plain, t
from studio.text import headed, pretty
from studio.workspace import Workspace

__all__ = ["draw_flows", "show_flows"]

_HEADER = "X-Apig-AppCode"


def show_flows(space: Workspace, mappings: Sequence[Mapping], alive: RuntimeInfo | None) -> None:
    """Draw every HTTP flow with its address and code."""
    flows = http_flows(mappings)
    if not flows:
        st.info(t("callbacks.no_http_flow"))
        return
    draw_flows(space, flows, alive)


def draw_flows(space: Workspace, flows: Sequence[HttpFlow], alive: RuntimeInfo | None, place: str = "appcode") -> None:
    """Draw HTTP flows.

    :param place: the same flow may be drawn in several places of a page
    """
    st.caption(t("callbacks.appcode_what", header=plain(_HEADER)))
    base = space.settings.public_url or (alive.url if alive else "")
    codes = AppCodes(space.database, space.vault)
    for flow in flows:
        with st.container(border=True, key=f"{place}.{flow.mapping}.{flow.flow}"):
            _flow(codes, flow, base, place)


def _flow(codes: AppCodes, flow: HttpFlow, base: str, place: str) -> None:
    name = f"{flow.mapping}/{flow.flow}"
    off = "" if flow.enabled else f" :orange-badge[{t('callbacks.switched_off')}]"
    st.markdown(f"**{headed(flow.title, name)}** · {plain(' '.join(flow.trigger.methods))}{off}")
    st.code(flow.address(base), language=None)
    if flow.sample is not None:
        st.caption(t("callbacks.sample"))
        st.code(pretty(flow.sample), language="json", height=220)
    show_column, rotate_column, _ = st.columns([1, 1, 3])
    code = ""
    if show_column.button(t("callbacks.appcode_show"), icon=":material/visibility:", key=f"{place}.show.{name}"):
        code = codes.get(flow.mapping, flow.flow)
    with rotate_column.popover(t("callbacks.appcode_rotate"), icon=":material/autorenew:"):
        st.write(t("callbacks.appcode_rotate_means", flow=plain(name)))
        if st.button(t("callbacks.appcode_rotate_do"), type="primary", key=f"{place}.rotate.{name}"):
            code = codes.rotate(flow.mapping, flow.flow)
    if code:
        st.caption(t("callbacks.appcode_shown"))
        st.code(f"{_HEADER}: {code}", language=None)

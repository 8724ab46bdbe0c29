"""HTTP flows: their addresses and AppCodes, shown when asked for, and changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from runtime.mapping.models import Mapping
from runtime.store.appcodes import AppCodes
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import HttpFlow, http_flows
from studio.i18n import plain, t
from studio.workspace import Workspace

__all__ = ["show_flows"]

_HEADER = "X-Apig-AppCode"


def show_flows(space: Workspace, mappings: Sequence[Mapping], alive: RuntimeInfo | None) -> None:
    """Draw every HTTP flow with its address and code."""
    flows = http_flows(mappings)
    if not flows:
        st.info(t("callbacks.no_http_flow"))
        return
    st.caption(t("callbacks.appcode_what", header=plain(_HEADER)))
    base = space.settings.public_url or (alive.url if alive else "")
    codes = AppCodes(space.database, space.vault)
    for flow in flows:
        with st.container(border=True):
            _flow(codes, flow, base)


def _flow(codes: AppCodes, flow: HttpFlow, base: str) -> None:
    place = f"{flow.mapping}/{flow.flow}"
    st.markdown(f"**{plain(place)}** · {plain(' '.join(flow.trigger.methods))}")
    st.code(flow.address(base), language=None)
    show_column, rotate_column, _ = st.columns([1, 1, 3])
    code = ""
    if show_column.button(t("callbacks.appcode_show"), icon=":material/visibility:", key=f"appcode.show.{place}"):
        code = codes.get(flow.mapping, flow.flow)
    with rotate_column.popover(t("callbacks.appcode_rotate"), icon=":material/autorenew:"):
        st.write(t("callbacks.appcode_rotate_means", flow=plain(place)))
        if st.button(t("callbacks.appcode_rotate_do"), type="primary", key=f"appcode.rotate.{place}"):
            code = codes.rotate(flow.mapping, flow.flow)
    if code:
        st.caption(t("callbacks.appcode_shown"))
        st.code(f"{_HEADER}: {code}", language=None)

"""Receiving events of one connection: which way, its address, its keys, the filters to type in, and the self-test."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from runtime.connectors.registry import open_connector
from runtime.connectors.wecom.connector import WeComConnector
from runtime.mapping.models import Mapping
from runtime.store.connections import ConnectionInfo
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import callback_address, reachable, subscriptions
from studio.callbacks.filters import show_filters
from studio.callbacks.keys import new_aes_key, new_token
from studio.callbacks.reporting import reports_to_us, show_reporting
from studio.callbacks.selftest import Verdict, check
from studio.callbacks.stream import choose_way, show_stream
from studio.callbacks.trust import show_trust_files
from studio.connections.form import environment_name
from studio.i18n import plain, t
from studio.text import listed
from studio.workspace import Workspace, explained

__all__ = ["show_receiving"]

_KEYS = ("aes_key", "token")
#: New keys as they were made, by connection, until they are put away: (moment, key, token).
_FRESH = "callbacks.fresh"
#: Seconds for which new keys are shown at most.
_SHOWN = 600
_GOOD = "ok"


def show_receiving(
    space: Workspace, approving: Sequence[ConnectionInfo], mappings: Sequence[Mapping], alive: RuntimeInfo | None
) -> None:
    """Draw the set-up of one connection that verdicts come from."""
    if not approving:
        st.info(t("callbacks.no_connection"))
        return
    by_name = {info.name: info for info in approving}
    name = next(iter(by_name))
    if len(by_name) > 1:
        name = st.selectbox(t("callbacks.connection"), list(by_name), key="callbacks.connection")
    info = by_name[name]
    if reports_to_us(info):
        show_reporting(space, info, mappings, alive)
        return
    waiting = subscriptions(mappings, name)
    if choose_way(space, info) == "stream":
        show_stream(space, info, waiting, alive)
        return
    is_wecom = info.kind == WeComConnector.kind
    st.markdown(f"**{t('callbacks.step.keys', name=plain(name))}**")
    _keys(space, info)
    base = space.settings.public_url or (alive.url if alive else "")
    if is_wecom:
        st.markdown(f"**{t('callbacks.wecom.step.trust')}**")
        show_trust_files(space)
    system = "callbacks.wecom" if is_wecom else "callbacks"
    st.markdown(f"**{t(f'{system}.step.console')}**")
    _console(base, name, system)
    st.markdown(f"**{t(f'{system}.step.filters')}**")
    # WeCom sends the events of every template
    show_filters([replace(one, filters=()) for one in waiting] if is_wecom else waiting)
    st.markdown(f"**{t(f'{system}.step.test')}**")
    _self_test(space, name, alive, system)


def _keys(space: Workspace, info: ConnectionInfo) -> None:
    fresh = st.session_state.get(_FRESH, {}).get(info.name)
    if fresh is not None and time.time() - fresh[0] < _SHOWN:
        st.success(t("callbacks.keys_saved"), icon=":material/key:")
        for label, value in zip(_KEYS, fresh[1:], strict=True):
            st.caption(t(f"callbacks.{label}"))
            st.code(value, language=None)
        st.button(t("callbacks.keys_copied"), on_click=_put_away, args=(info.name,), key="callbacks.copied")
        return
    references = {name: environment_name(info.settings.get(name)) for name in _KEYS}
    stored = all(name in info.secret_names or references[name] for name in _KEYS)
    if stored:
        st.caption(t("callbacks.keys_stored"))
    else:
        st.caption(t("callbacks.keys_missing"))
    variables = [variable for variable in references.values() if variable]
    if variables:
        st.caption(t("callbacks.keys_environment", names=plain(listed(variables))))
    sure = not stored or st.checkbox(t("callbacks.keys_replace"), key=f"callbacks.replace.{info.name}")
    st.button(
        t("callbacks.keys_make"),
        icon=":material/casino:",
        type="secondary" if stored else "primary",
        disabled=not sure,
        on_click=_make,
        args=(space, info),
        key="callbacks.make",
    )


def _make(space: Workspace, info: ConnectionInfo) -> None:
    aes_key, token = new_aes_key(), new_token()
    with explained():
        settings = dict(info.settings)
        # What is left out keeps its stored value.
        space.connections.save(info.name, {**settings, "kind": info.kind, "aes_key": aes_key, "token": token})
        st.session_state.setdefault(_FRESH, {})[info.name] = (time.time(), aes_key, token)
        st.session_state.pop(f"callbacks.replace.{info.name}", None)


def _put_away(name: str) -> None:
    st.session_state.get(_FRESH, {}).pop(name, None)


def _console(base: str, name: str, system: str) -> None:
    st.markdown(t(f"{system}.console_where"))
    address = callback_address(base, name) if base else ""
    st.caption(t("callbacks.address"))
    if address:
        st.code(address, language=None)
    else:
        st.info(t("callbacks.no_address", path=plain(callback_address("", name))))
    st.markdown(t(f"{system}.console_then"))


def _self_test(space: Workspace, name: str, alive: RuntimeInfo | None, system: str) -> None:
    st.caption(t(f"{system}.test_what"))
    local_column, public_column, _ = st.columns([1, 1, 2])
    base = ""
    if local_column.button(t("callbacks.test"), icon=":material/network_check:", type="primary", key="callbacks.test"):
        if alive is None:
            st.error(t("callbacks.verdict.not_running"), icon=":material/pause_circle:")
            return
        base = reachable(alive.url)
    public = space.settings.public_url
    if public and public_column.button(
        t("callbacks.test_public"), icon=":material/public:", key="callbacks.test_public"
    ):
        base = public
    if base:
        _run_test(space, name, base)


def _run_test(space: Workspace, name: str, base: str) -> None:
    document = space.connections.document(name)

    async def ask() -> tuple[Verdict, str]:
        connector = open_connector(name, document)
        try:
            return await check(name, connector.settings, base)
        finally:
            await connector.aclose()

    with st.spinner(t("callbacks.testing")):
        verdict, detail = space.bridge.run(ask())
    text = t(f"callbacks.verdict.{verdict}", address=plain(callback_address(base, name)), detail=plain(detail))
    if verdict == _GOOD:
        st.success(text, icon=":material/check_circle:")
    else:
        st.error(text, icon=":material/error:")

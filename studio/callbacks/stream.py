"""Receiving events without a public address: the choice of the way, DingTalk's Stream mode, and its self-test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import streamlit as st

from runtime.config import DEFAULT_TIMEZONE
from runtime.connectors.registry import connector_kind, open_connector
from runtime.store.connections import ConnectionInfo
from runtime.store.database import RuntimeInfo
from studio.callbacks.addresses import Subscription, reachable
from studio.callbacks.filters import show_filters
from studio.i18n import language, plain, t
from studio.records.tables import local
from studio.workspace import Workspace, explained

__all__ = ["choose_way", "show_stream", "way_of"]

_WAYS = ("http", "stream")
#: After so many seconds a live runtime has noticed changed settings.
_NOTICED = 2.0
#: Seconds that it gets to connect.
_CONNECTED = 5.0
_LOOK_EVERY = 0.3


def way_of(info: ConnectionInfo) -> str:
    """How a connection receives its events: ``http`` or ``stream``."""
    kind = connector_kind(info.kind)
    if kind is None or not kind.has_stream:
        return "http"
    return str(info.settings.get("event_mode", "http"))


def choose_way(space: Workspace, info: ConnectionInfo) -> str:
    """Draw the choice, save a change into the connection; the way that holds."""
    kind = connector_kind(info.kind)
    if kind is None or not kind.has_stream:
        return way_of(info)
    key = f"callbacks.way.{info.name}"
    # What is stored counts, also where another page changed it.
    st.session_state[key] = way_of(info)
    st.radio(
        t("callbacks.way", name=plain(info.name)), _WAYS, key=key,
        format_func=lambda way: t(f"callbacks.way.{way}"), captions=[t(f"callbacks.way_what.{way}") for way in _WAYS],
        on_change=_save_way, args=(space, info, key),
    )  # fmt: skip
    return way_of(info)


def _save_way(space: Workspace, info: ConnectionInfo, key: str) -> None:
    with explained():
        document = {**dict(info.settings), "kind": info.kind, "event_mode": st.session_state[key]}
        # What is left out keeps its stored value.
        space.connections.save(info.name, document)


def show_stream(
    space: Workspace, info: ConnectionInfo, waiting: Sequence[Subscription], alive: RuntimeInfo | None
) -> None:
    """Draw the set-up of Stream mode."""
    st.markdown(f"**{t('callbacks.stream.step.start')}**")
    st.markdown(t("callbacks.stream.start"))
    st.markdown(f"**{t('callbacks.stream.step.console')}**")
    st.markdown(t("callbacks.stream.console"))
    st.markdown(f"**{t('callbacks.step.filters')}**")
    show_filters(waiting)
    st.markdown(f"**{t('callbacks.step.test')}**")
    st.caption(t("callbacks.stream.test_what"))
    if st.button(t("callbacks.test"), icon=":material/network_check:", type="primary", key="callbacks.test_stream"):
        with explained():
            _test(space, info, alive)


def _test(space: Workspace, info: ConnectionInfo, alive: RuntimeInfo | None) -> None:
    name = info.name
    document = space.connections.document(name)

    async def ask() -> list[tuple[str, str]]:
        connector = open_connector(name, document)
        try:
            return list((await connector.test()).lines)
        finally:
            await connector.aclose()

    with st.spinner(t("callbacks.testing")):
        lines = space.bridge.run(ask())
        state = space.bridge.run(_runtime_state(info, reachable(alive.url))) if alive is not None else None
    chinese = language() == "zh-CN"
    st.success("  \n".join(plain(zh if chinese else en) for zh, en in lines), icon=":material/check_circle:")
    if alive is None:
        st.error(t("callbacks.verdict.not_running"), icon=":material/pause_circle:")
    elif state is None:
        st.error(t("callbacks.stream.unknown"), icon=":material/error:")
    elif state["connected"]:
        since = local(datetime.fromisoformat(state["since"]), DEFAULT_TIMEZONE)
        st.success(t("callbacks.stream.connected", since=plain(since)), icon=":material/check_circle:")
    else:
        problem = state["error"] or {}
        detail = plain(problem.get("zh" if chinese else "en", ""))
        st.error(t("callbacks.stream.lost", detail=detail), icon=":material/error:")


async def _runtime_state(info: ConnectionInfo, base: str) -> dict[str, Any] | None:
    """What the live runtime says of the stream, once it is connected or the time is over; None = it knows none."""
    # Settings that were saved a moment ago: until they are noticed it speaks of the old ones.
    age = (datetime.now(UTC) - info.updated_at).total_seconds()
    await asyncio.sleep(min(max(_NOTICED - age, 0.0), _NOTICED))
    deadline, found = time.monotonic() + _CONNECTED, None
    async with httpx.AsyncClient(trust_env=False, timeout=_CONNECTED) as http:
        while time.monotonic() < deadline:
            try:
                streams = (await http.get(f"{base}/readyz")).json()["streams"]
                found = dict(streams[info.name]) if info.name in streams else None
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                found = None
            if found is not None and found["connected"]:
                break
            await asyncio.sleep(_LOOK_EVERY)
    return found

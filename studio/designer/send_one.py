"""Send one document of a preview for real: the live runtime does it, as it does everything, from the saved mapping."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from runtime.engine.preview import PreviewDocument
from runtime.store.listings import list_deliveries
from runtime.store.live import list_live
from runtime.store.runs import ACTIVE, RunDocument, RunInfo, get_run, list_run_documents, queue_run
from studio.designer.design import Design
from studio.designer.dynamic import is_dynamic
from studio.i18n import language, plain, t
from studio.records.tables import error_text
from studio.text import listed
from studio.workspace import Workspace, explained, workspace

__all__ = ["show"]

_SENT: Final = "designer_sent"
#: Seconds for which the page waits for the run; after that it can be followed on the Runs page.
_PATIENCE: Final = 60.0
_LOOK_EVERY: Final = 0.3
#: Seconds between two looks at whether the runtime has taken the saved version up.
_LOOK_AGAIN: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What was handed to the runtime last."""

    mapping: str
    key: str
    run_id: str


def show(design: Design, flow: str, document: PreviewDocument) -> None:
    """Draw the button with its confirmation, and what came of it.

    Nothing is sent from here: the run is queued as one by hand is, for this document only, so the ledger and the lock
    of the flow hold for it, and a document that was delivered meanwhile is not sent again.
    """
    space = workspace()
    with explained():
        unfit = _unfit(design, flow, document)
        obstacle = unfit or _not_in_force(space, design)
        asked = st.session_state.get(_SENT)
        asked = asked if isinstance(asked, _Asked) and (asked.mapping, asked.key) == (design.id, document.key) else None
        if asked:
            _outcome(space, asked)
        # Another one once it was sent: it must not stay open over what came of it.
        with st.popover(
            t("send_one.title"), icon=":material/send:", disabled=bool(obstacle), help=obstacle or None,
            key=f"send-one-{asked.run_id if asked else ''}",
        ):  # fmt: skip
            systems = listed(dict.fromkeys(sent.connection for sent in document.sent))
            st.warning(t("send_one.question", key=plain(document.key), systems=plain(systems)))
            if st.button(t("send_one.now"), type="primary", key="send-one-now", disabled=bool(obstacle)):
                _send(space, design, flow, document.key)
                st.rerun()
        if obstacle:
            st.caption(obstacle)
            if not unfit and not design.dirty:
                _watch(design, obstacle)


@st.fragment(run_every=_LOOK_AGAIN)
def _watch(design: Design, obstacle: str) -> None:
    """Draw the page anew once the runtime has taken a saved version up, or was started."""
    if _not_in_force(workspace(), design) != obstacle:
        st.rerun()


def _unfit(design: Design, flow: str, document: PreviewDocument) -> str:
    """Why the document can never be sent from here as it is; empty if it can."""
    trigger = design.document.get("flows", {}).get(flow, {}).get("trigger", {})
    if not document.key or not ({"schedule", "manual"} & trigger.keys()):
        return t("send_one.not_by_hand")
    if not document.keyed:
        return t("send_one.together")
    if any(is_dynamic(design.document, role) for role in design.document.get("connections", {})):
        return t("send_one.dynamic")
    if document.error is not None or document.failures or any(sent.error is not None for sent in document.sent):
        return t("send_one.wrong")
    return "" if document.sent else t("preview.nothing_sent")


def _not_in_force(space: Workspace, design: Design) -> str:
    """Why the runtime would not send just what is shown; empty if it would."""
    if design.dirty:
        return t("send_one.unsaved")
    alive = space.database.runtime_alive()
    if alive is None or not alive.url:
        return t("runs.no_runtime")
    live = {item.mapping: item.digest for item in space.database.read(list_live)}
    return "" if live.get(design.id) == design.digest else t("send_one.not_taken_up")


def _send(space: Workspace, design: Design, flow: str, key: str) -> None:
    request: dict[str, Any] = {"input": {}, "only": key, "digest": design.digest}
    run_id = space.database.write(
        lambda connection: queue_run(connection, mapping=design.id, flow=flow, cause="manual", request=request)
    )
    st.session_state[_SENT] = _Asked(mapping=design.id, key=key, run_id=run_id)
    with st.spinner(t("send_one.sending")):
        space.bridge.run(_over(space, run_id))


async def _over(space: Workspace, run_id: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        run = await space.database.aread(lambda connection: get_run(connection, run_id))
        if run is None or run.state not in ACTIVE:
            return
        await asyncio.sleep(_LOOK_EVERY)


def _outcome(space: Workspace, asked: _Asked) -> None:
    run, documents = space.database.read(
        lambda connection: (get_run(connection, asked.run_id), list_run_documents(connection, asked.run_id))
    )
    if run is None or run.state in ACTIVE:
        st.info(t("send_one.goes_on", run=asked.run_id), icon=":material/hourglass_top:")
        return
    own = next((one for one in documents if one.document == asked.key), None)
    level, text = _verdict(run, own)
    said = t(f"send_one.{text}", key=plain(asked.key), reason=plain(_reason(run, own)))
    {"success": st.success, "error": st.error, "info": st.info}[level](said)
    found = space.database.read(lambda connection: list_deliveries(connection, mapping=asked.mapping, text=asked.key))
    own_delivery = next((f"?delivery={one.id}" for one in found if one.document_key == asked.key), "")
    st.markdown(
        f"[{t('send_one.deliveries')}](deliveries{own_delivery}) · [{t('send_one.run')}](runs?run={asked.run_id})"
    )


def _verdict(run: RunInfo, own: RunDocument | None) -> tuple[str, str]:
    if own is None:
        return ("error", "failed") if run.error else ("info", "not_waiting")
    if own.state == "done":
        return "success", "done"
    return ("info", "skipped") if own.state == "skipped" else ("error", "failed")


def _reason(run: RunInfo, own: RunDocument | None) -> str:
    found = own if own is not None else run
    return error_text(found.error, language()) or found.note

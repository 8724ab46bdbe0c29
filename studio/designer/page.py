"""The designer page: which mapping, its head with save, and the tab in hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from runtime.errors import Conflict
from runtime.mapping.problems import Problem
from studio.designer import fields_tab, flow_tab, messages, preview_tab, session, source_tab, start, target_tab
from studio.designer.design import Design
from studio.i18n import language, plain, t
from studio.workspace import explained

__all__ = ["show"]

TABS: Final[dict[str, Callable[[Design], None]]] = {
    "source": source_tab.show,
    "target": target_tab.show,
    "fields": fields_tab.show,
    "preview": preview_tab.show,
    "flow": flow_tab.show,
}
_TAB: Final = "tab"


def show() -> None:
    """Draw the page."""
    with explained():
        design = session.current()
        if design is None:
            start.show()
        else:
            _workbench(design)


@st.fragment
def _workbench(design: Design) -> None:
    fields_tab.absorb(design)
    with st.container(horizontal=True, vertical_alignment="center", key="designer-head"):
        _head(design)
    tab = _tabs()
    messages.show()
    with explained():
        TABS[tab](design)


def _tabs() -> str:
    asked = st.query_params.get(_TAB, "")
    current = st.session_state.get("designer_tab_kept") or (asked if asked in TABS else "source")
    tab = st.segmented_control(
        t("designer.tabs"),
        list(TABS),
        default=current,
        format_func=lambda name: t(f"designer.tab.{name}"),
        label_visibility="collapsed",
        required=True,
        key="designer_tab",
    )
    chosen = tab or current
    st.session_state["designer_tab_kept"] = chosen
    if st.query_params.get(_TAB) != chosen:
        st.query_params[_TAB] = chosen
    return chosen


def _head(design: Design) -> None:
    session.head_drawn(design)
    title = design.document.get("title") or design.id
    state = "unsaved" if design.dirty else "saved"
    colour = "orange" if design.dirty else "green"
    st.markdown(f"### {plain(title)} :{colour}-badge[{t(f'designer.{state}')}]", width="stretch")
    enabled = st.toggle(
        t("designer.enabled"),
        value=bool(design.document.get("enabled", True)),
        key=f"enabled_{design.document.get('enabled', True)}_{design.id}",
        help=t("designer.enabled_help"),
    )
    if enabled != design.document.get("enabled", True):
        design.replace({**design.document, "enabled": enabled})
        session.keep(design)
        st.rerun()
    if st.button(t("designer.save"), type="primary", icon=":material/save:", disabled=not design.dirty, key="save"):
        _save(design)
    with st.popover(t("designer.more"), icon=":material/more_horiz:"):
        st.caption(t("designer.file", id=plain(design.id)))
        if st.button(t("designer.revert"), icon=":material/undo:", disabled=not design.dirty, key="revert"):
            session.revert(design)
            st.rerun()
        if st.button(t("designer.close"), icon=":material/folder_open:", key="close"):
            session.close()
            st.rerun()


def _save(design: Design) -> None:
    with explained():
        try:
            problems = session.save(design)
        except Conflict:
            messages.say([("error", t("designer.conflict"))])
            st.rerun()
        if design.dirty:
            verdict = ("error", t("designer.not_saved"))
        else:
            taken_up = "saved_as" if design.document.get("enabled", True) else "saved_off"
            verdict = ("success", t(f"designer.{taken_up}", id=design.id))
        messages.say([verdict, *((problem.level, _sentence(problem)) for problem in problems)])
        st.rerun()


def _sentence(problem: Problem) -> str:
    text = problem.zh if language() == "zh-CN" else problem.en
    return f"{problem.where}: {text}" if problem.where else text

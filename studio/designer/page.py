"""The designer page: which mapping, its head with save, and the tab in hand."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Final

import streamlit as st

from runtime.errors import Conflict
from runtime.mapping.folder import parse_mapping
from studio.designer import doubles, fields_tab, flow_tab, messages, preview_tab, session, source_tab, start, target_tab
from studio.designer.design import Design
from studio.i18n import plain, t
from studio.text import problem_sentence
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
_KEPT: Final = "designer_tab_kept"
#: Id of the mapping to save once its tab has taken over what was typed last.
_SAVING: Final = "designer_saving"


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
    tab, chosen = _tabs()
    # A place of their own: what comes and goes above the tab must not move it, or what is being typed there is lost.
    with st.container():
        if tab == chosen:
            messages.show()
        _answer(design)
    with st.container(key=f"designer-tab-{tab}"), explained():
        TABS[tab](design)
    if tab != chosen:
        st.session_state[_KEPT] = chosen
        st.rerun()
    if _SAVING in st.session_state:
        # First: reading the session is where Streamlit may break a run off, and then it is still to be saved.
        agreed = doubles.agreed(design.id)
        if st.session_state.pop(_SAVING) == design.id:
            _save(design, agreed)


def _answer(design: Design) -> None:
    """Save as a person answers; only at the end, with what was typed last."""
    answer = doubles.show(design)
    if answer == "off":
        session.switch(design, enabled=False)
    if answer is not None:
        st.session_state[_SAVING] = design.id


def _tabs() -> tuple[str, str]:
    """The tab to draw now, and the one that is wanted.

    They differ once when a tab is left: the click may come in the same run as what was typed last, and only the tab
    itself takes that over. It is drawn where it always is: whatever it holds that draws itself anew keeps its place.
    """
    asked = st.query_params.get(_TAB, "")
    current = st.session_state.get(_KEPT) or (asked if asked in TABS else "source")
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
    st.session_state[_KEPT] = current
    if st.query_params.get(_TAB) != chosen:
        st.query_params[_TAB] = chosen
    return current, chosen


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
    # Never disabled: who has just typed something may press it before the page knows of the change. And taken in hand
    # before anything is drawn: a run that is broken off before the button, as by the switch, would lose the click.
    st.button(
        t("designer.save"), type="primary", icon=":material/save:", key="save", on_click=_take, args=(design,)
    )  # fmt: skip
    if enabled != design.document.get("enabled", True):
        session.switch(design, enabled=enabled)
        # Before it is saved: the runtime takes a saved mapping up at once.
        with explained():
            found = doubles.found(parse_mapping(design.document, design.id))
            messages.say([(one.problem.level, problem_sentence(one.problem)) for one in found])
        st.rerun()
    # Another mapping has another menu: it must not stay open over the copy that was just begun.
    with st.popover(t("designer.more"), icon=":material/more_horiz:", key=f"more_{design.id}"):
        st.caption(t("designer.file", id=plain(design.id)))
        _copy(design)
        if st.button(t("designer.revert"), icon=":material/undo:", disabled=not design.dirty, key="revert"):
            session.revert(design)
            st.rerun()
        if st.button(t("designer.close"), icon=":material/folder_open:", key="close"):
            session.close()
            st.rerun()


def _take(design: Design) -> None:
    st.session_state[_SAVING] = design.id


def _copy(design: Design) -> None:
    """One mapping for each kind of document: the next one is this one with other settings."""
    with st.container(border=True, key="copy"):
        mapping_id = st.text_input(t("copy.id"), help=t("start.id_help"), key=f"copy_id_{design.id}").strip()
        title = st.text_input(t("copy.title"), str(design.document.get("title", "")), key=f"copy_title_{design.id}")
        if st.button(t("copy.do"), icon=":material/content_copy:", key="copy_do"):
            complaint = start.id_complaint(mapping_id)
            if complaint:
                st.error(complaint)
                return
            session.copy(design, mapping_id, title.strip())
            messages.say([("info", t("copy.done", id=mapping_id))])
            st.rerun()


def _save(design: Design, agreed: Set[str]) -> None:
    if not design.dirty:
        messages.say([("info", t("designer.nothing_to_save"))])
        st.rerun()
    with explained():
        try:
            problems, unagreed = session.save(design, agreed)
        except Conflict:
            messages.say([("error", t("designer.conflict"))])
            st.rerun()
        if unagreed:
            doubles.ask(design.id, unagreed)
        else:
            told = ((problem.level, problem_sentence(problem)) for problem in problems)
            messages.say([_outcome(design), *told])
        st.rerun()


def _outcome(design: Design) -> tuple[str, str]:
    """What came of saving, as a message."""
    if design.dirty:
        return "error", t("designer.not_saved")
    if design.document.get("enabled", True):
        return "success", t("designer.saved_as", id=design.id)
    return "success", t("designer.saved_off", id=design.id)

"""The proposals of auto-map: each with its reason and confidence, to be accepted or refused by the person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import streamlit as st

from studio.designer import session
from studio.designer.design import Design
from studio.designer.fields import Group
from studio.designer.links import Place
from studio.designer.statements import selection_of
from studio.designer.suggestions import Suggestion, accept, open_suggestions, suggest
from studio.i18n import language, plain, t
from studio.text import named

__all__ = ["show"]

_SHOWN: Final = 40
_LEAST: Final = 85
_HEIGHT: Final = 300


def show(design: Design, entity: str, sources: Sequence[Group]) -> None:
    """Draw the button and, once it was pressed, what is proposed.

    :param sources: all fields, not only the usual ones
    """
    if design.suggestions is None:
        if st.button(t("automap.button"), icon=":material/auto_fix_high:", help=t("automap.help"), key="automap"):
            selection = selection_of(design.document, design.query) if design.query is not None else ""
            design.suggestions = suggest(entity, sources, design.controls, design.desk.board, selection=selection)
            st.rerun()
        return
    waiting = open_suggestions(design.suggestions, design.desk.board)
    shown = waiting[:_SHOWN]
    with st.container(border=True, key="automap-panel"):
        least = _head(design, len(waiting), shown)
        with st.container(height=_HEIGHT if len(shown) > 4 else "content", border=False, gap="xsmall"):
            for item in shown:
                _proposal(design, item, sources, sure=item.confidence >= least)
        if len(waiting) > len(shown):
            st.caption(t("automap.more", count=len(waiting) - len(shown)))


def _head(design: Design, count: int, shown: Sequence[Suggestion]) -> float:
    """The bar above the proposals, and the confidence chosen there; what is not shown is not accepted either."""
    with st.container(horizontal=True, vertical_alignment="center"):
        text = t("automap.count", count=count) if count else t("automap.none")
        st.markdown(f"**{text}**", width="stretch")
        least = _LEAST
        if shown:
            least = st.slider(
                t("automap.least"), 60, 100, _LEAST, 5, format="%d%%", width=200, key=f"automap_least_{design.desk.doc}"
            )
            sure = [item for item in shown if item.confidence >= least / 100]
            label = t("automap.accept_all", count=len(sure))
            if st.button(label, type="primary", icon=":material/done_all:", disabled=not sure, key="automap_all"):
                _accept(design, sure)
        if st.button(t("automap.close"), icon=":material/close:", type="tertiary", key="automap_close"):
            design.suggestions = None
            st.rerun()
    return least / 100


def _proposal(design: Design, item: Suggestion, sources: Sequence[Group], *, sure: bool) -> None:
    key = "/".join(("automap", *item.target))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}/row"):
        target = " / ".join(filter(None, item.target))
        reason = item.zh if language() == "zh-CN" else item.en
        colour = "green" if sure else "orange"
        text = f"**{plain(target)}** ← {plain(_source_name(item.source, sources))}"
        share = f":{colour}-badge[{item.confidence:.0%}]"
        st.markdown(f"{text} {share}  \n:small[:gray[{plain(reason)}]]", width="stretch")
        if st.button("", icon=":material/check:", help=t("automap.accept"), key=f"{key}/accept"):
            _accept(design, [item])
        if st.button("", icon=":material/block:", help=t("automap.refuse"), type="tertiary", key=f"{key}/refuse"):
            design.suggestions = tuple(other for other in design.suggestions or () if other != item)
            st.rerun()


def _accept(design: Design, chosen: Iterable[Suggestion]) -> None:
    board, design.refused = accept(design.desk.board, chosen)
    design.change(board)
    session.keep(design)
    st.rerun()


def _source_name(place: Place, sources: Sequence[Group]) -> str:
    fields = (field for group in sources if group.name == place.group for field in group.fields)
    label = next((field.label for field in fields if field.name == place.name), "")
    name = named(label, place.name)
    return f"{place.group} · {name}" if place.group else name

"""An enabled mapping that would create approvals twice: nothing is saved before a person has said what is meant."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, Literal

import streamlit as st

from runtime.engine.overlaps import Overlap
from runtime.mapping.models import Mapping
from studio.designer.design import Design
from studio.i18n import plain, t
from studio.text import listed, named, problem_sentence
from studio.workspace import workspace

__all__ = ["agreed", "ask", "found", "show", "unagreed"]

_STATE: Final = "designer_doubles"


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What a person is asked, and whether saving all the same was the answer."""

    mapping: str
    found: tuple[Overlap, ...]
    agreed: bool = False

    @property
    def others(self) -> frozenset[str]:
        return frozenset(one.other for one in self.found)


def found(mapping: Mapping) -> list[Overlap]:
    """Which other mappings would create approvals for the same documents as this one, if it is enabled."""
    return _overlaps(mapping, _stored())


def unagreed(mapping: Mapping, agreed: Set[str]) -> list[Overlap]:
    """See :func:`found`; nothing where the file has it so already, or where it is just what was agreed to.

    :param agreed: ids of the other mappings
    """
    stored = _stored()
    now = _overlaps(mapping, stored)
    if not now:
        return []
    others = {one.other for one in now}
    before = next((one for one in stored if one.id == mapping.id), None)
    live = {one.other for one in _overlaps(before, stored)} if before is not None else set()
    return [] if others <= live or others == agreed else now


def ask(mapping_id: str, found: Sequence[Overlap]) -> None:
    """Put the question from the next run on, until it is answered or there is nothing to ask any more."""
    st.session_state[_STATE] = _Question(mapping=mapping_id, found=tuple(found))


def agreed(mapping_id: str) -> frozenset[str]:
    """Take the question away: with which other mappings a person wants approvals twice."""
    question = st.session_state.pop(_STATE, None)
    if isinstance(question, _Question) and question.mapping == mapping_id and question.agreed:
        return question.others
    return frozenset()


def show(design: Design) -> Literal["off", "on"] | None:
    """Draw the question, if there is one.

    :return: the answer: save it switched off, or enabled all the same
    """
    question = st.session_state.get(_STATE)
    if not isinstance(question, _Question) or question.agreed:
        return None
    if question.mapping != design.id or not design.dirty or not design.document.get("enabled", True):
        del st.session_state[_STATE]
        return None
    with st.container(border=True, key="doubles"):
        st.warning(t("doubles.question", others=plain(_names(question.others))))
        for one in question.found:
            st.caption(plain(problem_sentence(one.problem)))
        with st.container(horizontal=True):
            off = st.button(t("doubles.off"), type="primary", icon=":material/toggle_off:", key="doubles-off")
            on = st.button(t("doubles.on"), icon=":material/warning:", key="doubles-on")
    if on:
        st.session_state[_STATE] = replace(question, agreed=True)
    return "off" if off else "on" if on else None


def _names(others: Set[str]) -> str:
    titles = workspace().titles()
    return listed(named(titles.get(other, ""), other) for other in sorted(others))


def _stored() -> list[Mapping]:
    return [stored.mapping for stored in workspace().mappings.load_all()[0]]


def _overlaps(mapping: Mapping, stored: Sequence[Mapping]) -> list[Overlap]:
    others = [one for one in stored if one.id != mapping.id]
    return [one for one in workspace().overlaps([*others, mapping]) if one.mapping == mapping.id]

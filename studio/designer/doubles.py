"""An enabled mapping that would create approvals twice, or fail each time: nothing is saved before a person has said
what is meant.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import streamlit as st

from runtime.engine.overlaps import Overlap
from runtime.errors import IntegrationError
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem
from studio.designer.design import Design
from studio.i18n import plain, t
from studio.text import listed, named, problem_sentence
from studio.workspace import workspace

__all__ = ["Doubt", "agreed", "ask", "found", "show", "unagreed"]

_STATE: Final = "designer_doubles"


class Doubt(NamedTuple):
    """What speaks against saving a mapping that is enabled."""

    #: The mapping that creates approvals for the same documents; empty where the query itself was refused.
    other: str
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What a person is asked, and whether saving all the same was the answer."""

    mapping: str
    found: tuple[Doubt, ...]
    agreed: bool = False

    @property
    def about(self) -> frozenset[str]:
        return frozenset(one.other for one in self.found)


def found(mapping: Mapping) -> list[Overlap]:
    """Which other mappings would create approvals for the same documents as this one, if it is enabled."""
    return _overlaps(mapping, _stored())


def unagreed(mapping: Mapping, refused: IntegrationError | None, agreed: Set[str]) -> list[Doubt]:
    """What a person is to be asked before a mapping is saved enabled.

    Not of approvals that are created twice already, nor of what was agreed to.

    :param refused: why it would fail each time, as far as that is known
    :param agreed: what each doubt is about
    """
    if not mapping.enabled:
        return []
    doubts = [Doubt(one.other, one.problem) for one in _new(mapping)]
    if refused is not None:
        doubts.append(Doubt("", Problem("warning", "", refused.sentence("zh-CN"), refused.sentence("en"))))
    return [] if {one.other for one in doubts} <= agreed else doubts


def _new(mapping: Mapping) -> list[Overlap]:
    """See :func:`found`; nothing where the file has it so already."""
    stored = _stored()
    now = _overlaps(mapping, stored)
    before = next((one for one in stored if one.id == mapping.id), None)
    live = {one.other for one in _overlaps(before, stored)} if now and before is not None else set()
    return [] if {one.other for one in now} <= live else now


def ask(mapping_id: str, found: Sequence[Doubt]) -> None:
    """Put the question from the next run on, until it is answered or there is nothing to ask any more."""
    st.session_state[_STATE] = _Question(mapping=mapping_id, found=tuple(found))


def agreed(mapping_id: str) -> frozenset[str]:
    """Take the question away: what it was about, if a person wants to save all the same."""
    question = st.session_state.pop(_STATE, None)
    if isinstance(question, _Question) and question.mapping == mapping_id and question.agreed:
        return question.about
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
        if others := question.about - {""}:
            st.warning(t("doubles.question", others=plain(_names(others))))
        if "" in question.about:
            st.warning(t("doubles.refused"))
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

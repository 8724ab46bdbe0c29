"""The design in the browser's session: opened, kept as a draft at every change, saved through the mappings folder."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

import streamlit as st

from runtime import jsontext
from runtime.mapping.check import Problem
from runtime.mapping.folder import StoredMapping, dump_mapping, parse_mapping
from runtime.mapping.models import Mapping
from studio.designer import doubles, trials
from studio.designer.design import Design
from studio.designer.document import Json
from studio.designer.drafts import Drafts
from studio.workspace import workspace

__all__ = [
    "close",
    "copy",
    "current",
    "drafts",
    "head_drawn",
    "head_is_stale",
    "keep",
    "open_mapping",
    "revert",
    "save",
    "start",
    "switch",
]

_STATE: Final = "design"
_QUERY: Final = "mapping"
_HEAD: Final = "designer_head_dirty"


def current() -> Design | None:
    """The design of this session; after a reload, the one that the address names."""
    design: Design | None = st.session_state.get(_STATE)
    if design is None and (wanted := st.query_params.get(_QUERY)):
        if wanted in workspace().mappings.ids() or wanted in drafts().ids():
            design = open_mapping(wanted)
        else:
            del st.query_params[_QUERY]
    if design is not None and st.query_params.get(_QUERY) != design.id:
        st.query_params[_QUERY] = design.id
    return design


def drafts() -> Drafts:
    """Where unsaved work is kept."""
    return Drafts(workspace().private / "drafts")


def open_mapping(mapping_id: str) -> Design:
    """Open a saved mapping, with its unsaved work if there is some.

    :raises BadMapping: the file is not a mapping
    """
    folder = workspace().mappings
    stored = folder.load(mapping_id) if mapping_id in folder.ids() else None
    document = _document(stored.mapping) if stored else None
    design = drafts().restore(mapping_id, document)
    if design is None:
        if stored is None or document is None:
            raise KeyError(mapping_id)
        design = Design(document=document, digest=stored.digest, saved=document)
    st.session_state[_STATE] = design
    return design


def start(mapping: Mapping) -> Design:
    """Begin a mapping that has no file yet."""
    design = Design(document=_document(mapping), digest=None)
    st.session_state[_STATE] = design
    keep(design)
    return design


def copy(design: Design, mapping_id: str, title: str) -> Design:
    """Begin another mapping like the one in hand, switched off and without its kept cases: those are of other forms."""
    document = {name: value for name, value in design.document.items() if name != "cases"}
    copied = Design(document={**document, "id": mapping_id, "title": title, "enabled": False}, digest=None)
    st.session_state[_STATE] = copied
    keep(copied)
    return copied


def close() -> None:
    """Leave the design; unsaved work stays as a draft."""
    st.session_state.pop(_STATE, None)
    st.query_params.pop(_QUERY, None)


def head_drawn(design: Design) -> None:
    """The page's head shows the design as it is now."""
    st.session_state[_HEAD] = design.dirty


def head_is_stale(design: Design) -> bool:
    """Whether the page's head says "saved" of what is not, or the other way round."""
    return bool(st.session_state.get(_HEAD, design.dirty) != design.dirty)


def keep(design: Design) -> None:
    """Keep unsaved work on disk; called after every change."""
    drafts().keep(design)


def switch(design: Design, *, enabled: bool) -> None:
    """Switch the mapping on or off; as every change, it takes effect when it is saved."""
    design.replace({**design.document, "enabled": enabled})
    keep(design)


def revert(design: Design) -> None:
    """Throw unsaved work away and take the file as it is now."""
    drafts().drop(design.id)
    close()
    if design.id in workspace().mappings.ids():
        open_mapping(design.id)


def save(design: Design, agreed: Set[str]) -> tuple[list[Problem], list[doubles.Doubt]]:
    """Write the mapping's file, but no *enabled* mapping that has errors, nor unasked one that is in doubt.

    :param agreed: what a person wants all the same, see :func:`doubles.unagreed`
    :return: what the static check found; and if that is why nothing was written: what was not agreed to
    :raises BadMapping: the document is not a mapping
    :raises Conflict: the file changed since it was opened
    """
    mapping = parse_mapping(design.document, design.id)
    problems = workspace().problems(mapping)
    if mapping.enabled and any(problem.level == "error" for problem in problems):
        return problems, []
    if unagreed := doubles.unagreed(mapping, trials.refused(design), agreed):
        return problems, unagreed
    stored: StoredMapping = workspace().mappings.save(mapping, expected=design.digest)
    design.digest = stored.digest
    design.saved = _document(stored.mapping)
    design.replace(design.saved)
    keep(design)
    return problems, []


def _document(mapping: Mapping) -> Json:
    document: Json = jsontext.loads(dump_mapping(mapping))
    return document

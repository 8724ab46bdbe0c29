"""The source of a flow that other systems call: a sample of what they send, pasted by the person."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from runtime import jsontext
from studio.designer import session, source_rows
from studio.designer.design import Design
from studio.designer.document import MapSite, row_name
from studio.designer.fields import flat
from studio.designer.inbound import sample_of, sample_rows, with_sample
from studio.i18n import plain, t
from studio.text import json_fault, pretty
from studio.workspace import explained

__all__ = ["show"]

#: A text that is no JSON, until it is: (place, text, what is wrong with it).
_WRONG: Final = "designer_wrong_sample"


def show(design: Design, site: MapSite) -> None:
    """Draw the sample beside the rows that it gives."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(t("source.sample_what", flow=plain(site.flow)))
    with explained():
        sample = sample_of(design.document, site.flow)
        with left:
            _input(design, site, sample)
        with right:
            if rows := sample_rows(design.document, site):
                source_rows.show_rows([flat(row) for row in rows])
            elif sample is not None:
                st.warning(t("source.sample_no_rows", place=plain(row_name(design.document, site))))


def _input(design: Design, site: MapSite, sample: Any) -> None:
    place = f"{design.desk.doc}/{site.flow}"
    wrong_place, text, error = st.session_state.get(_WRONG, ("", "", ""))
    if wrong_place != place:
        text = "" if sample is None else pretty(sample)
    key = f"sample_{place}_{hash(text)}"
    st.text_area(t("source.sample"), text, height=420, key=key, on_change=_take, args=(design, site, place, key))
    if wrong_place == place:
        st.error(t("source.sample_bad", error=plain(error)))
    elif sample is None:
        st.info(t("source.sample_none"))


def _take(design: Design, site: MapSite, place: str, key: str) -> None:
    """At once, not at a button: a click on another tab must not lose what was pasted."""
    text = st.session_state[key].strip()
    sample: Any = None
    try:
        sample = jsontext.loads(text) if text else None
    except ValueError as error:
        st.session_state[_WRONG] = (place, text, json_fault(text, error))
        return
    st.session_state.pop(_WRONG, None)
    design.replace(with_sample(design.document, site.flow, sample))
    session.keep(design)

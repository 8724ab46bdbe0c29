"""The gallery: templates by system and direction; one is filled in and opened in the Designer."""

from __future__ import annotations

import streamlit as st

from runtime.mapping.templates import Template, gallery
from studio.designer.start import new_mapping
from studio.i18n import language, plain, t
from studio.text import kind_title
from studio.workspace import explained, workspace

__all__ = ["show"]

_CHOSEN = "gallery.chosen"
_ANY = ""
_DIRECTIONS = ("out", "in", "both")


def show() -> None:
    """Draw the page."""
    st.header(t("gallery.title"))
    with explained():
        templates = gallery()
        kinds = sorted({kind for template in templates for kind in _kinds(template)})
        system = st.segmented_control(
            t("gallery.system"),
            [_ANY, *kinds],
            default=_ANY,
            format_func=lambda kind: kind_title(kind, language()) if kind else t("gallery.any"),
            required=True,
            key="gallery.system",
        )
        direction = st.segmented_control(
            t("gallery.direction"),
            [_ANY, *_DIRECTIONS],
            default=_ANY,
            format_func=lambda one: t(f"gallery.direction.{one}") if one else t("gallery.any"),
            required=True,
            key="gallery.direction",
        )
        shown = [
            item
            for item in templates
            if (system == _ANY or system in _kinds(item)) and direction in (_ANY, item.direction)
        ]
        if not shown:
            st.info(t("gallery.none"))
        for template in shown:
            _card(template, chosen=template.id == st.session_state.get(_CHOSEN))


def _card(template: Template, *, chosen: bool) -> None:
    with st.container(border=True):
        text, action = st.columns([5, 1], vertical_alignment="center")
        chinese = language().startswith("zh")
        text.markdown(f"**{plain(_title(template))}**")
        text.caption(plain(template.description if chinese else template.description_en))
        roles = template.connections.values()
        systems = " · ".join(" / ".join(plain(kind_title(kind, language())) for kind in kinds) for kinds in roles)
        text.caption(f":gray-badge[{plain(t(f'gallery.direction.{template.direction}'))}] {systems}")
        if action.button(t("gallery.use"), key=f"gallery.use.{template.id}", icon=":material/add:", width="stretch"):
            st.session_state[_CHOSEN] = template.id
            st.rerun()
        if chosen:
            # In the card itself: below all cards nobody would see that something opened.
            st.divider()
            if not workspace().connections.names():
                st.info(t("gallery.connections_first"))
            new_mapping(template)


def _kinds(template: Template) -> list[str]:
    return [kind for kinds in template.connections.values() for kind in kinds]


def _title(template: Template) -> str:
    return template.title if language().startswith("zh") else template.title_en

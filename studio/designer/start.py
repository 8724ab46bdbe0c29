"""Which mapping to design: a saved one, unsaved work, or a new one from a template."""

from __future__ import annotations

import re
from typing import Any, Final

import streamlit as st

from runtime.mapping.problems import Problem
from runtime.mapping.templates import Template, gallery, instantiate
from studio.designer import outside, session
from studio.designer.settings_form import label_of, setting_input, statement_faults
from studio.i18n import language, plain, t
from studio.text import headed, kind_title, listed
from studio.workspace import explained, workspace

__all__ = ["id_complaint", "new_mapping", "show"]

_ID: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,79}$")


def show() -> None:
    """Draw the choice."""
    st.markdown(f"## {t('nav.designer')}")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{t('start.open')}**")
        _saved()
    with right:
        st.markdown(f"**{t('start.new')}**")
        templates = gallery()
        names = {item.id: item.title if language() == "zh-CN" else item.title_en for item in templates}
        chosen = st.selectbox(
            t("start.template"), list(names), format_func=lambda name: names[name], key="start_template"
        )
        template = next((item for item in templates if item.id == chosen), None)
        if template is not None:
            st.caption(plain(template.description if language() == "zh-CN" else template.description_en))
            new_mapping(template)


def _saved() -> None:
    folder = workspace().mappings
    stored, unsaved = folder.ids(), session.drafts().titles()
    titles = {**workspace().titles(), **unsaved}
    for mapping_id in sorted({*stored, *unsaved}):
        with st.container(border=True):
            name, action = st.columns([3, 1], vertical_alignment="center")
            badge = f" :orange-badge[{t('designer.unsaved')}]" if mapping_id in unsaved else ""
            name.markdown(f"{headed(titles.get(mapping_id, ''), mapping_id)}{badge}")
            if action.button(t("start.open_button"), icon=":material/edit:", key=f"open_{mapping_id}", width="stretch"):
                with explained():
                    session.open_mapping(mapping_id)
                    st.rerun()
    if not stored and not unsaved:
        st.caption(t("start.nothing"))


def new_mapping(template: Template) -> None:
    """Ask for what a new mapping from a template needs, and begin it."""
    key = f"new_{template.id}"
    mapping_id = st.text_input(t("start.id"), help=t("start.id_help"), key=f"{key}_id").strip()
    suggested = template.title if language() == "zh-CN" else template.title_en
    title = st.text_input(t("start.title"), suggested, key=f"{key}_title")
    connections = _connections(template, key)
    settings: dict[str, Any] = {}
    required = [item for item in template.settings if item.required]
    faults: list[Problem] = []
    for declaration in required:
        dialect = outside.dialect_of(template.flows, declaration.name, connections)
        value = setting_input(declaration, declaration.default, f"{key}_{declaration.name}", dialect)
        faults += statement_faults(declaration, value, dialect)
        settings[declaration.name] = value
    missing = [t("start.id")] if not mapping_id else []
    missing += [role for role in template.connections if role not in connections]
    missing += [label_of(item) for item in required if settings[item.name] in (None, "")]
    if st.button(t("start.create"), type="primary", icon=":material/add:", key=f"{key}_create"):
        if missing:
            st.error(plain(t("start.missing", names=listed(missing))))
        elif faults:
            st.error(t("start.faulty"))
        elif complaint := id_complaint(mapping_id):
            st.error(complaint)
        else:
            with explained():
                mapping = instantiate(
                    template,
                    id=mapping_id,
                    title=title,
                    connections=connections,
                    settings=settings,
                    kinds={info.name: info.kind for info in workspace().connections.list()},
                )
                session.start(mapping)
                st.switch_page("views/designer.py")


def id_complaint(mapping_id: str) -> str:
    """Why a new mapping cannot have this id; empty when it can."""
    if not _ID.match(mapping_id):
        return t("start.bad_id")
    taken = {*workspace().mappings.ids(), *session.drafts().ids()}
    return t("start.taken") if mapping_id in taken else ""


def _connections(template: Template, key: str) -> dict[str, str]:
    available = workspace().connections.list()
    chosen: dict[str, str] = {}
    for role, kinds in template.connections.items():
        names = [info.name for info in available if info.kind in kinds]
        kind = " / ".join(kind_title(one, language()) for one in kinds)
        name = st.selectbox(
            t("start.connection", role=plain(role), kind=plain(kind)),
            names,
            index=0 if names else None,
            placeholder=t("start.no_connection", kind=kind),
            key=f"{key}_connection_{role}",
        )
        if name:
            chosen[role] = name
    return chosen

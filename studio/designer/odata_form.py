"""The source as an entity of the Service Layer or a table: which one, its filter and fields, and what fields it has."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from runtime.connectors.catalog import SourceField
from runtime.mapping.dictionary import field_names
from studio.designer import outside, session
from studio.designer.design import Design
from studio.designer.document import resolve, value_at
from studio.designer.source_rows import forget_rows
from studio.i18n import plain, t
from studio.text import named
from studio.workspace import explained

__all__ = ["browser", "entity_of", "field_label", "form", "params_of", "selected_fields", "title"]


def entity_of(design: Design) -> str:
    """The entity that the query in hand reads."""
    return str(params_of(design).get("entity") or "")


def selected_fields(design: Design) -> list[str]:
    """The fields that the query in hand asks for; empty means all."""
    return _listed(params_of(design).get("select"))


def params_of(design: Design) -> dict[str, Any]:
    """The query's parameters; those that only name a setting, as that setting's value."""
    if design.query is None:
        return {}
    params = value_at(design.document, design.query.path).get("with", {})
    return {name: resolve(design.document, value) for name, value in params.items()}


def title(entity: str, group: str, name: str) -> str:
    """The head of a column of rows."""
    label = "" if group else next(iter(field_names(entity, "", name)), "")
    return f"{label} {name}".strip()


def form(design: Design, connection: str) -> None:
    """Draw the form of the query."""
    params = params_of(design)
    entity = entity_of(design)
    names = [item.name for item in outside.entities(connection)]
    if entity and entity not in names:
        names.insert(0, entity)
    chosen = st.selectbox(
        t("source.entity", count=len(names)),
        names,
        index=names.index(entity) if entity in names else None,
        placeholder=t("designer.choose"),
        key=f"entity_{design.desk.doc}",
    )
    changes: dict[str, Any] = {}
    if chosen and chosen != entity:
        changes["entity"] = chosen
        changes["select"] = None
    text = st.text_area(
        t("source.filter"), params.get("filter") or "", help=t("source.filter_help"), key=f"filter_{design.desk.doc}"
    )
    if text.strip() != (params.get("filter") or ""):
        changes["filter"] = text.strip() or None
    elif "{{" in text:
        with explained():
            st.caption(t("source.filter_now", condition=plain(outside.query_params(design)["filter"])))
    select = _select(design, connection, chosen or "")
    if select != _listed(params.get("select")) and "select" not in changes:
        changes["select"] = select or None
    size = params.get("page_size", 20)
    if isinstance(size, int):
        typed = st.number_input(t("source.page_size"), 1, 1000, size, key=f"page_{design.desk.doc}")
        if typed != size:
            changes["page_size"] = typed
    if changes:
        design.set_query(changes)
        forget_rows()
        session.keep(design)
        st.rerun()


def _select(design: Design, connection: str, entity: str) -> list[str]:
    now = _listed(params_of(design).get("select"))
    if not entity:
        return now
    fields = outside.fields(connection, entity)
    labels = {field.name: field_label(entity, field) for field in fields if not field.group}
    labels |= {field.group: field.group for field in fields if field.group}
    options = list(dict.fromkeys([*labels, *now]))
    return st.multiselect(
        t("source.select"),
        options,
        default=now,
        format_func=lambda name: named(labels.get(name, ""), name),
        placeholder=t("source.select_all"),
        help=t("source.select_help"),
        key=f"select_{design.desk.doc}_{entity}",
    )


def _listed(select: Any) -> list[str]:
    if isinstance(select, str):
        return [name.strip() for name in select.split(",") if name.strip()]
    return list(select or ())


def field_label(entity: str, field: SourceField) -> str:
    """What a person calls a field: the system's own label, or the dictionary's."""
    names = field_names(entity, field.group, field.name)
    return field.label or (names[0] if names else "")


def browser(connection: str, entity: str) -> None:
    """Draw the list of all fields."""
    if not entity:
        return
    fields = outside.fields(connection, entity)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input(t("source.search"), key="source_search").strip().lower()
        if st.button(t("source.reload"), icon=":material/refresh:", key="reload_fields"):
            outside.forget()
            st.rerun()
    shown = [
        {
            t("source.column.group"): field.group or t("designer.header"),
            t("source.column.name"): field.name,
            t("source.column.label"): field_label(entity, field),
            t("source.column.type"): t(f"mapper.type.{field.type}"),
            t("source.column.custom"): field.custom,
        }
        for field in fields
        if wanted in f"{field.group} {field.name} {field_label(entity, field)}".lower()
    ]
    st.caption(t("source.field_count", count=len(shown), all=len(fields)))
    st.dataframe(pd.DataFrame(shown), hide_index=True, height=420)

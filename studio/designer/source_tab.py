"""Source: which rows are read, what they hold, and a look at real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from runtime import jsontext
from runtime.connectors.base import SourceField
from runtime.errors import IntegrationError
from runtime.mapping.dictionary import field_names
from studio.designer import outside, session
from studio.designer.design import Design
from studio.designer.document import resolve, value_at, with_value
from studio.designer.dynamic import designed_with, is_dynamic
from studio.designer.outside import Fetched
from studio.i18n import plain, t
from studio.workspace import explain, explained

__all__ = ["choose_connection", "entity_of", "field_label", "selected_fields", "show"]

_FETCHED: Final = "designer_fetched"


def show(design: Design) -> None:
    """Draw the tab."""
    query = design.query
    if query is None:
        st.info(t("source.none"))
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        connection = choose_connection(design, query.role, "catalog")
        if connection is None:
            return
        with explained():
            _query_form(design, connection)
    with right:
        rows, names = st.tabs([t("source.rows"), t("source.fields")])
        with rows:
            _rows(design)
        with names, explained():
            _field_browser(connection, entity_of(design))


def choose_connection(design: Design, role: str, ability: str) -> str | None:
    """The connection for a role; None (and a hint) when there is none to choose."""
    if is_dynamic(design.document, role):
        st.info(t("designer.dynamic", role=plain(role), name=plain(designed_with(design.document, role))))
        return designed_with(design.document, role) or None
    names = outside.connections_with(ability)
    current = design.document.get("connections", {}).get(role)
    if not names:
        st.info(t("designer.no_connection"))
        return None
    known = current in names
    chosen = st.selectbox(
        t("designer.connection", role=plain(role)),
        names,
        index=names.index(current) if known else None,
        placeholder=t("designer.choose"),
        key=f"connection_{role}_{design.desk.doc}",
    )
    if chosen and chosen != current:
        design.replace(with_value(design.document, ("connections", role), chosen))
        session.keep(design)
        st.rerun()
    return chosen


def entity_of(design: Design) -> str:
    """The entity that the query in hand reads."""
    return str(_params(design).get("entity") or "")


def selected_fields(design: Design) -> list[str]:
    """The fields that the query in hand asks for; empty means all."""
    return _listed(_params(design).get("select"))


def _params(design: Design) -> dict[str, Any]:
    """The query's parameters; those that only name a setting, as that setting's value."""
    if design.query is None:
        return {}
    params = value_at(design.document, design.query.path).get("with", {})
    return {name: resolve(design.document, value) for name, value in params.items()}


def _query_form(design: Design, connection: str) -> None:
    params = _params(design)
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
        design.rows = []
        st.session_state.pop(_FETCHED, None)
        session.keep(design)
        st.rerun()


def _select(design: Design, connection: str, entity: str) -> list[str]:
    now = _listed(_params(design).get("select"))
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
        format_func=lambda name: f"{labels.get(name) or name}（{name}）" if labels.get(name, name) != name else name,
        placeholder=t("source.select_all"),
        help=t("source.select_help"),
        key=f"select_{design.desk.doc}_{entity}",
    )


def _listed(select: Any) -> list[str]:
    if isinstance(select, str):
        return [name.strip() for name in select.split(",") if name.strip()]
    return list(select or ())


def _rows(design: Design) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(t("source.limit"), 1, 200, 20, key="source_limit", width=140)
        if st.button(t("source.fetch"), type="primary", icon=":material/download:", key="fetch"):
            try:
                fetched = outside.fetch_rows(design, int(limit))
            except IntegrationError as error:
                st.session_state[_FETCHED] = error
            else:
                st.session_state[_FETCHED] = fetched
                design.rows = fetched.rows
    result = st.session_state.get(_FETCHED)
    if isinstance(result, IntegrationError):
        explain(result)
    elif isinstance(result, Fetched):
        st.caption(t("source.timing", count=len(result.rows), seconds=f"{result.seconds:.2f}"))
        _table(entity_of(design), result.rows)
    else:
        st.caption(t("source.not_fetched"))


def _table(entity: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        st.info(t("source.empty"))
        return
    used = [name for name in rows[0] if any(row.get(name) not in (None, "", []) for row in rows)]
    used = [name for name in used if "." not in name]
    plain_columns = [name for name in used if not isinstance(rows[0].get(name), (list, dict))]
    nested = [name for name in used if isinstance(rows[0].get(name), list)]
    headers = {
        name: f"{label[0]} {name}" if (label := field_names(entity, "", name)) else name for name in plain_columns
    }
    frame = pd.DataFrame([{headers[name]: _cell(row.get(name)) for name in plain_columns} for row in rows])
    st.dataframe(frame, hide_index=True, height=360)
    for name in nested:
        lines = [line for row in rows for line in row.get(name) or () if isinstance(line, dict)]
        if lines:
            with st.expander(t("source.lines", name=plain(name), count=len(lines))):
                shown = [key for key in lines[0] if any(line.get(key) not in (None, "", []) for line in lines)]
                st.dataframe(
                    pd.DataFrame([{key: _cell(line.get(key)) for key in shown} for line in lines[:200]]),
                    hide_index=True,
                )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else jsontext.dumps(value).decode()


def field_label(entity: str, field: SourceField) -> str:
    """What a person calls a field: the system's own label, or the dictionary's."""
    names = field_names(entity, field.group, field.name)
    return field.label or (names[0] if names else "")


def _field_browser(connection: str, entity: str) -> None:
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

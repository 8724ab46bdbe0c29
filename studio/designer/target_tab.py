"""Target: the real form and the snapshot that the mapping keeps of it, or the entity whose records are made."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from runtime.connectors.sql.connector import SqlConnector
from runtime.connectors.weaver.connector import WeaverConnector
from runtime.connectors.weaver.field_list import read_field_list
from runtime.mapping.forms import Control, Form
from studio.designer import odata_form, outside, session
from studio.designer.design import Design
from studio.designer.document import MapSite, form_code
from studio.designer.inbound import target_entity, with_target_entity
from studio.designer.messages import say
from studio.designer.source_tab import choose_connection
from studio.i18n import t
from studio.text import listed
from studio.workspace import explained

__all__ = ["show"]


def show(design: Design) -> None:
    """Draw the tab."""
    site = design.site
    if site is None or not site.role:
        st.info(t("target.none"))
        return
    left, right = st.columns([2, 3], gap="large")
    if target_entity(design.document, site):
        _entity(design, site, left, right)
        return
    with left:
        connection = choose_connection(design, site.role, "forms")
        if connection is None:
            return
        code = st.text_input(
            t("target.code"),
            form_code(design.document, site),
            help=t("target.code_help"),
            key=f"form_{design.desk.doc}",
        ).strip()
        is_weaver = outside.kind_of(connection) == WeaverConnector.kind
        # What a workflow is called is a number; a mode interface has a name, and nothing tells its columns.
        defined = not (is_weaver and code and not code.isdecimal())
        if not defined:
            st.info(t("target.interface"))
        elif st.button(
            t("target.fetch"), type="primary", icon=":material/download:", disabled=not code, key="fetch-form"
        ):
            with explained():
                _take(design, code, outside.fetch_form(connection, code))
        if code and is_weaver:
            if defined:
                _from_database(design, code)
            _field_list(design, code, opened=not defined)
        # Last, for it draws the page anew: who has typed the code may press a button right away.
        if code and code != form_code(design.document, site):
            design.set_form(code, ())
            session.keep(design)
            st.rerun()
    with right:
        _controls(design)


def _entity(design: Design, site: MapSite, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """The record that is made: which entity it is, and what it has."""
    now = target_entity(design.document, site)
    with left:
        connection = choose_connection(design, site.role, "catalog")
        if connection is None:
            return
        with explained():
            names = [item.name for item in outside.entities(connection)]
            names = names if now in names else [now, *names]
            chosen = st.selectbox(
                t("target.entity"), names, index=names.index(now), key=f"target-entity_{design.desk.doc}"
            )
            if chosen != now:
                design.replace(with_target_entity(design.document, site, chosen))
                session.keep(design)
                st.rerun()
    with right, explained():
        odata_form.browser(connection, now)


def _from_database(design: Design, code: str) -> None:
    """Where the OA does not offer its definition: the form as its database has it."""
    with st.expander(t("target.database"), icon=":material/database:"):
        st.caption(t("target.database_help"))
        names = outside.connections_of(SqlConnector.kind)
        if not names:
            st.info(t("target.database_none"))
            return
        name = st.selectbox(t("target.database_connection"), names, key=f"form-database_{design.desk.doc}")
        if st.button(t("target.database_read"), icon=":material/download:", key="read-database"):
            with explained():
                _take(design, code, outside.form_from_database(name, code))


def _field_list(design: Design, code: str, *, opened: bool) -> None:
    """Where the OA does not offer its definition: the form from a list of its fields."""
    with st.expander(t("target.list"), expanded=opened, icon=":material/upload_file:"):
        st.caption(t("target.list_help"))
        uploaded = st.file_uploader(t("target.list_file"), ["xlsx", "csv", "json"], key=f"list-file_{design.desk.doc}")
        pasted = st.text_area(t("target.list_text"), key=f"list-text_{design.desk.doc}")
        # Never disabled: it would not take the click that ends the pasting.
        if not st.button(t("target.list_take"), key="take-list"):
            return
        if uploaded is None and not pasted.strip():
            st.error(t("target.list_missing"))
            return
        content, name = (uploaded.getvalue(), uploaded.name) if uploaded is not None else (pasted.encode(), "")
        with explained():
            _take(design, code, read_field_list(content, name, code=code))


def _take(design: Design, code: str, form: Form) -> None:
    """Keep the form's controls in the mapping, and say what is new and what is gone."""
    before = _paths(design.controls)
    design.set_form(code, form.controls, form.title)
    session.keep(design)
    after = _paths(form.controls)
    messages = [("success", t("target.fetched", title=form.title, count=len(after)))]
    if before and (gone := sorted(before - after)):
        messages.append(("warning", t("target.gone", names=listed(gone))))
    if before and (new := sorted(after - before)):
        messages.append(("info", t("target.new", names=listed(new))))
    say(messages)
    st.rerun()


def _paths(controls: Sequence[Control], prefix: str = "") -> set[str]:
    names = set()
    for control in controls:
        names.add(prefix + control.label)
        names |= _paths(control.children, f"{control.label} / ")
    return names


def _controls(design: Design) -> None:
    if not design.controls:
        st.caption(t("target.not_fetched"))
        return
    rows = [row for control in design.controls for row in _lines(control, "")]
    st.caption(t("target.count", count=len(rows)))
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(640, 38 + 35 * len(rows)),
        column_config={t("target.column.options"): st.column_config.TextColumn(width="medium")},
    )


def _lines(control: Control, table: str) -> list[dict[str, object]]:
    line = {
        t("target.column.label"): f"{table} / {control.label}" if table else control.label,
        t("target.column.type"): t(f"mapper.type.{control.type.value}"),
        t("target.column.required"): control.required,
        t("target.column.options"): " / ".join(option.label for option in control.options),
        t("target.column.id"): control.id,
    }
    return [line, *(row for child in control.children for row in _lines(child, control.label))]

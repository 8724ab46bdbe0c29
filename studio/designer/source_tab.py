"""Source: which rows are read and in which way, what they hold, and a look at real ones."""

from __future__ import annotations

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio.designer import odata_form, outside, sample_form, session, source_rows, sql_form
from studio.designer.design import Design
from studio.designer.document import QuerySite, query_of, with_value
from studio.designer.dynamic import designed_with, is_dynamic
from studio.designer.inbound import is_called
from studio.designer.outside import Ways
from studio.designer.statements import Way, source_of, way_of
from studio.i18n import plain, t
from studio.workspace import explained

__all__ = ["choose_connection", "show"]


def show(design: Design) -> None:
    """Draw the tab."""
    query, site = design.query, design.site
    if query is None and site is not None and is_called(design.document, site):
        sample_form.show(design, site)
        return
    if query is None:
        st.info(t("source.none"))
        return
    left, right = st.columns([1, 1] if _by_sql(design) else [2, 3], gap="large")
    with left:
        connection = choose_connection(design, query.role, "catalog")
        if connection is None:
            return
    with explained():
        ways = outside.ways_of(connection)
        with left:
            _choose_way(design, ways)
            _other_documents(design, query)
        if _by_sql(design):
            _by_statement(design, query, ways.dialect, left, right)
        else:
            _by_entity(design, connection, left, right)


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
        design.rows = []
        source_rows.forget_rows()
        session.keep(design)
        st.rerun()
    return chosen


def _by_sql(design: Design) -> bool:
    return way_of(odata_form.params_of(design)) == "sql"


def _choose_way(design: Design, ways: Ways) -> None:
    """OData or SQL where the connection knows both; the only way where it knows one."""
    now = way_of(odata_form.params_of(design))
    able: dict[Way, bool] = {"odata": ways.entities, "sql": bool(ways.dialect)}
    possible = [way for way in able if able[way]]
    chosen: Way | None = now if now in possible else next(iter(possible), now)
    if len(possible) > 1:
        chosen = st.segmented_control(
            t("source.way"),
            possible,
            default=now,
            format_func=lambda way: t(f"source.way.{way}"),
            help=t("source.way_help"),
            required=True,
            key=f"way_{design.desk.doc}",
        )
    if chosen and chosen != now:
        design.read_by(chosen)
        source_rows.forget_rows()
        session.keep(design)
        st.rerun()


def _other_documents(design: Design, query: QuerySite) -> None:
    """Documents of another source are others for the ledger: those that are under way may be sent once more."""
    if design.saved is None or design.site is None:
        return
    try:
        saved = query_of(design.saved, design.site)
        before = source_of(design.saved, saved) if saved else ""
    except (KeyError, IndexError, TypeError):  # the saved mapping has other steps
        return
    now = source_of(design.document, query)
    if before and now and before != now:
        st.warning(t("source.other_documents", before=plain(before), now=plain(now)), icon=":material/content_copy:")


def _by_entity(design: Design, connection: str, left: DeltaGenerator, right: DeltaGenerator) -> None:
    entity = odata_form.entity_of(design)
    with left, explained():
        odata_form.form(design, connection)
    with right:
        rows, names = st.tabs([t("source.rows"), t("source.fields")])
        with rows:
            source_rows.show(design, partial(odata_form.title, entity), everything=False)
        with names, explained():
            odata_form.browser(connection, entity)


def _by_statement(design: Design, query: QuerySite, dialect: str, left: DeltaGenerator, right: DeltaGenerator) -> None:
    with left, explained():
        sql_form.form(design, query, dialect)
    with right:
        rows, names = st.tabs([t("source.rows"), t("source.fields")])
        with rows:
            source_rows.show(design, sql_form.titles(design, query, dialect), everything=True)
        with names:
            sql_form.browser(design, query, dialect)

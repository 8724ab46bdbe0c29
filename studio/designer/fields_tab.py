"""Fields: draw lines from source fields to controls, edit what a line does, and watch the form fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.connectors.catalog import SourceField
from runtime.errors import IntegrationError
from runtime.mapping.mapper import Traced, compile_map
from runtime.mapping.models import MapSpec
from runtime.mapping.transforms import TRANSFORMS
from runtime.mapping.validation import check_form
from studio.components.mapper import mount
from studio.designer import link_panel, links_table, outside, session, suggestions_panel
from studio.designer.design import Design
from studio.designer.document import MapSite, row_scope, value_at
from studio.designer.fields import Group, entity_targets, notes, payload, source_groups, target_groups, usual_only
from studio.designer.inbound import request_of, sample_rows, target_entity
from studio.designer.links import Link, Place
from studio.designer.odata_form import entity_of, params_of, selected_fields
from studio.designer.statement_groups import gone, statement_groups
from studio.designer.statements import columns, way_of
from studio.i18n import catalogue, language, plain, t
from studio.text import listed, pretty
from studio.workspace import explain

__all__ = ["absorb", "describe", "live_form", "show"]

_HEIGHT: Final = 620
_SAMPLES: Final = 20


def show(design: Design) -> None:
    """Draw the tab."""
    site = design.site
    if site is None:
        st.info(t("target.none"))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        _choose_site(design)
        view = st.segmented_control(
            t("fields.view"),
            ["lines", "table"],
            default="lines",
            format_func=lambda name: t(f"fields.view.{name}"),
            label_visibility="collapsed",
            required=True,
            key="fields_view",
        )
        everything = st.toggle(t("fields.everything"), help=t("fields.everything_help"), key="fields_everything")
    _samples(design)
    _board(design, site, view or "lines", everything)


@st.fragment
def _board(design: Design, site: MapSite, view: str, everything: bool) -> None:
    """What a drag draws anew, and nothing more: links, the link in hand, the form."""
    absorb(design)
    if session.head_is_stale(design):
        st.rerun()
    entity, found = _sources(design)
    _refusals(design)
    if not entity:
        _broken(found)
    if not target_entity(design.document, site):
        suggestions_panel.show(design, entity, found)
    sources = found if everything else usual_only(found)
    targets = _targets(design, site, everything)
    left, right = st.columns([9, 4], gap="medium")
    with left:
        if view == "table":
            links_table.show(design, sources, targets)
        else:
            _component(design, sources, targets)
    with right:
        panel = st.container()
        _live(design, site)
        with panel:
            link_panel.show(design, sources, targets)


def absorb(design: Design) -> None:
    """Take over what the browser drew; called first in every run, so that no tab or page switch can overtake it."""
    state = st.session_state.get(_key(design)) or {}
    if design.take(state.get("board")):
        session.keep(design)


def _edit(design: Design) -> None:
    target = (st.session_state.get(_key(design)) or {}).get("edit")
    if isinstance(target, dict) and isinstance(target.get("target"), list) and len(target["target"]) == 2:
        design.selected = Place(*map(str, target["target"]))


def _key(design: Design) -> str:
    return f"mapper-{design.desk.doc}"


def _component(design: Design, sources: Sequence[Group], targets: Sequence[Group]) -> None:
    key = _key(design)
    if key not in st.session_state:
        design.mount()
    marks = notes(design.desk.board, describe)
    data = payload(design.desk, sources, targets, marks=marks, texts=_texts(), height=_HEIGHT)
    mount(data, key=key, on_board=lambda: absorb(design), on_edit=lambda: _edit(design))


def _texts() -> dict[str, str]:
    prefix = "mapper."
    return {key.removeprefix(prefix): text for key, text in catalogue(language()).items() if key.startswith(prefix)}


def describe(link: Link) -> str:
    """What a link does beyond the line, in a few words."""
    parts = []
    if link.source is None:
        text = link.value if isinstance(link.value, str) else jsontext.dumps(link.value).decode()
        parts.append(f"ƒ {text}" if "{{" in text else f"= {text}")
    chinese = language() == "zh-CN"
    for spec in link.through:
        name, argument = next(iter(spec.items())) if isinstance(spec, dict) else (spec, None)
        known = TRANSFORMS.get(name)
        label = (known.zh if chinese else known.en) if known else name
        parts.append(label if argument is None else f"{label} {_short(argument)}")
    return " · ".join(parts)


def _short(argument: Any) -> str:
    text = argument if isinstance(argument, str) else jsontext.dumps(argument).decode()
    return text if len(text) <= 24 else f"{text[:23]}…"


def _choose_site(design: Design) -> None:
    sites = design.sites
    if len(sites) < 2:
        return
    chosen = st.selectbox(
        t("fields.step"),
        range(len(sites)),
        index=min(design.chosen, len(sites) - 1),
        format_func=lambda number: f"{sites[number].flow} · {sites[number].id or number + 1}",
        label_visibility="collapsed",
        key=f"site_{design.desk.doc}",
    )
    if chosen != design.chosen:
        design.choose(chosen)
        session.keep(design)
        st.rerun()


def _sources(design: Design) -> tuple[str, list[Group]]:
    """The entity that is read (empty for a statement), and all fields of the source."""
    entity, query, board = entity_of(design), design.query, design.desk.board
    header = t("fields.source_header")
    if query is None:
        return entity, source_groups(entity, (), design.rows, board, header_label=header)
    fields: Sequence[SourceField] = ()
    try:
        connection = outside.connection_of(design, query.role)
        if way_of(params_of(design)) == "sql":
            dialect = outside.ways_of(connection).dialect
            return "", statement_groups(
                columns(design.document, query, dialect, design.rows), board, header_label=header
            )
        fields = outside.fields(connection, entity) if entity else ()
    except IntegrationError as error:
        explain(error)
    wanted = set(selected_fields(design))
    if wanted:
        fields = [field for field in fields if (field.group or field.name) in wanted]
    return entity, source_groups(entity, fields, design.rows, board, header_label=header)


def _targets(design: Design, site: MapSite, everything: bool) -> list[Group]:
    """The controls of a form, or the fields of an entity."""
    entity, board = target_entity(design.document, site), design.desk.board
    if not entity:
        return target_groups(design.controls, board, header_label=t("fields.target_header"))
    fields: Sequence[SourceField] = ()
    try:
        fields = outside.fields(outside.connection_of(design, site.role), entity)
    except IntegrationError as error:
        explain(error)
    found = entity_targets(entity, fields, board, header_label=t("fields.source_header"))
    return found if everything else usual_only(found)


def _broken(groups: Sequence[Group]) -> None:
    """Links whose source no statement yields any more."""
    lost = [" · ".join(filter(None, place)) for place in gone(groups)]
    if lost:
        st.warning(t("fields.gone", names=plain(listed(lost))), icon=":material/link_off:")


def _samples(design: Design) -> None:
    """Fetch a few rows once, so that fields show real values; without them everything works, too.

    When nothing waits to be processed, any rows of the entity serve.
    """
    if design.query is None:
        design.rows = sample_rows(design.document, design.site) if design.site is not None else []
        return
    if design.rows:
        return
    params = params_of(design)
    tried, query = f"sampled_{design.desk.doc}", jsontext.dumps(params)
    if st.session_state.get(tried) == query:
        return
    st.session_state[tried] = query
    try:
        design.rows = outside.fetch_rows(design, _SAMPLES).rows
        if not design.rows and way_of(params) == "odata":
            design.rows = outside.fetch_rows(design, _SAMPLES, filtered=False).rows
    except IntegrationError as error:
        explain(error)


def _refusals(design: Design) -> None:
    for target, reason in design.refused:
        name = " / ".join(filter(None, target))
        st.warning(t(f"fields.refused.{reason}", target=plain(name)), icon=":material/link_off:")
    design.refused = ()


def live_form(design: Design, site: MapSite, row: dict[str, Any]) -> Traced:
    """The form that one row gives with the links as they are now.

    :raises FixSetup: the step does not compile
    """
    spec = MapSpec.model_validate(value_at(design.document, site.path)["map"])
    timezone = design.document.get("timezone", DEFAULT_TIMEZONE)
    mapper = compile_map(spec, timezone=timezone, where=site.id or site.flow)
    request = {"request": request_of(design.document, site.flow)} if design.query is None else {}
    return mapper.trace({**outside.scope_of(design), **request, **row_scope(site, row)})


def _live(design: Design, site: MapSite) -> None:
    if not design.rows:
        st.caption(t("fields.no_rows"))
        return
    number = 1
    if len(design.rows) > 1:
        number = st.number_input(t("fields.live"), 1, len(design.rows), 1, key="live_row", help=t("fields.live_help"))
    try:
        traced = live_form(design, site, design.rows[int(number) - 1])
    except IntegrationError as error:
        explain(error)
        return
    with st.container(key="live-form"):
        st.code(pretty(dict(traced.form)), language="json", height=300)
    chinese = language() == "zh-CN"
    failed = {(failure.table, failure.to) for failure in traced.failures}
    unfit = [failure for failure in check_form(traced.form) if (failure.table, failure.to) not in failed]
    for failure in [*traced.failures, *unfit][:5]:
        name = " / ".join(filter(None, (failure.table, failure.to)))
        st.warning(plain(f"{name}: {failure.zh if chinese else failure.en}"), icon=":material/warning:")

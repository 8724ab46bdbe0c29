"""Preview: real rows, exactly what each would send, and the form as the approver will see it. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from runtime import jsontext
from runtime.connectors.actions import WireRequest
from runtime.engine.preview import Preview, PreviewDocument, Sent, preview
from runtime.mapping.document import parse_mapping
from runtime.mapping.mapper import FieldTrace
from studio.designer import send_one, session, trials
from studio.designer.design import Design
from studio.designer.document import Json, actions_called, with_case, with_query
from studio.designer.dynamic import with_designed_connections
from studio.designer.form_view import form_html, form_title, in_form_order
from studio.designer.inbound import is_called, request_of, sample_of, sample_rows
from studio.designer.messages import say
from studio.designer.odata_form import params_of
from studio.designer.row_name import row_name
from studio.designer.statements import way_of
from studio.i18n import language, plain, t
from studio.text import pretty
from studio.workspace import explain, explained, workspace

__all__ = ["show"]

_SHOWN: Final = "designer_preview"
#: Calls of this action send what an approver sees.
_APPROVAL: Final = "create_approval"
#: Lines of a body up to which it is shown whole.
_SHORT: Final = 12


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A preview, and the document that it is true of."""

    document: Json
    flow: str
    result: Preview
    #: Read by another filter than the mapping's own: a run would not find these rows.
    elsewhere: bool = False


def show(design: Design) -> None:
    """Draw the tab."""
    site = design.site
    if site is None:
        st.info(t("target.none"))
        return
    if is_called(design.document, site) and sample_of(design.document, site.flow) is None:
        st.info(t("preview.no_sample"))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(t("preview.limit"), 1, 200, 20, key="preview_limit", width=140)
        instead = ""
        if design.query is not None and way_of(params_of(design)) == "odata":
            instead = st.text_input(
                t("preview.filter"), help=t("preview.filter_help"), key="preview_filter", width=420
            ).strip()
        if st.button(t("preview.run"), type="primary", icon=":material/visibility:", key="run-preview"):
            with explained():
                _run(design, site.flow, int(limit), instead)
        st.caption(t("preview.safe"))
    shown = st.session_state.get(_SHOWN)
    if not isinstance(shown, Shown) or shown.document["id"] != design.id:
        return
    if not design.does_as(shown.document):
        st.warning(t("preview.outdated"), icon=":material/history:")
        return
    _result(design, shown)


def _run(design: Design, flow: str, limit: int, instead: str) -> None:
    space, document = workspace(), design.document
    if instead and design.query is not None:
        document = with_query(document, design.query, {"filter": instead})
    mapping = parse_mapping(with_designed_connections(document), design.id)
    with st.spinner(t("preview.running")):
        request = request_of(design.document, flow)
        result = space.bridge.run(
            preview(mapping, flow, space.pool, limit=limit, request=request, ledger=space.database)
        )
    st.session_state[_SHOWN] = Shown(document=design.document, flow=flow, result=result, elsewhere=bool(instead))
    if not instead:
        trials.note(design, result.error)


def _result(design: Design, shown: Shown) -> None:
    result = shown.result
    if result.idle:
        st.info(t("preview.empty"))
        return
    settings = design.document.get("settings", {})
    names = [row_name(document, settings) for document in result.documents]
    failures = [(at, cells) for at, document in enumerate(result.documents) for cells in _failures(document)]
    broken = {at for at, _ in failures}
    with st.container(key="preview-summary"):
        st.caption(t("preview.summary", count=len(names), failed=len(broken), seconds=f"{result.elapsed:.2f}"))
    if result.error is not None:
        explain(result.error)
    if failures:
        with st.expander(t("preview.failures", count=len(failures)), expanded=True, icon=":material/warning:"):
            st.dataframe(pd.DataFrame([_failure_row(names[at], *cells) for at, cells in failures]), hide_index=True)
    if not result.documents:
        return
    chosen = st.selectbox(
        t("preview.document"),
        range(len(names)),
        format_func=lambda at: f"{at + 1} · {names[at] or t('preview.whole')}{' ⚠' if at in broken else ''}",
        key="preview_document",
    )
    with st.container(key=f"preview-of-{chosen}"):
        _document(design, result.documents[chosen], names[chosen])
    if result.response is not None:
        st.markdown(f"**{t('preview.answer')}**")
        with st.container(key="preview-answer"):
            st.code(pretty(result.response.body), language="json")
    if not shown.elsewhere:
        send_one.show(design, shown.flow, result.documents[chosen])


def _document(design: Design, document: PreviewDocument, called: str) -> None:
    if document.note:
        st.info(t("preview.skipped", reason=plain(document.note)))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{t('preview.sent')}**")
        for number, sent in enumerate(document.sent):
            _sent(sent, number)
        if not document.sent:
            st.caption(t("preview.nothing_sent"))
    with right:
        if document.forms:
            approvals = design.site is not None and _APPROVAL in actions_called(design.document, design.site.flow)
            st.markdown(f"**{t('preview.form' if approvals else 'preview.record')}**")
        for name, traced in document.forms.items():
            wrong = [failure.to for failure in traced.failures]
            form = {target: traced.form[target] for target in in_form_order(traced.form, design.controls)}
            st.html(form_html(_title(design, name), form, traced.form.controls, wrong, t("preview.no_value")))
    for name, traced in document.forms.items():
        with st.expander(t("preview.provenance", step=name), icon=":material/route:"):
            st.dataframe(pd.DataFrame([_trace_row(field) for field in traced.fields]), hide_index=True)
    with st.expander(t("preview.row"), icon=":material/data_object:"):
        st.code(pretty(_row(design, document)), language="json", height=360)
    _keep_as_case(design, document, called)


def _title(design: Design, step: str) -> str:
    """What the form that a step fills is called."""
    sites = {site.id: site for site in design.sites if design.site and site.flow == design.site.flow}
    site = sites.get(step, design.site)
    return form_title(design.document, site) if site else ""


def _row(design: Design, document: PreviewDocument) -> Any:
    """What the document was made of: its row, or the sample of what a caller sends."""
    if document.row is not None or design.site is None:
        return document.row
    return next(iter(sample_rows(design.document, design.site)), None)


def _keep_as_case(design: Design, document: PreviewDocument, called: str) -> None:
    """A row whose form is right can be kept with the mapping: every later check compares against it."""
    site = design.site
    traced = document.forms.get(site.id) if site is not None else None
    if site is None or not site.variable or traced is None or traced.failures:
        return
    if st.button(t("preview.keep_case"), help=t("preview.keep_case_help"), icon=":material/verified:", key="keep-case"):
        name = f"{site.variable} {called}".strip()
        row = _row(design, document)
        design.replace(with_case(design.document, site, name=name, row=row, form=traced.form))
        session.keep(design)
        st.session_state[_SHOWN] = replace(st.session_state[_SHOWN], document=design.document)
        say([("success", t("preview.kept_case", name=name))])
        st.rerun()


def _sent(sent: Sent, number: int) -> None:
    with st.container(border=True, key=f"sent-{number}"):
        st.markdown(
            f":blue-badge[{t(f'preview.effect.{sent.effect}')}] {plain(sent.connection)} · {plain(sent.action)}"
        )
        if sent.error is not None:
            explain(sent.error)
        if sent.request is not None:
            st.text(f"{sent.request.method} {sent.request.url}")
            st.code(
                body := _body(sent.request),
                language="json",
                wrap_lines=True,
                height=300 if body.count("\n") > _SHORT else "content",
            )


def _body(request: WireRequest) -> str:
    return pretty(request.body) if request.body is not None else "—"


def _failures(document: PreviewDocument) -> list[tuple[str, str, str]]:
    chinese = language() == "zh-CN"
    rows = []
    for failure in document.failures:
        place = " / ".join(filter(None, (failure.table, failure.to)))
        rows.append((place, str(failure.row or ""), failure.zh if chinese else failure.en))
    refused = any(sent.error is not None for sent in document.sent)
    if document.error is not None and not document.failures and not refused:
        rows.append(("", "", document.error.sentence(language())))
    # A call that was refused for a value that is listed already is the same problem.
    listed = {failure.zh for failure in document.failures}
    rows += [
        (f"{sent.connection}.{sent.action}", "", sent.error.sentence(language()))
        for sent in document.sent
        if sent.error is not None and sent.error.zh not in listed
    ]
    return rows


def _failure_row(called: str, place: str, row: str, text: str) -> dict[str, str]:
    return {
        t("preview.column.document"): called,
        t("preview.column.field"): place,
        t("preview.column.row"): row,
        t("preview.column.problem"): text,
    }


def _trace_row(trace: FieldTrace) -> dict[str, str]:
    steps: Sequence[tuple[str, Any]] = trace.steps
    return {
        t("preview.column.field"): " / ".join(filter(None, (trace.table, trace.to))),
        t("preview.column.row"): str(trace.row or ""),
        t("preview.column.source"): trace.source,
        t("preview.column.raw"): _text(trace.raw),
        t("preview.column.steps"): " → ".join(f"{name}: {_text(value)}" for name, value in steps),
        t("preview.column.value"): _text(trace.value),
        t("preview.column.problem"): _reason(trace),
    }


def _reason(trace: FieldTrace) -> str:
    if trace.error is None:
        return ""
    return trace.error.zh if language() == "zh-CN" else trace.error.en


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else jsontext.dumps(value).decode()

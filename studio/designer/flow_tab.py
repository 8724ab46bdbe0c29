"""Flow: title and settings, when it runs, its steps as an outline, and the document itself with a schema check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from runtime import jsontext
from runtime.errors import IntegrationError
from runtime.mapping.folder import parse_mapping
from runtime.mapping.templates import SettingDeclaration, gallery
from studio.designer import outside, session
from studio.designer.design import Design
from studio.designer.document import Json, with_setting, with_value
from studio.designer.dynamic import designed_with
from studio.designer.messages import say
from studio.designer.settings_form import setting_input, value_input
from studio.i18n import plain, t
from studio.text import json_fault, pretty, problem_sentence
from studio.workspace import explain, workspace

__all__ = ["outline", "show"]


def show(design: Design) -> None:
    """Draw the tab."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(f"**{t('flow.general')}**")
        _title(design)
        _schedules(design)
        st.markdown(f"**{t('flow.settings')}**")
        _settings(design)
    with right:
        steps, raw = st.tabs([t("flow.steps"), t("flow.raw")])
        with steps:
            _steps(design)
        with raw:
            _raw(design)


def _title(design: Design) -> None:
    now = str(design.document.get("title", ""))
    title = st.text_input(t("start.title"), now, key=f"title_{design.desk.doc}").strip()
    if title != now:
        _change(design, {**design.document, "title": title})


def _schedules(design: Design) -> None:
    for name, flow in design.document.get("flows", {}).items():
        schedule = flow.get("trigger", {}).get("schedule")
        if not schedule or "every" not in schedule:
            continue
        every = st.text_input(
            t("flow.every", flow=plain(flow.get("title") or name)),
            schedule["every"],
            help=t("flow.every_help"),
            key=f"every_{name}_{design.desk.doc}",
        ).strip()
        if every and every != schedule["every"]:
            path = ("flows", name, "trigger", "schedule", "every")
            _change(design, with_value(design.document, path, every))


def _settings(design: Design) -> None:
    declared = _declared(design.document)
    settings = design.document.get("settings", {})
    if not settings:
        st.caption(t("flow.no_settings"))
    for name, now in settings.items():
        key = f"setting_{name}_{design.desk.doc}_{now!r}"
        if name in declared:
            value = setting_input(declared[name], now, key, _dialect(design.document, name))
        else:
            value = value_input(plain(name), now, key)
        if value != now and not (value is None and now == ""):
            had = bool(design.controls)
            changed = with_setting(design.document, name, "" if value is None else value)
            design.replace(changed)
            if had and not design.controls:
                say([("info", t("flow.other_form"))])
            _change(design, changed)


def _dialect(document: Json, setting: str) -> str:
    connections = {role: designed_with(document, role) for role in document.get("connections", {})}
    return outside.dialect_of(document.get("flows", {}), setting, connections)


def _declared(document: Json) -> dict[str, SettingDeclaration]:
    wanted = (document.get("template") or {}).get("id")
    template = next((item for item in gallery() if item.id == wanted), None)
    return {item.name: item for item in template.settings} if template else {}


def _steps(design: Design) -> None:
    for name, flow in design.document.get("flows", {}).items():
        trigger = next(iter(flow.get("trigger", {})), "")
        known = trigger in ("schedule", "event", "http", "manual")
        title = " · ".join(filter(None, (flow.get("title"), name)))
        st.markdown(f"**{plain(title)}** :gray-badge[{t(f'flow.trigger.{trigger}') if known else plain(trigger)}]")
        lines = [f"{'    ' * depth}{text}" for depth, text in outline(flow.get("steps", ()))]
        st.code("\n".join(lines), language=None)


def outline(steps: Sequence[Mapping[str, Any]], depth: int = 0) -> Iterator[tuple[int, str]]:
    """The steps of a flow as (depth, line)."""
    for step in steps:
        kind = next(
            (
                name
                for name in ("call", "map", "each", "if", "switch", "while", "set", "try", "run", "respond", "stop")
                if name in step
            ),
            "",
        )
        own = step.get(kind)
        detail = own if isinstance(own, str) else ""
        if kind == "map" and isinstance(own, Mapping):
            detail = f"{own.get('from', '')} → {(own.get('to') or {}).get('form') or ''}"
        if kind == "set" and isinstance(own, Mapping):
            detail = ", ".join(own)
        mark = f"{step['id']} = " if step.get("id") else ""
        yield depth, f"{mark}{kind} {detail}".rstrip()
        for branch in ("steps", "then", "else", "try", "catch", "default"):
            inner = step.get(branch)
            if isinstance(inner, list | tuple) and inner:
                if branch not in ("steps", kind):
                    yield depth, branch
                yield from outline(inner, depth + 1)
        for case in step.get("cases", ()) if kind == "switch" else ():
            yield depth, f"when {case.get('when')}"
            yield from outline(case.get("steps", ()), depth + 1)


def _raw(design: Design) -> None:
    text = st.text_area(
        t("flow.raw"), pretty(design.document), height=520, label_visibility="collapsed", key=f"raw_{_stamp(design)}"
    )
    with st.container(horizontal=True):
        check = st.button(t("flow.check"), icon=":material/rule:", key="check_raw")
        apply = st.button(t("flow.apply"), icon=":material/check:", type="primary", key="apply_raw")
    if not (check or apply):
        return
    try:
        document = jsontext.loads(text)
        mapping = parse_mapping(document, design.id)
        if mapping.id != design.id:
            st.error(t("flow.other_id", id=plain(design.id)))
            return
        problems = workspace().problems(mapping)
    except IntegrationError as error:
        explain(error)
        return
    except ValueError as error:
        st.error(plain(t("flow.not_json", error=json_fault(text, error))))
        return
    for problem in problems:
        (st.error if problem.level == "error" else st.warning)(plain(problem_sentence(problem)))
    if check and not problems:
        st.success(t("flow.good"))
    if apply:
        _change(design, document)


def _stamp(design: Design) -> int:
    return hash(jsontext.dumps(design.document))


def _change(design: Design, document: Any) -> None:
    design.replace(document)
    session.keep(design)
    st.rerun()

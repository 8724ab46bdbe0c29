"""What one line does: its source, or a constant or expression instead, and the transforms on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import streamlit as st

from runtime.errors import IntegrationError
from runtime.mapping.expressions import compile_value
from runtime.mapping.forms import Control, ControlType
from runtime.mapping.transforms import TRANSFORMS, compile_transform
from studio.designer import session
from studio.designer.argument_input import argument_input, first_argument
from studio.designer.design import Design
from studio.designer.fields import Field, Group
from studio.designer.links import AGGREGATES, Board, Link, LinkRefused, Place, link, set_through, set_value, unlink
from studio.i18n import language, plain, t
from studio.text import named
from studio.workspace import explain

__all__ = ["show"]

_KINDS: Final = ("field", "constant", "expression", "nothing")


def show(design: Design, sources: Sequence[Group], targets: Sequence[Group]) -> None:
    """Draw the panel for the chosen target, or a hint."""
    target = design.selected
    field = _find(targets, target) if target else None
    if target is None or field is None:
        st.caption(t("link.hint"))
        return
    current = design.desk.board.links.get(target)
    with st.container(border=True, key="link-panel"):
        star = " :red[*]" if field.required else ""
        name = " / ".join(filter(None, (target.group, field.label or target.name)))
        st.markdown(f"**{plain(name)}**{star} :gray[{t(f'mapper.type.{field.type}')}]")
        key = _key(target, current)
        kind = _kind(current, key)
        if kind == "field":
            _source(design, target, current, sources, key)
        elif kind == "constant":
            _constant(design, target, current, key)
        elif kind == "expression":
            _expression(design, target, current, key)
        elif current is not None:
            _apply(design, lambda board: unlink(board, target))
        if current is not None and kind != "nothing":
            _transforms(design, current, key)


def _kind(current: Link | None, key: str) -> str:
    now = "nothing"
    if current is not None and current.source is not None:
        now = "field"
    elif current is not None:
        now = "expression" if isinstance(current.value, str) and "{{" in current.value else "constant"
    chosen = st.segmented_control(
        t("link.kind"),
        _KINDS,
        default=now,
        format_func=lambda name: t(f"link.kind.{name}"),
        label_visibility="collapsed",
        required=True,
        key=f"{key}-kind",
    )
    return chosen or now


def _source(design: Design, target: Place, current: Link | None, sources: Sequence[Group], key: str) -> None:
    options = [Place(group.name, field.name) for group in sources for field in group.fields]
    now = current.source if current else None
    if now is not None and now not in options:
        options.insert(0, now)
    chosen = st.selectbox(
        t("link.source"),
        options,
        index=options.index(now) if now in options else None,
        format_func=lambda place: _place_name(sources, place),
        placeholder=t("designer.choose"),
        label_visibility="collapsed",
        key=f"{key}-source",
    )
    if chosen is None or chosen == now:
        return
    through = current.through if current and not current.aggregated else ()
    if chosen.group and not target.group:
        through = ("first", *through)
    _apply(design, lambda board: link(board, Link(target=target, source=chosen, through=through)))


def _constant(design: Design, target: Place, current: Link | None, key: str) -> None:
    now = current.value if current is not None and current.source is None else None
    control = _control(design.controls, target)
    text = "" if now is None or (isinstance(now, str) and "{{" in now) else str(now)
    if control is not None and control.type is ControlType.MULTISELECT and control.options:
        _several(design, target, control, now, key)
        return
    if control is not None and control.type is ControlType.SELECT and control.options:
        options = [option.label for option in control.options]
        chosen = st.selectbox(
            t("link.constant"),
            options,
            index=options.index(text) if text in options else None,
            placeholder=t("designer.choose"),
            label_visibility="collapsed",
            key=f"{key}-constant",
        )
    else:
        typed = st.text_input(t("link.constant"), text, label_visibility="collapsed", key=f"{key}-constant")
        chosen = typed if typed or isinstance(now, str) else None
    if chosen is not None and chosen != text:
        _apply(design, lambda board: set_value(board, target, chosen))


def _several(design: Design, target: Place, control: Control, now: Any, key: str) -> None:
    options = [option.label for option in control.options]
    known = [item for item in now if item in options] if isinstance(now, list | tuple) else []
    picked = st.multiselect(
        t("link.constant"),
        options,
        known,
        placeholder=t("designer.choose"),
        label_visibility="collapsed",
        key=f"{key}-constants",
    )
    if picked != known:
        _apply(design, lambda board: set_value(board, target, picked))


def _expression(design: Design, target: Place, current: Link | None, key: str) -> None:
    now = current.value if current is not None and current.source is None and isinstance(current.value, str) else ""
    typed = st.text_area(
        t("link.expression"),
        now if "{{" in now else "",
        placeholder=t("link.expression_example", row=design.site.variable if design.site else "row"),
        help=t("link.expression_help"),
        label_visibility="collapsed",
        key=f"{key}-expression",
    ).strip()
    if not typed or typed == now:
        return
    value = typed if "{{" in typed else f"{{{{ {typed} }}}}"
    try:
        compile_value(value, where=" / ".join(filter(None, target)))
    except IntegrationError as error:
        explain(error)
        return
    _apply(design, lambda board: set_value(board, target, value))


def _transforms(design: Design, current: Link, key: str) -> None:
    through = list(current.through)
    first = 1 if current.aggregated else 0
    if current.aggregated:
        _aggregate(design, current, key)
    for number in range(first, len(through)):
        _transform(design, current, number, key)
    names = [name for name in TRANSFORMS if name not in AGGREGATES]
    added = st.selectbox(
        t("link.add_transform"),
        names,
        index=None,
        format_func=_transform_name,
        placeholder=t("link.add_transform"),
        label_visibility="collapsed",
        key=f"{key}-add",
    )
    if added:
        spec = _fresh(added)
        _apply(design, lambda board: set_through(board, current.target, (*current.through, spec)))


def _aggregate(design: Design, current: Link, key: str) -> None:
    spec = current.through[0]
    now = next(iter(spec)) if isinstance(spec, dict) else spec
    chosen = st.selectbox(
        t("link.aggregate"),
        AGGREGATES,
        index=AGGREGATES.index(now),
        format_func=_transform_name,
        key=f"{key}-aggregate",
    )
    if chosen != now:
        following = (_fresh(chosen), *current.through[1:])
        _apply(design, lambda board: set_through(board, current.target, following))


def _transform(design: Design, current: Link, number: int, key: str) -> None:
    spec = current.through[number]
    name, argument = next(iter(spec.items())) if isinstance(spec, dict) else (spec, None)
    here = f"{key}-t{number}"
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(_transform_name(name)), width="stretch")
            _move(design, current, number, -1, here)
            _move(design, current, number, 1, here)
            if st.button("", icon=":material/close:", help=t("link.remove"), type="tertiary", key=f"{here}-remove"):
                rest = (*current.through[:number], *current.through[number + 1 :])
                _apply(design, lambda board: set_through(board, current.target, rest))
        known = TRANSFORMS.get(name)
        if known is None:
            return
        changed, value = argument_input(known, argument, here)
        if changed:
            changed_spec = name if value is None else {name: value}
            try:
                compile_transform(changed_spec)
            except IntegrationError as error:
                explain(error)
                return
            new = (*current.through[:number], changed_spec, *current.through[number + 1 :])
            _apply(design, lambda board: set_through(board, current.target, new))


def _move(design: Design, current: Link, number: int, step: int, key: str) -> None:
    other = number + step
    allowed = (1 if current.aggregated else 0) <= other < len(current.through)
    name, icon = ("up", ":material/arrow_upward:") if step < 0 else ("down", ":material/arrow_downward:")
    if st.button("", icon=icon, help=t(f"link.{name}"), type="tertiary", disabled=not allowed, key=f"{key}-{name}"):
        _apply(design, lambda board: set_through(board, current.target, _swap(current, number, other)))


def _apply(design: Design, change: Callable[[Board], Board]) -> None:
    try:
        board = change(design.desk.board)
    except LinkRefused as error:
        design.refused = ((design.selected or Place("", ""), error.reason),)
    else:
        design.change(board)
        session.keep(design)
    st.rerun()


def _swap(current: Link, one: int, other: int) -> tuple[Any, ...]:
    through = list(current.through)
    through[one], through[other] = through[other], through[one]
    return tuple(through)


def _key(target: Place, current: Link | None) -> str:
    """Widgets are new when the link is: what they show is always the link as it is."""
    content = repr((target, current))
    return f"link-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _find(groups: Sequence[Group], place: Place) -> Field | None:
    for group in groups:
        if group.name == place.group:
            return next((field for field in group.fields if field.name == place.name), None)
    return None


def _place_name(sources: Sequence[Group], place: Place) -> str:
    field = _find(sources, place)
    label = field.label if field else ""
    name = named(label, place.name)
    return f"{place.group} · {name}" if place.group else name


def _control(controls: Iterable[Control], target: Place) -> Control | None:
    for control in controls:
        if target.group and target.group in (control.label, control.id):
            return _control(control.children, Place("", target.name))
        if not target.group and target.name in (control.label, control.id):
            return control
    return None


def _transform_name(name: str) -> str:
    known = TRANSFORMS.get(name)
    if known is None:
        return name
    return known.zh if language() == "zh-CN" else known.en


def _fresh(name: str) -> Any:
    argument = first_argument(TRANSFORMS[name])
    return name if argument is None else {name: argument}

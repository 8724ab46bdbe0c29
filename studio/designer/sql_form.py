"""The source as SQL: statements for the header and its lines, their key, parameters, and the fields that they yield."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

import pandas as pd
import streamlit as st

from runtime import jsontext
from runtime.connectors.statements.fields import FieldList
from runtime.mapping.problems import Problem
from studio.designer import session
from studio.designer.design import Design
from studio.designer.document import QuerySite, setting_behind
from studio.designer.source_rows import forget_rows
from studio.designer.statement_groups import expected_type
from studio.designer.statements import (
    LinesText,
    SqlText,
    columns,
    placeholders,
    problems,
    sql_text,
    with_lines_added,
    with_lines_removed,
)
from studio.i18n import plain, t
from studio.text import problem_text

__all__ = ["browser", "form", "show_problems", "titles"]

_HEADER_EXAMPLE: Final = (
    'SELECT T0."DocEntry", T0."DocNum", T0."ReqName"\nFROM ODRF T0\nWHERE IFNULL(T0."U_ISSYN", \'N\') = \'N\''
)
_LINES_EXAMPLE: Final = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity"\nFROM DRF1 T1'
Place = Sequence[str | int]


def form(design: Design, query: QuerySite, dialect: str) -> None:
    """Draw the statements; whatever is typed is kept at once, whether it is right or not."""
    with st.container(key="sql-form"):
        _Form(
            design=design,
            query=query,
            now=sql_text(design.document, query),
            problems=problems(design.document, query, dialect),
            wanted=placeholders(design.document, query, dialect),
        ).draw()


def show_problems(found: Sequence[Problem], label: str) -> None:
    """Say what is wrong with what is labelled so, in plain words."""
    for problem in found:
        st.error(plain(t("sql.problem", label=label, text=problem_text(problem))), icon=":material/error:")


def titles(design: Design, query: QuerySite, dialect: str) -> Callable[[str, str], str]:
    """Group and name of a field → label, name and type, for the head of a column; asked after the rows were fetched."""

    @cache
    def found() -> Mapping[str, FieldList]:
        return columns(design.document, query, dialect, design.rows)

    def title(group: str, name: str) -> str:
        field = found()[group].find(name) if group in found() else None
        if field is None:
            return name
        return f"{field.label} {name} · {t(f'mapper.type.{expected_type(field)}')}".strip()

    return title


def browser(design: Design, query: QuerySite, dialect: str) -> None:
    """Draw the fields that the statements yield; types and samples come with the first rows."""
    found = columns(design.document, query, dialect, design.rows)
    shown = [
        {
            t("source.column.group"): group or t("designer.header"),
            t("source.column.name"): field.name,
            t("source.column.label"): field.label,
            t("source.column.type"): t(f"mapper.type.{expected_type(field)}"),
            t("source.column.sample"): " / ".join(field.samples),
            t("source.column.origin"): ".".join(filter(None, (field.table, field.column))),
        }
        for group, fields in found.items()
        for field in fields.fields
    ]
    if any(fields.more for fields in found.values()):
        st.caption(t("sql.more_fields"))
    if shown:
        st.caption(t("sql.field_count", count=len(shown)))
        st.dataframe(pd.DataFrame(shown), hide_index=True, height=420 if len(shown) > 10 else "auto")


@dataclass(frozen=True, kw_only=True)
class _Form:
    """The form as it is drawn once."""

    design: Design
    query: QuerySite
    now: SqlText
    #: Place within the parameters → what is wrong there.
    problems: Mapping[str, Sequence[Problem]]
    #: Parameters that the statements ask for.
    wanted: Sequence[str]

    def draw(self) -> None:
        self._statement(("statement",), self.now.statement, t("sql.header"), _HEADER_EXAMPLE, 190)
        said = self._said(t("sql.header"), "statement")
        self._short(("key",), self.now.key, t("sql.key"), t("sql.key_help"))
        for number, lines in enumerate(self.now.lines):
            with st.container(border=True):
                label = t("sql.lines", name=lines.name)
                self._lines(number, lines, label)
                said |= self._said(label, f"lines[{number}].statement", f"lines[{number}].name")
        if st.button(t("sql.add_lines"), icon=":material/add:", key="add_lines"):
            self._change(("lines",), with_lines_added(self.design.document, self.query))
        self._parameters()
        self._said(t("sql.parameters"), *(place for place in self.problems if place not in said))
        size = self.now.page_size
        if isinstance(size, int):
            key = self._widget(("page_size",))
            typed = st.number_input(t("sql.page_size"), 1, 1000, size, help=t("sql.page_size_help"), key=key)
            if typed != size:
                self._change(("page_size",), typed)

    def _said(self, label: str, *places: str) -> set[str]:
        for place in places:
            show_problems(self.problems.get(place, ()), label)
        return set(places)

    def _statement(self, path: Place, now: str, label: str, example: str, height: int) -> None:
        typed = st.text_area(
            label, now, height=height, placeholder=example, help=t("sql.statement_help"), key=self._widget(path)
        )
        setting = setting_behind(self.design.document, self.query, path)
        if setting:
            st.caption(t("sql.in_setting", name=plain(setting)))
        if typed.strip() != now.strip():
            self._change(path, typed.strip())

    def _short(self, path: Place, now: str, label: str, note: str, example: str = "") -> None:
        typed = st.text_input(label, now, help=note, placeholder=example, key=self._widget(path)).strip()
        if typed != now:
            self._change(path, typed or None)

    def _lines(self, number: int, lines: LinesText, label: str) -> None:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            self._short((*lines.place, "name"), lines.name, t("sql.lines_name"), t("sql.lines_name_help"), "Lines")
            self._short((*lines.place, "key"), lines.key, t("sql.lines_key"), t("sql.lines_key_help"), self.now.key)
            if st.button("", icon=":material/delete:", help=t("sql.remove_lines"), key=f"remove_lines_{number}"):
                self._change(("lines",), with_lines_removed(self.design.document, self.query, number))
        self._statement((*lines.place, "statement"), lines.statement, plain(label), _LINES_EXAMPLE, 150)

    def _parameters(self) -> None:
        names = list(dict.fromkeys([*self.wanted, *self.now.parameters]))
        if names:
            st.markdown(f"**{t('sql.parameters')}**", help=t("sql.parameters_help"))
        for name in names:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                self._parameter(name)
                if name not in self.wanted and st.button(
                    "", icon=":material/delete:", help=t("sql.remove_parameter"), key=f"remove_parameter_{name}"
                ):
                    self._give(name, None)

    def _parameter(self, name: str) -> None:
        now = self.now.parameters.get(name, "")
        number = isinstance(now, int | Decimal) and not isinstance(now, bool)
        shown = now if isinstance(now, str) else jsontext.dumps(now).decode()
        key = self._widget(("parameters", name))
        label, fixed = plain(f":{name}"), not number and not isinstance(now, str)
        typed = st.text_input(label, shown, disabled=fixed, key=key)
        if fixed:
            return
        kind = st.selectbox(
            t("sql.parameter_type"),
            ["text", "number"],
            index=int(number),
            format_func=lambda one: t(f"mapper.type.{one}"),
            width=120,
            key=f"{key}_type",
        )
        value = _number(typed) if kind == "number" else typed
        if kind == "number" and value is None and typed.strip():
            st.error(t("settings.not_a_number"))
        elif value != now and (name in self.now.parameters or value not in (None, "")):
            self._give(name, value)

    def _give(self, name: str, value: Any) -> None:
        if self.now.named:
            self._change(("parameters", name), value)
        values = {**self.now.parameters, name: value}
        self._change(("parameters",), {name: one for name, one in values.items() if one is not None})

    def _widget(self, path: Place) -> str:
        """A widget's key; with more or fewer statements for lines, they all begin anew."""
        return "_".join(map(str, ("sql", self.design.desk.doc, len(self.now.lines), *path)))

    def _change(self, path: Place, value: Any) -> None:
        """Keep what was typed, and draw anew."""
        self.design.set_param(path, value)
        forget_rows()
        session.keep(self.design)
        st.rerun()


def _number(text: str) -> int | Decimal | None:
    try:
        value = jsontext.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None

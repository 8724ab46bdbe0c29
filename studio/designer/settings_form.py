"""One input per setting of a mapping, by what its template declares or by the value it has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import streamlit as st

from runtime import jsontext
from runtime.connectors.statements.examining import statement_problems
from runtime.mapping.problems import Problem
from runtime.mapping.templates import SettingDeclaration
from studio.designer.sql_form import show_problems
from studio.i18n import language, plain, t

__all__ = ["label_of", "setting_input", "statement_faults", "value_input"]

#: A longer text gets several lines.
_SHORT: Final = 100


def setting_input(declaration: SettingDeclaration, value: Any, key: str, dialect: str = "") -> Any:
    """The input for a declared setting; returns its value, None when it is empty.

    :param dialect: SQL dialect of the connection that a statement is for; empty if it is not known
    """
    label = plain(label_of(declaration))
    if declaration.required:
        label += " :red[*]"
    chinese = language() == "zh-CN"
    note = plain(declaration.help if chinese else declaration.help_en) or None
    if declaration.options:
        words = {option.value: option.label if chinese else option.label_en for option in declaration.options}
        return st.selectbox(
            label,
            list(words),
            index=list(words).index(value) if value in words else None,
            format_func=lambda one: words.get(one, one),
            help=note,
            placeholder=t("designer.choose"),
            key=key,
        )
    typed = value_input(label, value, key, note, kind=declaration.type)
    show_problems(statement_faults(declaration, typed, dialect), label_of(declaration))
    # Cleared on purpose: it must not come back as the default.
    return "" if typed is None and declaration.optional else typed


def label_of(declaration: SettingDeclaration) -> str:
    """What people call a setting."""
    return declaration.label if language() == "zh-CN" else declaration.label_en or declaration.label


def statement_faults(declaration: SettingDeclaration, value: Any, dialect: str) -> list[Problem]:
    """What the guard has against a setting that is a statement."""
    if declaration.type != "statement" or not dialect or not isinstance(value, str) or not value.strip():
        return []
    return statement_problems(value, dialect)


def value_input(label: str, value: Any, key: str, note: str | None = None, kind: str = "") -> Any:
    """The input for a value of any JSON type; its type stays what it was."""
    if isinstance(value, bool) or kind == "boolean":
        return st.toggle(label, bool(value), help=note, key=key)
    if isinstance(value, int) or (kind == "number" and value is None):
        typed = st.number_input(label, value=int(value) if value is not None else None, step=1, help=note, key=key)
        return None if typed is None else int(typed)
    if kind == "statement" or (isinstance(value, str) and ("\n" in value or len(value) > _SHORT)):
        return st.text_area(label, value or "", height=150, help=note, key=key).strip() or None
    if value is None or isinstance(value, str):
        return st.text_input(label, value or "", help=note, key=key).strip() or None
    text = st.text_input(label, jsontext.dumps(value).decode(), help=note, key=key)
    try:
        return jsontext.loads(text)
    except ValueError:
        if isinstance(value, Decimal):
            st.error(t("settings.not_a_number"))
        else:
            st.error(t("settings.not_json"))
        return value

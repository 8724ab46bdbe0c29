"""A look at real rows of the source: how many, how long it took, the header as a table and the lines below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from runtime import jsontext
from runtime.errors import IntegrationError
from studio.designer import outside, trials
from studio.designer.design import Design
from studio.designer.outside import Fetched
from studio.i18n import plain, t
from studio.workspace import explain

__all__ = ["forget_rows", "show", "show_rows"]

_FETCHED: Final = "designer_fetched"
_LINES: Final = 200
#: Group and name of a field → the head of its column.
Title = Callable[[str, str], str]


def show(design: Design, title: Title, *, everything: bool) -> None:
    """Draw what was fetched, and the button that fetches.

    :param everything: columns without any value are shown, too
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(t("source.limit"), 1, 200, 20, key="source_limit", width=140)
        if st.button(t("source.fetch"), type="primary", icon=":material/download:", key="fetch"):
            _fetch(design, int(limit))
    doc, result = st.session_state.get(_FETCHED, ("", None))
    if doc != design.desk.doc or result is None:
        st.caption(t("source.not_fetched"))
    elif isinstance(result, IntegrationError):
        explain(result)
    else:
        key = "source.timing_all" if everything else "source.timing"
        st.caption(t(key, count=len(result.rows), seconds=f"{result.seconds:.2f}"))
        _tables(result.rows, title, everything)


def show_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Draw rows that need no fetching, all columns by their own names."""
    _tables(rows, lambda _group, name: name, everything=True)


def forget_rows() -> None:
    """What was fetched is not what the query would yield now."""
    st.session_state.pop(_FETCHED, None)


def _fetch(design: Design, limit: int) -> None:
    result: Fetched | IntegrationError
    try:
        with st.spinner(t("source.fetching")):
            result = outside.fetch_rows(design, limit)
    except IntegrationError as error:
        result = error
        trials.note(design, error)
    else:
        design.rows = result.rows
        trials.note(design, None)
    st.session_state[_FETCHED] = (design.desk.doc, result)


def _tables(rows: Sequence[dict[str, Any]], title: Title, everything: bool) -> None:
    if not rows:
        st.info(t("source.empty"))
        return
    names = _used(rows, everything)
    nested = [name for name in names if any(isinstance(row.get(name), list) for row in rows)]
    flat = [name for name in names if name not in nested and not isinstance(rows[0].get(name), dict)]
    st.dataframe(_frame(rows, flat, "", title), hide_index=True, height=360 if len(rows) > 9 else "auto")
    for name in nested:
        lines = [line for row in rows for line in row.get(name) or () if isinstance(line, dict)]
        if lines:
            with st.expander(t("source.lines", name=plain(name), count=len(lines)), expanded=everything):
                shown = lines[:_LINES]
                st.dataframe(_frame(shown, _used(shown, everything), name, title), hide_index=True)
        elif everything:
            st.caption(t("source.no_lines", name=plain(name)))


def _used(rows: Sequence[dict[str, Any]], everything: bool) -> list[str]:
    if everything:
        return list(dict.fromkeys(name for row in rows for name in row))
    used = [name for name in rows[0] if any(row.get(name) not in (None, "", []) for row in rows)]
    return [name for name in used if "." not in name]


def _frame(rows: Sequence[dict[str, Any]], names: Sequence[str], group: str, title: Title) -> pd.DataFrame:
    return pd.DataFrame([[_cell(row.get(name)) for name in names] for row in rows], columns=_heads(names, group, title))


def _heads(names: Sequence[str], group: str, title: Title) -> list[str]:
    heads = [title(group, name) for name in names]
    return [head if heads.count(head) == 1 else name for head, name in zip(heads, names, strict=True)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else jsontext.dumps(value).decode()

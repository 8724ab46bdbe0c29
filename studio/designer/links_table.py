"""The same links as a table: for those who would rather choose than draw, and where dragging is impossible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from studio.designer import session
from studio.designer.design import Design
from studio.designer.fields import Group
from studio.designer.links import Board, Link, LinkRefused, Place, link, redo, set_value, undo, unlink
from studio.i18n import t
from studio.text import named

__all__ = ["edited_board", "show"]

_NONE: Final = ""


def show(design: Design, sources: Sequence[Group], targets: Sequence[Group]) -> None:
    """Draw the table; an edited cell is applied at once."""
    board = design.desk.board
    with st.container(horizontal=True):
        if st.button(t("table.undo"), icon=":material/undo:", disabled=not board.past, key="table_undo"):
            _commit(design, undo(board))
        if st.button(t("table.redo"), icon=":material/redo:", disabled=not board.future, key="table_redo"):
            _commit(design, redo(board))
    names = _names(sources, board)
    places = [Place(group.name, field.name) for group in targets for field in group.fields if field.settable]
    rows = [_row(place, targets, board, names) for place in places]
    columns = {
        "target": st.column_config.TextColumn(t("table.target"), disabled=True),
        "type": st.column_config.TextColumn(t("table.type"), disabled=True, width="small"),
        "required": st.column_config.CheckboxColumn(t("table.required"), disabled=True, width="small"),
        "source": st.column_config.SelectboxColumn(t("table.source"), options=[_NONE, *names.values()]),
        "value": st.column_config.TextColumn(t("table.value"), help=t("table.value_help")),
    }
    key = f"links-table-{design.desk.doc}-{len(board.past)}-{len(board.future)}-{design.desk.epoch}"
    st.data_editor(
        pd.DataFrame(rows, columns=list(columns)),
        column_config=columns,
        hide_index=True,
        height=620,
        placeholder="",
        key=key,
    )
    edits: Mapping[int, Mapping[str, Any]] = (st.session_state.get(key) or {}).get("edited_rows", {})
    if edits:
        by_name = {name: place for place, name in names.items()}
        changes = {places[int(at)]: cells for at, cells in edits.items()}
        after, refused = edited_board(board, changes, by_name)
        design.refused = refused
        _commit(design, after)


def edited_board(
    board: Board, changes: Mapping[Place, Mapping[str, Any]], sources: Mapping[str, Place]
) -> tuple[Board, tuple[tuple[Place, str], ...]]:
    """The board after cells were edited, and (target, reason) of what was refused.

    :param changes: target → edited cells, ``source`` (a name or empty) or ``value`` (a constant or expression)
    :param sources: name in the table → field
    """
    refused = []
    for target, cells in changes.items():
        try:
            if cells.get("value"):
                board = set_value(board, target, cells["value"])
            elif cells.get("source"):
                source = sources[cells["source"]]
                old = board.links.get(target)
                through = old.through if old and not old.aggregated else ()
                if source.group and not target.group:
                    through = ("first", *through)
                board = link(board, Link(target=target, source=source, through=through))
            else:
                board = unlink(board, target)
        except LinkRefused as error:
            refused.append((target, error.reason))
    return board, tuple(refused)


def _commit(design: Design, board: Board) -> None:
    if board is not design.desk.board:
        design.change(board)
        session.keep(design)
    st.rerun()


def _names(sources: Sequence[Group], board: Board) -> dict[Place, str]:
    names = {}
    for group in sources:
        for field in group.fields:
            own = named(field.label, field.name)
            names[Place(group.name, field.name)] = f"{group.name} · {own}" if group.name else own
    for item in board.links.values():
        if item.source is not None:
            names.setdefault(item.source, " · ".join(filter(None, item.source)))
    return names


def _row(place: Place, targets: Sequence[Group], board: Board, names: Mapping[Place, str]) -> dict[str, Any]:
    field = next(
        field for group in targets if group.name == place.group for field in group.fields if field.name == place.name
    )
    item = board.links.get(place)
    source = names[item.source] if item is not None and item.source is not None else _NONE
    value = "" if item is None or item.source is not None or item.value is None else str(item.value)
    label = f"{place.group} / {field.label or place.name}" if place.group else field.label or place.name
    return {
        "target": label,
        "type": t(f"mapper.type.{field.type}"),
        "required": field.required,
        "source": source,
        "value": value,
    }

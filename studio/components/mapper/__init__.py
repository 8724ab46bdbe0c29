"""The drag-to-map component: draws source fields, target controls and the lines between them.

It holds no truth: :mod:`studio.designer.desk` does. Its script is vanilla JavaScript without a build step; the files
are joined in the order below, so that no file of a browser's cache can be older than the page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import streamlit as st

__all__ = ["mount"]

_SCRIPTS: Final = (
    "dom", "store", "tree", "rows", "lines", "ask", "toolbar", "pointer", "keyboard", "mapper", "main",
)  # fmt: skip


@cache
def assets() -> tuple[str, str]:
    """Script and style sheet."""
    folder = files(__package__).joinpath("assets")
    script = "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    return script, folder.joinpath("mapper.css").read_text("utf-8")


def mount(data: dict[str, Any], *, key: str, on_board: Callable[[], None], on_edit: Callable[[], None]) -> None:
    """Show the component.

    :param data: what :func:`studio.designer.fields.payload` makes; equal data leaves the browser alone
    :param key: ``st.session_state[key]`` holds ``board`` (the browser's whole state) and ``edit`` (a target, once)
    :param on_board: called when links came in, also when the page is being left
    :param on_edit: called when the person asks to edit a target
    """
    _component()(
        data=data, key=key, on_board_change=on_board, on_edit_change=on_edit, width="stretch", height="content"
    )


@cache
def _component() -> Callable[..., Any]:
    script, style = assets()
    return st.components.v2.component("b1_mapper", js=script, css=style)

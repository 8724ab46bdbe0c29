"""What the last action has to say, shown above the tab in the run after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from studio.i18n import plain

__all__ = ["say", "show"]

_STATE: Final = "designer_messages"


def say(messages: Sequence[tuple[str, str]]) -> None:
    """Keep (level, text) for the next run: ``error``, ``warning``, ``info`` or ``success``."""
    st.session_state[_STATE] = list(messages)


def show() -> None:
    """Show what was kept, once."""
    levels = {"error": st.error, "warning": st.warning, "info": st.info, "success": st.success}
    for level, text in st.session_state.pop(_STATE, []):
        levels[level](plain(text))

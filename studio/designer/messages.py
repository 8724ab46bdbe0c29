"""What the last action has to say, shown above the tab in the run after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from runtime.mapping.problems import Problem
from studio.i18n import language, plain

__all__ = ["say", "sentence", "show"]

_STATE: Final = "designer_messages"


def say(messages: Sequence[tuple[str, str]]) -> None:
    """Keep (level, text) for the next run: ``error``, ``warning``, ``info`` or ``success``."""
    st.session_state[_STATE] = list(messages)


def sentence(problem: Problem) -> str:
    """What a check found, and where, in the session's language."""
    text = problem.zh if language() == "zh-CN" else problem.en
    return f"{problem.where}: {text}" if problem.where else text


def show() -> None:
    """Show what was kept, once."""
    levels = {"error": st.error, "warning": st.warning, "info": st.info, "success": st.success}
    for level, text in st.session_state.pop(_STATE, []):
        levels[level](plain(text))

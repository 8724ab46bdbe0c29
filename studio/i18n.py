"""Texts of the studio: Chinese first, English beside it. Views hold keys, the catalogues hold words."""

from __future__ import annotations

import json
import re
import string
from functools import cache
from importlib.resources import files
from typing import Any, Final

import streamlit as st

__all__ = ["LANGUAGES", "catalogue", "known", "language", "language_switch", "plain", "t"]

#: Language → its own name; the first one is the default.
LANGUAGES: Final = {"zh-CN": "中文", "en": "English"}
_DEFAULT: Final = next(iter(LANGUAGES))
_STATE: Final = "language"
_QUERY: Final = "lang"
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")


class _Words(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        one, bar, many = format_spec.partition("|")
        return (one if value == 1 else many) if bar else super().format_field(value, format_spec)


_WORDS: Final = _Words()


@cache
def catalogue(name: str) -> dict[str, str]:
    """All texts of one language: dotted key → text with ``{placeholders}``."""
    content = files("studio").joinpath("locales", f"{name}.json").read_text("utf-8")
    texts: dict[str, str] = json.loads(content)
    return texts


def language() -> str:
    """The language of this session: ``zh-CN`` or ``en``; a reload keeps it in the address."""
    chosen = st.session_state.get(_STATE) or st.query_params.get(_QUERY)
    return chosen if chosen in LANGUAGES else _DEFAULT


def t(key: str, /, **values: Any) -> str:
    """The text of a key in the session's language. ``{count:run|runs}`` in it is the word that goes with a number.

    :raises KeyError: no catalogue has the key; a test compares the keys in the code with the catalogues
    """
    text = catalogue(language())[key]
    return _WORDS.vformat(text, (), values) if values else text


def known(key: str, otherwise: str) -> str:
    """The text of a key where the catalogues have one, for names that come from elsewhere."""
    return catalogue(language()).get(key, otherwise)


def plain(text: object) -> str:
    """Text from outside, harmless where Streamlit expects Markdown.

    It cannot become an image, colour, formula or heading, nor a link that hides where it leads.
    """
    return _MARKDOWN.sub(r"\\\1", str(text))


def language_switch() -> None:
    """The choice of language; it changes labels only, never what is being edited."""
    current = language()
    chosen = st.segmented_control(
        t("app.language"),
        list(LANGUAGES),
        default=current,
        format_func=lambda name: LANGUAGES[name],
        label_visibility="collapsed",
        required=True,
        key="language_switch",
    )
    if chosen != _DEFAULT:
        st.query_params[_QUERY] = chosen
    elif _QUERY in st.query_params:
        del st.query_params[_QUERY]
    if chosen != current:
        st.session_state[_STATE] = chosen
        st.rerun()

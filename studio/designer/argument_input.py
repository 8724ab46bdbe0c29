"""The input for a transform's argument, made from its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from runtime import jsontext
from runtime.mapping.transforms import Transform
from studio.i18n import language, t

__all__ = ["argument_input", "first_argument"]


def first_argument(transform: Transform) -> Any:
    """What a transform gets when it is added: None where it can do without."""
    if not transform.argument_required:
        return None
    schema = transform.argument or {}
    if schema.get("type") == "integer":
        return 2 if schema.get("maximum", 0) <= 12 else 100
    return {"*": ""} if schema.get("type") == "object" else ""


def argument_input(transform: Transform, argument: Any, key: str) -> tuple[bool, Any]:
    """Draw the input; whether the argument changed, and to what (None = none)."""
    schema = transform.argument
    if schema is None:
        return False, None
    note = transform.argument_zh if language() == "zh-CN" else transform.argument_en
    if schema.get("type") == "integer":
        low, high = schema.get("minimum"), schema.get("maximum")
        typed = st.number_input(note, low, high, argument, step=1, key=f"{key}-argument")
        value = None if typed is None else int(typed)
    elif schema.get("type") == "object" and "properties" in schema:
        value = _properties(schema, argument, key, note)
    elif schema.get("type") == "object":
        value = _pairs(argument, key, note)
    else:
        value = _text(argument, key, note)
    if value is None and transform.argument_required:
        return False, argument
    return value != argument, value


def _text(argument: Any, key: str, note: str) -> Any:
    shown = "" if argument is None else argument if isinstance(argument, str) else jsontext.dumps(argument).decode()
    typed = st.text_input(note, shown, key=f"{key}-argument")
    if typed == shown:
        return argument
    if argument is not None and not isinstance(argument, str):
        try:
            return jsontext.loads(typed)
        except ValueError:
            return typed
    return typed if typed or argument is not None else None


def _properties(schema: Mapping[str, Any], argument: Any, key: str, note: str) -> Any:
    st.caption(note)
    now = argument if isinstance(argument, dict) else {}
    with st.container(horizontal=True):
        typed = {
            name: st.text_input(name, str(now.get(name, "")), key=f"{key}-argument-{name}")
            for name in schema["properties"]
        }
    return typed if all(typed.values()) else argument


def _pairs(argument: Any, key: str, note: str) -> Any:
    now = argument if isinstance(argument, dict) else {}
    columns = {"from": t("link.lookup_from"), "to": t("link.lookup_to")}
    frame = pd.DataFrame([(str(name), str(value)) for name, value in now.items()], columns=list(columns))
    edited = st.data_editor(
        frame, column_config=columns, num_rows="dynamic", hide_index=True, key=f"{key}-argument", height=180
    )
    st.caption(note)
    pairs: dict[str, Any] = {}
    for name, text in edited.itertuples(index=False):
        if name not in (None, ""):
            old = now.get(name)
            pairs[str(name)] = old if text == str(old) and name in now else text or ""
    return pairs or None

"""The drag component alone, over invented fields: what browser tests of the component open."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

from runtime import jsontext
from runtime.connectors.catalog import SourceField
from studio.components.mapper import mount
from studio.designer.design import Design
from studio.designer.fields import notes, payload, source_groups, target_groups
from studio.i18n import catalogue, language

SIZE = int(os.environ.get("HARNESS_SIZE", "12"))
LINKS = int(os.environ.get("HARNESS_LINKS", "0"))
KEY = "harness"


def document() -> dict[str, Any]:
    half = SIZE // 2
    controls = [{"id": f"c{n}", "label": f"控件{n}", "type": "text", "required": n % 5 == 0} for n in range(half)]
    children = [{"id": f"k{n}", "label": f"列{n}", "type": "number"} for n in range(SIZE - half)]
    controls.append({"id": "t", "label": "物料表", "type": "table", "children": children})
    header = [{"to": f"控件{n}", "from": f"Head{n}"} for n in range(min(LINKS, half))]
    lines = [{"to": f"列{n}", "from": f"Line{n}"} for n in range(max(0, LINKS - half))]
    spec: dict[str, Any] = {"from": "{{ row }}", "to": {"connection": "oa", "controls": controls}, "fields": header}
    if lines:
        spec["tables"] = [{"to": "物料表", "from": "DocumentLines", "fields": lines}]
    steps = [{"each": "{{ rows }}", "as": "row", "steps": [{"id": "form", "map": spec}]}]
    flow = {"trigger": {"manual": {}}, "steps": [{"id": "rows", "call": "erp.query", "with": {}}, *steps]}
    return {"format": 1, "id": "harness", "flows": {"submit": flow}}


def fields() -> list[SourceField]:
    half = SIZE // 2
    header = [SourceField(name=f"Head{n}", type="text", label=f"表头{n}") for n in range(half)]
    lines = [
        SourceField(name=f"Line{n}", type="decimal", group="DocumentLines", label=f"行<b>{n}</b>")
        for n in range(SIZE - half)
    ]
    return header + lines


if "design" not in st.session_state:
    st.session_state["design"] = Design(document=document(), digest=None)
design: Design = st.session_state["design"]


def take() -> None:
    design.take(st.session_state.get(KEY, {}).get("board"))


def note_edit() -> None:
    st.session_state["edited"] = st.session_state.get(KEY, {}).get("edit")


@st.fragment
def board() -> None:
    if KEY not in st.session_state:
        design.mount()
    take()
    texts = {
        key.removeprefix("mapper."): text for key, text in catalogue(language()).items() if key.startswith("mapper.")
    }
    sources = source_groups("Drafts", fields(), [], design.desk.board, header_label="表头")
    targets = target_groups(design.controls, design.desk.board, header_label="表单")
    marks = notes(design.desk.board, lambda item: str(item.value or item.through))
    data = payload(design.desk, sources, targets, marks=marks, texts=texts, height=520)
    mount(data, key=KEY, on_board=take, on_edit=note_edit)
    step = design.document["flows"]["submit"]["steps"][1]["steps"][0]["map"]
    shown = {key: step[key] for key in ("fields", "tables") if key in step}
    st.code(jsontext.dumps(shown).decode(), language=None)


if st.radio("page", ["board", "other"], horizontal=True) == "board":
    board()

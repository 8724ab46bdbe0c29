"""The switch and Save: no click is lost, none has its effect twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from studio.designer import session
from studio.i18n import catalogue
from tests.studio.pages import click, opened, said

TEXT = catalogue("zh-CN")


def test_a_click_on_save_right_behind_the_switch_is_not_lost(workspace: Path) -> None:
    """Both arrive in one run."""
    page = opened("source")
    page.toggle[0].set_value(False)
    page = click(page, "save")
    assert json.loads((workspace / "mappings" / "demo.json").read_text("utf-8"))["enabled"] is False
    assert TEXT["designer.saved_off"].format(id="demo") in said(page).replace("\\", "")


@pytest.mark.parametrize("place", ["head_drawn", "current"])
def test_a_click_on_save_outlives_a_run_that_is_broken_off(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """As another request does that comes before the button is drawn."""
    page = opened("source")
    page.toggle[0].set_value(False)
    page.button(key="save").click()
    drawn = getattr(session, place)
    broken: list[bool] = []

    def first_time_not(*values: Any) -> Any:
        if not broken:
            broken.append(True)
            st.rerun()
        return drawn(*values)

    monkeypatch.setattr(session, place, first_time_not)
    page.run()
    assert not page.exception
    assert broken
    assert json.loads((workspace / "mappings" / "demo.json").read_text("utf-8"))["enabled"] is False
    assert TEXT["designer.saved_off"].format(id="demo") in said(page).replace("\\", "")
    assert not page.toggle[0].value


def test_an_enabled_mapping_with_errors_is_not_saved(workspace: Path) -> None:
    before = (workspace / "mappings" / "demo.json").read_bytes()
    page = click(opened("target"), "fetch-form")
    assert page.button(key="save").disabled is False
    page = click(page, "save")
    assert "启用的映射不能有错误" in said(page)
    assert "请购单别" in said(page)
    assert (workspace / "mappings" / "demo.json").read_bytes() == before

"""Nobody saves an enabled mapping unasked whose query was just refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio.i18n import LANGUAGES, catalogue
from studio.workspace import workspace as studio_workspace
from tests.studio.pages import click, opened, said

TEXT = catalogue("zh-CN")


def tried(tab: str, text: str) -> AppTest:
    """``demo`` with another filter, tried on the tab."""
    page = opened("source")
    page.text_area[0].set_value(text).run()
    page.segmented_control(key="designer_tab").set_value(tab).run()
    return click(page, {"source": "fetch", "preview": "run-preview"}[tab])


def saved(workspace: Path) -> str:
    return (workspace / "mappings" / "demo.json").read_text("utf-8")


def asked(page: AppTest) -> bool:
    return any(button.key == "doubles-on" for button in page.button)


WRONG = "NoSuchField eq 1"


@pytest.mark.parametrize("tab", ["source", "preview"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_asked_and_nothing_is_written(workspace: Path, tab: str, language: str) -> None:
    page = tried(tab, WRONG)
    page.session_state["language"] = language
    page = click(page, "save")
    assert asked(page)
    assert catalogue(language)["doubles.refused"] in said(page).replace("\\", "")
    assert any("NoSuchField" in item.value for item in page.caption)
    assert WRONG not in saved(workspace)


def test_all_the_same_it_is_saved_and_not_asked_again(workspace: Path) -> None:
    page = click(click(tried("preview", WRONG), "save"), "doubles-on")
    assert WRONG in saved(workspace)
    assert not asked(page)
    assert TEXT["designer.saved_as"].format(id="demo") in said(page).replace("\\", "")


def test_the_other_answer_saves_it_switched_off(workspace: Path) -> None:
    click(click(tried("preview", WRONG), "save"), "doubles-off")
    assert json.loads(saved(workspace))["enabled"] is False


def test_what_was_not_tried_as_it_is_now_is_just_saved(workspace: Path) -> None:
    page = tried("source", WRONG)
    page.text_area[0].set_value("DocEntry eq 1").run()
    assert not asked(click(page, "save"))
    assert "DocEntry eq 1" in saved(workspace)


def test_what_was_read_since_is_just_saved(workspace: Path) -> None:
    page = tried("source", WRONG)
    page.text_area[0].set_value("DocEntry eq 1").run()
    assert not asked(click(click(page, "fetch"), "save"))
    assert "DocEntry eq 1" in saved(workspace)


def test_what_is_switched_off_is_just_saved(workspace: Path) -> None:
    page = tried("preview", WRONG)
    assert not asked(click(page.toggle[0].set_value(False).run(), "save"))
    assert WRONG in saved(workspace)


def retitled() -> AppTest:
    page = opened("flow")
    next(box for box in page.text_input if box.label == TEXT["start.title"]).set_value("改过").run()
    return page.segmented_control(key="designer_tab").set_value("preview").run()


def test_another_filter_for_the_preview_alone_says_nothing_of_the_mapping(workspace: Path) -> None:
    page = click(retitled().text_input(key="preview_filter").set_value(WRONG).run(), "run-preview")
    assert "NoSuchField" in said(page)
    assert not asked(click(page, "save"))
    assert "改过" in saved(workspace)


def test_a_system_that_was_not_there_is_no_reason_to_ask(workspace: Path) -> None:
    store = studio_workspace().connections
    info = store.get("b1-demo")
    store.save("b1-demo", {"kind": info.kind, **info.settings, "base_url": "http://127.0.0.1:9"})
    page = click(retitled(), "run-preview")
    assert page.error
    assert not asked(click(page, "save"))
    assert "改过" in saved(workspace)

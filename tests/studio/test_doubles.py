"""Nobody saves an enabled mapping that creates approvals twice without having said so."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from runtime.mapping.folder import MappingFolder
from runtime.mapping.models import Mapping
from studio.i18n import LANGUAGES, catalogue
from tests.studio.pages import click, opened, said

TEXT = catalogue("zh-CN")


@pytest.fixture
def folder(workspace: Path) -> MappingFolder:
    """``demo`` is enabled; ``twin``, which is like it, is not."""
    folder = MappingFolder(workspace / "mappings")
    add(folder, "twin", enabled=False)
    return folder


def add(folder: MappingFolder, name: str, *, enabled: bool = True, **settings: str) -> None:
    """A mapping like ``demo`` with other settings."""
    demo = folder.load("demo").mapping
    changed = {"id": name, "title": name, "enabled": enabled, "settings": {**demo.settings, **settings}}
    folder.save(demo.model_copy(update=changed), expected=None)


def saved(folder: MappingFolder) -> Mapping:
    return folder.load("twin").mapping


def switched_on() -> AppTest:
    """``twin`` in the designer, switched on, not saved."""
    page = opened("flow", "twin").toggle[0].set_value(True).run()
    assert not page.exception
    return page


def change(page: AppTest, **settings: str) -> AppTest:
    design = page.session_state["design"]
    design.replace({**design.document, "settings": {**design.document["settings"], **settings}})
    return page.run()


def titled(page: AppTest, title: str) -> AppTest:
    """Typed; the next run takes it over."""
    next(box for box in page.text_input if box.label == TEXT["start.title"]).set_value(title)
    return page


def asked(page: AppTest) -> bool:
    return any(button.key == "doubles-on" for button in page.button)


def test_switching_on_tells_of_it_before_anything_is_saved(folder: MappingFolder) -> None:
    assert "两个审批" not in said(click(opened("flow", "twin"), "check_raw"))
    page = switched_on()
    [warning] = [item.value for item in page.warning if "两个审批" in item.value]
    assert "twin" in warning
    assert "demo" in warning
    assert not asked(page)
    assert not saved(folder).enabled


@pytest.mark.parametrize("language", LANGUAGES)
def test_save_asks_and_writes_nothing(folder: MappingFolder, language: str) -> None:
    texts = catalogue(language)
    before = folder.load("twin").digest
    page = switched_on()
    page.session_state["language"] = language
    page = click(page, "save")
    demo = texts["text.named"].format(title="演示", name="demo")
    assert texts["doubles.question"].format(others=demo) in said(page).replace("\\", "")
    assert [page.button(key=f"doubles-{answer}").label for answer in ("off", "on")] == [
        texts["doubles.off"],
        texts["doubles.on"],
    ]
    assert folder.load("twin").digest == before
    assert asked(page.run())
    assert folder.load("twin").digest == before


def test_all_the_same_it_is_saved_once_and_not_asked_of_at_every_later_change(folder: MappingFolder) -> None:
    page = click(click(switched_on(), "save"), "doubles-on")
    assert saved(folder).enabled
    assert TEXT["designer.saved_as"].format(id="twin") in said(page).replace("\\", "")
    assert not asked(page)
    page = click(titled(page, "改过"), "save")
    assert not asked(page)
    assert saved(folder).title == "改过"
    page = click(titled(opened("flow", "twin"), "又改过"), "save")
    assert not asked(page)
    assert saved(folder).title == "又改过"


def test_the_other_answer_saves_it_switched_off(folder: MappingFolder) -> None:
    page = click(titled(switched_on(), "改过"), "save")
    page = click(page, "doubles-off")
    assert (saved(folder).enabled, saved(folder).title) == (False, "改过")
    assert TEXT["designer.saved_off"].format(id="twin") in said(page).replace("\\", "")
    assert not asked(page)
    assert not page.toggle[0].value


def test_after_another_change_save_asks_again(folder: MappingFolder) -> None:
    page = titled(click(switched_on(), "save"), "改过").run()
    page = click(page, "save")
    assert asked(page)
    assert not saved(folder).enabled


def test_what_is_typed_last_is_saved_by_the_answer(folder: MappingFolder) -> None:
    """Both arrive in one run."""
    click(titled(click(switched_on(), "save"), "改过"), "doubles-on")
    assert (saved(folder).enabled, saved(folder).title) == (True, "改过")


def test_who_switches_it_off_and_on_again_is_asked_again(folder: MappingFolder) -> None:
    page = click(click(switched_on(), "save"), "doubles-on")
    page = click(page.toggle[0].set_value(False).run(), "save")
    assert not saved(folder).enabled
    page = click(page.toggle[0].set_value(True).run(), "save")
    assert asked(page)
    assert not saved(folder).enabled


def test_a_mapping_that_comes_between_question_and_answer_is_asked_of_too(folder: MappingFolder) -> None:
    page = click(switched_on(), "save")
    add(folder, "third")
    page = click(page, "doubles-on")
    assert TEXT["doubles.question"].format(others="演示（demo）、third") in said(page).replace("\\", "")
    assert not saved(folder).enabled
    click(page, "doubles-on")
    assert saved(folder).enabled


def test_a_change_that_meets_another_mapping_is_asked_of(folder: MappingFolder) -> None:
    page = click(click(switched_on(), "save"), "doubles-on")
    add(folder, "orders", document_type="22")
    page = click(change(page, document_type="22"), "save")
    assert TEXT["doubles.question"].format(others="orders") in said(page).replace("\\", "")
    assert saved(folder).settings["document_type"] != "22"


def test_of_what_is_switched_off_nothing_is_asked(folder: MappingFolder) -> None:
    page = click(titled(opened("flow", "twin"), "改过"), "save")
    assert not asked(page)
    assert saved(folder).title == "改过"
    page = click(page.toggle[0].set_value(True).run(), "save")
    assert asked(page)
    assert not asked(page.toggle[0].set_value(False).run())


def test_of_documents_kept_apart_nothing_is_asked(folder: MappingFolder) -> None:
    page = click(change(switched_on(), document_type="22"), "save")
    assert not asked(page)
    assert saved(folder).enabled


def test_errors_are_told_first(folder: MappingFolder) -> None:
    """A form whose required controls are empty."""
    page = click(opened("target", "twin"), "fetch-form").toggle[0].set_value(True).run()
    page = click(page, "save")
    assert TEXT["designer.not_saved"] in said(page).replace("\\", "")
    assert not asked(page)
    assert not saved(folder).enabled

"""A mapping goes by its title with its id beside it; sentences put lists and numbers as their language does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import studio.i18n
from runtime.config import Settings
from runtime.mapping.folder import MappingFolder
from runtime.store.database import Database
from studio.i18n import LANGUAGES, catalogue, t
from studio.text import headed, listed, named
from tests.studio.pages import opened
from tests.studio.seeds import MAPPING, deliver, effect, seed

VIEWS = Path(__file__).parents[2] / "studio" / "views"
DEMO = Path(__file__).parents[2] / "mappings" / f"{MAPPING}.json"
TITLE = MappingFolder(DEMO.parent).load(MAPPING).mapping.title
WHOLE = {"zh-CN": f"{TITLE}（{MAPPING}）", "en": f"{TITLE} ({MAPPING})"}
RUN = "20260301-080000-0a1b2c3d"


@pytest.fixture
def seeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """What the demo mapping did, and one document of a mapping that is gone."""
    monkeypatch.setenv("B1_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("B1_MAPPINGS", str(tmp_path / "mappings"))
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / DEMO.name).write_bytes(DEMO.read_bytes())
    database = Database.open(Settings().state_url)
    ids = seed(database)
    deliver(database, "8", effect(), mapping="gone")
    database.close()
    yield ids
    st.cache_resource.clear()


def drawn(view: str, language: str = "zh-CN", **query: Any) -> AppTest:
    page = AppTest.from_file(VIEWS / f"{view}.py", default_timeout=60)
    page.session_state["language"] = language
    for name, value in query.items():
        page.query_params[name] = str(value)
    page.run()
    assert not page.exception
    return page


def texts(page: AppTest) -> list[str]:
    shown = (*page.markdown, *page.caption, *page.subheader, *page.warning)
    return [item.value.replace("\\", "") for item in shown]


@pytest.mark.parametrize("language", LANGUAGES)
def test_runs_are_listed_chosen_and_opened_by_title_and_id(seeded: dict[str, int], language: str) -> None:
    page = drawn("runs", language, run=RUN)
    choice = page.selectbox(key="runs.mapping")
    assert choice.options == [catalogue(language)["runs.any"], WHOLE[language]]
    assert list(page.dataframe[0].value[catalogue(language)["runs.mapping"]]) == [WHOLE[language]]
    [head] = [text for text in texts(page) if " / submit" in text]
    assert head.startswith(f"{TITLE} :small[:gray[{MAPPING}]]")


def test_runs_are_found_by_the_mapping_that_is_chosen(seeded: dict[str, int]) -> None:
    folder = MappingFolder(Settings().mappings)
    folder.save(folder.load(MAPPING).mapping.model_copy(update={"id": "other"}), expected=None)
    page = drawn("runs")
    page.selectbox(key="runs.mapping").select("other").run()
    assert [item.value for item in page.info] == [catalogue("zh-CN")["runs.none"]]
    page.selectbox(key="runs.mapping").select(MAPPING).run()
    assert len(page.dataframe[0].value) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_deliveries_are_listed_chosen_and_told_by_title_and_id(seeded: dict[str, int], language: str) -> None:
    page = drawn("deliveries", language, delivery=seeded["1"])
    choice = page.selectbox(key="deliveries.mapping")
    assert choice.options == [catalogue(language)["runs.any"], "gone", WHOLE[language]]
    assert set(page.dataframe[0].value[catalogue(language)["deliveries.mapping"]]) == {"gone", WHOLE[language]}
    assert any(WHOLE[language] in text for text in texts(page))


def test_the_overview_names_what_waits_by_title_and_id(seeded: dict[str, int]) -> None:
    page = drawn("overview")
    for table in page.dataframe:
        assert set(table.value[catalogue("zh-CN")["overview.mapping"]]) == {WHOLE["zh-CN"]}


@pytest.mark.usefixtures("workspace")
def test_mappings_to_design_are_listed_by_title_and_id_unsaved_ones_by_their_new_title() -> None:
    assert "演示 :small[:gray[demo]]" in texts(drawn("designer"))
    page = opened("flow")
    title = next(box for box in page.text_input if box.label == catalogue("zh-CN")["start.title"])
    title.set_value("改过").run()
    assert any(text.startswith("改过 :small[:gray[demo]]") for text in texts(drawn("designer")))


def test_a_name_is_not_said_twice() -> None:
    assert named("", "demo") == named("demo", "demo") == "demo"
    assert headed("", "a-b") == headed("a-b", "a-b") == "a\\-b"
    assert headed("[x]", "a") == "\\[x\\] :small[:gray[a]]"


SAID = [
    ("zh-CN", 1, "共 1 次运行；点一行查看步骤"),
    ("en", 1, "1 run; choose a row to see its steps"),
    ("en", 2, "2 runs; choose a row to see its steps"),
    ("en", 0, "0 runs; choose a row to see its steps"),
]


@pytest.mark.parametrize(("language", "count", "text"), SAID)
def test_one_is_not_said_as_many(monkeypatch: pytest.MonkeyPatch, language: str, count: int, text: str) -> None:
    monkeypatch.setattr(studio.i18n, "language", lambda: language)
    assert t("runs.choose", count=count) == text


@pytest.mark.parametrize(("language", "text"), [("zh-CN", "甲、乙"), ("en", "甲, 乙")])
def test_a_list_has_the_comma_of_its_language(monkeypatch: pytest.MonkeyPatch, language: str, text: str) -> None:
    monkeypatch.setattr(studio.i18n, "language", lambda: language)
    assert listed(["甲", "乙"]) == text


def test_no_english_text_counts_in_the_plural_alone() -> None:
    """A plural right behind a number is a choice of words."""
    wrong = {key: text for key, text in catalogue("en").items() if re.search(r"\{(count|all)\} [a-z]+s\b", text)}
    assert not wrong


def test_no_english_text_has_chinese_punctuation() -> None:
    """But between Chinese words, which are another system's."""
    marks = "(?<![\u4e00-\u9fff“])[、，。；：（）](?![\u4e00-\u9fff”])"
    assert not {key: text for key, text in catalogue("en").items() if re.search(marks, text)}

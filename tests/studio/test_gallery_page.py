"""The gallery page: templates by system and by the way that documents go."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from runtime.mapping.templates import gallery
from studio.i18n import catalogue

VIEW = Path(__file__).parents[2] / "studio" / "views" / "gallery.py"
TEXT = catalogue("zh-CN")


def shown(page: AppTest) -> list[str]:
    """Ids of the templates on the page."""
    assert not page.exception
    return [str(button.key).removeprefix("gallery.use.") for button in page.button if "gallery.use." in str(button.key)]


@pytest.mark.usefixtures("workspace")
def test_templates_are_found_by_direction_and_system() -> None:
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    assert shown(page) == [template.id for template in gallery()]
    page.segmented_control(key="gallery.direction").set_value("in").run()
    assert shown(page) == ["barcode-query", "dingtalk-special-prices", "weaver-inbound-document"]
    page.segmented_control(key="gallery.direction").set_value("out").run()
    assert shown(page) == ["dingtalk-withdraw", "weaver-master-data"]
    page.segmented_control(key="gallery.direction").set_value("both").run()
    page.segmented_control(key="gallery.system").set_value("wecom").run()
    assert shown(page) == ["wecom-approval-odata", "wecom-approval-sql", "wecom-document-odata"]
    page.segmented_control(key="gallery.direction").set_value("in").run()
    assert shown(page) == []
    assert TEXT["gallery.none"] in [item.value for item in page.info]


@pytest.mark.usefixtures("workspace")
def test_a_card_says_which_way_documents_go() -> None:
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    captions = [item.value.replace("\\", "") for item in page.caption]
    assert sum(TEXT["gallery.direction.in"] in text for text in captions) == 3

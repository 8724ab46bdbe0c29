"""A mapping that would create approvals twice is not saved enabled before a person has answered, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from runtime.sandbox.demo import PROCESS_CODE
from tests.browser.designing import Desk, tab
from tests.browser.journey import Journey
from tests.browser.support import idle

pytestmark = pytest.mark.timeout(300)


def test_both_answers_save_as_they_say(page: Page, desk: Desk) -> None:
    first = Journey(page, desk, "first-of-two", "dingtalk-approval-odata")
    first.begin(process_code=PROCESS_CODE)
    first.save(enable=True)
    second = first.copy("second-of-two", "第二个")
    second.switch_on()
    ask(page)
    assert not (desk.folder / "mappings" / "second-of-two.json").exists()
    page.get_by_role("button", name="改为未启用并保存").click()
    expect(page.get_by_text("已保存 second-of-two.json，尚未启用")).to_be_visible()
    assert desk.mapping("second-of-two")["enabled"] is False
    idle(page)

    tab(page, "⑤ 流程")
    second.switch_on()
    ask(page)
    assert desk.mapping("second-of-two")["enabled"] is False
    # the click on the answer is what ends the typing
    page.get_by_role("textbox", name="标题").fill("明知故犯")
    page.get_by_role("button", name="仍然启用并保存").click()
    expect(page.get_by_text("已保存 second-of-two.json，运行时会自动采用")).to_be_visible()
    saved = desk.mapping("second-of-two")
    assert (saved.get("enabled", True), saved["title"]) == (True, "明知故犯")
    expect(page.locator(".st-key-doubles")).to_have_count(0)


def ask(page: Page) -> None:
    """Press Save, and be asked."""
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".st-key-doubles")).to_contain_text("first-of-two")
    idle(page)

"""The drag component alone: mouse, keyboard, speed of hand, and nothing lost on the way to Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import StartApp, drag, idle, line, source, target, wait_until

HARNESS = Path(__file__).with_name("harness_app.py")


@pytest.fixture(scope="module")
def small(start_app: StartApp) -> str:
    return start_app(HARNESS, HARNESS_SIZE="12")


@pytest.fixture(scope="module")
def large(start_app: StartApp) -> str:
    return start_app(HARNESS, HARNESS_SIZE="300", HARNESS_LINKS="250")


def open_board(page: Page, address: str) -> None:
    page.goto(address)
    expect(source(page, "Head0")).to_be_visible()
    idle(page)


def in_python(page: Page) -> dict[str, Any]:
    """The links as Python has written them into the document."""
    return json.loads(page.get_by_test_id("stCode").locator("code").inner_text())


def fields(page: Page) -> dict[str, str]:
    return {field["to"]: field.get("from", "") for field in in_python(page).get("fields", [])}


def test_a_line_drawn_with_the_mouse_reaches_the_document(page: Page, small: str) -> None:
    open_board(page, small)
    drag(page, source(page, "Head2"), target(page, "控件3"))
    wait_until(lambda: fields(page) == {"控件3": "Head2"}, "the link is missing in Python")
    expect(line(page, "控件3")).to_be_attached()
    expect(target(page, "控件3")).to_contain_text("← 表头2")


def test_texts_from_outside_stay_text(page: Page, small: str) -> None:
    open_board(page, small)
    expect(source(page, "Line0", "DocumentLines")).to_contain_text("行<b>0</b>")
    assert page.locator('[data-test="source-field"] b').count() == 0


def test_ten_lines_at_forty_milliseconds_lose_nothing(page: Page, small: str) -> None:
    open_board(page, small)
    pairs = [(f"Head{number}", f"控件{number}") for number in range(6)]
    for start, end in pairs:
        drag(page, source(page, start), target(page, end), settle=False)
        page.wait_for_timeout(40)
    for number in range(4):
        drag(
            page,
            source(page, f"Line{number}", "DocumentLines"),
            target(page, f"列{number}", "物料表"),
            settle=False,
        )
        page.wait_for_timeout(40)
    wait_until(lambda: len(fields(page)) == 6, "header links were lost")
    wait_until(lambda: len(in_python(page)["tables"][0]["fields"]) == 4, "table links were lost")


def test_keyboard_links_removes_undoes_and_says_so(page: Page, small: str) -> None:
    open_board(page, small)
    status = page.locator('[data-test="status"]')
    page.locator('[data-test="source-tree"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("表头0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_until(lambda: fields(page) == {"控件1": "Head0"}, "the keyboard's link is missing")
    expect(status).to_have_attribute("aria-live", "polite")
    page.locator('[data-test="target-tree"]').focus()
    page.keyboard.press("Delete")
    wait_until(lambda: fields(page) == {}, "Delete did not remove the link")
    page.keyboard.press("Control+z")
    wait_until(lambda: fields(page) == {"控件1": "Head0"}, "Ctrl+Z did not bring it back")
    page.keyboard.press("Control+z")
    wait_until(lambda: fields(page) == {}, "a second Ctrl+Z did not undo the link")
    page.keyboard.press("Control+y")
    wait_until(lambda: fields(page) == {"控件1": "Head0"}, "Ctrl+Y did not redo it")


def test_undo_and_the_next_edit_do_not_swallow_each_other(page: Page, small: str) -> None:
    open_board(page, small)
    drag(page, source(page, "Head0"), target(page, "控件0"))
    drag(page, source(page, "Head1"), target(page, "控件1"))
    page.locator('[data-test="undo"]').click()
    drag(page, source(page, "Head2"), target(page, "控件2"), settle=False)
    page.locator('[data-test="undo"]').click()
    page.locator('[data-test="undo"]').click()
    drag(page, source(page, "Head3"), target(page, "控件3"), settle=False)
    wait_until(lambda: fields(page) == {"控件3": "Head3"}, "undo and edits got out of order")


def test_a_detail_field_in_the_header_asks_how(page: Page, small: str) -> None:
    open_board(page, small)
    drag(page, source(page, "Line1", "DocumentLines"), target(page, "控件1"))
    expect(page.locator('[data-test="question"]')).to_be_visible()
    page.locator('[data-test="answer-sum"]').click()
    wait_until(
        lambda: in_python(page).get("fields") == [{"to": "控件1", "from": "DocumentLines.Line1", "through": ["sum"]}],
        "the aggregate is missing",
    )


def test_a_header_field_in_a_table_needs_rows_and_a_yes(page: Page, small: str) -> None:
    open_board(page, small)
    drag(page, source(page, "Head1"), target(page, "列1", "物料表"))
    page.locator('[data-test="answer-each_row"]').click()
    idle(page)
    expect(line(page, "列1", "物料表")).not_to_be_attached()
    drag(page, source(page, "Line0", "DocumentLines"), target(page, "列0", "物料表"))
    drag(page, source(page, "Head1"), target(page, "列1", "物料表"))
    page.keyboard.press("Enter")
    expected = [{"to": "列0", "from": "Line0"}, {"to": "列1", "value": "{{ row.Head1 }}"}]
    wait_until(lambda: (in_python(page).get("tables") or [{}])[0].get("fields") == expected, "not the same in each row")


def test_leaving_the_page_at_once_keeps_the_last_line(page: Page, small: str) -> None:
    open_board(page, small)
    drag(page, source(page, "Head4"), target(page, "控件4"), settle=False)
    page.get_by_text("other", exact=True).click()
    expect(source(page, "Head0")).not_to_be_visible()
    page.get_by_text("board", exact=True).click()
    expect(source(page, "Head0")).to_be_visible()
    wait_until(lambda: fields(page) == {"控件4": "Head4"}, "the link was lost with the page")
    expect(line(page, "控件4")).to_be_attached()


def test_search_collapse_and_unmapped_only(page: Page, small: str) -> None:
    open_board(page, small)
    page.locator('[data-test="search-source"]').fill("Line3")
    expect(page.locator('[data-test="source-field"]')).to_have_count(1)
    page.locator('[data-test="search-source"]').fill("")
    page.locator('[data-test="source-group"][data-group=""]').click()
    expect(source(page, "Head0")).not_to_be_attached()
    page.locator('[data-test="source-group"][data-group=""]').click()
    drag(page, source(page, "Head0"), target(page, "控件0"))
    page.locator('[data-test="unmapped-only"]').click()
    expect(target(page, "控件0")).not_to_be_attached()
    expect(target(page, "控件1")).to_be_attached()


def test_three_hundred_fields_draw_only_what_is_visible(page: Page, large: str) -> None:
    open_board(page, large)
    assert page.locator('[data-test="source-field"]').count() < 60
    assert page.locator('[data-test="link"]').count() < 60
    page.locator('[data-test="source-tree"]').evaluate("box => { box.scrollTop = 100 * 42 }")
    expect(source(page, "Head101")).to_be_visible()
    expect(source(page, "Head0")).not_to_be_attached()
    page.locator('[data-test="source-tree"]').evaluate("box => { box.scrollTop = 0 }")
    drag(page, source(page, "Head3"), target(page, "控件1"))
    wait_until(lambda: fields(page)["控件1"] == "Head3", "the link is missing in Python")

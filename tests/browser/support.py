"""What a person does in the browser, and how a test waits for it."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from playwright.sync_api import Locator, Page, TimeoutError, expect

Start = Callable[..., str]
StartApp = Callable[..., str]


def source(page: Page, name: str, group: str = "") -> Locator:
    return page.locator(f'[data-test="source-field"][data-group="{group}"][data-name="{name}"]')


def target(page: Page, name: str, group: str = "") -> Locator:
    return page.locator(f'[data-test="target-field"][data-group="{group}"][data-name="{name}"]')


def line(page: Page, name: str, group: str = "") -> Locator:
    return page.locator(f'g[data-test="link"][data-group="{group}"][data-name="{name}"]')


def drag(page: Page, start: Locator, end: Locator, *, settle: bool = True) -> None:
    """Press on one row, move to the other in steps as a hand does, let go."""
    start.scroll_into_view_if_needed()
    end.scroll_into_view_if_needed()
    first, last = start.bounding_box(), end.bounding_box()
    assert first is not None
    assert last is not None
    page.mouse.move(first["x"] + 70, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move(first["x"] + 120, first["y"] + first["height"] / 2 + 4)
    page.mouse.move(last["x"] + 60, last["y"] + last["height"] / 2, steps=4)
    page.mouse.up()
    if settle:
        idle(page)


def choose(page: Page, label: str | re.Pattern[str], option: str) -> None:
    """Open the list and take an option; a page that is being drawn anew may close the list under our hands."""
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(5):
        idle(page)
        page.get_by_role("combobox", name=label).click()
        try:
            wanted.click(timeout=3000)
        except TimeoutError:
            continue
        break
    expect(wanted).to_be_hidden()
    idle(page)


def choose_row(page: Page, row: int) -> None:
    """The table is drawn on a canvas: its first column holds the boxes that choose a row."""
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible()
    table.click(position={"x": 16, "y": 35 * (row + 1) + 17})
    idle(page)


def idle(page: Page) -> None:
    """Until Streamlit has nothing left to do."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(condition: Callable[[], bool], message: str, seconds: float = 30) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, message
        time.sleep(0.05)

"""A person finds a document whose outcome is unknown and decides about it, in a real browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from runtime.config import Settings
from runtime.store.database import Database
from runtime.store.ledger import Delivery, DeliveryState, get_delivery
from tests.browser.support import Start, choose_row, idle
from tests.studio.seeds import seed

BIN = Path(sys.executable).parent


class Desk:
    """A studio over a seeded state."""

    def __init__(self, studio: str, database: Database) -> None:
        self.studio = studio
        self.database = database
        self.ids = seed(database)

    def delivery(self, key: str) -> Delivery:
        found = self.database.read(lambda connection: get_delivery(connection, self.ids[key]))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def desk(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("deliveries")
    (folder / "mappings").mkdir()
    database = Database.open(Settings(var=folder / "var", state="").state_url)
    environment = {"B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(folder / "mappings")}
    studio = start([str(BIN / "b1-studio"), "--port", "{port}"], "/_stcore/health", **environment)
    return Desk(studio, database)


def test_an_unknown_outcome_is_found_confirmed_and_sent_again(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.studio}/deliveries")
    page.get_by_role("button", name="只看这些").click()
    expect(page.get_by_text("共 1 张")).to_be_visible()
    idle(page)
    choose_row(page, 0)
    expect(page.get_by_text("单据 7：对方到底创建了没有？")).to_be_visible()
    expect(page.get_by_text("有 2 张审批都可能是它").last).to_be_visible()
    page.get_by_text("没有创建，重新发送", exact=True).click()
    expect(page.get_by_text("如果对方其实已有一张，就会变成两张")).to_be_visible()
    confirm = page.get_by_role("button", name="确定：重新发送单据 7")
    expect(confirm).to_be_disabled()
    page.get_by_role("textbox", name="处理人").fill("王工")
    page.get_by_role("textbox", name="处理人").press("Enter")
    page.get_by_text("我已在 dingtalk-demo 中查过，没有单据 7 的记录").click()
    assert desk.delivery("7").state is DeliveryState.UNKNOWN
    expect(confirm).to_be_enabled()
    confirm.click()
    expect(page.get_by_text("单据 7 将重新发送。运行时没有启动")).to_be_visible()
    decided = desk.delivery("7")
    assert decided.state is DeliveryState.RESOLVED
    assert [(one["by"], one["decision"]) for one in decided.decisions or ()] == [("王工", "resend")]
    expect(page.get_by_text("等您核对后决定")).to_have_count(0)


def test_a_delivery_has_an_address_of_its_own(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.studio}/deliveries?delivery={desk.ids['1b']}")
    expect(page.get_by_text("单据 1 · 已送达")).to_be_visible()
    expect(page.get_by_text("同一单据的 2 次交付")).to_be_visible()
    idle(page)

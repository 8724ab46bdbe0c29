"""The Connections page in a real browser: both systems are set up from nothing, tested, saved, and changed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from runtime.config import Settings
from runtime.sandbox.demo import B1_CONNECTION, DINGTALK_CONNECTION, connections
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault
from tests.browser.support import Start, choose

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Desk:
    studio: str
    sandbox: str
    var: Path

    def stored(self, name: str) -> dict[str, object]:
        settings = Settings(var=self.var)
        database = Database.open(settings.state_url)
        try:
            return ConnectionStore(database, Vault(settings.key_file)).document(name)
        finally:
            database.close()


@pytest.fixture(scope="module")
def desk(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "mappings").mkdir()
    environment = {"B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(folder / "mappings")}
    sandbox = start(
        [str(BIN / "b1-runtime"), "sandbox", "--port", "{port}", "--var", str(folder / "sandbox")], "/control/health"
    )
    studio = start([str(BIN / "b1-studio"), "--port", "{port}"], "/_stcore/health", **environment)
    return Desk(studio, sandbox, folder / "var")


def fill(page: Page, label: str, text: object) -> None:
    page.get_by_label(label, exact=True).fill(str(text))


def test_both_systems_are_set_up_from_nothing(page: Page, desk: Desk) -> None:
    b1, dingtalk = (connections(desk.sandbox)[name] for name in (B1_CONNECTION, DINGTALK_CONNECTION))
    page.goto(f"{desk.studio}/connections")
    expect(page.get_by_text("还没有连接")).to_be_visible()

    fill(page, "名称", "b1")
    for label, name in (("服务地址 *", "base_url"), ("帐套 *", "company"), ("用户 *", "user")):
        fill(page, label, b1[name])
    fill(page, "密码 *", "wrong")
    page.get_by_role("button", name="测试连接").click()
    expect(page.get_by_text("-304")).to_be_visible()
    fill(page, "密码 *", b1["password"])
    page.get_by_role("button", name="测试连接").click()
    expect(page.get_by_text("登录成功：帐套 SBODEMOCN")).to_be_visible()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("连接 b1 已保存")).to_be_visible()
    choose(page, "编辑哪个连接", "＋ 新建连接")
    choose(page, "系统类型", "钉钉")
    fill(page, "名称", "dingtalk")
    labels = {
        "服务地址": "base_url",
        "应用 AppKey *": "app_key",
        "应用 AppSecret *": "app_secret",
        "事件加密 aes_key": "aes_key",
        "事件签名 token": "token",
    }
    for label, name in labels.items():
        fill(page, label, dingtalk[name])
    page.get_by_role("button", name="测试连接").click()
    expect(page.get_by_test_id("stAlertContentSuccess")).to_be_visible()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("连接 dingtalk 已保存")).to_be_visible()

    assert desk.stored("b1")["password"] == b1["password"]
    assert desk.stored("dingtalk")["app_secret"] == dingtalk["app_secret"]


def test_a_stored_secret_is_never_shown_and_stays_when_left_empty(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.studio}/connections")
    choose(page, "编辑哪个连接", "b1")
    expect(page.get_by_label("密码 *", exact=True)).to_have_value("")
    expect(page.get_by_label("密码 *", exact=True)).to_have_attribute("placeholder", "已保存，留空则不变")
    assert "manager" not in page.get_by_label("密码 *", exact=True).evaluate("node => node.outerHTML")
    fill(page, "帐套 *", "SBODEMOCN")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("连接 b1 已保存")).to_be_visible()
    assert desk.stored("b1")["password"] == "manager"


def test_a_host_that_does_not_answer_is_named(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.studio}/connections")
    choose(page, "编辑哪个连接", "b1")
    fill(page, "服务地址 *", "http://127.0.0.1:9")
    page.get_by_role("button", name="测试连接").click()
    expect(page.get_by_text("无法连接对方系统")).to_be_visible()
    assert desk.stored("b1")["base_url"] == f"{desk.sandbox}/b1"

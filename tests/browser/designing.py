"""What tests of the designer share: a studio over a workspace and a sandbox, and what a person does again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from runtime.sandbox.demo import PROCESS_CODE
from tests.browser.support import idle, source
from tests.service_layer import service_layer

BIN = Path(sys.executable).parent
LINES = "DocumentLines"
TABLE = "物料表"
#: Number of each tab → its key.
TABS = {"①": "source", "②": "target", "③": "fields", "④": "preview", "⑤": "flow"}


@dataclass(frozen=True)
class Desk:
    """A studio over its own workspace, and the sandbox that it works with."""

    studio: str
    sandbox: str
    folder: Path
    environment: dict[str, str]
    #: Address of the runtime beside it; empty where none runs.
    runtime: str = ""

    def mapping(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "mappings" / f"{name}.json").read_text("utf-8"))
        return loaded

    def approvals(self, system: str = "dingtalk") -> list[Any]:
        with urllib.request.urlopen(f"{self.sandbox}/control/{system}/instances") as answer:
            found: list[Any] = json.load(answer)["instances"]
            return found

    def control(self, method: str, path: str, body: dict[str, Any]) -> None:
        address = f"{self.sandbox}/control{path}"
        urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), method=method)).close()

    def b1(self, path: str) -> Any:
        """What B1 has there."""
        return service_layer(self.sandbox, path)

    def run(self, *arguments: str) -> str:
        command = [str(BIN / "b1-runtime"), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def new_mapping(page: Page, desk: Desk, name: str) -> None:
    """From the template, over the demo connections."""
    page.goto(f"{desk.studio}/designer")
    idle(page)
    page.get_by_role("combobox", name="模板").click()
    page.get_by_role("option", name="草稿审批：B1 → 钉钉（OData）").click()
    for label, text in (("钉钉审批模板", PROCESS_CODE), ("编号（文件名）", name)):
        box = page.get_by_role("textbox", name=label)
        expect(box).to_be_visible()
        idle(page)
        box.fill(text)
        box.press("Enter")
        idle(page)
    page.get_by_role("button", name="创建并开始设计").click()
    expect(page.locator(".st-key-designer-head").get_by_text("未保存的修改")).to_be_visible()
    idle(page)


def tab(page: Page, name: str) -> None:
    """Change to a tab; the one that is left is drawn once more before."""
    page.get_by_test_id("stButtonGroup").get_by_text(name).click()
    expect(page.locator(f".st-key-designer-tab-{TABS[name[0]]}")).to_be_visible()
    idle(page)


def fetch_form(page: Page) -> None:
    tab(page, "② 目标")
    page.get_by_role("button", name="读取表单").click()
    expect(page.get_by_text("已读取“采购申请”，共 14 个控件")).to_be_visible()
    idle(page)


def open_fields(page: Page) -> None:
    tab(page, "③ 字段")
    expect(page.locator('[data-test="search-source"]')).to_be_visible()
    idle(page)


def live_form(page: Page) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(page.locator(".st-key-live-form code").inner_text())
    return shown


def collapse_header(page: Page) -> None:
    # What is scrolled out of sight is not drawn.
    page.locator('[data-test="source-tree"]').focus()
    page.keyboard.press("Home")
    page.locator('[data-test="source-group"][data-group=""]').click()
    expect(source(page, "ItemCode", LINES)).to_be_visible()


def step_of(mapping: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = mapping["flows"]["submit"]["steps"][1]["steps"][0]["map"]
    return spec


def previewed(page: Page) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the first document would send, and its values by control."""
    tab(page, "④ 预览")
    page.locator(".st-key-run-preview button").click()
    expect(page.locator(".st-key-preview-summary")).to_contain_text("8 行，0 行有问题")
    sent: dict[str, Any] = json.loads(page.locator(".st-key-sent-0 code").inner_text())
    return sent, {value["name"]: value["value"] for value in sent["formComponentValues"]}

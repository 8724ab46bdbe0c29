"""One mapping's way through the browser, as a consultant goes it: from the gallery to the verdict and its story."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from playwright.sync_api import Locator, Page, expect

from runtime.mapping.templates import SettingDeclaration, gallery
from studio.designer.document import map_sites, value_at
from tests.browser.designing import Desk, open_fields, tab
from tests.browser.support import choose, choose_row, idle, wait_until


@dataclass(frozen=True)
class Journey:
    """A mapping on its way; the steps come in the order in which they are written here."""

    page: Page
    desk: Desk
    #: The mapping's id.
    name: str
    #: The template's id.
    template: str

    def begin(self, *, connections: Mapping[str, str] | None = None, **settings: str) -> None:
        """Choose the template in the gallery, and answer what it asks.

        :param connections: role → connection, where the one that is proposed is not meant
        :param settings: name → text, of the settings that the template asks for
        """
        self.page.goto(f"{self.desk.studio}/gallery")
        self.page.locator(f".st-key-gallery-use-{self.template} button").click()
        name = self.page.get_by_role("textbox", name="编号（文件名）")
        expect(name).to_be_visible()
        idle(self.page)
        for role, connection in (connections or {}).items():
            choose(self.page, re.compile(f"^连接：{role}（"), connection)
        name.fill(self.name)
        for setting, text in settings.items():
            self._box(setting).fill(text)
            self._box(setting).press("Tab")
        self.page.get_by_role("button", name="创建并开始设计").click()
        expect(self._head().get_by_text("未保存的修改")).to_be_visible()
        idle(self.page)

    def copy(self, name: str, title: str) -> Journey:
        """Another mapping like the one in hand; it, too, begins switched off."""
        self.page.goto(f"{self.desk.studio}/designer?mapping={self.name}")
        self._head().get_by_role("button", name="更多").click()
        self.page.get_by_role("textbox", name="复制为").fill(name)
        self.page.get_by_role("textbox", name="新标题").fill(title)
        self.page.get_by_role("button", name="复制为新映射").click()
        expect(self.page.get_by_text(f"已复制为 {name}，尚未启用")).to_be_visible()
        idle(self.page)
        return replace(self, name=name)

    def fetch_rows(self, count: int) -> None:
        """Have a look at real rows; so many there are."""
        tab(self.page, "① 来源")
        self.page.get_by_role("button", name="取数").click()
        expect(self.page.get_by_text(f"{count} 行，用时")).to_be_visible()
        idle(self.page)

    def fetch_form(self, title: str) -> None:
        """Load the form from the approval system."""
        tab(self.page, "② 目标")
        self.page.get_by_role("button", name="读取表单").first.click()
        expect(self.page.get_by_text(f"已读取“{title}”")).to_be_visible()
        idle(self.page)

    def auto_map(self) -> None:
        """Accept what is proposed with enough confidence."""
        open_fields(self.page)
        self.page.get_by_role("button", name="自动匹配").click()
        panel = self.page.locator(".st-key-automap-panel")
        panel.locator(".st-key-automap_all button").click()
        wait_until(lambda: bool(self._links()), "no proposal was accepted")
        panel.get_by_role("button", name="关闭").click()
        expect(panel).to_have_count(0)
        idle(self.page)

    def set(self, every: str = "", **settings: str) -> None:
        """Change settings, and how often the flow runs."""
        tab(self.page, "⑤ 流程")
        for name, text in settings.items():
            expect(self._box(name)).to_have_count(1)
            self._answer(name, text)
            wait_until(lambda name=name, text=text: str(self.kept()["settings"][name]) == text, f"{name} is not kept")
            idle(self.page)
        if every:
            box = self.page.get_by_role("textbox", name="每隔多久执行")
            expect(box).to_have_count(1)
            box.fill(every)
            box.press("Enter")
            wait_until(lambda: self._period() == every, "the period is not kept")
            idle(self.page)

    def preview(self) -> dict[str, list[Any]]:
        """Key of each document → the bodies that would be sent for it, as the page shows them."""
        tab(self.page, "④ 预览")
        self.page.locator(".st-key-run-preview button").click()
        expect(self.page.locator(".st-key-preview-summary")).to_contain_text("，0 行有问题")
        found = {}
        number = 0
        while True:
            shown = self.page.locator(f".st-key-preview-of-{number}")
            expect(shown).to_be_visible()
            idle(self.page)
            chosen = self._chosen_document()
            codes = shown.locator('[class*="st-key-sent-"] code')
            found[chosen.split(" · ", 1)[1]] = [json.loads(text) for text in codes.all_inner_texts()]
            number += 1
            self.page.get_by_role("combobox", name="单据").click()
            options = self.page.get_by_role("option")
            expect(options.first).to_be_visible()
            if options.count() <= number:
                self.page.keyboard.press("Escape")
                return found
            options.nth(number).click()

    def switch_on(self) -> None:
        """Switch the mapping on; it takes effect when it is saved."""
        toggle = self._head().get_by_role("switch", name="启用")
        expect(toggle).not_to_be_checked()
        self._head().get_by_text("启用", exact=True).click()
        expect(toggle).to_be_checked()
        idle(self.page)

    def save(self, *, enable: bool = False) -> None:
        """Save; and switch the mapping on: from now on the runtime carries it out.

        Nothing is asked: no other enabled mapping may lead to the same documents.
        """
        if enable:
            self.switch_on()
        self.page.get_by_role("button", name="保存", exact=True).click()
        expect(self.page.get_by_text(f"已保存 {self.name}.json")).to_be_visible()
        idle(self.page)
        assert self.desk.mapping(self.name).get("enabled", True) is enable

    def decide(self, number: str, button: str, remark: str) -> None:
        """An approver opens the approval in the inbox and presses ``approve``, ``refuse`` or ``withdraw``."""
        self.page.goto(f"{self.desk.sandbox}/inbox")
        self.page.locator(f'[data-test="approval"][data-id="{number}"] [data-test="open"]').click()
        self.page.locator('[data-test="remark"]').fill(remark)
        self.page.locator(f'[data-test="{button}"]').click()
        expect(self.page.locator('[data-test="decide"]')).to_have_count(0)

    def story(self, number: str, document: str) -> list[tuple[str, ...]]:
        """Find an approval's document among the deliveries, and read: what happened, where, and the result."""
        self.page.goto(f"{self.desk.studio}/deliveries")
        box = self.page.get_by_role("textbox", name="查找")
        box.fill(number)
        box.press("Enter")
        expect(self.page.get_by_text("共 1 张")).to_be_visible()
        idle(self.page)
        choose_row(self.page, 0)
        expect(self.page.get_by_text(f"单据 {document} · 已送达")).to_be_visible()
        idle(self.page)
        # A table is drawn on a canvas; its text stands beside it for those who cannot see.
        rows = self.page.get_by_test_id("stDataFrame").nth(1).locator("canvas tbody tr")
        expect(rows).not_to_have_count(0)
        told = [row.locator("td").all_text_contents() for row in rows.all()]
        return [(happened, where, result) for _, happened, _, where, result in told]

    def kept(self) -> dict[str, Any]:
        """The document as it is in the designer: unsaved work where there is some."""
        draft = self.desk.folder / "var" / "studio" / "drafts" / f"{self.name}.json"
        try:
            kept: dict[str, Any] = json.loads(draft.read_text("utf-8"))["document"]
        except FileNotFoundError:
            return self.desk.mapping(self.name)
        return kept

    def _links(self) -> list[Any]:
        document = self.kept()
        [site] = map_sites(document)
        fields: list[Any] = value_at(document, site.path)["map"].get("fields") or []
        return fields

    def _period(self) -> Any:
        schedules = (flow["trigger"].get("schedule") for flow in self.kept()["flows"].values())
        return next(schedule["every"] for schedule in schedules if schedule)

    def _chosen_document(self) -> str:
        return self.page.get_by_role("combobox", name="单据").input_value()

    def _head(self) -> Locator:
        return self.page.locator(".st-key-designer-head")

    def _answer(self, setting: str, text: str) -> None:
        """Type a setting's value, or choose it by its words."""
        for option in self._declaration(setting).options:
            if option.value == text:
                choose(self.page, self._label(setting), option.label)
                return
        self._box(setting).fill(text)
        self._box(setting).press("Control+Enter")

    def _label(self, setting: str) -> re.Pattern[str]:
        return re.compile(rf"^{re.escape(self._declaration(setting).label)}( |$)")

    def _box(self, setting: str) -> Locator:
        return self.page.get_by_label(self._label(setting))

    def _declaration(self, setting: str) -> SettingDeclaration:
        template = next(item for item in gallery() if item.id == self.template)
        return next(item for item in template.settings if item.name == setting)

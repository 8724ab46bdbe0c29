"""What a person does on the designer's page, without a browser."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

VIEW = Path(__file__).parents[2] / "studio" / "views" / "designer.py"


def opened(tab: str, mapping: str = "demo") -> AppTest:
    page = AppTest.from_file(VIEW, default_timeout=60)
    page.query_params["mapping"] = mapping
    page.query_params["tab"] = tab
    page.run()
    assert not page.exception
    return page


def click(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    return "\n".join(item.value for item in (*page.error, *page.warning, *page.info, *page.success, *page.caption))

"""A Weaver connection is registered from its page: what the OA gives is stored, and the next save keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from runtime.config import Settings
from runtime.sandbox import demo
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault

VIEW = str(Path(__file__).parents[2] / "studio" / "views" / "connections.py")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str) -> Iterator[ConnectionStore]:
    monkeypatch.setenv("B1_VAR", str(tmp_path))
    monkeypatch.setenv("B1_MAPPINGS", str(tmp_path / "mappings"))
    st.cache_resource.clear()
    settings = Settings(var=tmp_path)
    database = Database.open(settings.state_url)
    store = ConnectionStore(database, Vault(settings.key_file, settings.secret_key))
    store.save(demo.WEAVER_CONNECTION, demo.connections(sandbox)[demo.WEAVER_CONNECTION])
    yield store
    database.close()
    st.cache_resource.clear()


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    assert not page.error, page.error[0].value
    return page


def test_registering_stores_what_the_oa_gives(store: ConnectionStore) -> None:
    page = AppTest.from_file(VIEW, default_timeout=60).run()
    assert not page.exception
    page = press(page, f"connections.register.{demo.WEAVER_CONNECTION}")
    assert "spk" in page.success[0].value
    first: dict[str, Any] = store.document(demo.WEAVER_CONNECTION)
    assert first["secret"]
    save = next(button for button in page.button if button.label in ("保存", "Save"))
    save.click().run()
    assert store.document(demo.WEAVER_CONNECTION)["spk"] == first["spk"]
    press(page, f"connections.register.{demo.WEAVER_CONNECTION}")
    assert store.document(demo.WEAVER_CONNECTION)["secret"] != first["secret"]

"""The Overview page: what waits for a person, and what goes wrong if nobody looks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from runtime.connectors.events import Event, Outcome
from runtime.errors import FixSetup
from runtime.mapping.folder import MappingFolder
from runtime.sandbox import demo
from runtime.store.columns import utc_now
from runtime.store.inbox import REPORTED, event_failed, list_events
from runtime.store.reports import insert_report
from studio.i18n import catalogue
from studio.workspace import workspace as studio_workspace

VIEWS = Path(__file__).parents[2] / "studio" / "views"
TEXT = catalogue("zh-CN")


def drawn(view: str = "overview") -> AppTest:
    page = AppTest.from_file(VIEWS / f"{view}.py", default_timeout=60).run()
    assert not page.exception
    return page


def test_mappings_that_would_send_the_same_documents_are_named(workspace: Path) -> None:
    folder = MappingFolder(workspace / "mappings")
    assert not [one for one in drawn().warning if "两个审批" in one.value]
    folder.save(folder.load("demo").mapping.model_copy(update={"id": "twin"}), expected=None)
    told = [one.value for one in drawn().warning if "两个审批" in one.value]
    assert len(told) == 1
    assert "demo" in told[0]
    assert "twin" in told[0]


@pytest.mark.usefixtures("workspace")
def test_a_verdict_that_was_reported_over_http_counts_and_is_found_by_its_connection() -> None:
    database = studio_workspace().database
    tile = next(item for item in drawn().metric if item.label == TEXT["overview.events"])
    assert tile.value == "0"
    report = Event(
        key="http 45 a", type=f"{REPORTED}verdict", instance_id="45", form="demo", outcome=Outcome.AGREED,
        raw={"request": {"body": {}}, "key": {}},
    )  # fmt: skip
    database.write(lambda connection: insert_report(connection, demo.WEAVER_CONNECTION, report))
    [stored] = database.read(list_events)
    tile = next(item for item in drawn().metric if item.label == TEXT["overview.events"])
    assert tile.value == "1"
    off = FixSetup("对应的映射已停用", "Its mapping is switched off", where="demo")
    later = utc_now() + timedelta(hours=1)
    database.write(lambda connection: event_failed(connection, stored.id, error=off, next_attempt_at=later))
    tile = next(item for item in drawn().metric if item.label == TEXT["overview.events"])
    assert tile.value == "1"
    page = drawn("callbacks")
    choice = page.selectbox(key="callbacks.events.connection")
    assert demo.WEAVER_CONNECTION in choice.options
    choice.select(demo.WEAVER_CONNECTION).run()
    [row] = page.dataframe[0].value.to_dict("records")
    assert row[TEXT["deliveries.event_type"]] == TEXT["callbacks.reported"].format(flow="verdict")

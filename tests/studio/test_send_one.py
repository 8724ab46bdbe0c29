"""One document of a preview, sent for real: by the runtime, once, and only as it was saved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from runtime.store.listings import list_deliveries
from runtime.store.runs import ACTIVE, get_run, queue_run
from studio.i18n import catalogue
from studio.workspace import workspace as studio_workspace
from tests.studio.pages import click, opened, said

DEMO = Path(__file__).parents[2] / "mappings" / "purchase-request-dingtalk.json"
TEXT = catalogue("zh-CN")
NOW = "send-one-now"


@pytest.fixture
def installed(workspace: Path) -> None:
    """The demo mapping alone, switched off: nothing is sent but by hand."""
    (workspace / "mappings" / "demo.json").unlink()
    document = json.loads(DEMO.read_text("utf-8")) | {"enabled": False}
    (workspace / "mappings" / DEMO.name).write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def approvals(sandbox: str) -> list[Any]:
    found: list[Any] = httpx.get(f"{sandbox}/control/dingtalk/instances", trust_env=False).json()["instances"]
    return found


def previewed() -> AppTest:
    return click(opened("preview", DEMO.stem), "run-preview")


@pytest.fixture
def page(installed: None, serve: Callable[..., None]) -> AppTest:
    """A preview beside a runtime that can send."""
    serve()
    page = previewed()
    end = time.monotonic() + 30
    while page.button(key=NOW).disabled:
        assert time.monotonic() < end, said(page)
        page.run()
    return page


def test_without_a_runtime_nothing_can_be_sent(installed: None, sandbox: str) -> None:
    page = previewed()
    assert page.button(key=NOW).disabled
    assert TEXT["runs.no_runtime"] in said(page)
    assert approvals(sandbox) == []


def test_one_is_sent_once_however_often_it_is_asked_for(page: AppTest, sandbox: str) -> None:
    key = page.session_state["designer_preview"].result.documents[0].key
    page = click(page, NOW)
    assert TEXT["send_one.done"].format(key=key) in said(page)
    [approval] = approvals(sandbox)
    [delivery] = studio_workspace().database.read(list_deliveries)
    assert any(f"(deliveries?delivery={delivery.id})" in item.value for item in page.markdown)
    assert (delivery.document_key, delivery.instance_id) == (key, approval["id"])
    # The preview still shows the row as it was: asked for again, the runtime does not find it waiting.
    page = click(page, NOW)
    assert TEXT["send_one.not_waiting"].format(key=key) in said(page)
    assert len(approvals(sandbox)) == 1


def test_what_is_not_saved_or_was_read_by_another_filter_is_not_sent(page: AppTest, sandbox: str) -> None:
    before = len(approvals(sandbox))
    page.toggle[0].set_value(True).run()
    assert TEXT["preview.outdated"] not in said(page)
    assert page.button(key=NOW).disabled
    assert TEXT["send_one.unsaved"] in said(page)
    page.toggle[0].set_value(False).run()
    page = page.text_input(key="preview_filter").set_value("DocObjectCode eq '1470000113'").run()
    page = click(page, "run-preview")
    assert NOW not in [button.key for button in page.button]
    assert len(approvals(sandbox)) == before


def test_a_version_that_is_not_the_previewed_one_is_refused(page: AppTest, sandbox: str) -> None:
    """The file changes between the click and the run."""
    before = len(approvals(sandbox))
    space = studio_workspace()
    asked = {"input": {}, "only": "2", "digest": "of another version"}
    run_id = space.database.write(
        lambda connection: queue_run(connection, mapping=DEMO.stem, flow="submit", cause="manual", request=asked)
    )
    end = time.monotonic() + 30
    while (run := space.database.read(lambda connection: get_run(connection, run_id))) is None or run.state in ACTIVE:
        assert time.monotonic() < end
        page.run()
    assert run.state == "failed"
    assert "changed after it was handed over" in str(run.error)
    assert len(approvals(sandbox)) == before

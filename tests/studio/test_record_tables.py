"""Run records as rows for tables and charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from runtime import jsontext
from runtime.store.runs import RunDocument, RunInfo
from studio.records.tables import duration, error_text, local, outcome_by_hour, run_export

NOW = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


def run(**changes: Any) -> RunInfo:
    values: dict[str, Any] = {
        "id": "r1", "mapping": "m", "flow": "submit", "cause": "schedule", "state": "succeeded", "queued_at": NOW,
        "started_at": NOW, "finished_at": NOW + timedelta(seconds=2.5), "request": {}, "total": 0, "done": 0,
        "failed": 0, "skipped": 0, "unknown": 0, "error": None, "note": "",
    }  # fmt: skip
    return RunInfo(**(values | changes))


def test_moments_are_shown_on_the_wall_clock_of_the_zone() -> None:
    assert local(NOW, "Asia/Shanghai") == "2026-03-01 18:30:00"
    assert local(None, "Asia/Shanghai") == ""


def test_duration_only_of_what_is_over() -> None:
    assert duration(run()) == "2.5 s"
    assert duration(run(finished_at=None)) == ""


def test_hours_without_runs_are_there_too_and_failures_count() -> None:
    rows = outcome_by_hour(
        [
            run(total=5, done=3, failed=1, unknown=1),
            run(queued_at=NOW - timedelta(hours=2), total=1, done=1),
            run(state="failed"),
            run(queued_at=NOW - timedelta(hours=30), done=9),
        ],
        now=NOW,
        hours=3,
        timezone="Asia/Shanghai",
    )
    assert rows == [
        {"hour": "03-01 16:00", "done": 1, "failed": 0},
        {"hour": "03-01 17:00", "done": 0, "failed": 0},
        {"hour": "03-01 18:00", "done": 3, "failed": 3},
    ]


def test_errors_speak_the_language_of_the_session() -> None:
    error = {"zh": "坏了", "en": "broken"}
    assert error_text(error, "zh-CN") == "坏了"
    assert error_text(error, "en") == "broken"
    assert error_text(None, "en") == ""


def test_the_export_holds_documents_and_steps_and_is_json() -> None:
    document = RunDocument(
        run_id="r1", position=0, document="12", state="done", started_at=NOW, elapsed_ms=4, error=None, note="",
        steps=[{"step": "approval", "kind": "call", "ms": 3, "output": {"instance_id": "x"}}],
    )  # fmt: skip
    exported = jsontext.loads(jsontext.dumps(run_export(run(total=1, done=1), [document])))
    assert exported["counts"] == {"total": 1, "done": 1, "failed": 0, "skipped": 0, "unknown": 0}
    assert exported["documents"][0]["steps"][0]["output"] == {"instance_id": "x"}

"""Run records as rows for tables and charts; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from runtime.store.runs import RunDocument, RunInfo

__all__ = ["GOOD", "duration", "error_text", "local", "outcome_by_hour", "run_export"]

#: States in which nothing went wrong.
GOOD = frozenset({"succeeded", "done", "skipped"})


def local(moment: datetime | None, timezone: str) -> str:
    """A UTC moment on the wall clock of a zone (IANA name), to the second; empty for None."""
    return "" if moment is None else moment.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S")


def duration(run: RunInfo) -> str:
    """How long a run took or has been going on for, in seconds; empty before it began or while it runs."""
    if run.started_at is None or run.finished_at is None:
        return ""
    return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"


def error_text(error: Any, language: str) -> str:
    """A stored error's sentence in a language; empty for None."""
    return "" if not error else str(error["zh" if language.startswith("zh") else "en"])


def outcome_by_hour(runs: Iterable[RunInfo], *, now: datetime, hours: int, timezone: str) -> list[dict[str, Any]]:
    """Documents carried out and failed per hour, the last ``hours`` of them, oldest first.

    :return: rows with ``hour`` (``MM-DD HH:00`` in ``timezone``), ``done`` and ``failed``
    """
    done: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for run in runs:
        label = _hour(run.queued_at, timezone)
        done[label] += run.done
        failed[label] += run.failed + run.unknown + (run.state == "failed" and run.failed == 0)
    labels = [_hour(now - timedelta(hours=back), timezone) for back in reversed(range(hours))]
    return [{"hour": label, "done": done[label], "failed": failed[label]} for label in labels]


def run_export(run: RunInfo, documents: Sequence[RunDocument]) -> dict[str, Any]:
    """A run with its documents and steps as one JSON value, for download. It holds no secrets: none were recorded."""
    return {
        "id": run.id,
        "mapping": run.mapping,
        "flow": run.flow,
        "cause": run.cause,
        "state": run.state,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "counts": {name: getattr(run, name) for name in ("total", "done", "failed", "skipped", "unknown")},
        "error": run.error,
        "note": run.note,
        "documents": [
            {
                "document": item.document,
                "state": item.state,
                "started_at": item.started_at,
                "elapsed_ms": item.elapsed_ms,
                "error": item.error,
                "note": item.note,
                "steps": list(item.steps),
            }
            for item in documents
        ],
    }


def _hour(moment: datetime, timezone: str) -> str:
    return moment.astimezone(ZoneInfo(timezone)).strftime("%m-%d %H:00")

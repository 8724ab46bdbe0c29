"""What ``b1-runtime run --dry-run`` prints about what went wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runtime.cli import dry_run
from runtime.engine.preview import PreviewDocument
from runtime.errors import Unreachable


@pytest.mark.parametrize("place", ["flow", "nowhere"])
async def test_what_kept_the_flow_from_its_documents_is_said_once(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = Unreachable("连不上", "It cannot be reached", where="b1")
    own = error if place == "flow" else None
    documents = [PreviewDocument(key="" if place == "flow" else "12", row=None, state="failed", error=own)]

    async def preview(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(idle=False, documents=documents, response=None, error=error, elapsed=0.1)

    monkeypatch.setattr(dry_run, "preview", preview)
    monkeypatch.setattr(dry_run, "manual_event", lambda *_: None)
    monkeypatch.setattr(dry_run, "manual_http", lambda *_: None)
    workspace: Any = SimpleNamespace(connections=SimpleNamespace(), database=None)
    mapping: Any = SimpleNamespace()
    assert not await dry_run.show(workspace, mapping, "submit", values={}, limit=None)
    told = capsys.readouterr()
    assert (told.out + told.err).count("cannot be reached") == 1

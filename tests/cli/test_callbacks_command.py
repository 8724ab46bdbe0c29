"""``b1-runtime callbacks``: the inbox as the person at the terminal sees it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runtime.cli.app import build
from runtime.connectors.events import Event
from runtime.errors import CannotStart, FixData, Refused, RetryLater
from runtime.store.database import Database
from runtime.store.inbox import event_failed, insert_event, list_events


class Terminal:
    """Commands on a state of its own, in this process."""

    def __init__(self, var: Path) -> None:
        self.var = var

    def __call__(self, *arguments: str) -> str:
        result = CliRunner().invoke(build(), ["--var", str(self.var), "callbacks", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    def state(self, work: Any, *, write: bool = False) -> Any:
        with closing(Database.open(f"sqlite:///{(self.var / 'state.db').resolve()}")) as database:
            return database.write(work) if write else database.read(work)

    def states(self) -> dict[str, str]:
        return {row.event.key: row.state for row in self.state(list_events)}


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Three events: one new, one that is tried again later, one for a person."""
    terminal = Terminal(tmp_path)

    def fill(connection: Any) -> None:
        for key in ("fresh", "later", "hand"):
            insert_event(connection, "oa", Event(key=key, type="approval.finished", instance_id=f"i-{key}"))
        soon = datetime.now(UTC) + timedelta(minutes=5)
        event_failed(connection, 2, error=RetryLater("连不上", "down"), next_attempt_at=soon)
        event_failed(connection, 3, error=FixData("内容不对", "wrong"), next_attempt_at=None)

    terminal.state(fill, write=True)
    return terminal


def test_the_list_shows_what_waits_and_why(terminal: Terminal) -> None:
    shown = terminal("list")
    assert [name for name in ("i-fresh", "i-later", "i-hand") if name in shown] == ["i-fresh", "i-later", "i-hand"]
    assert "内容不对" in shown
    assert "wrong" in shown
    assert "未处理 new" in shown
    failed = terminal("list", "--state", "failed")
    assert "i-fresh" not in failed
    waiting = terminal("list", "--by-hand")
    assert "i-hand" in waiting
    assert "i-later" not in waiting
    assert "i-hand" not in terminal("list", "--connection", "other")


def test_a_state_that_does_not_exist_is_refused(terminal: Terminal) -> None:
    with pytest.raises(Refused, match="new, working, done, failed"):
        terminal("list", "--state", "unknown")


def test_a_failed_event_is_tried_again_by_its_number(terminal: Terminal) -> None:
    terminal("retry", "3")
    assert terminal.states() == {"fresh": "new", "later": "failed", "hand": "new"}
    with pytest.raises(CannotStart, match="callbacks list"):
        terminal("retry", "1", "99")


def test_every_failed_event_is_tried_again(terminal: Terminal) -> None:
    terminal("retry", "--all")
    assert set(terminal.states().values()) == {"new"}


def test_it_must_be_said_which(terminal: Terminal) -> None:
    for arguments in ((), ("1", "--all")):
        with pytest.raises(CannotStart):
            terminal("retry", *arguments)

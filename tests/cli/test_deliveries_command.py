"""``b1-runtime deliveries``: the list, and a person's decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from runtime.cli import main
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState, get_delivery, save
from runtime.store.runs import list_runs


class Done(NamedTuple):
    code: int
    out: str
    err: str


def command(*arguments: str) -> Done:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("B1_VAR", str(tmp_path))
    opened = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    monkeypatch.setenv("B1_STATE", f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


@pytest.fixture
def add(database: Database) -> Callable[..., int]:
    """Records a delivery whose effects of these steps are in this state."""

    def make(key: str, *steps: str, state: DeliveryState = DeliveryState.UNKNOWN, instance: str = "") -> int:
        row = {
            "mapping": "demo", "flow": "submit", "source": "b1/Drafts", "document_key": key, "generation": 1,
            "document": int(key), "state": state, "connection": "oa", "instance_id": instance,
            "error": {"zh": "查不清", "en": "cannot tell"} if state is DeliveryState.UNKNOWN else None,
        }  # fmt: skip
        known = EffectState.DONE if instance else EffectState.UNKNOWN
        effects = [
            EffectRecord(
                step=step, effect="create", state=known, connection="oa", action="create_approval", digest="d",
                instance_id=instance, started_at=utc_now(),
            )
            for step in steps
        ]  # fmt: skip
        return database.write(lambda connection: save(connection, row, effects))

    return make


def test_the_list_shows_states_and_what_is_unknown(add: Callable[..., int]) -> None:
    first = add("12", "each.d/approval")
    add("13", "each.d/approval", state=DeliveryState.COMPLETE, instance="i13")
    done = command("deliveries", "list")
    assert done.code == 0
    assert "结果未知 unknown" in done.out
    assert "i13" in done.out
    assert f"{first}: 查不清" in done.err
    assert "cannot tell" in done.err
    assert "i13" not in command("deliveries", "list", "--state", "unknown").out
    assert "demo" not in command("deliveries", "list", "--mapping", "other").out
    assert "i13" in command("deliveries", "list", "--limit", "1").out
    assert "succeeded" in command("runs", "list", "--state", "lost").err
    wrong = command("deliveries", "list", "--state", "lost")
    assert wrong.code == 2
    assert "no such state" in wrong.err


@pytest.mark.parametrize("given", ["i12", '{"instance_id": "i12", "DocEntry": 7}'])
def test_created_is_recorded_with_its_author_and_a_run_is_queued(
    database: Database, add: Callable[..., int], given: str
) -> None:
    number = add("12", "each.d/approval")
    done = command("deliveries", "resolve", str(number), "--created", given)
    assert (done.code, "resolved" in done.out, "Recorded" in done.err) == (0, True, True)
    found = database.read(lambda connection: get_delivery(connection, number))
    assert found is not None
    effect = found.effects["each.d/approval"]
    assert (found.state, effect.state, effect.instance_id) == ("resolved", "done", "i12")
    assert effect.result == (json.loads(given) if given.startswith("{") else {"instance_id": "i12"})
    assert found.decisions is not None
    assert "@" in found.decisions[0]["by"]
    [run] = database.read(list_runs)
    assert (run.state, run.request) == ("queued", {"only": "12"})


def test_resend_lets_it_be_sent(database: Database, add: Callable[..., int]) -> None:
    number = add("12", "each.d/approval")
    assert command("deliveries", "resolve", str(number), "--resend").code == 0
    found = database.read(lambda connection: get_delivery(connection, number))
    assert found is not None
    assert (found.state, found.effects["each.d/approval"].state) == ("resolved", "absent")


def test_of_several_unknown_steps_one_is_named(database: Database, add: Callable[..., int]) -> None:
    number = add("12", "a", "b")
    unclear = command("deliveries", "resolve", str(number), "--resend")
    assert unclear.code == 2
    assert "a, b" in unclear.err
    assert command("deliveries", "resolve", str(number), "--resend", "--step", "a").code == 0
    found = database.read(lambda connection: get_delivery(connection, number))
    assert found is not None
    assert found.state == "unknown"
    assert database.read(list_runs) == []
    assert command("deliveries", "resolve", str(number), "--created", "i1").code == 0
    assert len(database.read(list_runs)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1"], "Choose one"),
        (["1", "--created", "x", "--resend"], "Choose one"),
        (["999", "--resend"], "no such delivery"),
        (["1", "--created", "{broken"], "no valid JSON"),
        (["1", "--created", "i13"], "recorded as the result for document 13"),
        (["2", "--resend"], "this one is complete"),
    ],
)
def test_what_cannot_be_decided_changes_nothing(
    database: Database, add: Callable[..., int], arguments: list[str], words: str
) -> None:
    add("12", "each.d/approval")
    add("13", "each.d/approval", state=DeliveryState.COMPLETE, instance="i13")
    done = command("deliveries", "resolve", *arguments)
    assert done.code == 2
    assert words in done.err
    found = database.read(lambda connection: get_delivery(connection, 1))
    assert found is not None
    assert (found.state, found.decisions) == ("unknown", None)

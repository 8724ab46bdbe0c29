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
from runtime.config import Settings
from runtime.sandbox import demo
from runtime.store.columns import utc_now
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState, get_delivery, save
from runtime.store.runs import list_runs
from runtime.store.vault import Vault
from tests.running import running_sandbox, started_approval


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


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox() as address:
        yield address


@pytest.fixture
def link(database: Database, sandbox: str) -> Callable[..., None]:
    """Makes ``oa`` a connection to an approval system of the sandbox."""

    def save_connection(name: str = demo.DINGTALK_CONNECTION, **changes: str | int) -> None:
        document = demo.connections(sandbox)[name]
        ConnectionStore(database, Vault(Settings().key_file)).save("oa", document | changes)

    return save_connection


@pytest.fixture
def approval(link: Callable[..., None], sandbox: str) -> str:
    """The id of an approval that is there."""
    link()
    return started_approval(sandbox)


@pytest.fixture
def add(database: Database) -> Callable[..., int]:
    """Records a delivery whose effects of these steps are in this state."""

    def make(
        key: str, *steps: str, state: DeliveryState = DeliveryState.UNKNOWN, instance: str = "", form: str = "PROC-1"
    ) -> int:
        row = {
            "mapping": "demo", "flow": "submit", "source": "b1/Drafts", "document_key": key, "generation": 1,
            "document": int(key), "state": state, "connection": "oa", "instance_id": instance,
            "error": {"zh": "查不清", "en": "cannot tell"} if state is DeliveryState.UNKNOWN else None,
        }  # fmt: skip
        known = EffectState.DONE if instance else EffectState.UNKNOWN
        effects = [
            EffectRecord(
                step=step, effect="create", state=known, connection="oa", action="create_approval", digest="d",
                instance_id=instance, started_at=utc_now(), request={"form": form},
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


@pytest.mark.parametrize("given", ["{}", '{{"instance_id": "{}", "DocEntry": 7}}'])
def test_created_is_recorded_with_its_author_and_a_run_is_queued(
    database: Database, add: Callable[..., int], approval: str, given: str
) -> None:
    given = given.format(approval)
    number = add("12", "each.d/approval")
    done = command("deliveries", "resolve", str(number), "--created", given)
    assert (done.code, "resolved" in done.out, "Recorded" in done.err) == (0, True, True)
    found = database.read(lambda connection: get_delivery(connection, number))
    assert found is not None
    effect = found.effects["each.d/approval"]
    assert (found.state, effect.state, effect.instance_id) == ("resolved", "done", approval)
    assert effect.result == (json.loads(given) if given.startswith("{") else {"instance_id": approval})
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


def test_of_several_unknown_steps_one_is_named(database: Database, add: Callable[..., int], approval: str) -> None:
    number = add("12", "a", "b")
    unclear = command("deliveries", "resolve", str(number), "--resend")
    assert unclear.code == 2
    assert "a, b" in unclear.err
    assert command("deliveries", "resolve", str(number), "--resend", "--step", "a").code == 0
    found = database.read(lambda connection: get_delivery(connection, number))
    assert found is not None
    assert found.state == "unknown"
    assert database.read(list_runs) == []
    assert command("deliveries", "resolve", str(number), "--created", approval).code == 0
    assert len(database.read(list_runs)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1"], "Choose one"),
        (["1", "--created", "x", "--resend"], "Choose one"),
        (["1", "--resend", "--unchecked"], "--unchecked only goes with --created"),
        (["999", "--resend"], "no such delivery"),
        (["999", "--created", "x"], "no such delivery"),
        (["2", "--created", "x"], "this one is complete"),
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


def test_an_id_that_the_approval_system_does_not_show_is_not_recorded(
    database: Database, add: Callable[..., int], approval: str
) -> None:
    number = str(add("12", "each.d/approval"))
    for wrong in (f"{approval}x", json.dumps({"instance_id": f"{approval}x", "DocEntry": 7})):
        done = command("deliveries", "resolve", number, "--created", wrong)
        assert done.code == 2
        assert f"连接 oa 中看不到编号为 {approval}x 的审批" in done.err
        assert f"oa does not show an approval with the id {approval}x" in done.err
        assert "add --unchecked" in done.err
    done = command("deliveries", "resolve", number, "--created", '{"DocEntry": 7}')
    assert (done.code, "holds no instance_id" in done.err) == (2, True)
    assert undecided(database)
    assert command("deliveries", "resolve", number, "--created", approval).code == 0
    assert not undecided(database)


def test_an_approval_of_another_form_is_not_recorded(
    database: Database, add: Callable[..., int], link: Callable[..., None], sandbox: str
) -> None:
    link(demo.WECOM_CONNECTION)
    approval = started_approval(sandbox, demo.WECOM_CONNECTION)
    number = str(add("12", "each.d/approval", form="template-1"))
    done = command("deliveries", "resolve", number, "--created", approval)
    assert done.code == 2
    assert f"another form ({demo.WECOM_TEMPLATE}), this document was sent to template-1" in done.err
    assert undecided(database)
    own = str(add("13", "each.d/approval", form=demo.WECOM_TEMPLATE))
    assert command("deliveries", "resolve", own, "--created", approval).code == 0


@pytest.mark.parametrize(
    ("away", "advice"),
    [
        ({"base_url": "http://127.0.0.1:1", "retries": 0}, "try again later"),
        ({"app_secret": "wrong"}, "settle that first"),
        (None, "settle that first"),
    ],
)
def test_without_an_answer_an_id_is_recorded_only_unchecked(
    database: Database,
    add: Callable[..., int],
    link: Callable[..., None],
    away: dict[str, str | int] | None,
    advice: str,
) -> None:
    if away is not None:
        link(**away)
    number = str(add("12", "each.d/approval"))
    done = command("deliveries", "resolve", number, "--created", "i12")
    assert done.code == 2
    assert "cannot be asked about the approval i12 now" in done.err
    assert advice in done.err
    assert undecided(database)
    assert command("deliveries", "resolve", number, "--created", "i12", "--unchecked").code == 0
    found = database.read(lambda connection: get_delivery(connection, int(number)))
    assert found is not None
    assert (found.state, found.instance_id) == ("resolved", "i12")


def undecided(database: Database) -> bool:
    """Whether the first delivery still waits for a decision, and nothing was set off."""
    found = database.read(lambda connection: get_delivery(connection, 1))
    assert found is not None
    return (found.state, found.decisions, database.read(list_runs)) == ("unknown", None, [])

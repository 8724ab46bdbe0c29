"""``b1-runtime`` without any other system: usage, checks, templates, connections, schema."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from runtime.cli import main
from runtime.cli.app import _hoist
from runtime.errors import BadMapping

GOOD: dict[str, Any] = {
    "format": 1,
    "id": "good",
    "flows": {"x": {"trigger": {"manual": {}}, "steps": [{"stop": "enough"}]}},
}


class Done(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """Runs commands on a workspace of their own: in this process, because each start of a process takes a while."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.mappings = folder / "mappings"
        self.mappings.mkdir()
        monkeypatch.setenv("B1_VAR", str(folder / "var"))
        monkeypatch.setenv("B1_MAPPINGS", str(self.mappings))

    def __call__(self, *arguments: str) -> Done:
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(arguments)
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())

    def save(self, document: dict[str, Any]) -> None:
        (self.mappings / f"{document['id']}.json").write_text(json.dumps(document), "utf-8")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


def test_help_is_bilingual_and_lists_every_command(command: Commands) -> None:
    done = command("--help")
    assert done.returncode == 0
    for name in (
        "serve",
        "run",
        "check",
        "connections",
        "runs",
        "deliveries",
        "appcodes",
        "templates",
        "sandbox",
        "schema",
    ):
        assert f"\n  {name} " in done.stdout
        help_text = command(name, "--help").stdout if name in ("run", "connections") else done.stdout
        assert any("\u4e00" <= letter <= "\u9fff" for letter in help_text)


def test_help_loads_no_machinery(command: Commands) -> None:
    code = (
        "import sys\nfrom runtime.cli import main\ntry:\n main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'httpx', 'aiohttp', 'starlette', 'uvicorn', 'jinja2', 'lxml'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["serve", "--port", "x"], ["sandbox", "--port", "99999"]])
def test_wrong_usage_is_one_message_and_exit_code_2(command: Commands, arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "用法" in done.stderr


def test_global_options_may_stand_anywhere() -> None:
    assert _hoist(["run", "x", "--state", "s", "--limit", "1", "--var=v", "--debug"]) == [
        "--state", "s", "--var=v", "--debug", "run", "x", "--limit", "1",
    ]  # fmt: skip
    assert _hoist(["run", "--", "--state", "s"]) == ["run", "--", "--state", "s"]


@pytest.mark.parametrize("kind", ["runs", "deliveries", "callbacks"])
def test_the_state_that_a_list_is_filtered_by_is_no_database(kind: str) -> None:
    filtered = [kind, "list", "--state", "failed"]
    assert _hoist(filtered) == _hoist([kind, "list", "--state=failed"]) == filtered
    assert _hoist([kind, "list", "--state", "sqlite:///x"])[:2] == ["--state", "sqlite:///x"]
    assert _hoist([kind, "list", "--state=sqlite:///x"])[:2] == ["--state", "sqlite:///x"]


@pytest.mark.parametrize("how", ["--debug", "B1_LOG"])
def test_an_error_shows_its_traceback_only_on_request(
    command: Commands, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    assert "Traceback" not in command("run", "missing").stderr
    arguments = ["run", "missing"]
    if how == "B1_LOG":
        monkeypatch.setenv("B1_LOG", "debug")
    else:
        arguments.append("--debug")
    with pytest.raises(BadMapping):
        main(arguments)


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "runtime.cli", "schema"], capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["$schema"]


def test_check_passes_a_good_mapping(command: Commands) -> None:
    command.save(GOOD)
    done = command("check")
    assert done.returncode == 0, done.stdout
    assert "✓ good" in done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flowz": {}}, "flowz"),
        ({"flows": {"x": {"trigger": {"manual": {}}, "steps": [{"stop": "{{ 1 + }}"}]}}}, "flows.x.steps"),
        ({"flows": {"x": {"trigger": {"manual": {}}, "steps": [{"call": "erp.get"}]}}}, "erp"),
        ({"connections": {"erp": "nowhere"}}, "nowhere"),
    ],
    ids=["misspelt key", "broken expression", "role without connection", "connection that does not exist"],
)
def test_check_names_what_is_wrong(command: Commands, changes: dict[str, Any], said: str) -> None:
    command.save({**GOOD, **changes})
    command.save({**GOOD, "id": "other"})
    # A state exists, so connections are checked as well.
    assert command("connections", "list").returncode == 0
    done = command("check")
    assert done.returncode == 1
    assert said in done.stdout
    assert "✓ other" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_an_unknown_control_names_it(command: Commands) -> None:
    controls = [{"id": "T-1", "label": "品号"}]
    fields = [{"to": "品名", "value": "x"}]
    step = {"id": "form", "map": {"from": "{{ input }}", "to": {"controls": controls}, "fields": fields}}
    command.save({**GOOD, "flows": {"x": {"trigger": {"manual": {}}, "steps": [step]}}})
    done = command("check", "good")
    assert done.returncode == 1
    assert "品名" in done.stdout


def test_connections_keep_their_secrets(command: Commands) -> None:
    document = {
        "kind": "b1.service_layer", "base_url": "http://127.0.0.1:9/b1", "company": "C", "user": "u",
        "password": "top-secret-1",
    }  # fmt: skip
    file = command.folder / "connections.json"
    file.write_text(json.dumps({"b1": document}), "utf-8")
    assert command("connections", "import", str(file)).returncode == 0
    listed = command("connections", "list")
    assert "b1.service_layer" in listed.stdout
    assert "password" in listed.stdout
    assert "top-secret-1" not in listed.stdout + listed.stderr
    for path in (command.folder / "var").iterdir():
        assert b"top-secret-1" not in path.read_bytes()
    (command.folder / "var" / "secret.key").write_text("AAAA", "ascii")
    locked = command("connections", "test", "b1")
    assert locked.returncode == 2
    assert "secret.key" in locked.stderr


def test_a_bad_file_of_connections_is_refused_as_a_whole(command: Commands) -> None:
    file = command.folder / "connections.json"
    good = {"kind": "b1.service_layer", "base_url": "http://x", "company": "C", "user": "u", "password": "p"}
    file.write_text(json.dumps({"a": good, "b": {"kind": "no.such.kind"}}), "utf-8")
    done = command("connections", "import", str(file))
    assert done.returncode == 2
    assert "no.such.kind" in done.stderr
    assert len(command("connections", "list").stdout.splitlines()) == 1


def test_a_template_becomes_a_mapping_that_passes_the_check(command: Commands) -> None:
    template = "dingtalk-approval-odata"
    assert template in [line.split()[0] for line in command("templates", "list").stdout.splitlines()[1:]]
    arguments = ["--id", "mine", "--set", "process_code=PROC-X", "--connection", "erp=b1", "--connection", "oa=ding"]
    done = command("templates", "new", template, *arguments)
    assert done.returncode == 0, done.stderr
    document = json.loads((command.mappings / "mine.json").read_text("utf-8"))
    assert document["settings"]["process_code"] == "PROC-X"
    assert document["connections"] == {"erp": "b1", "oa": "ding"}
    assert document["enabled"] is False
    assert "因此未启用" in done.stderr
    assert "switched off" in done.stderr
    assert command("check", "mine").returncode == 0
    again = command("templates", "new", template, *arguments)
    assert again.returncode == 2
    assert "mine" in again.stderr


def test_a_template_that_needs_no_fields_is_switched_on(command: Commands) -> None:
    arguments = ["--id", "scan", "--set", "company=C", "--connection", "db=di", "--connection", "erp=b1"]
    done = command("templates", "new", "barcode-query", *arguments)
    assert "映射已启用" in done.stderr
    assert json.loads((command.mappings / "scan.json").read_text("utf-8"))["enabled"] is True


def test_two_mappings_that_would_send_the_same_documents_are_named(command: Commands) -> None:
    file = command.folder / "connections.json"
    b1 = {"kind": "b1.service_layer", "base_url": "http://x", "company": "C", "user": "u", "password": "p"}
    ding = {"kind": "dingtalk", "base_url": "http://x", "app_key": "k", "app_secret": "s"}
    file.write_text(
        json.dumps({"b1": b1, "b2": b1 | {"user": "v"}, "b3": b1 | {"company": "D"}, "ding": ding}), "utf-8"
    )
    assert command("connections", "import", str(file)).returncode == 0
    for name, erp in (("one", "b1"), ("two", "b2"), ("other", "b3"), ("off", "b1")):
        arguments = [
            "--id",
            name,
            "--set",
            "process_code=PROC-X",
            "--connection",
            f"erp={erp}",
            "--connection",
            "oa=ding",
        ]
        assert command("templates", "new", "dingtalk-approval-odata", *arguments).returncode == 0
        if name != "off":
            document = json.loads((command.mappings / f"{name}.json").read_text("utf-8"))
            command.save(document | {"enabled": True})
    told = [line for line in command("check").stdout.splitlines() if "so a document may get two" in line]
    assert len(told) == 2
    for name, other in (("one", "two"), ("two", "one")):
        done = command("check", name)
        assert done.returncode == 0
        assert f"{name!r} and {other!r}" in done.stdout
    assert "may get two" not in command("check", "other").stdout


def test_a_template_wants_connections_of_the_right_kind(command: Commands) -> None:
    file = command.folder / "connections.json"
    b1 = {"kind": "b1.service_layer", "base_url": "http://x", "company": "C", "user": "u", "password": "p"}
    file.write_text(json.dumps({"b1": b1, "b2": b1}), "utf-8")
    assert command("connections", "import", str(file)).returncode == 0
    arguments = ["dingtalk-approval-odata", "--id", "mine", "--set", "process_code=PROC-X", "--connection"]
    refused = command("templates", "new", *arguments, "erp=b1", "--connection", "oa=b1")
    assert refused.returncode == 2
    assert "'b1' is b1.service_layer" in refused.stderr
    choice = {"choose": "{{ settings.process_code }}", "among": {"A": "b1", "B": "b2"}}
    done = command("templates", "new", *arguments, f"erp={json.dumps(choice)}", "--connection", "oa=not-made-yet")
    assert done.returncode == 0, done.stderr
    assert json.loads((command.mappings / "mine.json").read_text("utf-8"))["connections"]["erp"] == choice


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-template", "--id", "x"], "no-such-template"),
        (["dingtalk-approval-odata", "--id", "x"], "process_code"),
        (["dingtalk-approval-odata", "--id", "x", "--set", "nonsense"], "NAME=VALUE"),
        (["dingtalk-approval-odata", "--id", "Not An Id"], "erp"),
    ],
)
def test_a_template_that_is_not_filled_in_says_what_is_missing(
    command: Commands, arguments: list[str], said: str
) -> None:
    done = command("templates", "new", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(command.mappings.iterdir())


def test_the_schema_accepts_what_the_check_accepts(command: Commands) -> None:
    schema = json.loads(command("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD, "flowz": {}}, schema)


def test_a_setting_that_makes_no_sense_is_named(command: Commands) -> None:
    done = command("runs", "list", "--state", "mysql://x/y")
    assert done.returncode == 2
    assert "SQLite" in done.stderr

"""``b1-runtime run`` without a live runtime, and how it reports what goes wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

pytestmark = [pytest.mark.acceptance]


@pytest.fixture(autouse=True)
def _ready(module_desk: Any, purchase_request: dict[str, Any]) -> None:
    module_desk.import_connections()
    module_desk.save(purchase_request)


def test_a_dry_run_shows_the_exact_payload_and_changes_nothing(module_desk: Any, sandbox: Any) -> None:
    before, waiting = sandbox.instances(), sandbox.unsynced()
    done = module_desk.command("run", "purchase-request", "--dry-run", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("/v1.0/workflow/processInstances") == 2
    assert '"processCode": "PROC-DEMO-PR"' in done.stdout
    assert "计划请购" in done.stdout
    assert done.stdout.count("PATCH") == 2
    assert sandbox.instances() == before
    assert sandbox.unsynced() == waiting
    assert module_desk.command("runs", "list").stdout.count("purchase-request") == 0


def test_a_limited_run_sends_just_so_many(module_desk: Any, sandbox: Any) -> None:
    before, waiting = len(sandbox.instances()), len(sandbox.unsynced())
    path = module_desk.mappings / "purchase-request.json"
    done = module_desk.command("run", str(path), "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert "done 2" in done.stdout
    assert len(sandbox.instances()) == before + 2
    assert len(sandbox.unsynced()) == waiting - 2


def test_a_document_that_fails_is_named_and_the_others_go_on(
    module_desk: Any, sandbox: Any, purchase_request: dict[str, Any]
) -> None:
    mapping = copy.deepcopy(purchase_request)
    entries = [draft["DocEntry"] for draft in sandbox.unsynced()][:3]
    query = mapping["flows"]["submit"]["steps"][0]["with"]
    query["filter"] += " and (" + " or ".join(f"DocEntry eq {entry}" for entry in entries) + ")"
    fields = mapping["flows"]["submit"]["steps"][1]["steps"][0]["map"]["fields"]
    fields[1]["value"] = f"{{{{ 'x' if draft.DocEntry != {entries[1]} else draft.DocEntry / 0 }}}}"
    module_desk.save(mapping)
    done = module_desk.command("run", "purchase-request")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed 1" in done.stdout
    assert "done 2" in done.stdout
    assert f"✗ {entries[1]}" in done.stderr
    assert "请购部门" in done.stderr
    assert "Traceback" not in done.stderr
    assert entries[1] in [draft["DocEntry"] for draft in sandbox.unsynced()]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"b1_demo": {"password": "not-the-secret"}}, "连接"),
        ({"b1_demo": {"base_url": "http://127.0.0.1:9/b1", "retries": 0}}, "127.0.0.1:9"),
        ({"dingtalk_demo": {"app_secret": "not-the-secret"}}, "连接"),
    ],
    ids=["wrong password", "unreachable host", "wrong secret"],
)
def test_a_connection_that_does_not_work_changes_nothing_and_says_why(
    module_desk: Any, sandbox: Any, changes: dict[str, Any], said: str
) -> None:
    sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    before, waiting = sandbox.instances(), sandbox.unsynced()
    module_desk.import_connections(**changes)
    done = module_desk.command("run", "purchase-request", "--limit", "1")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "not-the-secret" not in done.stderr
    assert sandbox.instances() == before
    assert sandbox.unsynced() == waiting
    [name] = [changed.replace("_", "-") for changed in changes]
    tested = module_desk.command("connections", "test", name)
    assert tested.returncode == 1
    assert said in tested.stderr
    assert tested.stdout == ""


def test_a_form_that_was_deleted_is_named(module_desk: Any, sandbox: Any) -> None:
    sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    form = sandbox.control("GET", "/dingtalk/forms/PROC-DEMO-PR")
    before, waiting = sandbox.instances(), sandbox.unsynced()
    sandbox.control("DELETE", "/dingtalk/forms/PROC-DEMO-PR")
    try:
        done = module_desk.command("run", "purchase-request", "--limit", "1")
    finally:
        body = {key: form[key] for key in ("name", "controls")}
        sandbox.control("PUT", "/dingtalk/forms/PROC-DEMO-PR", body)
    assert done.returncode == 1
    assert "PROC-DEMO-PR" in done.stderr or "表单" in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.instances() == before
    assert sandbox.unsynced() == waiting


def test_a_verdict_can_be_carried_out_by_hand(module_desk: Any, sandbox: Any) -> None:
    sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    assert module_desk.command("run", "purchase-request").returncode == 0
    instance = sandbox.instances()[0]
    sandbox.control("POST", f"/dingtalk/instances/{instance['id']}/decide", {"result": "agree", "remark": "好"})
    file = module_desk.folder / "verdict.json"
    file.write_text(json.dumps({"instance_id": instance["id"], "outcome": "agreed"}), "utf-8")
    done = module_desk.command("run", "purchase-request", "--flow", "verdict", "--input", str(file))
    assert done.returncode == 0, done.stderr
    [draft] = sandbox.b1(f"/Drafts?$filter=U_instanceID eq '{instance['id']}'")["value"]
    assert draft["U_ApprovalStatus"] == "agreed"
    missing = module_desk.command("run", "purchase-request", "--flow", "verdict")
    assert missing.returncode == 2
    assert "instance_id" in missing.stderr


def test_a_run_that_failed_can_be_retried(module_desk: Any, sandbox: Any) -> None:
    sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    module_desk.import_connections(dingtalk_demo={"app_secret": "not-the-secret"})
    assert module_desk.command("run", "purchase-request").returncode == 1
    run_id = module_desk.command("runs", "list", "--limit", "1").stdout.splitlines()[1].split()[0]
    module_desk.import_connections()
    retried = module_desk.command("runs", "retry", run_id)
    assert retried.returncode == 0, retried.stderr
    assert sandbox.unsynced() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nothing-here"], "nothing-here"),
        (["run", "no/such/file.json"], "no/such/file.json"),
        (["run", "purchase-request", "--flow", "nope"], "submit, verdict"),
        (["run", "purchase-request", "--input", "missing.json"], "missing.json"),
        (["connections", "test", "nobody"], "nobody"),
        (["connections", "import", "missing.json"], "missing.json"),
        (["runs", "show", "no-such-run"], "no-such-run"),
        (["runs", "retry", "no-such-run"], "no-such-run"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(module_desk: Any, arguments: list[str], said: str) -> None:
    done = module_desk.command(*arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "✗" in done.stderr
    assert "Traceback" not in done.stderr

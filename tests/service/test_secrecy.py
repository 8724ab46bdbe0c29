"""No secret anywhere: a life of the product with telling secrets, then a look through everything it left behind."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from tests.service.audit import Audit, Evidence

pytestmark = [pytest.mark.acceptance]

#: Each of them can be told wherever it appears; letters and digits only, so that no encoding disguises it.
SECRETS = {
    "password": "ZqPasswortZq1",
    "app_secret": "ZqAppSecretZq2",
    "aes_key": base64.b64encode(b"ZqAesKeyZq3ZqAesKeyZq3ZqAesKey32").decode().rstrip("="),
    "token": "ZqEventTokenZq4",
    "wrong password": "ZqFalschesPasswortZq5",
    "wrong secret": "ZqFalschesSecretZq6",
    "session": "ZqSessionZq7",
    "access token": "ZqAccessTokenZq8",
    "environment": "ZqUmgebungZq9",
}
#: The sandbox, its fixed values replaced by ours and its random ones beginning with ours.
SANDBOX = """
import itertools, types
from runtime.sandbox import demo
demo.B1_PASSWORD = {password!r}
demo.DINGTALK_APP_SECRET = {app_secret!r}
demo.DINGTALK_AES_KEY = {aes_key!r}
demo.DINGTALK_TOKEN = {token!r}
from runtime.sandbox.b1 import sessions
from runtime.sandbox.oa import tokens
numbers = itertools.count(100)
sessions.{random} = lambda *_: {session!r} + str(next(numbers))
tokens.secrets = types.SimpleNamespace(token_hex=lambda _: {access!r} + str(next(numbers)))
from runtime.cli import main
main()
"""

HTTP_FLOW: dict[str, Any] = {
    "format": 1,
    "id": "asked",
    "connections": {"erp": demo.B1_CONNECTION, "wrong": "b1-wrong", "gone": "b1-gone"},
    "flows": {
        "echo": {
            "trigger": {"http": {"path": "asked/echo"}},
            "steps": [
                {"id": "item", "call": "erp.get", "with": {"entity": "Items", "key": "{{ request.body.code }}"}},
                {"respond": {"body": {"seen": "{{ request.headers }}"}}},
            ],
        },
        "wrong": {"trigger": {"manual": {}}, "steps": [{"call": "wrong.count", "with": {"entity": "Items"}}]},
        "gone": {"trigger": {"manual": {}}, "steps": [{"call": "gone.count", "with": {"entity": "Items"}}]},
    },
}


@pytest.fixture(scope="module")
def sandbox_program(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    file = tmp_path_factory.mktemp("program") / "sandbox.py"
    names = {name: SECRETS[name] for name in ("password", "app_secret", "aes_key", "token", "session")}
    file.write_text(SANDBOX.format(**names, access=SECRETS["access token"], random="uuid1"), "utf-8")
    return (str(file),)


def connections(desk: Any) -> dict[str, Any]:
    base = desk.connections(
        b1_demo={"password": SECRETS["password"]},
        dingtalk_demo={name: SECRETS[name] for name in ("app_secret", "aes_key", "token")},
    )
    b1 = base[demo.B1_CONNECTION]
    return {
        **base,
        "b1-wrong": {**b1, "password": SECRETS["wrong password"], "retries": 0},
        "b1-gone": {**b1, "base_url": "http://127.0.0.1:9/b1", "retries": 0},
        "b1-env": {**b1, "password": {"env": "B1_TEST_AUDIT"}},
        "dingtalk-wrong": {**base[demo.DINGTALK_CONNECTION], "app_secret": SECRETS["wrong secret"], "retries": 0},
        "dingtalk-legacy": {**base[demo.DINGTALK_CONNECTION], "token_api": "legacy"},
        "dingtalk-legacy-gone": {
            **base[demo.DINGTALK_CONNECTION], "token_api": "legacy", "oapi_url": "http://127.0.0.1:9", "retries": 0,
        },
    }  # fmt: skip


@pytest.fixture(params=["console", "json"])
def log_format(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All processes log everything, in each form of logs."""
    monkeypatch.setenv("B1_LOG_FORMAT", request.param)
    monkeypatch.setenv("B1_LOG", "debug")
    monkeypatch.setenv("B1_TEST_AUDIT", SECRETS["environment"])
    monkeypatch.setattr(demo, "B1_PASSWORD", SECRETS["password"])
    form: str = request.param
    return form


class Life(Audit):
    """What a person does with B1 and DingTalk."""

    def set_up(self, *mappings: dict[str, Any]) -> None:
        file = self.folder / "connections.json"
        file.write_text(json.dumps(connections(self.desk)), "utf-8")
        self.quick_command("connections", "import", str(file))
        for mapping in mappings:
            self.desk.save(mapping)

    def try_everything(self) -> None:
        """Connections that work and that do not, checks, previews, failing runs; with and without --debug."""
        broken = {**connections(self.desk)["b1-demo"], "rate": "quick", "company": {"x": 1}}
        (self.folder / "broken.json").write_text(json.dumps({"b1-broken": broken}), "utf-8")
        self.quick_command("connections", "import", str(self.folder / "broken.json"))
        self.quick_command("connections", "list")
        for name in (*connections(self.desk), "b1-broken"):
            self.quick_command("connections", "test", name)
        self.quick_command("check")
        self.command("run", "purchase-request", "--flow", "submit", "--dry-run", "--limit", "1")
        for flow in ("wrong", "gone"):
            self.command("run", "asked", "--flow", flow)
        self.command("--debug", "run", "asked", "--flow", "wrong")

    def call_flows(self, http: httpx.Client) -> None:
        code = re.search(r"asked/echo\s.*\s(\S+)$", self.desk.command("appcodes", "list", "asked").stdout, re.M)
        assert code is not None
        self.secrets["appcode"] = code[1]
        for given in (code[1], "ZqFalscherCode"):
            headers = {"X-Apig-AppCode": given, "Authorization": f"Bearer {given}", "Cookie": f"a={given}"}
            answer = http.post("/flows/asked/echo", headers=headers, json={"code": "none"})
            self.evidence.add("answers of the runtime", answer.text)
        forged = {"signature": "x", "msg_signature": "x", "timestamp": "1", "nonce": "1"}
        answer = http.post(f"/callbacks/{demo.DINGTALK_CONNECTION}", params=forged, json={"encrypt": "x"})
        self.evidence.add("answers of the runtime", answer.text)
        for path in ("/metrics", "/readyz", "/healthz"):
            self.evidence.add(path, http.get(path).text)


@pytest.fixture
def audit(module_desk: Any, tmp_path: Path) -> Life:
    return Life(module_desk, tmp_path, SECRETS)


@pytest.mark.timeout(300)
def test_no_secret_shows_anywhere(
    audit: Life, sandbox: Any, purchase_request: dict[str, Any], eventually: Any, log_format: str
) -> None:
    audit.set_up(purchase_request, HTTP_FLOW)
    sandbox.control("POST", "/b1/drafts", {"count": 2, "lines": 1})
    if log_format == "console":
        audit.try_everything()
    process = audit.desk.serve()
    address = process.address()
    sandbox.subscribe("dingtalk", f"{address}/callbacks/{demo.DINGTALK_CONNECTION}")
    sandbox.control("POST", "/b1/expire-sessions")
    for kind in ("error500", "reset_after", "throttled_html"):
        sandbox.control("POST", "/faults/next", {"fault": kind, "times": 2, "method": "PATCH"})
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        audit.call_flows(http)
        eventually(lambda: not sandbox.unsynced(), what="all drafts are sent")
        approval = sandbox.instances(status="RUNNING")[0]["id"]
        sandbox.control("POST", f"/dingtalk/instances/{approval}/decide", {"result": "agree"})

        def written_back() -> list[Any]:
            rows = sandbox.b1("/Drafts?$top=1000")["value"]
            return [row for row in rows if row["U_instanceID"] == approval and row["U_ApprovalStatus"]]

        eventually(written_back, what="the verdict is written back")
        audit.call_flows(http)
    audit.look_at_runs(process.popen.pid)
    process.stop()
    audit.evidence.add("log of the runtime", process.output)
    audit.look_at_files()

    found = audit.evidence.found
    assert len(found["log of the runtime"]) > 1000
    assert any("state.db" in where for where in found)
    assert b"purchase-request" in found["output of runs list"]
    assert audit.evidence.leaks(audit.secrets) == []


def test_the_audit_finds_a_secret_that_is_there() -> None:
    evidence = Evidence()
    evidence.add("log", f"password={SECRETS['password']}")
    assert evidence.leaks(SECRETS) == [f"password in log: …password={SECRETS['password']}…"]

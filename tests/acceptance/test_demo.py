"""``make demo`` as its user sees it: drafts become approvals, a verdict comes back into B1, Ctrl-C stops everything."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from runtime.sandbox import demo

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
#: Seconds: the mapping ticks once a minute, and three processes start on a busy machine.
PATIENCE = 110


@dataclass(frozen=True)
class Demo:
    process: subprocess.Popen[bytes]
    log: Path
    sandbox: str
    runtime: str
    studio: str

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def _ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _await(what: str, attempt: Callable[[], Any], said: Callable[[], str]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := attempt():
            return found
        time.sleep(0.3)
    pytest.fail(f"{what} did not happen in {PATIENCE} s; the demo said:\n{said()}")


def _start(folder: Path, ports: list[int], log: Path) -> subprocess.Popen[bytes]:
    names = ("--sandbox-port", "--runtime-port", "--studio-port")
    options = [text for name, port in zip(names, ports, strict=True) for text in (name, str(port))]
    folders = ["--var", str(folder / "var"), "--mappings", str(folder / "mappings")]
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "studio.demo", *folders, *options],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "mappings", folder / "mappings")
    ports = _ports(3)
    log = folder / "demo.log"
    process = _start(folder, ports, log)
    found = Demo(process, log, *(f"http://127.0.0.1:{port}" for port in ports))
    try:
        _await("readiness", lambda: "The demo is ready" in found.said or process.poll() is not None, lambda: found.said)
        assert process.poll() is None, found.said
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _service_layer(sandbox: str) -> httpx.Client:
    client = httpx.Client(base_url=f"{sandbox}/b1/b1s/v1", trust_env=False, timeout=10)
    login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
    client.post("/Login", json=login).raise_for_status()
    return client


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("verdict", "decision", "status"), [("agree", "ardApproved", "同意"), ("refuse", "ardNotApproved", "拒绝")]
)
def test_a_draft_becomes_an_approval_and_its_verdict_comes_back(
    running: Demo, verdict: str, decision: str, status: str
) -> None:
    with closing(_service_layer(running.sandbox)) as b1:

        def synced() -> list[dict[str, Any]]:
            query = "DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'"
            drafts = b1.get("/Drafts", params={"$filter": query}).json()["value"]
            return [draft for draft in drafts if draft["U_instanceID"] and not draft["U_ApprovalStatus"]]

        draft = _await("an approval", synced, lambda: running.said)[0]
        answer = httpx.post(
            f"{running.sandbox}/control/dingtalk/instances/{draft['U_instanceID']}/decide",
            json={"result": verdict, "remark": "看过了"},
            timeout=10,
        )
        answer.raise_for_status()

        def written_back() -> dict[str, Any] | None:
            found: dict[str, Any] = b1.get(f"/Drafts({draft['DocEntry']})").json()
            return found if found["U_ApprovalStatus"] else None

        after = _await("the verdict in B1", written_back, lambda: running.said)
        requests = b1.get("/ApprovalRequests", params={"$filter": f"DraftEntry eq {draft['DocEntry']}"}).json()["value"]
    assert after["U_ApprovalStatus"] == status
    assert after["U_Approver"] == demo.APPROVER
    assert after["U_ApprovalDate"]
    decided = [line for line in requests[0]["ApprovalRequestLines"] if line["Status"] != "ardPending"]
    assert [line["Status"] for line in decided] == [decision]
    assert "看过了" in decided[0]["Remarks"]


def test_no_draft_has_two_approvals(running: Demo) -> None:
    found = httpx.get(f"{running.sandbox}/control/dingtalk/instances", params={"limit": 1000}, timeout=10).json()
    with closing(_service_layer(running.sandbox)) as b1:
        drafts = b1.get("/Drafts", params={"$filter": "DocObjectCode eq '1470000113'"}).json()["value"]
    instances = [draft["U_instanceID"] for draft in drafts if draft["U_instanceID"]]
    assert instances
    assert found["total"] == len(instances) == len(set(instances))


def test_the_studio_answers(running: Demo) -> None:
    assert httpx.get(f"{running.studio}/_stcore/health", timeout=10, trust_env=False).text == "ok"


def test_a_port_in_use_is_one_clear_sentence(running: Demo, tmp_path: Path) -> None:
    taken = int(running.sandbox.rsplit(":", 1)[1])
    process = _start(tmp_path, [taken, *_ports(2)], tmp_path / "log")
    assert process.wait(timeout=60) == 1
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert str(taken) in said
    assert "已被占用" in said
    assert f"make demo ARGS='--sandbox-port {taken + 1}'" in said
    assert "Traceback" not in said


def test_a_second_demo_on_the_same_folder_leaves_the_first_alone(running: Demo, tmp_path: Path) -> None:
    process = _start(running.log.parent, _ports(3), tmp_path / "log")
    assert process.wait(timeout=60) == 1
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "正被另一个沙箱使用" in said
    # The first one's log is the same file: what it said is no part of this story.
    assert running.sandbox not in said
    command = [sys.executable, "-m", "runtime.cli", "--var", str(running.log.parent / "var"), "connections", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert f"{running.sandbox}/b1" in listed.stdout


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    process = _start(tmp_path, _ports(3), tmp_path / "log")
    assert process.wait(timeout=60) == 1
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "不可写" in said
    assert "Traceback" not in said


@pytest.mark.timeout(180)
def test_ctrl_c_stops_all_three_cleanly(running: Demo) -> None:
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert len(children) >= 3
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=60) == 0, running.said
    assert "All stopped" in running.said
    assert "killed" not in running.said
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []

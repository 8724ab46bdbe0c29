"""The real commands as processes: a sandbox, a runtime beside it, and what tests ask them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from typer.testing import CliRunner

from runtime.cli.app import build
from runtime.sandbox import demo
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault
from tests.service_layer import service_layer

T = TypeVar("T")

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_PATIENCE = 60.0


def _eventually(look: Callable[[], T], *, within: float = _PATIENCE, what: str = "") -> T:
    """Look again and again until something true comes back."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or look}")
        time.sleep(0.05)


class Process:
    """A real ``b1-runtime`` command in the background, its output in a file."""

    def __init__(
        self,
        arguments: list[str],
        *,
        log: Path,
        env: dict[str, str] | None = None,
        program: Sequence[str] = ("-m", "runtime.cli"),
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            )

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def address(self) -> str:
        """Where it answers, once it says so."""

        def look() -> str:
            found = _ADDRESS.search(self.output)
            if found and "ready" in self.output:
                return found[0]
            assert self.popen.poll() is None, self.output
            return ""

        return _eventually(look, what="the process says that it is ready")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(timeout=30)


class Sandbox:
    """The running sandbox, through its control API."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.url = process.address()
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def close(self) -> None:
        self._http.close()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, f"/control{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def subscribe(self, system: str, url: str) -> None:
        """Save where a platform pushes its events; what a busy machine answers too late is tried again."""

        def saved() -> bool:
            return self._http.put(f"/control/{system}/callback", json={"url": url}).is_success

        _eventually(saved, what=f"{url} is verified")

    def instances(self, **query: str) -> list[dict[str, Any]]:
        """Approvals as the control API shows them."""
        answer = self._http.get("/control/dingtalk/instances", params={"limit": "1000", **query})
        found = answer.json()
        return list(found["instances"] if isinstance(found, dict) else found)

    def b1(self, path: str, *, method: str = "GET", body: Any = None, company: str = demo.B1_COMPANY) -> Any:
        """One call to the Service Layer itself; without ``method`` a read."""
        return service_layer(self.url, path, method=method, body=body, company=company)

    def unsynced(self) -> list[dict[str, Any]]:
        """Purchase-request drafts that still wait to be sent."""
        query = "/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'N'&$top=1000&$select=DocEntry,U_ISSYN"
        return list(self.b1(query)["value"])


class Desk:
    """A folder of mappings and a state, and the commands that work on them."""

    def __init__(self, folder: Path, sandbox: Sandbox | None, *, state: str = "") -> None:
        self.folder = folder
        self.state = state
        self.var = folder / "var"
        self.mappings = folder / "mappings"
        self.mappings.mkdir(parents=True)
        self.sandbox = sandbox
        self.started: list[Process] = []

    def connections(self, **changes: dict[str, Any]) -> dict[str, Any]:
        """The documents of the demo connections, some changed, and further ones; without a sandbox they lead nowhere.

        :param changes: name, with ``_`` for ``-`` → what is different; of a further one, what differs from B1's
        """
        documents = demo.connections(self.sandbox.url if self.sandbox else "http://127.0.0.1:9")
        further = {name.replace("_", "-"): documents[demo.B1_CONNECTION] for name in changes}
        return {
            name: {**document, **changes.get(name.replace("-", "_"), {})}
            for name, document in {**further, **documents}.items()
        }

    def import_connections(self, **changes: dict[str, Any]) -> None:
        """Save the demo connections, some of their fields changed, as ``connections import`` does."""
        documents = self.connections(**changes)
        with closing(self._database()) as database:
            store = ConnectionStore(database, Vault(self.var / "secret.key"))
            for name, document in documents.items():
                store.save(name, document)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "runtime.cli", *self._where(), *arguments],
            capture_output=True, text=True, encoding="utf-8", timeout=100, check=False, **options,
        )  # fmt: skip

    def invoke(self, *arguments: str) -> str:
        """One command that succeeds, in this process: where there are many, none waits for Python to start."""
        done = CliRunner().invoke(build(), [*self._where(), *arguments])
        assert done.exit_code == 0, f"{done.output}{done.exception or ''}"
        return done.output

    def read(self, work: Callable[[Any], T]) -> T:
        """Look into the state database."""
        with closing(self._database()) as database:
            return database.read(work)

    def write(self, work: Callable[[Any], T]) -> T:
        """Change the state database."""
        with closing(self._database()) as database:
            return database.write(work)

    def _database(self) -> Database:
        return Database.open(self.state or f"sqlite:///{(self.var / 'state.db').resolve()}")

    def serve(self, *arguments: str, env: dict[str, str] | None = None) -> Process:
        """A runtime in the background."""
        log = self.folder / f"serve-{len(self.started)}.log"
        self.started.append(Process([*self._where(), "serve", "--port", "0", *arguments], log=log, env=env))
        return self.started[-1]

    def save(self, document: dict[str, Any]) -> Path:
        """Put a mapping into the folder, as another program would: written aside, then moved into place."""
        path = self.mappings / f"{document['id']}.json"
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
        aside.replace(path)
        return path

    def _where(self) -> list[str]:
        state = ["--state", self.state] if self.state else []
        return ["--var", str(self.var), "--mappings", str(self.mappings), *state]

    def close(self) -> None:
        for process in self.started:
            process.stop()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Polls until something true comes back, and returns it."""
    return _eventually


@pytest.fixture(scope="module")
def purchase_request() -> dict[str, Any]:
    """A purchase-request mapping with both directions, quick to take up what is new."""
    return {
        "format": 1,
        "id": "purchase-request",
        "title": "采购申请",
        "connections": {"erp": demo.B1_CONNECTION, "oa": demo.DINGTALK_CONNECTION},
        "settings": {"form": demo.PROCESS_CODE, "object": "Drafts"},
        "flows": {
            "submit": {
                "trigger": {"schedule": {"every": "1s"}},
                "steps": [
                    {"id": "drafts", "call": "erp.query", "with": {
                        "entity": "{{ settings.object }}",
                        "filter": "DocObjectCode eq '1470000113' and U_ISSYN eq 'N'", "page_size": 20}},
                    {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "concurrency": 4, "steps": [
                        {"id": "form", "map": {"from": "{{ draft }}", "to": {"connection": "oa"}, "fields": [
                            {"to": "请购单别", "value": "计划请购"},
                            {"to": "请购部门", "value": "{{ draft.RequesterDepartment or '生产部' }}"},
                            {"to": "请购人员", "from": "RequesterName"},
                            {"to": "单据日期", "from": "DocDate", "through": [{"date": "YYYY-MM-DD"}]},
                            {"to": "有效期", "from": "DocDueDate", "through": [{"date": "YYYY-MM-DD"}]},
                            {"to": "备注", "value": "{{ draft.Comments or '无' }}"}],
                         "tables": [{"to": "物料表", "from": "DocumentLines", "fields": [
                            {"to": "品名", "from": "ItemDescription"},
                            {"to": "品号", "from": "ItemCode"},
                            {"to": "需求数量", "from": "Quantity", "through": [{"round": 2}]}]}]}},
                        {"id": "approval", "call": "oa.create_approval", "with": {
                            "form": "{{ settings.form }}", "values": "{{ form }}",
                            "originator": "{{ draft.U_UserID }}", "department": "{{ draft.U_BMID }}"}},
                        {"call": "erp.update", "with": {
                            "entity": "{{ settings.object }}", "key": "{{ draft.DocEntry }}",
                            "values": {"U_ISSYN": "Y", "U_instanceID": "{{ approval.instance_id }}"}}}]},
                ],
            },
            "verdict": {
                "trigger": {"event": {"connection": "oa", "form": "{{ settings.form }}"}},
                "steps": [
                    {"id": "detail", "call": "oa.get_approval", "with": {"instance_id": "{{ event.instance_id }}"}},
                    {"id": "draft", "call": "erp.find", "with": {
                        "entity": "{{ settings.object }}", "key": "{{ event.document }}",
                        "filter": "U_instanceID eq {{ event.instance_id | odata }}"}},
                    {"if": "{{ not draft }}", "then": [{"stop": "no draft carries this approval"}]},
                    {"call": "erp.decide", "with": {
                        "draft": "{{ draft.DocEntry }}", "approved": "{{ event.outcome == 'agreed' }}",
                        "remarks": "{{ detail.remarks }}"}},
                    {"call": "erp.update", "with": {
                        "entity": "{{ settings.object }}", "key": "{{ draft.DocEntry }}",
                        "values": {"U_Approver": "{{ detail.approver }}", "U_ApprovalStatus": "{{ event.outcome }}"}}},
                ],
            },
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def sandbox_program() -> Sequence[str]:
    """What Python runs as the sandbox's command."""
    return ("-m", "runtime.cli")


@pytest.fixture(scope="module")
def state(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the state database of :func:`module_desk`; empty = the SQLite file, unless a module asks for more."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.put_back(url)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, sandbox_program: Sequence[str], state: str) -> Iterator[Sandbox]:
    """A sandbox of its own for the module (and for each state database that it is run on)."""
    folder = tmp_path_factory.mktemp("sandbox")
    log = folder / "sandbox.log"
    process = Process(["--var", str(folder), "sandbox", "--port", "0"], log=log, program=sandbox_program)
    try:
        running = Sandbox(process)
        yield running
        running.close()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def module_desk(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, state: str) -> Iterator[Desk]:
    """A workspace that the tests of a module share."""
    desk = Desk(tmp_path_factory.mktemp("desk"), sandbox, state=state)
    yield desk
    desk.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace without a sandbox."""
    desk = Desk(tmp_path / "desk", None)
    yield desk
    desk.close()

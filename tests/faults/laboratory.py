"""A sandbox, a runtime beside it that may be killed at any time, and a look at both other systems."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from runtime.faultpoints import VARIABLE
from runtime.mapping.document import dump_mapping
from runtime.mapping.templates import instantiate, load_template
from runtime.sandbox import demo
from tests.faults.audit import Approval, Draft

__all__ = ["Laboratory"]

_ROOT = Path(__file__).parents[2]
_MAPPING = _ROOT / "mappings/purchase-request-dingtalk.json"
_TEMPLATE = _ROOT / "mappings/templates/wecom-approval-odata.json"
#: By approval system: label of the control that holds a document's key, field that holds the approval's id, connection.
_KEY_CONTROL = {"dingtalk": "来源单号", "wecom": "草稿单号"}
_INSTANCE = {"dingtalk": "U_instanceID", "wecom": "U_SPNO", "weaver": "U_REQUESTID"}
_CONNECTION = {
    "dingtalk": demo.DINGTALK_CONNECTION,
    "wecom": demo.WECOM_CONNECTION,
    "weaver": demo.WEAVER_CONNECTION,
}
#: By the weather's word for it: the connection that drafts are read from by SQL, empty where B1's own does it. What is
#: written always goes through the Service Layer.
_SOURCES: dict[str, dict[str, Any]] = {
    "gateway": {
        "kind": "b1.di_api",
        "base_url": "{sandbox}/b1",
        "company": demo.B1_COMPANY,
        "user": demo.B1_USER,
        "password": demo.B1_PASSWORD,
    },
    "queries": {},
}
_HEADER = (
    'SELECT T0."DocEntry", T0."DocNum", T0."ReqName", T0."Department", T0."DocDate", T0."DocDueDate", T0."Comments", '
    'T0."U_PurReqType", T0."U_UserID", T0."U_BMID" FROM ODRF T0 '
    "WHERE T0.\"ObjType\" = '1470000113' AND IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
)
_LINES = (
    'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Dscription", T1."U_Specifications", T1."Quantity", '
    'T1."PQTReqDate", T1."FreeTxt" FROM DRF1 T1'
)
#: Property of the Service Layer → column of the statements, where they differ.
_COLUMNS = {
    "RequesterDepartment": "Department",
    "RequesterName": "ReqName",
    "DocumentLines": "Lines",
    "ItemDescription": "Dscription",
    "RequiredDate": "PQTReqDate",
    "FreeText": "FreeTxt",
}
_REQUESTS = "DocObjectCode eq '1470000113'"
#: A draft of the demo data that is marked from the beginning.
_SYNCED_BEFORE = 15
#: Seconds that a process may take to start on a busy machine.
_START_LIMIT = 60.0
#: Everything fits into one answer.
_ALL = 100_000
#: Seconds that the runtime waits for an answer.
_TIMEOUT = 3.0


class Laboratory:
    """Two real processes on loopback; only those that it started itself are ever killed.

    :param environment: further settings of the runtime, ``B1_…``
    :param system: the approval system, ``dingtalk`` or ``wecom``; see :mod:`tests.faults.weaver` for the third
    :param source: how drafts are read by SQL, ``gateway`` or ``queries``; empty = by OData
    """

    #: What the control API calls it when something is sent to the runtime once more.
    again = "redeliver"

    def __init__(
        self, folder: Path, environment: Mapping[str, str], system: str = "dingtalk", source: str = ""
    ) -> None:
        self._folder = folder
        self.system = system
        self._source = source
        self._environment = {**os.environ, **environment, "B1_MAPPINGS": str(folder / "mappings"), "B1_LOG": "warning"}
        self._environment.pop(VARIABLE, None)
        self._runtime: subprocess.Popen[bytes] | None = None
        self._runtime_port, self._sandbox_port = _free_ports(2)
        self.sandbox = f"http://127.0.0.1:{self._sandbox_port}"
        self._http = httpx.Client(base_url=self.sandbox, timeout=30, trust_env=False)

    @classmethod
    @contextmanager
    def opened(
        cls,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        connection: Mapping[str, Any] | None = None,
        system: str = "dingtalk",
        source: str = "",
        *,
        twins: bool = False,
    ) -> Iterator[Self]:
        """A laboratory with its sandbox running, in an empty folder.

        :param connection: settings of the connection to the approval system that are not as usual
        :param twins: whether the mapping is there twice, under two ids
        """
        laboratory = cls(folder, environment or {}, system, source)
        (folder / "mappings").mkdir(parents=True)
        mapping = laboratory._mapping()
        if source:
            _read_by_sql(mapping, source)
        for name in (mapping["id"], f"{mapping['id']}-twin") if twins else (mapping["id"],):
            text = json.dumps({**mapping, "id": name})
            (folder / "mappings" / f"{name}.json").write_text(text, encoding="utf-8")
        sandbox = laboratory._start("sandbox", "--port", str(laboratory._sandbox_port), *laboratory._sandbox_options())
        try:
            laboratory._await_sandbox(sandbox)
            laboratory._save_connections(connection or {})
            yield laboratory
        finally:
            laboratory.kill()
            sandbox.terminate()
            sandbox.wait(timeout=30)
            laboratory._http.close()

    def _sandbox_options(self) -> list[str]:
        option = "--callback" if self.system == "dingtalk" else f"--{self.system}-callback"
        return [option, f"http://127.0.0.1:{self._runtime_port}/callbacks/{_CONNECTION[self.system]}"]

    def _mapping(self) -> dict[str, Any]:
        return _quick_mapping(self.system)

    # the runtime

    def start(self, fault: str = "") -> None:
        """Start the runtime; it may not be ready yet.

        :param fault: point at which it is to kill itself: ``name:nth``
        """
        assert not self.alive
        self._runtime = self._start("serve", "--port", str(self._runtime_port), fault=fault)

    @property
    def alive(self) -> bool:
        """Whether the runtime runs; it may have killed itself.

        :raises RuntimeError: it ended in another way, which is a fault of its own
        """
        if self._runtime is None:
            return False
        code = self._runtime.poll()
        if code not in (None, -signal.SIGKILL):
            raise RuntimeError(f"the runtime ended by itself ({code}):\n{self._log('serve')}")
        return code is None

    def ready(self) -> bool:
        """Whether the runtime answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._runtime_port}/healthz", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End the runtime as a power cut would, if it has not ended already."""
        if self._runtime is not None:
            self._runtime.kill()
            self._runtime.wait()
            self._runtime = None

    # the other systems

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The sandbox's control API, which never meets a fault."""
        answer = self._http.request(method, f"/control{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def approvals(self) -> list[Approval]:
        """Every approval that the OA holds."""
        found = self.control("GET", f"/{self.system}/instances?limit={_ALL}")
        assert found["total"] == len(found["instances"])
        return [
            Approval(
                instance=instance["id"],
                document=_texts(instance).get(_KEY_CONTROL[self.system], ""),
                outcome=_outcome(instance["status"], instance["result"]),
            )
            for instance in found["instances"]
        ]

    @property
    def events(self) -> str:
        """Where the control API lists what was sent to the runtime."""
        return f"/{self.system}/events"

    def subscribe(self, settings: Mapping[str, Any]) -> None:
        """Say how events are delivered to the runtime."""
        self.control("PUT", f"/{self.system}/callback", settings)

    def waiting(self, desk: httpx.Client) -> list[str]:
        """Ids of the approvals that nobody has decided.

        :param desk: the control API of the approval system
        """
        found = desk.get("/instances", params={"status": "RUNNING", "limit": 1000}).json()["instances"]
        return [instance["id"] for instance in found]

    def decide(self, desk: httpx.Client, instance: str, rng: random.Random) -> None:
        """An approver agrees or refuses, or the applicant withdraws."""
        if rng.random() < 0.1:
            desk.post(f"/instances/{instance}/withdraw", json={"remark": "不买了"}).raise_for_status()
            return
        body = {"result": rng.choice(("agree", "refuse")), "remark": "看过了"}
        desk.post(f"/instances/{instance}/decide", json=body).raise_for_status()

    def drafts(self) -> list[Draft]:
        """The purchase request drafts that wait for approval or have been through it.

        Call it when the sandbox makes no faults.
        """
        login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        self._http.post("/b1/b1s/v1/Login", json=login).raise_for_status()
        decisions = {row["DraftEntry"]: row["Status"] for row in self._rows("ApprovalRequests")}
        return [
            Draft(
                key=str(row["DocEntry"]),
                mark=row.get("U_ISSYN") or "",
                instance=row.get(_INSTANCE[self.system]) or "",
                status=row.get("U_ApprovalStatus") or "",
                decision=decisions.get(row["DocEntry"], ""),
            )
            for row in self._rows("Drafts", filter=f"{_REQUESTS} and DocEntry ne {_SYNCED_BEFORE}")
        ]

    def _rows(self, entity: str, **options: str) -> list[dict[str, Any]]:
        query = {f"${name}": value for name, value in options.items()}
        headers = {"Prefer": f"odata.maxpagesize={_ALL}"}
        answer = self._http.get(f"/b1/b1s/v1/{entity}", params=query, headers=headers)
        answer.raise_for_status()
        found = answer.json()
        assert not [name for name in found if name.endswith("nextLink")]
        rows: list[dict[str, Any]] = found["value"]
        return rows

    # setting up

    def _start(self, *arguments: str, fault: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "runtime.cli", "--var", str(self._folder / "var"), *arguments]
        environment = {**self._environment, VARIABLE: fault} if fault else self._environment
        with self._log_file(arguments[0]).open("ab") as log:
            return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)

    def _output(self, *arguments: str) -> str:
        """What a command prints."""
        process = self._start(*arguments)
        if process.wait(timeout=_START_LIMIT) != 0:
            raise RuntimeError(f"the command failed:\n{self._log(arguments[0])}")
        return self._log_file(arguments[0]).read_text(encoding="utf-8")

    def _await_sandbox(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline and process.poll() is None:
            try:
                self.control("GET", "/health")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the sandbox did not start:\n{self._log('sandbox')}")

    def _save_connections(self, changes: Mapping[str, Any]) -> None:
        documents = demo.connections(self.sandbox)
        documents[_CONNECTION[self.system]] |= {**self._registration(), **changes}
        if source := _SOURCES.get(self._source):
            documents[self._source] = source | {"base_url": source["base_url"].format(sandbox=self.sandbox)}
        for document in documents.values():
            document |= {"rate": 1000, "timeout": _TIMEOUT}
        file = self._folder / "connections.json"
        file.write_text(json.dumps(documents), encoding="utf-8")
        if self._start("connections", "import", str(file)).wait(timeout=_START_LIMIT) != 0:
            raise RuntimeError(f"the connections could not be saved:\n{self._log('connections')}")

    def _registration(self) -> dict[str, Any]:
        """What the connection needs and only the approval system itself can give."""
        return {}

    def _log_file(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _log(self, name: str) -> str:
        return self._log_file(name).read_text(encoding="utf-8", errors="replace")[-2000:]


def _quick_mapping(system: str) -> dict[str, Any]:
    """The demo's mapping with a tick every second, and outcomes in their own words."""
    outcomes = {f"status_{outcome}": outcome for outcome in ("agreed", "refused", "withdrawn")}
    if system == "wecom":
        return _wecom_mapping(outcomes)
    mapping: dict[str, Any] = json.loads(_MAPPING.read_text(encoding="utf-8"))
    mapping["flows"]["submit"]["trigger"]["schedule"] = {"every": "1s"}
    mapping["settings"] |= outcomes
    return mapping


def _read_by_sql(mapping: dict[str, Any], source: str) -> None:
    """Have the submission read by statements, the same columns as before."""
    mapping["connections"]["source"] = source if _SOURCES[source] else demo.B1_CONNECTION
    query, each = mapping["flows"]["submit"]["steps"]
    query["call"] = "source.query"
    query["with"] = {"statement": _HEADER, "lines": {"statement": _LINES}, "page_size": 20}
    form = next(step for step in each["steps"] if step.get("id") == "form")["map"]
    for field in (*form["fields"], *form["tables"], *(one for table in form["tables"] for one in table["fields"])):
        if "from" in field:
            field["from"] = _COLUMNS.get(field["from"], field["from"])


def _wecom_mapping(outcomes: Mapping[str, str]) -> dict[str, Any]:
    made = instantiate(
        load_template(_TEMPLATE),
        id="purchase-request-wecom",
        title="",
        connections={"erp": demo.B1_CONNECTION, "oa": demo.WECOM_CONNECTION},
        settings={"template_id": demo.WECOM_TEMPLATE, "key_field": "草稿单号", "period": "1s", **outcomes},
    )
    mapping: dict[str, Any] = json.loads(dump_mapping(made)) | {"enabled": True}
    form = next(step for step in mapping["flows"]["submit"]["steps"][1]["steps"] if step.get("id") == "form")
    form["map"]["fields"] = [{"to": "申请人", "from": "RequesterName"}, {"to": "草稿单号", "from": "DocEntry"}]
    columns = [{"to": "物料编号", "from": "ItemCode"}, {"to": "数量", "from": "Quantity"}]
    form["map"]["tables"] = [{"to": "物料", "from": "DocumentLines", "fields": columns}]
    return mapping


def _texts(instance: Mapping[str, Any]) -> dict[str, str]:
    """Label → text of an approval, as the control API of its system shows it."""
    if "values" in instance:
        return {value["name"]: value["value"] for value in instance["values"]}
    return {content["title"][0]["text"]: content["value"].get("text", "") for content in instance["contents"]}


def _outcome(status: str, result: str) -> str:
    if status == "TERMINATED":
        return "withdrawn"
    return {"agree": "agreed", "refuse": "refused", "": ""}[result]


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()

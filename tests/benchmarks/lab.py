"""What the benchmarks run on: a sandbox process, a workspace for the runtime, and a command measured to its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from runtime.sandbox import demo

__all__ = [
    "COLUMNS",
    "FORM",
    "HEADER",
    "QUERY",
    "Row",
    "Running",
    "Usage",
    "free_port",
    "measured",
    "print_table",
    "sandbox",
    "workspace",
]

#: A form of 20 header controls and a table of five columns.
FORM = "PROC-BENCH"
HEADER = (
    "DocEntry",
    "DocNum",
    "DocDate",
    "DocDueDate",
    "RequriedDate",
    "Requester",
    "RequesterName",
    "RequesterDepartment",
    "ReqType",
    "Comments",
    "DocTotal",
    "DocumentStatus",
    "AuthorizationStatus",
    "U_PurReqType",
    "U_Origin",
    "U_BaseDocNo",
    "U_ProjectCode",
    "U_IsSubmit",
    "U_UserID",
    "U_BMID",
)
COLUMNS = ("ItemCode", "ItemDescription", "Quantity", "RequiredDate", "FreeText")
#: Which drafts are to be sent, read in pages of 100.
QUERY = {"entity": "Drafts", "filter": "DocObjectCode eq '1470000113' and U_ISSYN eq 'N'", "page_size": 100}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; ``target`` is empty where there is none."""

    name: str
    value: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a command took: seconds on the clock, seconds of CPU, and its largest resident set in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Running:
    """A sandbox that runs: its address and its process."""

    base: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sandbox(folder: Path, *, latency_ms: int) -> Iterator[Running]:
    """A sandbox of its own with :data:`FORM` in it and every call delayed."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "runtime.cli", "--var", str(folder), "sandbox", "--port", str(port)]
    process = subprocess.Popen([*command, "--latency-ms", str(latency_ms)], stdout=subprocess.DEVNULL)
    try:
        _await(f"{base}/control/health", process)
        httpx.put(f"{base}/control/dingtalk/forms/{FORM}", json=_form(), timeout=30).raise_for_status()
        yield Running(base=base, process=psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def workspace(folder: Path, base: str, *, concurrency: int) -> Mapping[str, str]:
    """Connections and mapping for a runtime; returns its environment."""
    mappings = folder / "mappings"
    mappings.mkdir(parents=True, exist_ok=True)
    (mappings / "bench.json").write_text(json.dumps(_mapping(concurrency)), encoding="utf-8")
    documents = demo.connections(base)
    for document in documents.values():
        document["rate"] = 100_000
    (folder / "connections.json").write_text(json.dumps(documents), encoding="utf-8")
    environment = {
        **os.environ, "B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(mappings), "B1_LOG": "error",
    }  # fmt: skip
    measured(["connections", "import", str(folder / "connections.json")], environment)
    return environment


def measured(arguments: Sequence[str], environment: Mapping[str, str], *, module: str = "runtime.cli") -> Usage:
    """Run ``b1-runtime`` (or another ``module``) to its end.

    :raises RuntimeError: it failed; with what it said
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(said.decode(errors="replace"))
    return Usage(wall=wall, cpu=used.ru_utime + used.ru_stime, peak=used.ru_maxrss / 1024)


def print_table(title: str, rows: Sequence[Row]) -> None:
    """The figures, aligned."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title}")
    for row in rows:
        print(f"  {row.name:<{width}}  {row.value:>16}  {row.target}", flush=True)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("the sandbox did not start")
        try:
            httpx.get(url, timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the sandbox did not answer")


def _form() -> dict[str, Any]:
    columns = [{"label": name, "component": "TextField"} for name in COLUMNS]
    controls: list[dict[str, Any]] = [{"label": name, "component": "TextField"} for name in HEADER]
    return {
        "name": "bench",
        "controls": [*controls, {"label": "Lines", "component": "TableField", "children": columns}],
    }


def _mapping(concurrency: int) -> dict[str, Any]:
    rounded = {"Quantity": [{"round": 2}], "RequiredDate": [{"date": "YYYY-MM-DD"}]}
    controls = [{"id": name, "label": name} for name in HEADER]
    columns = [{"id": name, "label": name} for name in COLUMNS]
    table = {"id": "Lines", "label": "Lines", "type": "table", "children": columns}
    fields = [{"to": name, "from": name} for name in HEADER]
    lines = [{"to": name, "from": name, "through": rounded.get(name, [])} for name in COLUMNS]
    form = {
        "from": "{{ draft }}",
        "to": {"connection": "oa", "form": FORM, "controls": [*controls, table]},
        "fields": fields,
        "tables": [{"to": "Lines", "from": "DocumentLines", "fields": lines}],
    }
    create = {
        "form": FORM,
        "values": "{{ form }}",
        "originator": "{{ draft.U_UserID }}",
        "department": "{{ draft.U_BMID }}",
    }
    mark = {"U_ISSYN": "Y", "U_instanceID": "{{ approval.instance_id }}"}
    update = {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": mark}
    each = {
        "each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "concurrency": concurrency,
        "steps": [
            {"id": "form", "map": form},
            {"id": "approval", "call": "oa.create_approval", "with": create},
            {"call": "erp.update", "with": update},
        ],
    }  # fmt: skip
    steps = [{"id": "drafts", "call": "erp.query", "with": QUERY}, each]
    return {
        "format": 1,
        "id": "bench",
        "connections": {"erp": demo.B1_CONNECTION, "oa": demo.DINGTALK_CONNECTION},
        "flows": {"submit": {"trigger": {"manual": {}}, "steps": steps}},
    }

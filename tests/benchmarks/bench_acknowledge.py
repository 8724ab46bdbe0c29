"""How soon a callback is acknowledged: 100 a second while 32 flows send documents, through the real command.

Latency counts from the moment at which a callback was due, not from when it was sent: a runtime that holds the sender
up would otherwise hide its worst answers. Every callback starts a run of an event flow, as a verdict does.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.crypto import Envelope
from tests.benchmarks.lab import Row, free_port, print_table, sandbox, workspace

__all__ = ["main"]

_LATENCY_MS = 20
_FLOWS = 32
_DRAFTS = 9600
_LINES = 2
#: Seconds in which the flows get going before the first callback.
_WARM_UP = 4.0
_EVENT = "bench_event"


def main(rate: int = 100, seconds: int = 20) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sandbox(folder / "sandbox", latency_ms=_LATENCY_MS) as running:
            environment = workspace(folder, running.base, concurrency=1)
            httpx.post(
                f"{running.base}/control/b1/drafts", json={"count": _DRAFTS, "lines": _LINES}, timeout=600
            ).raise_for_status()
            _write_mappings(folder / "mappings", running.base)
            with _serve(environment) as address:
                time.sleep(_WARM_UP)
                before = _sent(running.base)
                latencies = sorted(asyncio.run(_push(address, rate, seconds)))
                sent = _sent(running.base) - before
                if not _left(running.base):
                    raise RuntimeError("the flows ran out of documents before the last callback")
                lag = _event_runs(address)
    quantiles = statistics.quantiles(latencies, n=100)
    print_table(
        f"callbacks acknowledged: {rate} a second for {seconds} s while {_FLOWS} flows run, {_LATENCY_MS} ms a call",
        [
            Row(name="acknowledge latency, p50", value=f"{quantiles[49] * 1000:.0f} ms"),
            Row(name="acknowledge latency, p99", value=f"{quantiles[98] * 1000:.0f} ms", target="at most 100 ms"),
            Row(name="acknowledge latency, max", value=f"{latencies[-1] * 1000:.0f} ms", target="at most 1000 ms"),
            Row(name="documents per second meanwhile", value=f"{sent / seconds:.0f}"),
            Row(name="event flows carried out meanwhile", value=f"{lag}"),
        ],
    )


async def _push(address: str, rate: int, seconds: int) -> list[float]:
    """Send the callbacks, each when it is due; seconds until each was acknowledged."""
    envelope = Envelope(demo.DINGTALK_TOKEN, demo.DINGTALK_AES_KEY, demo.DINGTALK_APP_KEY)
    url = f"{address}/callbacks/{demo.DINGTALK_CONNECTION}"
    sealed = [
        envelope.seal(json.dumps({"EventType": _EVENT, "eventId": f"e{number}"}).encode())
        for number in range(rate * seconds)
    ]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(query: Mapping[str, str], body: Any, due: float) -> float:
            async with session.post(url, params=query, json=body) as response:
                await response.read()
                if response.status != 200:
                    raise RuntimeError(f"a callback was answered {response.status}")
            return time.perf_counter() - due

        tasks = []
        began = time.perf_counter()
        for number, (query, body) in enumerate(sealed):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(send(query, body, due)))
        return await asyncio.gather(*tasks)


def _write_mappings(folder: Path, base: str) -> None:
    """One mapping per flow, each for its own part of the drafts, and one whose flow the callbacks start."""
    template = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    (folder / "bench.json").unlink()
    low, high = _range(base)
    step = -(-(high - low + 1) // _FLOWS)
    for number in range(_FLOWS):
        document = json.loads(json.dumps(template))
        document["id"] = f"bench-{number}"
        flow = document["flows"]["submit"]
        flow["trigger"] = {"schedule": {"every": "1d"}}
        begin = low + number * step
        flow["steps"][0]["with"]["filter"] += f" and DocEntry ge {begin} and DocEntry lt {begin + step}"
        flow["steps"][0]["with"]["page_size"] = 20
        (folder / f"{document['id']}.json").write_text(json.dumps(document), encoding="utf-8")
    trigger = {"event": {"connection": "oa", "type": f"dingtalk.{_EVENT}"}}
    steps = [{"id": "item", "call": "erp.query", "with": {"entity": "Items", "top": 1}}]
    verdict = {**template, "id": "verdict", "flows": {"verdict": {"trigger": trigger, "steps": steps}}}
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")


@contextmanager
def _b1(base: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{base}/b1/b1s/v1", timeout=60) as client:
        login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        client.post("/Login", json=login).raise_for_status()
        yield client


_WAITING = "DocObjectCode eq '1470000113' and U_ISSYN eq 'N'"


def _range(base: str) -> tuple[int, int]:
    with _b1(base) as client:
        ends = []
        for order in ("asc", "desc"):
            query = {"$filter": _WAITING, "$orderby": f"DocEntry {order}", "$top": "1", "$select": "DocEntry"}
            ends.append(int(client.get("/Drafts", params=query).json()["value"][0]["DocEntry"]))
    return ends[0], ends[1]


def _left(base: str) -> int:
    with _b1(base) as client:
        return int(client.get("/Drafts/$count", params={"$filter": _WAITING}).text)


def _sent(base: str) -> int:
    return int(httpx.get(f"{base}/control/dingtalk/instances", params={"limit": 1}, timeout=60).json()["total"])


def _event_runs(address: str) -> int:
    """Runs of the event flow that are over."""
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    wanted = [line for line in lines if line.startswith("b1_runs_total{") and 'flow="verdict"' in line]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in wanted))


@contextmanager
def _serve(environment: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli", "serve", "--port", str(port)], env=dict(environment)
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError("b1-runtime serve did not start")
            try:
                httpx.get(f"{address}/healthz", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Documents per second through the real command at 20 ms a call, against a loop without a ledger, and what both need.

Run one size only: ``python -m tests.benchmarks.bench_runtime 1000``. The simulator runs beside them and takes its share
of the same processors: its CPU is shown, because it bounds what either can reach.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.benchmarks.bare_loop import CONCURRENCY
from tests.benchmarks.lab import Row, Running, Usage, measured, print_table, sandbox, workspace

__all__ = ["main"]

_LATENCY_MS = 20
_LINES = 5


@dataclass(frozen=True, kw_only=True)
class _Result:
    size: int
    usage: Usage
    #: Seconds of CPU that the simulator took meanwhile.
    simulator: float

    @property
    def rate(self) -> float:
        return self.size / self.usage.wall


def main(sizes: tuple[int, ...] = (1000, 5000, 20_000)) -> None:
    """Measure each number of drafts, both ways, with a sandbox and state of its own each, and print the table."""
    rows: list[Row] = []
    peaks: list[float] = []
    for size in sizes:
        bare, runtime = _bare(size), _runtime(size)
        peaks.append(runtime.usage.peak)
        rows += [
            *_rows("bare asyncio + aiohttp", bare),
            *_rows("b1-runtime run", runtime),
            Row(name=f"{size} drafts: ratio of documents per second", value=f"{runtime.rate / bare.rate:.2f}",
                target="at least 0.8"),
            Row(name=f"{size} drafts: CPU per document of b1-runtime",
                value=f"{runtime.usage.cpu / size * 1000:.2f} ms",
                target="at most 2 ms" if size >= 5000 else ""),
            Row(name=f"{size} drafts: peak RSS of b1-runtime", value=f"{runtime.usage.peak:.0f} MiB",
                target="at most 110 MiB"),
        ]  # fmt: skip
    if len(peaks) > 1:
        growth = f"{peaks[-1] / peaks[0]:.2f}"
        rows.append(Row(name=f"peak RSS, {sizes[-1]} against {sizes[0]} drafts", value=growth, target="flat: about 1"))
    title = f"b1-runtime run, {_LATENCY_MS} ms a call, 20 header fields, {_LINES} lines, concurrency {CONCURRENCY}"
    print_table(title, rows)


def _rows(name: str, result: _Result) -> list[Row]:
    size = result.size
    shares = f"{result.usage.cpu / size * 1000:.2f} + {result.simulator / size * 1000:.2f} ms"
    return [
        Row(name=f"{size} drafts, {name}: documents per second", value=f"{result.rate:.0f}"),
        Row(name=f"{size} drafts, {name}: CPU per document, own + simulator", value=shares),
    ]


def _bare(size: int) -> _Result:
    with tempfile.TemporaryDirectory() as name, sandbox(Path(name) / "sandbox", latency_ms=_LATENCY_MS) as running:
        _make_drafts(running, size)
        before = running.cpu()
        usage = measured([running.base], os.environ, module="tests.benchmarks.bare_loop")
        return _result(running, size, usage, before)


def _runtime(size: int) -> _Result:
    with tempfile.TemporaryDirectory() as name, sandbox(Path(name) / "sandbox", latency_ms=_LATENCY_MS) as running:
        environment = workspace(Path(name), running.base, concurrency=CONCURRENCY)
        _make_drafts(running, size)
        before = running.cpu()
        usage = measured(["run", "bench"], environment)
        return _result(running, size, usage, before)


def _make_drafts(running: Running, size: int) -> None:
    drafts = {"count": size, "lines": _LINES}
    httpx.post(f"{running.base}/control/b1/drafts", json=drafts, timeout=600).raise_for_status()


def _result(running: Running, size: int, usage: Usage, before: float) -> _Result:
    simulator = running.cpu() - before
    made = httpx.get(f"{running.base}/control/dingtalk/instances", params={"limit": 1}, timeout=60).json()
    if made["total"] < size:
        raise RuntimeError(f"only {made['total']} of {size} approvals were created")
    return _Result(size=size, usage=usage, simulator=simulator)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or (1000, 5000, 20_000))

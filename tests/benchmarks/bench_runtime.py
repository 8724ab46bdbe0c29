"""Documents per second through the real command at 20 ms a call, and what the command needs.

Run one size only: ``python -m tests.benchmarks.bench_runtime 1000``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import httpx

from tests.benchmarks.lab import Row, Usage, measured, print_table, sandbox, workspace

__all__ = ["main"]

_LATENCY_MS = 20
_CONCURRENCY = 32
_LINES = 5


def main(sizes: tuple[int, ...] = (1000, 20_000)) -> None:
    """Measure each number of drafts with a sandbox and state of its own, and print the table."""
    rows: list[Row] = []
    peaks: list[float] = []
    for size in sizes:
        usage = _measure(size)
        peaks.append(usage.peak)
        rows += [
            Row(name=f"{size} drafts: documents per second", value=f"{size / usage.wall:.0f}"),
            Row(name=f"{size} drafts: CPU per document", value=f"{usage.cpu / size * 1000:.2f} ms"),
            Row(name=f"{size} drafts: peak RSS", value=f"{usage.peak:.0f} MiB"),
        ]
    if len(peaks) > 1:
        growth = f"{peaks[-1] / peaks[0]:.2f}"
        rows.append(Row(name=f"peak RSS, {sizes[-1]} against {sizes[0]} drafts", value=growth, target="flat: about 1"))
    print_table(f"b1-runtime run, {_LATENCY_MS} ms a call, 20 header fields, {_LINES} lines", rows)


def _measure(size: int) -> Usage:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sandbox(folder / "sandbox", latency_ms=_LATENCY_MS) as base:
            environment = workspace(folder, base, concurrency=_CONCURRENCY)
            drafts = {"count": size, "lines": _LINES}
            httpx.post(f"{base}/control/b1/drafts", json=drafts, timeout=600).raise_for_status()
            usage = measured(["run", "bench"], environment)
            made = httpx.get(f"{base}/control/dingtalk/instances", params={"limit": 1}, timeout=60).json()
            if made["total"] < size:
                raise RuntimeError(f"only {made['total']} of {size} approvals were created")
            return usage


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or (1000, 20_000))

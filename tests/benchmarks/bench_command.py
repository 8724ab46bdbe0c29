"""How long ``b1-runtime`` takes to start, and what it holds while it waits."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from tests.benchmarks.lab import Row, free_port, measured, print_table

__all__ = ["main"]

_ROUNDS = 5
#: Seconds after readiness at which the resident set is taken.
_SETTLED = 3


def main() -> None:
    """Measure and print the table."""
    python = statistics.median(_bare_python() for _ in range(_ROUNDS))
    helped = statistics.median(measured(["--help"], os.environ).wall for _ in range(_ROUNDS))
    served, resident = _serve()
    print_table(
        "b1-runtime, start and rest",
        [
            Row(name="python -c pass", value=f"{python:.2f} s"),
            Row(name="b1-runtime --help", value=f"{helped:.2f} s"),
            Row(name="b1-runtime serve, until ready", value=f"{served:.2f} s"),
            Row(name="b1-runtime serve, idle RSS", value=f"{resident:.0f} MiB"),
        ],
    )


def _bare_python() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


def _serve() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mappings").mkdir()
        port = free_port()
        environment = {
            **os.environ, "B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(folder / "mappings"), "B1_LOG": "error",
        }  # fmt: skip
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "runtime.cli", "serve", "--port", str(port)], env=environment)
        try:
            while not _ready(port):
                if process.poll() is not None:
                    raise RuntimeError("b1-runtime serve did not start")
                time.sleep(0.01)
            served = time.perf_counter() - began
            time.sleep(_SETTLED)
            return served, psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.terminate()
            process.wait(timeout=30)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()

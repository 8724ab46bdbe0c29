"""The sandbox as a process: one address, a clear refusal to start, a graceful stop, state that survives."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.errors import CannotStart
from runtime.sandbox import demo
from runtime.sandbox.server import serve

PROGRAM = """
import json, sys
from pathlib import Path
from runtime.sandbox.server import serve
options = json.loads(sys.argv[1])
if options.get("var"):
    options["var"] = Path(options["var"])
serve(port=0, started=lambda address: print(address, flush=True), **options)
print("stopped", flush=True)
"""
APP = {"appKey": demo.DINGTALK_APP_KEY, "appSecret": demo.DINGTALK_APP_SECRET}


@contextlib.contextmanager
def sandbox_process(options: str = "{}") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A sandbox in a process of its own; yields its address once it answers."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> str:
    """Asks it to stop and returns what it said last."""
    process.send_signal(how)
    said, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    return said.strip()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_on_a_signal(how: signal.Signals) -> None:
    with sandbox_process() as (address, process):
        assert httpx.get(f"{address}/control/health", trust_env=False, timeout=30).json() == {"ok": True}
        assert stop(process, how) == "stopped"


def test_state_survives_a_restart_unless_fresh(tmp_path: Path, start_body: Any) -> None:
    options = f'{{"var": "{tmp_path}"}}'
    with (
        sandbox_process(options) as (address, process),
        httpx.Client(base_url=address, trust_env=False, timeout=30) as client,
    ):
        token = client.post("/dingtalk/v1.0/oauth2/accessToken", json=APP).json()["accessToken"]
        headers = {"x-acs-dingtalk-access-token": token}
        client.post("/dingtalk/v1.0/workflow/processInstances", json=start_body(), headers=headers)
        stop(process)
    with sandbox_process(options) as (address, process):
        assert httpx.get(f"{address}/control/dingtalk/instances", trust_env=False, timeout=30).json()["total"] == 1
        stop(process)
    with sandbox_process(f'{{"var": "{tmp_path}", "fresh": true}}') as (address, process):
        assert httpx.get(f"{address}/control/dingtalk/instances", trust_env=False, timeout=30).json()["total"] == 0
        stop(process)


def test_options_reach_the_application() -> None:
    options = '{"latency_ms": 1, "faults": ["reset_after=0.25"], "seed": 7, "callback_url": "http://127.0.0.1:9/x"}'
    with sandbox_process(options) as (address, process):
        settings = httpx.get(f"{address}/control/faults", trust_env=False, timeout=30).json()["settings"]
        assert (settings["latency_ms"], settings["rates"], settings["seed"]) == (1, {"reset_after": 0.25}, 7)
        callback = httpx.get(f"{address}/control/dingtalk/callback", trust_env=False, timeout=30).json()
        assert (callback["url"], callback["verified"]) == ("http://127.0.0.1:9/x", False)
        stop(process)


def refusal(**options: Any) -> CannotStart:
    with pytest.raises(CannotStart) as caught:
        serve(**options)
    assert caught.value.zh
    assert caught.value.en
    return caught.value


def test_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refusal(port=port).where
    refusal(port=70_000)


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "192.168.1.5"])
def test_other_than_loopback_addresses(host: str) -> None:
    assert refusal(host=host, port=0).where == host


def test_unknown_fault() -> None:
    assert "reset_after" in refusal(port=0, faults=["nonsense=0.1"]).en
    refusal(port=0, latency_ms=-1.0)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refusal(port=0, var=tmp_path / "file" / "var")


def test_folder_of_another_sandbox(tmp_path: Path) -> None:
    with sandbox_process(f'{{"var": "{tmp_path}"}}') as (_, process):
        assert "另一个沙箱" in refusal(port=0, var=tmp_path).zh
        stop(process)

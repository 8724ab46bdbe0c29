"""Starting, refusing to start, and stopping, with the real commands and real signals."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.acceptance]


def one_sentence_in_two_languages(stderr: str) -> bool:
    """Chinese and English, and no traceback."""
    return "✗" in stderr and "Traceback" not in stderr and any("\u4e00" <= letter <= "\u9fff" for letter in stderr)


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder in which nothing can be made, also not by root."""
    if os.geteuid() == 0:
        return Path("/proc/b1-runtime-test")
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    return folder / "var"


def test_a_second_runtime_on_the_same_state_is_refused(desk: Any) -> None:
    first = desk.serve()
    address = first.address()
    second = desk.command("serve", "--port", "0")
    assert second.returncode == 2
    assert one_sentence_in_two_languages(second.stderr)
    assert "Another runtime works on this state" in second.stderr
    assert str(first.popen.pid) in second.stderr
    with httpx.Client(trust_env=False, timeout=30) as http:
        assert http.get(f"{address}/healthz").status_code == 200


def test_a_port_in_use_is_named(desk: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = desk.command("serve", "--port", port)
    assert refused.returncode == 2
    assert one_sentence_in_two_languages(refused.stderr)
    assert port in refused.stderr
    # The state is free again: the refusal left nothing behind.
    assert desk.serve().address()


def test_a_state_folder_that_cannot_be_written_is_named(desk: Any, unwritable: Path) -> None:
    refused = desk.command("serve", "--port", "0", "--var", str(unwritable))
    assert refused.returncode == 2
    assert one_sentence_in_two_languages(refused.stderr)
    assert str(unwritable) in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(desk: Any, number: int) -> None:
    process = desk.serve()
    process.address()
    assert process.stop(number) == 0
    assert "runtime stopped" in process.output
    assert "Traceback" not in process.output
    again = desk.serve()
    assert again.address()


def test_a_missing_folder_of_mappings_is_taken_up_once_it_exists(desk: Any, eventually: Any) -> None:
    desk.mappings.rmdir()
    process = desk.serve()
    address = process.address()
    desk.mappings.mkdir()
    desk.save({"format": 1, "id": "late", "flows": {"x": {"trigger": {"manual": {}}, "steps": [{"stop": "done"}]}}})
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        eventually(lambda: "late" in http.get("/readyz").json()["mappings"], what="the mapping is taken up")


def test_listening_beyond_this_machine_is_warned_about(desk: Any, eventually: Any) -> None:
    process = desk.serve("--host", "0.0.0.0")
    eventually(lambda: "put a TLS proxy in front" in process.output, what="the warning")
    eventually(lambda: "B1_PUBLIC_URL is not set" in process.output, what="the other warning")
    assert process.stop() == 0


def test_logs_can_be_json(desk: Any) -> None:
    env = {**os.environ, "B1_LOG": "chatty"}
    refused = desk.command("serve", "--port", "0", env=env)
    assert refused.returncode == 2
    assert "B1_LOG" in refused.stderr

"""``b1-studio`` says in one sentence what stands in its way."""

from __future__ import annotations

import importlib.util
import socket

import pytest

from studio import launcher


def test_a_taken_port_is_one_clear_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert launcher.main(["--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert f"端口 {port} 无法使用" in said
    assert f"Port {port} cannot be used" in said
    assert "Traceback" not in said


def test_a_missing_extra_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], free_port: int
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert launcher.main(["--port", str(free_port)]) == 1
    assert "b1-integration-studio[studio]" in capsys.readouterr().err


def test_it_listens_on_this_machine_only_and_reports_nothing_home() -> None:
    flags = launcher._flags(8501)
    assert "--server.address=127.0.0.1" in flags
    assert "--browser.gatherUsageStats=false" in flags
    assert "--server.headless=true" in flags

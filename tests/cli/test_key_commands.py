"""The vault's key on the command line: a new one, a lost one, a wrong one, one that everybody can read."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault

B1 = {
    "kind": "b1.service_layer", "base_url": "http://127.0.0.1:9/b1", "company": "C", "user": "u", "password": "geheim",
    "retries": 0,
}  # fmt: skip


class Desk:
    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.key = self.var / "secret.key"
        self.environment = {**os.environ, "B1_VAR": str(self.var), "B1_MAPPINGS": str(folder / "mappings")}

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runtime.cli", *arguments], capture_output=True, text=True, encoding="utf-8",
            env={**self.environment, **environment}, timeout=60, check=False,
        )  # fmt: skip

    def stored(self, key: str = "") -> dict[str, Any]:
        database = Database.open(f"sqlite:///{self.var / 'state.db'}")
        try:
            return ConnectionStore(database, Vault(self.key, key)).document("b1")
        finally:
            database.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    (tmp_path / "mappings").mkdir()
    desk.var.mkdir()
    (tmp_path / "connections.json").write_text(json.dumps({"b1": B1}))
    return desk


@pytest.fixture
def filled(desk: Desk, tmp_path: Path) -> Desk:
    done = desk("connections", "import", str(tmp_path / "connections.json"))
    assert done.returncode == 0, done.stderr
    return desk


def assert_one_clear_message(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("✗ ")
    assert len(done.stderr.strip().splitlines()) == 2, done.stderr
    for word in words:
        assert word in done.stderr


def test_the_key_is_rotated_and_everything_still_opens(filled: Desk) -> None:
    old = filled.key.read_bytes()
    done = filled("connections", "rotate-key")
    assert done.returncode == 0, done.stderr
    assert "✓" in done.stderr
    assert filled.key.read_bytes() != old
    assert filled.key.read_text().strip() not in done.stdout + done.stderr
    assert filled.stored() == B1


def test_a_lost_key_says_what_to_do(filled: Desk) -> None:
    filled.key.unlink()
    for arguments in (("connections", "test", "b1"), ("connections", "rotate-key")):
        assert_one_clear_message(filled(*arguments), "secret.key", "恢复密钥文件", "Restore the key file")
    assert filled("connections", "list").returncode == 0


def test_another_key_says_what_to_do(filled: Desk) -> None:
    filled.key.write_bytes(base64.b64encode(os.urandom(32)))
    assert_one_clear_message(filled("connections", "test", "b1"), "secret.key", "恢复密钥文件")
    before = filled.key.read_bytes()
    assert_one_clear_message(filled("connections", "rotate-key"), "b1")
    assert filled.key.read_bytes().strip() == before


def test_a_key_that_everybody_can_read_is_not_used(filled: Desk) -> None:
    filled.key.chmod(0o644)
    refused = filled("connections", "test", "b1")
    assert_one_clear_message(refused, "chmod 600", "0644")
    assert "恢复密钥文件" not in refused.stderr
    filled.key.chmod(0o600)
    assert filled.stored() == B1


def test_the_key_may_come_from_the_environment(desk: Desk, tmp_path: Path) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    file = str(tmp_path / "connections.json")
    assert desk("connections", "import", file, B1_SECRET_KEY=old).returncode == 0
    assert not desk.key.exists()
    refused = desk("connections", "rotate-key", B1_SECRET_KEY=old)
    assert_one_clear_message(refused, "openssl rand -base64 32")
    assert "恢复密钥文件" not in refused.stderr
    assert desk("connections", "rotate-key", B1_SECRET_KEY=f"{new},{old}").returncode == 0
    assert desk.stored(new) == B1
    assert_one_clear_message(desk("connections", "test", "b1", B1_SECRET_KEY=old), "B1_SECRET_KEY")
    assert not desk.key.exists()


def test_serve_says_at_its_start_that_the_key_is_lost(filled: Desk) -> None:
    filled.key.unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli", "serve", "--port", "0"], env=filled.environment, text=True,
        encoding="utf-8", stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = ""
        while "is ready" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        assert "secret.key" in said
        assert "Restore the key file" in said
        assert "Traceback" not in said
    finally:
        process.terminate()
        process.communicate(timeout=30)

"""Secrets at rest: sealed, bound to their place, and clear words when the key is gone."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from runtime.errors import SecretsLocked
from runtime.store.vault import Vault

SECRET = {"password": "密码 p@ss"}


def test_what_is_sealed_can_be_opened_and_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secret.key"
    sealed = Vault(file).seal(SECRET, context="b1-demo")
    assert b"p@ss" not in sealed
    assert Vault(file).open(sealed, context="b1-demo") == SECRET
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_the_same_secret_never_looks_the_same(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secret.key")
    assert vault.seal(SECRET) != vault.seal(SECRET)


@pytest.mark.parametrize("position", [0, 1, 20, -1])
def test_a_changed_byte_is_found(tmp_path: Path, position: int) -> None:
    vault = Vault(tmp_path / "secret.key")
    sealed = bytearray(vault.seal(SECRET))
    sealed[position] ^= 1
    with pytest.raises(SecretsLocked):
        vault.open(bytes(sealed))


def test_a_blob_cannot_be_moved_to_another_connection(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secret.key")
    with pytest.raises(SecretsLocked):
        vault.open(vault.seal(SECRET, context="harmless"), context="b1-production")


def test_a_lost_or_wrong_key_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    sealed = Vault(file).seal(SECRET)
    file.unlink()
    with pytest.raises(SecretsLocked) as caught:
        Vault(file).open(sealed)
    assert "secret.key" in str(caught.value)
    assert not file.exists(), "opening must not make a new key"
    Vault(file).seal(SECRET)
    with pytest.raises(SecretsLocked):
        Vault(file).open(sealed)


@pytest.mark.parametrize("key", ["short", base64.b64encode(b"x" * 16).decode(), "不是"])
def test_a_key_from_the_environment_must_be_one(tmp_path: Path, key: str) -> None:
    with pytest.raises(SecretsLocked, match="B1_SECRET_KEY"):
        Vault(tmp_path / "unused", key).seal(SECRET)
    assert not (tmp_path / "unused").exists()


def test_a_key_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    sealed = Vault(tmp_path / "unused", key).seal(SECRET)
    assert Vault(tmp_path / "other", key).open(sealed) == SECRET
    assert list(tmp_path.iterdir()) == []

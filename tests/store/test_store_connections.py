"""Stored connections: secrets sealed and never listed, kept when left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.errors import BadConnection, SecretsLocked
from runtime.store.connections import ConnectionStore
from runtime.store.vault import Vault

B1 = {
    "kind": "b1.service_layer",
    "base_url": "http://127.0.0.1:1/b1",
    "company": "SBODEMOCN",
    "user": "manager",
    "password": "very-secret",
}


@pytest.fixture
def store(sqlite_db, tmp_path: Path) -> ConnectionStore:
    return ConnectionStore(sqlite_db, Vault(tmp_path / "secret.key"))


def test_a_document_comes_back_and_its_secret_is_nowhere_else(store, tmp_path: Path) -> None:
    store.save("b1", B1)
    assert store.document("b1") == B1
    [info] = store.list()
    assert (info.name, info.kind, info.secret_names) == ("b1", "b1.service_layer", ("password",))
    assert "password" not in info.settings
    assert "very-secret" not in repr(info)
    for file in tmp_path.iterdir():
        assert b"very-secret" not in file.read_bytes()


def test_a_secret_left_out_is_kept_and_an_empty_one_removed(store) -> None:
    store.save("b1", B1)
    store.save("b1", {**{key: value for key, value in B1.items() if key != "password"}, "user": "other"})
    assert store.document("b1") == {**B1, "user": "other"}
    store.save("b1", {**B1, "password": ""})
    assert "password" not in store.document("b1")
    assert store.list()[0].secret_names == ()


def test_a_reference_to_the_environment_is_no_secret(store) -> None:
    store.save("b1", {**B1, "password": {"env": "B1_PASSWORD"}})
    [info] = store.list()
    assert info.settings["password"] == {"env": "B1_PASSWORD"}
    assert store.document("b1")["password"] == {"env": "B1_PASSWORD"}
    store.save("b1", B1)
    assert store.document("b1") == B1


def test_with_a_lost_key_everything_can_be_entered_anew(store, tmp_path: Path) -> None:
    store.save("b1", B1)
    (tmp_path / "secret.key").unlink()
    fresh = ConnectionStore(store._db, Vault(tmp_path / "secret.key"))
    with pytest.raises(SecretsLocked):
        fresh.document("b1")
    assert fresh.list()[0].name == "b1"
    fresh.save("b1", {**B1, "password": "again"})
    assert fresh.document("b1")["password"] == "again"


def test_every_save_is_another_version(store) -> None:
    store.save("b1", B1)
    first = store.versioned("b1")[1]
    store.save("b1", B1)
    assert store.versioned("b1")[1] != first


def test_unknown_names_and_kinds_are_refused(store) -> None:
    with pytest.raises(BadConnection):
        store.document("nowhere")
    with pytest.raises(BadConnection):
        store.save("x", {"kind": "no.such.kind"})
    with pytest.raises(BadConnection):
        store.save("", B1)
    assert store.names() == []


def test_a_file_is_taken_in_whole_or_not_at_all(store, tmp_path: Path) -> None:
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"one": B1, "two": B1}))
    assert store.import_file(file) == ["one", "two"]
    assert store.names() == ["one", "two"]
    store.delete("one")
    misspelt = {"three": {**B1, "pasword": "x"}}
    for broken in (json.dumps(misspelt), '{"three": {"kind": "b1.service_layer"}, "four": {}}', "[]", "{", '{"x": 1}'):
        file.write_text(broken)
        with pytest.raises(BadConnection):
            store.import_file(file)
    with pytest.raises(BadConnection):
        store.import_file(tmp_path / "missing.json")
    assert store.names() == ["two"]

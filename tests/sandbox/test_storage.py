"""The simulators' storage: what is written is found again, in memory and on disk."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CannotStart
from runtime.sandbox.storage import Storage

SCALAR = st.one_of(st.integers(-(2**53), 2**53), st.text())
KEYS = st.one_of(SCALAR, st.tuples(SCALAR, SCALAR))


@given(st.dictionaries(KEYS, st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), SCALAR))))
def test_keys_and_values_come_back_as_they_were(items: dict[Any, Any]) -> None:
    with Storage() as storage:
        for key, value in items.items():
            storage.put("things", key, value)
        assert storage.load("things") == items
        assert storage.load("others") == {}


def test_a_reopened_file_holds_the_last_state(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "sandbox.db"
    with Storage(path) as storage:
        storage.put("a", 1, {"amount": Decimal("10.0")})
        storage.put("a", 1, {"amount": Decimal("10.10")})
        storage.put("a", 2, "gone")
        storage.delete("a", 2)
        storage.delete("a", 3)
        storage.put("b", ("x", 2), [])
    with Storage(path) as storage:
        assert str(storage.load("a")[1]["amount"]) == "10.10"
        assert storage.load("a").keys() == {1}
        assert storage.load("b") == {("x", 2): []}
        storage.clear()
    with Storage(path) as storage:
        assert storage.load("a") == {}


def test_flushed_changes_are_on_disk_before_closing(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    with Storage(path) as storage:
        storage.put("a", "k", 1)
        storage.flush()
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM rows").fetchone() == (1,)
        other.close()


def test_closing_twice_is_harmless_and_using_it_after_is_not(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "sandbox.db")
    storage.close()
    storage.close()
    with pytest.raises(ValueError, match="closed"):
        storage.put("a", 1, 1)


def test_an_unusable_path_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart) as raised:
        Storage(tmp_path / "file" / "sandbox.db")
    assert "sandbox.db" in raised.value.where
    (tmp_path / "garbage.db").write_bytes(b"not a database" * 100)
    with pytest.raises(CannotStart):
        Storage(tmp_path / "garbage.db")

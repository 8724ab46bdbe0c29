"""State databases, opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.store.database import Database


@pytest.fixture
def url(state_url: str) -> str:
    """Address of an empty state database."""
    return state_url


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    database = Database.open(url)
    yield database
    database.close()


@pytest.fixture
def sqlite_db(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield database
    database.close()

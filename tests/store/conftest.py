"""State databases: a SQLite file, and where a server is to be had, one of its own on PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from runtime.store.database import Database


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database made for this session: on ``B1_TEST_POSTGRES``, else on the local server if it lets us in."""
    server = make_url(os.environ.get("B1_TEST_POSTGRES") or "postgresql+psycopg:///postgres")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"b1_test_{secrets.token_hex(4)}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        admin.dispose()
        pytest.skip(f"no PostgreSQL to test on ({str(error).splitlines()[0]}); set B1_TEST_POSTGRES")
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a state database, empty on SQLite, shared by the session on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    shared: str = request.getfixturevalue("postgres_url")
    return shared


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

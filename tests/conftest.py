"""What all tests share: addresses on loopback, state databases of both kinds, and the rule that CI skips nothing."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tests.postgres import PostgresServer

# The machine that runs the tests may be busy: a slow example is no failure.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of ``B1_TEST_POSTGRES``, else the local one; tests are skipped where there is none."""
    try:
        server = PostgresServer.connected()
    except SQLAlchemyError as error:
        pytest.skip(f"no PostgreSQL to test on ({str(error).splitlines()[0]}); set B1_TEST_POSTGRES")
    yield server
    server.close()


class MariaServer:
    """Makes databases of its own on a MariaDB server."""

    def __init__(self, admin: Engine) -> None:
        self._admin = admin
        self._prefix = f"b1_test_{secrets.token_hex(4)}"
        self._made = 0

    def empty_database(self) -> str:
        """URL of a new database with nothing in it."""
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        with self._admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
        return self._admin.url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {make_url(url).database}"))

    def close(self) -> None:
        self._admin.dispose()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaServer]:
    """The MariaDB server of ``B1_TEST_MARIADB``, else the local one; tests are skipped where there is none."""
    address = os.environ.get("B1_TEST_MARIADB") or "mariadb+pymysql://root@127.0.0.1:3306/"
    admin = create_engine(make_url(address), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        admin.connect().close()
    except SQLAlchemyError as error:
        admin.dispose()
        pytest.skip(f"no MariaDB to test on ({str(error).splitlines()[0]}); set B1_TEST_MARIADB")
    server = MariaServer(admin)
    yield server
    server.close()


@pytest.fixture
def new_postgres_state(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes empty state databases on PostgreSQL; they are gone after the test."""
    with ExitStack() as made:

        def make() -> str:
            # Asked for here, so that tests that make none need no server.
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.new_database()
            made.callback(server.put_back, url)
            return url

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def new_state(
    request: pytest.FixtureRequest, tmp_path: Path, new_postgres_state: Callable[[], str]
) -> Callable[[], str]:
    """Makes empty state databases, on SQLite and then on PostgreSQL; returns their URLs."""
    if request.param == "postgresql":
        return new_postgres_state
    made: list[str] = []

    def make() -> str:
        made.append(f"sqlite:///{tmp_path / f'state{len(made) or str()}.db'}")
        return made[-1]

    return make


@pytest.fixture
def state_url(new_state: Callable[[], str]) -> str:
    """URL of an empty state database, on SQLite and then on PostgreSQL."""
    return new_state()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several workers share the tests, a module stays with one; so do all that drive a browser.

    Two browsers at a time slow each other down until pages miss what is typed into them.
    """
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))

    return OneBrowser(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``B1_TEST_NO_SKIPS`` a skipped test fails the session: CI installs what the tests need."""
    if not os.environ.get("B1_TEST_NO_SKIPS"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

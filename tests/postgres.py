"""State databases on PostgreSQL, for tests and campaigns."""

from __future__ import annotations

import os
import secrets
from typing import Self

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from runtime.store.database import Database
from runtime.store.tables import REVISION, metadata

__all__ = ["PostgresServer"]


class PostgresServer:
    """Makes databases of its own on a server, each with the tables in it and nothing else.

    To make and drop one takes a second on a busy machine, to empty one a tenth of that: whoever puts one back saves
    the next one the time.
    """

    @classmethod
    def connected(cls) -> Self:
        """The server of ``B1_TEST_POSTGRES``, else the local one.

        :raises SQLAlchemyError: it does not answer
        """
        address = os.environ.get("B1_TEST_POSTGRES") or "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
        admin = create_engine(make_url(address), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
        try:
            admin.connect().close()
        except SQLAlchemyError:
            admin.dispose()
            raise
        return cls(admin)

    def __init__(self, admin: Engine) -> None:
        self._admin = admin
        self._prefix = f"b1_test_{secrets.token_hex(4)}"
        self._made = 0
        self._template = ""
        self._free: list[str] = []

    def new_database(self) -> str:
        """URL of an empty state database."""
        if self._free:
            return self._free.pop()
        if not self._template:
            # Copied ever after: that is many times quicker than carrying out the migrations again.
            self._template = self._create()
            Database.open(self._url(self._template)).close()
        return self._url(self._create(self._template))

    def empty_database(self) -> str:
        """URL of a new database with nothing in it."""
        return self._url(self._create())

    def put_back(self, url: str) -> None:
        """A state database that is not needed any more."""
        try:
            self.empty(url)
        except (SQLAlchemyError, LookupError):
            self.drop(url)
        else:
            self._free.append(url)

    def empty(self, url: str) -> None:
        """Remove everything from a state database but its tables, whoever is still connected to it.

        :raises LookupError: its tables are not those of this version
        """
        name = make_url(url).database
        self._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        engine = create_engine(make_url(url), poolclass=NullPool)
        with engine.begin() as connection:
            found = set(inspect(connection).get_table_names()) - {"alembic_version"}
            if found != set(metadata.tables):
                raise LookupError(name)
            if connection.scalar(text("SELECT version_num FROM alembic_version")) != REVISION:
                raise LookupError(name)
            connection.execute(text(f"TRUNCATE {', '.join(sorted(found))} RESTART IDENTITY"))

    def drop(self, url: str) -> None:
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        for url in self._free:
            self.drop(url)
        if self._template:
            self.drop(self._url(self._template))
        self._admin.dispose()

    def _create(self, template: str = "template1") -> str:
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def _url(self, name: str) -> str:
        return self._admin.url.set(database=name).render_as_string(hide_password=False)

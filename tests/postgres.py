"""State databases on PostgreSQL, for tests and campaigns."""

from __future__ import annotations

import os
import secrets
from typing import Self

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from runtime.store.database import Database

__all__ = ["PostgresServer"]


class PostgresServer:
    """Makes databases of its own on a server, each with the tables in it and nothing else."""

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

    def new_database(self) -> str:
        """URL of a new, empty state database."""
        if not self._template:
            # Copied ever after: that is many times quicker than carrying out the migrations again.
            self._template = self._create()
            Database.open(self._url(self._template)).close()
        return self._url(self._create(self._template))

    def empty_database(self) -> str:
        """URL of a new database with nothing in it."""
        return self._url(self._create())

    def drop(self, url: str) -> None:
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
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

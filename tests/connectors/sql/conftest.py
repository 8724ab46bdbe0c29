"""Drafts with lines on real databases of three kinds, and connections of kind ``sql`` to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Column, Date, Engine, Integer, MetaData, Numeric, String, Table, create_engine, text
from sqlalchemy.engine import make_url

from runtime.connectors.sql.connector import SqlConnector
from runtime.connectors.sql.settings import SqlSettings

TABLES = MetaData()
Table(
    "ODRF",
    TABLES,
    Column("DocEntry", Integer),
    Column("CardCode", String(50)),
    Column("DocDate", Date),
    Column("DocTotal", Numeric(19, 6)),
    Column("U_ISSYN", String(1)),
)
Table(
    "DRF1",
    TABLES,
    Column("DocEntry", Integer),
    Column("LineNum", Integer),
    Column("CardCode", String(50)),
    Column("ItemCode", String(50)),
    Column("Quantity", Numeric(19, 6)),
)


@dataclass
class Company:
    """One database: written here by its owner, read by the connector."""

    kind: str
    url: str
    engine: Engine

    def fill(self, count: int, *, lines: int = 2) -> None:
        """Drafts 1 … count, not yet submitted; line numbers go backwards."""
        drafts = [
            {
                "DocEntry": number,
                "CardCode": f"C{number:05}",
                "DocDate": date(2026, 1, 1 + number % 28),
                "DocTotal": Decimal(number) / 8,
                "U_ISSYN": "N",
            }
            for number in range(1, count + 1)
        ]
        rows = [
            {
                "DocEntry": draft["DocEntry"],
                "LineNum": line,
                "CardCode": draft["CardCode"],
                "ItemCode": f"物料'{line}",
                "Quantity": Decimal("2.5"),
            }
            for draft in drafts
            for line in reversed(range(lines))
        ]
        self.insert("ODRF", drafts)
        self.insert("DRF1", rows)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            with self.engine.begin() as connection:
                connection.execute(TABLES.tables[table].insert(), list(rows))

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return len(connection.execute(TABLES.tables[table].select()).all())

    def sql(self, statement: str) -> str:
        """A statement with names in double quotes, as this database writes them."""
        return statement.replace('"', "`") if self.kind == "mariadb" else statement

    @property
    def endless(self) -> str:
        """A query that does not end by itself."""
        return {
            "sqlite": "with recursive c(n) as (select 1 union all select n + 1 from c) "
            'select max(n) as "DocEntry" from c',
            "postgresql": 'select count(*) as "DocEntry" from generate_series(1, 10000000) as a, '
            "generate_series(1, 10000000) as b",
            "mariadb": "select benchmark(1000000000000, md5('x')) as `DocEntry`",
        }[self.kind]

    @property
    def ten_million(self) -> str:
        """A query that yields ten million rows."""
        return {
            "sqlite": "with recursive c(n) as (select 1 union all select n + 1 from c where n < 10000000) "
            'select n as "DocEntry" from c',
            "postgresql": 'select g as "DocEntry" from generate_series(1, 10000000) as g',
            "mariadb": "select seq as `DocEntry` from seq_1_to_10000000",
        }[self.kind]


@pytest.fixture(scope="session", params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """An empty database of each kind; gone after the tests."""
    kind = request.param
    server = None
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('company') / 'company.db'}"
    else:
        server = request.getfixturevalue("postgres_server" if kind == "postgresql" else "mariadb_server")
        url = server.empty_database()
    engine = create_engine(url)
    yield Company(kind, url, engine)
    engine.dispose()
    if server is not None:
        server.drop(url)


@pytest.fixture
def company(database: Company) -> Iterator[Company]:
    """A company's database with empty tables and nothing else."""
    TABLES.create_all(database.engine)
    yield database
    for extra in ('VIEW IF EXISTS "OPEN"', *(["PROCEDURE IF EXISTS harmless", "PROCEDURE IF EXISTS harmful"]
                                           if database.kind == "mariadb" else [])):  # fmt: skip
        database.execute(database.sql(f"DROP {extra}"))
    TABLES.drop_all(database.engine)


Connect = Callable[..., SqlConnector]


@pytest_asyncio.fixture
async def connect(company: Company) -> AsyncIterator[Connect]:
    """``connect(**settings)`` opens a connection to the company."""
    opened: list[SqlConnector] = []

    def open_one(**settings: Any) -> SqlConnector:
        url = make_url(company.url)
        chosen = {
            "url": url._replace(username=None, password=None).render_as_string(),
            "user": url.username or "",
            "password": url.password or "",
            "timeout": 20,
        }
        opened.append(SqlConnector("erp", SqlSettings.model_validate(chosen | settings)))
        return opened[-1]

    yield open_one
    for connection in opened:
        await connection.aclose()


async def call(connection: SqlConnector, name: str, /, **params: Any) -> Any:
    """Run an action as the engine does; a stream comes back as a list."""
    action = connection.actions[name]
    result = await action.run(action.params.model_validate(params))
    return [row async for row in result] if action.streams else result


@pytest.fixture(name="call")
def _call() -> Callable[..., Any]:
    return call

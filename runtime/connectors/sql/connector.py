"""The database connection: settings, test, actions, catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.engine import make_url

from runtime.connectors.actions import Action
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.catalog import Catalog
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.sql.catalog import SqlCatalog
from runtime.connectors.sql.client import Database
from runtime.connectors.sql.settings import SqlSettings
from runtime.connectors.sql.trial import try_connection
from runtime.connectors.statements.reading import StatementReading

__all__ = ["SqlConnector"]


class SqlConnector(Connector[SqlSettings]):
    """One database, read by SQL."""

    kind: ClassVar[str] = "sql"
    title_zh: ClassVar[str] = "数据库（SQL）"
    title_en: ClassVar[str] = "Database (SQL)"
    settings_model: ClassVar[type[ConnectorSettings]] = SqlSettings
    over_http: ClassVar[bool] = False

    def __init__(self, name: str, settings: SqlSettings) -> None:
        self._database = Database(name, settings)
        self._catalog = SqlCatalog(self._database)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Reading only."""
        settings = self._database.settings
        reading = StatementReading(
            self.name, settings.dialect, settings.procedures, self._database.execute, whole_pages=True
        )
        return reading.actions()

    async def test(self) -> TestReport:
        """Connect, read the version, and count what there is to read.

        :raises BadConnection: the driver is missing, or the URL is wrong
        :raises LoginRefused: user or password are wrong
        :raises Unreachable: nobody answers there
        """
        return await try_connection(self._database, self._catalog)

    @property
    def identity(self) -> str:
        """The schema, else the database."""
        return self.settings.db_schema or make_url(self.settings.url).database or ""

    @property
    def dialect(self) -> str:
        """That of its database."""
        return self.settings.dialect.name

    def catalog(self) -> Catalog:
        """Tables, views and their columns."""
        return self._catalog

    async def aclose(self) -> None:
        """Close the connections."""
        await self._database.aclose()

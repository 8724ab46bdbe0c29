"""The DI gateway connection: settings, test, actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runtime.connectors.actions import Action
from runtime.connectors.b1_di_api.client import DiGateway
from runtime.connectors.b1_di_api.settings import DiSettings
from runtime.connectors.b1_di_api.trial import try_connection
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.statements.reading import StatementReading

__all__ = ["DiApiConnector"]


class DiApiConnector(Connector[DiSettings]):
    """One company of SAP Business One, read by SQL over its DI gateway."""

    kind: ClassVar[str] = "b1.di_api"
    title_zh: ClassVar[str] = "SAP Business One（DI 网关 SQL）"
    title_en: ClassVar[str] = "SAP Business One (DI gateway, SQL)"
    settings_model: ClassVar[type[ConnectorSettings]] = DiSettings

    def __init__(self, name: str, settings: DiSettings) -> None:
        self._gateway = DiGateway(name, settings)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Reading only. How many rows the gateway gives at most is unknown, so no answer is taken for whole."""
        settings = self._gateway.settings
        reading = StatementReading(
            self.name, settings.dialect, settings.procedures, self._gateway.execute, whole_pages=False
        )
        return reading.actions()

    async def test(self) -> TestReport:
        """Log in and run one statement.

        :raises BadConnection: no gateway at the address, or its certificate is not trusted
        :raises LoginRefused: company, user or password are wrong
        :raises Unreachable: nobody answers there
        """
        return await try_connection(self._gateway)

    @property
    def identity(self) -> str:
        """The company's data base."""
        return self._gateway.settings.company.upper()

    @property
    def dialect(self) -> str:
        """That of its database."""
        return self.settings.dialect.name

    async def aclose(self) -> None:
        """Close the connections."""
        await self._gateway.aclose()

"""HTTP to the gateway: its own login and cookies, and statements whose answers have been checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from runtime.connectors.actions import Effect
from runtime.connectors.b1_di_api.answers import DiLogin, RowsAnswer, is_dead
from runtime.connectors.b1_di_api.settings import DiSettings
from runtime.connectors.b1_service_layer.session import Login, LoginOnly, Session, cookies_of
from runtime.connectors.http import HttpClient
from runtime.connectors.statements.binding import literal_text
from runtime.connectors.statements.dialects import SqlDialect
from runtime.errors import IntegrationError, LoginRefused

__all__ = ["DiGateway"]


class DiGateway:
    """Requests to one gateway, sent with its session. Create it inside a running event loop."""

    def __init__(self, name: str, settings: DiSettings) -> None:
        self.name = name
        self.settings = settings
        self.session = Session(self.log_in, is_dead=is_dead)
        self._http = HttpClient(name, settings, auth=self.session)

    async def log_in(self) -> Login:
        """One login, without the session.

        :raises LoginRefused: wrong company, user or password, or an answer without cookies
        """
        settings = self.settings
        answer = DiLogin()
        body = {
            "CompanyDB": settings.company,
            "UserName": settings.user,
            "Password": settings.password.get_secret_value(),
            "Language": settings.language,
        }
        url = f"{settings.base_url}/{settings.login_path}"
        await self._http.send("POST", url, effect=Effect.UPDATE, check=answer, body=body, auth=LoginOnly())
        data = answer.data if isinstance(answer.data, dict) else {}
        cookies = cookies_of(answer.response, "")
        if not cookies:
            raise LoginRefused(
                "登录的答复中没有会话 Cookie，此地址可能不是 DI 网关",
                "The login's answer carries no session cookie; the address may not be a DI gateway",
                where=self.name,
            )
        return Login(cookies=cookies, version=str(data.get("Version") or ""))

    async def execute(self, tree: exp.Expr, dialect: SqlDialect, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Carry a statement out; the rows as the gateway names them. It knows no parameters: values become literals.

        :raises BadMapping: the gateway or the database refuses the statement
        """
        answer = RowsAnswer()
        url = f"{self.settings.base_url}/b1dis/v1/exec-sql"
        body = {"Sql": literal_text(tree, dialect, values)}
        try:
            await self._http.send("POST", url, check=answer, body=body)
        except IntegrationError as error:
            error.where = error.where or self.name
            raise
        return answer.rows

    async def aclose(self) -> None:
        """Close the connections; the gateway documents no logout, it ends the session by itself."""
        self.session.end()
        await self._http.aclose()

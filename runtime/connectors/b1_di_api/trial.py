"""The test of a connection, step by step, in plain words."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.connectors.b1_di_api.client import DiGateway
from runtime.connectors.base import TestReport
from runtime.connectors.statements.parsing import parse_statement

__all__ = ["try_connection"]

_PROBE = 'SELECT T0."ItemCode" FROM OITM T0 WHERE 1 = 0'


async def try_connection(gateway: DiGateway) -> TestReport:
    """Host, company and user, a statement; raises what is wrong."""
    settings = gateway.settings
    await gateway.session.renew(gateway.session.end(), at_once=True)
    address = urlsplit(settings.base_url)
    lines = [
        (f"已连接 {address.netloc}", f"Reached {address.netloc}"),
        (
            f"登录成功：帐套 {settings.company}，用户 {settings.user}",
            f"Logged in: company {settings.company}, user {settings.user}",
        ),
    ]
    await gateway.execute(parse_statement(_PROBE, settings.dialect).sent(), settings.dialect, {})
    lines.append(("可以执行查询（exec-sql）", "May run queries (exec-sql)"))
    return TestReport(lines=tuple(lines))

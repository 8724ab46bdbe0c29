"""The test of a connection, step by step, in plain words."""

from __future__ import annotations

from urllib.parse import urlsplit

from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.base import TestReport
from runtime.errors import NotPermitted, RemoteRefused

__all__ = ["try_connection"]


async def try_connection(client: ServiceLayer) -> TestReport:
    """Host, certificate, company and user, version, rights; raises what is wrong."""
    settings = client.settings
    former = client.session.end()
    login = await client.session.renew(former, at_once=True)
    if former is not None:
        await client.log_out(former)
    lines = [_reached(client)]
    lines.append(
        (
            f"登录成功：帐套 {settings.company}，用户 {settings.user}",
            f"Logged in: company {settings.company}, user {settings.user}",
        )
    )
    if login.version:
        lines.append((f"服务层版本 {login.version}", f"Service Layer version {login.version}"))
    lines.append(await _rights(client))
    if settings.approver_user:
        approver = await client.log_in(settings.approver_user, settings.approver_password.get_secret_value())
        await client.log_out(approver)
        lines.append(
            (f"审批用户 {settings.approver_user} 可以登录", f"The approver {settings.approver_user} can log in")
        )
    return TestReport(lines=tuple(lines))


def _reached(client: ServiceLayer) -> tuple[str, str]:
    address = urlsplit(client.root)
    if address.scheme == "http":
        return f"已连接 {address.netloc}，未加密", f"Reached {address.netloc}, not encrypted"
    if not client.settings.verify_tls:
        return f"已连接 {address.netloc}，证书未校验", f"Reached {address.netloc}, certificate not verified"
    return f"已连接 {address.netloc}，证书有效", f"Reached {address.netloc}, certificate valid"


async def _rights(client: ServiceLayer) -> tuple[str, str]:
    for entity, zh, en in (("Users", "用户", "users"), ("Items", "物料", "items"), ("Drafts", "草稿", "drafts")):
        try:
            await client.read(client.url(entity, {"$top": 1}))
        except (NotPermitted, RemoteRefused):
            continue
        return f"可以读取{zh}（{entity}）", f"May read {en} ({entity})"
    raise NotPermitted(
        "该用户不能读取用户、物料和草稿", "This user may read neither users nor items nor drafts", where=client.name
    )

"""``b1-runtime connections``: list, import, test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.output import complain, print_table, say
from runtime.cli.workspace import Workspace, workspace_of

__all__ = ["app"]

app = typer.Typer(
    help="连接：列出、导入、测试 · Connections: list, import, test", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_connections(context: typer.Context) -> None:
    """列出连接（密码等不显示）· List the connections (secrets are never shown)."""
    infos = workspace_of(context).connections.list()
    print_table(
        ("名称 name", "类型 kind", "地址 address", "密钥 secrets", "更新 updated"),
        [
            (
                info.name,
                info.kind,
                info.settings.get("base_url", ""),
                ", ".join(sorted(info.secret_names)),
                info.updated_at,
            )
            for info in infos
        ],
    )


@app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="connections.json", metavar="FILE")],
) -> None:
    """从 JSON 文件导入连接；同名的被替换，密码加密保存 · Import connections; equal names are replaced."""
    names = workspace_of(context).connections.import_file(file)
    say(f"✓ 已导入 imported: {', '.join(names)}")


@app.command("test")
def test_connection(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="连接名 · Name of the connection", metavar="NAME")],
) -> None:
    """测试一个连接：地址、证书、登录、权限；失败时退出码为 1 · Test a connection; exit code 1 if it fails."""
    if not asyncio.run(_test(workspace_of(context), name)):
        raise typer.Exit(1)


async def _test(workspace: Workspace, name: str) -> bool:
    from runtime.engine.pool import ConnectorPool  # noqa: PLC0415
    from runtime.errors import IntegrationError  # noqa: PLC0415

    pool = ConnectorPool(workspace.connections)
    try:
        connector = await pool.get(name)
        try:
            report = await connector.test()
        except IntegrationError as error:
            complain(error)
            return False
        for zh, en in report.lines:
            print(f"✓ {zh} · {en}")
        return True
    finally:
        await pool.aclose()

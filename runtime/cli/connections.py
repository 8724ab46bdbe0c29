"""``b1-runtime connections``: list, import, test, trust files, and a new key for the stored secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.output import complain, print_table, say
from runtime.cli.workspace import Workspace, workspace_of

__all__ = ["app"]

app = typer.Typer(
    help="连接：列出、导入、测试、更换密钥 · Connections: list, import, test, rotate the key",
    no_args_is_help=True,
    rich_markup_mode=None,
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
                info.address,
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


@app.command("trust-file")
def trust_file(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="WW_verify_….txt；省略则列出已有的 · Leave it out to list them", metavar="FILE"),
    ] = None,
    *,
    delete: Annotated[bool, typer.Option("--delete", help="删除这个文件 · Forget this file")] = False,
) -> None:
    """企业微信域名校验文件：由运行时在网站根目录提供 · WeCom's trust file, served at the root of the site."""
    from runtime.errors import CannotStart
    from runtime.store.trust import TrustFiles

    files = TrustFiles(workspace_of(context).settings.var)
    if file is None:
        for name in files.names():
            print(name)
        return
    if delete:
        if not files.delete(file.name):
            raise CannotStart("没有这个校验文件", "There is no such trust file", where=file.name)
        say(f"✓ 已删除 deleted: {file.name}")
        return
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CannotStart(
            "文件无法读取", "The file cannot be read", where=str(file), remote=error.strerror or str(error)
        ) from error
    files.save(file.name, content)
    say(f"✓ 运行时将在此路径提供 the runtime serves it at: /{file.name}")


@app.command("test")
def test_connection(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="连接名 · Name of the connection", metavar="NAME")],
) -> None:
    """测试一个连接：地址、证书、登录、权限；失败时退出码为 1 · Test a connection; exit code 1 if it fails."""
    if not asyncio.run(_test(workspace_of(context), name)):
        raise typer.Exit(1)


async def _test(workspace: Workspace, name: str) -> bool:
    from runtime.engine.pool import ConnectorPool
    from runtime.errors import IntegrationError

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


@app.command("register")
def register_connection(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="连接名 · Name of the connection", metavar="NAME")],
    *,
    again: Annotated[
        bool, typer.Option("--again", help="已注册也重新注册，旧的作废 · Also if it is registered")
    ] = False,
) -> None:
    """在对方系统注册本连接（泛微 regist），并保存得到的密钥 · Register with the other system, and store what it gives.

    重新注册会更换 secret 和 spk，使用旧值的其他程序随即失效，因此已注册的连接需要 --again。

    Registering again changes secret and spk for every program that uses them; a registered connection needs --again.
    """
    from runtime.service.registration import register_connection as register

    given = asyncio.run(register(workspace_of(context).connections, name, again=again))
    say(f"✓ 已注册并保存 registered and stored: {', '.join(given)}")


@app.command("rotate-key")
def rotate_key(context: typer.Context) -> None:
    """更换加密密码所用的密钥，运行时可继续工作 · Seal all secrets under a new key; a live runtime may go on.

    所有连接的密码和 AppCode 在一个事务中重新加密，随后旧密钥作废；中途断电或被终止后重新执行即可。
    旧的数据库备份仍需要旧密钥；若多台机器共用一个数据库，请把新的密钥文件复制到每一台。

    The secrets of all connections and the AppCodes are sealed anew in one transaction, then the old key is forgotten;
    if it is interrupted, run it again. Older backups of the database still need the old key; where several machines
    share a database, copy the new key file to each of them.
    """
    from runtime.store.sealed import rotate_key as rotate

    workspace = workspace_of(context)
    count = rotate(workspace.database, workspace.vault)
    where = workspace.vault.where
    if workspace.vault.given:
        say(f"✓ {count} 项已用 {where} 的第一把密钥重新加密，现在可以去掉其余的密钥")
        say(f"  {count} secrets are sealed by the first key of {where}; remove the others from it")
    else:
        say(f"✓ 已更换密钥，{count} 项重新加密；请备份 {where}")
        say(f"  The key is a new one, {count} secrets are sealed anew; back up {where}")

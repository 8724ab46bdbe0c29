"""``b1-runtime appcodes``: who may call the HTTP flows."""

from __future__ import annotations

from typing import Annotated

import typer

from runtime.cli.output import print_table
from runtime.cli.workspace import Workspace, workspace_of

__all__ = ["app"]

app = typer.Typer(
    help="HTTP 流程的 AppCode：查看、更换 · AppCodes of the HTTP flows: list, rotate",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_codes(
    context: typer.Context,
    mapping: Annotated[
        str | None, typer.Argument(help="只看一个映射 · Of one mapping only", metavar="[MAPPING]")
    ] = None,
) -> None:
    """列出 HTTP 流程的地址与 AppCode（首次查看时生成）· List address and AppCode of every HTTP flow."""
    from runtime.store.appcodes import AppCodes

    workspace = workspace_of(context)
    codes = AppCodes(workspace.database, workspace.vault)
    base = workspace.settings.public_url.rstrip("/") or _live_address(workspace)
    rows = []
    for name in [mapping] if mapping else workspace.folder.ids():
        document = workspace.mapping(name).mapping
        for flow_name, flow in document.flows.items():
            trigger = flow.trigger.http
            if trigger is not None:
                code = codes.get(document.id, flow_name)
                rows.append(
                    (
                        f"{document.id}/{flow_name}",
                        " ".join(trigger.methods),
                        f"{base}/flows/{document.http_path(flow_name)}",
                        code,
                    )
                )
    print_table(("流程 flow", "方法 methods", "地址 address", "X-Apig-AppCode"), rows)


@app.command("rotate")
def rotate(
    context: typer.Context,
    mapping: Annotated[str, typer.Argument(help="映射的 id · Id of the mapping", metavar="MAPPING")],
    flow: Annotated[str, typer.Argument(help="流程名 · Name of the flow", metavar="FLOW")],
) -> None:
    """更换一个流程的 AppCode，旧的立即失效 · Give a flow a new AppCode; the old one is refused at once."""
    from runtime.errors import BadMapping
    from runtime.store.appcodes import AppCodes

    workspace = workspace_of(context)
    document = workspace.mapping(mapping).mapping
    if flow not in document.flows or document.flows[flow].trigger.http is None:
        raise BadMapping("没有这个 HTTP 流程", "There is no such HTTP flow", where=f"{document.id}/{flow}")
    print(AppCodes(workspace.database, workspace.vault).rotate(document.id, flow))


def _live_address(workspace: Workspace) -> str:
    alive = workspace.database.runtime_alive()
    return alive.url if alive else ""

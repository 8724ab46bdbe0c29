"""``b1-runtime serve``: the long-running process."""

from __future__ import annotations

from typing import Annotated

import typer

from runtime.cli.workspace import workspace_of

__all__ = ["serve"]


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="监听地址 · Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口，0 = 任选 · Port, 0 = any free one", min=0, max=65535)] = 8766,
) -> None:
    """启动运行时：定时、回调、HTTP 流程、健康检查 · Start the runtime: schedules, callbacks, HTTP flows, health."""
    from runtime.cli.collector import calm_collector
    from runtime.service.server import serve as serve_until_stopped

    calm_collector()
    serve_until_stopped(workspace_of(context).settings, host=host, port=port)

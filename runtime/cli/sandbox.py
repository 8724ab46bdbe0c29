"""``b1-runtime sandbox``: simulated B1, DingTalk, WeCom and Weaver on one local port."""

from __future__ import annotations

from typing import Annotated

import typer

from runtime.cli.workspace import workspace_of

__all__ = ["sandbox"]


def sandbox(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="监听地址（仅限本机回环）· Address, loopback only")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口，0 = 任选 · Port, 0 = any free one", min=0, max=65535)] = 8765,
    fresh: Annotated[bool, typer.Option("--fresh", help="恢复初始演示数据 · Begin with the demo data again")] = False,
    latency_ms: Annotated[
        float, typer.Option("--latency-ms", help="每次调用的延迟（毫秒）· Delay of every call, milliseconds", min=0)
    ] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="故障比率，可重复，如 reset_after=0.02 · Share of failing calls, repeatable", metavar="KIND=RATE"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="故障的随机种子 · Seed of the faults")] = 1,
    callback: Annotated[
        str | None,
        typer.Option(help="钉钉事件回调地址 · DingTalk's callback address", metavar="URL", show_default=False),
    ] = None,
    wecom_callback: Annotated[
        str | None,
        typer.Option(help="企业微信回调地址 · WeCom's callback address", metavar="URL", show_default=False),
    ] = None,
) -> None:
    """启动沙箱：模拟 B1 与钉钉、企业微信、泛微 · The sandbox: B1, DingTalk, WeCom, Weaver, with pages."""
    from runtime.sandbox.server import serve

    serve(
        host,
        port,
        workspace_of(context).settings.var,
        fresh=fresh,
        latency_ms=latency_ms,
        faults=fault or (),
        seed=seed,
        callback_url=callback,
        wecom_callback_url=wecom_callback,
        started=_announce,
    )


def _announce(address: str) -> None:
    print(
        f"✓ 沙箱已启动 The sandbox is ready: {address}\n"
        f"  审批待办 inbox {address}/inbox · B1 单据 documents {address}/documents · 开关 switches {address}/switches",
        flush=True,
    )

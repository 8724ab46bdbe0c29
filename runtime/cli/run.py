"""``b1-runtime run``: carry out a mapping now, or show what would be sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.workspace import workspace_of

if TYPE_CHECKING:
    from runtime.mapping.models import Mapping

__all__ = ["run"]


def run(
    context: typer.Context,
    *,
    mapping: Annotated[str, typer.Argument(help="映射的 id 或文件 · Id or file of the mapping", metavar="MAPPING")],
    flow: Annotated[
        str | None, typer.Option(help="流程名（默认：定时流程）· Flow (default: the scheduled one)", metavar="NAME")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="只显示将发送的内容，不改动任何系统 · Show what would be sent, change nothing"),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(help="最多处理多少张单据 · At most so many documents", min=1, metavar="N")
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", help="输入（JSON 文件）· Input, a JSON file", metavar="FILE", show_default=False),
    ] = None,
) -> None:
    """立即执行一个映射 · Carry out a mapping now.

    有运行时在工作时排队交给它，否则在此执行；--dry-run 总在此预演。退出码：0 成功，1 有单据失败，2 用法或设置错误。
    Beside a live runtime the run is queued there, else it happens here; --dry-run always happens here.
    """
    from runtime.cli import dry_run as dry
    from runtime.cli import execution

    workspace = workspace_of(context)
    stored = workspace.mapping(mapping)
    document = stored.mapping
    flow_name = _choose_flow(document, flow)
    values = _read_input(input_file)
    if dry_run:
        ok = asyncio.run(dry.show(workspace, document, flow_name, values=values, limit=limit))
        raise typer.Exit(0 if ok else 1)
    state = execution.execute(workspace, stored, flow_name, values=values, limit=limit)
    raise typer.Exit(0 if state == "succeeded" else 1)


def _choose_flow(mapping: Mapping, name: str | None) -> str:
    from runtime.errors import BadMapping

    names = ", ".join(mapping.flows)
    if name is not None:
        if name not in mapping.flows:
            raise BadMapping(
                f"没有流程 {name}；现有：{names}", f"There is no flow {name}; there are: {names}", where=mapping.id
            )
        return name
    for kind in ("schedule", "manual"):
        found = [key for key, flow in mapping.flows.items() if getattr(flow.trigger, kind) is not None]
        if len(found) == 1:
            return found[0]
    if len(mapping.flows) == 1:
        return next(iter(mapping.flows))
    raise BadMapping(f"请用 --flow 指定流程：{names}", f"Name the flow with --flow: {names}", where=mapping.id)


def _read_input(path: Path | None) -> dict[str, Any]:
    from runtime import jsontext
    from runtime.errors import CannotStart

    if path is None:
        return {}
    try:
        values = jsontext.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotStart(
            "输入文件无法读取，或不是 JSON", "The input file cannot be read, or is not JSON",
            where=str(path), remote=str(error),
        ) from error  # fmt: skip
    if not isinstance(values, dict):
        raise CannotStart("输入应为 JSON 对象", "The input must be a JSON object", where=str(path))
    return values

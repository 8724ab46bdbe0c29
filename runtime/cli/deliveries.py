"""``b1-runtime deliveries``: what became of each document, and a person's decision where that is unknown."""

from __future__ import annotations

import asyncio
import getpass
import json
import platform
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.output import State, check_states, complain, print_table, say
from runtime.cli.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from runtime.store.ledger import Delivery

__all__ = ["app"]

app = typer.Typer(
    help="交付台账：列出、人工处理 · Deliveries: list, resolve", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_all(
    context: typer.Context,
    mapping: Annotated[str | None, typer.Option(help="只看一个映射 · Of one mapping", metavar="ID")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help="状态，可重复 · State, repeatable: open complete unknown failed resolved"),
    ] = None,
    limit: Annotated[int, typer.Option(help="最多多少行 · At most so many rows", min=1)] = 20,
) -> None:
    """列出单据的交付，最近变化的在前 · List the documents' deliveries, last changed first."""
    from runtime.store.ledger import DeliveryState
    from runtime.store.listings import list_deliveries

    check_states(state or (), DeliveryState)
    found = workspace_of(context).database.read(
        lambda connection: list_deliveries(connection, states=state or (), mapping=mapping, limit=limit)
    )
    print_table(
        (
            "编号 id", "流程 flow", "单据 document", "次 gen", "状态 state", "审批 approval", "结果 verdict",
            "变化 changed",
        ),
        [
            (
                one.id, f"{one.mapping}/{one.flow}", one.document_key, one.generation, State(one.state),
                one.instance_id, one.outcome, one.updated_at,
            )
            for one in found
        ],
    )  # fmt: skip
    for one in found:
        if one.error:
            say(f"{one.id}: {one.error.get('zh', '')}\n  {one.error.get('en', '')}")


@app.command("resolve")
def resolve(
    context: typer.Context,
    *,
    delivery_id: Annotated[int, typer.Argument(help="交付编号 · Id of the delivery", metavar="ID")],
    created: Annotated[
        str | None,
        typer.Option(
            "--created",
            help="它已创建，编号如下（后续步骤需要更多内容时给 JSON 对象）· It was created, with this id",
            metavar="INSTANCE",
        ),
    ] = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="确认没有创建，可重新发送 · It was not created and may be sent")
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="不向审批系统核实编号 · Record the id without asking the approval system"),
    ] = False,
    step: Annotated[
        str | None, typer.Option(help="步骤，仅当有多个结果未知 · Which step, if several are unknown", metavar="STEP")
    ] = None,
) -> None:
    """人工处理结果未知的交付 · Decide about a delivery whose outcome is unknown.

    先向审批系统核实 --created 的编号；只改动状态数据库，正在工作的运行时（或下次运行）接着完成其余步骤。
    The approval system is asked about the id of --created first. Only the state database is changed; the live runtime,
    or the next run, goes on with the remaining steps.
    """
    from runtime.errors import Refused, Unconfirmed
    from runtime.store.resolution import resolve_created, resolve_resend

    if (created is None) == (not resend):
        raise Refused("请在 --created INSTANCE 与 --resend 中选择一个", "Choose one of --created INSTANCE and --resend")
    if unchecked and created is None:
        raise Refused("--unchecked 只能与 --created 一起使用", "--unchecked only goes with --created")
    by = f"{getpass.getuser()}@{platform.node()}"
    workspace = workspace_of(context)
    database = workspace.database
    result = _result(created) if created is not None else None

    def decide(connection: Any) -> Delivery:
        if result is None:
            return resolve_resend(connection, delivery_id, by=by, step=step)
        return resolve_created(connection, delivery_id, result, by=by, step=step)

    if result is not None and not unchecked:
        try:
            asyncio.run(_confirm(workspace, delivery_id, result, step))
        except Unconfirmed as error:
            complain(error)
            say("要不经核实照样记录，请加 --unchecked · To record it all the same, add --unchecked")
            raise typer.Exit(2) from error
    delivery = database.write(decide)
    print(f"{delivery.id}  {delivery.mapping}/{delivery.flow}  {delivery.document_key}  {State(delivery.state).words}")
    if database.runtime_alive() is None:
        say(
            "✓ 已记录；启动运行时（serve）或下次运行（run）后完成其余步骤 · "
            "Recorded; the remaining steps follow with 'serve' or the next 'run'"
        )
    else:
        say("✓ 已记录；正在工作的运行时接着完成其余步骤 · Recorded; the live runtime goes on with the remaining steps")


async def _confirm(workspace: Workspace, delivery_id: int, result: str | dict[str, Any], step: str | None) -> None:
    from runtime.engine.confirming import confirm_created
    from runtime.engine.pool import ConnectorPool

    pool = ConnectorPool(workspace.connections)
    try:
        await confirm_created(workspace.database, pool, delivery_id, result, step=step)
    finally:
        await pool.aclose()


def _result(created: str) -> str | dict[str, Any]:
    """An id, or the whole result as a JSON object."""
    from decimal import Decimal

    from runtime.errors import Refused

    if not created.lstrip().startswith("{"):
        return created
    try:
        result: dict[str, Any] = json.loads(created, parse_float=Decimal)
    except ValueError as error:
        raise Refused(f"--created 不是有效的 JSON（{error}）", f"--created is no valid JSON ({error})") from error
    return result

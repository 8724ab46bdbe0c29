"""``b1-runtime runs``: list, show, retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.output import State, check_states, local_time, pretty_json, print_table, say
from runtime.cli.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from runtime.store.runs import RunDocument, RunInfo

__all__ = ["app"]

app = typer.Typer(
    help="运行记录：列出、查看、重试 · Run records: list, show, retry", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_all(
    context: typer.Context,
    mapping: Annotated[str | None, typer.Option(help="只看一个映射 · Of one mapping", metavar="ID")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help="状态，可重复 · State, repeatable: queued running succeeded partial failed stopped"),
    ] = None,
    limit: Annotated[int, typer.Option(help="最多多少行 · At most so many rows", min=1)] = 20,
    empty: Annotated[
        bool, typer.Option("--empty", help="包括没有单据的定时运行 · With scheduled runs that found nothing to do")
    ] = False,
) -> None:
    """列出最近的运行 · List the latest runs."""
    from runtime.store.runs import STATES, list_runs

    check_states(state or (), STATES)
    runs = workspace_of(context).database.read(
        lambda connection: list_runs(connection, mapping=mapping, states=state or (), with_empty=empty, limit=limit)
    )
    print_table(
        (
            "编号 id", "流程 flow", "起因 cause", "状态 state", "开始 started", "单据 docs", "失败 failed",
            "未知 unknown",
        ),
        [
            (
                run.id, f"{run.mapping}/{run.flow}", State(run.cause), State(run.state),
                run.started_at or run.queued_at, run.total, run.failed or "", run.unknown or "",
            )
            for run in runs
        ],
    )  # fmt: skip


@app.command("show")
def show(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="运行编号 · Id of the run", metavar="ID")],
    steps: Annotated[
        bool, typer.Option("--steps", help="显示每一步的输入与输出 · Input and output of every step")
    ] = False,
) -> None:
    """查看一次运行及其单据 · Show a run and its documents."""
    from runtime.store.runs import list_run_documents

    workspace = workspace_of(context)
    run = _find(workspace, run_id)
    print(f"{run.id}  {run.mapping}/{run.flow}  {State(run.cause).words}  {State(run.state).words}")
    print(f"排队 queued {local_time(run.queued_at)}  开始 started {local_time(run.started_at)}  "
          f"结束 finished {local_time(run.finished_at)}")  # fmt: skip
    print(f"单据 documents {run.total} · 成功 done {run.done} · 失败 failed {run.failed} · "
          f"跳过 skipped {run.skipped} · 未知 unknown {run.unknown}")  # fmt: skip
    for text in (run.note, *((run.error or {}).get(language, "") for language in ("zh", "en"))):
        if text:
            print(text)
    for document in workspace.database.read(lambda connection: list_run_documents(connection, run.id)):
        _print_document(document, steps=steps)


def _print_document(document: RunDocument, *, steps: bool) -> None:
    name = document.document or "（流程 flow）"
    print(f"\n{name}  {State(document.state).words}  {document.elapsed_ms} ms  {document.note}".rstrip())
    for language in ("zh", "en"):
        if document.error:
            print(f"  {document.error.get(language, '')}")
    for step in document.steps:
        mark = "✗" if step.get("error") else "·"
        print(f"  {mark} {step['step']}  {step['kind']}  {step['ms']} ms  {step.get('note', '')}".rstrip())
        if steps:
            for part in ("input", "output"):
                if part in step:
                    text = pretty_json(step[part]).replace("\n", "\n      ")
                    print(f"      {part}: {text}")


@app.command("retry")
def retry(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="运行编号 · Id of the run", metavar="ID")],
) -> None:
    """重试一次运行：已记录的步骤不会重复 · Do a run again; effects that are recorded are not repeated."""
    from runtime.errors import CannotStart
    from runtime.store.runs import ACTIVE

    workspace = workspace_of(context)
    run = _find(workspace, run_id)
    if run.state in ACTIVE:
        raise CannotStart("这次运行还没有结束", "This run is not over yet", where=run.id)
    if run.cause == "http":
        raise CannotStart(
            "HTTP 请求的内容不保存，请由调用方重新发送",
            "The content of an HTTP request is not kept; the caller has to send it again",
            where=run.id,
        )
    if run.cause == "event":
        _retry_event(workspace, run)
        return
    from runtime.cli.execution import execute

    state = execute(
        workspace,
        workspace.mapping(run.mapping),
        run.flow,
        values=dict(run.request.get("input") or {}),
        limit=run.request.get("limit"),
    )
    raise typer.Exit(0 if state == "succeeded" else 1)


def _retry_event(workspace: Workspace, run: RunInfo) -> None:
    """The event itself is carried out again: with all flows that wait for it, by the runtime."""
    from functools import partial

    from sqlalchemy import Connection, select

    from runtime.errors import CannotStart
    from runtime.store.inbox import retry_event
    from runtime.store.tables import inbox

    key = (run.request.get("event") or {}).get("key", "")

    def work(connection: Connection) -> bool:
        found = connection.scalars(select(inbox.c.id).where(inbox.c.event_key == key)).all()
        return any(list(map(partial(retry_event, connection), found)))

    if not workspace.database.write(work):
        raise CannotStart("该回调事件已经处理完", "The event of this run is carried out already", where=run.id)
    say("✓ 回调事件已重新排队，由运行时处理 · The event is queued again; the runtime carries it out")


def _find(workspace: Workspace, run_id: str) -> RunInfo:
    from runtime.errors import CannotStart
    from runtime.store.runs import get_run

    run = workspace.database.read(lambda connection: get_run(connection, run_id))
    if run is None:
        raise CannotStart("没有这次运行", "There is no such run", where=run_id)
    return run

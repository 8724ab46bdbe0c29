"""``b1-runtime callbacks``: what other systems reported, and trying again by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from runtime.cli.output import State, check_states, print_table, say
from runtime.cli.workspace import workspace_of

__all__ = ["app"]

app = typer.Typer(help="回调：列出、重试 · Callbacks: list, retry", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_all(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help="状态，可重复 · State, repeatable: new working done failed")
    ] = None,
    connection: Annotated[str | None, typer.Option(help="只看一个连接 · Of one connection", metavar="NAME")] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="只看等待人工重试的 · Only those that wait for a person")
    ] = False,
    limit: Annotated[int, typer.Option(help="最多多少行 · At most so many rows", min=1)] = 20,
) -> None:
    """列出最近的回调事件 · List the latest events."""
    from runtime.store.inbox import STATES, list_events

    check_states(state or (), STATES)
    states = ["failed"] if by_hand else state or []
    events = workspace_of(context).database.read(
        lambda opened: list_events(opened, states=states, name=connection, by_hand=by_hand, limit=limit)
    )
    print_table(
        ("编号 id", "连接 connection", "类型 type", "审批 approval", "状态 state", "次数 tries", "收到 received",
         "下次 next", "说明 note"),
        [
            (
                item.id, item.connection, item.event.type, item.event.instance_id, State(item.state), item.attempts,
                item.received_at,
                item.next_attempt_at or ("人工 by hand" if item.state == "failed" else ""),
                "" if item.error else item.note,
            )
            for item in events
        ],
    )  # fmt: skip
    for item in events:
        if item.error:
            say(f"{item.id}: {item.error.get('zh', '')}\n  {item.error.get('en', '')}")


@app.command("retry")
def retry(
    context: typer.Context,
    events: Annotated[
        list[int] | None, typer.Argument(help="事件编号，可多个 · Ids of events", metavar="ID", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="所有失败的事件 · Every failed event")] = False,
) -> None:
    """重试失败的回调事件：已记录的步骤不会重复 · Try failed events again; recorded effects are not repeated."""
    from functools import partial

    from runtime.errors import CannotStart
    from runtime.store.inbox import retry_event, retry_failed_events

    database = workspace_of(context).database
    if every == bool(events):
        raise CannotStart("请给出事件编号，或用 --all", "Name the events by id, or give --all", where="callbacks retry")
    if every:
        count = database.write(retry_failed_events)
    else:
        wrong = [number for number in events or () if not database.write(partial(retry_event, event_id=number))]
        if wrong:
            raise CannotStart(
                "不是失败的事件（见 callbacks list）",
                "No failed event (see callbacks list)",
                where=", ".join(map(str, wrong)),
            )
        count = len(events or ())
    say(f"✓ {count} 个事件已重新排队，由运行时处理 · {count} events are queued again; the runtime carries them out")

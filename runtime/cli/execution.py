"""Carrying out a run for ``b1-runtime run``: in the live runtime if there is one, else in this process."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from runtime.cli.collector import calm_collector
from runtime.cli.output import State, complain, pretty_json, say
from runtime.cli.workspace import Workspace
from runtime.engine.engine import Engine
from runtime.engine.pool import ConnectorPool
from runtime.engine.request import Counts, Progress, RunSummary
from runtime.errors import CannotStart, RetryLater
from runtime.mapping.folder import StoredMapping
from runtime.service.logs import configure_logs
from runtime.service.requests import manual_request
from runtime.store.live import list_live
from runtime.store.runs import ACTIVE, RunInfo, get_run, list_run_documents, mark_interrupted, queue_run

__all__ = ["execute", "follow"]

#: Seconds between two looks at a queued run.
_LOOK_EVERY = 0.3
#: Seconds in which a live runtime takes up a mapping that was saved just now.
_TAKE_UP = 8.0
#: Failed documents that are shown; all of them stand in the run's record.
_SHOWN = 20


def execute(
    workspace: Workspace, stored: StoredMapping, flow: str, *, values: dict[str, Any], limit: int | None
) -> str:
    """Carry out a run and report it; returns its final state.

    :raises CannotStart: a live runtime does not know this file, or somebody else holds the state
    """
    database = workspace.database
    # Fails early, and in the same words, wherever the run happens.
    manual_request(stored.mapping, flow, input=values, limit=limit)
    alive = database.runtime_alive()
    if alive is not None and alive.url:
        # Only a service has an address; beside another plain run the claim below says who is at work.
        _wait_until_known(workspace, stored)
        request = {"input": values, "limit": limit}
        mapping_id = stored.mapping.id
        run_id = database.write(
            lambda connection: queue_run(connection, mapping=mapping_id, flow=flow, cause="manual", request=request)
        )
        return follow(workspace, run_id)
    with database.claim_runtime("b1-runtime run"):
        database.write(mark_interrupted)
        summary = asyncio.run(_execute_here(workspace, stored, flow, values, limit))
    if summary.response is not None:
        print(pretty_json(summary.response.body))
    if summary.error is not None:
        complain(summary.error)
    _report(workspace, summary.run_id, summary.state, summary, note=summary.note)
    return summary.state


def _wait_until_known(workspace: Workspace, stored: StoredMapping) -> None:
    """The live runtime must have this very version in force: nothing else may be sent than what stands in the file."""
    deadline = time.monotonic() + _TAKE_UP
    while True:
        live = {item.mapping: item.digest for item in workspace.database.read(list_live)}
        if live.get(stored.mapping.id) == stored.digest:
            return
        if time.monotonic() > deadline:
            raise CannotStart(
                "正在工作的运行时没有加载这个文件的这一版本；请把它存入该运行时的映射目录，或先用 check 检查",
                "The live runtime does not run this version of the file; save it in that runtime's folder of mappings, "
                "or look at it with 'check'",
                where=str(stored.path),
            )
        time.sleep(_LOOK_EVERY)


async def _execute_here(
    workspace: Workspace, stored: StoredMapping, flow: str, values: dict[str, Any], limit: int | None
) -> RunSummary:
    settings = workspace.settings
    configure_logs("warning" if settings.log == "info" else settings.log, settings.log_format)
    calm_collector()
    pool = ConnectorPool(workspace.connections)
    with _progress_bar(stored.mapping.id) as show:
        request = replace(manual_request(stored.mapping, flow, input=values, limit=limit), progress=show)
        engine = Engine(workspace.database, pool)
        task = asyncio.ensure_future(engine.run(stored.mapping, flow, request))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            try:
                await engine.settle()
            except RetryLater as error:
                # What was done is done, whatever its record says.
                say(f"⚠ {error.sentence('zh-CN')} | {error.sentence('en')}")
            await pool.aclose()


def follow(workspace: Workspace, run_id: str) -> str:
    """Follow a queued run until it is over, and report it; returns its final state.

    :raises CannotStart: the live runtime ended before the run
    """
    database = workspace.database
    say(f"… 已交给正在工作的运行时 handed to the live runtime: {run_id}")
    with _progress_bar(run_id) as show:
        try:
            while True:
                run = database.read(lambda connection: get_run(connection, run_id))
                if run is None or run.state not in ACTIVE:
                    break
                show(_progress_of(run))
                if database.runtime_alive() is None:
                    raise CannotStart(
                        "运行时在执行完之前停止了；它再次启动后会继续处理",
                        "The runtime ended before the run was over; it goes on when the runtime is started again",
                        where=run_id,
                    )
                time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            say(f"\n运行时继续执行；查看结果 the runtime goes on; see the result with: b1-runtime runs show {run_id}")
            raise
    if run is None:
        raise CannotStart("运行记录不见了", "The run's record is gone", where=run_id)
    if run.error:
        say(f"✗ {run.error['zh']}\n  {run.error['en']}")
    _report(workspace, run_id, run.state, run, note=run.note)
    return run.state


def _progress_of(run: RunInfo) -> Progress:
    return Progress(total=run.total, done=run.done, failed=run.failed, skipped=run.skipped, unknown=run.unknown)


@contextmanager
def _progress_bar(title: str) -> Iterator[Callable[[Progress], None]]:
    """How far the run is, on stderr; the source is streamed, so nobody knows how much is to come."""
    bar = Bar(
        SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[counts]}"), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        task = bar.add_task(title, total=None, counts="")
        yield lambda progress: bar.update(task, counts=_counts(progress))


def _counts(counts: Counts | RunInfo) -> str:
    parts = [f"单据 documents {counts.total}", f"成功 done {counts.done}"]
    named = (("失败 failed", counts.failed), ("跳过 skipped", counts.skipped), ("未知 unknown", counts.unknown))
    return " · ".join([*parts, *(f"{name} {count}" for name, count in named if count)])


def _report(workspace: Workspace, run_id: str, state: str, counts: Counts | RunInfo, *, note: str) -> None:
    if counts.failed or counts.unknown:
        documents = workspace.database.read(
            lambda connection: list_run_documents(connection, run_id, states=["failed", "unknown"], limit=_SHOWN)
        )
        for document in documents:
            # What ended the run itself stands in the record of its outer steps too, and was said already.
            if document.document and document.error:
                say(f"✗ {document.document}  {document.error['zh']}\n  {document.error['en']}")
        if counts.failed + counts.unknown > len(documents):
            say(f"… 更多见 more in: b1-runtime runs show {run_id}")
    print(f"{State(state).words}  {_counts(counts)}  {note}".rstrip() + f"  [{run_id}]")

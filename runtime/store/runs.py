"""Run records: what was carried out when, and each document's steps. Times are UTC.

Every function works on a connection of :class:`~runtime.store.database.Database`, e.g.
``db.read(lambda connection: list_runs(connection, mapping="…"))``.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, tuple_, update

from runtime.errors import IntegrationError
from runtime.store.columns import utc_now
from runtime.store.tables import run_documents, runs

__all__ = [
    "ACTIVE",
    "STATES",
    "RunDocument",
    "RunInfo",
    "add_documents",
    "error_record",
    "finish_run",
    "get_run",
    "last_ticks",
    "list_run_documents",
    "list_runs",
    "mark_interrupted",
    "prune_payloads",
    "prune_runs",
    "queue_run",
    "queued_runs",
    "start_run",
    "undo_start",
]

_INSERT_DOCUMENT = insert(run_documents)
_DOCUMENT_KEY = (run_documents.c.run_id, run_documents.c.position)
#: States of a run that is not over.
ACTIVE = ("queued", "running")
#: All states of a run.
STATES = (*ACTIVE, "succeeded", "partial", "failed", "stopped")


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """One run; ``state`` is ``queued running succeeded partial failed stopped``."""

    id: str
    mapping: str
    flow: str
    cause: str
    state: str
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: What it was asked for: ``input``, ``limit`` and whatever the service adds (inbox row, run that it retries).
    request: Mapping[str, Any]
    total: int
    done: int
    failed: int
    skipped: int
    unknown: int
    #: See :func:`error_record`.
    error: Mapping[str, Any] | None
    note: str


@dataclass(frozen=True, kw_only=True)
class RunDocument:
    """One document of a run (document '' = the steps outside ``each``); ``state`` is
    ``done failed skipped unknown stopped``."""

    run_id: str
    position: int
    document: str
    state: str
    started_at: datetime
    elapsed_ms: int
    error: Mapping[str, Any] | None
    note: str
    #: In order: ``step``, ``kind``, ``ms`` and, where there are any, ``input``, ``output``, ``error``, ``note``.
    steps: Sequence[Mapping[str, Any]]


def error_record(error: IntegrationError) -> dict[str, Any]:
    """An error as it is stored: type, both sentences, place, the other system's code and text."""
    return {
        "type": type(error).__name__,
        "zh": error.sentence("zh-CN"),
        "en": error.sentence("en"),
        "where": error.where,
        "code": error.code,
        "remote": error.remote,
    }


def new_run_id(now: datetime) -> str:
    """Sorts by time and can be read out over the telephone."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def queue_run(
    connection: Connection, *, mapping: str, flow: str, cause: str, request: Mapping[str, Any] | None = None
) -> str:
    """Ask the live runtime for a run; returns its id."""
    run_id = new_run_id(utc_now())
    _add(connection, run_id, mapping=mapping, flow=flow, cause=cause, request=request or {})
    return run_id


def queued_runs(connection: Connection, *, known: Collection[str] = (), limit: int = 16) -> list[RunInfo]:
    """The oldest runs that were asked for and have not begun.

    :param known: ids of those to leave out
    """
    query = select(runs).where(runs.c.state == "queued", runs.c.id.not_in(known)).order_by(runs.c.queued_at)
    return [_run(row) for row in connection.execute(query.limit(limit))]


def start_run(
    connection: Connection, run_id: str, *, mapping: str, flow: str, cause: str, request: Mapping[str, Any]
) -> None:
    """Record that a run begins, whether it was queued before or not."""
    if not _begin(connection, run_id):
        _add(connection, run_id, mapping=mapping, flow=flow, cause=cause, request=request)
        _begin(connection, run_id)


def undo_start(connection: Connection, run_id: str, *, queued: bool) -> None:
    """A run did not begin after all, should that have been recorded.

    :param queued: it goes on waiting for its turn
    """
    begun = (runs.c.id == run_id, runs.c.state == "running")
    if queued:
        connection.execute(update(runs).where(*begun).values(state="queued", started_at=None))
    else:
        connection.execute(delete(runs).where(*begun))


def finish_run(
    connection: Connection,
    run_id: str,
    *,
    state: str,
    counts: Mapping[str, int],
    error: IntegrationError | None = None,
    note: str = "",
) -> None:
    """Record the end.

    :param counts: ``total done failed skipped unknown``
    """
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            state=state,
            finished_at=utc_now(),
            error=error_record(error) if error is not None else None,
            note=note,
            **counts,
        )
    )


def mark_interrupted(connection: Connection) -> int:
    """Runs that still say ``running`` although no runtime works on this state: their process died. Returns how many.

    Call it once after claiming the state, before the first run.
    """
    return connection.execute(
        update(runs)
        .where(runs.c.state == "running")
        .values(state="stopped", finished_at=utc_now(), note="进程中断 | interrupted: the process ended", **_counted())
    ).rowcount


def _counted() -> dict[str, Any]:
    """The documents of a run that were recorded, by state; the steps outside ``each`` are none."""

    def number(*states: str) -> Any:
        query = select(func.count()).where(run_documents.c.run_id == runs.c.id, run_documents.c.document != "")
        return (query.where(run_documents.c.state.in_(states)) if states else query).scalar_subquery()

    return {"total": number()} | {state: number(state) for state in ("done", "failed", "skipped", "unknown")}


def add_documents(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store document rows (columns of the table ``run_documents``)."""
    connection.execute(_INSERT_DOCUMENT, rows)


def list_runs(
    connection: Connection,
    *,
    mapping: str | None = None,
    flow: str | None = None,
    states: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    text: str = "",
    with_empty: bool = True,
    limit: int = 100,
    offset: int = 0,
) -> list[RunInfo]:
    """Newest first.

    :param text: part of a run's id or note, or of the key of one of its documents
    :param with_empty: whether to list runs that went well and found nothing to do
    """
    query = select(runs).order_by(runs.c.queued_at.desc(), runs.c.id.desc()).limit(limit).offset(offset)
    if mapping is not None:
        query = query.where(runs.c.mapping == mapping)
    if flow is not None:
        query = query.where(runs.c.flow == flow)
    if states:
        query = query.where(runs.c.state.in_(states))
    if since is not None:
        query = query.where(runs.c.queued_at >= since)
    if until is not None:
        query = query.where(runs.c.queued_at < until)
    if text:
        documents = select(run_documents.c.run_id).where(run_documents.c.document.contains(text, autoescape=True))
        query = query.where(
            or_(
                runs.c.id.contains(text, autoescape=True),
                runs.c.note.contains(text, autoescape=True),
                runs.c.id.in_(documents),
            )
        )
    if not with_empty:
        query = query.where(or_(runs.c.total > 0, runs.c.state != "succeeded", runs.c.cause != "schedule"))
    return [_run(row) for row in connection.execute(query)]


def last_ticks(
    connection: Connection, flows: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[datetime, str]]:
    """When each of these flows was last run on schedule, and the state of that run; left out if it never was.

    :param flows: (mapping, flow)
    """
    found = {}
    for mapping, flow in flows:
        query = (
            select(runs.c.queued_at, runs.c.state)
            .where(runs.c.mapping == mapping, runs.c.flow == flow, runs.c.cause == "schedule")
            .order_by(runs.c.queued_at.desc())
            .limit(1)
        )
        row = connection.execute(query).first()
        if row is not None:
            found[mapping, flow] = (row.queued_at, row.state)
    return found


def get_run(connection: Connection, run_id: str) -> RunInfo | None:
    """One run, or None."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
    return _run(row) if row is not None else None


def list_run_documents(
    connection: Connection, run_id: str, *, states: Collection[str] = (), limit: int = 200, offset: int = 0
) -> list[RunDocument]:
    """The documents of a run with their steps, in the order in which they were taken up."""
    query = select(run_documents).where(run_documents.c.run_id == run_id).order_by(run_documents.c.position)
    if states:
        query = query.where(run_documents.c.state.in_(states))
    found = []
    for row in connection.execute(query.limit(limit).offset(offset)).mappings():
        values = dict(row)
        values["steps"] = values["steps"] or []
        found.append(RunDocument(**values))
    return found


def prune_runs(connection: Connection, *, before: datetime, batch: int = 500) -> int:
    """Delete up to ``batch`` documents of runs that ended before a moment, and runs that have none left; returns how
    many rows went.

    Documents go first: a run may have had tens of thousands, and nobody should wait for all of them at once.
    """
    old = (
        select(runs.c.id)
        .where(runs.c.state.not_in(ACTIVE), runs.c.queued_at < before)
        .order_by(runs.c.queued_at)
        .limit(batch)
    )
    ids = list(connection.scalars(old))
    if not ids:
        return 0
    first = select(*_DOCUMENT_KEY).where(run_documents.c.run_id.in_(ids)).limit(batch)
    count = connection.execute(delete(run_documents).where(tuple_(*_DOCUMENT_KEY).in_(first))).rowcount
    if count < batch:
        count += connection.execute(delete(runs).where(runs.c.id.in_(ids))).rowcount
    return count


def prune_payloads(connection: Connection, *, before: datetime, since: datetime | None = None, batch: int = 500) -> int:
    """Forget what the steps of up to ``batch`` documents got and gave, of runs that began before a moment; returns how
    many. The documents stay with their state and error.

    :param since: runs that began earlier are known to be done
    """
    old = select(*_DOCUMENT_KEY).where(run_documents.c.run_id < _first_id(before), run_documents.c.steps.is_not(None))
    if since is not None:
        old = old.where(run_documents.c.run_id >= _first_id(since))
    old = old.limit(batch)
    return connection.execute(update(run_documents).where(tuple_(*_DOCUMENT_KEY).in_(old)).values(steps=None)).rowcount


def _add(
    connection: Connection, run_id: str, *, mapping: str, flow: str, cause: str, request: Mapping[str, Any]
) -> None:
    values = {"id": run_id, "mapping": mapping, "flow": flow, "cause": cause, "request": dict(request)}
    connection.execute(insert(runs).values(**values, state="queued", queued_at=utc_now()))


def _begin(connection: Connection, run_id: str) -> bool:
    """It runs from now on; False if it is not there."""
    begun = update(runs).where(runs.c.id == run_id).values(state="running", started_at=utc_now())
    return bool(connection.execute(begun).rowcount)


def _first_id(moment: datetime) -> str:
    """Ids sort by time: the primary key finds runs by their beginning."""
    return f"{moment.astimezone(UTC):%Y%m%d-%H%M%S}"


def _run(row: Row[Any]) -> RunInfo:
    values = {item.name: getattr(row, item.name) for item in fields(RunInfo)}
    values["request"] = values["request"] or {}
    return RunInfo(**values)

"""Answers of HTTP flows by idempotency key: the same request gets what was answered before. Times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from runtime.store.columns import utc_now
from runtime.store.tables import answers

__all__ = ["Claim", "StoredAnswer", "claim_answer", "pass_on", "prune_answers", "store_answer"]


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is known about a key. Without an answer its request is carried out now, or again after a crash."""

    #: Hash of the request that came first.
    digest: str
    answer: StoredAnswer | None


def claim_answer(
    connection: Connection, *, mapping: str, flow: str, key: str, digest: str, not_before: datetime
) -> Claim:
    """Take a key for a request, or learn what became of the request that took it.

    :param not_before: a key that was taken earlier is free again
    """
    where = _of(mapping, flow, key)
    connection.execute(delete(answers).where(*where, answers.c.started_at < not_before))
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"mapping": mapping, "flow": flow, "key": key, "digest": digest, "started_at": utc_now()}
    connection.execute(dialect.insert(answers).values(values).on_conflict_do_nothing())
    row = connection.execute(select(answers).where(*where)).one()
    answer = None
    if row.status is not None:
        answer = StoredAnswer(status=row.status, headers=row.headers or {}, body=row.body)
    return Claim(digest=row.digest, answer=answer)


def pass_on(connection: Connection, *, mapping: str, flow: str, key: str, digest: str) -> None:
    """Give a key to another request than the one that took it; what that one was answered is forgotten."""
    anew = {"digest": digest, "started_at": utc_now(), "status": None, "headers": None, "body": None}
    connection.execute(update(answers).where(*_of(mapping, flow, key)).values(anew))


def store_answer(connection: Connection, *, mapping: str, flow: str, key: str, answer: StoredAnswer) -> None:
    """Keep the answer for whoever sends the same request again."""
    values = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
    connection.execute(update(answers).where(*_of(mapping, flow, key)).values(values))


def prune_answers(connection: Connection, *, before: datetime, batch: int = 500) -> int:
    """Forget up to ``batch`` keys that were taken before a moment; returns how many went."""
    key = (answers.c.mapping, answers.c.flow, answers.c.key)
    old = select(*key).where(answers.c.started_at < before).limit(batch)
    return connection.execute(delete(answers).where(tuple_(*key).in_(old))).rowcount


def _of(mapping: str, flow: str, key: str) -> list[Any]:
    return [answers.c.mapping == mapping, answers.c.flow == flow, answers.c.key == key]

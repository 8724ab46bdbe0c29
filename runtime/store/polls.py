"""Approvals without a verdict: which of them to ask the other system about, and when again. Times are UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from runtime.store.ledger import form_of
from runtime.store.tables import deliveries, effects, polls

__all__ = ["OpenApproval", "due_approvals", "forget_polls", "plan_polls"]


@dataclass(frozen=True, kw_only=True)
class OpenApproval:
    """An approval that a delivery created and whose verdict has not been carried out."""

    delivery_id: int
    mapping: str
    instance_id: str
    opened_at: datetime
    #: The form that it was created with; empty if that is not recorded.
    form: str


def due_approvals(
    connection: Connection, name: str, *, mappings: Collection[str], opened_before: datetime, now: datetime, limit: int
) -> list[OpenApproval]:
    """The approvals in the connection ``name`` that are due to be asked about, those that wait longest first.

    :param mappings: created by these mappings
    """
    due = func.coalesce(polls.c.next_at, deliveries.c.opened_at, type_=polls.c.next_at.type)
    created = (
        select(effects.c.request)
        .where(effects.c.delivery_id == deliveries.c.id, effects.c.instance_id == deliveries.c.instance_id)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            deliveries.c.id,
            deliveries.c.mapping,
            deliveries.c.instance_id,
            deliveries.c.opened_at,
            created.label("request"),
        )
        .outerjoin(polls, polls.c.delivery_id == deliveries.c.id)
        .where(
            deliveries.c.outcome == "",
            deliveries.c.instance_id != "",
            deliveries.c.connection == name,
            deliveries.c.mapping.in_(mappings),
            deliveries.c.opened_at <= opened_before,
            due <= now,
        )
        .order_by(due, deliveries.c.id)
        .limit(limit)
    )
    return [
        OpenApproval(
            delivery_id=row.id,
            mapping=row.mapping,
            instance_id=row.instance_id,
            opened_at=row.opened_at,
            form=(form_of(row.request) or {}).get("form", ""),
        )
        for row in connection.execute(query)
    ]


def plan_polls(connection: Connection, planned: Mapping[int, datetime]) -> None:
    """Say when each of these deliveries is asked about again, by id."""
    if not planned:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(polls)
    upsert = statement.on_conflict_do_update(
        index_elements=["delivery_id"],
        set_={"next_at": statement.excluded.next_at, "asked": polls.c.asked + 1},
    )
    connection.execute(upsert, [{"delivery_id": key, "next_at": when, "asked": 1} for key, when in planned.items()])


def forget_polls(connection: Connection, *, batch: int = 500) -> int:
    """Forget up to ``batch`` approvals whose verdict arrived; returns how many."""
    over = (
        select(polls.c.delivery_id)
        .join(deliveries, deliveries.c.id == polls.c.delivery_id)
        .where(deliveries.c.outcome != "")
        .limit(batch)
    )
    ids = list(connection.scalars(over))
    if ids:
        connection.execute(delete(polls).where(polls.c.delivery_id.in_(ids)))
    return len(ids)

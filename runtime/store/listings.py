"""The ledger as people look at it: lists of deliveries, filtered and counted. Times are UTC."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from runtime.store.ledger import RUN_SOURCES, Delivery, DeliveryState, read_deliveries
from runtime.store.tables import deliveries

__all__ = [
    "count_deliveries",
    "count_open_approvals",
    "generations",
    "list_deliveries",
    "mappings_with_deliveries",
    "run_deliveries",
]


def generations(connection: Connection, delivery: Delivery) -> list[Delivery]:
    """Every delivery of the same document, newest generation first, with their effects."""
    names = ("mapping", "flow", "source", "document_key")
    same = [deliveries.c[name] == getattr(delivery, name) for name in names]
    query = select(deliveries).where(*same).order_by(deliveries.c.generation.desc())
    return read_deliveries(connection, connection.execute(query).mappings())


def run_deliveries(connection: Connection, *, source: str, keys: Collection[str]) -> list[Delivery]:
    """What these runs without documents did (see :data:`RUN_SOURCES`), oldest first, with their effects."""
    query = select(deliveries).where(deliveries.c.source == source, deliveries.c.document_key.in_(keys))
    return read_deliveries(connection, connection.execute(query.order_by(deliveries.c.id)).mappings())


def list_deliveries(
    connection: Connection,
    *,
    states: Collection[str] = (),
    mapping: str | None = None,
    since: datetime | None = None,
    text: str = "",
    whole_runs: bool = True,
    limit: int = 100,
    offset: int = 0,
) -> list[Delivery]:
    """Last changed first, with their effects.

    :param since: changed at this moment or later
    :param text: part of a document's key or of an approval's id, in upper or lower case
    :param whole_runs: also those of runs without documents (an event's, an HTTP request's); an unknown one is listed
        in any case
    """
    query: Select[Any] = select(deliveries).order_by(deliveries.c.updated_at.desc(), deliveries.c.id.desc())
    wanted = _wanted(states=states, mapping=mapping, since=since, text=text, whole_runs=whole_runs)
    return read_deliveries(connection, connection.execute(query.where(*wanted).limit(limit).offset(offset)).mappings())


def count_deliveries(
    connection: Connection,
    *,
    states: Collection[str] = (),
    mapping: str | None = None,
    since: datetime | None = None,
    text: str = "",
    whole_runs: bool = True,
) -> int:
    """How many :func:`list_deliveries` would list without a limit."""
    wanted = _wanted(states=states, mapping=mapping, since=since, text=text, whole_runs=whole_runs)
    return connection.scalar(select(func.count()).select_from(deliveries).where(*wanted)) or 0


def count_open_approvals(connection: Connection) -> int:
    """How many approvals were created and written back, and have no verdict yet."""
    waiting = (
        deliveries.c.state.in_((DeliveryState.COMPLETE, DeliveryState.RESOLVED)),
        deliveries.c.instance_id != "",
        deliveries.c.outcome == "",
    )
    return connection.scalar(select(func.count()).select_from(deliveries).where(*waiting)) or 0


def mappings_with_deliveries(connection: Connection) -> list[str]:
    """Ids of the mappings that the ledger knows, sorted; also of those that were deleted since."""
    return list(connection.scalars(select(deliveries.c.mapping).distinct().order_by(deliveries.c.mapping)))


def _wanted(
    *, states: Collection[str], mapping: str | None, since: datetime | None, text: str, whole_runs: bool
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if states:
        wanted.append(deliveries.c.state.in_(states))
    if mapping is not None:
        wanted.append(deliveries.c.mapping == mapping)
    if since is not None:
        wanted.append(deliveries.c.updated_at >= since)
    if text:
        columns = (deliveries.c.document_key, deliveries.c.instance_id)
        wanted.append(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if not whole_runs:
        documents = and_(*(deliveries.c.source.not_like(f"{prefix}%") for prefix in RUN_SOURCES))
        wanted.append(or_(documents, deliveries.c.state == DeliveryState.UNKNOWN))
    return wanted

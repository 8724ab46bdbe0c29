"""What people were told is wrong and not yet that it is over; so that a restart repeats nothing. Times are UTC."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from runtime.store.tables import incidents

__all__ = ["Incident", "close_incidents", "list_incidents", "open_incidents"]


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One thing that is wrong."""

    #: Names it: the same trouble has the same key.
    key: str
    zh: str
    en: str
    opened_at: datetime


def list_incidents(connection: Connection) -> list[Incident]:
    """All that are open, oldest first."""
    query = select(incidents).order_by(incidents.c.opened_at, incidents.c.key)
    return [Incident(**row) for row in connection.execute(query).mappings()]


def open_incidents(connection: Connection, found: Collection[Incident]) -> None:
    """Keep these; one that is there already stays as it is."""
    if found:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(incidents).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(statement, [asdict(one) for one in found])


def close_incidents(connection: Connection, keys: Collection[str]) -> None:
    """These are over."""
    if keys:
        connection.execute(delete(incidents).where(incidents.c.key.in_(keys)))

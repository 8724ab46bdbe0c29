"""What every rule of the simulator works with: the company, its schema, who acts, and when."""

from __future__ import annotations

from dataclasses import dataclass

from .faults import not_found
from .rows import Company, Key, Row
from .schema import Schema

__all__ = ["Context"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """One unit of work."""

    company: Company
    schema: Schema
    #: Company time (the company's own timezone): ``YYYY-MM-DD`` and ``HH:MM:SS``.
    today: str
    time: str
    #: ``Users.InternalKey`` of who acts.
    user: int

    def find(self, entity_set: str, key: Key) -> Row | None:
        """The stored row, or None; never change it in place."""
        return self.company.sets[entity_set].get(key)

    def get(self, entity_set: str, key: Key) -> Row:
        """The stored row.

        :raises ServiceFault: 404/-2028
        """
        row = self.find(entity_set, key)
        if row is None:
            raise not_found()
        return row

    def matching(self, entity_set: str, name: str, value: object) -> list[Key]:
        """Keys of the rows with this value in a property, ascending."""
        rows = self.company.sets[entity_set]
        found = rows.lookup(name, value)
        if found is not None:
            return found
        return [key for key in rows.keys if rows.rows[key].get(name) == value]

    def put(self, entity_set: str, key: Key, row: Row) -> None:
        """Store a row, stamped with the time of the change where its type has such properties."""
        properties = self.schema.type_of(entity_set).properties
        if "UpdateDate" in properties:
            row["UpdateDate"] = self.today
        if "UpdateTime" in properties:
            row["UpdateTime"] = self.time
        self.company.put(entity_set, key, row)

"""What a connection offers to read: entities and their fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Catalog", "Entity", "SourceField"]


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Something rows can be read from: an OData entity set, a table, a view."""

    name: str
    #: Names of the key properties, in order.
    key: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceField:
    """A field of an entity, for the field picker."""

    name: str
    #: ``text integer decimal date time boolean enum object``
    type: str
    #: Empty for the header, else the collection's name (``DocumentLines``).
    group: str = ""
    label: str = ""
    #: A user field (``U_…``).
    custom: bool = False
    #: Members, for an enum.
    members: tuple[str, ...] = ()


class Catalog(ABC):
    """What a source offers to read."""

    @abstractmethod
    async def entities(self) -> Sequence[Entity]:
        """All of them, sorted by name."""

    @abstractmethod
    async def fields(self, entity: str) -> Sequence[SourceField]:
        """Header fields first, then those of each detail collection; user fields included with their description."""

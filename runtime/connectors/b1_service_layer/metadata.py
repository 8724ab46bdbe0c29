"""``$metadata``: the entity sets, their keys and fields, read from the XML as it streams by.

Both forms are read: EDMX 1.0 (OData 3, ``/b1s/v1``) and 4.0 (OData 4, ``/b1s/v2``). Elements are dropped as soon as
they are read, so memory holds only what the field picker shows. No DTD is accepted and nothing is fetched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple

from lxml import etree

from runtime.connectors.catalog import Entity
from runtime.errors import RemoteFault

__all__ = ["Metadata", "Property", "parse_metadata"]

_EDM = {
    "String": "text",
    "Guid": "text",
    "Byte": "integer",
    "SByte": "integer",
    "Int16": "integer",
    "Int32": "integer",
    "Int64": "integer",
    "Decimal": "decimal",
    "Double": "decimal",
    "Single": "decimal",
    "Boolean": "boolean",
    "Date": "date",
    "DateTime": "date",
    "DateTimeOffset": "date",
    "Time": "time",
    "TimeOfDay": "time",
    "Duration": "time",
}


class Property(NamedTuple):
    """A property as declared; ``type`` without ``Collection()``."""

    name: str
    type: str
    collection: bool


@dataclass
class DeclaredType:
    base: str = ""
    key: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()


@dataclass
class Metadata:
    """What the field picker and the paging by key need to know."""

    types: dict[str, DeclaredType] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)

    def entities(self) -> list[Entity]:
        """All entity sets, sorted by name."""
        return [Entity(name=name, key=self._key(self.sets[name])) for name in sorted(self.sets)]

    def __contains__(self, entity: str) -> bool:
        return entity in self.sets

    def key(self, entity: str) -> tuple[tuple[str, str], ...]:
        """(name, type of field) of each key property of an entity set, in order."""
        types = {property.name: self.kind(property) for property in self.properties(self.sets[entity])}
        return tuple((name, types.get(name, "text")) for name in self._key(self.sets[entity]))

    def of_set(self, entity: str) -> list[Property]:
        """Properties of an entity set."""
        return self.properties(self.sets[entity])

    def properties(self, type_name: str) -> list[Property]:
        """Properties of a type, those of its base types first."""
        found: list[Property] = []
        for declared in self._line_of(type_name):
            found[:0] = declared.properties
        return found

    def kind(self, property: Property) -> str:
        """``text integer decimal date time boolean enum object``."""
        if property.collection:
            return "object"
        space, _, name = property.type.rpartition(".")
        if space == "Edm":
            return _EDM.get(name, "object")
        return "enum" if property.type in self.enums else "object"

    def members(self, property: Property) -> tuple[str, ...]:
        """Member names, for an enum."""
        return self.enums.get(property.type, ())

    def _key(self, type_name: str) -> tuple[str, ...]:
        return next((declared.key for declared in self._line_of(type_name) if declared.key), ())

    def _line_of(self, type_name: str) -> Iterator[DeclaredType]:
        seen = set()
        while type_name in self.types and type_name not in seen:
            seen.add(type_name)
            yield self.types[type_name]
            type_name = self.types[type_name].base


def parse_metadata(document: bytes) -> Metadata:
    """Read a whole ``$metadata`` document.

    :raises RemoteFault: it is not XML, holds a DTD, or describes no entity set
    """
    found = Metadata()
    try:
        _Reader(found).read(document)
    except etree.XMLSyntaxError as error:
        raise RemoteFault(
            "$metadata 不是有效的 XML", "$metadata is not valid XML", where="$metadata", remote=str(error)
        ) from error
    if not found.sets:
        raise RemoteFault("$metadata 中没有实体集", "$metadata describes no entity set", where="$metadata")
    return found


class _Reader:
    def __init__(self, found: Metadata) -> None:
        self._found = found
        self._namespace = ""
        self._members: list[str] = []
        self._keys: list[str] = []
        self._properties: list[Property] = []

    def read(self, document: bytes) -> None:
        elements = etree.iterparse(
            BytesIO(document), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        )
        first = True
        for event, element in elements:
            tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
            if event == "start":
                if first and element.getroottree().docinfo.internalDTD is not None:
                    raise RemoteFault("$metadata 含有 DTD，已拒绝", "$metadata holds a DTD and is refused")
                first = False
                if tag == "Schema":
                    self._namespace = element.get("Namespace", "")
                continue
            self._take(tag, element.attrib)
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]

    def _take(self, tag: str, attributes: Mapping[str, Any]) -> None:
        match tag:
            case "Property":
                self._properties.append(_property(attributes))
            case "Member":
                self._members.append(sys.intern(attributes.get("Name", "")))
            case "PropertyRef":
                self._keys.append(sys.intern(attributes.get("Name", "")))
            case "EnumType":
                self._found.enums[self._full_name(attributes)] = tuple(self._members)
                self._members.clear()
            case "EntityType" | "ComplexType":
                self._found.types[self._full_name(attributes)] = DeclaredType(
                    base=attributes.get("BaseType", ""), key=tuple(self._keys), properties=tuple(self._properties)
                )
                self._keys.clear()
                self._properties.clear()
            case "EntitySet":
                self._found.sets[attributes.get("Name", "")] = sys.intern(attributes.get("EntityType", ""))

    def _full_name(self, attributes: Mapping[str, Any]) -> str:
        return f"{self._namespace}.{attributes.get('Name', '')}"


def _property(attributes: Mapping[str, Any]) -> Property:
    declared = attributes.get("Type", "")
    collection = declared.startswith("Collection(")
    if collection:
        declared = declared[len("Collection(") : -1]
    return Property(sys.intern(attributes.get("Name", "")), sys.intern(declared), collection)

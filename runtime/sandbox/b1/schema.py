"""The schema that the simulator answers by: fixed tables plus the user fields, tables and objects of the company."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .tables import COLLECTIONS, ENUMS, NAVIGATION, SETS, TYPES, UDF_TABLES, CollectionRule, SetRow

__all__ = ["ETAG", "EntityType", "EnumType", "Navigation", "Property", "Schema", "build_schema", "udf_family"]

#: The item of a stored row that holds its entity tag.
ETAG: Final = "odata.etag"

Row = dict[str, Any]


@dataclass(frozen=True)
class EnumType:
    """Members by name; the database value of each is accepted wherever a name is."""

    name: str
    #: Name -> database value, in declared order.
    members: Mapping[str, str]

    def member(self, text: object) -> str | None:
        """The member's name for a name or a database value, or None."""
        wanted = str(text)
        if wanted in self.members:
            return wanted
        return next((name for name, value in self.members.items() if value == wanted), None)


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a type."""

    name: str
    #: ``int num text date time enum`` or ``lines``.
    kind: str
    #: Characters at most; 0 = unlimited.
    size: int = 0
    enum: EnumType | None = None
    #: Type of the lines.
    lines: str = ""
    read_only: bool = False
    write_only: bool = False
    #: User fields: the value of new records, and the allowed values.
    default: Any = None
    valid_values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Navigation:
    """A property that leads to one row of another set."""

    name: str
    foreign_key: str
    target: str


class EntityType:
    """An entity or complex type, with a precomputed plan for rendering its rows."""

    def __init__(self, name: str, properties: Iterable[Property], key: tuple[str, ...] = ()) -> None:
        self.name = name
        self.key = key
        self.properties: dict[str, Property] = {prop.name: prop for prop in properties}
        self.navigation: dict[str, Navigation] = {n: Navigation(n, fk, to) for n, fk, to in NAVIGATION.get(name, ())}
        self.rule: CollectionRule | None = COLLECTIONS.get(name)

    def plan(self, types: Mapping[str, EntityType]) -> None:
        """Prepare :meth:`render`; called once all properties are known."""
        values = self.properties.values()
        self._template: Row = {prop.name: [] if prop.kind == "lines" else None for prop in values}
        self._dates = tuple(prop.name for prop in values if prop.kind == "date")
        self.hidden = tuple(prop.name for prop in values if prop.write_only)
        self.line_types = {prop.name: types[prop.lines] for prop in values if prop.kind == "lines"}

    def render(self, row: Row, *, etag: str, long_dates: bool, select: frozenset[str] | None = None) -> Row:
        """The row as the Service Layer shows it: every property present, nulls included.

        :param etag: name under which the entity tag is shown; "" for lines
        :param long_dates: dates as ``2023-10-26T00:00:00Z`` instead of ``2023-10-26``
        :param select: names to show, or None for all
        """
        shown: Row = {etag: row.get(ETAG)} if etag else {}
        if select is None:
            shown.update(self._template)
            shown.update(row)
            if etag and etag != ETAG:
                shown.pop(ETAG, None)
        else:
            for name, empty in self._template.items():
                if name in select:
                    shown[name] = row.get(name, empty)
        if long_dates:
            for name in self._dates:
                if shown.get(name):
                    shown[name] += "T00:00:00Z"
        for name, line_type in self.line_types.items():
            lines = shown.get(name)
            if lines:
                shown[name] = [line_type.render(line, etag="", long_dates=long_dates) for line in lines]
        for name in self.hidden:
            if name in shown:
                shown[name] = self._template[name]
        return shown


@dataclass(frozen=True)
class Schema:
    """Everything that requests are checked against; rebuilt when user fields, tables or objects change."""

    enums: Mapping[str, EnumType]
    types: Mapping[str, EntityType]
    sets: Mapping[str, SetRow]

    def type_of(self, entity_set: str) -> EntityType:
        """The entity type of a set."""
        return self.types[self.sets[entity_set].type]


def udf_family(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables that share their user fields with ``table``, and the types that show them."""
    return next((family for family in UDF_TABLES if table in family[0]), ((table,), ()))


def build_schema(tables: Iterable[Row], fields: Iterable[Row], objects: Iterable[Row]) -> Schema:
    """The fixed schema plus the rows of ``UserTablesMD``, ``UserFieldsMD`` and ``UserObjectsMD``."""
    enums = {name: EnumType(name, dict(pair.split("=", 1) for pair in text.split())) for name, text in ENUMS.items()}
    keys = {row.type: row.key for row in SETS}
    types = {name: EntityType(name, _parse(text, enums), keys.get(name, ())) for name, text in TYPES.items()}
    sets = {row.name: row for row in SETS}
    user_types = {f"@{row['TableName']}": f"U_{row['TableName']}" for row in tables}
    for row in tables:
        if row.get("TableType") in {"bott_NoObject", "bott_NoObjectAutoIncrement", None}:
            name = f"U_{row['TableName']}"
            types[name] = EntityType(name, _parse("Code:text50 Name:text100", enums), ("Code",))
            sets[name] = SetRow(name, name, ("Code",), f"@{row['TableName']}")
    for row in objects:
        _add_object(row, enums, types, sets, user_types)
    for row in sorted(fields, key=lambda row: int(row["FieldID"])):
        owners = udf_family(row["TableName"])[1] or (user_types.get(row["TableName"], ""),)
        prop = user_field(row)
        for owner in owners:
            if owner in types:
                types[owner].properties.setdefault(prop.name, prop)
    for entity_type in types.values():
        entity_type.plan(types)
    return Schema(enums, types, sets)


def user_field(row: Row) -> Property:
    """The property of a ``UserFieldsMD`` row."""
    kinds: dict[str, str] = {"db_Numeric": "int", "db_Float": "num", "db_Date": "date"}
    kind = "time" if row.get("SubType") == "st_Time" else kinds.get(row.get("Type", "db_Alpha"), "text")
    values = {str(value["Value"]): value.get("Description", "") for value in row.get("ValidValuesMD", ())}
    size = int(row.get("Size") or 0) if row.get("Type", "db_Alpha") == "db_Alpha" else 0
    default = row.get("DefaultValue")
    return Property(name=f"U_{row['Name']}", kind=kind, size=size, default=default, valid_values=values)


def _parse(text: str, enums: Mapping[str, EnumType]) -> list[Property]:
    properties = []
    for token in text.split():
        name, kind = token.split(":")
        prop = Property(name=name, kind="", read_only=kind.endswith("!"), write_only=kind.endswith("*"))
        kind = kind.rstrip("!*")
        sized = re.fullmatch(r"text(\d+)", kind)
        if kind.startswith("["):
            prop = replace(prop, kind="lines", lines=kind[1:-1])
        elif sized:
            prop = replace(prop, kind="text", size=int(sized[1]))
        elif kind in enums:
            prop = replace(prop, kind="enum", enum=enums[kind])
        else:
            prop = replace(prop, kind=kind)
        properties.append(prop)
    return properties


_AUDIT: Final = """Object:text20! LogInst:int! UserSign:int! Canceled:text1! CreateDate:date! CreateTime:time!
    UpdateDate:date! UpdateTime:time! DataSource:text1!"""
_MASTER: Final = "Code:text50 Name:text100 DocEntry:int! " + _AUDIT
_DOCUMENT: Final = "DocEntry:int! DocNum:int! Period:int Series:int Status:text1! Creator:text25! Remark:text " + _AUDIT
_MASTER_LINE: Final = "Code:text50! LineId:int Object:text20! LogInst:int!"
_DOCUMENT_LINE: Final = "DocEntry:int! LineId:int VisOrder:int! Object:text20! LogInst:int!"


def _add_object(
    row: Row,
    enums: Mapping[str, EnumType],
    types: dict[str, EntityType],
    sets: dict[str, SetRow],
    user_types: dict[str, str],
) -> None:
    """A user-defined object: a set named by its code, child tables as ``<TABLE>Collection``."""
    code, table = row["Code"], row["TableName"]
    document = row.get("ObjectType") == "boud_Document"
    properties = _parse(_DOCUMENT if document else _MASTER, enums)
    for child in row.get("UserObjectMD_ChildTables", ()):
        name = f"{child['TableName']}"
        line = EntityType(name, _parse(_DOCUMENT_LINE if document else _MASTER_LINE, enums))
        line.rule = CollectionRule("LineId", first=1, order="VisOrder" if document else "")
        types[name] = line
        user_types[f"@{name}"] = name
        properties.append(Property(name=f"{name}Collection", kind="lines", lines=name))
    key = ("DocEntry",) if document else ("Code",)
    types[code] = EntityType(code, properties, key)
    user_types[f"@{table}"] = code
    indexes = ("U_instanceID", "U_REQUESTID", "U_SPNO")
    verbs = frozenset({"POST", "PATCH", "DELETE"} if row.get("CanDelete") == "tYES" else {"POST", "PATCH"})
    sets[code] = SetRow(code, code, key, f"@{table}", code, indexes, verbs)

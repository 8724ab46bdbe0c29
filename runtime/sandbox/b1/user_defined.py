"""User fields, tables and objects: what ``UserFieldsMD``, ``UserTablesMD`` and ``UserObjectsMD`` do to the company."""

from __future__ import annotations

import re

from .context import Context
from .faults import bad_request
from .rows import Key, Row
from .schema import udf_family

__all__ = ["complete_field", "complete_object", "complete_table", "drop_field", "share_field"]

#: Legal sizes by field type; a type without a row takes any size.
_SIZES = {"db_Alpha": (1, 254), "db_Numeric": (1, 11)}


def complete_field(context: Context, entity_set: str, row: Row) -> None:
    """Check and number a new user field.

    :raises ServiceFault: a bad name or size, an unknown table, or a field of this name is there already
    """
    if not re.fullmatch(r"\w{1,50}", row.get("Name", "")) or row["Name"].startswith("U_"):
        raise bad_request("Invalid field name", -5002)
    table = row.get("TableName", "")
    if not udf_family(table)[1] and context.find("UserTablesMD", table.removeprefix("@")) is None:
        raise bad_request(f"Table definition not found for '{table}'.", -5002)
    row.setdefault("Type", "db_Alpha")
    row.setdefault("SubType", "st_None")
    row.setdefault("Mandatory", "tNO")
    low, high = _SIZES.get(row["Type"], (None, None))
    size = row.setdefault("Size", {"db_Alpha": 10, "db_Numeric": 11}.get(row["Type"], 8))
    row.setdefault("EditSize", size)
    if low is not None and high is not None and not low <= size <= high:
        raise bad_request(f"Field size deviates from legal range [{low}..{high}]")
    taken = [context.get(entity_set, key) for key in context.matching(entity_set, "TableName", table)]
    if any(other["Name"].casefold() == row["Name"].casefold() for other in taken):
        raise bad_request("This entry already exists in the following tables (ODBC -2035)", -2035)
    row["FieldID"] = max((other["FieldID"] for other in taken), default=-1) + 1


def complete_table(context: Context, entity_set: str, row: Row) -> None:
    """Check a new user table.

    :raises ServiceFault: a bad name
    """
    if not re.fullmatch(r"\w{1,19}", row.get("TableName", "")):
        raise bad_request("Invalid table name", -5002)
    row.setdefault("TableType", "bott_NoObject")
    if f"U_{row['TableName']}" in context.schema.types:
        raise bad_request("This entry already exists in the following tables (ODBC -2035)", -2035)


def complete_object(context: Context, entity_set: str, row: Row) -> None:
    """Check a new user-defined object.

    :raises ServiceFault: a bad code, a code that names another set, or a table that is missing or of the wrong type
    """
    code, document = row.get("Code", ""), row.get("ObjectType") == "boud_Document"
    if not re.fullmatch(r"\w{1,20}", code) or code in context.schema.types or code in context.schema.sets:
        raise bad_request("Invalid object code", -5002)
    kind = "bott_Document" if document else "bott_MasterData"
    row.setdefault("ObjectType", "boud_MasterData")
    wanted = [(row.get("TableName", ""), kind)]
    wanted += [(child.get("TableName", ""), f"{kind}Lines") for child in row.get("UserObjectMD_ChildTables", [])]
    for table, table_kind in wanted:
        found = context.find("UserTablesMD", table)
        if found is None or found["TableType"] != table_kind:
            raise bad_request(f"Table definition not found for '@{table}'.", -5002)


def share_field(context: Context, entity_set: str, row: Row) -> None:
    """A field on one document table appears on every table of its family."""
    for table in udf_family(row["TableName"])[0]:
        if table != row["TableName"]:
            taken = [key[1] for key in context.matching(entity_set, "TableName", table)]
            number = max(taken, default=-1) + 1
            context.put(entity_set, (table, number), {**row, "TableName": table, "FieldID": number})


def drop_field(context: Context, key: Key) -> None:
    """Remove a user field from its whole family, and its values from the records."""
    field = context.get("UserFieldsMD", key)
    tables, types = udf_family(field["TableName"])
    for table in tables:
        for other in context.matching("UserFieldsMD", "TableName", table):
            if context.get("UserFieldsMD", other)["Name"] == field["Name"]:
                context.company.delete("UserFieldsMD", other)
    name = f"U_{field['Name']}"
    for rows in context.company.sets.values():
        shows = rows.definition.type in types or rows.definition.table == field["TableName"]
        line_names = [
            prop
            for prop, line_type in context.schema.type_of(rows.definition.name).line_types.items()
            if line_type.name in types or f"@{line_type.name}" == field["TableName"]
        ]
        for item in list(rows.keys) if shows or line_names else ():
            cleaned = {prop: value for prop, value in rows.rows[item].items() if not (shows and prop == name)}
            for prop in line_names:
                lines = cleaned.get(prop, [])
                cleaned[prop] = [{k: v for k, v in line.items() if k != name} for line in lines]
            if cleaned != rows.rows[item]:
                context.company.put(rows.definition.name, item, cleaned)

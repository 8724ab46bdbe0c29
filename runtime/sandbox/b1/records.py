"""Creating, changing and deleting records: the rules that every entity set shares, and which rules come on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from . import approvals, batches, documents, production, user_defined
from .context import Context
from .faults import bad_request
from .merging import merge
from .rows import Key, Row
from .schema import EntityType
from .values import stored_values

__all__ = ["create", "delete", "update"]

#: Completes a new row before it is stored: (context, entity set, row).
Complete = Callable[[Context, str, Row], None]

_ON_CREATE: Final[dict[str, Complete]] = {
    "Document": documents.complete_document,
    "StockTransfer": documents.complete_transfer,
    "ProductionOrder": production.complete_order,
    "ProductTree": production.complete_tree,
    "UserFieldMD": user_defined.complete_field,
    "UserTablesMD": user_defined.complete_table,
    "UserObjectsMD": user_defined.complete_object,
}
_AFTER_CREATE: Final[dict[str, tuple[Complete, ...]]] = {
    "Document": (production.book_production, batches.register_batches),
    "UserFieldMD": (user_defined.share_field,),
}
#: Checks and completes a changed row: (context, entity set, row before, row after).
_ON_UPDATE: Final[dict[str, Callable[[Context, str, Row, Row], None]]] = {
    "Document": documents.recompute_document,
    "StockTransfer": documents.recompute_transfer,
    "ProductionOrder": production.check_transition,
    "ProductTree": production.recompute_tree,
}


def create(context: Context, entity_set: str, body: Mapping[str, Any]) -> Key:
    """POST: add a record from a JSON body and return its key.

    :raises ServiceFault: a property or a business rule is violated; nothing is stored
    """
    entity_type = _writable(context, entity_set, "POST")
    values = stored_values(body, entity_type, context.schema.types)
    row = merge({}, values, entity_type, replace=False)
    apply_defaults(row, entity_type)
    return store_new(context, entity_set, row)


def store_new(context: Context, entity_set: str, row: Row) -> Key:
    """Number, complete and store a new row that is already in stored form."""
    definition = context.company.sets[entity_set].definition
    entity_type = context.schema.type_of(entity_set)
    _stamp(context, entity_set, row)
    complete = _ON_CREATE.get(entity_type.name)
    if complete is not None:
        complete(context, entity_set, row)
    if len(entity_type.key) == 1 and entity_type.properties[entity_type.key[0]].kind == "int":
        row[entity_type.key[0]] = context.company.next_entry(definition.table)
    missing = [name for name in entity_type.key if row.get(name) in {None, ""}]
    if missing:
        raise bad_request(f"Property '{missing[0]}' of '{entity_type.name}' is missing", -1000)
    key = tuple(row[name] for name in entity_type.key)
    key = key[0] if len(key) == 1 else key
    if context.find(entity_set, key) is not None:
        raise _duplicate(entity_set, key)
    _link_lines(row, entity_type, key)
    context.put(entity_set, key, row)
    for follow in _AFTER_CREATE.get(entity_type.name, ()):
        follow(context, entity_set, row)
    return key


def update(context: Context, entity_set: str, key: Key, body: Mapping[str, Any], *, replace: bool) -> None:
    """PATCH: change the properties that the body names.

    :param replace: lines that a sent collection does not name are removed
    :raises ServiceFault: a property or a business rule is violated; nothing is stored
    """
    entity_type = _writable(context, entity_set, "PATCH")
    before = context.get(entity_set, key)
    values = stored_values(body, entity_type, context.schema.types)
    for name in entity_type.key:
        values.pop(name, None)
    if entity_set == "ApprovalRequests":
        approvals.decide(context, key, values)
        return
    row = merge(before, values, entity_type, replace=replace)
    for name, line_type in entity_type.line_types.items():
        if name in values:
            known = {id(line) for line in before.get(name, [])}
            for line in row[name]:
                if id(line) not in known:
                    apply_defaults(line, line_type)
    check = _ON_UPDATE.get(entity_type.name)
    if check is not None:
        check(context, entity_set, before, row)
    if any(name in values for name in entity_type.line_types):
        _link_lines(row, entity_type, key)
    context.put(entity_set, key, row)


def delete(context: Context, entity_set: str, key: Key) -> None:
    """DELETE: remove a record and what belongs to it alone.

    :raises ServiceFault: there is none, or records of this set cannot be deleted (-5006)
    """
    context.get(entity_set, key)
    _writable(context, entity_set, "DELETE")
    if entity_set in {"Drafts", "StockTransferDrafts"}:
        approvals.drop(context, key)
    if entity_set == "UserFieldsMD":
        user_defined.drop_field(context, key)
        return
    context.company.delete(entity_set, key)


def apply_defaults(row: Row, entity_type: EntityType) -> None:
    """User fields of a new record or line take their default value where none was given."""
    for prop in entity_type.properties.values():
        if prop.default is not None and prop.default != "" and row.get(prop.name) is None:
            row[prop.name] = stored_values({prop.name: prop.default}, entity_type, {})[prop.name]
    for name, line_type in entity_type.line_types.items():
        for line in row.get(name, []):
            apply_defaults(line, line_type)


def _writable(context: Context, entity_set: str, verb: str) -> EntityType:
    if verb not in context.company.sets[entity_set].definition.verbs:
        raise bad_request("The requested action is not supported for this object.", -5006)
    return context.schema.type_of(entity_set)


def _duplicate(entity_set: str, key: Key) -> Exception:
    if entity_set == "BusinessPartners":
        text = f"1320000140 - Business partner code '{key}' already assigned to a business partner"
        return bad_request(f"{text}; enter a unique business partner code", -10)
    return bad_request("This entry already exists in the following tables (ODBC -2035)", -2035)


def _stamp(context: Context, entity_set: str, row: Row) -> None:
    entity_type = context.schema.type_of(entity_set)
    rows = context.company.sets[entity_set]
    stamps: Row = {
        "DocNum": rows.last_number + 1,
        "DocumentNumber": rows.last_number + 1,
        "CreationDate": context.today,
        "CreateDate": context.today,
        "CreationTime": context.time,
        "CreateTime": context.time,
        "DocTime": context.time,
        "UserSign": context.user,
        "UserSignature": context.user,
    }
    if rows.definition.table.startswith("@"):
        stamps |= {"Object": rows.definition.code, "Canceled": "N", "Status": "O", "DataSource": "O", "LogInst": 0}
        stamps["Creator"] = (context.find("Users", context.user) or {}).get("UserCode", "")
    for name, value in stamps.items():
        if name in entity_type.properties:
            row[name] = value


def _link_lines(row: Row, entity_type: EntityType, key: Key) -> None:
    """Lines carry the key of their record; replaces the line dicts, which may be shared with the row before."""
    parents: dict[str, Any] = {}
    for name in entity_type.key:
        parents[name] = row[name]
    aliases = {
        "DocumentAbsoluteEntry": row.get("AbsoluteEntry"),
        "ParentItem": row.get("TreeCode"),
        "ItemNo": row.get("ItemCode"),
        "BPCode": row.get("CardCode"),
    }
    for name, line_type in entity_type.line_types.items():
        linked = {}
        for parent, value in (aliases | parents).items():
            prop = line_type.properties.get(parent)
            if prop is not None and prop.read_only and value is not None:
                linked[parent] = value
        if linked and row.get(name):
            row[name] = [{**line, **linked} for line in row[name]]

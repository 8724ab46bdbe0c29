"""Actions: what is done to a record by name, and the services that belong to no record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from . import approvals, documents, production, records
from .context import Context
from .faults import ServiceFault, bad_request, not_found
from .merging import merge
from .rows import Key, Row
from .tables import OBJECTS
from .values import stored_values

__all__ = ["BOUND", "SAVE_DRAFT", "save_draft", "user_object_action"]

#: Unbound action that adds a draft as the document that it stands for.
SAVE_DRAFT: Final = "DraftsService_SaveDraftToDocument"

#: What a document keeps from its draft's own life: nothing of this.
_OWN: Final = frozenset({"odata.etag", "DocEntry", "DocNum", "DocumentStatus", "AuthorizationStatus", "UpdateDate"})


def save_draft(context: Context, body: Mapping[str, Any]) -> None:
    """``DraftsService_SaveDraftToDocument``: the document is added, the draft closed, the approval request deleted.

    :param body: ``{"Document": {"DocEntry": n, …}}``; further properties go into the document
    :raises ServiceFault: there is no such draft, it was added before, or its approval is pending or refused
    """
    sent = body.get("Document")
    if not isinstance(sent, dict) or not re.fullmatch(r"[0-9]{1,18}", str(sent.get("DocEntry", ""))):
        raise bad_request("Property 'DocEntry' of 'Document' is missing", -1000)
    changes = {name: value for name, value in sent.items() if name != "DocEntry"}
    add_draft(context, approvals.draft_set(context, int(sent["DocEntry"])), int(sent["DocEntry"]), changes)


def add_draft(context: Context, entity_set: str, entry: Key, changes: Mapping[str, Any]) -> None:
    """Turn one draft into its document; see :func:`save_draft`."""
    draft = context.get(entity_set, entry)
    if draft["DocumentStatus"] == "bost_Close":
        raise bad_request("Document is already closed")
    if draft["AuthorizationStatus"][3:] in {"Pending", "Rejected"}:
        raise bad_request("Draft document cannot be added: it is not approved")
    target = OBJECTS[documents.object_code(context, draft)]
    target_type = context.schema.type_of(target)
    copied: Row = {name: value for name, value in draft.items() if name not in _OWN and name in target_type.properties}
    copied = merge(copied, stored_values(changes, target_type, context.schema.types), target_type, replace=False)
    for name, line_type in target_type.line_types.items():
        source = copied.get(name) or draft.get("DocumentLines", [])  # a transfer may stand among the other drafts
        copied[name] = [{prop: line[prop] for prop in line if prop in line_type.properties} for line in source]
    records.store_new(context, target, copied)
    prefix = "das" if entity_set == "Drafts" else "sas"
    approvals.drop(context, entry)
    closed = {"DocumentStatus": "bost_Close", "AuthorizationStatus": f"{prefix}Without"}
    context.put(entity_set, entry, {**draft, **closed})


def user_object_action(context: Context, entity_set: str, key: Key, name: str) -> None:
    """``Close`` and ``Cancel`` of a user-defined object.

    :raises ServiceFault: the object does not allow it
    """
    row = dict(context.get(entity_set, key))
    definition = context.find("UserObjectsMD", entity_set) or {}
    allowed = {"Close": "CanClose", "Cancel": "CanCancel"}.get(name)
    if allowed is None:
        raise not_found()
    if definition.get(allowed) != "tYES" or row.get("Status") == "C" or row.get("Canceled") == "Y":
        raise bad_request("The requested action is not supported for this object.", -5006)
    if "Status" in context.schema.type_of(entity_set).properties:
        row["Status"] = "C"
    if name == "Cancel":
        row["Canceled"] = "Y"
    context.put(entity_set, key, row)


def _save_bound(context: Context, entity_set: str, key: Key) -> None:
    if entity_set not in {"Drafts", "StockTransferDrafts"}:
        raise ServiceFault(404, 205, "Unrecognized resource path.")
    add_draft(context, entity_set, key, {})


#: Actions of a record: (type, action) -> what it does.
BOUND: Final[dict[tuple[str, str], Callable[[Context, str, Key], None]]] = {
    ("Document", "Close"): documents.close_document,
    ("Document", "Cancel"): documents.cancel_document,
    ("Document", "Reopen"): documents.reopen_document,
    ("Document", "SaveDraftToDocument"): _save_bound,
    ("StockTransfer", "Close"): documents.close_document,
    ("StockTransfer", "Cancel"): documents.cancel_document,
    ("StockTransfer", "SaveDraftToDocument"): _save_bound,
    ("ProductionOrder", "Cancel"): production.cancel_order,
}

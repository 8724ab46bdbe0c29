"""Marketing documents and stock transfers: defaults, line prices, totals, base documents, closing and cancelling."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from .context import Context
from .faults import bad_request
from .production import PRODUCTION_ORDER
from .rows import Key, Row
from .tables import OBJECTS
from .values import decimal

__all__ = [
    "cancel_document",
    "close_document",
    "complete_document",
    "complete_transfer",
    "object_code",
    "recompute_document",
    "recompute_transfer",
    "reopen_document",
]

CURRENCY: Final = "RMB"
#: Value added tax of the demo company, percent.
TAX: Final = decimal(13)
_CENT: Final = Decimal("0.01")

_TRANSFER_REQUEST: Final = "1250000001"
#: Documents without a price of their own: no tax.
_UNTAXED: Final = frozenset({"59", "60", "67", "1250000001"})
#: Documents that move stock, so that batches must be complete.
_STOCK: Final = frozenset({"DeliveryNotes", "Returns", "PurchaseDeliveryNotes", "PurchaseReturns"})
_PRODUCTION_SETS: Final = frozenset({"InventoryGenEntries", "InventoryGenExits"})
#: Documents that need a business partner.
_WITH_PARTNER: Final = frozenset(
    {"13", "14", "15", "16", "17", "18", "20", "21", "22", "23", "540000006"},
)


def object_code(context: Context, row: Row) -> str:
    """SAP object code of what a document (or draft) is or will be, e.g. ``1470000113``."""
    member = row.get("DocObjectCode", "")
    return str(context.schema.enums["BoObjectTypes"].members.get(member, member))


def complete_document(context: Context, entity_set: str, row: Row) -> None:
    """Defaults of a new document, its lines and totals.

    :raises ServiceFault: the kind of a draft, a business partner, an item or a batch is missing or wrong
    """
    definition = context.company.sets[entity_set].definition
    if entity_set != "Drafts":
        row["DocObjectCode"] = context.schema.enums["BoObjectTypes"].member(definition.code)
    elif object_code(context, row) not in OBJECTS:
        raise bad_request("Property 'DocObjectCode' of a draft must name the kind of document")
    code = object_code(context, row)
    _complete_partner(context, row, code)
    if code == "1470000113":
        _complete_requester(context, row)
    row.setdefault("DocDate", context.today)
    defaults: Row = {
        "DocType": "dDocument_Items",
        "DocDueDate": row["DocDate"],
        "TaxDate": row["DocDate"],
        "DocCurrency": CURRENCY,
        "DocRate": decimal(1),
        "Confirmed": "tYES",
    }
    for name, value in defaults.items():
        row.setdefault(name, value)
    row |= {
        "DocumentStatus": "bost_Open",
        "Cancelled": "tNO",
        "CancelStatus": "csNo",
        "AuthorizationStatus": "dasWithout",
    }
    recompute_document(context, entity_set, {}, row)


def recompute_document(context: Context, entity_set: str, before: Row, row: Row) -> None:
    """Complete the lines and add up the totals; a closed document cannot change its lines.

    :raises ServiceFault: the document is closed, or a line is wrong
    """
    lines = row.get("DocumentLines", [])
    if before and lines is before.get("DocumentLines", lines):
        return
    if before.get("DocumentStatus") == "bost_Close":
        raise bad_request("Document is already closed")
    code, old = object_code(context, row), {line["LineNum"]: line for line in before.get("DocumentLines", [])}
    completed = []
    for line in lines:
        fresh, was = dict(line), old.get(line["LineNum"], {})
        if line is not was:
            if was and fresh.get("Price") != was["Price"] and fresh.get("UnitPrice") == was["UnitPrice"]:
                fresh["UnitPrice"] = fresh.get("Price", was["UnitPrice"])
            _complete_line(context, entity_set, fresh, code)
        completed.append(fresh)
    row["DocumentLines"] = completed
    taxes = sum((line["TaxTotal"] for line in completed), Decimal(0))
    row["VatSum"] = decimal(taxes)
    row["DocTotal"] = decimal(sum((line["LineTotal"] for line in completed), taxes))


def complete_transfer(context: Context, entity_set: str, row: Row) -> None:
    """Defaults of a new stock transfer (or draft of one) and its lines.

    :raises ServiceFault: a line is wrong
    """
    definition = context.company.sets[entity_set].definition
    if entity_set != "StockTransferDrafts" or row.get("DocObjectCode") != _TRANSFER_REQUEST:
        row["DocObjectCode"] = "67" if entity_set == "StockTransferDrafts" else definition.code
    row.setdefault("DocDate", context.today)
    row.setdefault("DueDate", row["DocDate"])
    row.setdefault("TaxDate", row["DocDate"])
    row |= {"DocumentStatus": "bost_Open", "AuthorizationStatus": "sasWithout"}
    recompute_transfer(context, entity_set, {}, row)


def recompute_transfer(context: Context, entity_set: str, before: Row, row: Row) -> None:
    """Complete the lines of a transfer.

    :raises ServiceFault: the transfer is closed, or a line is wrong
    """
    lines = row.get("StockTransferLines", [])
    if before and lines is before.get("StockTransferLines", lines):
        return
    if before.get("DocumentStatus") == "bost_Close":
        raise bad_request("Document is already closed")
    completed = []
    for line in lines:
        fresh = dict(line)
        item = _item(context, fresh)
        defaults: Row = {
            "ItemDescription": item.get("ItemName", ""),
            "Quantity": decimal(1),
            "MeasureUnit": item.get("InventoryUOM", ""),
            "FromWarehouseCode": row.get("FromWarehouse", "01"),
            "WarehouseCode": row.get("ToWarehouse", "01"),
            "Price": item.get("AvgStdPrice", decimal(0)),
            "LineStatus": "bost_Open",
        }
        for name, value in defaults.items():
            fresh.setdefault(name, value)
        fresh["RemainingOpenQuantity"] = fresh["Quantity"]
        if item.get("ManageBatchNumbers") == "tYES" and entity_set == "StockTransfers":
            _check_batches(fresh, fresh["Quantity"])
        completed.append(fresh)
    row["StockTransferLines"] = completed


def close_document(context: Context, entity_set: str, key: Key) -> None:
    """``…(n)/Close``

    :raises ServiceFault: it is closed already
    """
    row = _open_document(context, entity_set, key)
    row |= {"DocumentStatus": "bost_Close", "ClosingDate": context.today}
    _set_lines(context, entity_set, row, "bost_Close")
    context.put(entity_set, key, row)


def cancel_document(context: Context, entity_set: str, key: Key) -> None:
    """``…(n)/Cancel``

    :raises ServiceFault: it is closed already
    """
    row = _open_document(context, entity_set, key)
    row |= {"DocumentStatus": "bost_Close", "Cancelled": "tYES", "CancelStatus": "csYes", "CancelDate": context.today}
    _set_lines(context, entity_set, row, "bost_Close")
    context.put(entity_set, key, row)


def reopen_document(context: Context, entity_set: str, key: Key) -> None:
    """``…(n)/Reopen``

    :raises ServiceFault: it is open, or was cancelled
    """
    row = dict(context.get(entity_set, key))
    if row["DocumentStatus"] != "bost_Close" or row.get("Cancelled") == "tYES":
        raise bad_request("Document cannot be reopened")
    row["DocumentStatus"] = "bost_Open"
    row.pop("ClosingDate", None)
    _set_lines(context, entity_set, row, "bost_Open")
    context.put(entity_set, key, row)


def _open_document(context: Context, entity_set: str, key: Key) -> Row:
    row = dict(context.get(entity_set, key))
    if row["DocumentStatus"] == "bost_Close":
        raise bad_request("Document is already closed")
    return row


def _set_lines(context: Context, entity_set: str, row: Row, status: str) -> None:
    for name, line_type in context.schema.type_of(entity_set).line_types.items():
        if "LineStatus" in line_type.properties:
            row[name] = [{**line, "LineStatus": status} for line in row.get(name, [])]


def _complete_partner(context: Context, row: Row, code: str) -> None:
    if code not in _WITH_PARTNER and not row.get("CardCode"):
        return
    partner = context.find("BusinessPartners", row.get("CardCode", ""))
    if partner is None:
        raise bad_request(f"Business partner '{row.get('CardCode', '')}' does not exist")
    row.setdefault("CardName", partner.get("CardName", ""))


def _complete_requester(context: Context, row: Row) -> None:
    user = context.find("Users", context.user) or {}
    if not row.get("Requester"):
        row["Requester"] = user.get("UserCode", "")
    known = context.matching("Users", "UserCode", row["Requester"])
    requester: Row = context.get("Users", known[0]) if known else {}
    row.setdefault("ReqType", 12)
    row.setdefault("RequesterName", requester.get("UserName", row["Requester"]))
    if requester.get("Department") is not None:
        row.setdefault("RequesterDepartment", requester["Department"])
    if requester.get("eMail"):
        row.setdefault("RequesterEmail", requester["eMail"])
    row.setdefault("RequriedDate", row.get("DocDueDate", row.get("DocDate", context.today)))


def _complete_line(context: Context, entity_set: str, line: Row, code: str) -> None:
    _derive_from_base(context, line)
    item = _item(context, line)
    quantity = line.setdefault("Quantity", decimal(1))
    discount = line.setdefault("DiscountPercent", decimal(0))
    if "UnitPrice" not in line:
        line["UnitPrice"] = line.get("Price", item.get("AvgStdPrice", decimal(0)))
    line["Price"] = decimal(line["UnitPrice"] * (100 - discount) / 100)
    rate = line.setdefault("TaxPercentagePerRow", decimal(0) if code in _UNTAXED else TAX)
    line["PriceAfterVAT"] = decimal(line["Price"] * (100 + rate) / 100)
    line["LineTotal"] = decimal((line["Price"] * quantity).quantize(_CENT, ROUND_HALF_UP))
    line["TaxTotal"] = decimal((line["LineTotal"] * rate / 100).quantize(_CENT, ROUND_HALF_UP))
    line["GrossTotal"] = decimal(line["LineTotal"] + line["TaxTotal"])
    defaults: Row = {
        "ItemDescription": item.get("ItemName", ""),
        "WarehouseCode": item.get("DefaultWarehouse", "01"),
        "MeasureUnit": item.get("PurchaseUnit" if code in {"22", "1470000113"} else "InventoryUOM", ""),
        "UnitsOfMeasurment": decimal(1),
        "UseBaseUnits": "tNO",
        "Currency": CURRENCY,
        "BaseType": -1,
        "LineStatus": "bost_Open",
    }
    for name, value in defaults.items():
        line.setdefault(name, value)
    line["RemainingOpenQuantity"] = quantity
    if code == "1470000113":
        line.setdefault("RequiredQuantity", quantity)
    if item.get("ManageBatchNumbers") == "tYES" and entity_set in _STOCK | _PRODUCTION_SETS:
        _check_batches(line, quantity)


def _derive_from_base(context: Context, line: Row) -> None:
    """Item, open quantity and price of a line that is drawn from a base document.

    :raises ServiceFault: the base document or its line does not exist
    """
    base_type, entry, number = line.get("BaseType"), line.get("BaseEntry"), line.get("BaseLine")
    base_set = OBJECTS.get(str(base_type))
    if base_set is None or entry is None:
        return
    base = context.get(base_set, entry)
    if base_type == PRODUCTION_ORDER:
        if base["ProductionOrderStatus"] != "boposReleased":
            raise bad_request("Production order is not released")
        if number is None:
            line["ItemCode"] = base["ItemNo"]
            line.setdefault("Quantity", decimal(max(base["PlannedQuantity"] - base["CompletedQuantity"], 0)))
            return
        candidates, key, code = base["ProductionOrderLines"], "LineNumber", "ItemNo"
    else:
        if base.get("DocumentStatus") == "bost_Close":
            raise bad_request("Document is already closed")
        candidates, key, code = base.get("DocumentLines", []), "LineNum", "ItemCode"
    match: dict[str, Any] | None = next((other for other in candidates if other[key] == (number or 0)), None)
    if match is None:
        raise bad_request(f"Base line {number} does not exist")
    line.setdefault("ItemCode", match[code])
    if "RemainingOpenQuantity" in match:
        line.setdefault("Quantity", match["RemainingOpenQuantity"])
    if "UnitPrice" in match:
        line.setdefault("UnitPrice", match["UnitPrice"])


def _item(context: Context, line: Row) -> Row:
    code = line.get("ItemCode")
    if not code:
        return {}
    item = context.find("Items", code)
    if item is None:
        raise bad_request(f"Item '{code}' does not exist")
    if item.get("Frozen") == "tYES" or item.get("Valid") == "tNO":
        raise bad_request(f"Item '{code}' is inactive")
    return item


def _check_batches(line: Row, quantity: Decimal) -> None:
    given = sum((batch.get("Quantity", Decimal(0)) for batch in line.get("BatchNumbers", [])), Decimal(0))
    if given != quantity:
        raise bad_request("Cannot add row without complete selection of batch/serial numbers")

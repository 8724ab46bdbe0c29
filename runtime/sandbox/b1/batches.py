"""Batches: registered when they come in, counted over the posted documents that move them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .context import Context
from .rows import Row

__all__ = ["batch_stock", "register_batches"]

#: Entity set -> +1 where its documents bring batches in, -1 where they take them out.
_MOVES: Final = {
    **{"InventoryGenEntries": 1, "PurchaseDeliveryNotes": 1, "Returns": 1},
    **{"InventoryGenExits": -1, "DeliveryNotes": -1, "PurchaseReturns": -1},
}


def register_batches(context: Context, entity_set: str, row: Row) -> None:
    """A posted document that brings in a batch nobody knew yet makes it known (OBTN)."""
    if _MOVES.get(entity_set) != 1:
        return
    for line in row.get("DocumentLines", []):
        for batch in line.get("BatchNumbers", []):
            number, item = batch.get("BatchNumber"), line.get("ItemCode", "")
            known = [context.get("BatchNumberDetails", key) for key in context.matching(*_OF_ITEM, item)]
            if not number or any(other["Batch"] == number for other in known):
                continue
            detail: Row = {
                "DocEntry": context.company.next_entry("OBTN"),
                "ItemCode": item,
                "ItemDescription": line.get("ItemDescription", ""),
                "Batch": number,
                "Status": "bdsStatus_Released",
                "SystemNumber": len(known) + 1,
                "AdmissionDate": batch.get("AddmisionDate", row["DocDate"]),
                "ManufacturingDate": batch.get("ManufacturingDate"),
                "ExpirationDate": batch.get("ExpiryDate"),
                "BatchAttribute1": batch.get("ManufacturerSerialNumber"),
            }
            kept = {name: value for name, value in detail.items() if value is not None}
            context.put("BatchNumberDetails", detail["DocEntry"], kept)


def batch_stock(context: Context, item: str) -> list[tuple[str, Decimal]]:
    """Batches of an item that are in stock with their quantities, the oldest admission first."""
    stock: dict[str, Decimal] = {}
    for entity_set, sign in _MOVES.items():
        for row in context.company.sets[entity_set].rows.values():
            for line in row.get("DocumentLines", []):
                for batch in line.get("BatchNumbers", []) if line.get("ItemCode") == item else []:
                    number = batch.get("BatchNumber", "")
                    stock[number] = stock.get(number, Decimal(0)) + sign * batch.get("Quantity", Decimal(0))
    details = [context.get("BatchNumberDetails", key) for key in context.matching(*_OF_ITEM, item)]
    details.sort(key=lambda detail: (detail.get("AdmissionDate", ""), detail["DocEntry"]))
    return [(detail["Batch"], stock[detail["Batch"]]) for detail in details if stock.get(detail["Batch"], 0) > 0]


_OF_ITEM: Final = ("BatchNumberDetails", "ItemCode")

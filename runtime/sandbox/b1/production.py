"""Bills of materials and production orders."""

from __future__ import annotations

from decimal import Decimal

from .context import Context
from .faults import bad_request
from .merging import new_lines
from .rows import Row
from .values import decimal

__all__ = [
    "PRODUCTION_ORDER",
    "book_production",
    "cancel_order",
    "check_transition",
    "complete_order",
    "complete_tree",
    "recompute_tree",
]

#: Object code of a production order as base document.
PRODUCTION_ORDER = 202

_ALLOWED = {
    "boposPlanned": {"boposPlanned", "boposReleased", "boposCancelled"},
    "boposReleased": {"boposReleased", "boposClosed", "boposCancelled"},
}


def complete_tree(context: Context, entity_set: str, row: Row) -> None:
    """Defaults of a new bill of materials.

    :raises ServiceFault: the product or a component is no item
    """
    _item(context, row.get("TreeCode"))
    row.setdefault("TreeType", "iProductionTree")
    row.setdefault("Quantity", decimal(1))
    row["ProductDescription"] = _item(context, row.get("TreeCode")).get("ItemName", "")
    lines = []
    for line in row.get("ProductTreeLines", []):
        item = _item(context, line.get("ItemCode"))
        defaults: Row = {
            "ItemName": item.get("ItemName", ""),
            "Quantity": decimal(1),
            "IssueMethod": "im_Manual",
            "ItemType": "pit_Item",
            "Warehouse": item.get("DefaultWarehouse", "01"),
            "InventoryUOM": item.get("InventoryUOM", ""),
        }
        lines.append({**defaults, **line})
    row["ProductTreeLines"] = lines


def complete_order(context: Context, entity_set: str, row: Row) -> None:
    """Defaults of a new production order; without lines it takes those of the bill of materials.

    :raises ServiceFault: the product is no item, or there is no quantity
    """
    item = _item(context, row.get("ItemNo"))
    quantity = row.get("PlannedQuantity", Decimal(0))
    if quantity <= 0:
        raise bad_request("Quantity must be greater than zero")
    defaults: Row = {
        "ProductDescription": item.get("ItemName", ""),
        "ProductionOrderType": "bopotStandard",
        "CompletedQuantity": decimal(0),
        "RejectedQuantity": decimal(0),
        "PostingDate": context.today,
        "StartDate": row.get("PostingDate", context.today),
        "DueDate": row.get("PostingDate", context.today),
        "Warehouse": item.get("DefaultWarehouse", "01"),
        "InventoryUOM": item.get("InventoryUOM", ""),
    }
    for name, value in defaults.items():
        row.setdefault(name, value)
    row["ProductionOrderStatus"] = "boposPlanned"
    line_type = context.schema.types["ProductionOrder"].line_types["ProductionOrderLines"]
    tree = context.find("ProductTrees", row["ItemNo"])
    if not row.get("ProductionOrderLines") and tree is not None:
        row["ProductionOrderLines"] = new_lines(
            [
                {
                    "ItemNo": line["ItemCode"],
                    "BaseQuantity": decimal(line["Quantity"] / tree["Quantity"]),
                    "Warehouse": line["Warehouse"],
                    "ProductionOrderIssueType": line["IssueMethod"],
                }
                for line in tree["ProductTreeLines"]
            ],
            line_type,
        )
    row["ProductionOrderLines"] = [_line(context, line, quantity) for line in row.get("ProductionOrderLines", [])]


def recompute_tree(context: Context, entity_set: str, before: Row, row: Row) -> None:
    """Complete the lines of a changed bill of materials."""
    complete_tree(context, entity_set, row)


def check_transition(context: Context, entity_set: str, before: Row, row: Row) -> None:
    """Planned → released → closed; a closed or cancelled order stays as it is.

    :raises ServiceFault: another step
    """
    old, new = before["ProductionOrderStatus"], row["ProductionOrderStatus"]
    if new not in _ALLOWED.get(old, set()):
        raise bad_request(f"Production order status cannot change from '{old}' to '{new}'")
    if new != old and new == "boposReleased":
        row["ReleaseDate"] = context.today
    if new != old and new == "boposClosed":
        row["ClosingDate"] = context.today
    row["ProductionOrderLines"] = [
        _line(context, line, row["PlannedQuantity"]) for line in row.get("ProductionOrderLines", [])
    ]


def cancel_order(context: Context, entity_set: str, key: int) -> None:
    """``ProductionOrders(n)/Cancel``

    :raises ServiceFault: it is closed, cancelled, or something was produced already
    """
    row = dict(context.get(entity_set, key))
    if row["ProductionOrderStatus"] not in _ALLOWED or row["CompletedQuantity"] > 0:
        raise bad_request("Production order cannot be cancelled")
    row["ProductionOrderStatus"] = "boposCancelled"
    context.put(entity_set, key, row)


def book_production(context: Context, entity_set: str, row: Row) -> None:
    """A posted receipt completes its production order, a posted issue consumes the component."""
    for line in row.get("DocumentLines", []) if entity_set in {"InventoryGenEntries", "InventoryGenExits"} else []:
        if line.get("BaseType") != PRODUCTION_ORDER:
            continue
        order = dict(context.get("ProductionOrders", line["BaseEntry"]))
        sign = 1 if entity_set == "InventoryGenExits" else -1
        if line.get("BaseLine") is None:
            order["CompletedQuantity"] = decimal(order["CompletedQuantity"] + line["Quantity"])
        else:
            order["ProductionOrderLines"] = [
                {**part, "IssuedQuantity": decimal(part["IssuedQuantity"] + sign * line["Quantity"])}
                if part["LineNumber"] == line["BaseLine"]
                else part
                for part in order["ProductionOrderLines"]
            ]
        context.put("ProductionOrders", line["BaseEntry"], order)


def _line(context: Context, line: Row, quantity: Decimal) -> Row:
    item = _item(context, line.get("ItemNo"))
    base = line.get("BaseQuantity", decimal(1))
    defaults: Row = {
        "ItemName": item.get("ItemName", ""),
        "BaseQuantity": base,
        "PlannedQuantity": decimal(base * quantity),
        "IssuedQuantity": decimal(0),
        "ProductionOrderIssueType": "im_Manual",
        "ItemType": "pit_Item",
        "Warehouse": item.get("DefaultWarehouse", "01"),
    }
    return {**defaults, **line}


def _item(context: Context, code: str | None) -> Row:
    item = context.find("Items", code or "")
    if item is None:
        raise bad_request(f"Item '{code or ''}' does not exist")
    return item

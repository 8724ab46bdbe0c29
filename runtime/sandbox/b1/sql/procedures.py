"""Stored procedures of the demo company, called with ``CALL NAME(…)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ..batches import batch_stock
from ..context import Context
from ..rows import Row
from ..values import decimal
from .hana import SqlRefused

__all__ = ["PROCEDURES"]


def _issue_lines(context: Context, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """``CALL TMDK(order, line, quantity)``: what to issue for a production order when its product is received.

    :param arguments: the order's ``DocEntry``; the component's ``LineNum``, or an empty text for all components; how
        many of the product are received. A component needs ``BaseQty`` times that.
    :returns: ``DocEntry LineNum ItemCode wareHouse BatchNumber Quantity``, one row for each component, or for each
        batch to take, the oldest first, where the component is managed by batches. What the batches in stock do not
        cover is left out, so that the issue is refused as incomplete.
    :raises SqlRefused: an argument does not fit, or there is no such order or line
    """
    if len(arguments) != 3:
        raise SqlRefused("wrong number or types of parameters in call: TMDK(order, line, quantity)")
    try:
        entry, quantity = int(arguments[0]), Decimal(arguments[2])
        number = int(arguments[1]) if arguments[1].strip() else None
    except (ValueError, InvalidOperation) as error:
        raise SqlRefused(f"invalid number: {', '.join(arguments)}") from error
    order = context.find("ProductionOrders", entry)
    if order is None or not quantity.is_finite():
        raise SqlRefused(f"TMDK: production order {entry} does not exist")
    lines = [line for line in order["ProductionOrderLines"] if number in {None, line["LineNumber"]}]
    if not lines:
        raise SqlRefused(f"TMDK: production order {entry} has no line {arguments[1]}")
    return [issue for line in lines for issue in _issues(context, entry, line, quantity)]


def _issues(context: Context, entry: int, line: Row, quantity: Decimal) -> list[dict[str, Any]]:
    needed = decimal(line["BaseQuantity"] * quantity)
    issue = {"DocEntry": entry, "LineNum": line["LineNumber"], "ItemCode": line["ItemNo"]}
    issue["wareHouse"] = line["Warehouse"]
    if (context.find("Items", line["ItemNo"]) or {}).get("ManageBatchNumbers") != "tYES":
        return [{**issue, "BatchNumber": None, "Quantity": needed}]
    issues = []
    for batch, there in batch_stock(context, line["ItemNo"]):
        taken = min(needed, there)
        needed -= taken
        if taken > 0:
            issues.append({**issue, "BatchNumber": batch, "Quantity": decimal(taken)})
    return issues


#: Name in upper case -> what it answers for its arguments, given as texts.
PROCEDURES: Final[dict[str, Callable[[Context, Sequence[str]], list[dict[str, Any]]]]] = {"TMDK": _issue_lines}

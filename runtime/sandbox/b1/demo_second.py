"""Demo data of the second company: the same people and items, its own partner, drafts and orders."""

from __future__ import annotations

from typing import Final

from . import records
from .context import Context
from .demo_drafts import PurchaseRequest, seed_requests

__all__ = ["seed_second"]

_REQUESTS: Final = (
    PurchaseRequest("lisi", "计划请购", "MRP2-2026-0007", "二厂：轴承备料", -2, (("R10001", "300", "二厂备料"),)),
    PurchaseRequest("zhangsan", "零星请购", "", "二厂：纸箱补库", 0, (("P10001", "450", "二厂补库"),)),
)


def seed_second(context: Context) -> None:
    """Two unsynced purchase request drafts, a customer, and an order of it."""
    seed_requests(context, _REQUESTS)
    customer = {"CardCode": "C9001", "CardName": "合肥科隆传动有限公司", "CardType": "cCustomer", "Currency": "RMB"}
    records.create(context, "BusinessPartners", {**customer, "U_CardShortName": "科隆传动", "Valid": "tYES"})
    line = {"ItemCode": "F30001", "Quantity": 4, "UnitPrice": 700}
    order = {"CardCode": "C9001", "U_UserID": "user-lisi", "U_BMID": "1002", "DocumentLines": [line]}
    records.create(context, "Orders", order)

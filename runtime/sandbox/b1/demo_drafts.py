"""Demo data, second part: drafts that wait for approval, posted documents, production, special prices."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, islice
from typing import Any, Final, NamedTuple

from . import actions, approvals, records
from .context import Context
from .demo_company import TEMPLATE_INVENTORY, TEMPLATE_REQUEST, TEMPLATE_SCRAP, UNIT_PRICE, day
from .rows import Row

__all__ = ["PurchaseRequest", "generate", "seed_documents", "seed_requests", "set_author"]

_REQUEST: Final = "1470000113"
_RECEIPT: Final = "59"
_ISSUE: Final = "60"

#: Requester -> name, department in B1, account and department in DingTalk, number in e-cology.
_PEOPLE: Final = {
    "zhangsan": ("张三", 1, "user-zhangsan", "1001", "15"),
    "lisi": ("李四", 2, "user-lisi", "1002", "16"),
    "wangwu": ("王五", 3, "user-wangwu", "1003", "17"),
}


class PurchaseRequest(NamedTuple):
    """A purchase request: who wants what, and why."""

    requester: str
    kind: str
    #: Number of the document that asked for it.
    source: str
    remark: str
    #: Document date, in days from today.
    offset: int
    #: Lines as (item, quantity, reason).
    lines: tuple[tuple[str, str, str], ...]


_WORK_ORDER: Final = (
    ("R10007", "320", "箱体加工"),
    ("R10005", "5000", "装配"),
    ("R10006", "5000", "装配"),
    ("R10008", "640", "装配"),
    ("P10001", "320", "成品包装"),
)
_REPAIR: Final = (("R10003", "150.5", "返修"), ("R10002", "240", "返修"), ("R10008", "120", "返修"))
_RESTOCK: Final = (("R10002", "800", "低于安全库存"), ("R10001", "500", "电机装配"), ("R10008", "400", "减速机装配"))
_MOTORS: Final = (("R10003", "260", "定子绕线"), ("R10004", "1800", "冲片"))
_SEALS: Final = (("R10009", "12", "减速机加注"), ("R10008", "600", "密封件补库"))
_PACKING: Final = (("P10001", "1500", "包装补库"), ("R10005", "8000", "补库"))
_COUNTED: Final = (("R10001", "300", "盘亏补料"), ("R10006", "4000", "盘亏补料"))
_SAMPLE: Final = (("R10007", "20", "样机"), ("R10009", "2", "样机"))

#: The drafts that wait to be sent for approval.
_REQUESTS: Final = (
    PurchaseRequest("zhangsan", "计划请购", "MRP-2026-0412", "12月电机排产备料", -3, _MOTORS),
    PurchaseRequest("lisi", "零星请购", "", "齿轮油库存不足", -3, _SEALS),
    PurchaseRequest("wangwu", "计划请购", "MRP-2026-0413", "", -2, _RESTOCK),
    PurchaseRequest("zhangsan", "自产请购", "WO-20261118", "中远输送订单专用，请优先安排", -2, _WORK_ORDER),
    PurchaseRequest("lisi", "计划请购", "MRP-2026-0415", "按月度采购计划", -1, _PACKING),
    PurchaseRequest("wangwu", "零星请购", "", "盘点后补料", -1, _COUNTED),
    PurchaseRequest("zhangsan", "计划请购", "MRP-2026-0418", "", 0, _REPAIR),
    PurchaseRequest("lisi", "自产请购", "WO-20261121", "海岳机械样机", 0, _SAMPLE),
)


def seed_documents(context: Context) -> None:
    """Eight unsynced purchase request drafts, inventory and transfer drafts, and documents of every kind."""
    seed_requests(context, _REQUESTS)
    _seed_inventory_drafts(context)
    _seed_transfer_drafts(context)
    _seed_purchasing(context)
    _seed_sales(context)
    _seed_production(context)
    _seed_requisitions(context)


def seed_requests(context: Context, requests: Iterable[PurchaseRequest]) -> None:
    """Drafts of purchase requests, each waiting for approval."""
    for request in requests:
        entry = records.create(context, "Drafts", _body(context, request))
        set_author(context, "Drafts", entry, request.requester)
        approvals.open_request(context, entry, TEMPLATE_REQUEST, request.remark)


def generate(context: Context, count: int, lines: int) -> list[int]:
    """Purchase request drafts for load tests: twenty header fields, so many lines each; returns their numbers."""
    people, codes = list(_PEOPLE), [code for code in UNIT_PRICE if code[0] in "RP"]
    patterns: list[Row] = []
    for number, requester in enumerate(people):
        picked = islice(cycle(codes), number, number + lines)
        wanted = tuple((code, str(10 + 5 * at), "计划备料") for at, code in enumerate(picked))
        request = PurchaseRequest(requester, "计划请购", f"MRP-LOAD-{number + 1}", "批量测试数据", 0, wanted)
        more = {"NumAtCard": "LOAD", "Reference1": "LOAD", "Reference2": "B1"}
        entry = records.create(context, "Drafts", {**_body(context, request), **more})
        set_author(context, "Drafts", entry, requester)
        patterns.append(context.get("Drafts", entry))
        context.company.delete("Drafts", entry)
    entries = []
    first, number = context.company.next_entry("ODRF"), context.company.sets["Drafts"].last_number
    for at in range(count):
        pattern, entry = patterns[at % len(patterns)], first + at
        own = {"DocEntry": entry, "DocNum": number + at + 1, "U_BaseDocNo": f"MRP-LOAD-{at + 1:06}"}
        document_lines = [{**line, "DocEntry": entry} for line in pattern["DocumentLines"]]
        context.put("Drafts", entry, {**pattern, **own, "DocumentLines": document_lines})
        approvals.open_request(context, entry, TEMPLATE_REQUEST, "")
        entries.append(entry)
    return entries


def _body(context: Context, request: PurchaseRequest) -> dict[str, Any]:
    name, department, account, oa_department, oa_number = _PEOPLE[request.requester]
    required = day(context, request.offset + 14)
    body: dict[str, Any] = {
        "DocObjectCode": _REQUEST,
        "DocDate": day(context, request.offset),
        "DocDueDate": day(context, request.offset + 30),
        "RequriedDate": required,
        "Requester": request.requester,
        "RequesterName": name,
        "RequesterDepartment": department,
        "U_ISSYN": "N",
        "U_UserID": account,
        "U_BMID": oa_department,
        "U_OAUserID": oa_number,
        "U_PurReqType": request.kind,
        "U_Origin": "MRP" if request.source.startswith("MRP") else "手工",
        "U_ProjectCode": "PJ2026-08",
        "U_IsSubmit": "Y",
    }
    if request.remark:
        body["Comments"] = request.remark
    if request.source:
        body["U_BaseDocNo"] = request.source
    body["DocumentLines"] = [_request_line(context, required, *line) for line in request.lines]
    return body


def _request_line(context: Context, required: str, code: str, quantity: str, reason: str) -> dict[str, Any]:
    item = context.get("Items", code)
    partner = context.find("BusinessPartners", item.get("Mainsupplier", "")) or {}
    stock, minimum = item["QuantityOnStock"], item["MinInventory"]
    return {
        "ItemCode": code,
        "Quantity": quantity,
        "UnitPrice": UNIT_PRICE[code],
        "RequiredDate": required,
        "FreeText": reason,
        "LineVendor": item.get("Mainsupplier"),
        "U_Specifications": item["U_Z20_SPEC"],
        "U_IsBoM": "Y" if code.startswith("R") else "N",
        "U_SafetyStock": minimum,
        "U_Onhand": stock,
        "U_MinRepQty": max(minimum - stock, 0),
        "U_CardShortName": partner.get("U_CardShortName"),
    }


def set_author(context: Context, entity_set: str, entry: int, code: str) -> None:
    """The draft was written by its requester, not by whoever seeds."""
    author = context.matching("Users", "UserCode", code)[0]
    context.put(entity_set, entry, {**context.get(entity_set, entry), "UserSign": author})


def _seed_inventory_drafts(context: Context) -> None:
    """Two drafts of stock gains (goods receipts) and two of losses (goods issues)."""
    counts = (
        (_RECEIPT, "盘盈：年中盘点差异", (("R10005", "360"), ("R10006", "520"))),
        (_RECEIPT, "盘盈：返修件入库", (("R10001", "24"),)),
        (_ISSUE, "盘亏：年中盘点差异", (("R10002", "15"), ("R10008", "40"), ("P10001", "12"))),
        (_ISSUE, "盘亏：受潮报损", (("P10001", "85"),)),
    )
    for code, remark, lines in counts:
        body = {
            "DocObjectCode": code,
            "DocDate": day(context, -1),
            "Comments": remark,
            "U_ISSYN": "N",
            "U_UserID": "user-wangwu",
            "U_BMID": "1003",
            "U_OAUserID": "17",
            "DocumentLines": [{"ItemCode": item, "Quantity": quantity, "FreeText": "盘点"} for item, quantity in lines],
        }
        entry = records.create(context, "Drafts", body)
        set_author(context, "Drafts", entry, "wangwu")
        approvals.open_request(context, entry, TEMPLATE_INVENTORY, remark)


def _seed_transfer_drafts(context: Context) -> None:
    for remark, item, quantity in (("报废调拨：轴承锈蚀", "R10001", "36"), ("报废调拨：箱体砂眼", "R10007", "8")):
        body = {
            "DocDate": day(context, -1),
            "Comments": remark,
            "FromWarehouse": "01",
            "ToWarehouse": "09",
            "U_ISSYN": "N",
            "U_UserID": "user-wangwu",
            "U_BMID": "1003",
            "U_OAUserID": "17",
            "StockTransferLines": [{"ItemCode": item, "Quantity": quantity}],
        }
        entry = records.create(context, "StockTransferDrafts", body)
        approvals.open_request(context, entry, TEMPLATE_SCRAP, remark)


def _seed_purchasing(context: Context) -> None:
    """Two formal purchase requests (one of them added from an approved draft) and two purchase orders."""
    approved = PurchaseRequest("lisi", "计划请购", "MRP-2026-0390", "已批准", -20, (("R10001", "2000", "季度备料"),))
    entry = records.create(context, "Drafts", {**_body(context, approved), "U_ISSYN": "Y"})
    set_author(context, "Drafts", entry, "lisi")
    request = approvals.open_request(context, entry, TEMPLATE_REQUEST, "")
    approvals.decide(context, request, {"ApprovalRequestDecisions": [{"Status": "ardApproved", "Remarks": "同意"}]})
    actions.add_draft(context, "Drafts", entry, {})
    posted = PurchaseRequest("wangwu", "零星请购", "", "纸箱补库", -12, (("P10001", "600", "补库"),))
    records.create(context, "PurchaseRequests", _body(context, posted))
    orders = (
        ("V1001", -10, (("R10001", "1000"), ("R10002", "600"))),
        ("V1002", -4, (("R10003", "200"),)),
    )
    for partner, offset, lines in orders:
        order = {
            "CardCode": partner,
            "DocDate": day(context, offset),
            "DocDueDate": day(context, offset + 15),
            "Comments": "按采购申请下单",
            "U_UserID": "user-lisi",
            "U_BMID": "1002",
            "DocumentLines": [
                {"ItemCode": code, "Quantity": quantity, "UnitPrice": UNIT_PRICE[code]} for code, quantity in lines
            ],
        }
        records.create(context, "PurchaseOrders", order)


def _seed_sales(context: Context) -> None:
    orders = (
        ("C2001", "ZY-2026-1107", (("F30001", "60", "680"), ("F30002", "60", "835"))),
        ("C2002", "MZ-PO-3391", (("F30002", "24", "850"),)),
        ("C2003", "HY261120", (("F30001", "5", "720"),)),
    )
    for number, (partner, reference, lines) in enumerate(orders):
        order = {
            "CardCode": partner,
            "NumAtCard": reference,
            "DocDate": day(context, number - 8),
            "DocDueDate": day(context, number + 20),
            "U_UserID": "user-lisi",
            "U_BMID": "1002",
            "DocumentLines": [
                {"ItemCode": item, "Quantity": amount, "UnitPrice": price} for item, amount, price in lines
            ],
        }
        records.create(context, "Orders", order)
    prices = (("F30001", "C2001", "665"), ("F30002", "C2001", "820"), ("F30002", "C2002", "845"))
    for item, partner, price in prices:
        special = {
            "ItemCode": item,
            "CardCode": partner,
            "Price": price,
            "Currency": "RMB",
            "DiscountPercent": 0,
            "PriceListNum": 1,
            "AutoUpdate": "tNO",
            "Valid": "tYES",
            "ValidFrom": day(context, -90),
            "ValidTo": day(context, 275),
            "SpecialPriceDataAreas": [
                {
                    "DateFrom": day(context, -90),
                    "Dateto": day(context, 275),
                    "SpecialPrice": price,
                    "PriceCurrency": "RMB",
                }
            ],
        }
        records.create(context, "SpecialPrices", special)


def _seed_production(context: Context) -> None:
    orders = (("F30001", 40, "总装车间", True), ("F30002", 30, "总装车间", True), ("S20001", 60, "绕线车间", False))
    for item, quantity, workshop, released in orders:
        order = {
            "ItemNo": item,
            "PlannedQuantity": quantity,
            "PostingDate": day(context, -5),
            "StartDate": day(context, -2),
            "DueDate": day(context, 8),
            "U_JGCJ": workshop,
            "U_Z20_SPEC": context.get("Items", item)["U_Z20_SPEC"],
        }
        entry = records.create(context, "ProductionOrders", order)
        if released:
            records.update(context, "ProductionOrders", entry, {"ProductionOrderStatus": "R"}, replace=False)
    issue = {"BaseType": 202, "BaseEntry": 1, "BaseLine": 0, "Quantity": 12, "WarehouseCode": "03"}
    records.create(context, "InventoryGenExits", {"Comments": "生产领料", "DocumentLines": [issue]})
    receipt = {"BaseType": 202, "BaseEntry": 1, "Quantity": 10, "WarehouseCode": "02"}
    records.create(context, "InventoryGenEntries", {"Comments": "生产入库", "DocumentLines": [receipt]})


def _seed_requisitions(context: Context) -> None:
    requests = (
        ("张三", "1", "绕线报废两只，补领铜线", (("R10003", "漆包圆铜线", "3.7"),)),
        ("张三", "2", "轴承压装损坏", (("R10002", "深沟球轴承", "6"), ("R10008", "骨架油封", "4"))),
    )
    for name, order, reason, lines in requests:
        requisition = {
            "U_ReqName": name,
            "U_ReqDate": context.today,
            "U_DueDate": day(context, 3),
            "U_ProdOrder": order,
            "U_Reason": reason,
            "U_UserID": "user-zhangsan",
            "U_BMID": "1001",
            "OIR1Collection": [
                {"U_ItemCode": code, "U_ItemName": item, "U_Quantity": quantity, "U_WhsCode": "01"}
                for code, item, quantity in lines
            ],
        }
        records.create(context, "OIR", requisition)

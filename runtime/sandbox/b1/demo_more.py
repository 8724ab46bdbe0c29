"""Demo data, third part: drafts of purchase orders and transfer requests, batches in stock, attachments."""

from __future__ import annotations

from typing import Any, Final

from . import approvals, attachments, records
from .context import Context
from .demo_company import TEMPLATE_ORDER, TEMPLATE_SCRAP, UNIT_PRICE, day
from .demo_drafts import set_author

__all__ = ["seed_more"]

#: Item -> its batches in stock as (number, quantity, days since admission); together what the item has in stock.
_BATCHES: Final = {
    "R10003": (("R10003|20261002", "180", -52), ("R10003|20261105", "240", -18)),
    "R10004": (("R10004|20260918", "3200", -66), ("R10004|20261110", "2000", -13)),
    "R10009": (("R10009|20260801", "22", -114),),
}


def seed_more(context: Context) -> None:
    """What the scenarios of orders, transfers, barcodes and attachments start from."""
    _seed_batches(context)
    files = _seed_attachments(context)
    _seed_order_drafts(context, files)
    _seed_transfers(context)
    draft = context.get("Drafts", 1)
    context.put("Drafts", 1, {**draft, "AttachmentEntry": files})


def _seed_batches(context: Context) -> None:
    lines = [
        {
            "ItemCode": item,
            "Quantity": quantity,
            "WarehouseCode": "01",
            "BatchNumbers": [{"BatchNumber": number, "Quantity": quantity, "AddmisionDate": day(context, offset)}],
        }
        for item, batches in _BATCHES.items()
        for number, quantity, offset in batches
    ]
    records.create(context, "InventoryGenEntries", {"Comments": "期初批次", "DocumentLines": lines})


def _seed_attachments(context: Context) -> int:
    """A text and a PDF in one record; returns its number."""
    text = "采购说明\r\n1. 交货前请电话通知仓库。\r\n2. 每批附出厂检验报告。\r\n"
    lines = [
        attachments.store_file(context, "采购说明.txt", text.encode()),
        attachments.store_file(context, "quotation.pdf", _pdf("Quotation 2026-1120: copper wire, 78.50 RMB/kg")),
    ]
    entry: int = records.create(context, "Attachments2", {"Attachments2_Lines": lines})
    return entry


def _seed_order_drafts(context: Context, files: int) -> None:
    orders = (
        ("V1002", "漆包线季度采购", (("R10003", "500"), ("R10004", "1200"))),
        ("V1004", "包装材料补库", (("P10001", "3000"),)),
    )
    for partner, remark, lines in orders:
        body: dict[str, Any] = {
            "DocObjectCode": "22",
            "CardCode": partner,
            "DocDate": day(context, -1),
            "DocDueDate": day(context, 14),
            "Comments": remark,
            "AttachmentEntry": files,
            "U_ISSYN": "N",
            "U_UserID": "user-lisi",
            "U_BMID": "1002",
            "DocumentLines": [
                {"ItemCode": code, "Quantity": quantity, "UnitPrice": UNIT_PRICE[code]} for code, quantity in lines
            ],
        }
        entry = records.create(context, "Drafts", body)
        set_author(context, "Drafts", entry, "lisi")
        approvals.open_request(context, entry, TEMPLATE_ORDER, remark)


def _seed_transfers(context: Context) -> None:
    """A transfer that took place, and the draft of a request for another one."""
    places = {"FromWarehouse": "01", "ToWarehouse": "03"}
    done = {"Comments": "装配备料", "U_UserID": "user-wangwu", "U_BMID": "1003", **places}
    records.create(context, "StockTransfers", {**done, "StockTransferLines": [{"ItemCode": "R10002", "Quantity": 40}]})
    body = {
        "DocObjectCode": "1250000001",
        "DocDate": day(context, 0),
        "Comments": "装配线缺料，请调拨",
        **places,
        "U_ISSYN": "N",
        "U_UserID": "user-wangwu",
        "U_BMID": "1003",
        "StockTransferLines": [{"ItemCode": "R10008", "Quantity": "120"}],
    }
    entry = records.create(context, "StockTransferDrafts", body)
    approvals.open_request(context, entry, TEMPLATE_SCRAP, "装配线缺料")


def _pdf(text: str) -> bytes:
    """A page with one line of plain ASCII, as a PDF."""
    stream = f"BT /F1 14 Tf 60 760 Td ({text}) Tj ET".encode("ascii")
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end

"""Well-known entity sets: their keys, and the database tables that their user fields are defined on.

Names as in the Service Layer's ``$metadata``; tables as in the SAP Business One database reference. Whatever is not
listed here is looked up in ``$metadata``, so the list only saves calls and ties user fields to entity sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["KNOWN_SETS", "KeyField", "KnownSet"]


@dataclass(frozen=True)
class KeyField:
    """One key property; ``type`` as in the field picker (``integer``, ``text`` …)."""

    name: str
    type: str = "integer"


@dataclass(frozen=True)
class KnownSet:
    """What is known about an entity set without asking."""

    key: tuple[KeyField, ...]
    #: Tables whose user fields are properties of the header.
    header_tables: tuple[str, ...] = ()
    #: Collection -> tables whose user fields are properties of its rows.
    line_tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


# A user field on one marketing document is a field of all of them, drafts included; B1 lists it under each table.
_DOCUMENT_TABLES = "ODRF OPRQ OPQT OPOR OPDN ORPD OPCH ORPC OQUT ORDR ODLN ORDN OINV ORIN OIGN OIGE OWTR OWTQ"
_LINE_TABLES = "DRF1 PRQ1 PQT1 POR1 PDN1 RPD1 PCH1 RPC1 QUT1 RDR1 DLN1 RDN1 INV1 RIN1 IGN1 IGE1 WTR1 WTQ1"

_DOC_ENTRY = (KeyField("DocEntry"),)
_DOCUMENT = KnownSet(_DOC_ENTRY, tuple(_DOCUMENT_TABLES.split()), {"DocumentLines": tuple(_LINE_TABLES.split())})
_TRANSFER = KnownSet(_DOC_ENTRY, tuple(_DOCUMENT_TABLES.split()), {"StockTransferLines": tuple(_LINE_TABLES.split())})

_DOCUMENT_SETS = (
    "Drafts PurchaseRequests PurchaseQuotations PurchaseOrders PurchaseDeliveryNotes PurchaseReturns PurchaseInvoices "
    "PurchaseCreditNotes Quotations Orders DeliveryNotes Returns Invoices CreditNotes InventoryGenEntries "
    "InventoryGenExits"
)
_TRANSFER_SETS = "StockTransfers StockTransferDrafts InventoryTransferRequests"

KNOWN_SETS: Mapping[str, KnownSet] = MappingProxyType(
    {
        **dict.fromkeys(_DOCUMENT_SETS.split(), _DOCUMENT),
        **dict.fromkeys(_TRANSFER_SETS.split(), _TRANSFER),
        "ApprovalRequests": KnownSet((KeyField("Code"),)),
        "Items": KnownSet((KeyField("ItemCode", "text"),), ("OITM",)),
        "BusinessPartners": KnownSet(
            (KeyField("CardCode", "text"),), ("OCRD",), {"ContactEmployees": ("OCPR",), "BPAddresses": ("CRD1",)}
        ),
        "ProductTrees": KnownSet((KeyField("TreeCode", "text"),), ("OITT",), {"ProductTreeLines": ("ITT1",)}),
        "ProductionOrders": KnownSet((KeyField("AbsoluteEntry"),), ("OWOR",), {"ProductionOrderLines": ("WOR1",)}),
        "SpecialPrices": KnownSet(
            (KeyField("ItemCode", "text"), KeyField("CardCode", "text")),
            ("OSPP",),
            {"SpecialPriceDataAreas": ("SPP1",)},
        ),
        "Users": KnownSet((KeyField("InternalKey"),), ("OUSR",)),
        "Departments": KnownSet((KeyField("Code"),), ("OUDP",)),
        "UserFieldsMD": KnownSet((KeyField("TableName", "text"), KeyField("FieldID"))),
        "UserObjectsMD": KnownSet((KeyField("Code", "text"),)),
    }
)

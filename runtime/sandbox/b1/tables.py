"""The simulated company's schema as data: enums, types and entity sets, with the names of the real ``$metadata``.

Notation of a type: ``name:kind`` separated by blanks, where kind is ``int``, ``num`` (a double), ``date``, ``time``,
``text`` or ``text20`` (at most 20 characters), the name of an enum, or ``[Type]`` for a collection of lines.
A trailing ``!`` means read-only, a trailing ``*`` write-only (always read back empty).
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COLLECTIONS", "ENUMS", "NAVIGATION", "OBJECTS", "SETS", "TYPES", "UDF_TABLES", "CollectionRule", "SetRow"]

#: Enum -> its members as ``name=database value``.
ENUMS: Final[dict[str, str]] = {
    "BoYesNoEnum": "tNO=N tYES=Y",
    "BoStatus": "bost_Open=O bost_Close=C bost_Paid=P bost_Delivered=D",
    "BoDocumentTypes": "dDocument_Items=I dDocument_Service=S",
    "BoObjectTypes": (
        "oBusinessPartners=2 oItems=4 oSpecialPrices=7 oUsers=12 oInvoices=13 oCreditNotes=14 oDeliveryNotes=15"
        " oReturns=16 oOrders=17 oPurchaseInvoices=18 oPurchaseDeliveryNotes=20 oPurchaseReturns=21"
        " oPurchaseOrders=22 oQuotations=23 oInventoryGenEntry=59 oInventoryGenExit=60 oWarehouses=64"
        " oProductTrees=66 oStockTransfer=67 oDrafts=112 oProductionOrders=202 oPurchaseQuotations=540000006"
        " oInventoryTransferRequest=1250000001 oPurchaseRequest=1470000113"
    ),
    "DocumentAuthorizationStatusEnum": (
        "dasWithout=W dasPending=P dasApproved=Y dasRejected=N dasGenerated=A dasGeneratedbyAuthorizer=G dasCancelled=C"
    ),
    "StockTransferAuthorizationStatusEnum": (
        "sasWithout=W sasPending=P sasApproved=Y sasRejected=N sasGenerated=A sasGeneratedbyAuthorizer=G sasCancelled=C"
    ),
    "CancelStatusEnum": "csYes=Y csNo=N csCancellation=C",
    "BoApprovalRequestStatusEnum": (
        "arsPending=W arsApproved=Y arsNotApproved=N arsGenerated=P arsGeneratedByAuthorizer=A arsCancelled=C"
    ),
    "BoApprovalRequestDecisionEnum": "ardPending=0 ardApproved=1 ardNotApproved=2",
    "ApprovalTemplatesDocumentTypeEnum": (
        "atdtOrder=17 atdtPurchaseOrder=22 atdtGoodsReceipt=59 atdtGoodsIssue=60 atdtInventoryTransfer=67"
        " atdtPurchaseRequest=1470000113"
    ),
    "BoProductionOrderStatusEnum": "boposPlanned=P boposReleased=R boposClosed=L boposCancelled=C",
    "BoProductionOrderTypeEnum": "bopotStandard=S bopotSpecial=P bopotDisassembly=D",
    "BoItemTreeTypes": ("iNotATree=N iAssemblyTree=A iSalesTree=S iProductionTree=P iTemplateTree=T iIngredient=I"),
    "BoIssueMethod": "im_Backflush=B im_Manual=M",
    "ProductionItemType": "pit_Item=4 pit_Resource=290 pit_Text=-18",
    "BoProcurementMethod": "bom_Buy=B bom_Make=M",
    "ItemTypeEnum": "itItems=I itLabor=L itTravel=T itFixedAssets=F",
    "BoCardTypes": "cCustomer=C cSupplier=S cLid=L",
    "BoAddressType": "bo_ShipTo=S bo_BillTo=B",
    "SourceCurrencyEnum": "sc_PrimaryCurrency=0 sc_AdditionalCurrency1=1 sc_AdditionalCurrency2=2",
    "InvBaseDocTypeEnum": (
        "Default=0 Empty=-1 PurchaseDeliveryNotes=20 InventoryGeneralEntry=59 WarehouseTransfers=67"
        " InventoryTransferRequest=1250000001"
    ),
    "BoFieldTypes": "db_Alpha=A db_Memo=M db_Numeric=N db_Date=D db_Float=B",
    "BoFldSubTypes": (
        "st_None=- st_Address=? st_Phone=# st_Time=T st_Rate=R st_Sum=S st_Price=P st_Quantity=Q st_Percentage=%"
        " st_Measurement=M st_Link=L st_Image=I st_Checkbox=C"
    ),
    "BoUTBTableType": (
        "bott_MasterData=1 bott_MasterDataLines=2 bott_Document=3 bott_DocumentLines=4 bott_NoObject=0"
        " bott_NoObjectAutoIncrement=5"
    ),
    "BoUDOObjType": "boud_MasterData=1 boud_Document=3",
    "BoDefaultBatchStatus": "bdsStatus_Released=0 bdsStatus_NotAccessible=1 bdsStatus_Locked=2",
}

#: Entity and complex types.
TYPES: Final[dict[str, str]] = {
    "Document": """
        DocEntry:int! DocNum:int! DocType:BoDocumentTypes DocDate:date DocDueDate:date TaxDate:date CardCode:text15
        CardName:text100 Address:text254 NumAtCard:text100 DocTotal:num DocCurrency:text3 DocRate:num VatSum:num!
        DiscountPercent:num Reference1:text11 Reference2:text11 Comments:text254 JournalMemo:text50 DocTime:time!
        SalesPersonCode:int Series:int Project:text20 DocObjectCode:BoObjectTypes CreationDate:date! UpdateDate:date!
        UpdateTime:time! UserSign:int! RequriedDate:date Requester:text25 RequesterName:text155 RequesterBranch:int
        RequesterDepartment:int RequesterEmail:text100 ReqType:int DocumentStatus:BoStatus! Cancelled:BoYesNoEnum!
        CancelStatus:CancelStatusEnum! CancelDate:date Confirmed:BoYesNoEnum
        AuthorizationStatus:DocumentAuthorizationStatusEnum! ClosingDate:date! AttachmentEntry:int
        DocumentLines:[DocumentLine]""",
    "DocumentLine": """
        LineNum:int DocEntry:int! VisualOrder:int! ItemCode:text50 ItemDescription:text200 Quantity:num ShipDate:date
        UnitPrice:num Price:num PriceAfterVAT:num Currency:text3 Rate:num DiscountPercent:num WarehouseCode:text8
        AccountCode:text15 CostingCode:text8 CostingCode2:text8 ProjectCode:text20 VatGroup:text8
        TaxPercentagePerRow:num TaxTotal:num! LineTotal:num GrossTotal:num MeasureUnit:text100 UnitsOfMeasurment:num
        UseBaseUnits:BoYesNoEnum FreeText:text100 LineVendor:text15 RequiredDate:date RequiredQuantity:num
        BaseType:int BaseEntry:int BaseLine:int LineStatus:BoStatus! RemainingOpenQuantity:num! SerialNum:text17
        BatchNumbers:[BatchNumber] SerialNumbers:[SerialNumber]
        DocumentLinesBinAllocations:[DocumentLinesBinAllocation]""",
    "BatchNumber": """
        BatchNumber:text36 ManufacturerSerialNumber:text36 InternalSerialNumber:text36 ExpiryDate:date
        ManufacturingDate:date AddmisionDate:date Location:text100 Notes:text Quantity:num BaseLineNumber:int
        ItemCode:text50""",
    "SerialNumber": """
        ManufacturerSerialNumber:text36 InternalSerialNumber:text36 ExpiryDate:date ManufactureDate:date
        ReceptionDate:date Location:text100 Notes:text BatchID:text36 SystemSerialNumber:int BaseLineNumber:int
        Quantity:num ItemCode:text50""",
    "DocumentLinesBinAllocation": """
        BinAbsEntry:int Quantity:num AllowNegativeQuantity:BoYesNoEnum SerialAndBatchNumbersBaseLine:int
        BaseLineNumber:int""",
    "StockTransfer": """
        DocEntry:int! DocNum:int! Series:int DocDate:date DueDate:date TaxDate:date CardCode:text15 CardName:text100
        Reference1:text11 Reference2:text11 Comments:text254 JournalMemo:text50 PriceList:int FromWarehouse:text8
        ToWarehouse:text8 CreationDate:date! UpdateDate:date! DocObjectCode:text20
        AuthorizationStatus:StockTransferAuthorizationStatusEnum! DocumentStatus:BoStatus! AttachmentEntry:int
        StockTransferLines:[StockTransferLine]""",
    "StockTransferLine": """
        LineNum:int DocEntry:int! ItemCode:text50 ItemDescription:text200 Quantity:num Price:num UnitPrice:num
        Currency:text3 WarehouseCode:text8 FromWarehouseCode:text8 ProjectCode:text20 DistributionRule:text8
        MeasureUnit:text100 UnitsOfMeasurment:num BaseType:InvBaseDocTypeEnum BaseEntry:int BaseLine:int
        LineStatus:BoStatus! RemainingOpenQuantity:num! BatchNumbers:[BatchNumber] SerialNumbers:[SerialNumber]
        StockTransferLinesBinAllocations:[StockTransferLinesBinAllocation]""",
    "StockTransferLinesBinAllocation": """
        BinAbsEntry:int Quantity:num AllowNegativeQuantity:BoYesNoEnum SerialAndBatchNumbersBaseLine:int
        BaseLineNumber:int""",
    "Item": """
        ItemCode:text50 ItemName:text200 ForeignName:text200 ItemsGroupCode:int BarCode:text254 PurchaseItem:BoYesNoEnum
        SalesItem:BoYesNoEnum InventoryItem:BoYesNoEnum AssetItem:BoYesNoEnum InventoryUOM:text100
        PurchaseUnit:text100 SalesUnit:text100 PurchaseItemsPerUnit:num SalesItemsPerUnit:num Mainsupplier:text15
        SupplierCatalogNo:text50 PurchaseVATGroup:text8 SalesVATGroup:text8 DefaultWarehouse:text8
        QuantityOnStock:num! QuantityOrderedFromVendors:num! QuantityOrderedByCustomers:num! MinInventory:num
        MaxInventory:num MinOrderQuantity:num LeadTime:int ManageSerialNumbers:BoYesNoEnum
        ManageBatchNumbers:BoYesNoEnum Valid:BoYesNoEnum ValidFrom:date ValidTo:date Frozen:BoYesNoEnum FrozenFrom:date
        FrozenTo:date TreeType:BoItemTreeTypes ProcurementMethod:BoProcurementMethod IssueMethod:BoIssueMethod
        ItemType:ItemTypeEnum AvgStdPrice:num MovingAveragePrice:num! User_Text:text CreateDate:date! CreateTime:time!
        UpdateDate:date! UpdateTime:time! ItemPrices:[ItemPrice] ItemWarehouseInfoCollection:[ItemWarehouseInfo]""",
    "ItemPrice": "PriceList:int Price:num Currency:text3 BasePriceList:int Factor:num",
    "ItemWarehouseInfo": """
        WarehouseCode:text8 ItemCode:text50 InStock:num! Committed:num! Ordered:num! MinimalStock:num MaximalStock:num
        MinimalOrder:num StandardAveragePrice:num! Locked:BoYesNoEnum""",
    "BusinessPartner": """
        CardCode:text15 CardName:text100 CardForeignName:text100 CardType:BoCardTypes GroupCode:int Currency:text3
        FederalTaxID:text32 Address:text100 City:text100 Country:text3 Phone1:text20 Phone2:text20 Cellular:text50
        Fax:text20 EmailAddress:text100 ContactPerson:text90 Notes:text100 PayTermsGrpCode:int CreditLimit:num
        CurrentAccountBalance:num! SalesPersonCode:int Valid:BoYesNoEnum Frozen:BoYesNoEnum CreateDate:date!
        CreateTime:time! UpdateDate:date! UpdateTime:time! BPAddresses:[BPAddress]
        ContactEmployees:[ContactEmployee]""",
    "BPAddress": """
        AddressName:text50 AddressType:BoAddressType Street:text100 Block:text100 ZipCode:text20 City:text100
        County:text100 State:text3 Country:text3 BPCode:text15! RowNum:int""",
    "ContactEmployee": """
        CardCode:text15! Name:text50 Position:text90 Phone1:text20 MobilePhone:text50 E_Mail:text100
        Active:BoYesNoEnum InternalCode:int""",
    "Warehouse": """
        WarehouseCode:text8 WarehouseName:text100 Street:text100 City:text100 Country:text3
        EnableBinLocations:BoYesNoEnum Inactive:BoYesNoEnum""",
    "User": """
        InternalKey:int! UserCode:text25 UserName:text155 UserPassword:text254* eMail:text100 MobilePhoneNumber:text50
        FaxNumber:text20 Department:int Branch:int Superuser:BoYesNoEnum Locked:BoYesNoEnum""",
    "Department": "Code:int! Name:text20 Description:text100",
    "EmployeeInfo": """
        EmployeeID:int! LastName:text50 FirstName:text50 MiddleName:text50 JobTitle:text20 Department:int Branch:int
        ApplicationUserID:int MobilePhone:text50 OfficePhone:text20 eMail:text100 Active:BoYesNoEnum Remarks:text""",
    "BatchNumberDetail": """
        DocEntry:int! ItemCode:text50! ItemDescription:text200! Status:BoDefaultBatchStatus Batch:text36!
        BatchAttribute1:text36 BatchAttribute2:text36 AdmissionDate:date ManufacturingDate:date ExpirationDate:date
        Details:text SystemNumber:int!""",
    "Attachments2": "AbsoluteEntry:int! Attachments2_Lines:[Attachments2_Line]",
    "Attachments2_Line": """
        AbsoluteEntry:int! LineNum:int SourcePath:text FileName:text254 FileExtension:text8 AttachmentDate:date
        UserID:text20 FreeText:text Override:BoYesNoEnum""",
    "SQLQuery": "SqlCode:text254 SqlName:text254 SqlText:text ParamList:text CreateDate:date! UpdateDate:date!",
    "SpecialPrice": """
        ItemCode:text50 CardCode:text15 Price:num Currency:text3 DiscountPercent:num PriceListNum:int
        AutoUpdate:BoYesNoEnum SourcePrice:SourceCurrencyEnum Valid:BoYesNoEnum ValidFrom:date ValidTo:date
        SpecialPriceDataAreas:[SpecialPriceDataArea]""",
    "SpecialPriceDataArea": """
        RowNumber:int ItemNo:text50! BPCode:text15! DateFrom:date Dateto:date SpecialPrice:num Discount:num
        PriceCurrency:text3 AutoUpdate:BoYesNoEnum PriceListNo:int
        SpecialPriceQuantityAreas:[SpecialPriceQuantityArea]""",
    "SpecialPriceQuantityArea": """
        RowNumber:int SPDARowNumber:int Quantity:num SpecialPrice:num PriceCurrency:text3 Discountin:num UoMEntry:int
        ItemNo:text50 BPCode:text15""",
    "ProductTree": """
        TreeCode:text50 TreeType:BoItemTreeTypes Quantity:num Warehouse:text8 PriceList:int Project:text20
        DistributionRule:text8 ProductDescription:text200 ProductTreeLines:[ProductTreeLine]
        ProductTreeStages:[ProductTreeStage]""",
    "ProductTreeLine": """
        ChildNum:int VisualOrder:int! ItemCode:text50 ItemName:text200 Quantity:num Warehouse:text8 Price:num
        Currency:text3 IssueMethod:BoIssueMethod InventoryUOM:text100 Comment:text254 ParentItem:text50! PriceList:int
        ItemType:ProductionItemType AdditionalQuantity:num StageID:int""",
    "ProductTreeStage": "Father:text50 StageID:int SequenceNumber:int StageEntry:int Name:text100 WaitingDays:num",
    "ProductionOrder": """
        AbsoluteEntry:int! DocumentNumber:int! Series:int ItemNo:text50 ProductDescription:text200
        ProductionOrderStatus:BoProductionOrderStatusEnum ProductionOrderType:BoProductionOrderTypeEnum
        PlannedQuantity:num CompletedQuantity:num! RejectedQuantity:num! PostingDate:date StartDate:date DueDate:date
        CreationDate:date! ReleaseDate:date! ClosingDate:date! CustomerCode:text15 Warehouse:text8 InventoryUOM:text100
        Remarks:text254 Project:text20 Priority:int UserSignature:int! ProductionOrderLines:[ProductionOrderLine]""",
    "ProductionOrderLine": """
        DocumentAbsoluteEntry:int! LineNumber:int VisualOrder:int! ItemNo:text50 ItemName:text200 BaseQuantity:num
        PlannedQuantity:num AdditionalQuantity:num IssuedQuantity:num! ProductionOrderIssueType:BoIssueMethod
        Warehouse:text8 ItemType:ProductionItemType LineText:text Project:text20 StageID:int""",
    "ApprovalRequest": """
        Code:int! ApprovalTemplatesID:int! ObjectType:text20! IsDraft:text1! ObjectEntry:int!
        Status:BoApprovalRequestStatusEnum! Remarks:text254 CurrentStage:int! OriginatorID:int! CreationDate:date!
        CreationTime:time! DraftEntry:int! DraftType:text20! ApprovalRequestLines:[ApprovalRequestLine]!
        ApprovalRequestDecisions:[ApprovalRequestDecision]*""",
    "ApprovalRequestLine": """
        StageCode:int UserID:int Status:BoApprovalRequestDecisionEnum Remarks:text200 UpdateDate:date UpdateTime:time
        CreationDate:date CreationTime:time""",
    "ApprovalRequestDecision": """
        ApproverUserName:text25 ApproverPassword:text254 Status:BoApprovalRequestDecisionEnum Remarks:text200""",
    "ApprovalStage": """
        Code:int! Name:text20 NoOfApproversRequired:int Remarks:text100
        ApprovalStageApprovers:[ApprovalStageApprover]""",
    "ApprovalStageApprover": "UserID:int",
    "ApprovalTemplate": """
        Code:int! Name:text20 Remarks:text100 UseTerms:BoYesNoEnum IsActive:BoYesNoEnum
        ApprovalTemplateUsers:[ApprovalTemplateUser] ApprovalTemplateStages:[ApprovalTemplateStage]
        ApprovalTemplateDocuments:[ApprovalTemplateDocument]""",
    "ApprovalTemplateUser": "UserID:int",
    "ApprovalTemplateStage": "SortID:int ApprovalStageCode:int Remarks:text100",
    "ApprovalTemplateDocument": "DocumentType:ApprovalTemplatesDocumentTypeEnum",
    "UserFieldMD": """
        TableName:text20 FieldID:int! Name:text50 Description:text80 Type:BoFieldTypes SubType:BoFldSubTypes Size:int
        EditSize:int Mandatory:BoYesNoEnum DefaultValue:text254 LinkedTable:text20 LinkedUDO:text20
        ValidValuesMD:[ValidValueMD]""",
    "ValidValueMD": "Value:text254 Description:text254",
    "UserTablesMD": """
        TableName:text19 TableDescription:text30 TableType:BoUTBTableType Archivable:BoYesNoEnum""",
    "UserObjectsMD": """
        Code:text20 Name:text100 TableName:text19 ObjectType:BoUDOObjType CanFind:BoYesNoEnum CanDelete:BoYesNoEnum
        CanCancel:BoYesNoEnum CanClose:BoYesNoEnum CanLog:BoYesNoEnum ManageSeries:BoYesNoEnum LogTableName:text20
        UserObjectMD_ChildTables:[UserObjectMD_ChildTable] UserObjectMD_FindColumns:[UserObjectMD_FindColumn]""",
    "UserObjectMD_ChildTable": "SonNumber:int TableName:text19 LogTableName:text20 Code:text20! ObjectName:text20",
    "UserObjectMD_FindColumn": "ColumnNumber:int ColumnAlias:text50 ColumnDescription:text80 Code:text20!",
}


class CollectionRule(NamedTuple):
    """How a line of a collection is told from its neighbours when a document is changed."""

    #: The property that identifies a line.
    identity: str
    #: An entry without identity overwrites the line at the same position (documents); otherwise it is appended.
    positional: bool = True
    #: The first number given to a new line, or None where the identity is not a number of ours.
    first: int | None = 0
    #: The property that is renumbered without gaps.
    order: str = ""


#: Rules by line type; any other collection is replaced as a whole.
COLLECTIONS: Final[dict[str, CollectionRule]] = {
    "DocumentLine": CollectionRule("LineNum", order="VisualOrder"),
    "StockTransferLine": CollectionRule("LineNum"),
    "ProductTreeLine": CollectionRule("ChildNum", order="VisualOrder"),
    "ProductionOrderLine": CollectionRule("LineNumber", order="VisualOrder"),
    "SpecialPriceDataArea": CollectionRule("RowNumber", positional=False),
    "SpecialPriceQuantityArea": CollectionRule("RowNumber", positional=False),
    "ItemPrice": CollectionRule("PriceList", positional=False, first=None),
    "ItemWarehouseInfo": CollectionRule("WarehouseCode", positional=False, first=None),
    "BPAddress": CollectionRule("RowNum", positional=False),
    "ContactEmployee": CollectionRule("InternalCode", positional=False, first=1),
    "Attachments2_Line": CollectionRule("LineNum", positional=False, first=1),
}


class SetRow(NamedTuple):
    """One entity set."""

    name: str
    type: str
    key: tuple[str, ...]
    #: Data base table; sets of one table share their numbering.
    table: str
    #: SAP object code; empty where the set is not a business object of its own.
    code: str = ""
    #: Properties that an equality filter looks up directly.
    indexes: tuple[str, ...] = ()
    #: HTTP verbs for changes; documents that are posted cannot be deleted.
    verbs: frozenset[str] = frozenset({"POST", "PATCH", "DELETE"})


_POSTED: Final = frozenset({"POST", "PATCH"})
_INSTANCE: Final = ("U_instanceID", "U_REQUESTID", "U_SPNO")


def _document(name: str, table: str, code: str, kind: str = "Document") -> SetRow:
    return SetRow(name, kind, ("DocEntry",), table, code, _INSTANCE, _POSTED)


SETS: Final[tuple[SetRow, ...]] = (
    SetRow("Items", "Item", ("ItemCode",), "OITM", "4"),
    SetRow("BusinessPartners", "BusinessPartner", ("CardCode",), "OCRD", "2"),
    SetRow("Warehouses", "Warehouse", ("WarehouseCode",), "OWHS", "64"),
    SetRow("Users", "User", ("InternalKey",), "OUSR", "12", ("UserCode",)),
    SetRow("Departments", "Department", ("Code",), "OUDP"),
    SetRow("EmployeesInfo", "EmployeeInfo", ("EmployeeID",), "OHEM"),
    SetRow("BatchNumberDetails", "BatchNumberDetail", ("DocEntry",), "OBTN", "", ("ItemCode",), frozenset({"PATCH"})),
    SetRow("Attachments2", "Attachments2", ("AbsoluteEntry",), "OATC"),
    SetRow("SQLQueries", "SQLQuery", ("SqlCode",), ""),
    SetRow("Drafts", "Document", ("DocEntry",), "ODRF", "112", _INSTANCE),
    SetRow("StockTransferDrafts", "StockTransfer", ("DocEntry",), "ODRF", "112", _INSTANCE),
    _document("PurchaseRequests", "OPRQ", "1470000113"),
    _document("PurchaseQuotations", "OPQT", "540000006"),
    _document("PurchaseOrders", "OPOR", "22"),
    _document("PurchaseDeliveryNotes", "OPDN", "20"),
    _document("PurchaseReturns", "ORPD", "21"),
    _document("PurchaseInvoices", "OPCH", "18"),
    _document("Quotations", "OQUT", "23"),
    _document("Orders", "ORDR", "17"),
    _document("DeliveryNotes", "ODLN", "15"),
    _document("Returns", "ORDN", "16"),
    _document("Invoices", "OINV", "13"),
    _document("CreditNotes", "ORIN", "14"),
    _document("InventoryGenEntries", "OIGN", "59"),
    _document("InventoryGenExits", "OIGE", "60"),
    _document("StockTransfers", "OWTR", "67", "StockTransfer"),
    _document("InventoryTransferRequests", "OWTQ", "1250000001", "StockTransfer"),
    SetRow("SpecialPrices", "SpecialPrice", ("ItemCode", "CardCode"), "OSPP", "7"),
    SetRow("ProductTrees", "ProductTree", ("TreeCode",), "OITT", "66"),
    SetRow("ProductionOrders", "ProductionOrder", ("AbsoluteEntry",), "OWOR", "202", verbs=_POSTED),
    SetRow("ApprovalRequests", "ApprovalRequest", ("Code",), "OWDD", "", ("DraftEntry",), frozenset({"PATCH"})),
    SetRow("ApprovalStages", "ApprovalStage", ("Code",), "OWST"),
    SetRow("ApprovalTemplates", "ApprovalTemplate", ("Code",), "OWTM"),
    SetRow("UserFieldsMD", "UserFieldMD", ("TableName", "FieldID"), "CUFD", "", ("TableName",)),
    SetRow("UserTablesMD", "UserTablesMD", ("TableName",), "OUTB"),
    SetRow("UserObjectsMD", "UserObjectsMD", ("Code",), "OUDO"),
)

#: SAP object code -> the entity set of the posted document.
OBJECTS: Final[dict[str, str]] = {row.code: row.name for row in SETS if row.code and row.code != "112"}

_HEADERS: Final = sorted({row.table for row in SETS if row.type in {"Document", "StockTransfer"}})

#: Groups of data base tables that share their user fields -> the types that show them.
UDF_TABLES: Final[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = (
    (tuple(_HEADERS), ("Document", "StockTransfer")),
    (tuple(f"{table[1:]}1" for table in _HEADERS), ("DocumentLine", "StockTransferLine")),
    (("OITM",), ("Item",)),
    (("OCRD",), ("BusinessPartner",)),
    (("OUSR",), ("User",)),
    (("OWOR",), ("ProductionOrder",)),
    (("WOR1",), ("ProductionOrderLine",)),
    (("OITT",), ("ProductTree",)),
    (("ITT1",), ("ProductTreeLine",)),
    (("OSPP",), ("SpecialPrice",)),
    (("SPP1",), ("SpecialPriceDataArea",)),
    (("OWHS",), ("Warehouse",)),
    (("OHEM",), ("EmployeeInfo",)),
    (("OBTN",), ("BatchNumberDetail",)),
    (("OUDP",), ("Department",)),
)

#: Navigation properties: type -> (name, property that holds the key, entity set).
NAVIGATION: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "Document": (
        ("BusinessPartner", "CardCode", "BusinessPartners"),
        ("User", "UserSign", "Users"),
        ("Department", "RequesterDepartment", "Departments"),
    ),
    "StockTransfer": (("BusinessPartner", "CardCode", "BusinessPartners"),),
    "ApprovalRequest": (
        ("ApprovalTemplate", "ApprovalTemplatesID", "ApprovalTemplates"),
        ("ApprovalStage", "CurrentStage", "ApprovalStages"),
        ("User", "OriginatorID", "Users"),
    ),
    "Item": (("BusinessPartner", "Mainsupplier", "BusinessPartners"),),
    "ProductionOrder": (
        ("BusinessPartner", "CustomerCode", "BusinessPartners"),
        ("ProductTree", "ItemNo", "ProductTrees"),
        ("User", "UserSignature", "Users"),
    ),
    "ProductTree": (("Item", "TreeCode", "Items"),),
    "SpecialPrice": (
        ("Item", "ItemCode", "Items"),
        ("BusinessPartner", "CardCode", "BusinessPartners"),
    ),
}

"""Which data base columns hold the properties of the Service Layer, as data.

Notation: ``Property=Column`` separated by blanks; a property that is called like its column stands alone. User fields
are called the same on both sides and are not listed; what is listed nowhere is no column.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COLUMNS", "CONSTANTS", "DB_VALUES", "LINE_TABLES", "PARENT_COLUMNS"]

#: Type -> its columns.
COLUMNS: Final[dict[str, str]] = {
    "Document": """
        DocEntry DocNum DocType Cancelled=CANCELED DocumentStatus=DocStatus DocObjectCode=ObjType DocDate DocDueDate
        TaxDate CardCode CardName Address NumAtCard DocTotal DocCurrency=DocCur DocRate VatSum DiscountPercent=DiscPrcnt
        Reference1=Ref1 Reference2=Ref2 Comments JournalMemo=JrnlMemo DocTime SalesPersonCode=SlpCode Series Project
        CreationDate=CreateDate UpdateDate UpdateTime=UpdateTS UserSign RequriedDate=ReqDate Requester
        RequesterName=ReqName RequesterBranch=Branch RequesterDepartment=Department RequesterEmail=Email ReqType
        CancelDate Confirmed AuthorizationStatus=WddStatus ClosingDate=ClsDate AttachmentEntry=AtcEntry""",
    "DocumentLine": """
        DocEntry LineNum VisualOrder=VisOrder ItemCode ItemDescription=Dscription ItemDescription=ItemName Quantity
        ShipDate UnitPrice=PriceBefDi Price PriceAfterVAT=PriceAfVAT PriceAfterVAT Currency Rate
        DiscountPercent=DiscPrcnt WarehouseCode=WhsCode AccountCode=AcctCode CostingCode=OcrCode CostingCode2=OcrCode2
        ProjectCode=Project VatGroup TaxPercentagePerRow=VatPrcnt TaxTotal=VatSum LineTotal GrossTotal=GTotal
        MeasureUnit=unitMsr UnitsOfMeasurment=NumPerMsr UseBaseUnits=UseBaseUn FreeText=FreeTxt LineVendor
        RequiredDate=PQTReqDate RequiredQuantity=PQTReqQty BaseType BaseEntry BaseLine LineStatus
        RemainingOpenQuantity=OpenQty SerialNum""",
    "StockTransfer": """
        DocEntry DocNum Series DocDate DueDate=DocDueDate TaxDate CardCode CardName Reference1=Ref1 Reference2=Ref2
        Comments JournalMemo=JrnlMemo PriceList=GroupNum FromWarehouse=Filler ToWarehouse=ToWhsCode
        CreationDate=CreateDate UpdateDate DocObjectCode=ObjType AuthorizationStatus=WddStatus DocumentStatus=DocStatus
        AttachmentEntry=AtcEntry""",
    "StockTransferLine": """
        DocEntry LineNum ItemCode ItemDescription=Dscription Quantity Price UnitPrice=PriceBefDi Currency
        WarehouseCode=WhsCode FromWarehouseCode=FromWhsCod ProjectCode=Project DistributionRule=OcrCode
        MeasureUnit=unitMsr UnitsOfMeasurment=NumPerMsr BaseType BaseEntry BaseLine LineStatus
        RemainingOpenQuantity=OpenQty""",
    "Item": """
        ItemCode ItemName ForeignName=FrgnName ItemsGroupCode=ItmsGrpCod BarCode=CodeBars PurchaseItem=PrchseItem
        SalesItem=SellItem InventoryItem=InvntItem AssetItem InventoryUOM=InvntryUom PurchaseUnit=BuyUnitMsr
        SalesUnit=SalUnitMsr PurchaseItemsPerUnit=NumInBuy SalesItemsPerUnit=NumInSale Mainsupplier=CardCode
        SupplierCatalogNo=SuppCatNum PurchaseVATGroup=VatGroupPu SalesVATGroup=VatGourpSa DefaultWarehouse=DfltWH
        QuantityOnStock=OnHand QuantityOrderedFromVendors=OnOrder QuantityOrderedByCustomers=IsCommited
        MinInventory=MinLevel MaxInventory=MaxLevel MinOrderQuantity=MinOrdrQty LeadTime
        ManageSerialNumbers=ManSerNum ManageBatchNumbers=ManBtchNum Valid=validFor ValidFrom=validFrom ValidTo=validTo
        Frozen=frozenFor FrozenFrom=frozenFrom FrozenTo=frozenTo TreeType ProcurementMethod=PrcrmntMtd
        IssueMethod=IssueMthd ItemType AvgStdPrice=AvgPrice User_Text=UserText CreateDate CreateTime=CreateTS
        UpdateDate UpdateTime=UpdateTS""",
    "ItemPrice": "PriceList Price Currency BasePriceList=BasePLNum Factor",
    "ItemWarehouseInfo": """
        WarehouseCode=WhsCode InStock=OnHand Committed=IsCommited Ordered=OnOrder MinimalStock=MinStock
        MaximalStock=MaxStock MinimalOrder=MinOrder StandardAveragePrice=AvgPrice Locked""",
    "BusinessPartner": """
        CardCode CardName CardForeignName=CardFName CardType GroupCode Currency FederalTaxID=LicTradNum Address City
        Country Phone1 Phone2 Cellular Fax EmailAddress=E_Mail ContactPerson=CntctPrsn Notes PayTermsGrpCode=GroupNum
        CreditLimit=CreditLine CurrentAccountBalance=Balance SalesPersonCode=SlpCode Valid=validFor Frozen=frozenFor
        CreateDate CreateTime=CreateTS UpdateDate UpdateTime=UpdateTS""",
    "BPAddress": """
        AddressName=Address AddressType=AdresType Street Block ZipCode City County State Country RowNum=LineNum""",
    "ContactEmployee": """
        Name Position Phone1=Tel1 MobilePhone=Cellolar E_Mail=E_MailL Active InternalCode=CntctCode""",
    "Warehouse": """
        WarehouseCode=WhsCode WarehouseName=WhsName Street City Country EnableBinLocations=BinActivat Inactive""",
    "User": """
        InternalKey=USERID UserCode=USER_CODE UserName=U_NAME eMail=E_Mail MobilePhoneNumber=PortNum FaxNumber=Fax
        Department Branch Superuser=SUPERUSER Locked""",
    "Department": "Code Name Description=Remarks",
    "EmployeeInfo": """
        EmployeeID=empID LastName=lastName FirstName=firstName JobTitle=jobTitle Department=dept Branch=branch
        MobilePhone=mobile OfficePhone=officeTel eMail=email ApplicationUserID=userId Active""",
    "BatchNumberDetail": """
        DocEntry=AbsEntry ItemCode ItemDescription=itemName Status Batch=DistNumber BatchAttribute1=MnfSerial
        BatchAttribute2=LotNumber AdmissionDate=InDate ManufacturingDate=MnfDate ExpirationDate=ExpDate Details=Notes
        SystemNumber=SysNumber""",
    "SpecialPrice": """
        ItemCode CardCode Price Currency DiscountPercent=Discount PriceListNum=ListNum AutoUpdate=AutoUpdt
        SourcePrice=SrcPrice Valid ValidFrom ValidTo""",
    "SpecialPriceDataArea": """
        RowNumber=LINENUM DateFrom=FromDate Dateto=ToDate SpecialPrice=Price Discount PriceCurrency=Currency
        AutoUpdate=AutoUpdt PriceListNo=ListNum""",
    "ProductTree": """
        TreeCode=Code TreeType Quantity=Qauntity Warehouse=ToWH PriceList Project DistributionRule=OcrCode
        ProductDescription=Name""",
    "ProductTreeLine": """
        ChildNum VisualOrder=VisOrder ItemCode=Code ItemName Quantity Warehouse Price Currency IssueMethod=IssueMthd
        InventoryUOM=Uom Comment PriceList ItemType=Type AdditionalQuantity=AddQuantit StageID=StageId""",
    "ProductionOrder": """
        AbsoluteEntry=DocEntry DocumentNumber=DocNum Series ItemNo=ItemCode ProductDescription=ProdName
        ProductionOrderStatus=Status ProductionOrderType=Type PlannedQuantity=PlannedQty CompletedQuantity=CmpltQty
        RejectedQuantity=RjctQty PostingDate=PostDate StartDate DueDate CreationDate=CreateDate ReleaseDate=RlsDate
        ClosingDate=CloseDate CustomerCode=CardCode Warehouse InventoryUOM=Uom Remarks=Comments Project Priority
        UserSignature=UserSign""",
    "ProductionOrderLine": """
        LineNumber=LineNum VisualOrder=VisOrder ItemNo=ItemCode ItemName BaseQuantity=BaseQty PlannedQuantity=PlannedQty
        AdditionalQuantity=AdditQty IssuedQuantity=IssuedQty ProductionOrderIssueType=IssueType Warehouse=wareHouse
        ItemType LineText Project StageID=StageId""",
    "ApprovalRequest": """
        Code=WddCode ApprovalTemplatesID=WtmCode OriginatorID=OwnerID ObjectEntry=DocEntry ObjectType=ObjType
        CurrentStage=CurrStep Status Remarks CreationDate=CreateDate CreationTime=CreateTime IsDraft
        DraftEntry DraftType""",
    "ApprovalRequestLine": """
        StageCode=StepCode UserID Status Remarks CreationDate=CreateDate CreationTime=CreateTime UpdateDate
        UpdateTime""",
    "ApprovalStage": "Code=WstCode Name NoOfApproversRequired=MaxReqr Remarks",
    "ApprovalStageApprover": "UserID",
    "ApprovalTemplate": "Code=WtmCode Name Remarks UseTerms=Conds IsActive=Active",
    "Attachments2": "AbsoluteEntry=AbsEntry",
    "Attachments2_Line": """
        LineNum=Line SourcePath=srcPath FileName FileExtension=FileExt AttachmentDate=Date UserID=UsrID FreeText""",
    "UserFieldMD": """
        TableName=TableID FieldID Name=AliasID Description=Descr Type=TypeID SubType=EditType Size=SizeID
        EditSize Mandatory=NotNull DefaultValue=Dflt""",
    "UserTablesMD": "TableName TableDescription=Descr TableType=ObjectType",
    "UserObjectsMD": "Code Name TableName ObjectType=TYPE",
}

#: Type of a record and name of its collection -> table of the lines; documents name theirs after the header.
LINE_TABLES: Final[dict[tuple[str, str], str]] = {
    ("Item", "ItemPrices"): "ITM1",
    ("Item", "ItemWarehouseInfoCollection"): "OITW",
    ("BusinessPartner", "BPAddresses"): "CRD1",
    ("BusinessPartner", "ContactEmployees"): "OCPR",
    ("SpecialPrice", "SpecialPriceDataAreas"): "SPP1",
    ("ProductTree", "ProductTreeLines"): "ITT1",
    ("ProductionOrder", "ProductionOrderLines"): "WOR1",
    ("ApprovalRequest", "ApprovalRequestLines"): "WDD1",
    ("ApprovalStage", "ApprovalStageApprovers"): "WST1",
    ("Attachments2", "Attachments2_Lines"): "ATC1",
}

#: What lines call the key of their record, where it is called differently than in the record's own table.
PARENT_COLUMNS: Final[dict[str, tuple[str, ...]]] = {"ITT1": ("Father",)}

#: Columns that the Service Layer shows nowhere, with the value they have in every row.
CONSTANTS: Final[dict[str, dict[str, int | str]]] = {"OITM": {"CstGrpCode": -1}, "OBTN": {"ObjType": "10000044"}}

#: Members whose column holds something else than the value that the Service Layer accepts: (type, property) -> values.
DB_VALUES: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("ApprovalRequestLine", "Status"): {"ardPending": "W", "ardApproved": "Y", "ardNotApproved": "N"},
    **{
        (kind, "AuthorizationStatus"): {
            f"{prefix}Without": "-",
            f"{prefix}Pending": "W",
            f"{prefix}Approved": "Y",
            f"{prefix}Rejected": "N",
            f"{prefix}Generated": "P",
            f"{prefix}GeneratedbyAuthorizer": "A",
            f"{prefix}Cancelled": "C",
        }
        for kind, prefix in (("Document", "das"), ("StockTransfer", "sas"))
    },
}

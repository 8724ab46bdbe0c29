"""Demo data, first part: user fields, people, partners, items and structures of a small factory for drive units."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from runtime.sandbox.demo import B1_PASSWORD, B1_USER

from . import records
from .context import Context
from .values import decimal

__all__ = [
    "TEMPLATE_INVENTORY",
    "TEMPLATE_ORDER",
    "TEMPLATE_REQUEST",
    "TEMPLATE_SCRAP",
    "UNIT_PRICE",
    "day",
    "seed_definitions",
    "seed_master_data",
]

#: Codes of the approval templates.
TEMPLATE_REQUEST: Final = 1
TEMPLATE_INVENTORY: Final = 2
TEMPLATE_SCRAP: Final = 3
TEMPLATE_ORDER: Final = 4

#: Password of every demo user but the manager.
_PASSWORD: Final = "1234"  # noqa: S105 - a fixed demo value, opens nothing but the sandbox

_YES_NO: Final = "N=否 Y=是"
_SYNC: Final = "N=未同步 Y=已同步"

#: (table, name, description, type: a size, "date", "time" or "quantity", valid values, default)
_USER_FIELDS: Final[tuple[tuple[str, str, str, int | str, str, str], ...]] = (
    ("OPRQ", "ISSYN", "同步状态", 1, _SYNC, "N"),
    ("OPRQ", "instanceID", "钉钉流程ID", 100, "", ""),
    ("OPRQ", "REQUESTID", "泛微流程ID", 50, "", ""),
    ("OPRQ", "SPNO", "企业微信审批单号", 50, "", ""),
    ("OPRQ", "UserID", "OA发起人", 64, "", ""),
    ("OPRQ", "OAUserID", "泛微发起人", 11, "", ""),
    ("OPRQ", "BMID", "OA部门", 20, "", ""),
    ("OPRQ", "Approver", "审核者", 100, "", ""),
    ("OPRQ", "ApprovalStatus", "审核状态", 20, "", ""),
    ("OPRQ", "ApprovalDate", "审批日期", "date", "", ""),
    ("OPRQ", "SUCCESS", "审批结果", 1, "Y=同意 N=拒绝", ""),
    ("OPRQ", "PurReqType", "请购单别", 20, "自产请购=自产请购 零星请购=零星请购 计划请购=计划请购", ""),
    ("OPRQ", "Origin", "来源", 20, "", ""),
    ("OPRQ", "BaseDocNo", "来源单号", 50, "", ""),
    ("OPRQ", "ProjectCode", "项目编号", 20, "", ""),
    ("OPRQ", "IsSubmit", "提交审批", 1, _YES_NO, "N"),
    ("OPRQ", "SYN", "同步状态（另一写法）", 1, _SYNC, "N"),
    ("OPRQ", "SyncStatus", "同步状态（制造执行）", 1, _SYNC, "N"),
    ("OPRQ", "SyncFlag", "同步标识", 20, "", ""),
    ("OPRQ", "InboundType", "入库类型", 20, "", ""),
    ("OPRQ", "CZR", "条码操作人", 20, "", ""),
    ("OPRQ", "CZSJ", "条码操作时间", 20, "", ""),
    ("PRQ1", "SCRKLX", "生产入库类型", 20, "", ""),
    ("PRQ1", "FJDRQ", "条码单据日期", 10, "", ""),
    ("PRQ1", "BGR1", "报工人", 20, "", ""),
    ("PRQ1", "SBXH", "设备序号", 20, "", ""),
    ("PRQ1", "Specifications", "规格型号", 120, "", ""),
    ("PRQ1", "IsBoM", "是否为BoM物料", 1, _YES_NO, "N"),
    ("PRQ1", "SafetyStock", "安全存量", "quantity", "", ""),
    ("PRQ1", "Onhand", "库存量", "quantity", "", ""),
    ("PRQ1", "MinRepQty", "最低补量", "quantity", "", ""),
    ("PRQ1", "CardShortName", "参考供应商简称", 50, "", ""),
    ("PRQ1", "ItemType", "类型", 1, "1=工程品号 2=正式品号", "2"),
    ("PRQ1", "IsUrgentItem", "急料", 1, _YES_NO, "N"),
    ("OITM", "SYN", "同步状态", 1, _SYNC, "N"),
    ("OITM", "Z20_SPEC", "物料规格", 120, "", ""),
    ("OITM", "ISSYN", "同步状态（泛微）", 1, _SYNC, "N"),
    ("OITM", "SFJY", "是否检验", 1, _YES_NO, "N"),
    ("OITM", "CX", "产线", 20, "", ""),
    ("OITM", "CC", "尺寸", 50, "", ""),
    ("OCRD", "ISSYN", "同步状态", 1, _SYNC, "N"),
    ("OCRD", "CardShortName", "简称", 50, "", ""),
    ("OWOR", "SyncStatus", "同步状态", 1, _SYNC, "N"),
    ("OWOR", "SyncFlag", "同步标识", 20, "", ""),
    ("OWOR", "Z20_SPEC", "规格型号", 120, "", ""),
    ("OWOR", "JGCJ", "加工车间", 50, "", ""),
    ("OWOR", "UpdateDate", "更新日期", "date", "", ""),
    ("OWOR", "UpdateTime", "更新时间", "time", "", ""),
    ("OHEM", "UserID", "钉钉用户", 64, "", ""),
    ("OHEM", "WxUserID", "企业微信用户", 64, "", ""),
    ("@OIR", "ISSYN", "同步状态", 1, _SYNC, "N"),
    ("@OIR", "SPNO", "企业微信审批单号", 50, "", ""),
    ("@OIR", "instanceID", "钉钉流程ID", 100, "", ""),
    ("@OIR", "REQUESTID", "泛微流程ID", 50, "", ""),
    ("@OIR", "UserID", "OA发起人", 64, "", ""),
    ("@OIR", "BMID", "OA部门", 20, "", ""),
    ("@OIR", "SUCCESS", "审批结果", 1, "Y=同意 N=拒绝", ""),
    ("@OIR", "ReqName", "申请人", 50, "", ""),
    ("@OIR", "ReqDate", "申请日期", "date", "", ""),
    ("@OIR", "DueDate", "有效期", "date", "", ""),
    ("@OIR", "ProdOrder", "生产订单号", 20, "", ""),
    ("@OIR", "Reason", "超领原因", 200, "", ""),
    ("@OIR1", "ItemCode", "物料编号", 50, "", ""),
    ("@OIR1", "ItemName", "物料名称", 100, "", ""),
    ("@OIR1", "Quantity", "超领数量", "quantity", "", ""),
    ("@OIR1", "WhsCode", "发货仓库", 8, "", ""),
)

_DEPARTMENTS: Final = ("生产部", "采购部", "仓储部", "品质部", "工程部", "财务部")

#: (code, name, department, OA user id kept in the fax field, mobile: the one that the OA knows too)
_USERS: Final = (
    (B1_USER, "系统管理员", 2, "user-manager", "13800000009"),
    ("zhangsan", "张三", 1, "user-zhangsan", "13800000001"),
    ("lisi", "李四", 2, "user-lisi", "13800000002"),
    ("wangwu", "王五", 3, "user-wangwu", "13800000003"),
    ("chenjl", "陈经理", 5, "user-manager", "13800000009"),
    ("zhoumin", "周敏", 6, "user-zhoumin", "13800000006"),
)

#: (family name, given name, job, department, user, mobile, OA user id)
_EMPLOYEES: Final = (
    ("张", "三", "生产计划员", 1, 2, "13800000001", "user-zhangsan"),
    ("李", "四", "采购员", 2, 3, "13800000002", "user-lisi"),
    ("王", "五", "仓库主管", 3, 4, "13800000003", "user-wangwu"),
    ("陈", "经理", "工程经理", 5, 5, "13800000009", "user-manager"),
)

_WAREHOUSES: Final = (("01", "原材料仓"), ("02", "成品仓"), ("03", "半成品仓"), ("09", "报废仓"))

#: (code, name, short name, kind, city, contact, phone)
_PARTNERS: Final = (
    ("V1001", "无锡恒锋轴承有限公司", "恒锋轴承", "cSupplier", "无锡", "钱卫东", "0510-85201101"),
    ("V1002", "上海申力电工材料有限公司", "申力电工", "cSupplier", "上海", "孙丽华", "021-59881202"),
    ("V1003", "宁波甬江紧固件有限公司", "甬江紧固", "cSupplier", "宁波", "何国平", "0574-87651303"),
    ("V1004", "苏州佳合包装材料有限公司", "佳合包装", "cSupplier", "苏州", "吴晓燕", "0512-66781404"),
    ("V1005", "常州同泰铸造有限公司", "同泰铸造", "cSupplier", "常州", "冯志刚", "0519-88321505"),
    ("C2001", "南京中远输送设备有限公司", "中远输送", "cCustomer", "南京", "郑涛", "025-84502601"),
    ("C2002", "杭州明泽自动化有限公司", "明泽自动化", "cCustomer", "杭州", "林芳", "0571-86912702"),
    ("C2003", "青岛海岳机械有限公司", "海岳机械", "cCustomer", "青岛", "宋健", "0532-80863803"),
)

#: (code, name, specification, unit, price, stock, minimum, warehouse, supplier, batches)
_ITEMS: Final = (
    ("R10001", "深沟球轴承", "6204-2RS 20×47×14", "个", "8.6", 1200, 800, "01", "V1001", False),
    ("R10002", "深沟球轴承", "6206-2RS 30×62×16", "个", "13.2", 340, 600, "01", "V1001", False),
    ("R10003", "漆包圆铜线", "QZ-2/130 φ0.80", "kg", "78.5", 420, 500, "01", "V1002", True),
    ("R10004", "冷轧硅钢片", "50W470 0.5mm", "kg", "6.35", 5200, 4000, "01", "V1002", True),
    ("R10005", "内六角圆柱头螺钉", "GB/T 70.1 M6×20 12.9级", "个", "0.18", 16000, 10000, "01", "V1003", False),
    ("R10006", "弹簧垫圈", "GB/T 93 M6", "个", "0.03", 22000, 10000, "01", "V1003", False),
    ("R10007", "减速机箱体毛坯", "RV50 HT200", "件", "46", 180, 300, "01", "V1005", False),
    ("R10008", "骨架油封", "TC 25×40×7 NBR", "个", "1.9", 900, 1000, "01", "V1001", False),
    ("R10009", "合成齿轮油", "VG320 18L/桶", "桶", "385", 22, 20, "01", "V1002", True),
    ("P10001", "五层瓦楞纸箱", "420×300×260 K=K", "个", "4.75", 760, 1000, "01", "V1004", False),
    ("S20001", "定子总成", "Y2-90L-4 1.5kW", "件", "185", 65, 40, "03", "", False),
    ("S20002", "蜗轮", "RV50 i=30 ZCuSn10P1", "件", "92", 110, 80, "03", "", False),
    ("F30001", "三相异步电动机", "Y2-90L-4 1.5kW B5", "台", "420", 38, 20, "02", "", False),
    ("F30002", "蜗轮蜗杆减速机", "NMRV050 i=30", "台", "510", 26, 20, "02", "", False),
)

#: Item code -> purchase price as text.
UNIT_PRICE: Final[dict[str, str]] = {row[0]: row[4] for row in _ITEMS}

#: Product -> components (code, quantity, issue method).
_TREES: Final = {
    "F30001": (("S20001", "1", "M"), ("R10001", "2", "B"), ("R10005", "8", "B"), ("P10001", "1", "B")),
    "F30002": (("R10007", "1", "M"), ("S20002", "1", "M"), ("R10002", "4", "B"), ("R10008", "2", "B")),
    "S20001": (("R10004", "9.5", "M"), ("R10003", "1.85", "M")),
}


def day(context: Context, offset: int) -> str:
    """A date so many days from today, ``YYYY-MM-DD``."""
    return (date.fromisoformat(context.today) + timedelta(days=offset)).isoformat()


def seed_definitions(context: Context) -> None:
    """User tables, user fields and the over-issue requisition (OIR, 超领单), a user-defined object."""
    tables = (("OIR", "超领单", "bott_Document"), ("OIR1", "超领单明细", "bott_DocumentLines"))
    for table, description, kind in tables:
        values = {"TableName": table, "TableDescription": description, "TableType": kind}
        records.create(context, "UserTablesMD", values)
    for table, name, description, form, choices, default in _USER_FIELDS:
        field: dict[str, Any] = {"TableName": table, "Name": name, "Description": description}
        if isinstance(form, int):
            field |= {"Type": "db_Alpha", "Size": form}
        elif form == "quantity":
            field |= {"Type": "db_Float", "SubType": "st_Quantity"}
        else:
            field |= {"Type": "db_Date", "SubType": "st_Time" if form == "time" else "st_None"}
        pairs = [choice.split("=") for choice in choices.split()]
        field["ValidValuesMD"] = [{"Value": value, "Description": meaning} for value, meaning in pairs]
        if default:
            field["DefaultValue"] = default
        records.create(context, "UserFieldsMD", field)
    requisition = {
        "Code": "OIR",
        "Name": "超领单",
        "TableName": "OIR",
        "ObjectType": "boud_Document",
        "CanFind": "tYES",
        "CanDelete": "tNO",
        "CanCancel": "tYES",
        "CanClose": "tYES",
        "UserObjectMD_ChildTables": [{"SonNumber": 1, "TableName": "OIR1", "ObjectName": "OIR1"}],
        "UserObjectMD_FindColumns": [{"ColumnNumber": 1, "ColumnAlias": "DocEntry"}],
    }
    records.create(context, "UserObjectsMD", requisition)


def seed_master_data(context: Context) -> None:
    """Departments, users, employees, warehouses, partners, items, bills of materials, approval stages and templates."""
    for name in _DEPARTMENTS:
        records.create(context, "Departments", {"Name": name, "Description": name})
    for code, name, department, account, mobile in _USERS:
        user = {
            "UserCode": code,
            "UserName": name,
            "UserPassword": B1_PASSWORD if code == B1_USER else _PASSWORD,
            "Department": department,
            "FaxNumber": account,
            "MobilePhoneNumber": mobile,
            "eMail": f"{code}@example.com",
            "Branch": -2,
            "Superuser": "tYES" if code == B1_USER else "tNO",
            "Locked": "tNO",
        }
        records.create(context, "Users", user)
    for family, given, job, department, key, mobile, account in _EMPLOYEES:
        employee = {"LastName": family, "FirstName": given, "JobTitle": job, "Department": department}
        employee |= {"ApplicationUserID": key, "MobilePhone": mobile, "eMail": f"{account}@example.com"}
        employee |= {"Active": "tYES", "U_UserID": account, "U_WxUserID": account}
        records.create(context, "EmployeesInfo", employee)
    for code, name in _WAREHOUSES:
        warehouse = {"WarehouseCode": code, "WarehouseName": name, "City": "苏州", "Country": "CN"}
        records.create(context, "Warehouses", {**warehouse, "EnableBinLocations": "tNO", "Inactive": "tNO"})
    _seed_partners(context)
    _seed_items(context)
    _seed_approval(context)


def _seed_partners(context: Context) -> None:
    for number, (code, name, short, kind, city, contact, phone) in enumerate(_PARTNERS):
        partner = {
            "CardCode": code,
            "CardName": name,
            "U_CardShortName": short,
            "CardType": kind,
            "GroupCode": 100 if kind == "cCustomer" else 101,
            "Currency": "RMB",
            "FederalTaxID": f"9132{number:04}MA1D{number:06}",
            "City": city,
            "Country": "CN",
            "Phone1": phone,
            "ContactPerson": contact,
            "Valid": "tYES",
            "Frozen": "tNO",
            "BPAddresses": [{"AddressName": "注册地址", "AddressType": "bo_BillTo", "City": city, "Country": "CN"}],
            "ContactEmployees": [{"Name": contact, "Phone1": phone, "Active": "tYES"}],
        }
        records.create(context, "BusinessPartners", partner)


def _seed_items(context: Context) -> None:
    for code, name, specification, unit, price, stock, minimum, warehouse, supplier, batches in _ITEMS:
        bought = bool(supplier)
        item = {
            "ItemCode": code,
            "ItemName": name,
            "U_Z20_SPEC": specification,
            "U_SFJY": "Y" if bought else "N",
            "ItemsGroupCode": 100 if bought else 101,
            "InventoryUOM": unit,
            "PurchaseUnit": unit,
            "SalesUnit": unit,
            "PurchaseItem": "tYES" if bought else "tNO",
            "SalesItem": "tYES" if code.startswith("F") else "tNO",
            "InventoryItem": "tYES",
            "PurchaseVATGroup": "J1",
            "SalesVATGroup": "X1",
            "DefaultWarehouse": warehouse,
            "Mainsupplier": supplier or None,
            "MinInventory": minimum,
            "MinOrderQuantity": max(minimum // 4, 1),
            "AvgStdPrice": price,
            "ManageBatchNumbers": "tYES" if batches else "tNO",
            "ManageSerialNumbers": "tNO",
            "Valid": "tYES",
            "Frozen": "tNO",
            "TreeType": "iProductionTree" if code in _TREES else "iNotATree",
            "ProcurementMethod": "bom_Buy" if bought else "bom_Make",
            "IssueMethod": "im_Manual",
            "ItemType": "itItems",
            "ItemPrices": [{"PriceList": 1, "Price": price, "Currency": "RMB"}],
        }
        records.create(context, "Items", item)
        place = {
            "WarehouseCode": warehouse,
            "ItemCode": code,
            "InStock": decimal(stock),
            "MinimalStock": decimal(minimum),
        }
        booked = {"QuantityOnStock": decimal(stock), "ItemWarehouseInfoCollection": [place]}
        context.put("Items", code, {**context.get("Items", code), **booked})
    for product, components in _TREES.items():
        lines = [{"ItemCode": code, "Quantity": amount, "IssueMethod": method} for code, amount, method in components]
        records.create(context, "ProductTrees", {"TreeCode": product, "Quantity": 1, "ProductTreeLines": lines})


def _seed_approval(context: Context) -> None:
    stages = (("部门主管审批", (1, 5)), ("仓库主管审批", (1, 4)), ("财务审批", (1, 6)))
    for name, approvers in stages:
        stage = {"Name": name, "NoOfApproversRequired": 1}
        records.create(
            context, "ApprovalStages", {**stage, "ApprovalStageApprovers": [{"UserID": user} for user in approvers]}
        )
    templates = (
        ("采购申请审批", (1,), ("atdtPurchaseRequest",)),
        ("库存盘盈盘亏审批", (2, 3), ("atdtGoodsReceipt", "atdtGoodsIssue")),
        ("报废调拨审批", (2,), ("atdtInventoryTransfer",)),
        ("采购订单审批", (1,), ("atdtPurchaseOrder",)),
    )
    for name, codes, documents in templates:
        template = {
            "Name": name,
            "IsActive": "tYES",
            "UseTerms": "tNO",
            "ApprovalTemplateUsers": [{"UserID": user} for user in (1, 2, 3, 4)],
            "ApprovalTemplateStages": [{"SortID": at, "ApprovalStageCode": code} for at, code in enumerate(codes, 1)],
            "ApprovalTemplateDocuments": [{"DocumentType": document} for document in documents],
        }
        records.create(context, "ApprovalTemplates", template)

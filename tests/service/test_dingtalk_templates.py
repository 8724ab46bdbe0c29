"""The DingTalk templates with the real commands: made by settings, run for real, and what B1 and DingTalk hold then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from runtime.cli.app import build
from runtime.mapping.templates import gallery
from runtime.sandbox import demo
from runtime.store.inbox import list_events

pytestmark = pytest.mark.acceptance

ERP = {"erp": demo.B1_CONNECTION}
OA = {"oa": demo.DINGTALK_CONNECTION}
SECOND = "b1-second"
GATEWAY = "di-demo"

#: A form for every mapping but those of the two companies, which share one.
FORMS = ("RECEIPT", "ISSUE", "TRANSFER", "DRAFT-SQL", "REQUEST-SQL", "OIR-SQL", "ORDER", "OIR", "FILES")
CONTROLS = [
    {"label": "单号"},
    {"label": "备注", "component": "TextareaField"},
    {"label": "附件", "component": "DDAttachment"},
    {"label": "经办人", "component": "InnerContactField"},
    {
        "label": "物料表",
        "component": "TableField",
        "children": [{"label": "品号"}, {"label": "数量", "component": "NumberField"}],
    },
]
BUYING = [
    {"label": "单价说明"},
    {
        "label": "价格明细",
        "component": "TableField",
        "children": [{"label": name} for name in ("供应商编号", "物料编号", "采购单价", "货币")],
    },
]

#: The template's own statement, for some of the drafts.
HEADER_OF_DRAFTS = next(
    f'{setting.default} AND T0."DocEntry" > 4'
    for template in gallery()
    if template.id == "dingtalk-approval-sql"
    for setting in template.settings
    if setting.name == "header_sql"
)
HEADER_OF_REQUESTS = (
    'SELECT T0."DocEntry", T0."DocNum", T0."Comments", T0."U_UserID", T0."U_BMID" FROM OPRQ T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
)
HEADER_OF_REQUISITIONS = (
    'SELECT T0."DocEntry", T0."DocNum", T0."U_Reason", T0."U_UserID", T0."U_BMID" FROM "@OIR" T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N' AND T0.\"DocEntry\" > 1"
)
LINES_OF_REQUISITIONS = 'SELECT T1."DocEntry", T1."LineId", T1."U_ItemCode", T1."U_Quantity" FROM "@OIR1" T1'
LINES_OF_REQUESTS = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM PRQ1 T1'

#: Mapping → template, connections, settings, the header's field for 单号 and 备注, its table with item and quantity.
#: What has no fields of a form of its own brings prices or withdrawals.
DOCUMENT = ("DocNum", "Comments", "DocumentLines", "ItemCode", "Quantity")
TRANSFER = ("DocNum", "Comments", "StockTransferLines", "ItemCode", "Quantity")
SQL = ("DocNum", "Comments", "Lines", "ItemCode", "Quantity")
USER_OBJECT = ("DocNum", "U_Reason", "OIR1Collection", "U_ItemCode", "U_Quantity")
MAPPINGS: dict[str, tuple[str, dict[str, str], dict[str, str], tuple[str, ...] | None]] = {
    "request": (
        "dingtalk-approval-odata", ERP | OA,
        {"process_code": demo.PROCESS_CODE, "filter": "DocEntry le 4", "submit": "U_IsSubmit", "withdrawn": "release"},
        ("U_BaseDocNo", "Comments", "DocumentLines", "ItemCode", "Quantity"),
    ),
    "request-second": (
        "dingtalk-approval-odata", {"erp": SECOND} | OA, {"process_code": demo.PROCESS_CODE},
        ("U_BaseDocNo", "Comments", "DocumentLines", "ItemCode", "Quantity"),
    ),
    "receipt": (
        "dingtalk-approval-odata", ERP | OA, {"process_code": "PROC-RECEIPT", "document_type": "59"}, DOCUMENT,
    ),
    "issue": ("dingtalk-approval-odata", ERP | OA, {"process_code": "PROC-ISSUE", "document_type": "60"}, DOCUMENT),
    "transfer": (
        "dingtalk-approval-odata", ERP | OA,
        {"process_code": "PROC-TRANSFER", "object": "StockTransferDrafts", "document_type": "67"},
        TRANSFER,
    ),
    "draft-sql": (
        "dingtalk-approval-sql", {"source": GATEWAY} | ERP | OA,
        {"process_code": "PROC-DRAFT-SQL", "header_sql": HEADER_OF_DRAFTS, "withdrawn": "release"},
        ("DocNum", "ReqName", "Lines", "ItemCode", "Quantity"),
    ),
    "request-sql": (
        "dingtalk-approval-sql", {"source": demo.B1_CONNECTION} | ERP | OA,
        {"process_code": "PROC-REQUEST-SQL", "header_sql": HEADER_OF_REQUESTS, "lines_sql": LINES_OF_REQUESTS,
         "object": "PurchaseRequests", "result": "U_SUCCESS"},
        SQL,
    ),
    "order": (
        "dingtalk-document-odata", ERP | OA,
        {"process_code": "PROC-ORDER", "object": "PurchaseOrders", "withdrawn": "release", "submit": "U_IsSubmit",
         "status": "U_ApprovalStatus", "date": "U_ApprovalDate"},
        DOCUMENT,
    ),
    "requisition": (
        "dingtalk-document-odata", ERP | OA,
        {"process_code": "PROC-OIR", "object": "OIR", "filter": "DocEntry eq 1"}, USER_OBJECT,
    ),
    "requisition-sql": (
        "dingtalk-approval-sql", {"source": GATEWAY} | ERP | OA,
        {"process_code": "PROC-OIR-SQL", "header_sql": HEADER_OF_REQUISITIONS, "lines_sql": LINES_OF_REQUISITIONS,
         "object": "OIR", "result": "U_SUCCESS", "approver": "", "status": "", "date": ""},
        ("DocNum", "U_Reason", "Lines", "U_ItemCode", "U_Quantity"),
    ),
    "quotation": ("dingtalk-special-prices", ERP | OA, {"process_code": demo.PRICE_PROCESS_CODE}, None),
    "buying": (
        "dingtalk-special-prices", ERP | OA,
        {"process_code": "PROC-BUYING", "card": "供应商编号", "price": "采购单价", "date_from": "", "date_to": ""},
        None,
    ),
    "withdrawal": ("dingtalk-withdraw", ERP | OA, {"object": "PurchaseOrders"}, None),
}  # fmt: skip

#: The originator is looked up by the employee's mobile number, the draft's files go along.
FILES = {
    "format": 1,
    "id": "files",
    "connections": ERP | OA,
    "flows": {"submit": {"trigger": {"schedule": {"every": "1s"}}, "steps": [
        {"id": "drafts", "call": "erp.query", "with": {
            "entity": "Drafts", "filter": "DocObjectCode eq '22' and U_ISSYN eq 'N'"}},
        {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": [
            {"id": "employee", "call": "erp.find", "with": {
                "entity": "EmployeesInfo", "filter": "ApplicationUserID eq {{ draft.UserSign | odata }}"}},
            {"id": "person", "call": "oa.find_user", "with": {"mobile": "{{ employee.MobilePhone }}"}},
            {"id": "files", "call": "erp.attachment", "with": {"entry": "{{ draft.AttachmentEntry }}"}},
            {"id": "attached", "call": "oa.upload_attachment", "with": {
                "files": "{{ files }}", "user": "{{ person.user_id }}"}},
            {"id": "form", "map": {
                "from": "{{ draft }}", "to": {"connection": "oa", "form": "PROC-FILES", "controls": [
                    {"id": "单号", "label": "单号", "type": "text"},
                    {"id": "附件", "label": "附件", "type": "attachment"},
                    {"id": "经办人", "label": "经办人", "type": "contact"}]}, "fields": [
                    {"to": "单号", "from": "DocNum"}, {"to": "附件", "value": "{{ attached }}"},
                    {"to": "经办人", "value": "{{ person }}"}]}},
            {"id": "approval", "call": "oa.create_approval", "with": {
                "form": "PROC-FILES", "values": "{{ form }}", "originator": "{{ person }}",
                "department": "{{ person.departments[0] }}"}},
            {"call": "erp.update", "with": {"entity": "Drafts", "key": "{{ draft.DocEntry }}", "values": {
                "U_ISSYN": "Y", "U_instanceID": "{{ approval.instance_id }}"}}}]}]}},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(module_desk: Any, sandbox: Any) -> dict[str, str]:
    """The mappings, made by ``templates new`` and, where a form is filled, with the fields that the Designer adds."""
    gateway = {"kind": "b1.di_api"}
    module_desk.import_connections(b1_second={"company": demo.B1_SECOND_COMPANY}, di_demo=gateway)
    for name in FORMS:
        sandbox.control("PUT", f"/dingtalk/forms/PROC-{name}", {"name": name, "controls": CONTROLS})
    sandbox.control("PUT", "/dingtalk/forms/PROC-BUYING", {"name": "采购价格", "controls": BUYING})

    def make(name: str) -> str:
        template, connections, settings, fields = MAPPINGS[name]
        asked = [f"--connection={role}={connection}" for role, connection in connections.items()]
        asked += [f"--set={setting}={value}" for setting, value in settings.items()]
        if template != "dingtalk-special-prices":
            asked.append("--set=period=1s")
        folders = ["--var", str(module_desk.var), "--mappings", str(module_desk.mappings)]
        # The command itself, but not a process for each: there are many.
        done = CliRunner().invoke(build(), [*folders, "templates", "new", template, "--id", name, *asked])
        if done.exit_code == 0 and fields is not None:
            _add_fields(module_desk, name, settings["process_code"], fields)
        return f"{done.output}{done.exception or ''}" if done.exit_code else ""

    errors = {name: make(name) for name in MAPPINGS}
    module_desk.save(FILES)
    return errors


def _add_fields(desk: Any, name: str, form: str, fields: tuple[str, ...]) -> None:
    number, remark, table, item, quantity = fields
    path = desk.mappings / f"{name}.json"
    document = json.loads(path.read_text("utf-8"))
    [each] = [step for step in document["flows"]["submit"]["steps"] if "each" in step]
    purchase = form == demo.PROCESS_CODE
    header = [{"to": "来源单号" if purchase else "单号", "from": number}, {"to": "备注", "from": remark}]
    header += [{"to": "请购单别", "from": "U_PurReqType"}] if purchase else []
    rows = [{"to": "品号", "from": item}, {"to": "需求数量" if purchase else "数量", "from": quantity}]
    each["steps"][0]["map"] |= {"fields": header, "tables": [{"to": "物料表", "from": table, "fields": rows}]}
    desk.save(document | {"enabled": True})


@pytest.fixture(scope="module")
def runtime(made: dict[str, str], module_desk: Any, sandbox: Any) -> Any:
    """A live runtime with all of them."""
    assert set(made.values()) == {""}, made
    for entry in (1, 2):
        sandbox.b1(f"/PurchaseOrders({entry})", method="PATCH", body={"U_IsSubmit": "Y"})
    sandbox.b1("/Drafts(7)", method="PATCH", body={"U_ISSYN": None})
    process = module_desk.serve()
    callback = f"{process.address()}/callbacks/{demo.DINGTALK_CONNECTION}"
    # A dozen flows begin at once here, and what is judged is not how fast.
    sandbox.control("PUT", "/dingtalk/callback", {"url": callback, "judge_ms": 20_000})
    return process


@pytest.fixture(scope="module")
def office(runtime: Any, sandbox: Any, eventually: Callable[..., Any], module_desk: Any) -> Office:
    return Office(sandbox, eventually, module_desk)


class Office:
    """B1 and DingTalk as their users see them."""

    def __init__(self, sandbox: Any, eventually: Callable[..., Any], desk: Any) -> None:
        self.sandbox = sandbox
        self.eventually = eventually
        self.desk = desk
        #: Approvals whose end a person has to look at.
        self.expected: set[str] = set()

    def row(self, entity: str, key: Any, company: str = demo.B1_COMPANY) -> dict[str, Any]:
        return dict(self.sandbox.b1(f"/{entity}({key})", company=company))

    def rows(self, entity: str, condition: str, company: str = demo.B1_COMPANY) -> list[dict[str, Any]]:
        return list(self.sandbox.b1(f"/{entity}?$filter={condition}", company=company)["value"])

    def sent(
        self, entity: str, condition: str, form: str, count: int, company: str = demo.B1_COMPANY
    ) -> list[dict[str, Any]]:
        """The documents once all of them carry an approval; each has exactly one of its own."""

        def look() -> list[dict[str, Any]]:
            rows = self.rows(entity, condition, company)
            return rows if len(rows) == count and all(row["U_ISSYN"] == "Y" for row in rows) else []

        rows = self.eventually(look, within=40, what=f"{count} {entity} ({condition}) are sent")
        numbers = [row["U_instanceID"] for row in rows]
        assert len(set(numbers)) == count
        assert set(numbers) <= {one["id"] for one in self.of_form(form)}
        return list(rows)

    def of_form(self, form: str) -> list[dict[str, Any]]:
        return [one for one in self.sandbox.instances() if one["process_code"] == form]

    def values(self, instance: str) -> dict[str, Any]:
        [found] = [one for one in self.sandbox.instances() if one["id"] == instance]
        return {value["name"]: value["value"] for value in found["values"]}

    def decide(self, instance: str, result: str) -> None:
        path = f"/dingtalk/instances/{instance}/" + ("withdraw" if result == "withdraw" else "decide")
        self.sandbox.control("POST", path, {"result": result, "remark": "请尽快"})

    def until(self, entity: str, key: Any, company: str = demo.B1_COMPANY, **values: Any) -> dict[str, Any]:
        """The row, once it holds these values."""

        def look() -> dict[str, Any] | None:
            row = self.row(entity, key, company)
            return row if all(row.get(name) == value for name, value in values.items()) else None

        return dict(self.eventually(look, within=40, what=f"{entity}({key}) holds {values}"))

    def settled(self, *instances: str) -> None:
        """Nothing is left in the inbox, nothing failed, and the end of these approvals was carried out."""

        def look() -> list[Any]:
            events = self.desk.read(lambda state: list_events(state, limit=1000))
            done = set(_ended(events))
            waiting = any(event.state in ("new", "working") for event in events)
            return [] if waiting or not done.issuperset(instances) else list(events)

        events = self.eventually(look, what="the inbox is worked off")
        failed = {event.event.instance_id: event.error for event in events if event.state == "failed"}
        assert failed.keys() == self.expected, failed

    def start(self, form: str, values: dict[str, Any]) -> str:
        """An approval that a person starts in DingTalk; its id."""
        components = [
            {"name": name, "value": value if isinstance(value, str) else json.dumps(_cells(value), ensure_ascii=False)}
            for name, value in values.items()
        ]
        with httpx.Client(base_url=f"{self.sandbox.url}/dingtalk", trust_env=False, timeout=30) as http:
            keys = {"appKey": demo.DINGTALK_APP_KEY, "appSecret": demo.DINGTALK_APP_SECRET}
            token = http.post("/v1.0/oauth2/accessToken", json=keys).json()["accessToken"]
            asked = {"originatorUserId": "user-lisi", "deptId": 1002, "processCode": form}
            answer = http.post(
                "/v1.0/workflow/processInstances",
                json=asked | {"formComponentValues": components},
                headers={"x-acs-dingtalk-access-token": token},
            )
        assert answer.is_success, answer.text
        return str(answer.json()["instanceId"])


def _ended(events: list[Any]) -> dict[str, str]:
    """Approval → which flows carried its end out."""
    ended = (event for event in events if event.event.type == "approval.finished" and event.state == "done")
    return {event.event.instance_id: event.note for event in ended}


def _cells(rows: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    return [[{"name": name, "value": value} for name, value in row.items()] for row in rows]


def test_each_is_made_by_settings_alone_and_fit_to_run(made: dict[str, str], module_desk: Any) -> None:
    assert set(made.values()) == {""}
    checked = module_desk.command("check", *MAPPINGS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("entity", "condition", "form", "count"),
    [
        ("Drafts", "DocObjectCode eq '59'", "PROC-RECEIPT", 2),
        ("Drafts", "DocObjectCode eq '60'", "PROC-ISSUE", 2),
        ("StockTransferDrafts", "DocObjectCode eq '67'", "PROC-TRANSFER", 2),
        ("Drafts", "DocObjectCode eq '1470000113' and DocEntry gt 4 and DocEntry le 8", "PROC-DRAFT-SQL", 4),
    ],
)
def test_drafts_of_every_kind(office: Office, entity: str, condition: str, form: str, count: int) -> None:
    first, second, *_ = office.sent(entity, condition, form, count)
    assert len(office.of_form(form)) == count
    table = json.loads(office.values(first["U_instanceID"])["物料表"])
    lines = first["StockTransferLines" if entity.startswith("Stock") else "DocumentLines"]
    assert [row[0]["value"] for row in table] == [line["ItemCode"] for line in lines]
    assert [row[1]["value"] for row in table] == [f"{line['Quantity']:g}" for line in lines]
    office.decide(first["U_instanceID"], "agree")
    office.decide(second["U_instanceID"], "refuse")
    after = office.until(entity, first["DocEntry"], U_ApprovalStatus="同意", U_Approver="user-manager")
    assert after["U_ApprovalDate"]
    office.until(entity, second["DocEntry"], U_ApprovalStatus="拒绝")
    for row, status in ((first, "arsApproved"), (second, "arsNotApproved")):
        [request] = office.rows("ApprovalRequests", f"DraftEntry eq {row['DocEntry']}")
        assert request["Status"] == status
        assert "请尽快" in str(request["ApprovalRequestLines"])


def test_two_companies_share_a_form_and_each_gets_its_own_verdicts(office: Office) -> None:
    condition = "DocObjectCode eq '1470000113' and DocEntry le 4"
    first = office.sent("Drafts", condition, demo.PROCESS_CODE, 4)
    second = office.sent(
        "Drafts", "DocObjectCode eq '1470000113'", demo.PROCESS_CODE, 2, company=demo.B1_SECOND_COMPANY
    )
    assert len(office.of_form(demo.PROCESS_CODE)) == 6
    # Both companies have a draft of this number: the verdict belongs to one of them only.
    entry = second[0]["DocEntry"]
    [same] = [draft for draft in first if draft["DocEntry"] == entry]
    office.decide(second[0]["U_instanceID"], "refuse")
    office.until("Drafts", entry, demo.B1_SECOND_COMPANY, U_ApprovalStatus="拒绝")
    office.settled(second[0]["U_instanceID"])
    assert office.row("Drafts", entry).get("U_ApprovalStatus") == same.get("U_ApprovalStatus") is None
    office.decide(same["U_instanceID"], "agree")
    office.until("Drafts", entry, U_ApprovalStatus="同意")
    office.settled(same["U_instanceID"])
    assert office.row("Drafts", entry, demo.B1_SECOND_COMPANY)["U_ApprovalStatus"] == "拒绝"
    notes = _ended(office.desk.read(lambda state: list_events(state, limit=1000)))
    assert notes[second[0]["U_instanceID"]] == "request-second/verdict"
    assert notes[same["U_instanceID"]] == "request/verdict"


def test_a_draft_that_is_released_can_be_submitted_again(office: Office) -> None:
    draft = office.sent("Drafts", "DocEntry eq 2", demo.PROCESS_CODE, 1)[0]
    office.decide(draft["U_instanceID"], "withdraw")
    released = office.until("Drafts", 2, U_ISSYN="N", U_ApprovalStatus="已撤销", U_IsSubmit="N")
    assert not released["U_instanceID"]
    [request] = office.rows("ApprovalRequests", "DraftEntry eq 2")
    assert request["Status"] == "arsPending"
    office.sandbox.b1("/Drafts(2)", method="PATCH", body={"U_IsSubmit": "Y", "Comments": "改后再提"})
    again = office.until("Drafts", 2, U_ISSYN="Y")
    assert again["U_instanceID"] not in ("", draft["U_instanceID"])
    assert office.values(again["U_instanceID"])["备注"] == "改后再提"
    office.decide(again["U_instanceID"], "agree")
    office.until("Drafts", 2, U_ApprovalStatus="同意")


@pytest.mark.parametrize("entry", [7, 8])
def test_a_draft_read_by_sql_is_sent_again_once_it_is_released(office: Office, entry: int) -> None:
    """The mark of one was ``N`` before, that of the other empty."""
    condition = f"DocEntry eq {entry}"
    [first] = [row["U_instanceID"] for row in office.sent("Drafts", condition, "PROC-DRAFT-SQL", 1)]
    office.decide(first, "withdraw")

    def again() -> bool:
        return office.row("Drafts", entry)["U_instanceID"] not in (None, "", first)

    office.eventually(again, within=40, what="the draft has a new approval")
    office.until("Drafts", entry, U_ISSYN="Y", U_ApprovalStatus="已撤销")


@pytest.mark.parametrize(
    "case",
    [
        ("PurchaseRequests", 2, "PROC-REQUEST-SQL", "agree", "Y"),
        ("OIR", 1, "PROC-OIR", "withdraw", "N"),
        ("OIR", 2, "PROC-OIR-SQL", "refuse", "N"),
    ],
)
def test_documents_carry_the_result(office: Office, case: tuple[str, int, str, str, str]) -> None:
    entity, entry, form, verdict, result = case
    [row] = office.sent(entity, f"DocEntry eq {entry}", form, 1)
    assert len(office.of_form(form)) == 1
    assert not row.get("U_SUCCESS")
    office.decide(row["U_instanceID"], verdict)
    office.until(entity, entry, U_SUCCESS=result)


def test_a_verdict_that_comes_again_has_no_second_effect(office: Office) -> None:
    order = office.sent("PurchaseOrders", "DocEntry eq 1", "PROC-ORDER", 1)[0]
    office.decide(order["U_instanceID"], "agree")
    after = office.until("PurchaseOrders", 1, U_SUCCESS="Y", U_ApprovalStatus="同意")
    assert not after.get("U_Approver")
    office.sandbox.b1("/PurchaseOrders(1)", method="PATCH", body={"U_ApprovalStatus": "later"})
    log = office.sandbox.control("GET", f"/dingtalk/events?instance={order['U_instanceID']}")["events"]
    finished = next(event for event in log if event["change"] == "finish")
    office.sandbox.control("POST", f"/dingtalk/events/{finished['id']}/redeliver")

    def accepted_again() -> bool:
        log = office.sandbox.control("GET", f"/dingtalk/events?instance={order['U_instanceID']}")["events"]
        again = next(event for event in log if event["id"] == finished["id"])
        return again["state"] == "delivered" and again["rounds"] > finished["rounds"]

    office.eventually(accepted_again, what="the event is acknowledged again")
    office.settled(order["U_instanceID"])
    assert office.row("PurchaseOrders", 1)["U_ApprovalStatus"] == "later"


def area(row: dict[str, Any]) -> tuple[str, str, Any, str]:
    return row["DateFrom"][:10], (row.get("Dateto") or "")[:10], row["SpecialPrice"], row["PriceCurrency"]


def test_a_quotation_becomes_special_prices(office: Office) -> None:
    key = "ItemCode='F30001',CardCode='C2001'"
    [before] = office.row("SpecialPrices", key)["SpecialPriceDataAreas"]
    old = {"开始日期": before["DateFrom"][:10], "结束日期": before["Dateto"][:10]}
    new = {"开始日期": "2028-01-01", "结束日期": "2028-06-30"}
    rows = [
        {"物料编号": "F30001", "单价": "661.5", **old},
        {"物料编号": "F30001", "单价": "640", **new},
        {"物料编号": "S20001", "单价": "199", **new},
        {"物料编号": "S20001", "单价": "198", "开始日期": "2028-07-01", "结束日期": ""},
    ]
    refused = office.start(
        demo.PRICE_PROCESS_CODE, {"客户编号": "C2001", "货币": "", "价格明细": [rows[2] | {"单价": "1"}]}
    )
    office.decide(refused, "refuse")
    for _ in range(2):  # the same prices, agreed a second time, change nothing
        instance = office.start(demo.PRICE_PROCESS_CODE, {"客户编号": "C2001", "货币": "", "价格明细": rows})
        office.decide(instance, "agree")
        office.settled(refused, instance)
    updated = office.row("SpecialPrices", key)
    assert [area(one) for one in updated["SpecialPriceDataAreas"]] == [
        (old["开始日期"], old["结束日期"], 661.5, "RMB"),
        ("2028-01-01", "2028-06-30", 640, "RMB"),
    ]
    made = office.row("SpecialPrices", "ItemCode='S20001',CardCode='C2001'")
    assert [area(one) for one in made["SpecialPriceDataAreas"]] == [
        ("2028-01-01", "2028-06-30", 199, "RMB"),
        ("2028-07-01", "", 198, "RMB"),
    ]


def test_a_price_without_its_period_is_an_error_and_not_a_price_for_ever(office: Office) -> None:
    row = {"物料编号": "S20002", "单价": "88", "开始日期": "", "结束日期": ""}
    instance = office.start(demo.PRICE_PROCESS_CODE, {"客户编号": "C2002", "货币": "USD", "价格明细": [row]})
    office.decide(instance, "agree")

    def failed() -> list[Any]:
        events = office.desk.read(lambda state: list_events(state, states=("failed",)))
        return [event for event in events if event.event.instance_id == instance]

    [event] = office.eventually(failed, what="the event waits for a person")
    assert event.next_attempt_at is None
    assert office.rows("SpecialPrices", "CardCode eq 'C2002' and ItemCode eq 'S20002'") == []
    assert "必填" in str(event.error)
    office.expected.add(instance)


def test_a_purchase_price_names_its_supplier_in_each_row(office: Office) -> None:
    rows = [
        {"供应商编号": "V1001", "物料编号": "R10001", "采购单价": "8.15", "货币": ""},
        {"供应商编号": "V1002", "物料编号": "R10003", "采购单价": "11.2", "货币": "USD"},
    ]
    instance = office.start("PROC-BUYING", {"价格明细": rows})
    office.decide(instance, "agree")
    office.settled(instance)
    for key, price in (("R10001',CardCode='V1001", (8.15, "RMB")), ("R10003',CardCode='V1002", (11.2, "USD"))):
        found = office.row("SpecialPrices", f"ItemCode='{key}'")
        assert (found["Price"], found["Currency"]) == price
        assert not found.get("SpecialPriceDataAreas")


def test_files_and_people_of_b1_reach_dingtalk(office: Office) -> None:
    drafts = office.sent("Drafts", "DocObjectCode eq '22'", "PROC-FILES", 2)
    [instance] = [one for one in office.of_form("PROC-FILES") if one["id"] == drafts[0]["U_instanceID"]]
    # B1 knows the buyer's mobile number only; DingTalk knows whose it is.
    assert (instance["originator"], instance["department"]) == ("user-lisi", 1002)
    values = office.values(instance["id"])
    assert json.loads(values["经办人"]) == ["user-lisi"]
    files = json.loads(values["附件"])
    assert [file["fileName"] for file in files] == ["采购说明.txt", "quotation.pdf"]
    assert all({"spaceId", "fileId", "fileSize", "fileType"} <= file.keys() for file in files)


def test_what_b1_cancels_is_withdrawn_in_dingtalk(office: Office) -> None:
    order = office.sent("PurchaseOrders", "DocEntry eq 2", "PROC-ORDER", 1)[0]
    office.sandbox.b1("/PurchaseOrders(2)/Cancel", method="POST")
    office.until("PurchaseOrders", 2, U_ApprovalStatus="已撤销")
    [instance] = [one for one in office.of_form("PROC-ORDER") if one["id"] == order["U_instanceID"]]
    assert instance["status"] == "TERMINATED"


def test_no_document_was_sent_twice(office: Office) -> None:
    office.settled()
    # Nothing but the three drafts that were released and sent again has two approvals.
    assert {form: len(office.of_form(f"PROC-{form}")) for form in FORMS} == {
        "RECEIPT": 2, "ISSUE": 2, "TRANSFER": 2, "DRAFT-SQL": 6, "REQUEST-SQL": 1, "OIR-SQL": 1, "ORDER": 2, "OIR": 1,
        "FILES": 2,
    }  # fmt: skip
    assert len(office.of_form(demo.PROCESS_CODE)) == 7

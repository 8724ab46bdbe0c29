"""The WeCom templates with the real commands: made by settings, run for real, and what B1 and WeCom hold then.

One sandbox and one runtime serve all of it; WeCom pushes every event three times, to one address.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from runtime.cli.app import build
from runtime.sandbox import demo
from runtime.store.inbox import InboxEvent, list_events

pytestmark = [pytest.mark.acceptance]

ROLES = {"erp": demo.B1_CONNECTION, "oa": demo.WECOM_CONNECTION}

#: The form of every kind of document but the purchase request, which has the demo's own.
CONTROLS = [
    {"label": "申请人"},
    {"label": "单号", "required": True},
    {"label": "单据日期", "control": "Date"},
    {"label": "备注", "control": "Textarea"},
    {
        "label": "物料",
        "control": "Table",
        "children": [{"label": "物料编号", "required": True}, {"label": "数量", "control": "Number"}],
    },
]
TEMPLATES = ("TkUse", "TkScrap", "TkReceipt", "TkSqlDraft", "TkSqlRequest", "TkRequisition", "TkOrder")

DRAFTS_BY_SQL = (
    'SELECT T0."DocEntry", T0."ReqName", T0."DocDate", T0."Comments", T0."U_UserID", T0."U_ISSYN" FROM ODRF T0 '
    "WHERE T0.\"ObjType\" = '1470000113' AND IFNULL(T0.\"U_ISSYN\",'N') = 'N' AND T0.\"U_IsSubmit\" = 'Y' "
    'AND T0."DocEntry" IN (5, 6, 7, 8)'
)
REQUESTS_BY_SQL = (
    'SELECT T0."DocEntry", T0."ReqName", T0."DocDate", T0."Comments", T0."U_UserID", T0."U_ISSYN" FROM OPRQ T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
)
LINES_OF_REQUESTS = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM PRQ1 T1'

#: Mapping → template, settings, the document's fields in the order of the form: its header, then table and columns.
BY_SQL = ("ReqName", "DocEntry", "DocDate", "Comments", "Lines", "ItemCode", "Quantity")
INVENTORY = ("U_UserID", "DocEntry", "DocDate", "Comments", "DocumentLines", "ItemCode", "Quantity")
MAPPINGS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "request": (
        "wecom-approval-odata",
        {"template_id": demo.WECOM_TEMPLATE, "filter": "DocEntry lt 5 or DocEntry gt 8", "stage_approver": "5",
         "key_field": "草稿单号"},
        (),
    ),
    "issue-use": (
        "wecom-approval-odata",
        {"template_id": "TkUse", "document_type": "60", "filter": "contains(Comments,'年中')", "stage_approver": "4"},
        INVENTORY,
    ),
    "sql-draft": (
        "wecom-approval-sql",
        {"template_id": "TkSqlDraft", "header_sql": DRAFTS_BY_SQL, "withdrawn": "release", "submit": "U_IsSubmit"},
        BY_SQL,
    ),
    "sql-request": (
        "wecom-approval-sql",
        {"template_id": "TkSqlRequest", "header_sql": REQUESTS_BY_SQL, "lines_sql": LINES_OF_REQUESTS,
         "object": "PurchaseRequests", "result": "U_SUCCESS", "names": "id"},
        BY_SQL,
    ),
    "requisition": (
        "wecom-document-odata", {"template_id": "TkRequisition", "object": "OIR"},
        ("U_ReqName", "DocEntry", "U_ReqDate", "U_Reason", "OIR1Collection", "U_ItemCode", "U_Quantity"),
    ),
    "order": (
        "wecom-document-odata",
        {"template_id": "TkOrder", "object": "PurchaseOrders", "names": "b1", "approver": "U_Approver",
         "status": "U_ApprovalStatus", "date": "U_ApprovalDate", "opinion": "Comments"},
        INVENTORY,
    ),
}  # fmt: skip
SOURCES = {"sql-draft": demo.B1_DI_CONNECTION, "sql-request": demo.B1_CONNECTION}

REQUEST_FIELDS = [
    {"to": "申请人", "from": "RequesterName"},
    {"to": "有效期", "from": "DocDueDate"},
    {"to": "过账日期", "from": "DocDate"},
    {"to": "草稿单号", "from": "DocEntry"},
    {"to": "审批单号", "value": "{{ pending.Code }}"},
    {"to": "备注", "from": "Comments"},
]
REQUEST_COLUMNS = [
    {"to": "物料名", "from": "ItemDescription"},
    {"to": "物料编号", "from": "ItemCode"},
    {"to": "数量", "from": "Quantity"},
]


class Office:
    """B1 and WeCom as their users see them, and the commands of whoever runs the product."""

    def __init__(self, desk: Any, sandbox: Any, eventually: Callable[..., Any]) -> None:
        self.desk = desk
        self.sandbox = sandbox
        self.eventually = eventually
        #: Of the runtime, once it is started.
        self.address = ""

    def command(self, *arguments: str) -> str:
        """A command carried out in this process: there are many."""
        folders = ["--var", str(self.desk.var), "--mappings", str(self.desk.mappings)]
        done = CliRunner().invoke(build(), [*folders, *arguments])
        assert done.exit_code == 0, f"{done.output}{done.exception or ''}"
        return done.output

    def make(self, name: str) -> None:
        """``templates new --set …``, and then the fields, as the Designer adds them."""
        template, settings, fields = MAPPINGS[name]
        roles = ROLES | ({"source": SOURCES[name]} if name in SOURCES else {})
        asked = [f"--connection={role}={connection}" for role, connection in roles.items()]
        asked += [f"--set={setting}={value}" for setting, value in (settings | {"period": "1s"}).items()]
        self.command("templates", "new", template, "--id", name, *asked)
        document = self.mapping(name)
        each = next(step for step in document["flows"]["submit"]["steps"] if "each" in step)
        form = next(step["map"] for step in each["steps"] if step.get("id") == "form")
        header, table, columns = REQUEST_FIELDS, "DocumentLines", REQUEST_COLUMNS
        if fields:
            *sources, table, item, quantity = fields
            labels = ("申请人", "单号", "单据日期", "备注")
            header = [{"to": label, "from": source} for label, source in zip(labels, sources, strict=True)]
            columns = [{"to": "物料编号", "from": item}, {"to": "数量", "from": quantity}]
        form |= {"fields": header, "tables": [{"to": "物料", "from": table, "fields": columns}]}
        self.desk.save(document | {"enabled": True})

    def mapping(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.desk.mappings / f"{name}.json").read_text("utf-8")))

    def change(self, name: str, **settings: Any) -> None:
        document = self.mapping(name)
        document["settings"] |= settings
        self.desk.save(document)

    def approvals(self, template: str = "") -> list[dict[str, Any]]:
        found = self.sandbox.control("GET", "/wecom/instances?limit=1000")["instances"]
        return [one for one in found if template in ("", one["template_id"])]

    def row(self, entity: str, key: Any) -> dict[str, Any]:
        return dict(self.sandbox.b1(f"/{entity}({key})"))

    def decision(self, draft: int) -> tuple[str, list[tuple[str, str]]]:
        """Status of B1's approval request, and what was decided and said at its stages so far."""
        [request] = self.sandbox.b1(f"/ApprovalRequests?$filter=DraftEntry eq {draft}")["value"]
        lines = [(line["Status"], line["Remarks"] or "") for line in request["ApprovalRequestLines"]]
        return request["Status"], [line for line in lines if line[0] in ("ardApproved", "ardNotApproved")]

    def sent(self, entity: str, condition: str, template: str, count: int) -> list[dict[str, Any]]:
        """The documents once all of them carry an approval; each has exactly one, and there are no others."""

        def look() -> list[dict[str, Any]]:
            rows = self.sandbox.b1(f"/{entity}?$filter={condition}")["value"]
            return rows if len(rows) == count and all(row["U_ISSYN"] == "Y" for row in rows) else []

        rows = self.eventually(look, within=40, what=f"{count} {entity} ({condition}) are sent")
        numbers = Counter(row["U_SPNO"] for row in rows)
        assert numbers == Counter(one["id"] for one in self.approvals(template))
        assert set(numbers.values()) == {1}
        return list(rows)

    def decide(self, number: str, result: str, remark: str = "") -> None:
        self.sandbox.control("POST", f"/wecom/instances/{number}/decide", {"result": result, "remark": remark})

    def withdraw(self, number: str) -> None:
        self.sandbox.control("POST", f"/wecom/instances/{number}/withdraw", {})

    def after(self, number: str, event: str) -> None:
        self.sandbox.control("POST", f"/wecom/instances/{number}/after", {"event": event})

    def until(self, entity: str, key: Any, **values: Any) -> dict[str, Any]:
        """The row, once it holds these values."""

        def look() -> dict[str, Any] | None:
            row = self.row(entity, key)
            return row if all(row.get(name) == value for name, value in values.items()) else None

        return dict(self.eventually(look, within=40, what=f"{entity}({key}) holds {values}"))

    def events(self, number: str, kind: str = "approval.finished") -> list[InboxEvent]:
        rows = self.desk.read(lambda state: list_events(state, limit=1000))
        return [row for row in rows if row.event.instance_id == number and row.event.type == kind]

    def done(self, number: str, count: int = 1) -> None:
        """So many verdicts have come, and every one is carried out."""

        def look() -> bool:
            rows = self.events(number)
            return len(rows) == count and all(row.state == "done" for row in rows)

        self.eventually(look, what=f"{count} verdicts on {number} are carried out")

    def acknowledged(self, number: str, rounds: int) -> None:
        def look() -> bool:
            log = self.sandbox.control("GET", f"/wecom/events?instance={number}")["events"]
            return all(push["state"] == "delivered" and push["rounds"] == rounds for push in log)

        self.eventually(look, what=f"the events of {number} are acknowledged")


def values_of(approval: dict[str, Any]) -> dict[str, Any]:
    return {item["title"][0]["text"]: item["value"] for item in approval["contents"]}


@pytest.fixture(scope="module")
def office(module_desk: Any, sandbox: Any, eventually: Callable[..., Any]) -> Office:
    """Everything made by command, and a live runtime whose first answer from WeCom is lost on the way."""
    office = Office(module_desk, sandbox, eventually)
    documents = module_desk.connections(b1_demo={"retries": 0})
    path = module_desk.folder / "connections.json"
    path.write_text(json.dumps({name: documents[name] for name in (*ROLES.values(), demo.B1_DI_CONNECTION)}), "utf-8")
    office.command("connections", "import", str(path))
    for code in TEMPLATES:
        sandbox.control("PUT", f"/wecom/forms/{code}", {"name": code, "controls": CONTROLS})
    for name in MAPPINGS:
        office.make(name)
    office.command("check", *MAPPINGS)
    sandbox.control("POST", "/faults/next", {"fault": "reset_after", "path": "/oa/applyevent"})
    office.address = module_desk.serve().address()
    callback = f"{office.address}/callbacks/{demo.WECOM_CONNECTION}"
    sandbox.control("PUT", "/wecom/callback", {"url": callback, "copies": 3})
    return office


PURCHASE_REQUESTS = "DocObjectCode eq '1470000113' and DocEntry lt 5"


def test_every_draft_becomes_one_approval_of_its_author(office: Office) -> None:
    drafts = office.sent("Drafts", PURCHASE_REQUESTS, demo.WECOM_TEMPLATE, 4)
    approvals = {item["id"]: item for item in office.approvals(demo.WECOM_TEMPLATE)}
    for draft in drafts:
        approval = approvals[draft["U_SPNO"]]
        assert approval["originator"] == draft["U_UserID"]
        assert values_of(approval)["草稿单号"]["text"] == str(draft["DocEntry"])


#: Mapping, entity, condition, number of documents.
KINDS = [
    ("issue-use", "Drafts", "DocObjectCode eq '60' and contains(Comments,'年中')", 1),
    ("sql-draft", "Drafts", "DocObjectCode eq '1470000113' and DocEntry ge 5 and DocEntry le 8", 4),
    ("sql-request", "PurchaseRequests", "RequesterName eq '王五'", 1),
    ("requisition", "OIR", "DocEntry gt 0", 2),
    ("order", "PurchaseOrders", "DocEntry gt 0", 2),
]


@pytest.mark.parametrize(("name", "entity", "condition", "count"), KINDS)
def test_every_kind_of_document_there_and_back(
    office: Office, name: str, entity: str, condition: str, count: int
) -> None:
    template = MAPPINGS[name][1]["template_id"]
    rows = office.sent(entity, condition, template, count)
    approvals = {item["id"]: item for item in office.approvals(template)}
    for row in rows:
        approval = approvals[row["U_SPNO"]]
        creator = office.row("Users", row["UserSign"])["FaxNumber"]
        assert approval["originator"] == (row["U_UserID"] if name.startswith("sql") else creator)
        values = values_of(approval)
        assert values["单号"]["text"] == str(row["DocEntry"])
        lines, column = ("OIR1Collection", "U_ItemCode") if entity == "OIR" else ("DocumentLines", "ItemCode")
        cells = [line["list"][0]["value"]["text"] for line in values["物料"]["children"]]
        assert cells == [line[column] for line in row[lines]]
    for row, result in zip(rows, ("agree", "refuse"), strict=False):
        office.decide(row["U_SPNO"], result, "请尽快")
        agreed = result == "agree"
        if entity == "Drafts":
            after = office.until(entity, row["DocEntry"], U_ApprovalStatus="同意" if agreed else "拒绝")
            assert after["U_Approver"] == "陈经理"
            # B1 asks for a second stage where stock is concerned; the settings name whose stage WeCom decides
            status = "arsNotApproved" if not agreed else "arsPending" if name == "issue-use" else "arsApproved"
            verdict = ("ardApproved", "陈经理 同意: 请尽快") if agreed else ("ardNotApproved", "陈经理 拒绝: 请尽快")
            assert office.decision(row["DocEntry"]) == (status, [verdict])
        else:
            office.until(entity, row["DocEntry"], U_SUCCESS="Y" if agreed else "N")
        office.done(row["U_SPNO"])


def test_names_come_from_where_the_settings_say(office: Office) -> None:
    by_id = office.sent("PurchaseRequests", "RequesterName eq '王五'", "TkSqlRequest", 1)[0]
    assert by_id["U_Approver"] == "user-manager"
    user = office.sandbox.b1("/Users?$filter=FaxNumber eq 'user-manager'")["value"][0]["UserName"]
    orders = {row["U_SUCCESS"]: row for row in office.sent("PurchaseOrders", "DocEntry gt 0", "TkOrder", 2)}
    assert (orders["Y"]["U_Approver"], orders["Y"]["Comments"]) == (user, f"{user} 同意: 请尽快")
    assert (orders["N"]["U_ApprovalStatus"], orders["N"]["Comments"]) == ("拒绝", f"{user} 拒绝: 请尽快")


def test_further_kinds_by_copying_and_changing_settings_while_it_runs(office: Office) -> None:
    original = office.mapping("issue-use")
    changes = {
        "issue-scrap": {"template_id": "TkScrap", "filter": "contains(Comments,'报损')"},
        "receipt": {"template_id": "TkReceipt", "document_type": "59", "filter": "", "stage_approver": None},
    }
    for name, settings in changes.items():
        office.desk.save({**original, "id": name, "settings": {**original["settings"], **settings}})
    [scrap] = office.sent("Drafts", "DocObjectCode eq '60' and contains(Comments,'报损')", "TkScrap", 1)
    receipt, other = office.sent("Drafts", "DocObjectCode eq '59'", "TkReceipt", 2)
    office.decide(scrap["U_SPNO"], "refuse")
    office.decide(receipt["U_SPNO"], "agree")
    # one address for all of them: each verdict finds its own mapping
    office.until("Drafts", scrap["DocEntry"], U_ApprovalStatus="拒绝", U_Approver="陈经理")
    office.until("Drafts", receipt["DocEntry"], U_ApprovalStatus="同意", U_Approver="陈经理")
    assert office.decision(scrap["DocEntry"]) == ("arsNotApproved", [("ardNotApproved", "陈经理 拒绝")])
    # with nobody named whose stage it is, the verdict is that of all stages
    approved = ("arsApproved", [("ardApproved", "陈经理 同意")] * 2)
    office.eventually(lambda: office.decision(receipt["DocEntry"]) == approved, what="both stages are decided")
    assert not office.row("Drafts", other["DocEntry"])["U_ApprovalStatus"]
    office.withdraw(other["U_SPNO"])
    office.until("Drafts", other["DocEntry"], U_ApprovalStatus="已撤销")
    assert office.decision(other["DocEntry"]) == ("arsNotApproved", [("ardNotApproved", "已撤销")])
    assert [event.note for event in office.events(scrap["U_SPNO"])] == ["issue-scrap/verdict"]


def test_what_is_withdrawn_can_be_sent_again_where_the_settings_say_so(office: Office) -> None:
    draft = office.row("Drafts", 8)
    office.withdraw(draft["U_SPNO"])
    released = office.until("Drafts", 8, U_IsSubmit="N", U_ISSYN="N", U_SPNO=None)
    assert released["U_ApprovalStatus"] == "已撤销"
    patch(office, 8, {"U_IsSubmit": "Y"})

    def again() -> bool:
        return office.row("Drafts", 8)["U_SPNO"] not in (None, "", draft["U_SPNO"])

    office.eventually(again, what="the draft has a new approval")
    texts = [values_of(one)["单号"]["text"] for one in office.approvals("TkSqlDraft")]
    assert Counter(texts) == {"5": 1, "6": 1, "7": 1, "8": 2}
    assert office.decision(8) == ("arsPending", [])


def test_a_verdict_delivered_three_times_and_paid_later_has_one_effect(office: Office) -> None:
    draft = office.sent("Drafts", PURCHASE_REQUESTS, demo.WECOM_TEMPLATE, 4)[0]
    entry, number = draft["DocEntry"], draft["U_SPNO"]
    office.decide(number, "agree", "请尽快")
    after = office.until("Drafts", entry, U_ApprovalStatus="同意", U_Approver="陈经理")
    assert after["U_ApprovalDate"]
    assert office.decision(entry)[0] == "arsApproved"
    office.done(number)
    # whatever comes now must not write again
    patch(office, entry, {"U_Approver": "by hand"})
    office.sandbox.control("POST", f"/wecom/instances/{number}/comment", {"text": "谢谢"})
    office.after(number, "pay")
    office.done(number, 2)
    for push in office.sandbox.control("GET", f"/wecom/events?instance={number}")["events"]:
        office.sandbox.control("POST", f"/wecom/events/{push['id']}/redeliver")
    office.acknowledged(number, 2)
    office.done(number, 2)
    assert office.row("Drafts", entry)["U_Approver"] == "by hand"


def patch(office: Office, entry: int, values: dict[str, Any]) -> None:
    with httpx.Client(base_url=f"{office.sandbox.url}/b1/b1s/v1", trust_env=False, timeout=20) as client:
        login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        assert client.post("/Login", json=login).is_success
        assert client.patch(f"/Drafts({entry})", json=values).is_success


def test_verdicts_that_meet_a_b1_that_is_down_are_kept_until_it_is_back(office: Office) -> None:
    """One is tried again by hand, the other by itself; what is pushed again meanwhile changes nothing."""
    _, by_hand, by_itself, _ = office.sent("Drafts", PURCHASE_REQUESTS, demo.WECOM_TEMPLATE, 4)
    office.sandbox.control("POST", "/faults/next", {"fault": "error500", "path": "/b1/", "times": 100_000})
    office.decide(by_hand["U_SPNO"], "refuse", "超预算")
    office.decide(by_itself["U_SPNO"], "agree")

    def waits(draft: dict[str, Any], attempts: int) -> bool:
        rows = office.events(draft["U_SPNO"])
        return [row.state for row in rows] == ["failed"] and rows[0].attempts >= attempts

    # by then the next attempt is seconds away, and only a person can bring it forward
    office.eventually(lambda: waits(by_hand, 2) and waits(by_itself, 1), what="both verdicts are kept")
    for push in office.sandbox.control("GET", f"/wecom/events?instance={by_hand['U_SPNO']}")["events"]:
        office.sandbox.control("POST", f"/wecom/events/{push['id']}/redeliver")
    [event] = office.events(by_hand["U_SPNO"])
    listed = office.command("callbacks", "list", "--state", "failed")
    assert by_hand["U_SPNO"] in listed
    office.sandbox.control("DELETE", "/faults")
    office.command("callbacks", "retry", str(event.id))
    office.until("Drafts", by_hand["DocEntry"], U_ApprovalStatus="拒绝")
    office.until("Drafts", by_itself["DocEntry"], U_ApprovalStatus="同意")
    for draft, status in ((by_hand, "arsNotApproved"), (by_itself, "arsApproved")):
        assert office.decision(draft["DocEntry"])[0] == status
        office.done(draft["U_SPNO"])


def test_a_withdrawal_after_b1_approved_is_for_a_person(office: Office) -> None:
    draft = office.sent("Drafts", PURCHASE_REQUESTS, demo.WECOM_TEMPLATE, 4)[3]
    entry, number = draft["DocEntry"], draft["U_SPNO"]
    office.decide(number, "agree")
    before = office.until("Drafts", entry, U_ApprovalStatus="同意")
    office.done(number)
    office.after(number, "revoke")

    def kept() -> bool:
        rows = office.events(number)
        return len(rows) == 2 and any(row.state == "failed" and row.next_attempt_at is None for row in rows)

    office.eventually(kept, what="the withdrawal waits for a person")
    assert number in office.command("callbacks", "list", "--by-hand")
    assert office.decision(entry)[0] == "arsApproved"
    assert office.row("Drafts", entry)["U_ApprovalStatus"] == before["U_ApprovalStatus"]
    # the person decides that B1's approval stands and the draft only says what happened
    office.change("request", withdrawn="status")
    [event] = [row for row in office.events(number) if row.state == "failed"]

    def written() -> bool:
        """A retry may still meet the mapping as it was."""
        if [row.state for row in office.events(number)] == ["done", "done"]:
            return True
        if any(row.state == "failed" for row in office.events(number)):
            office.command("callbacks", "retry", str(event.id))
        return False

    office.eventually(written, what="the withdrawal is written")
    assert office.row("Drafts", entry)["U_ApprovalStatus"] == "已撤销"
    assert office.decision(entry)[0] == "arsApproved"


def test_a_template_that_no_mapping_knows_is_acknowledged_and_ignored(office: Office) -> None:
    office.sandbox.control("PUT", "/wecom/forms/TkStranger", {"name": "请假", "controls": [{"label": "事由"}]})
    with httpx.Client(base_url=f"{office.sandbox.url}/wecom/cgi-bin", trust_env=False, timeout=20) as client:
        keys = {"corpid": demo.WECOM_CORP_ID, "corpsecret": demo.WECOM_SECRET}
        token = {"access_token": client.get("/gettoken", params=keys).json()["access_token"]}
        form = {"template_id": "TkStranger"}
        [control] = client.post("/oa/gettemplatedetail", params=token, json=form).json()["template_content"]["controls"]
        reason = {"control": "Text", "id": control["property"]["id"], "value": {"text": "探亲"}}
        asked = {"creator_userid": "user-lisi", "use_template_approver": 1, "apply_data": {"contents": [reason]}}
        asked["summary_list"] = [{"summary_info": [{"text": "探亲", "lang": "zh_CN"}]}]
        number = client.post("/oa/applyevent", params=token, json=form | asked).json()["sp_no"]
    office.decide(number, "agree")
    office.done(number)
    office.acknowledged(number, 1)
    [event] = office.events(number)
    assert event.note == "没有流程等待它，已忽略 | ignored, no flow waits for it: approval.finished TkStranger"


def test_a_draft_at_another_stage_is_left_alone(office: Office) -> None:
    document = office.mapping("request")

    def scheduled() -> bool:
        with httpx.Client(base_url=office.address, trust_env=False, timeout=30) as http:
            return "request/submit" in http.get("/readyz").json()["next_runs"]

    office.desk.save({**document, "enabled": False})
    office.eventually(lambda: not scheduled(), what="the mapping is switched off")
    before = len(office.approvals())
    office.sandbox.control("POST", "/b1/drafts", {"count": 1, "lines": 1})
    document["settings"]["stage_approver"] = 4
    office.desk.save({**document, "enabled": True})
    office.eventually(scheduled, what="the mapping is switched on, with another approver")
    done = office.desk.command("run", "request")
    assert done.returncode == 0, done.stderr
    assert (len(office.approvals()), len(office.sandbox.unsynced())) == (before, 1)
    office.change("request", stage_approver=None)
    office.eventually(lambda: not office.sandbox.unsynced(), what="without the check it is sent")
    assert len(office.approvals()) == before + 1

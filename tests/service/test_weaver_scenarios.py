"""Every scenario of Weaver's templates, by settings only, while one runtime runs and is never restarted.

From ``templates new`` to the verdict in B1: drafts, formal and user-defined documents, read by OData and by SQL, in two
companies; master data to the OA; orders and suppliers from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from tests.service.gallery import install

pytestmark = [pytest.mark.acceptance]

WAITING = "IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
HEADER = 'SELECT T0."DocEntry", T0."DocDate", T0."Comments", T0."U_OAUserID" FROM {} T0 WHERE {}'
LINES = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM {} T1'
PLAIN = {"date": "", "status": "", "approver": ""}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of document: what is given to ``templates new``, and where the form takes its lines from."""

    name: str
    settings: dict[str, Any]
    template: str = "weaver-approval-odata"
    connections: dict[str, str] = field(default_factory=dict)
    lines: str = "DocumentLines"
    columns: Sequence[str] = ("ItemCode", "Quantity")
    company: str = demo.B1_COMPANY
    #: How many of them the demo data holds that wait to be sent, at least.
    count: int = 2

    @property
    def object(self) -> str:
        return str(self.settings.get("object", "Drafts"))

    @property
    def formal(self) -> bool:
        return self.settings.get("decision") == "field"


CASES = (
    Case(name="order", settings={"object": "PurchaseOrders", "decision": "field", "title": "采购订单"}),
    Case(
        name="custom",
        settings={"object": "OIR", "decision": "field", "title": "超领单", "originator": "", **PLAIN},
        lines="OIR1Collection",
        columns=("U_ItemCode", "U_Quantity"),
    ),
    Case(
        name="draft-by-gateway",
        template="weaver-approval-sql",
        settings={
            "header_sql": HEADER.format("ODRF", f"T0.\"ObjType\" = '60' AND {WAITING}"),
            "lines_sql": LINES.format("DRF1"),
            "date_fields": "sqrq",
        },
        connections={"source": demo.B1_DI_CONNECTION},
        lines="Lines",
    ),
    Case(
        name="formal-by-queries",
        template="weaver-approval-sql",
        settings={
            "object": "PurchaseRequests",
            "decision": "field",
            "header_sql": HEADER.format("OPRQ", "T0.\"U_ISSYN\" = 'N'"),
            "lines_sql": LINES.format("PRQ1"),
            "date_fields": "sqrq",
        },
        connections={"source": demo.B1_CONNECTION},
        lines="Lines",
        count=1,
    ),
    Case(
        name="second-company",
        settings={},
        connections={"erp": demo.B1_SECOND_CONNECTION},
        company=demo.B1_SECOND_COMPANY,
    ),
)


@pytest.fixture(scope="module")
def runtime(module_desk: Any, sandbox: Any) -> Any:
    """A runtime without any mapping; nothing here restarts it."""
    module_desk.import_connections(weaver_demo=sandbox.control("GET", "/weaver/registration"))
    return module_desk.serve()


def links(case: Case) -> dict[str, Any]:
    """What the designer puts into the map step."""
    item, quantity = case.columns
    day = {"to": "sqrq", "from": "U_ReqDate" if case.object == "OIR" else "DocDate"}
    return {
        "fields": [
            {"to": "djbh", "from": "DocEntry"},
            {"to": "sqr", "value": str(demo.WEAVER_APPROVER)},
            day if "date_fields" in case.settings else {**day, "through": ["date"]},
            {"to": "qgdb", "value": "2"},
        ],
        "tables": [
            {
                "to": "formtable_main_45_dt1",
                "from": case.lines,
                "fields": [{"to": "wlbm", "from": item}, {"to": "cgsl", "from": quantity}],
            }
        ],
    }


def begin(desk: Any, case: Case) -> dict[str, Any]:
    """The mapping of a case, saved with its fields; the runtime takes it up by itself."""
    settings = {"workflow": demo.WEAVER_WORKFLOW, "key_field": "djbh", "period": "1s", **case.settings}
    roles = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION, **case.connections}
    mapping = install(desk, case.template, case.name, roles, links(case), **settings)
    desk.invoke("check", case.name)
    return mapping


def records(sandbox: Any, case: Case) -> list[dict[str, Any]]:
    """The documents that carry a request, by key."""
    query = f"/{case.object}?$filter=U_REQUESTID ne null&$orderby=DocEntry"
    return [row for row in sandbox.b1(query, company=case.company)["value"] if row["U_REQUESTID"]]


def requests(sandbox: Any, ids: set[str]) -> list[dict[str, Any]]:
    return [one for one in sandbox.control("GET", "/weaver/requests")["requests"] if str(one["id"]) in ids]


def app_code(desk: Any, name: str) -> str:
    """The AppCode of a mapping's HTTP flow."""
    listed = desk.command("appcodes", "list").stdout
    [row] = [line.split() for line in listed.splitlines() if line.startswith(f"{name}/")]
    return str(row[-1])


def point_the_oa_at(desk: Any, sandbox: Any, runtime: Any, name: str) -> None:
    """The node action posts to the mapping's own address, with its AppCode."""
    url = f"{runtime.address()}/flows/{name}/verdict"
    sandbox.control("PUT", "/weaver/node-action", {"url": url, "app_code": app_code(desk, name)})


def decide(sandbox: Any, number: str, result: str) -> dict[str, Any]:
    sandbox.control("POST", f"/weaver/requests/{number}/decide", {"result": result, "remark": "看过了"})
    [sending] = sandbox.control("GET", f"/weaver/sendings?request={number}")["sendings"]
    answer: dict[str, Any] = json.loads(sending["answer"])
    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_from_template_to_verdict(case: Case, runtime: Any, module_desk: Any, sandbox: Any, eventually: Any) -> None:
    runtime.address()
    mapping = begin(module_desk, case)
    eventually(lambda: len(records(sandbox, case)) >= case.count, what="documents are sent")
    rows = records(sandbox, case)
    made = requests(sandbox, {row["U_REQUESTID"] for row in rows})
    assert len(made) == len(rows) == len({row["U_REQUESTID"] for row in rows})
    by_id = {str(one["id"]): one for one in made}
    item, quantity = case.columns
    point_the_oa_at(module_desk, sandbox, runtime, case.name)
    for row, result in zip(rows, ("agree", "refuse"), strict=False):
        request = by_id[row["U_REQUESTID"]]
        assert row["U_ISSYN"] == "Y"
        assert request["name"] == f"{mapping['settings']['title']} {row['DocEntry']}"
        assert request["values"]["djbh"] == str(row["DocEntry"])
        lines = row["OIR1Collection" if case.object == "OIR" else "DocumentLines"]
        kept = [(line[item], line[quantity]) for line in lines]
        details = request["details"]["formtable_main_45_dt1"]
        assert [(one["wlbm"], float(one["cgsl"])) for one in details] == kept
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", request["values"]["sqrq"])
        answer = decide(sandbox, row["U_REQUESTID"], result)
        assert answer["flag"] == "Y", answer
        assert str(row["DocEntry"]) in answer["message"]
    after = {row["DocEntry"]: row for row in records(sandbox, case)}
    for row, verdict in zip(rows, ("Y", "N"), strict=False):
        now = after[row["DocEntry"]]
        if case.formal:
            assert now["U_SUCCESS"] == verdict
        if "status" not in case.settings:
            assert now["U_ApprovalStatus"] == {"Y": "同意", "N": "拒绝"}[verdict]
            assert now["U_Approver"] == "陈经理"
    assert runtime.popen.poll() is None


def test_a_second_document_type_is_a_copy_with_other_settings(
    runtime: Any, module_desk: Any, sandbox: Any, eventually: Any
) -> None:
    """Goods receipts after the goods issues of ``draft-by-gateway``: not a step is touched."""
    copied = json.loads((module_desk.mappings / "draft-by-gateway.json").read_text("utf-8"))
    settings = copied["settings"] | {"title": "盘盈"}
    settings["header_sql"] = settings["header_sql"].replace("'60'", "'59'")
    module_desk.save({**copied, "id": "gains", "settings": settings})

    def sent() -> list[dict[str, Any]]:
        return [one for one in sandbox.control("GET", "/weaver/requests")["requests"] if one["name"].startswith("盘盈")]

    eventually(lambda: len(sent()) >= 2, what="the copy sends its documents")
    point_the_oa_at(module_desk, sandbox, runtime, "gains")
    request = sent()[0]
    path = f"/Drafts({request['values']['djbh']})"
    eventually(lambda: sandbox.b1(path)["U_REQUESTID"], what="the draft is marked")
    assert decide(sandbox, str(request["id"]), "agree")["flag"] == "Y"
    assert sandbox.b1(path)["U_ApprovalStatus"] == "同意"
    # B1's own procedure has two stages for such drafts: the verdict is that of both
    query = f"/ApprovalRequests?$filter=DraftEntry eq {request['values']['djbh']}"
    assert [one["Status"] for one in sandbox.b1(query)["value"]] == ["arsApproved"]
    # sent once more under another number, a draft is not decided by the verdict on its first request
    request = sent()[1]
    path = f"/Drafts({request['values']['djbh']})"
    eventually(lambda: sandbox.b1(path)["U_REQUESTID"], what="the draft is marked")
    sandbox.b1(path, method="PATCH", body={"U_REQUESTID": "999999"})
    assert decide(sandbox, str(request["id"]), "agree")["flag"] == "N"
    assert not sandbox.b1(path)["U_ApprovalStatus"]
    assert len(module_desk.started) == 1


MASTER_DATA = {
    "items": ({"mark": "U_SYN"}, {"wlbm": "ItemCode", "wlmc": "ItemName"}, "saveItem", "wlbm"),
    "customers": (
        {"object": "BusinessPartners", "key": "CardCode", "filter": "CardType eq 'cCustomer'"},
        {"khbm": "CardCode", "khmc": "CardName"},
        "saveCustomer",
        "khbm",
    ),
}


@pytest.mark.parametrize("name", MASTER_DATA)
def test_master_data_is_saved_once_and_only_what_was_accepted_is_marked(
    name: str, runtime: Any, module_desk: Any, sandbox: Any, eventually: Any
) -> None:
    settings, sources, interface, column = MASTER_DATA[name]
    roles = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}
    given = {"interface": interface, "key_fields": column, "period": "1s", "page_size": 2, **settings}
    fields = [{"to": to, "from": source} for to, source in sources.items()]
    mapping = install(module_desk, "weaver-master-data", name, roles, {"fields": fields}, **given)
    known = mapping["settings"]
    wanted = f"/{known['object']}?$filter={known['filter'] or known['key'] + ' ne null'}&$select={known['key']}"
    keys = {row[known["key"]] for row in sandbox.b1(wanted)["value"]}
    marked = f"{wanted},{known['mark']}"

    def unmarked() -> set[str]:
        return {row[known["key"]] for row in sandbox.b1(marked)["value"] if row[known["mark"]] != "Y"}

    eventually(lambda: not unmarked(), what="everything is marked")
    saved = [record[column] for record in sandbox.control("GET", f"/weaver/mode/{interface}")["records"]]
    assert len(saved) == len(set(saved)) > known["page_size"]
    assert set(saved) == keys


ORDER = {
    "fields": [
        {"to": "CardCode", "from": "kh"},
        {"to": "DocDueDate", "from": "jhrq"},
        {"to": "NumAtCard", "from": "djbh"},
    ],
    "tables": [
        {
            "to": "DocumentLines",
            "from": "mx",
            "fields": [{"to": "ItemCode", "from": "wl"}, {"to": "Quantity", "from": "sl", "through": ["number"]}],
        }
    ],
}
SUPPLIER = {
    "fields": [
        {"to": "CardCode", "from": "bm"},
        {"to": "CardName", "from": "mc"},
        {"to": "CardType", "value": "cSupplier"},
    ]
}


def test_a_request_becomes_one_order_or_supplier_and_a_refusal_is_answered(
    runtime: Any, module_desk: Any, sandbox: Any, eventually: Any
) -> None:
    partners = {"object": "BusinessPartners", "key": "CardCode", "instance": "U_CardShortName"}
    for name, links_of, settings in (("orders-in", ORDER, {}), ("suppliers-in", SUPPLIER, partners)):
        roles = {"erp": demo.B1_CONNECTION}
        install(module_desk, "weaver-inbound-document", name, roles, links_of, **settings)

    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=30) as http:

        def post(name: str, code: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
            headers = {"X-Apig-AppCode": code}
            eventually(lambda: http.get(f"/flows/{name}/receive", headers=headers).status_code == 405)
            answer = http.post(f"/flows/{name}/receive", json=body, headers=headers)
            assert answer.status_code == status, answer.text
            return dict(answer.json())

        code = app_code(module_desk, "orders-in")
        lines = [{"wl": "R10001", "sl": "5"}, {"wl": "R10002", "sl": "2.5"}]
        order = {"requestid": 501, "kh": "C2001", "jhrq": "2026-12-01", "djbh": "OA-501", "mx": lines}
        answers = [post("orders-in", code, order) for _ in range(3)]
        assert answers[0]["flag"] == "Y", answers
        assert answers == [answers[0]] * 3
        [kept] = sandbox.b1("/Orders?$filter=U_REQUESTID eq '501'")["value"]
        assert kept["DocEntry"] == answers[0]["key"]
        made = [(line["ItemCode"], line["Quantity"]) for line in kept["DocumentLines"]]
        assert made == [("R10001", 5.0), ("R10002", 2.5)]
        refused = post("orders-in", code, order | {"requestid": 502, "kh": "NO-SUCH"})
        assert refused["flag"] == "N"
        assert "NO-SUCH" in refused["message"]
        assert sandbox.b1("/Orders?$filter=U_REQUESTID eq '502'")["value"] == []
        # without a number every record that nobody sent would be the one that is asked for
        for nothing in (None, "", " "):
            unnamed = post("orders-in", code, order | {"requestid": nothing})
            assert (unnamed["flag"], "流程编号" in unnamed["message"]) == ("N", True)
        # corrected in the OA it is accepted under its number, once; from then on the number stands for that order
        corrected = [post("orders-in", code, order | {"requestid": 502}) for _ in range(2)]
        assert (corrected[0]["flag"], corrected[1]) == ("Y", corrected[0])
        other = post("orders-in", code, order | {"requestid": 502, "djbh": "OA-502"}, status=422)
        assert (other["flag"], "502" in other["message"]) == ("N", True)
        [kept] = sandbox.b1("/Orders?$filter=U_REQUESTID eq '502'")["value"]
        assert kept["DocEntry"] == corrected[0]["key"]
        # what was refused and corrected waits for nobody
        known = module_desk.invoke("deliveries", "list", "--mapping", "orders-in")
        failed = module_desk.invoke("deliveries", "list", "--mapping", "orders-in", "--state", "failed")
        assert ("501" in known, "502" in known, "502" in failed) == (True, True, False)
        code = app_code(module_desk, "suppliers-in")
        supplier = post("suppliers-in", code, {"requestid": 503, "bm": "V9001", "mc": "新供应商"})
        assert (supplier["flag"], supplier["key"]) == ("Y", "V9001")
        assert sandbox.b1("/BusinessPartners('V9001')")["CardName"] == "新供应商"

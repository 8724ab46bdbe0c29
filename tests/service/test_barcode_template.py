"""The barcode application's queries with the real commands: by HTTP with an AppCode, through gateway and SQLQueries."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo

pytestmark = pytest.mark.acceptance

FIRST, SECOND = demo.B1_COMPANY, demo.B1_SECOND_COMPANY
CHOICE = {"choose": "{{ request.body.company or '' }}"}

#: Branches, a sub-flow with a loop, and an error that the flow itself answers.
DISPATCH = {
    "format": 1,
    "id": "dispatch",
    "connections": {"db": "di-demo"},
    "flows": {
        "call": {
            "trigger": {"http": {"path": "dispatch"}},
            "steps": [
                {"try": [
                    {"switch": "{{ request.body.method }}", "cases": [
                        {"when": ["items", "materials"], "steps": [
                            {"id": "items", "run": "items", "with": {"after": "{{ request.body.after or '' }}"}},
                            {"respond": {"body": {"code": 200, "data": "{{ items }}"}}}]},
                        {"when": "sql", "steps": [
                            {"id": "rows", "call": "db.exec_sql", "with": {"sql": "{{ request.body.sql }}"}},
                            {"respond": {"body": {"code": 200, "data": "{{ rows }}"}}}]}],
                     "default": [
                        {"respond": {"status": 404, "body": {"code": 404, "message": "{{ request.body.method }}"}}},
                        {"stop": "not supported"}]}],
                 "catch": [{"respond": {"body": {"code": 500, "message": "{{ error.remote or error.message }}"}}}]}],
        },
        "items": {
            "trigger": {"manual": {}},
            "steps": [
                {"set": {"codes": [], "after": "{{ input.after }}", "more": True, "rounds": 0}},
                {"while": "{{ more }}", "limit": 20, "steps": [
                    {"id": "page", "call": "db.exec_sql", "with": {
                        "sql": 'select TOP 5 "ItemCode" from OITM where "ItemCode" > :after order by "ItemCode"',
                        "parameters": {"after": "{{ after }}"}}},
                    {"each": "{{ page }}", "as": "found", "steps": [{"set": {"codes+": "{{ found.ItemCode }}"}}]},
                    {"set": {"more": "{{ page | length == 5 }}", "after": "{{ codes | last }}",
                             "rounds": "{{ rounds + 1 }}"}}]},
                {"respond": {"body": {"codes": "{{ codes }}", "rounds": "{{ rounds }}"}}}],
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def address(module_desk: Any) -> str:
    """A live runtime with the template's mapping, whose company the request chooses, and the dispatcher."""
    desk = module_desk
    gateway = {"kind": "b1.di_api"}
    desk.import_connections(di_demo=gateway, di_second=gateway | {"company": SECOND}, b1_second={"company": SECOND})
    roles = []
    for role, first, second in (("db", "di-demo", "di-second"), ("erp", demo.B1_CONNECTION, "b1-second")):
        choice = {**CHOICE, "among": {FIRST: first, SECOND: second}, "default": first}
        roles.append(f"--connection={role}={json.dumps(choice)}")
    named = ["--id", "scan", "--set", "address=scan", "--set", "company=演示"]
    done = desk.command("templates", "new", "barcode-query", *named, *roles)
    assert done.returncode == 0, done.stderr
    desk.save(DISPATCH)
    checked = desk.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return str(desk.serve().address())


@pytest.fixture(scope="module")
def codes(module_desk: Any, address: str) -> dict[str, str]:
    """AppCode by flow."""
    listed = module_desk.command("appcodes", "list").stdout
    return {row.split()[0]: row.split()[-1] for row in listed.splitlines()[1:]}


@pytest.fixture(scope="module")
def ask(address: str, codes: dict[str, str]) -> Any:
    """Call a flow of the template with its AppCode; the answer's body, of status 200."""
    with httpx.Client(base_url=f"{address}/flows", trust_env=False, timeout=30) as http:

        def ask(flow: str, body: Any = None, *, status: int = 200) -> Any:
            mapping, _, name = flow.partition("/")
            path = "/dispatch" if mapping == "dispatch" else f"/scan/{name}"
            answer = http.post(path, json=body, headers={"X-Apig-AppCode": codes[flow]})
            assert answer.status_code == status, answer.text
            return answer.json()

        yield ask


def test_the_gateway_answers_the_statements_of_the_guide(ask: Any) -> None:
    statement = (
        'Select "ItemCode", "ItemName", "CstGrpCode", "FrgnName", "BuyUnitMsr", "CardCode", '
        "TO_VARCHAR(TO_DATE(\"UpdateDate\"), 'YYYY-MM-DD') UpdateDate, "
        "TO_VARCHAR(TO_DATE(\"CreateDate\"), 'YYYY-MM-DD') CreateDate, "
        '"InvntryUom", "U_SFJY", "U_CX", "U_CC" from OITM WHERE ifnull("U_SYN", \'N\') = \'N\''
    )
    got = ask("scan/query", {"sql": statement})
    assert (got["code"], got["message"], len(got["data"])) == (200, "OK", 14)
    # Named as the gateway answers: what is not quoted comes in capitals.
    assert {"ItemCode", "InvntryUom", "U_SFJY", "UPDATEDATE", "CREATEDATE"} <= got["data"][0].keys()
    assert ask("scan/query", {"sql": 'select "ItemCode" from oBTN'})["data"]


@pytest.mark.parametrize("flow", ["query", "print"])
def test_the_request_names_the_company(ask: Any, flow: str) -> None:
    statement = {"sql": 'select "CardCode" from OCRD where "CardCode" = \'C9001\''}
    assert ask(f"scan/{flow}", statement)["data"] == []
    assert ask(f"scan/{flow}", {**statement, "company": SECOND})["data"] == [{"CardCode": "C9001"}]
    unknown = ask(f"scan/{flow}", {**statement, "company": "SBOOTHER"})
    assert (unknown["code"], unknown["data"]) == (500, None)
    assert "SBOOTHER" in unknown["message"]


def test_print_queries_leave_no_definitions_behind(ask: Any, sandbox: Any) -> None:
    statement = 'select "ItemCode", "OnHand" from OITM where "OnHand" > 1000 order by "ItemCode"'
    rows = ask("scan/print", {"sql": statement})["data"]
    assert rows[0].keys() == {"ItemCode", "OnHand"}
    assert [row["ItemCode"] for row in rows] == sorted(row["ItemCode"] for row in rows)
    assert ask("scan/print", {"sql": 'select "ItemCode", case when 1 = 1 then 2 end X from OITM'})["code"] == 500
    assert sandbox.b1("/SQLQueries")["value"] == []


@pytest.mark.parametrize("flow", ["query", "print"])
@pytest.mark.parametrize(
    "sql",
    [
        'select "NoSuchColumn" from OITM',
        "select * from NOSUCHTABLE",
        "selec something",
        "delete from OITM",
        "update OITM set \"ItemName\" = 'x'",
        "drop table OITM",
        'select "ItemCode" from OITM; delete from OITM',
        'select "ItemCode" from OITM where "ItemCode" = \'\' or 1 = 1; update OITM set "ItemName" = \'\'--\'',
        "call TMDK(1)",
    ],
)
def test_what_is_refused_is_answered_and_changes_nothing(ask: Any, sandbox: Any, flow: str, sql: str) -> None:
    before = sandbox.b1("/Items('R10001')")
    got = ask(f"scan/{flow}", {"sql": sql})
    assert (got["code"], got["data"]) == (500, None)
    assert got["message"]
    assert sandbox.b1("/Items('R10001')") == before


@pytest.mark.parametrize(
    ("flow", "sql", "said"),
    [
        ("query", 'select "ItemCode from OITM', "不是可以读懂的 SQL：Error tokenizing"),
        ("query", "select from where", "不是可以读懂的 SQL：Expected table name"),
        ("query", "call TMDK(1)", "procedures"),
        ("print", "call TMDK(1)", "SQLQueries 不能调用存储过程"),
    ],
)
def test_what_never_reaches_b1_is_answered_in_our_own_words(ask: Any, flow: str, sql: str, said: str) -> None:
    assert said in ask(f"scan/{flow}", {"sql": sql})["message"]


def test_nothing_is_asked_without_a_statement_or_an_appcode(ask: Any, address: str, codes: dict[str, str]) -> None:
    assert ask("scan/query", {})["code"] == 400
    with httpx.Client(base_url=f"{address}/flows/scan", trust_env=False, timeout=30) as http:
        for code in ("", "wrong", codes["scan/print"]):
            answer = http.post("/query", json={"sql": "select 1 from OITM"}, headers={"X-Apig-AppCode": code})
            assert answer.status_code == 401
            assert "R10001" not in answer.text
        garbled = http.post("/query", content="{", headers={"X-Apig-AppCode": codes["scan/query"]})
        assert garbled.status_code == 400


def test_the_lists(ask: Any) -> None:
    assert ask("scan/companies")["data"] == [FIRST, SECOND]
    assert [one["method"] for one in ask("scan/methods")["data"]] == ["query", "print", "companies"]


def test_branches_loops_and_sub_flows(ask: Any, sandbox: Any) -> None:
    known = [row["ItemCode"] for row in sandbox.b1("/Items?$select=ItemCode&$orderby=ItemCode")["value"]]
    got = ask("dispatch/call", {"method": "materials"})
    assert got == {"code": 200, "data": {"codes": known, "rounds": len(known) // 5 + 1}}
    after = ask("dispatch/call", {"method": "items", "after": known[-3]})
    assert after["data"] == {"codes": known[-2:], "rounds": 1}
    assert ask("dispatch/call", {"method": "sql", "sql": 'select "ItemCode" from OITM where "ItemCode" = \'P10001\''})[
        "data"
    ] == [{"ItemCode": "P10001"}]
    refused = ask("dispatch/call", {"method": "sql", "sql": "select * from NOSUCHTABLE"})
    assert refused["code"] == 500
    assert "NOSUCHTABLE" in refused["message"]
    assert ask("dispatch/call", {"method": "delete"}, status=404) == {"code": 404, "message": "delete"}

"""The Weaver templates for master data and for inbound documents, each for two kinds of record by settings only."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.mapping.document import dump_mapping
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo

pytestmark = [pytest.mark.acceptance]

ROLES = {"erp": demo.B1_CONNECTION, "oa": demo.WEAVER_CONNECTION}


def made(
    template_id: str, name: str, fields: list[dict[str, Any]], tables: Any = (), **settings: Any
) -> dict[str, Any]:
    """A mapping from a template, its map step filled as the designer does."""
    template = next(template for template in gallery() if template.id == template_id)
    roles = {role: ROLES[role] for role in template.connections}
    mapping = instantiate(template, id=name, title="", connections=roles, settings=settings)
    document: dict[str, Any] = json.loads(dump_mapping(mapping))

    def fill(part: Any) -> None:
        if isinstance(part, dict):
            if "to" in part and "from" in part and isinstance(part["to"], dict):
                part |= {"fields": fields, "tables": list(tables)}
            for value in part.values():
                fill(value)
        elif isinstance(part, list):
            for value in part:
                fill(value)

    fill(document["flows"])
    return document


@pytest.fixture(scope="module")
def desk(module_desk: Any, sandbox: Any) -> Any:
    registration = sandbox.control("GET", "/weaver/registration")
    module_desk.import_connections(weaver_demo=registration, b1_demo={"retries": 0})
    return module_desk


ITEMS = ({"mark": "U_SYN"}, {"wlbm": "ItemCode", "wlmc": "ItemName"}, "saveItem", "wlbm")
CUSTOMERS = (
    {"object": "BusinessPartners", "key": "CardCode", "filter": "CardType eq 'cCustomer'"},
    {"khbm": "CardCode", "khmc": "CardName"},
    "saveCustomer",
    "khbm",
)


@pytest.mark.parametrize(("name", "case"), [("items", ITEMS), ("customers", CUSTOMERS)])
def test_only_what_the_oa_accepted_is_marked(desk: Any, sandbox: Any, name: str, case: tuple[Any, ...]) -> None:
    settings, sources, interface, column = case
    fields = [{"to": to, "from": source} for to, source in sources.items()]
    settings = settings | {"interface": interface, "key_fields": column, "period": "1d", "page_size": 2}
    mapping = made("weaver-master-data", name, fields, **settings)
    desk.save(mapping)
    checked = desk.command("check", name)
    assert checked.returncode == 0, checked.stdout

    def sent() -> list[str]:
        done = desk.command("run", name)
        assert done.returncode == 0, done.stdout + done.stderr
        return [record[column] for record in sandbox.control("GET", f"/weaver/mode/{interface}")["records"]]

    first = sent()
    assert len(first) == 2
    assert marked(sandbox, mapping) == set(first)
    second = sent()
    assert len(second) == len(set(second)) > 2
    assert marked(sandbox, mapping) == set(second)


def marked(sandbox: Any, mapping: dict[str, Any]) -> set[str]:
    settings = mapping["settings"]
    rows = sandbox.b1(f"/{settings['object']}?$filter={settings['mark']} eq 'Y'&$select={settings['key']}")["value"]
    return {row[settings["key"]] for row in rows}


def test_a_request_becomes_one_order_and_a_refusal_is_answered(desk: Any, sandbox: Any) -> None:
    fields = [
        {"to": "CardCode", "from": "kh"},
        {"to": "DocDueDate", "from": "jhrq"},
        {"to": "NumAtCard", "from": "djbh"},
    ]
    columns = [{"to": "ItemCode", "from": "wl"}, {"to": "Quantity", "from": "sl", "through": ["number"]}]
    lines = [{"to": "DocumentLines", "from": "mx", "fields": columns}]
    desk.save(made("weaver-inbound-document", "orders-in", fields, lines))
    supplier = [
        {"to": "CardCode", "from": "bm"},
        {"to": "CardName", "from": "mc"},
        {"to": "CardType", "value": "cSupplier"},
    ]
    partners = {"object": "BusinessPartners", "key": "CardCode", "instance": "U_CardShortName"}
    desk.save(made("weaver-inbound-document", "suppliers-in", supplier, **partners))
    runtime = desk.serve()
    with httpx.Client(base_url=runtime.address(), trust_env=False, timeout=30) as http:
        codes = {row.split()[0]: row.split()[-1] for row in desk.command("appcodes", "list").stdout.splitlines()[1:]}

        def post(name: str, body: dict[str, Any]) -> dict[str, Any]:
            code = {"X-Apig-AppCode": codes[f"{name}/receive"]}
            answer = http.post(f"/flows/{name}/receive", json=body, headers=code)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        order = {
            "requestid": 501,
            "kh": "C2001",
            "jhrq": "2026-12-01",
            "djbh": "OA-501",
            "mx": [{"wl": "R10001", "sl": "5"}],
        }
        answers = [post("orders-in", order) for _ in range(3)]
        assert answers[0]["flag"] == "Y", answers
        assert answers == [answers[0]] * 3
        [kept] = sandbox.b1("/Orders?$filter=U_REQUESTID eq '501'")["value"]
        assert kept["DocEntry"] == answers[0]["key"]
        assert [(line["ItemCode"], line["Quantity"]) for line in kept["DocumentLines"]] == [("R10001", 5.0)]
        refused = post("orders-in", order | {"requestid": 502, "kh": "NO-SUCH"})
        assert refused["flag"] == "N"
        assert "NO-SUCH" in refused["message"]
        assert sandbox.b1("/Orders?$filter=U_REQUESTID eq '502'")["value"] == []
        assert post("suppliers-in", {"requestid": 503, "bm": "V9001", "mc": "新供应商"}) | {"message": ""} == {
            "flag": "Y",
            "key": "V9001",
            "message": "",
        }

"""Prices agreed in DingTalk become B1's special prices: made by settings, run for real, and what B1 holds then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from tests.service.dingtalk_office import ROLES, DingTalkOffice
from tests.service.gallery import create

pytestmark = pytest.mark.acceptance

CONTROLS = [
    {"label": "单价说明"},
    {
        "label": "价格明细",
        "component": "TableField",
        "children": [{"label": name} for name in ("供应商编号", "物料编号", "采购单价", "货币")],
    },
]
#: Of a form whose rows name the supplier, and no period.
SETTINGS = {"card": "供应商编号", "price": "采购单价", "date_from": "", "date_to": ""}


@pytest.fixture(scope="module")
def office(module_desk: Any, eventually: Callable[..., Any]) -> DingTalkOffice:
    """A live runtime with a mapping for each of both forms."""
    module_desk.import_connections()
    office = DingTalkOffice(module_desk, eventually)
    office.sandbox.control("PUT", "/dingtalk/forms/PROC-BUYING", {"name": "采购价格", "controls": CONTROLS})
    create(module_desk, "dingtalk-special-prices", "quotation", ROLES, process_code=demo.PRICE_PROCESS_CODE)
    create(module_desk, "dingtalk-special-prices", "buying", ROLES, process_code="PROC-BUYING", **SETTINGS)
    module_desk.invoke("check", "quotation", "buying")
    office.serve()
    return office


def start(office: DingTalkOffice, form: str, values: dict[str, Any]) -> str:
    """An approval that a person starts in DingTalk; its id."""
    components = [
        {"name": name, "value": value if isinstance(value, str) else json.dumps(cells(value), ensure_ascii=False)}
        for name, value in values.items()
    ]
    with httpx.Client(base_url=f"{office.sandbox.url}/dingtalk", trust_env=False, timeout=30) as http:
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


def cells(rows: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    return [[{"name": name, "value": value} for name, value in row.items()] for row in rows]


def area(row: dict[str, Any]) -> tuple[str, str, Any, str]:
    return row["DateFrom"][:10], (row.get("Dateto") or "")[:10], row["SpecialPrice"], row["PriceCurrency"]


def test_a_quotation_becomes_special_prices(office: DingTalkOffice) -> None:
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
    refused = start(
        office, demo.PRICE_PROCESS_CODE, {"客户编号": "C2001", "货币": "", "价格明细": [rows[2] | {"单价": "1"}]}
    )
    office.decide(refused, "refuse")
    for _ in range(2):  # the same prices, agreed a second time, change nothing
        instance = start(office, demo.PRICE_PROCESS_CODE, {"客户编号": "C2001", "货币": "", "价格明细": rows})
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


def test_a_price_without_its_period_is_an_error_and_not_a_price_for_ever(office: DingTalkOffice) -> None:
    row = {"物料编号": "S20002", "单价": "88", "开始日期": "", "结束日期": ""}
    instance = start(office, demo.PRICE_PROCESS_CODE, {"客户编号": "C2002", "货币": "USD", "价格明细": [row]})
    office.decide(instance, "agree")

    def failed() -> list[Any]:
        return [one for one in office.inbox() if one.state == "failed" and one.event.instance_id == instance]

    [event] = office.eventually(failed, what="the event waits for a person")
    assert event.next_attempt_at is None
    assert office.rows("SpecialPrices", "CardCode eq 'C2002' and ItemCode eq 'S20002'") == []
    assert "必填" in str(event.error)
    office.by_hand.add(instance)


def test_a_purchase_price_names_its_supplier_in_each_row(office: DingTalkOffice) -> None:
    rows = [
        {"供应商编号": "V1001", "物料编号": "R10001", "采购单价": "8.15", "货币": ""},
        {"供应商编号": "V1002", "物料编号": "R10003", "采购单价": "11.2", "货币": "USD"},
    ]
    instance = start(office, "PROC-BUYING", {"价格明细": rows})
    office.decide(instance, "agree")
    office.settled(instance)
    for key, price in (("R10001',CardCode='V1001", (8.15, "RMB")), ("R10003',CardCode='V1002", (11.2, "USD"))):
        found = office.row("SpecialPrices", f"ItemCode='{key}'")
        assert (found["Price"], found["Currency"]) == price
        assert not found.get("SpecialPriceDataAreas")

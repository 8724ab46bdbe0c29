"""The WeCom templates from the gallery to the verdict back in B1, by the studio alone, while a runtime runs."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from runtime.sandbox.demo import WECOM_TEMPLATE
from tests.browser.designing import Desk
from tests.browser.journey import Journey
from tests.browser.support import wait_until


def test_drafts_by_odata(page: Page, office: Desk) -> None:
    journey = Journey(page, office, "requests", "wecom-approval-odata")
    journey.begin(template_id=WECOM_TEMPLATE)
    journey.fetch_rows(8)
    journey.fetch_form("采购申请")
    journey.auto_map()
    journey.set(every="1s", filter="DocEntry le 2", key_field="草稿单号")
    previewed = journey.preview()
    journey.save(enable=True)
    agreed, refused = sent(office, "Drafts", 1, 2)
    arrived(office, previewed, [agreed, refused])

    journey.decide(agreed["U_SPNO"], "approve", "请尽快")
    journey.decide(refused["U_SPNO"], "refuse", "超预算")
    until(office, "Drafts", 1, U_ApprovalStatus="同意", U_Approver="陈经理")
    until(office, "Drafts", 2, U_ApprovalStatus="拒绝", U_Approver="陈经理")
    assert remarks(office, 1) == ("arsApproved", ["陈经理 同意: 请尽快"])
    assert remarks(office, 2) == ("arsNotApproved", ["陈经理 拒绝: 超预算"])
    told = journey.story(refused["U_SPNO"], "2")
    assert ("登记并发送新建请求", "wecom-demo.create_approval", "") in told
    assert ("对方答复：已创建", "wecom-demo.create_approval", refused["U_SPNO"]) in told
    assert ("收到回调", "wecom-demo", "拒绝") in told
    assert ("已写入", "b1-demo.decide", "") in told
    assert told[-1] == ("审批结论已写回", "", "拒绝")


def sent(desk: Desk, entity: str, *keys: int) -> list[dict[str, Any]]:
    """These documents of B1, once all of them carry an approval."""

    def look() -> bool:
        return all(desk.b1(f"/{entity}({key})")["U_SPNO"] for key in keys)

    wait_until(look, f"{entity} {keys} are not sent", 60)
    return [desk.b1(f"/{entity}({key})") for key in keys]


def until(desk: Desk, entity: str, key: int, **values: str) -> None:
    """Wait until B1's document holds these values."""

    def look() -> bool:
        row = desk.b1(f"/{entity}({key})")
        return all(row[name] == value for name, value in values.items())

    wait_until(look, f"{entity}({key}) does not hold {values}", 60)


def remarks(desk: Desk, draft: int) -> tuple[str, list[str]]:
    """Status of B1's approval request, and what was said at its stages."""
    [request] = desk.b1(f"/ApprovalRequests?$filter=DraftEntry eq {draft}")["value"]
    return request["Status"], [line["Remarks"] for line in request["ApprovalRequestLines"] if line["Remarks"]]


def arrived(desk: Desk, previewed: dict[str, list[Any]], documents: list[dict[str, Any]]) -> None:
    """WeCom received what was previewed, all of it and nothing besides."""
    approvals = {approval["id"]: approval for approval in desk.approvals("wecom")}
    assert set(previewed) == {str(document["DocEntry"]) for document in documents}
    for document in documents:
        shown, _ = previewed[str(document["DocEntry"])]
        approval = approvals[document["U_SPNO"]]
        assert (approval["template_id"], approval["originator"]) == (shown["template_id"], shown["creator_userid"])
        assert given(approval["contents"]) == given(shown["apply_data"]["contents"])
        assert approval["summary"] == [line["summary_info"][0]["text"] for line in shown["summary_list"]]


def given(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Id of each control → its value, without what WeCom adds: titles, the texts of options, and empty parts."""
    found = {}
    for content in contents:
        value = {name: part for name, part in content["value"].items() if part}
        if "children" in value:
            value["children"] = [given(row["list"]) for row in value["children"]]
        if "selector" in value:
            value["selector"] = [option["key"] for option in value["selector"]["options"]]
        if value:
            found[content["id"]] = value
    return found

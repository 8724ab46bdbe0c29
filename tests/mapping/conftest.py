"""The purchase request of the design, and what its connections can do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.mapping.check import ActionShape

#: role → action → (parameters, required, effect)
_ACTIONS: dict[str, dict[str, tuple[str, str, str]]] = {
    "erp": {
        "query": ("entity select filter orderby page_size top", "entity", "read"),
        "find": ("entity key filter", "entity", "read"),
        "get": ("entity key", "entity key", "read"),
        "update": ("entity key values", "entity key values", "update"),
        "decide": ("draft approved remarks approver all_stages", "draft approved", "update"),
        "create": ("entity values match", "entity values", "create"),
    },
    "oa": {
        "create_approval": (
            "form values originator department approvers cc key_field",
            "form values originator",
            "create",
        ),
        "get_approval": ("instance_id", "instance_id", "read"),
        "find_user": ("mobile user", "", "read"),
    },
    "source": {"query": ("statement key lines parameters page_size", "statement", "read")},
}

_TEXT = """
{
  "format": 1,
  "id": "purchase-request-dingtalk",
  "title": "采购申请 → 钉钉审批",
  "template": {"id": "dingtalk-approval-sql", "version": 1},
  "enabled": true,
  "connections": {"erp": "b1-demo", "oa": "dingtalk-demo"},
  "settings": {"process_code": "PROC-DEMO-PR", "object": "Drafts", "key": "DocEntry", "mark": "U_ISSYN",
               "instance": "U_instanceID"},
  "flows": {
    "submit": {
      "trigger": {"schedule": {"every": "1m", "timezone": "Asia/Shanghai"}},
      "steps": [
        {"id": "drafts", "call": "erp.query",
         "with": {"entity": "{{ settings.object }}",
                  "filter": "DocObjectCode eq '1470000113' and {{ settings.mark }} eq 'N'", "page_size": 20}},
        {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft[settings.key] }}", "concurrency": 8, "steps": [
          {"id": "form", "map": {
             "from": "{{ draft }}",
             "to": {"connection": "oa", "form": "{{ settings.process_code }}"},
             "fields": [
               {"to": "请购人员", "from": "RequesterName"},
               {"to": "单据日期", "from": "DocDate", "through": [{"date": "YYYY-MM-DD"}]},
               {"to": "请购单别", "value": "计划请购"},
               {"to": "备注", "value": "{{ draft.Comments or '无' }}"}],
             "tables": [
               {"to": "物料表", "from": "DocumentLines", "fields": [
                 {"to": "品号", "from": "ItemCode"},
                 {"to": "需求数量", "from": "Quantity", "through": [{"round": 2}]}]}]}},
          {"id": "approval", "call": "oa.create_approval",
           "with": {"form": "{{ settings.process_code }}", "values": "{{ form }}",
                    "originator": "{{ draft.U_UserID }}", "department": "{{ draft.U_BMID }}"}},
          {"call": "erp.update",
           "with": {"entity": "{{ settings.object }}", "key": "{{ draft[settings.key] }}",
                    "values": {"{{ settings.mark }}": "Y",
                               "{{ settings.instance }}": "{{ approval.instance_id }}"}}}]}]
    },
    "verdict": {
      "trigger": {"event": {"connection": "oa", "type": "approval.finished", "form": "{{ settings.process_code }}"}},
      "steps": [
        {"id": "detail", "call": "oa.get_approval", "with": {"instance_id": "{{ event.instance_id }}"}},
        {"id": "draft", "call": "erp.find",
         "with": {"entity": "{{ settings.object }}", "key": "{{ event.document }}",
                  "filter": "{{ settings.instance }} eq {{ event.instance_id | odata }}"}},
        {"if": "{{ not draft }}", "then": [{"stop": "no draft carries this approval"}]},
        {"call": "erp.decide",
         "with": {"draft": "{{ draft.DocEntry }}", "approved": "{{ event.outcome == 'agreed' }}",
                  "remarks": "{{ detail.remarks }}"}},
        {"call": "erp.update",
         "with": {"entity": "{{ settings.object }}", "key": "{{ draft.DocEntry }}",
                  "values": {"U_Approver": "{{ detail.approver }}", "U_ApprovalStatus": "{{ event.outcome }}"}}}]
    }
  },
  "cases": [{
    "name": "two lines",
    "flow": "submit",
    "input": {"draft": {"RequesterName": "王芳", "DocDate": "2026-11-20T00:00:00Z", "Comments": null,
                        "DocumentLines": [{"ItemCode": "A1", "Quantity": 2.005}, {"ItemCode": "B2", "Quantity": 1}]}},
    "expect": {"form": {"请购人员": "王芳", "单据日期": "2026-11-20", "请购单别": "计划请购", "备注": "无",
                        "物料表": [{"品号": "A1", "需求数量": 2.01}, {"品号": "B2", "需求数量": 1}]}}
  }]
}
"""


@pytest.fixture
def document() -> dict[str, Any]:
    """A fresh copy of the mapping that the design shows, its golden case filled in."""
    found: dict[str, Any] = json.loads(_TEXT)
    return found


@pytest.fixture
def actions() -> dict[str, dict[str, ActionShape]]:
    """What the connections of that mapping can do."""
    return {
        role: {
            name: ActionShape(parameters=frozenset(all_.split()), required=frozenset(needed.split()), effect=effect)
            for name, (all_, needed, effect) in offered.items()
        }
        for role, offered in _ACTIONS.items()
    }

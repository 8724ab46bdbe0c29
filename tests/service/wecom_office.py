"""What tests of the WeCom templates share."""

from __future__ import annotations

import json
from typing import Any

from runtime.sandbox import demo
from runtime.store.inbox import InboxEvent
from tests.service.office import Office

__all__ = ["ROLES", "WeComOffice", "values_of"]

ROLES = {"erp": demo.B1_CONNECTION, "oa": demo.WECOM_CONNECTION}


class WeComOffice(Office):
    """B1 and WeCom, which reports every event three times, to one address."""

    system = "wecom"
    connection = demo.WECOM_CONNECTION
    form = "template_id"
    number = "U_SPNO"

    def connect(self) -> None:
        """Import the connections; B1 is not asked again by itself."""
        documents = self.desk.connections(b1_demo={"retries": 0})
        path = self.desk.folder / "connections.json"
        wanted = (*ROLES.values(), demo.B1_DI_CONNECTION)
        path.write_text(json.dumps({name: documents[name] for name in wanted}), "utf-8")
        self.desk.invoke("connections", "import", str(path))

    def serve(self, **subscription: Any) -> None:
        """Start a runtime, whose first answer from WeCom is lost on the way, and have WeCom report to it."""
        self.sandbox.control("POST", "/faults/next", {"fault": "reset_after", "path": "/oa/applyevent"})
        super().serve(copies=3, **subscription)

    def sent(
        self, entity: str, condition: str, form: str, count: int, company: str = demo.B1_COMPANY
    ) -> list[dict[str, Any]]:
        """The documents once all of them carry an approval; each has exactly one, and there are no others."""
        rows = super().sent(entity, condition, form, count, company)
        assert len(self.approvals(form)) == count
        return rows

    def mapping(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.desk.mappings / f"{name}.json").read_text("utf-8")))

    def decision(self, draft: int) -> tuple[str, list[tuple[str, str]]]:
        """Status of B1's approval request, and what was decided and said at its stages so far."""
        [request] = self.rows("ApprovalRequests", f"DraftEntry eq {draft}")
        lines = [(line["Status"], line["Remarks"] or "") for line in request["ApprovalRequestLines"]]
        return request["Status"], [line for line in lines if line[0] in ("ardApproved", "ardNotApproved")]

    def verdicts(self, number: str) -> list[InboxEvent]:
        """Every end of an approval that was reported."""
        told = [row for row in self.inbox() if row.event.instance_id == number]
        return [row for row in told if row.event.type == "approval.finished"]

    def done(self, number: str, count: int = 1) -> None:
        """So many verdicts have come, and every one is carried out."""

        def look() -> bool:
            rows = self.verdicts(number)
            return len(rows) == count and all(row.state == "done" for row in rows)

        self.eventually(look, what=f"{count} verdicts on {number} are carried out")

    def acknowledged(self, number: str, rounds: int) -> None:
        def look() -> bool:
            return all(push["state"] == "delivered" and push["rounds"] == rounds for push in self.pushes(number))

        self.eventually(look, what=f"the events of {number} are acknowledged")


def values_of(approval: dict[str, Any]) -> dict[str, Any]:
    """What an approval's form holds, by control."""
    return {item["title"][0]["text"]: item["value"] for item in approval["contents"]}

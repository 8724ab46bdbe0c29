"""B1 and an approval system as their users see them, while a runtime works between the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from runtime.sandbox import demo
from runtime.store.inbox import InboxEvent, list_events

__all__ = ["Office"]

#: Seconds until a live runtime has sent a document, or written a verdict back.
_PATIENCE = 40


class Office:
    """What both approval systems have in common.

    :param desk: the workspace, with its sandbox
    :param eventually: polls until something true comes back
    """

    #: Name in the sandbox's control API, and that of the connection.
    system: ClassVar[str]
    connection: ClassVar[str]
    #: What it calls the form of an approval.
    form: ClassVar[str]
    #: B1's field for the number of an approval.
    number: ClassVar[str]

    def __init__(self, desk: Any, eventually: Callable[..., Any]) -> None:
        self.desk = desk
        self.sandbox = desk.sandbox
        self.eventually = eventually
        #: Of the runtime, once it is started.
        self.address = ""

    def serve(self, **subscription: Any) -> None:
        """Start a runtime, and have the approval system report to it.

        :param subscription: how it reports, for the sandbox's control API
        """
        self.address = self.desk.serve().address()
        callback = f"{self.address}/callbacks/{self.connection}"
        # Many flows begin at once here, and what is judged is not how fast.
        body = {"url": callback, "judge_ms": 20_000, **subscription}
        self.sandbox.control("PUT", f"/{self.system}/callback", body)

    def approvals(self, form: str = "") -> list[dict[str, Any]]:
        """The approvals of a form, or all."""
        found = self.sandbox.control("GET", f"/{self.system}/instances?limit=1000")["instances"]
        return [approval for approval in found if form in ("", approval[self.form])]

    def row(self, entity: str, key: Any, company: str = demo.B1_COMPANY) -> dict[str, Any]:
        return dict(self.sandbox.b1(f"/{entity}({key})", company=company))

    def rows(self, entity: str, condition: str, company: str = demo.B1_COMPANY) -> list[dict[str, Any]]:
        return list(self.sandbox.b1(f"/{entity}?$filter={condition}", company=company)["value"])

    def change(self, entity: str, key: Any, **values: Any) -> None:
        """Somebody writes these values into B1's document."""
        self.sandbox.b1(f"/{entity}({key})", method="PATCH", body=values)

    def sent(
        self, entity: str, condition: str, form: str, count: int, company: str = demo.B1_COMPANY
    ) -> list[dict[str, Any]]:
        """The documents once all of them carry an approval; each has exactly one of its own."""

        def look() -> list[dict[str, Any]]:
            rows = self.rows(entity, condition, company)
            return rows if len(rows) == count and all(row["U_ISSYN"] == "Y" for row in rows) else []

        rows = self.eventually(look, within=_PATIENCE, what=f"{count} {entity} ({condition}) are sent")
        numbers = {row[self.number] for row in rows}
        assert len(numbers) == count
        assert numbers <= {approval["id"] for approval in self.approvals(form)}
        return list(rows)

    def sent_again(self, entity: str, key: Any, before: str) -> dict[str, Any]:
        """The document, once it carries another approval than before."""

        def look() -> bool:
            return self.row(entity, key)[self.number] not in (None, "", before)

        self.eventually(look, within=_PATIENCE, what=f"{entity}({key}) has a new approval")
        return self.until(entity, key, U_ISSYN="Y")

    def until(self, entity: str, key: Any, company: str = demo.B1_COMPANY, **values: Any) -> dict[str, Any]:
        """The row, once it holds these values."""

        def look() -> dict[str, Any] | None:
            row = self.row(entity, key, company)
            return row if all(row.get(name) == value for name, value in values.items()) else None

        return dict(self.eventually(look, within=_PATIENCE, what=f"{entity}({key}) holds {values}"))

    def decide(self, approval: str, result: str, remark: str = "") -> None:
        """The approver says ``agree`` or ``refuse``."""
        body = {"result": result, "remark": remark}
        self.sandbox.control("POST", f"/{self.system}/instances/{approval}/decide", body)

    def withdraw(self, approval: str) -> None:
        self.sandbox.control("POST", f"/{self.system}/instances/{approval}/withdraw", {})

    def inbox(self) -> list[InboxEvent]:
        """All that the approval system reported."""
        return list(self.desk.read(lambda state: list_events(state, limit=1000)))

    def pushes(self, approval: str) -> list[dict[str, Any]]:
        """The approval system's own log of what it reported of an approval."""
        return list(self.sandbox.control("GET", f"/{self.system}/events?instance={approval}")["events"])

    def push_again(self, push: dict[str, Any]) -> None:
        """Have it report something once more."""
        self.sandbox.control("POST", f"/{self.system}/events/{push['id']}/redeliver")

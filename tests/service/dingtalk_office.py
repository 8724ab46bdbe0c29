"""What tests of the DingTalk templates share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.sandbox import demo
from runtime.store.inbox import InboxEvent
from tests.service.office import Office

__all__ = ["ROLES", "DingTalkOffice"]

ROLES = {"erp": demo.B1_CONNECTION, "oa": demo.DINGTALK_CONNECTION}


class DingTalkOffice(Office):
    """B1 and DingTalk."""

    system = "dingtalk"
    connection = demo.DINGTALK_CONNECTION
    form = "process_code"
    number = "U_instanceID"

    def __init__(self, desk: Any, eventually: Callable[..., Any]) -> None:
        super().__init__(desk, eventually)
        #: Approvals whose end a person has to look at.
        self.by_hand: set[str] = set()

    def approval(self, number: str) -> dict[str, Any]:
        [found] = [one for one in self.approvals() if one["id"] == number]
        return found

    def values(self, number: str) -> dict[str, Any]:
        """What an approval's form holds, by control."""
        return {value["name"]: value["value"] for value in self.approval(number)["values"]}

    def settled(self, *numbers: str) -> dict[str, str]:
        """Nothing is left in the inbox, nothing failed, and the end of these approvals was carried out.

        :return: approval → which flow carried its end out
        """

        def look() -> list[InboxEvent]:
            events = self.inbox()
            waiting = any(event.state in ("new", "working") for event in events)
            return [] if waiting or not _ended(events).keys() >= set(numbers) else events

        events = self.eventually(look, what="the inbox is worked off")
        failed = {event.event.instance_id: event.error for event in events if event.state == "failed"}
        assert failed.keys() == self.by_hand, failed
        return _ended(events)


def _ended(events: list[InboxEvent]) -> dict[str, str]:
    ended = (event for event in events if event.event.type == "approval.finished" and event.state == "done")
    return {event.event.instance_id: event.note for event in ended}

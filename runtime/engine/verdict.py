"""A verdict counts only as far as the other system itself confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.connectors.events import Event
from runtime.errors import CallbackRejected, RetryLater

__all__ = ["confirm"]


def confirm(event: Event | None, detail: Any) -> None:
    """Compare a stored event that reports how an approval ended with the approval itself, where a flow reads it.

    The event says only that it ended; whoever got hold of the key of the callback could say that, too. Connectors
    give an approval as a mapping with ``instance_id`` and ``outcome``; whatever else a flow reads is none of our
    business here.

    :raises RetryLater: the approval is still open; it may take a moment until everything in the other system knows
    :raises CallbackRejected: it ended in another way; a person has to look
    """
    if event is None or event.outcome is None or not isinstance(detail, Mapping):
        return
    if "outcome" not in detail or str(detail.get("instance_id")) != event.instance_id:
        return
    outcome = detail["outcome"]
    if outcome is None:
        raise RetryLater(
            f"回调说审批已结束（{event.outcome}），但审批单显示尚未结束；稍后再核对",
            f"The event says that the approval ended ({event.outcome}), the approval itself is still open; "
            "it is looked at again later",
            where=event.instance_id,
        )
    if outcome != event.outcome:
        raise CallbackRejected(
            f"回调的结果（{event.outcome}）与审批单的结果（{outcome}）不一致，没有写入",
            f"The event says {event.outcome}, the approval itself says {outcome}: nothing was written",
            where=event.instance_id,
        )

"""A verdict counts only as far as the other system itself confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.connectors.events import Event, Outcome
from runtime.errors import CallbackRejected, RetryLater

__all__ = ["confirm", "confirm_change"]


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


def confirm_change(event: Event, said: Outcome | None, *, doubtful: bool, may_wait: bool) -> None:
    """Judge a report by which a verdict that was reported before is another one now.

    Where the other system can be asked, its word decides. Where it cannot, the report is believed, unless it may just
    as well be an old one that was delivered again: writing a verdict that was taken back is worse than asking a person.

    :param said: how the approval ended by the other system's own account; None = it does not tell
    :param doubtful: a report just like this one came before the one that stands, or may have
    :param may_wait: what the other system says may not be its last word: it may report a verdict before it keeps it
    :raises RetryLater: the other system says otherwise, so far
    :raises CallbackRejected: it says otherwise for good, or nobody but a person can tell
    """
    if said == event.outcome or (said is None and not doubtful):
        return
    if may_wait:
        raise RetryLater(
            f"报告的结论改为 {event.outcome}，审批单上还没有（{said or '未结束'}）；稍后再核对",
            f"The report changes the verdict to {event.outcome}, the approval itself does not say so yet "
            f"({said or 'still open'}); it is looked at again later",
            where=event.instance_id,
        )
    if said is not None:
        raise CallbackRejected(
            f"报告的结论改为 {event.outcome}，审批单上仍是 {said}，没有写入",
            f"The report changes the verdict to {event.outcome}, the approval itself still says {said}: "
            "nothing was written",
            where=event.instance_id,
        )
    raise CallbackRejected(
        f"同一结论（{event.outcome}）的报告在当前结论之前已收到过，无法判断这一次是重发还是新的结论，没有写入；"
        "请在 OA 核对，确为新的结论就重试此事件",
        f"A report of the same verdict ({event.outcome}) came before the one that stands: whether this is that one, "
        "delivered again, or a new verdict cannot be told, and nothing was written. Look into the OA; if it is a new "
        "verdict, have this event tried again",
        where=event.instance_id,
    )

"""The search for what an unanswered attempt may have created, among everything that it may have become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from runtime.connectors.actions import Finding, Intent, Reconciliation
from runtime.errors import NotFound

__all__ = ["MOST_CANDIDATES", "search", "unclear"]

#: An unanswered attempt among more approvals than this is for a person to find.
MOST_CANDIDATES = 500


async def search(
    candidates: Sequence[str], intent: Intent, judge: Callable[[str], Awaitable[bool | None]]
) -> Reconciliation:
    """Look at every candidate that no other document has taken.

    :param candidates: ids of all approvals that the attempt may have become
    :param judge: whether one of them is what was asked for; None = that cannot be told
    """
    if len(candidates) > MOST_CANDIDATES:
        return unclear("同期审批单太多，无法逐一核对", "Too many approvals of that time to compare them all")
    same: list[str] = []
    doubtful: list[str] = []
    for instance_id in (candidate for candidate in candidates if candidate not in intent.taken):
        try:
            verdict = await judge(instance_id)
        except NotFound:  # deleted between the two calls
            verdict = None
        if verdict is not False:
            (same if verdict else doubtful).append(instance_id)
    if len(same) == 1 and not doubtful:
        return Reconciliation(finding=Finding.FOUND, result={"instance_id": same[0]})
    if same or doubtful:
        ids = ", ".join(same + doubtful)
        return unclear(
            f"可能已创建为以下审批单之一，但无法确定：{ids}",
            f"It may have become one of these approvals, but that is not certain: {ids}",
        )
    return Reconciliation(finding=Finding.ABSENT)


def unclear(zh: str, en: str) -> Reconciliation:
    """It cannot be told; says why."""
    return Reconciliation(finding=Finding.UNCLEAR, reason_zh=zh, reason_en=en)

"""What DingTalk pushes about approvals: ``bpms_instance_change`` and ``bpms_task_change``.

Follows "DingTalk open platform, 审批事件"; the payload is flat.
"""

from __future__ import annotations

import uuid
from typing import Any

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.instances import Instance
from runtime.sandbox.oa.approvals import Task

__all__ = ["INSTANCE_CHANGE", "TASK_CHANGE", "event_of"]

INSTANCE_CHANGE = "bpms_instance_change"
TASK_CHANGE = "bpms_task_change"


def event_of(instance: Instance, kind: str, change: str, task: Task | None, now: int) -> dict[str, Any]:
    """The payload of one change.

    :param change: start, finish, terminate or (a task) cancel
    :param now: milliseconds since the epoch
    """
    event: dict[str, Any] = {
        "EventType": INSTANCE_CHANGE if kind == "instance" else TASK_CHANGE,
        "EventTime": now,
        "CorpId": demo.DINGTALK_CORP_ID,
        "BizId": f"{now}{instance.business_id[-4:]}",
        "eventId": uuid.uuid4().hex,
        "processInstanceId": instance.id,
        "createTime": instance.created,
        "processCode": instance.process_code,
        "bizCategoryId": "",
        "businessId": instance.business_id,
        "businessType": "",
        "type": change,
        "title": instance.title,
        "url": f"https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm?corpid={demo.DINGTALK_CORP_ID}"
        f"&procInstId={instance.id}",
        "staffId": task.user if task else instance.originator,
    }
    if task is None:
        if change != "start":
            event["finishTime"] = instance.finished
        if change == "finish":
            event["result"] = instance.result
        return event
    event["taskId"] = task.id
    if change != "start":
        event["finishTime"] = task.finished
    if change == "finish":
        event["result"] = task.result.lower()
        event["remark"] = next((entry.remark for entry in reversed(instance.records) if entry.user == task.user), "")
    return event

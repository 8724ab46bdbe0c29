"""What WeCom pushes about approvals: ``sys_approval_change``.

Follows "WeCom developer centre, 审批申请状态变化回调通知". One application fires many events.
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.sandbox import demo
from runtime.sandbox.oa.approvals import Task
from runtime.sandbox.wecom.instances import Instance

__all__ = ["change_of", "event_of"]

#: The approval app of WeCom itself, whichever app listens.
_APPROVAL_APP = 3010040
#: What happened to an approval -> ``StatuChangeEvent``.
_CHANGES = {
    "start": 1,
    "terminate": 6,
    "comment": 10,
    "urge": 5,
    "revoke": 8,
    "pay": 14,
    "delete": 6,
}
_AGREED, _REFUSED = 2, 3


def change_of(kind: str, change: str, task: Task | None) -> int:
    """``StatuChangeEvent``, or 0 for what is not pushed."""
    if kind == "instance":
        return _CHANGES.get(change, 0)
    if change != "finish" or task is None:
        return 0
    return _AGREED if task.result == "AGREE" else _REFUSED


def event_of(instance: Instance, change: int, now: int) -> str:
    """The XML of one change.

    :param now: seconds since the epoch
    """
    applicant = f"<UserId>{_text(instance.originator)}</UserId><Party>{_text(str(instance.department))}</Party>"
    copies = "".join(f"<Notifyer><UserId>{_text(user)}</UserId></Notifyer>" for user in instance.cc)
    return (
        f"<xml><ToUserName>{_text(demo.WECOM_CORP_ID)}</ToUserName><FromUserName>{_text('sys')}</FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType>{_text('event')}</MsgType><Event>{_text('sys_approval_change')}</Event>"
        f"<AgentID>{_APPROVAL_APP}</AgentID><ApprovalInfo><SpNoStr>{_text(instance.id)}</SpNoStr>"
        f"<SpNo>{instance.id}</SpNo><SpName>{_text(instance.form_name)}</SpName>"
        f"<SpStatus>{instance.sp_status}</SpStatus><TemplateId>{_text(instance.template_id)}</TemplateId>"
        f"<ApplyTime>{instance.created // 1000}</ApplyTime><Applyer>{applicant}</Applyer>"
        f"{''.join(_records(instance))}{copies}{''.join(_comments(instance))}"
        f"<StatuChangeEvent>{change}</StatuChangeEvent></ApprovalInfo></xml>"
    )


def _records(instance: Instance) -> Iterator[str]:
    for number, node in enumerate(instance.nodes):
        tasks = [task for task in instance.tasks if task.node == number]
        details = "".join(_detail(instance, task) for task in tasks)
        if details:
            attribute = 2 if node.action == "AND" else 1
            status = 3 if any(task.result == "REFUSE" for task in tasks) else 2
            status = 1 if any(task.status == "RUNNING" for task in tasks) else status
            yield f"<SpRecord><SpStatus>{status}</SpStatus><ApproverAttr>{attribute}</ApproverAttr>{details}</SpRecord>"


def _detail(instance: Instance, task: Task) -> str:
    speech = next((entry.remark for entry in reversed(instance.records) if entry.user == task.user), "")
    status = {"AGREE": _AGREED, "REFUSE": _REFUSED}.get(task.result, 1)
    return (
        f"<Details><Approver><UserId>{_text(task.user)}</UserId></Approver><Speech>{_text(speech)}</Speech>"
        f"<SpStatus>{status}</SpStatus><SpTime>{task.finished // 1000 if status > 1 else 0}</SpTime></Details>"
    )


def _comments(instance: Instance) -> Iterator[str]:
    for number, record in enumerate(instance.records):
        if record.type == "ADD_REMARK":
            yield (
                f"<Comments><CommentUserInfo><UserId>{_text(record.user)}</UserId></CommentUserInfo>"
                f"<CommentTime>{record.at // 1000}</CommentTime><CommentContent>{_text(record.remark)}</CommentContent>"
                f"<CommentId>{_text(f'{instance.id}{number}')}</CommentId></Comments>"
            )


def _text(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"

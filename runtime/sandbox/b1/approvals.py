"""Approval requests: opened with a draft, decided stage by stage, gone once the draft has become a document."""

from __future__ import annotations

from typing import Final

from .context import Context
from .faults import ServiceFault, bad_request
from .rows import Key, Row

__all__ = ["decide", "draft_set", "drop", "open_request", "request_of"]

#: Outcome -> suffix of the draft's authorization status.
_DRAFT_STATUS: Final = {"arsPending": "Pending", "arsApproved": "Approved", "arsNotApproved": "Rejected"}


def open_request(context: Context, entry: int, template: int, remarks: str) -> int:
    """Put a draft into the approval procedure of a template, and return the request's code."""
    entity_set = draft_set(context, entry)
    draft = context.get(entity_set, entry)
    members = context.schema.enums["BoObjectTypes"].members
    stage = _stages(context, template)[0]
    code = context.company.next_entry("OWDD")
    request: Row = {
        "Code": code,
        "ApprovalTemplatesID": template,
        "ObjectType": members.get(draft["DocObjectCode"], draft["DocObjectCode"]),
        "IsDraft": "Y",
        "DraftEntry": entry,
        "DraftType": "112",
        "Status": "arsPending",
        "CurrentStage": stage,
        "OriginatorID": draft.get("UserSign", context.user),
        "CreationDate": context.today,
        "CreationTime": context.time,
        "ApprovalRequestLines": _stage_lines(context, stage),
    }
    if remarks:
        request["Remarks"] = remarks
    context.put("ApprovalRequests", code, request)
    _follow(context, request)
    return code


def decide(context: Context, key: Key, values: Row) -> None:
    """PATCH of an approval request: record decisions of approvers of the current stage.

    A named approver needs the password; without a name the session's user decides. The last approval that a stage
    needs moves the request to its next stage, or approves it; one refusal ends it. The draft follows.

    :raises ServiceFault: nobody of the current stage decided, or the request is not pending; nothing is recorded
    """
    request = dict(context.get("ApprovalRequests", key))
    if "Remarks" in values:
        request["Remarks"] = values["Remarks"]
    for decision in values.get("ApprovalRequestDecisions", []):
        _record(context, request, decision)
    context.put("ApprovalRequests", key, {name: value for name, value in request.items() if value is not None})
    _follow(context, request)


def drop(context: Context, entry: int) -> None:
    """Delete the approval requests of a draft."""
    for key in context.matching("ApprovalRequests", "DraftEntry", entry):
        context.company.delete("ApprovalRequests", key)


def request_of(context: Context, entry: int) -> Row | None:
    """The approval request of a draft, or None."""
    keys = context.matching("ApprovalRequests", "DraftEntry", entry)
    return context.get("ApprovalRequests", keys[-1]) if keys else None


def draft_set(context: Context, entry: int) -> str:
    """The set that holds a draft: both kinds of drafts share their numbers."""
    return "Drafts" if context.find("Drafts", entry) is not None else "StockTransferDrafts"


def _record(context: Context, request: Row, decision: Row) -> None:
    if request["Status"] != "arsPending":
        raise bad_request("Approval request has already been decided")
    status = decision.get("Status")
    if status not in {"ardApproved", "ardNotApproved"}:
        raise bad_request("Property 'Status' of 'ApprovalRequestDecision' must approve or not approve", -1000)
    user = _approver(context, decision)
    stage = request["CurrentStage"]
    lines = [dict(line) for line in request["ApprovalRequestLines"]]
    mine = [line for line in lines if line["StageCode"] == stage and line["UserID"] == user]
    if not mine:
        raise bad_request("User is not an authorizer of the current approval stage")
    mine[0] |= {"Status": status, "UpdateDate": context.today, "UpdateTime": context.time}
    mine[0].pop("Remarks", None)
    if decision.get("Remarks"):
        mine[0]["Remarks"] = decision["Remarks"]
    request["ApprovalRequestLines"] = lines
    approved = sum(line["StageCode"] == stage and line["Status"] == "ardApproved" for line in lines)
    if status == "ardNotApproved":
        request["Status"] = "arsNotApproved"
    elif approved >= context.get("ApprovalStages", stage).get("NoOfApproversRequired", 1):
        _move_on(context, request)


def _move_on(context: Context, request: Row) -> None:
    stages = _stages(context, request["ApprovalTemplatesID"])
    following = stages[stages.index(request["CurrentStage"]) + 1 :]
    if not following:
        request["Status"] = "arsApproved"
        return
    request["CurrentStage"] = following[0]
    request["ApprovalRequestLines"] = request["ApprovalRequestLines"] + _stage_lines(context, following[0])


def _approver(context: Context, decision: Row) -> int:
    name = decision.get("ApproverUserName")
    if not name:
        return context.user
    keys = context.matching("Users", "UserCode", name)
    user = context.get("Users", keys[0]) if keys else {}
    if not user or user.get("UserPassword") != decision.get("ApproverPassword"):
        raise ServiceFault(400, -5002, "User code or password is incorrect [Message 131-93]")
    return int(user["InternalKey"])


def _stages(context: Context, template: int) -> list[int]:
    stages = context.get("ApprovalTemplates", template)["ApprovalTemplateStages"]
    return [stage["ApprovalStageCode"] for stage in sorted(stages, key=lambda stage: int(stage["SortID"]))]


def _stage_lines(context: Context, stage: int) -> list[Row]:
    approvers = context.get("ApprovalStages", stage)["ApprovalStageApprovers"]
    created = {"Status": "ardPending", "CreationDate": context.today, "CreationTime": context.time}
    return [{"StageCode": stage, "UserID": approver["UserID"], **created} for approver in approvers]


def _follow(context: Context, request: Row) -> None:
    """The draft's authorization status follows its request."""
    entity_set = draft_set(context, request["DraftEntry"])
    draft = context.find(entity_set, request["DraftEntry"])
    if draft is None:
        return
    prefix = "das" if entity_set == "Drafts" else "sas"
    status = prefix + _DRAFT_STATUS[request["Status"]]
    if draft["AuthorizationStatus"] != status:
        context.put(entity_set, request["DraftEntry"], {**draft, "AuthorizationStatus": status})

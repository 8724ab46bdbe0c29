"""Parameters of the WeCom actions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runtime.connectors.actions import ActionParams
from runtime.connectors.parameters import AnyUser, Files, FormValues, Mobile, UserId, UserIds, blank_is_none, listed

__all__ = ["ApproverNode", "CreateApproval", "FindUser", "GetApproval", "ListApprovals", "UploadAttachment"]


def _node(value: Any) -> Any:
    return {"users": [value]} if isinstance(value, str | int) else value


def _instance_id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: Number of an approval (sp_no).
InstanceId = Annotated[str, BeforeValidator(_instance_id), Field(min_length=1, description="Number of the approval")]


class ApproverNode(BaseModel):
    """One node of an approval that does not follow the template's flow; a bare user id is a node with one approver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["approver", "handler"] = "approver"
    rule: Literal["all", "any", "in_turn"] = "any"
    users: Annotated[UserIds, Field(min_length=1)]


class CreateApproval(ActionParams):
    """WeCom developer centre, 提交审批申请."""

    form: str = Field(min_length=1, description="Template id")
    values: FormValues = Field(description="The filled form: the result of a map step, or id or title → value")
    originator: UserId = Field(description="User id of the applicant")
    department: Annotated[int | None, BeforeValidator(blank_is_none)] = Field(
        None, description="Department id of the applicant, where one has several"
    )
    approvers: Annotated[
        tuple[Annotated[ApproverNode, BeforeValidator(_node)], ...], BeforeValidator(listed), Field(max_length=20)
    ] = Field((), description="Approvers in order, in place of the template's flow")
    cc: Annotated[UserIds, Field(max_length=50)] = Field(
        (), description="Who gets a copy; only with approvers, else the template says so"
    )
    summary: Annotated[tuple[str, ...], BeforeValidator(listed), Field(max_length=3)] = Field(
        (), description="Up to 3 lines for the list of approvals, cut at 20 characters; empty = the first 3 values"
    )
    key_field: str = Field(
        "", description="Id or title of the control that carries the document's key; makes finding a lost answer exact"
    )


class GetApproval(ActionParams):
    """WeCom developer centre, 获取审批申请详情."""

    instance_id: InstanceId


class ListApprovals(ActionParams):
    """WeCom developer centre, 批量获取审批单号."""

    form: str = Field(min_length=1, description="Template id")
    start: datetime = Field(description="Submitted at or after; a time without a zone is UTC")
    end: datetime | None = Field(None, description="Submitted at or before; None = now")
    status: Annotated[Literal[1, 2, 3, 4, 6, 7, 10] | None, BeforeValidator(blank_is_none)] = Field(
        None, description="Only this status: 1 running, 2 agreed, 3 refused, 4 withdrawn …; None = all"
    )
    originator: Annotated[UserId | None, BeforeValidator(blank_is_none)] = Field(
        None, description="Only approvals of this user; None = everybody's"
    )


class FindUser(ActionParams):
    """WeCom developer centre, 手机号获取userid and 读取成员: give one of the two."""

    mobile: Mobile = Field("", description="Mobile number, as B1 holds it")
    user: AnyUser = Field("", description="User id, to check it and read the name")

    @model_validator(mode="after")
    def _one_of_them(self) -> FindUser:
        if bool(self.mobile) == bool(self.user.strip()):
            raise ValueError("give a mobile number or a user id, and not both")
        return self


class UploadAttachment(ActionParams):
    """WeCom developer centre, 上传临时素材; the id is good for three days."""

    files: Files = Field(description="Files, as the action attachment of B1 yields them")

"""Parameters of the DingTalk actions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runtime.connectors.actions import ActionParams
from runtime.connectors.parameters import AnyUser, Files, FormValues, Mobile, UserId, UserIds, blank_is_none, listed

__all__ = [
    "ApproverGroup",
    "Comment",
    "CreateApproval",
    "FindDepartment",
    "FindUser",
    "GetApproval",
    "ListApprovals",
    "TerminateApproval",
    "UploadAttachment",
]


def _group(value: Any) -> Any:
    return {"userIds": [value], "actionType": "NONE"} if isinstance(value, str | int) else value


class ApproverGroup(BaseModel):
    """One node of an approval that does not follow the designed flow; a bare user id is a node with one approver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action_type: Literal["AND", "OR", "NONE"] = Field("NONE", alias="actionType")
    user_ids: tuple[UserId, ...] = Field(alias="userIds", min_length=1)


class CreateApproval(ActionParams):
    """DingTalk open platform, 发起审批实例."""

    form: str = Field(min_length=1, description="Process code of the form (PROC-…)")
    values: FormValues = Field(description="The filled form: the result of a map step, or label → value")
    originator: UserId = Field(description="User id of the applicant; must be employed")
    department: Annotated[int | None, BeforeValidator(blank_is_none)] = Field(
        None, description="Department id of the applicant, -1 = root; needed unless approvers are given"
    )
    approvers: Annotated[
        tuple[Annotated[ApproverGroup, BeforeValidator(_group)], ...], BeforeValidator(listed), Field(max_length=20)
    ] = Field((), description="Approvers in order, in place of the designed flow")
    cc: Annotated[UserIds, Field(max_length=50)] = Field((), description="Who gets a copy")
    cc_position: Literal["START", "FINISH", "START_FINISH"] = Field("FINISH", description="When copies are sent")
    chosen: dict[str, UserIds] = Field(
        default_factory=dict, description="Approvers of self-chosen nodes: actioner key → user ids"
    )
    key_field: str = Field(
        "", description="Label of the control that carries the document's key; makes finding a lost answer exact"
    )


class GetApproval(ActionParams):
    """DingTalk open platform, 获取单个审批实例详情."""

    instance_id: str = Field(min_length=1, description="Instance id")


class ListApprovals(ActionParams):
    """DingTalk open platform, 获取审批实例ID列表."""

    form: str = Field(min_length=1, description="Process code of the form")
    start: datetime = Field(description="Started at or after; a time without a zone is UTC")
    end: datetime | None = Field(None, description="Started at or before; None = now")
    statuses: Annotated[tuple[Literal["RUNNING", "TERMINATED", "COMPLETED"], ...], BeforeValidator(listed)] = Field(
        (), description="Only these states; empty = all"
    )
    originators: Annotated[UserIds, Field(max_length=10)] = Field(
        (), description="Only approvals of these users; empty = everybody's"
    )


class FindUser(ActionParams):
    """DingTalk open platform, 根据手机号查询用户 and 查询用户详情: give one of the two."""

    mobile: Mobile = Field("", description="Mobile number, as B1 holds it")
    user: AnyUser = Field("", description="User id")

    @model_validator(mode="after")
    def _one_of_them(self) -> FindUser:
        if bool(self.mobile) == bool(self.user.strip()):
            raise ValueError("give a mobile number or a user id, and not both")
        return self


class FindDepartment(ActionParams):
    """DingTalk open platform, 获取部门详情 and 获取部门列表: give one of the two."""

    name: str = Field("", description="Name of the department; it must be the only one")
    department: Annotated[int | None, BeforeValidator(blank_is_none)] = Field(
        None, description="Department id, -1 = the company itself"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> FindDepartment:
        if bool(self.name.strip()) == (self.department is not None):
            raise ValueError("give a name or a department id, and not both")
        return self


class UploadAttachment(ActionParams):
    """DingTalk open platform, 获取审批钉盘空间信息, 获取文件上传信息, 提交文件."""

    files: Files = Field(description="Files, as the action attachment of B1 yields them")
    user: UserId = Field(description="User id of the applicant, in whose approval space they are stored")


class TerminateApproval(ActionParams):
    """DingTalk open platform, 撤销审批实例; refused during the first 15 seconds and where the form forbids it."""

    instance_id: str = Field(min_length=1, description="Instance id")
    remark: str = Field("", max_length=1024, description="Why")
    operator: Annotated[UserId | None, BeforeValidator(blank_is_none)] = Field(
        None, description="The originator who withdraws; None = the system does"
    )


class Comment(ActionParams):
    """DingTalk open platform, 添加审批评论."""

    instance_id: str = Field(min_length=1, description="Instance id")
    text: str = Field(min_length=1, max_length=1024, description="The comment")
    user: UserId = Field(description="User id of the person who comments")

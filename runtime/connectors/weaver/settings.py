"""Settings of a Weaver e-cology connection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator

from runtime.connectors.settings import Address, HttpSettings
from runtime.connectors.weaver.keys import read_public_key
from runtime.errors import BadMapping
from runtime.mapping.values import open_zone

__all__ = ["WeaverSettings"]


def _user_id(text: str) -> str:
    if text and not (text.isascii() and text.isdecimal()):
        raise ValueError("an OA user id is the number in hrmresource.id, not the login name")
    return text


#: ``hrmresource.id``: digits, or nothing.
UserNumber = Annotated[str, AfterValidator(_user_id)]


class WeaverSettings(HttpSettings):
    """One application (``appid``) of one e-cology server.

    ``secret`` and ``spk`` are what ``/api/ec/dev/auth/regist`` answered, once. Calling it again changes both, so the
    connection never does so by itself: ``b1-runtime connections register NAME`` does, and stores them.
    """

    base_url: Address = Field(title="服务地址", description="Address that stands before /api/…")
    app_id: str = Field(min_length=1, title="应用 appid", description="appid of the licence issued on the OA server")
    secret: SecretStr = Field(
        SecretStr(""), title="secrit（未加密）", description="The secret that registering answered, as it is"
    )
    spk: str = Field(
        "", title="服务端公钥 spk", description="The server's RSA public key: Base64 as registering answered it, or PEM"
    )
    user_id: UserNumber = Field(
        "", title="默认 OA 用户 ID", description="hrmresource.id that calls are made as where nobody else is named"
    )
    token_seconds: int = Field(
        1800,
        ge=0,
        le=86_400,
        title="令牌有效期（秒）",
        description="Lifetime asked for in the header time; 0 = not sent",
    )
    skip_session: bool = Field(
        False, title="不建立会话", description="Send skipsession: 1, so that the OA server keeps no session"
    )
    submit: bool = Field(
        True, title="创建后提交", description="isnextflow: submit a new request; otherwise it stays at the create node"
    )
    delete_failed: bool = Field(
        True, title="提交失败则删除", description="delReqFlowFaild: delete a request that cannot be submitted"
    )
    date_format: str = Field("yyyy-MM-dd", min_length=1, title="日期格式", description="How e-cology writes a date")
    time_format: str = Field("HH:mm", min_length=1, title="时间格式", description="How e-cology writes a time of day")
    timezone: str = Field(
        "Asia/Shanghai", title="OA 服务器时区", description="Time zone in which the OA server writes its times"
    )
    clock_margin: float = Field(
        300.0,
        ge=0,
        le=86_400,
        title="时钟偏差（秒）",
        description="Seconds by which clocks may differ when an unanswered request is searched for",
    )
    search_list: str = Field(
        "getMyWorkflowRequestList",
        pattern=r"^([A-Za-z0-9]+)?$",
        title="核对用的列表接口",
        description="paService list in which an unanswered request is searched for; empty = none, a person looks",
    )
    absent: Literal["person", "resend"] = Field(
        "person",
        title="列表中找不到时",
        description="person: a person decides; resend: the list is known to be complete, so it is sent again",
    )
    outcome_source: Literal["none", "field", "status", "node"] = Field(
        "none",
        title="审批结论的来源",
        description="What tells how a request ended: a form field, its status text, its current node, or nothing; "
        "with none, verdicts that never came are not found by asking",
    )
    outcome_field: str = Field(
        "", title="结论字段", description="Column of the form that holds the outcome, with outcome_source = field"
    )
    agreed: str = Field("Y,同意", title="表示同意的值", description="Values that mean agreed, separated by commas")
    refused: str = Field(
        "N,拒绝,不同意", title="表示拒绝的值", description="Values that mean refused, separated by commas"
    )
    withdrawn: str = Field(
        "撤回,撤销", title="表示撤回的值", description="Values that mean withdrawn, separated by commas"
    )
    mode_system: str = Field("", title="建模 systemid", description="System id of the mode engine's interfaces")
    mode_password: SecretStr = Field(
        SecretStr(""), title="建模接口密码", description="Password that belongs to that system id"
    )
    mode_token: bool = Field(
        False,
        title="建模接口也带令牌",
        description="Send appid, token and userid with mode data too, where the OA server asks for a login",
    )

    @field_validator("spk")
    @classmethod
    def _spk_is_a_public_key(cls, value: str) -> str:
        if value.strip():
            read_public_key(value)
        return value.strip()

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            open_zone(value)
        except BadMapping:
            raise ValueError("there is no such time zone; use a name like Asia/Shanghai") from None
        return value

"""Settings of a WeCom connection."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr

from runtime.config import DEFAULT_TIMEZONE
from runtime.connectors.aes_callback import AesKey
from runtime.connectors.settings import Address, HttpSettings
from runtime.errors import BadMapping
from runtime.mapping.values import open_zone

__all__ = ["WeComSettings"]


def _zone_name(name: str) -> str:
    try:
        open_zone(name)
    except BadMapping as error:
        raise ValueError(error.en) from error
    return name


class WeComSettings(HttpSettings):
    """One self-built application of one company; it must be listed under 审批 → 可调用接口的应用.

    Callback secrets (``aes_key``, ``token``) may stay empty for a connection that receives no events.
    """

    base_url: Address = Field(
        "https://qyapi.weixin.qq.com", title="服务地址", description="Address that stands before /cgi-bin/…"
    )
    rate: float = Field(
        10.0, gt=0, title="每秒请求上限", description="Requests per second, at most; approvals allow 600 a minute"
    )
    corp_id: str = Field(min_length=1, title="企业 ID", description="CorpID; events are encrypted for it too")
    secret: SecretStr = Field(min_length=1, title="应用 Secret", description="Secret of the self-built app")
    agent_id: int | None = Field(
        None, title="应用 AgentId", description="AgentId of the app; for your own records, the approval calls need none"
    )
    aes_key: AesKey = Field(
        SecretStr(""),
        title="回调 EncodingAESKey",
        description="43 characters; from the app's page for receiving events",
    )
    token: SecretStr = Field(
        SecretStr(""), title="回调 Token", description="Signature token from the app's page for receiving events"
    )
    timezone: Annotated[str, AfterValidator(_zone_name)] = Field(
        DEFAULT_TIMEZONE, title="时区", description="IANA name of the time zone that dates of approvals are meant in"
    )
    flow_parameters: Literal["process", "approver"] = Field(
        "process",
        title="审批人参数",
        description="How chosen approvers are sent. process: node list; approver: the older parameters",
    )
    clock_margin: float = Field(
        300.0,
        ge=0,
        le=86_400,
        title="时钟偏差（秒）",
        description="Seconds by which clocks may differ when an unanswered approval is searched for",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of dates."""
        return open_zone(self.timezone)

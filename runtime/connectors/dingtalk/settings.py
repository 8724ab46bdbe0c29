"""Settings of a DingTalk connection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.connectors.aes_callback import AesKey
from runtime.connectors.settings import Address, HttpSettings

__all__ = ["DingTalkSettings"]


class DingTalkSettings(HttpSettings):
    """One internal application of one DingTalk company.

    Callback secrets (``aes_key``, ``token``) may stay empty for a connection that receives no events, or receives them
    by Stream mode.
    """

    base_url: Address = Field(
        "https://api.dingtalk.com", title="服务地址", description="Address that stands before /v1.0/…"
    )
    oapi_url: Address = Field(
        "https://oapi.dingtalk.com",
        title="旧版服务地址",
        description="Legacy host: people and departments, and the token with token_api = legacy",
    )
    token_api: Literal["new", "legacy"] = Field(
        "new",
        title="令牌接口",
        description="new: POST /v1.0/oauth2/accessToken; legacy: GET gettoken on the legacy host",
    )
    app_key: str = Field(min_length=1, title="应用 AppKey", description="AppKey (Client ID) of the internal app")
    app_secret: SecretStr = Field(
        min_length=1, title="应用 AppSecret", description="AppSecret (Client Secret) of the internal app"
    )
    agent_id: int | None = Field(
        None, title="应用 AgentId", description="AgentId that approvals are started with, if the company wants one"
    )
    event_mode: Literal["http", "stream"] = Field(
        "http",
        title="事件接收方式",
        description="http: DingTalk calls our public address; stream: we open a connection to DingTalk (Stream mode)",
    )
    reconnect_after: float = Field(
        3.0,
        gt=0,
        le=300,
        title="重连间隔（秒）",
        description="Stream mode: seconds before a connection that broke off is opened again",
    )
    aes_key: AesKey = Field(
        SecretStr(""), title="事件加密 aes_key", description="43 characters; from the app's event subscription page"
    )
    token: SecretStr = Field(
        SecretStr(""), title="事件签名 token", description="Signature token from the app's event subscription page"
    )
    owner_key: str = Field(
        "", title="事件所属 Key", description="Owner that events must be encrypted for; empty = the AppKey"
    )
    corp_id: str = Field(
        "", title="企业 CorpId", description="CorpId; when given, events encrypted for it are accepted too"
    )
    clock_margin: float = Field(
        300.0,
        ge=0,
        le=86_400,
        title="时钟偏差（秒）",
        description="Seconds by which clocks may differ when an unanswered approval is searched for",
    )

    @property
    def owners(self) -> tuple[str, ...]:
        """Everybody that an event may be encrypted for."""
        return tuple(owner for owner in (self.owner_key or self.app_key, self.corp_id) if owner)

"""Settings of a Service Layer connection."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from runtime.connectors.settings import Address, HttpSettings

__all__ = ["B1Settings"]


class B1Settings(HttpSettings):
    """One company of one SAP Business One installation, and the user that works in it."""

    base_url: Address = Field(
        title="服务地址", description="Address that stands before /b1s/v1, e.g. https://b1.example.com:50000"
    )
    version: Literal["v1", "v2"] = Field(
        "v1", title="接口版本", description="v1 = OData 3, v2 = OData 4; both reach the same data"
    )
    company: str = Field(min_length=1, title="帐套", description="Company database (CompanyDB)")
    user: str = Field(min_length=1, title="用户", description="B1 user code")
    password: SecretStr = Field(min_length=1, title="密码", description="Password of that user")
    language: int = Field(
        15, title="语言代码", description="B1 language number of error texts: 15 = 简体中文, 3 = English"
    )
    approver_user: str = Field(
        "", title="审批用户", description="User in whose name approvals are decided; empty = the user above"
    )
    approver_password: SecretStr = Field(
        SecretStr(""), title="审批用户密码", description="Password of the deciding user"
    )

    attachment_limit: int = Field(
        20_000_000, gt=0, title="附件大小上限（字节）", description="Bytes of one attached file that is read, at most"
    )

    @field_validator("base_url")
    @classmethod
    def _without_the_documented_path(cls, value: str) -> str:
        return re.sub(r"/+b1s(/v[12])?$", "", value).rstrip("/")

    @model_validator(mode="after")
    def _approver_has_both_or_none(self) -> B1Settings:
        if bool(self.approver_user) != bool(self.approver_password.get_secret_value()):
            raise ValueError("approver_user and approver_password go together: give both or none")
        return self

"""Settings of a DI gateway connection."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from runtime.connectors.settings import Address, HttpSettings
from runtime.connectors.sql.settings import Procedures
from runtime.connectors.statements.dialects import DIALECTS, SqlDialect

__all__ = ["DiSettings"]


class DiSettings(HttpSettings):
    """One company behind a DI gateway, and the user that works in it."""

    base_url: Address = Field(
        title="服务地址",
        examples=["https://api-service.sperp.myhuaweicloud.com/diapi/ID"],
        description="Address that stands before /b1dis/v1, e.g. https://api-service.sperp.myhuaweicloud.com/diapi/ID",
    )
    company: str = Field(min_length=1, title="帐套", description="Company database (CompanyDB)")
    user: str = Field(min_length=1, title="用户", description="B1 user code")
    password: SecretStr = Field(min_length=1, title="密码", description="Password of that user")
    language: int = Field(
        15, title="语言代码", description="B1 language number of error texts: 15 = 简体中文, 3 = English"
    )
    database: Literal["hana", "tsql"] = Field(
        "hana", title="数据库", description="What the company runs on: hana = SAP HANA, tsql = SQL Server"
    )
    login_path: str = Field(
        "b1dis/v1/Login",
        title="登录路径",
        description="Path of the login below the address; gateways differ in it",
        json_schema_extra={"advanced": True},
    )
    procedures: Procedures = Field(
        (),
        title="允许调用的存储过程",
        description="Names of procedures that CALL may name, separated by commas; none = no CALL",
    )

    @field_validator("base_url")
    @classmethod
    def _without_the_documented_path(cls, value: str) -> str:
        return re.sub(r"/+b1dis(/v1)?$", "", value).rstrip("/")

    @field_validator("login_path")
    @classmethod
    def _below_the_address(cls, value: str) -> str:
        path = value.strip().strip("/")
        if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path):
            raise ValueError(
                "a path such as b1dis/v1/Login, without host and query | 应为 b1dis/v1/Login 这样的路径，不含主机和参数"
            )
        return path

    @property
    def dialect(self) -> SqlDialect:
        """How this company's database writes SQL."""
        return DIALECTS[self.database]

"""Settings of a database connection."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.statements.dialects import DIALECTS, SqlDialect

__all__ = ["Procedures", "SqlSettings"]

#: SQLAlchemy's name of a database → ours.
_DIALECTS = {
    "hana": "hana",
    "mssql": "tsql",
    "postgresql": "postgres",
    "mariadb": "mysql",
    "mysql": "mysql",
    "sqlite": "sqlite",
}
#: What names them among a URL's parameters.
_CREDENTIALS = re.compile(r"\b(user|username|uid|password|passwd|pwd)\s*=", re.I)


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value or ()


#: Names, as a list or separated by commas.
Procedures = Annotated[tuple[str, ...], BeforeValidator(_names)]


class SqlSettings(ConnectorSettings):
    """One database and the user that reads from it. The password stands apart, so that the URL can be shown."""

    url: str = Field(
        title="数据库地址",
        examples=["hana+hdbcli://192.168.1.10:30015"],
        description="SQLAlchemy URL without user and password: hana+hdbcli://host:30015, mssql+pymssql://host/COMPANY, "
        "postgresql+psycopg://host/db, mariadb+pymysql://host/db, sqlite:////folder/file.db",
    )
    user: str = Field("", title="用户", description="Database user; one that may only read is best")
    password: SecretStr = Field(SecretStr(""), title="密码", description="Password of that user")
    db_schema: str = Field(
        "",
        title="模式（Schema）",
        examples=["SBO_PROD"],
        description="Schema whose tables are meant (HANA: the company); empty = the user's own",
    )
    procedures: Procedures = Field(
        (),
        title="允许调用的存储过程",
        description="Names of procedures that CALL may name, separated by commas; none = no CALL",
    )

    @field_validator("url")
    @classmethod
    def _of_a_known_database(cls, value: str) -> str:
        try:
            url = make_url(value.strip())
        except (ArgumentError, ValueError):
            url = None
        if url is None or url.get_backend_name() not in _DIALECTS:
            known = ", ".join(f"{name}://" for name in _DIALECTS)
            raise ValueError(f"a URL begins with one of {known} | 地址的开头应为以下之一：{known}")
        named = " ".join(f"{name}={value}" for name, value in url.query.items())
        if url.password is not None or url.username is not None or _CREDENTIALS.search(named):
            raise ValueError(
                "user and password have settings of their own and may not stand in the URL | "
                "地址里不能写用户和密码，请填在各自的设置里"
            )
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError(
                "a SQLite URL names a file: sqlite:////folder/file.db | SQLite 的地址要写明文件：sqlite:////目录/文件.db"
            )
        return value.strip()

    @property
    def dialect(self) -> SqlDialect:
        """How this database writes SQL."""
        return DIALECTS[_DIALECTS[make_url(self.url).get_backend_name()]]

    @property
    def location(self) -> URL:
        """The URL with user and password."""
        url = make_url(self.url)
        secret = self.password.get_secret_value()
        return url.set(username=self.user or None, password=secret or None)

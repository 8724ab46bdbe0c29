"""What the settings of every connection have in common."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Address", "ConnectorSettings", "HttpSettings"]


def _address(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            "an address starts with http:// or https:// and a host name | 地址应以 http:// 或 https:// 开头，并写明主机"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "an address holds neither user and password nor a query | 地址里不能有用户、密码和问号后的参数"
        )
    return text.strip().rstrip("/")


#: An absolute http(s) address without a final slash; credentials in it would end up in logs, so they are refused.
Address = Annotated[str, AfterValidator(_address)]


class ConnectorSettings(BaseModel):
    """Settings that every connector has; each adds its own. Secret fields are typed ``SecretStr``.

    The studio's form and the checks of the command line are generated from the model: every field carries ``title``
    (Chinese) and ``description`` (English) in its :func:`~pydantic.Field`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float = Field(30.0, gt=0, le=600, title="超时（秒）", description="Seconds to wait for one answer")


class HttpSettings(ConnectorSettings):
    """Settings that every HTTP connector has."""

    base_url: Address = Field(title="服务地址", description="Address that stands before the documented path")
    verify_tls: bool = Field(True, title="校验证书", description="Verify the server's TLS certificate")
    ca_file: str = Field("", title="自有 CA 证书文件", description="PEM file of a private certificate authority")
    rate: float = Field(20.0, gt=0, title="每秒请求上限", description="Requests per second, at most")
    retries: int = Field(4, ge=0, le=10, title="重试次数", description="Repeats of a call after a transient fault")

"""The members of the company."""

from __future__ import annotations

from typing import Any

from runtime.connectors.wecom.actions import FindUser
from runtime.connectors.wecom.client import WeComClient
from runtime.errors import NotFound, RemoteRefused

__all__ = ["Directory"]


class Directory:
    """Looks members up, as far as the application may see them."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    async def find_user(self, params: FindUser) -> dict[str, Any]:
        """``{"user_id": "ZhangSan", "name": ""}``; a name is known only where one asks by user id.

        :raises NotFound: nobody has this number or id
        """
        try:
            if params.mobile:
                answer = await self._client.call("user/getuserid", {"mobile": params.mobile}, expect="userid")
            else:
                answer = await self._client.call(
                    "user/get", method="GET", params={"userid": params.user}, expect="userid"
                )
        except RemoteRefused as error:
            raise NotFound(
                "企业微信里没有这个成员",
                "WeCom has no such member",
                where=params.mobile or params.user,
                code=error.code,
                remote=error.remote,
            ) from error
        return {"user_id": str(answer["userid"]), "name": str(answer.get("name") or "")}

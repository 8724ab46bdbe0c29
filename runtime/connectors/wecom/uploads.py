"""Files for the file controls of approvals (WeCom developer centre, 上传临时素材)."""

from __future__ import annotations

from typing import Any

import httpx

from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.files import File, read_file
from runtime.connectors.wecom.actions import UploadAttachment
from runtime.connectors.wecom.client import WeComClient

__all__ = ["Uploads"]

_UPLOAD = "media/upload"


class Uploads:
    """Uploads files; WeCom keeps them for three days unless an approval holds them. A file that no approval names is
    never seen."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    async def prepare(self, params: UploadAttachment) -> WireRequest:
        """What is uploaded; :meth:`upload` makes one call for each file."""
        return WireRequest(
            method="POST",
            url=self._client.url(f"{_UPLOAD}?type=file"),
            body={"files": [file["name"] for file in params.files]},
        )

    def promise(self, params: UploadAttachment, placeholder: str) -> list[dict[str, str]]:
        """What :meth:`upload` yields, as far as it is known beforehand."""
        return [{"file_id": placeholder, "name": str(file["name"])} for file in params.files]

    async def upload(self, params: UploadAttachment) -> list[dict[str, str]]:
        """Upload the files.

        :returns: for each what a file control wants: ``file_id``, and its ``name``
        :raises ValueRefused: a file is empty or too large
        """
        return [await self._upload(file) for file in params.files]

    async def _upload(self, file: File) -> dict[str, str]:
        name = str(file["name"])
        media: dict[str, Any] = {"media": (name, await read_file(file), "application/octet-stream")}
        form = httpx.Request("POST", self._client.url(_UPLOAD), files=media)
        answer = await self._client.call(
            _UPLOAD,
            effect=Effect.UPDATE,
            params={"type": "file"},
            content=form.read(),
            headers={"Content-Type": form.headers["Content-Type"]},
            expect="media_id",
        )
        return {"file_id": str(answer["media_id"]), "name": name}

"""Files for the attachment controls of approvals: stored in the applicant's approval space.

DingTalk open platform: 获取审批钉盘空间信息, 获取文件上传信息, 提交文件.
"""

from __future__ import annotations

from typing import Any

from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.dingtalk.actions import UploadAttachment
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.connectors.dingtalk.directory import Directory
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.files import File, read_file
from runtime.errors import RemoteFault

__all__ = ["Uploads"]

_SPACE = "/v1.0/workflow/processInstances/spaces/infos/query"
_FILES = "/v1.0/storage/spaces/{space}/files"
#: The top folder of a space.
_TOP = "0"


class Uploads:
    """Stores files.

    An upload is an ``update``: made twice it leaves a second copy in a space that nobody browses, and only the copy
    that an approval names is ever seen.
    """

    def __init__(self, client: DingTalkClient, directory: Directory, settings: DingTalkSettings) -> None:
        self._client = client
        self._directory = directory
        self._settings = settings

    async def prepare(self, params: UploadAttachment) -> WireRequest:
        """What is stored for whom. :meth:`upload` asks for the space first and makes three calls for each file."""
        return WireRequest(
            method="PUT",
            url=self._client.url(_FILES.format(space="…")),
            body={**self._owner(params), "files": [file["name"] for file in params.files]},
        )

    def promise(self, params: UploadAttachment, placeholder: str) -> list[dict[str, str]]:
        """What :meth:`upload` yields, as far as it is known beforehand."""
        return [_attachment(file, space=placeholder, size=placeholder, file_id=placeholder) for file in params.files]

    async def upload(self, params: UploadAttachment) -> list[dict[str, str]]:
        """Store the files.

        :returns: for each what an attachment control wants: ``spaceId fileName fileSize fileType fileId``
        :raises NotFound: there is no such user
        :raises ValueRefused: a file is empty or too large
        """
        if not params.files:
            return []
        user = await self._directory.user(params.user)
        # This call also gives the user the right to store files there, so its answer is not remembered.
        answer = await self._client.call(
            "POST", _SPACE, effect=Effect.UPDATE, body=self._owner(params), expect="result"
        )
        space = str(answer["result"].get("spaceId") or "") if isinstance(answer["result"], dict) else ""
        if not space:
            raise RemoteFault("钉钉的答复没有审批空间", "DingTalk's answer names no approval space", where=params.user)
        return [await self._store(file, space, {"unionId": user["union_id"]}) for file in params.files]

    async def _store(self, file: File, space: str, query: dict[str, str]) -> dict[str, str]:
        content = await read_file(file)
        name, path = str(file["name"]), _FILES.format(space=space)
        place = await self._client.call(
            "POST",
            f"{path}/uploadInfos/query",
            effect=Effect.UPDATE,
            params=query,
            body={
                "protocol": "HEADER_SIGNATURE",
                "multipart": False,
                "option": {
                    "storageDriver": "DINGTALK",
                    "preCheckParam": {"name": name, "parentId": _TOP, "size": len(content)},
                },
            },
            expect="uploadKey",
        )
        signed = place.get("headerSignatureInfo")
        addresses = signed.get("resourceUrls") if isinstance(signed, dict) else None
        if not isinstance(signed, dict) or not isinstance(addresses, list) or not addresses:
            raise RemoteFault("钉钉的答复没有上传地址", "DingTalk's answer holds no upload address", where=name)
        headers = {str(key): str(value) for key, value in (signed.get("headers") or {}).items()}
        await self._client.put(str(addresses[0]), content, headers)
        committed = await self._client.call(
            "POST",
            f"{path}/commit",
            effect=Effect.UPDATE,
            params=query,
            body={
                "uploadKey": place["uploadKey"],
                "name": name,
                "parentId": _TOP,
                "option": {"size": len(content), "conflictStrategy": "AUTO_RENAME"},
            },
            expect="dentry",
        )
        entry = committed["dentry"]
        file_id = str(entry.get("id") or "") if isinstance(entry, dict) else ""
        if not file_id:
            raise RemoteFault("钉钉的答复没有文件编号", "DingTalk's answer holds no file id", where=name)
        return _attachment(file, space=space, size=str(len(content)), file_id=file_id)

    def _owner(self, params: UploadAttachment) -> dict[str, Any]:
        agent = {} if self._settings.agent_id is None else {"agentId": self._settings.agent_id}
        return {"userId": params.user, **agent}


def _attachment(file: File, *, space: str, size: str, file_id: str) -> dict[str, str]:
    return {
        "spaceId": space,
        "fileName": str(file["name"]),
        "fileSize": size,
        "fileType": str(file["type"]) or "file",
        "fileId": file_id,
    }

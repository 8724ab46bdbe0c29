"""DingTalk's storage for the files of approvals: a space for each employee, uploads in three steps.

DingTalk open platform: 获取审批钉盘空间信息, 获取文件上传信息, 提交文件. The service behind the signed address is
an object store of its own, which answers in XML and refuses every header that was not signed.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.directory import union_id
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.storage import Storage

__all__ = ["LARGEST_FILE", "Drive", "StoredFile"]

_FILES = "dingtalk.files"
#: Bytes of one file.
LARGEST_FILE = 50_000_000


class StoredFile(msgspec.Struct, frozen=True):
    """One committed file; the sandbox keeps the hash of its content only."""

    id: str
    space: str
    name: str
    size: int
    sha256: str


class _Upload(msgspec.Struct):
    """A file between the first and the last step."""

    space: str
    authorization: str
    size: int | None = None
    sha256: str = ""


class Drive:
    """The approval spaces."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.files = {name: msgspec.convert(value, StoredFile) for name, value in storage.load(_FILES).items()}
        self._uploads: dict[str, _Upload] = {}
        #: Spaces whose owners asked for them: only then may they store files there.
        self._opened: set[str] = set()

    def open_space(self, user: object) -> str:
        """获取审批钉盘空间信息

        :raises DingTalkError: nobody has this user id
        """
        if not isinstance(user, str) or user not in demo.USERS:
            raise DingTalkError("invalidParameter", f"用户不存在：{user}")
        space = _space_of(user)
        self._opened.add(space)
        return space

    def begin(self, space: str, union: str, body: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """获取文件上传信息: the upload key, and the headers that sign the upload.

        :raises DingTalkError: the space belongs to somebody else, or the protocol is unknown
        """
        self._require(space, union)
        if body.get("protocol") != "HEADER_SIGNATURE" or body.get("multipart"):
            raise DingTalkError("invalidParameter", "参数错误：protocol 应为 HEADER_SIGNATURE，multipart 应为 false")
        key = secrets.token_hex(16)
        self._uploads[key] = _Upload(space, f"OSS demo:{secrets.token_urlsafe(20)}")
        return key, {"Authorization": self._uploads[key].authorization, "x-oss-date": "Thu, 01 Jan 2026 00:00:00 GMT"}

    def store(self, key: str, headers: Mapping[str, str], content: bytes) -> bool:
        """What the object store does with a PUT; False = the signature does not hold."""
        upload = self._uploads.get(key)
        # The signature covers the content type, and was made for a request without one.
        if upload is None or headers.get("authorization") != upload.authorization or "content-type" in headers:
            return False
        upload.size = len(content)
        upload.sha256 = hashlib.sha256(content).hexdigest()
        return True

    def commit(self, space: str, union: str, body: Mapping[str, Any]) -> StoredFile:
        """提交文件

        :raises DingTalkError: nothing was uploaded under the key, or not what was announced
        """
        self._require(space, union)
        upload = self._uploads.get(str(body.get("uploadKey")))
        name, option = body.get("name"), body.get("option") or {}
        if upload is None or upload.size is None or upload.space != space:
            raise DingTalkError("invalidParameter", "参数错误：uploadKey 没有对应的文件")
        if not isinstance(name, str) or not name or not isinstance(option, dict):
            raise DingTalkError("invalidParameter", "参数错误：name")
        if option.get("size") not in (None, upload.size):
            raise DingTalkError("invalidParameter", "参数错误：size 与上传的文件不符")
        del self._uploads[str(body["uploadKey"])]
        file = StoredFile(str(10_000_000_000 + len(self.files)), space, name, upload.size, upload.sha256)
        self.files[file.id] = file
        self._storage.put(_FILES, file.id, file)
        return file

    def refuse_missing(self, components: object) -> None:
        """Attachments of an approval that name an approval space must name a file in it.

        :raises DingTalkError: ``illegalComponent``
        """
        spaces = {_space_of(user) for user in demo.USERS}
        for component in components if isinstance(components, list) else ():
            for file in _attachments(component):
                known = self.files.get(str(file.get("fileId")))
                if str(file.get("spaceId")) in spaces and (known is None or known.space != str(file.get("spaceId"))):
                    raise DingTalkError("illegalComponent", f"附件 {file.get('fileName')} 不存在")

    def _require(self, space: str, union: str) -> None:
        owner = next((user for user in demo.USERS if union_id(user) == union), None)
        if owner is None or _space_of(owner) != space or space not in self._opened:
            raise DingTalkError("permissionDenied", "没有此空间的权限", 403)


def _space_of(user: str) -> str:
    return str(2_000_000_000 + zlib.crc32(user.encode()))


def _attachments(component: object) -> list[dict[str, Any]]:
    value = component.get("value") if isinstance(component, dict) else None
    if not isinstance(value, str) or '"fileId"' not in value:
        return []
    try:
        files = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return []
    return [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []

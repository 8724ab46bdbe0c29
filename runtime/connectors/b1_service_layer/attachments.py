"""Files attached to a record of B1 (Service Layer, entity set ``Attachments2``)."""

from __future__ import annotations

from functools import partial
from typing import Any

from runtime.connectors.b1_service_layer.actions import Attachment
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.files import File
from runtime.errors import NotFound

__all__ = ["Attachments"]


class Attachments:
    """Finds the files; their content is read when they are taken."""

    def __init__(self, client: ServiceLayer) -> None:
        self._client = client

    async def files(self, params: Attachment) -> list[File]:
        """The files of an entry, in the order of its lines; none where a record has no entry.

        :raises NotFound: there is no such entry, or it has no file of the name that was asked for
        """
        if params.entry is None:
            return []
        path = f"Attachments2({params.entry})"
        record = await self._client.record(self._client.url(path))
        names = [_name(line) for line in record.get("Attachments2_Lines") or () if isinstance(line, dict)]
        files = [
            File(name, partial(self._content, path, name))
            for name in names
            if name and params.name.casefold() in ("", name.casefold())
        ]
        if params.name and not files:
            raise NotFound(
                f"附件 {params.entry} 里没有文件“{params.name}”（有：{'、'.join(names)}）",
                f"Attachment {params.entry} has no file {params.name!r} (it has: {', '.join(names)})",
                where=f"{self._client.name} {path}",
            )
        return files

    async def _content(self, path: str, name: str) -> bytes:
        quoted = name.replace("'", "''")
        url = self._client.url(f"{path}/$value", {"filename": f"'{quoted}'"})
        limit = self._client.settings.attachment_limit
        return (await self._client.read_raw(url, accept="*/*", most=limit)).content


def _name(line: dict[str, Any]) -> str:
    name, extension = str(line.get("FileName") or ""), str(line.get("FileExtension") or "")
    return f"{name}.{extension}" if name and extension else name

"""A file on its way from one system to another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from runtime.errors import ValueRefused

__all__ = ["File", "read_file"]


class File(dict[str, Any]):
    """A file of another system: ``name`` with its extension, and ``type``, the extension alone.

    What it holds is fetched when somebody takes it, and kept nowhere: rows, records and previews carry the name only.
    It can be taken as long as the run goes on that found it.
    """

    __slots__ = ("_fetch",)

    def __init__(self, name: str, fetch: Callable[[], Awaitable[bytes]]) -> None:
        _, dot, extension = name.rpartition(".")
        super().__init__(name=name, type=extension.lower() if dot else "")
        self._fetch = fetch


async def read_file(file: File) -> bytes:
    """The content.

    :raises ValueRefused: the file is empty, or larger than its connection allows
    """
    content = await file._fetch()
    if not content:
        raise ValueRefused("文件是空的", "The file is empty", where=str(file["name"]))
    return content

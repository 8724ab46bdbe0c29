"""``/WW_verify_….txt``: the files by which WeCom proves that the domain is ours."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from runtime.store.trust import TrustFiles

__all__ = ["Trust"]


class Trust:
    """Serves the trust files at the root of the site; a file that is saved while the runtime works is there at once."""

    def __init__(self, files: TrustFiles) -> None:
        self._files = files

    async def answer(self, request: Request) -> Response:
        """Exactly the content as plain text, or 404."""
        content = await asyncio.to_thread(self._files.read, request.url.path.lstrip("/"))
        if content is None:
            return Response(status_code=404)
        return Response(content, media_type="text/plain")

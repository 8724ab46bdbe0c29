"""Reading a request's body without trusting its size or its speed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from runtime.errors import RequestRejected

__all__ = ["read_body"]

#: Seconds that a body may take to arrive.
_TIME_LIMIT = 20.0
#: Of a body that is too large, so much is taken from the wire and thrown away, for so many seconds at most: a caller
#: who is still sending when the connection closes would see a reset instead of the answer.
_DISCARDED = 32_000_000
_DISCARD_TIME = 5.0


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, of at most ``limit`` bytes; a larger one is refused and never kept in memory.

    :raises RequestRejected: too large (413), too slow (408) or broken off (400)
    """
    declared = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = 0
    stream = request.stream()
    try:
        if declared.isdecimal() and int(declared) > limit:
            await _discard(stream)
            raise _too_large(limit)
        async with asyncio.timeout(_TIME_LIMIT):
            async for part in stream:
                size += len(part)
                if size > limit:
                    parts.clear()
                    await _discard(stream)
                    raise _too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise RequestRejected("请求内容迟迟没有到齐", "The request's body did not arrive in time", status=408) from None
    except ClientDisconnect:
        raise RequestRejected("请求中途断开", "The request broke off", status=400) from None
    return b"".join(parts)


async def _discard(stream: AsyncIterator[bytes]) -> None:
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_TIME):
            async for part in stream:
                size += len(part)
                if size > _DISCARDED:
                    return


def _too_large(limit: int) -> RequestRejected:
    return RequestRejected(f"请求内容超过 {limit:,} 字节", f"The request's body exceeds {limit:,} bytes", status=413)

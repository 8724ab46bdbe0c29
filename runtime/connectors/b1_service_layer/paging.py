"""Reading many rows: page after page, in constant memory, complete even while the set changes.

By key where the set has a single key: each page asks for the rows beyond the last one seen, so a row that leaves the
filter meanwhile moves nobody else. Otherwise along the server's next links, which skip by position (SAP, "Working with
SAP Business One Service Layer", Retrieving Entities with Paging).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.odata import conjunction, literal, next_url
from runtime.errors import RemoteFault

__all__ = ["PageReader", "Selection"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rows of which set, in OData's own spelling."""

    entity: str
    select: tuple[str, ...] = ()
    filter: str | None = None
    orderby: str | None = None
    expand: str | None = None
    #: Rows in all, or None for every row.
    top: int | None = None
    page_size: int = 20


@dataclass(frozen=True)
class _Page:
    rows: list[dict[str, Any]]
    #: Address of the next link, or None on the last page.
    link: str | None


class PageReader:
    """Streams the rows of one selection; the next page is fetched while the present one is worked on, never more."""

    def __init__(self, client: ServiceLayer, selection: Selection, *, key: str | None) -> None:
        """:param key: property to page by; None = follow next links"""
        self._client = client
        self._selection = selection
        self._key = key
        self._headers = {"Prefer": f"odata.maxpagesize={selection.page_size}"}

    async def rows(self) -> AsyncIterator[dict[str, Any]]:
        """Every row once.

        :raises RemoteFault: the server does not page as documented
        """
        left = self._selection.top
        if left == 0:
            return
        url: str | None = self._url(None, left)
        upcoming: asyncio.Task[_Page] | None = None
        try:
            while url is not None:
                page = await upcoming if upcoming is not None else await self._fetch(url)
                upcoming = None
                rows = page.rows if left is None else page.rows[:left]
                left = None if left is None else left - len(rows)
                url = self._following(url, page, left)
                last = rows[-1][self._key] if self._key and rows and url else None
                for number, row in enumerate(rows):
                    if number == len(rows) // 2 and url is not None:
                        upcoming = asyncio.create_task(self._fetch(url, beyond=last))
                    yield row
        finally:
            if upcoming is not None:
                await _abandon(upcoming)

    def _following(self, url: str, page: _Page, left: int | None) -> str | None:
        if left == 0:
            return None
        full = len(page.rows) >= self._selection.page_size
        if self._key is not None and page.rows and (full or page.link):
            if self._key not in page.rows[-1]:
                raise self._astray(f"its rows lack the key {self._key}", f"记录中缺少主键 {self._key}")
            return self._url(page.rows[-1][self._key], left)
        if page.link is None:
            return None
        link = next_url(self._client.root, page.link)
        if link == url:
            raise self._astray("its next link leads to the same page", "下一页的链接指向本页")
        return link

    def _url(self, beyond: Any, left: int | None) -> str:
        chosen = self._selection
        select = chosen.select
        if select and self._key and self._key not in select and "*" not in select:
            select = (self._key, *select)
        after = None if beyond is None else f"{self._key} gt {literal(beyond)}"
        options = {
            "$select": ",".join(select) or None,
            "$filter": conjunction(chosen.filter, after),
            "$orderby": self._key or chosen.orderby,
            "$expand": chosen.expand,
            "$top": left,
        }
        return self._client.url(chosen.entity, options)

    async def _fetch(self, url: str, *, beyond: Any = None) -> _Page:
        data = await self._client.read(url, headers=self._headers)
        rows = data.get("value") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise self._astray("its answer is not a list of rows", "答复不是记录列表")
        if beyond is not None and self._key and any(row.get(self._key) == beyond for row in rows):
            raise self._astray("it ignores $filter on the key", "忽略了按主键的 $filter")
        return _Page(rows, data.get("odata.nextLink") or data.get("@odata.nextLink"))

    def _astray(self, en: str, zh: str) -> RemoteFault:
        return RemoteFault(
            f"B1 的分页不符合约定：{zh}",
            f"The server does not page as documented: {en}",
            where=f"{self._client.name} {self._selection.entity}",
        )


async def _abandon(task: asyncio.Task[_Page]) -> None:
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # nobody wants this page any more, nor the reason why it failed

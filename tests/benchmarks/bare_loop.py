"""The same job as a programmer would write it in an hour: asyncio, aiohttp, 32 at a time, and no ledger.

A crash or a lost answer in the middle of it makes approvals twice or forgets them. It is what ``b1-runtime run`` is
measured against. Run by :mod:`tests.benchmarks.bench_runtime`: ``python -m tests.benchmarks.bare_loop ADDRESS``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from runtime.sandbox import demo
from tests.benchmarks.lab import COLUMNS, FORM, HEADER, QUERY

CONCURRENCY = 32
_DATES = {"DocDate", "DocDueDate", "RequriedDate", "RequiredDate"}


async def main(base: str) -> None:
    """Send every draft that waits, and mark it."""
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        login = {"CompanyDB": demo.B1_COMPANY, "UserName": demo.B1_USER, "Password": demo.B1_PASSWORD}
        (await session.post(f"{base}/b1/b1s/v1/Login", json=login)).raise_for_status()
        app = {"appKey": demo.DINGTALK_APP_KEY, "appSecret": demo.DINGTALK_APP_SECRET}
        async with session.post(f"{base}/dingtalk/v1.0/oauth2/accessToken", json=app) as answer:
            token = (await answer.json())["accessToken"]
        waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(CONCURRENCY)
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(_work(session, base, token, waiting))
            async for draft in _drafts(session, base):
                await waiting.put(draft)
            for _ in range(CONCURRENCY):
                await waiting.put(None)


async def _drafts(session: aiohttp.ClientSession, base: str) -> AsyncIterator[dict[str, Any]]:
    last = 0
    while True:
        options = {"$filter": f"({QUERY['filter']}) and DocEntry gt {last}", "$orderby": "DocEntry"}
        paging = {"Prefer": f"odata.maxpagesize={QUERY['page_size']}"}
        async with session.get(f"{base}/b1/b1s/v1/Drafts", params=options, headers=paging) as answer:
            answer.raise_for_status()
            rows = (await answer.json(content_type=None))["value"]
        if not rows:
            return
        for row in rows:
            yield row
        last = rows[-1]["DocEntry"]


async def _work(
    session: aiohttp.ClientSession, base: str, token: str, waiting: asyncio.Queue[dict[str, Any] | None]
) -> None:
    while (draft := await waiting.get()) is not None:
        headers = {"x-acs-dingtalk-access-token": token}
        url = f"{base}/dingtalk/v1.0/workflow/processInstances"
        async with session.post(url, json=_request(draft), headers=headers) as answer:
            answer.raise_for_status()
            instance = (await answer.json(content_type=None))["instanceId"]
        mark = {"U_ISSYN": "Y", "U_instanceID": instance}
        async with session.patch(f"{base}/b1/b1s/v1/Drafts({draft['DocEntry']})", json=mark) as answer:
            answer.raise_for_status()


def _request(draft: dict[str, Any]) -> dict[str, Any]:
    values = [{"name": name, "value": _text(name, draft.get(name))} for name in HEADER]
    rows = [
        [{"name": name, "value": _text(name, line.get(name))} for name in COLUMNS] for line in draft["DocumentLines"]
    ]
    values.append({"name": "Lines", "value": json.dumps(rows, ensure_ascii=False)})
    return {
        "processCode": FORM,
        "originatorUserId": draft["U_UserID"],
        "deptId": int(draft["U_BMID"]),
        "formComponentValues": [value for value in values if value["value"]],
    }


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    return str(value)[:10] if name in _DATES else str(value)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""A DingTalk whose answers the test writes itself, and connections to it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.connectors.dingtalk.connector import DingTalkConnector

#: (status, body): a dict is sent as JSON, text as it is.
Answer = tuple[int, dict[str, Any] | str]


class FakeDingTalk:
    """Answers token calls, and every other path from a list (the last answer stays) or a function of the body."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[Answer] | Callable[[dict[str, Any]], Answer]] = {}
        self.calls: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.tokens_issued = 0
        self.expire_in = 7200

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else {}
        if request.path == "/v1.0/oauth2/accessToken":
            self.tokens_issued += 1
            return web.json_response({"accessToken": f"token-{self.tokens_issued}", "expireIn": self.expire_in})
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append((request.path, headers, body | dict(request.query)))
        answers = self.answers[request.path]
        if callable(answers):
            status, answer = answers(body | dict(request.query))
        else:
            status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, str):
            return web.Response(status=status, text=answer, content_type="text/html")
        return web.json_response(answer, status=status)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for called, _, body in self.calls if called == path]


@pytest_asyncio.fixture
async def dingtalk(serve: Callable[..., Awaitable[Any]]) -> FakeDingTalk:
    fake = FakeDingTalk()
    fake.url = (await serve(fake.handle)).url
    return fake


@pytest.fixture
def connect(dingtalk: FakeDingTalk, opened: Callable[..., DingTalkConnector]) -> Callable[..., DingTalkConnector]:
    """``connect(**settings)`` opens a connection to the fake."""
    document = {
        "kind": "dingtalk",
        "base_url": dingtalk.url,
        "oapi_url": dingtalk.url,
        "app_key": "ding-key",
        "app_secret": "ding-secret-value",
    }
    return partial(opened, document)


@pytest.fixture
def oa() -> tuple[str, str]:
    """Which approval system the tests are about, and the call that starts an approval."""
    return "dingtalk", "/v1.0/workflow/processInstances"

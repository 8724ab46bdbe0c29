"""An e-cology whose answers the test writes itself, and connections to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime.connectors.weaver.connector import WeaverConnector

SECRET = "0f5b9d0e-0d4a-4d0c-8a5f-000000000001"


class FakeWeaver:
    """Answers regist and applytoken, and every other path from a list (the last answer stays) or a function.

    Its RSA is ``cryptography``'s.
    """

    def __init__(self) -> None:
        self.url = ""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.answers: dict[str, Any] = {}
        #: (path, headers, fields)
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.token_headers: list[dict[str, str]] = []
        self.tokens = 0

    @property
    def spk(self) -> str:
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(public).decode()

    def opened(self, sealed: str) -> str:
        """What was encrypted for this server."""
        return self.key.decrypt(base64.b64decode(sealed), padding.PKCS1v15()).decode()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.path == "/api/ec/dev/auth/applytoken":
            self.tokens += 1
            self.token_headers.append(headers)
            if "applytoken" in self.answers:
                return web.json_response(self.answers["applytoken"])
            return web.json_response({"code": 0, "token": f"token-{self.tokens}", "msg": "获取成功!", "status": True})
        fields = dict(parse_qsl((await request.read()).decode(), keep_blank_values=True)) | dict(request.query)
        self.calls.append((request.path, headers, fields))
        name = request.path.removeprefix("/api/workflow/paService/")
        answers = self.answers[name]
        answer = answers(fields) if callable(answers) else answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, web.Response):
            return answer
        response = web.json_response(answer)
        response.set_cookie("ecology_JSessionid", "session-of-somebody")
        return response

    def fields(self, name: str) -> list[dict[str, Any]]:
        """What was sent to a call; nested JSON read."""
        sent = [fields for path, _, fields in self.calls if path.endswith(name)]
        return [
            {key: json.loads(value) if value[:1] in ("[", "{") else value for key, value in one.items()} for one in sent
        ]


@pytest_asyncio.fixture
async def weaver(serve: Callable[..., Awaitable[Any]]) -> FakeWeaver:
    fake = FakeWeaver()
    fake.url = (await serve(fake.handle)).url
    return fake


@pytest.fixture
def connect(weaver: FakeWeaver, opened: Callable[..., WeaverConnector]) -> Callable[..., WeaverConnector]:
    """``connect(**settings)`` opens a connection to the fake."""
    document = {"kind": "weaver", "base_url": weaver.url, "app_id": "A-1", "secret": SECRET, "spk": weaver.spk}
    return partial(opened, {**document, "user_id": "1"})


@pytest.fixture
def oa() -> tuple[str, str, str]:
    """Which approval system the tests are about, the call that starts an approval, and what it calls approvals."""
    return "weaver", "doCreateRequest", "requests"

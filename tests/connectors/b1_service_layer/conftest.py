"""A small Service Layer of its own making: the connector must not depend on any one server's habits."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.connectors.b1_service_layer.connector import ServiceLayerConnector
from runtime.connectors.b1_service_layer.settings import B1Settings

_TERM = re.compile(r"(\w+) (eq|gt) ('(?:[^']|'')*'|-?\d+)")
_KEY = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


@dataclass
class Stub:
    """Users, drafts and so on in plain lists; every oddity is a switch."""

    sets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    url: str = ""
    version: str = "v1"
    #: ``v1``, ``v2`` or ``mixed`` (number with plain message).
    error_style: str = "v1"
    #: ``relative``, ``rooted``, ``absolute``, ``foreign`` or ``none``.
    links: str = "relative"
    route_cookie: bool = True
    session_cookie: bool = True
    needs_route: bool = False
    page_cap: int = 1000
    honours_filter: bool = True
    created: int = 201
    metadata: bytes = b""
    #: Called before a request is answered; may answer it instead.
    before: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
    sessions: set[str] = field(default_factory=set)
    logins: int = 0
    logouts: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        before, _, path = re.sub("/+", "/", request.path).partition(f"/b1s/{self.version}/")
        assert before in ("", "/b1"), request.path
        raw = request.raw_path
        self.log.append((request.method, raw[raw.index(f"/b1s/{self.version}/") + len(f"/b1s/{self.version}/") :]))
        answer = await self.before(request) if self.before else None
        if answer is not None:
            return answer
        content = await request.read()
        body = json.loads(content) if content else None
        self.bodies.append(body)
        if path == "Login":
            return self._login(body)
        session = request.cookies.get("B1SESSION")
        if session not in self.sessions or (self.needs_route and request.cookies.get("ROUTEID") != ".node1"):
            return self.refuse(401, 301, "Invalid session or session already timeout.")
        if path == "Logout":
            self.sessions.discard(session)
            self.logouts += 1
            return web.Response(status=204)
        if path == "$metadata":
            return web.Response(body=self.metadata, content_type="application/xml")
        return self._data(request, path, body)

    def refuse(self, status: int, code: int, text: str) -> web.Response:
        """An error body in the chosen style."""
        error: dict[str, Any] = {"code": code, "message": {"lang": "zh-cn", "value": text}}
        if self.error_style == "v2":
            error = {"code": str(code), "details": [{"code": "", "message": ""}], "message": text}
        elif self.error_style == "mixed":
            error = {"code": code, "message": text}
        return web.json_response({"error": error}, status=status)

    def _login(self, body: dict[str, Any]) -> web.Response:
        self.logins += 1
        if body["Password"] != "manager":
            return self.refuse(401, -304, "Fail to NONE-SSO login from SLD.")
        session = f"session-{self.logins}"
        self.sessions.add(session)
        answer = web.json_response({"SessionId": session, "Version": "1000280", "SessionTimeout": 30})
        if self.session_cookie:
            answer.headers.add("Set-Cookie", f"B1SESSION={session};HttpOnly;;Secure;path=/elsewhere;SameSite=None")
        if self.route_cookie:
            answer.headers.add("Set-Cookie", "ROUTEID=.node1; path=/; Domain=inside.example.com")
        return answer

    def _data(self, request: web.Request, path: str, body: Any) -> web.StreamResponse:
        name, _, rest = path.partition("/")
        keyed = _KEY.fullmatch(path)
        if keyed:
            return self._row(request, keyed[1], keyed[2], body)
        if name not in self.sets:
            return self.refuse(404, -1, f"Unrecognized resource path {path}")
        if rest == "$count":
            return web.Response(text=f"\ufeff{len(self._matching(name, request))}")
        if request.method == "POST":
            self.sets[name].append(body)
            if self.created == 204:
                code = body[self.keys[name][0]].replace("'", "''")
                key = quote(f"{name}('{code}')")
                return web.Response(status=204, headers={"Location": f"{self.url}/b1s/{self.version}/{key}"})
            return web.json_response(body, status=self.created)
        return self._page(request, name)

    def _row(self, request: web.Request, name: str, key: str, body: Any) -> web.StreamResponse:
        if key.startswith("'") or key.isdigit():
            wanted = {self.keys[name][0]: _value(key)}
        else:
            wanted = {part.split("=")[0]: _value(part.split("=")[1]) for part in key.split(",")}
        assert set(wanted) == set(self.keys[name])
        rows = [row for row in self.sets[name] if wanted.items() <= row.items()]
        if not rows:
            return self.refuse(404, -2028, "No matching records found (ODBC -2028)")
        if request.method == "PATCH":
            if request.headers.get("If-Match", 'W/"1"') != 'W/"1"':
                return self.refuse(412, -2039, "mismatch")
            rows[0].update(body)
            return web.Response(status=204)
        return web.json_response(rows[0])

    def _matching(self, name: str, request: web.Request) -> list[dict[str, Any]]:
        condition = request.query.get("$filter", "") if self.honours_filter else ""
        choices = [_TERM.findall(choice) for choice in condition.split(" or ")]
        found = [row for row in self.sets[name] if any(all(_holds(row, *term) for term in terms) for terms in choices)]
        order = self.keys[name] if "$orderby" in request.query else ()
        return sorted(found, key=lambda row: [row[part] for part in order])

    def _page(self, request: web.Request, name: str) -> web.StreamResponse:
        rows = self._matching(name, request)
        skip, top = int(request.query.get("$skip", 0)), int(request.query.get("$top", 10**9))
        asked = re.search(r"odata.maxpagesize=(\d+)", request.headers.get("Prefer", ""))
        size = min(int(asked[1]) if asked else 20, self.page_cap)
        found = rows[skip : skip + min(size, top)]
        link = "@odata.nextLink" if self.version == "v2" else "odata.nextLink"
        answer: dict[str, Any] = {"value": found}
        if skip + len(found) < len(rows) and len(found) < top and self.links != "none":
            options = "&".join(
                f"{key}={quote(value)}" for key, value in request.query.items() if key[1:] not in "skiptop"
            )
            follow = f"{name}?{options}&$skip={skip + len(found)}"
            if "$top" in request.query:
                follow += f"&$top={top - len(found)}"
            root = f"/b1s/{self.version}/"
            prefix = {"rooted": root, "absolute": self.url + root, "foreign": f"http://localhost:9{root}"}
            answer[link] = prefix.get(self.links, "") + follow
        return web.json_response(answer)


def _value(text: str) -> Any:
    return text[1:-1].replace("''", "'") if text.startswith("'") else int(text)


def _holds(row: dict[str, Any], name: str, how: str, text: str) -> bool:
    value = _value(text)
    return bool(row[name] == value) if how == "eq" else bool(row[name] > value)


Connect = Callable[..., Awaitable[ServiceLayerConnector]]


@pytest.fixture
def stub() -> Stub:
    """Three users and no drafts, until a test says otherwise."""
    users = [{"InternalKey": number, "UserCode": f"user{number}"} for number in (1, 2, 3)]
    return Stub(
        sets={
            "Users": users,
            "Drafts": [],
            "StockTransferDrafts": [],
            "Items": [],
            "ApprovalRequests": [],
            "SpecialPrices": [],
        },
        keys={
            "Users": ("InternalKey",),
            "Drafts": ("DocEntry",),
            "StockTransferDrafts": ("DocEntry",),
            "Items": ("ItemCode",),
            "ApprovalRequests": ("Code",),
            "SpecialPrices": ("ItemCode", "CardCode"),
        },
    )


@pytest_asyncio.fixture
async def connect(stub: Stub, serve: Callable[..., Awaitable[Any]]) -> AsyncIterator[Connect]:
    """``await connect(**settings)`` serves the stub and opens a connection to it."""
    opened: list[ServiceLayerConnector] = []

    async def start(**settings: Any) -> ServiceLayerConnector:
        if not stub.url:
            stub.url = (await serve(stub.handle)).url
        chosen = {
            "base_url": f"{stub.url}/",
            "company": "SBODEMOCN",
            "user": "manager",
            "password": "manager",
            "version": stub.version,
            "rate": 10_000,
            "retries": 2,
        }
        opened.append(ServiceLayerConnector("erp", B1Settings.model_validate(chosen | settings)))
        return opened[-1]

    yield start
    for connection in opened:
        await connection.aclose()


async def call(connection: ServiceLayerConnector, name: str, /, **params: Any) -> Any:
    """Run an action as the engine does; a stream comes back as a list."""
    action = connection.actions[name]
    result = await action.run(action.params.model_validate(params))
    return [row async for row in result] if action.streams else result


@pytest.fixture(name="call")
def _call() -> Callable[..., Awaitable[Any]]:
    return call

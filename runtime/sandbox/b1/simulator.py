"""The simulator as the rest of the sandbox sees it: routes to mount, demo data, and a look at the rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from runtime.sandbox.demo import B1_COMPANY
from runtime.sandbox.storage import Storage

from . import approvals, demo_company, demo_drafts
from .context import Context
from .faults import ServiceFault
from .rows import Company, Key
from .service import ServiceLayer
from .sessions import Sessions
from .wire import Call, Reply

__all__ = ["B1Simulator"]

_PATH: Final = re.compile(rb"(?P<before>.*?)/+b1s/(?P<version>v[12])(?:/(?P<path>.*))?", re.DOTALL)
_HEADERS: Final = (
    ("Server", "Apache/2.4.58 (Unix)"),
    ("Keep-Alive", "timeout=5, max=100"),
    ("Vary", "Accept-Encoding"),
)
_VERSION_HEADERS: Final = {"v1": ("DataServiceVersion", "3.0"), "v2": ("OData-Version", "4.0")}


class B1Simulator:
    """A SAP Business One company behind a Service Layer (v1 and v2), kept in a :class:`Storage`.

    Follows SAP's "Working with SAP Business One Service Layer" and what integrators measured on real servers.

    :param storage: where the data is kept; a restart finds it again
    :param clock: the time, timezone-aware; the company's own dates and times are those of Asia/Shanghai
    :param session_minutes: idle minutes after which a session is dead
    :param nodes: nodes behind the load balancer: without its ``ROUTEID`` a request reaches them in turn
    :param company: name of the company's data base, as given at login
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        session_minutes: float = 30,
        nodes: int = 2,
        company: str = B1_COMPANY,
    ) -> None:
        self._company = Company(storage)
        self._sessions = Sessions(clock, session_minutes, nodes)
        self.service = ServiceLayer(self._company, company, self._sessions, clock)

    def routes(self) -> list[BaseRoute]:
        """Routes for whatever prefix they are mounted under; it answers below ``…/b1s/v1`` and ``v2``."""
        return [Mount("/", app=self._asgi)]

    def seed(self) -> None:
        """Fill an empty company with the demo data; a company that has data stays as it is."""
        if self._company.sets["Users"].keys:
            return
        with self._company.transaction():
            demo_company.seed_definitions(self._context())
        self.service.refresh_schema()
        with self._company.transaction():
            demo_company.seed_master_data(self._context())
            demo_drafts.seed_documents(self._context())

    def generate_drafts(self, count: int, lines: int = 5) -> list[int]:
        """Add purchase request drafts, each unsynced and waiting for approval; returns their ``DocEntry`` s."""
        with self._company.transaction():
            return demo_drafts.generate(self._context(), count, lines)

    def submit_draft(self, entry: int, *, template: int = demo_company.TEMPLATE_REQUEST, remarks: str = "") -> int:
        """Put a draft into the approval procedure, as its author does in the B1 client; returns the request's ``Code``.

        :raises ServiceFault: there is no such draft or template
        """
        with self._company.transaction():
            return approvals.open_request(self._context(), entry, template, remarks)

    def rows(self, entity_set: str) -> list[dict[str, Any]]:
        """All rows of a set by ascending key, as they are stored: nulls left out. Not to be changed.

        :raises KeyError: there is no such set
        """
        rows = self._company.sets[entity_set]
        return [self._without_secrets(entity_set, rows.rows[key]) for key in rows.keys]

    def find(self, entity_set: str, key: Key) -> dict[str, Any] | None:
        """One row as it is stored, or None; a composite key is a tuple in the order of the set's key."""
        row = self._company.sets[entity_set].get(key)
        return None if row is None else self._without_secrets(entity_set, row)

    def entity_sets(self) -> list[str]:
        """Names of all entity sets, user tables and objects included."""
        return sorted(self._company.sets)

    def expire_sessions(self) -> None:
        """End every session at once: the next call of each client gets 401/301."""
        self._sessions.expire_all()

    def refuse_next(self, status: int, code: int, text: str, times: int = 1) -> None:
        """Answer the next calls with this refusal and do nothing, e.g. 500/305 ``Switch company error: -1102``."""
        self.service.refusals.extend(ServiceFault(status, code, text) for _ in range(times))

    def show_long_dates_in_v1(self, wanted: bool) -> None:
        """Dates of v1 as ``2022-08-23T00:00:00Z`` (True) or ``2022-08-23`` (False): both are seen in the field."""
        self.service.long_dates_in_v1 = wanted

    def _without_secrets(self, entity_set: str, row: dict[str, Any]) -> dict[str, Any]:
        secret = self.service.schema.type_of(entity_set).hidden
        return {name: value for name, value in row.items() if name not in secret} if secret else row

    def _context(self) -> Context:
        keys = self._company.sets["Users"].keys
        return self.service.context(keys[0] if keys else 1)

    async def _asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        match = _PATH.fullmatch(raw)
        if match is None:
            await Response(status_code=404, headers=dict(_HEADERS))(scope, receive, send)
            return
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        version = match["version"].decode()
        call = Call(
            method=request.method,
            version=version,
            root=f"{request.url.scheme}://{request.url.netloc}{match['before'].decode('latin-1')}/b1s/{version}/",
            path=(match["path"] or b"").decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )
        await _response(self.service.answer(call), version)(scope, receive, send)


def _response(reply: Reply, version: str) -> Response:
    response = Response(reply.body, status_code=reply.status)
    if reply.media_type:
        response.headers["Content-Type"] = reply.media_type
    for name, value in (*_HEADERS, _VERSION_HEADERS[version], *reply.headers):
        response.headers.append(name, value)
    return response

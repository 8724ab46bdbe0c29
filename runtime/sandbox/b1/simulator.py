"""The simulator as the rest of the sandbox sees it: routes to mount, demo data, and a look at the rows."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from runtime.sandbox.demo import B1_COMPANY, B1_SECOND_COMPANY
from runtime.sandbox.storage import Storage

from . import approvals, demo_company, demo_drafts, demo_more, demo_second
from .context import Context
from .faults import ServiceFault
from .gateway import COOKIE, Gateway
from .rows import Company, Key
from .service import ServiceLayer
from .sessions import Sessions
from .wire import Call, Reply, json_body

__all__ = ["B1Simulator"]

_PATH: Final = re.compile(rb"(?P<before>.*?)/+(?P<door>b1s/v[12]|b1dis/v1)(?:/(?P<path>.*))?", re.DOTALL)
_HEADERS: Final = (
    ("Server", "Apache/2.4.58 (Unix)"),
    ("Keep-Alive", "timeout=5, max=100"),
    ("Vary", "Accept-Encoding"),
)
_VERSION_HEADERS: Final = {"v1": {"DataServiceVersion": "3.0"}, "v2": {"OData-Version": "4.0"}}


class B1Simulator:
    """SAP Business One companies behind a Service Layer (v1 and v2) and a DI gateway, kept in a :class:`Storage`.

    Follows SAP's "Working with SAP Business One Service Layer" and what integrators measured on real servers. Where a
    method takes a company's name, the first company is meant without it.

    :param storage: where the data is kept; a restart finds it again
    :param clock: the time, timezone-aware; the companies' own dates and times are those of Asia/Shanghai
    :param session_minutes: idle minutes after which a session is dead
    :param nodes: nodes behind the load balancer: without its ``ROUTEID`` a request reaches them in turn
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        session_minutes: float = 30,
        nodes: int = 2,
    ) -> None:
        self._sessions = Sessions(clock, session_minutes, nodes)
        self._refusals: deque[ServiceFault] = deque()
        self._services: dict[str, ServiceLayer] = {}
        for name, prefix in ((B1_COMPANY, "b1."), (B1_SECOND_COMPANY, f"b1.{B1_SECOND_COMPANY}.")):
            company = Company(storage, prefix)
            self._services[name] = ServiceLayer(company, name, self._sessions, clock, self._refusals)
        #: The first company.
        self.service = self._services[B1_COMPANY]
        self.gateway = Gateway(self._services, Sessions(clock, session_minutes, 1, COOKIE))

    def routes(self) -> list[BaseRoute]:
        """Routes for whatever prefix they are mounted under; it answers below ``…/b1s/v1``, ``v2`` and ``b1dis/v1``."""
        return [Mount("/", app=self._asgi)]

    def seed(self) -> None:
        """Fill the companies that are empty with the demo data; a company that has data stays as it is."""
        for service in self._services.values():
            if service.company.sets["Users"].keys:
                continue
            first = service is self.service
            with service.company.transaction():
                demo_company.seed_definitions(service.context(1))
            service.refresh_schema()
            with service.company.transaction():
                demo_company.seed_master_data(service.context(1))
                if first:
                    demo_drafts.seed_documents(service.context(1))
                    demo_more.seed_more(service.context(1))
                else:
                    demo_second.seed_second(service.context(1))

    def companies(self) -> list[str]:
        """Names of the companies, the first one first."""
        return list(self._services)

    def generate_drafts(self, count: int, lines: int = 5, company: str = B1_COMPANY) -> list[int]:
        """Add purchase request drafts, each unsynced and waiting for approval; returns their ``DocEntry`` s."""
        service = self._services[company]
        with service.company.transaction():
            return demo_drafts.generate(self._context(service), count, lines)

    def submit_draft(
        self,
        entry: int,
        *,
        template: int = demo_company.TEMPLATE_REQUEST,
        remarks: str = "",
        company: str = B1_COMPANY,
    ) -> int:
        """Put a draft into the approval procedure, as its author does in the B1 client; returns the request's ``Code``.

        :raises ServiceFault: there is no such draft or template
        """
        service = self._services[company]
        with service.company.transaction():
            return approvals.open_request(self._context(service), entry, template, remarks)

    def rows(self, entity_set: str, company: str = B1_COMPANY) -> list[dict[str, Any]]:
        """All rows of a set by ascending key, as they are stored: nulls left out. Not to be changed.

        :raises KeyError: there is no such set
        """
        service = self._services[company]
        rows = service.company.sets[entity_set]
        return [_without_secrets(service, entity_set, rows.rows[key]) for key in rows.keys]

    def find(self, entity_set: str, key: Key, company: str = B1_COMPANY) -> dict[str, Any] | None:
        """One row as it is stored, or None; a composite key is a tuple in the order of the set's key."""
        service = self._services[company]
        row = service.company.sets[entity_set].get(key)
        return None if row is None else _without_secrets(service, entity_set, row)

    def entity_sets(self, company: str = B1_COMPANY) -> list[str]:
        """Names of all entity sets, user tables and objects included."""
        return sorted(self._services[company].company.sets)

    def key_names(self, entity_set: str, company: str = B1_COMPANY) -> tuple[str, ...]:
        """The properties that are the key of a set."""
        return self._services[company].schema.type_of(entity_set).key

    def expire_sessions(self) -> None:
        """End every session at once: the next call of each client gets 401/301, at the gateway as well."""
        self._sessions.expire_all()
        self.gateway.sessions.expire_all()

    def refuse_next(self, status: int, code: int, text: str, times: int = 1) -> None:
        """Answer the next calls with this refusal and do nothing, e.g. 500/305 ``Switch company error: -1102``."""
        self._refusals.extend(ServiceFault(status, code, text) for _ in range(times))

    def show_long_dates_in_v1(self, wanted: bool) -> None:
        """Dates of v1 as ``2022-08-23T00:00:00Z`` (True) or ``2022-08-23`` (False): both are seen in the field."""
        for service in self._services.values():
            service.long_dates_in_v1 = wanted

    def answer(self, call: Call) -> Reply:
        """Carry out a call to the Service Layer in the company that it logs in to, or that its session belongs to."""
        name = self._sessions.company(call.headers) or ""
        if call.path.strip("/") == "Login":
            with contextlib.suppress(ServiceFault):
                name = str(json_body(call).get("CompanyDB"))
        return self._services.get(name, self.service).answer(call)

    def _context(self, service: ServiceLayer) -> Context:
        keys = service.company.sets["Users"].keys
        return service.context(keys[0] if keys else 1)

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
        door = match["door"].decode()
        call = Call(
            method=request.method,
            version=door[-2:],
            root=f"{request.url.scheme}://{request.url.netloc}{match['before'].decode('latin-1')}/{door}/",
            path=(match["path"] or b"").decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )
        if door.startswith("b1dis"):
            await _response(self.gateway.answer(call), {})(scope, receive, send)
        else:
            await _response(self.answer(call), _VERSION_HEADERS[call.version])(scope, receive, send)


def _without_secrets(service: ServiceLayer, entity_set: str, row: dict[str, Any]) -> dict[str, Any]:
    secret = service.schema.type_of(entity_set).hidden
    return {name: value for name, value in row.items() if name not in secret} if secret else row


def _response(reply: Reply, headers: Mapping[str, str]) -> Response:
    response = Response(reply.body, status_code=reply.status)
    if reply.media_type:
        response.headers["Content-Type"] = reply.media_type
    for name, value in (*_HEADERS, *headers.items(), *reply.headers):
        response.headers.append(name, value)
    return response

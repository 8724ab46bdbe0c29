"""``/callbacks/{connection}``: verify → decrypt → store → commit → acknowledge. Everything else happens afterwards."""

from __future__ import annotations

import time
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from runtime.connectors.base import Connector
from runtime.connectors.events import CallbackRequest
from runtime.engine.pool import ConnectorPool
from runtime.errors import BadConnection, CallbackRejected, IntegrationError, RequestRejected
from runtime.faultpoints import FaultPoint, reach
from runtime.service.body import read_body
from runtime.service.intake import Intake
from runtime.service.metrics import Metrics

__all__ = ["BODY_LIMIT", "Callbacks"]

log = structlog.get_logger(__name__)

#: Bytes. An event is a few kilobytes at most.
BODY_LIMIT = 1_000_000
#: Stands for names that do not exist: what a stranger makes up must not become a label.
_NO_CONNECTION = "(none)"


#: Seconds for which a connection's settings are taken as they were.
_LOOK_UP_EVERY = 1.0


class Callbacks:
    """Takes the events of all connections in that are sent to an address of ours."""

    def __init__(self, intake: Intake, pool: ConnectorPool, metrics: Metrics) -> None:
        self._intake = intake
        self._pool = pool
        self._metrics = metrics
        self._known: dict[str, tuple[Connector[Any], float]] = {}

    async def answer(self, request: Request) -> Response:
        """Answer one callback: the connector's acknowledgement, or a refusal that tells a stranger nothing."""
        started = time.perf_counter()
        name = request.path_params["connection"]
        try:
            connector = await self._connector(name)
        except BadConnection:
            return self._refuse(404, _NO_CONNECTION, "no such connection", asked=name[:80])
        except IntegrationError as error:
            # Not the caller's fault: the other system is to deliver it again.
            return self._refuse(503, name, error.sentence("en"))
        if not connector.has_callback:
            return self._refuse(404, name, "this system sends no callbacks")
        try:
            received = connector.receive(await _read(request))
            new = await self._intake.store(name, received.events)
        except IntegrationError as error:
            return self._refuse(_status_of(error), name, error.sentence("en"))
        self._metrics.callbacks.labels(connection=name, verdict="accepted").inc()
        self._metrics.callback_seconds.observe(time.perf_counter() - started)
        log.info(
            "callback accepted",
            connection=name,
            events=[f"{event.type} {event.instance_id}".strip() for event in received.events],
            new=new,
        )
        reply = received.reply
        return _Acknowledgement(reply.body, status_code=reply.status, media_type=reply.content_type)

    async def _connector(self, name: str) -> Connector[Any]:
        """The connection's connector, its settings looked up again every second: a burst must not wait for that.

        :raises BadConnection: there is none of this name
        """
        now = time.monotonic()
        known = self._known.get(name)
        if known is not None and now - known[1] < _LOOK_UP_EVERY:
            return known[0]
        connector = await self._pool.get(name)
        self._known[name] = (connector, now)
        return connector

    def _refuse(self, status: int, connection: str, reason: str, **details: str) -> Response:
        self._metrics.callbacks.labels(connection=connection, verdict="rejected").inc()
        log.warning("callback rejected", connection=connection, status=status, reason=reason, **details)
        # A body that was not read to its end must not be taken for the next request.
        headers = {"Connection": "close"} if status in (408, 413) else None
        return JSONResponse({"error": "rejected"}, status_code=status, headers=headers)


class _Acknowledgement(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reach(FaultPoint.BEFORE_ACKNOWLEDGE)
        await super().__call__(scope, receive, send)
        reach(FaultPoint.AFTER_ACKNOWLEDGE)


async def _read(request: Request) -> CallbackRequest:
    return CallbackRequest(
        method=request.method,
        query={key.lower(): value for key, value in request.query_params.items()},
        headers={key.lower(): value for key, value in request.headers.items()},
        body=await read_body(request, BODY_LIMIT),
    )


def _status_of(error: IntegrationError) -> int:
    if isinstance(error, RequestRejected):
        return error.status
    # Anything but a rejection is our own trouble: the other system is to deliver it again.
    return 403 if isinstance(error, CallbackRejected) else 503

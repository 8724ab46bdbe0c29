"""``/healthz`` (alive), ``/readyz`` (fit for work, with reasons) and ``/metrics``."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.errors import IntegrationError, RetryLater
from runtime.service.flows import HttpFlows
from runtime.service.live import LiveMappings
from runtime.service.metrics import Metrics
from runtime.service.router import Router
from runtime.service.schedules import Schedules
from runtime.service.streams import Streams, StreamState
from runtime.store.database import Database
from runtime.store.sealed import first_locked
from runtime.store.vault import Vault

__all__ = ["Health"]

#: Seconds that the database may take for ``select 1``.
_DATABASE_LIMIT = 3.0


class Health:
    """Answers what monitors ask. Nothing here names a secret or a document."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        live: LiveMappings,
        schedules: Schedules,
        router: Router,
        flows: HttpFlows,
        streams: Streams,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._vault = vault
        self._live = live
        self._schedules = schedules
        self._router = router
        self._flows = flows
        self._streams = streams
        self._metrics = metrics
        #: Set when the stop begins.
        self.stopping = False

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"alive": True})

    async def readyz(self, _request: Request) -> Response:
        """200 when everything works; 503 with the reasons when something does not.

        A mapping that is broken while its last good version runs, or an event stream that is being opened again, is a
        reason to look, not to stop sending work here: it is listed, and the answer stays 200.
        """
        problems = self.mapping_problems()
        dead = self._live.without_good_version
        reasons = [f"mapping {name} is broken and has no good version" for name in dead]
        database = await self._database_answers()
        if database:
            reasons.append(database)
        elif await self._secrets_locked():
            reasons.append("the stored secrets cannot be opened: restore the key file, or enter them again")
        if not self._schedules.running:
            reasons.append("the scheduler does not run")
        if self.stopping:
            reasons.append("the runtime is stopping")
        body = {
            "ready": not reasons,
            "reasons": reasons,
            "mappings": {mapping.id: "enabled" if mapping.enabled else "disabled" for mapping in self._live},
            "problems": problems,
            "streams": {name: _stream(state) for name, state in sorted(self._streams.states.items())},
            "next_runs": {job: when.isoformat() for job, when in sorted(self._schedules.next_runs().items())},
        }
        return JSONResponse(body, status_code=503 if reasons else 200)

    def mapping_problems(self) -> dict[str, list[dict[str, str]]]:
        """What is wrong with the mappings now, by mapping id."""
        found = {
            name: [{"where": problem.where, "zh": problem.zh, "en": problem.en} for problem in problems]
            for name, problems in self._live.problems.items()
        }
        for source in (self._schedules.problems, self._router.problems, self._flows.problems):
            for job, error in source.items():
                found.setdefault(job.partition("/")[0], []).append(_problem(error))
        return found

    async def metrics(self, _request: Request) -> Response:
        """Prometheus' text format."""
        return Response(self._metrics.render(), media_type=self._metrics.content_type)

    async def _database_answers(self) -> str:
        try:
            async with asyncio.timeout(_DATABASE_LIMIT):
                await self._database.aread(lambda connection: connection.execute(text("SELECT 1")).scalar())
        except (IntegrationError, TimeoutError):
            return "the state database does not answer"
        return ""

    async def _secrets_locked(self) -> bool:
        try:
            return await asyncio.to_thread(first_locked, self._database, self._vault) is not None
        except RetryLater:
            return False


def _stream(state: StreamState) -> dict[str, Any]:
    return {
        "connected": state.connected,
        "since": state.since.isoformat(),
        "error": None if state.error is None else _problem(state.error),
    }


def _problem(error: IntegrationError) -> dict[str, Any]:
    return {"where": error.where, "zh": error.zh, "en": error.en}
